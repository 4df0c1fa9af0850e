import {
  type Beat,
  type BeatReply,
  type Member,
  type Output,
  type PeerReply,
  type PeerSnapshot,
  type PeerState,
  type RaftCore,
  RaftError,
  type RaftErrorCode,
  type RaftRequest,
  type StoredState,
  type Vote,
  type VoteReply,
} from 'raftbeat';
import { A, B, C, type Cluster, D, E, Host, type HostOptions, L, peer } from '../cluster.js';

export const ABC = [A, B, C];
export const ABCDE = [A, B, C, D, E];

/** What the cases ask of a peer. */
export interface View {
  readonly state: PeerState;
  readonly term: number;
  readonly voteFor: string | null;
  readonly leader: string | null;
}

export function viewOf({ self, leader }: Host): View {
  return { state: self.state, term: self.term, voteFor: self.voteFor, leader };
}

export interface SoloOptions extends HostOptions {
  readonly members?: readonly (string | Member)[];
  readonly disk?: StoredState | null;
  readonly local?: string;
}

type RequestOf<Type extends RaftRequest['type']> = Extract<RaftRequest, { type: Type }>;

/** One core, by default `a:1` of three, that a test drives by hand; its disk is at once, unless `diskStalls`. */
export class Solo {
  now = 0;
  readonly host: Host;
  readonly core: RaftCore;
  readonly sent: { readonly to: readonly string[]; readonly request: RaftRequest }[] = [];
  readonly saves: StoredState[] = [];
  readonly fetched: string[] = [];
  /** What the answers that a recovering peer asks for must bear. */
  rejoinId: number | undefined;
  /** What was carried out, in order: `save 1 a:1`, `vote`, `beat`, `fetchPeer b:1`. */
  readonly done: string[] = [];
  /** `FOLLOWER CANDIDATE 1` */
  readonly states: string[] = [];
  /** While true, saves and what is behind them wait for `confirm`. */
  diskStalls = false;
  readonly #waiting: Output[] = [];
  /** The newest round of pre-votes, and the newest beat, that were sent. */
  #round = -1;
  #beat: Beat | null = null;

  constructor({
    members = ABC,
    disk = { term: 0, voteFor: null, promisedMs: 0 },
    ...rest
  }: SoloOptions = {}) {
    const { local = A, ...options } = rest;
    const random = options.rules === 'nacos' ? () => 0.5 : () => 0;
    this.host = new Host(local, members, disk, { random, ...options });
    this.core = this.host.core;
    this.core.peers.on('stateChange', ({ from, to, term }) => this.states.push(`${from} ${to} ${term}`));
    this.tick();
  }

  get view(): View {
    return viewOf(this.host);
  }

  get leads(): boolean {
    return this.core.isLeader(this.now);
  }

  /** In how many ms this peer means to come up for election. */
  get dueIn(): number {
    return this.core.getPeer(this.now).leaderDueMs;
  }

  tick(): void {
    this.#input(() => this.core.tick(this.now));
  }

  /** Lets `ms` go by, and does on the way what is due. */
  wait(ms: number): void {
    const end = this.now + ms;
    let ticks = 0;
    for (let due = this.core.nextDeadline(); due <= end; due = this.core.nextDeadline()) {
      if (++ticks > 1000 + ms) throw new Error(`time stands still at ${this.now}`);
      this.now = Math.max(this.now, due);
      this.tick();
    }
    this.now = end;
  }

  waitUntil(holds: () => boolean): void {
    for (let ms = 0; !holds(); ms++) {
      if (ms > 10 * L) throw new Error('not within 10 L');
      this.wait(1);
    }
  }

  vote(from: string, term: number, more: Omit<Vote, 'peer'> = {}): VoteReply {
    const candidate = peer(from, { state: 'CANDIDATE', term, voteFor: from });
    return this.#input(() => this.core.receivedVote({ peer: candidate, ...more }, this.now));
  }

  preVote(from: string, term: number, more: Omit<Vote, 'peer'> = {}): VoteReply {
    const vote = { peer: peer(from, { term }), preVote: true, round: 7, ...more };
    return this.#input(() => this.core.receivedVote(vote, this.now));
  }

  beat(from: string, term: number, more: Partial<Beat> = {}): BeatReply {
    const beat = { peer: peer(from, { state: 'LEADER', term, voteFor: from }), datums: [], ...more };
    return this.#input(() => this.core.receivedBeat(beat, this.now));
  }

  transfer(from: string, term: number): PeerSnapshot {
    return this.#input(() => this.core.receivedTransfer({ peer: peer(from, { term }) }, this.now));
  }

  resign(to?: string): string {
    return this.#input(() => this.core.resign(this.now, to));
  }

  /** `from` answers the vote request: with its vote for this peer, unless told otherwise. */
  voted(from: string, reply: Partial<VoteReply> = {}): void {
    const { term, ip } = this.host.self;
    const whole = { ...peer(from, { term, voteFor: ip }), granted: true, ...reply };
    this.#input(() => this.core.receivedVoteReply(from, whole, this.now));
  }

  /** `from` denies its vote: it gave it to itself. */
  denied(from: string, reply: Partial<VoteReply> = {}): void {
    this.voted(from, { granted: false, voteFor: from, ...reply });
  }

  /** `from` answers the newest pre-vote request: it would vote for this peer, unless told otherwise. */
  preVoted(from: string, reply: Partial<VoteReply> = {}): void {
    this.voted(from, { voteFor: null, round: this.#round, ...reply });
  }

  /** `from` acknowledges the newest beat. */
  acked(from: string, reply: Partial<BeatReply> = {}): void {
    const beat = this.#beat;
    if (beat === null) throw new Error('no beat was sent');
    const { term } = beat.peer;
    const sentAt = beat.sentAt ?? 0;
    const whole = { ...peer(from, { term, voteFor: this.host.ip }), requestTerm: term, sentAt, ...reply };
    this.#input(() => this.core.receivedBeatReply(from, whole, this.now));
  }

  /** `from` tells its own view. */
  told(from: string, reply: PeerReply): void {
    this.#input(() => this.core.receivedPeer(from, reply, this.now));
  }

  failed(to: string, request: RaftRequest, code: RaftErrorCode, term?: number): void {
    this.#input(() => this.core.requestFailed(to, request, new RaftError(code, code, { term }), this.now));
  }

  /** The oldest save that waits becomes durable, and what waited for it alone is done. */
  confirm(): void {
    this.#next();
    this.#carryOut();
  }

  requests<Type extends RaftRequest['type']>(type: Type): readonly RequestOf<Type>[] {
    return this.sent.map(({ request }) => request).filter((it): it is RequestOf<Type> => it.type === type);
  }

  get votes(): readonly RequestOf<'vote'>[] {
    return this.requests('vote').filter(({ preVote }) => preVote !== true);
  }

  get preVotes(): readonly RequestOf<'vote'>[] {
    return this.requests('vote').filter(({ preVote }) => preVote === true);
  }

  /** Forgets what was sent, saved and told so far. */
  forget(): this {
    for (const list of [this.sent, this.saves, this.fetched, this.done, this.states, this.host.events])
      list.length = 0;
    return this;
  }

  #input<T>(give: () => T): T {
    try {
      return give();
    } finally {
      this.#carryOut();
    }
  }

  #carryOut(): void {
    for (const output of this.core.takeOutputs()) {
      this.#waiting.push(output);
      if (output.type === 'save') this.saves.push(output.state);
    }
    while (this.#waiting.length > 0 && !(this.diskStalls && this.#waiting[0]?.type === 'save')) this.#next();
  }

  #next(): void {
    const output = this.#waiting.shift();
    if (output === undefined) throw new Error('nothing waits');
    if (output.type === 'save') {
      const { state } = output;
      this.done.push(`save ${state.term} ${state.voteFor}`);
      this.core.saved(state, this.now);
      this.#waiting.push(...this.core.takeOutputs());
    } else if (output.type === 'fetchPeer') {
      this.fetched.push(output.from);
      this.rejoinId = output.id;
      this.done.push(`fetchPeer ${output.from}`);
    } else if (output.type === 'send') {
      const { to, request } = output;
      this.sent.push({ to, request });
      if (request.type === 'beat') this.#beat = request;
      if (request.type === 'vote' && request.round !== undefined) this.#round = request.round;
      this.done.push(request.type === 'vote' && request.preVote === true ? 'preVote' : request.type);
    }
  }
}

/** A follower of `term` whose start wait is over. */
export function follower(term: number, options: SoloOptions & { readonly voteFor?: string } = {}): Solo {
  const { voteFor = null, ...rest } = options;
  const solo = new Solo({ disk: { term, voteFor, promisedMs: L }, ...rest });
  solo.now = L;
  return solo.forget();
}

/** A follower of `term` that has asked for pre-votes. */
export function asking(term: number, options: SoloOptions = {}): Solo {
  const solo = follower(term, options);
  solo.waitUntil(() => solo.preVotes.length > 0);
  return solo;
}

/** A candidate of `term`, which must be at least 1. */
export function candidate(term: number, options: SoloOptions = {}): Solo {
  if (options.rules === 'nacos') {
    const solo = follower(term - 1, options);
    solo.waitUntil(() => solo.votes.length > 0);
    return solo;
  }
  const solo = follower(term - 1, options);
  if (solo.core.peers.otherVoters.length === 0) return solo;
  solo.waitUntil(() => solo.preVotes.length > 0);
  for (const other of solo.core.peers.otherVoters) solo.preVoted(other);
  return solo;
}

/** The winner of `term`, whose beats nobody has acknowledged yet. */
export function winner(term: number, options: SoloOptions = {}): Solo {
  const solo = candidate(term, options);
  for (const other of solo.core.peers.otherVoters) solo.voted(other);
  return solo;
}

/** The leader of `term`, within its lease. */
export function leader(term: number, options: SoloOptions = {}): Solo {
  const solo = winner(term, options);
  // With original peers the first beat waits for its due, too.
  if (options.rules === 'nacos') solo.waitUntil(() => solo.requests('beat').length > 0);
  for (const other of solo.core.peers.otherVoters) solo.acked(other);
  return solo;
}

/** The roles that a peer can be in; asking for pre-votes and leading without a lease are not states of their own. */
export const IN_ROLE = { follower, asking, candidate, winner, leader };
export type Role = keyof typeof IN_ROLE;

/** What `act` is refused with. */
export function refusal(act: () => unknown): RaftError {
  try {
    act();
  } catch (error) {
    if (error instanceof RaftError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

/** `members`, of which `first` comes up for election before all others. */
export function inFront(first: string, members: readonly string[]): readonly Member[] {
  return members.map((ip) => ({ ip, priority: ip === first ? 2 : 1 }));
}

/** Lets `ms` go by, and looks at each of them whether at most one peer leads. */
export function runSafely(cluster: Cluster, ms: number): void {
  for (let past = 0; past < ms; past++) {
    cluster.run(1);
    if (cluster.leaders.length > 1) throw new Error(`two leaders at ${cluster.now}: ${cluster.leaders}`);
  }
}

/** The one leader, and its term; throws unless all running peers agree on both. */
export function agreed(cluster: Cluster): { readonly leader: string; readonly term: number } {
  const [leader, ...more] = cluster.leaders;
  if (leader === undefined || more.length > 0) throw new Error(`leaders: ${cluster.leaders}`);
  const { term } = viewOf(cluster.host(leader));
  for (const host of cluster.hosts.values()) {
    const view = viewOf(host);
    const state = host.ip === leader ? 'LEADER' : 'FOLLOWER';
    if (view.leader !== leader || view.term !== term || view.state !== state) {
      throw new Error(`${leader} leads ${term}, but ${host.ip}: ${JSON.stringify(view)}`);
    }
  }
  return { leader, term };
}

/** Resigns at the leader in favour of `to`, and waits until that one leads. */
export function handOver(cluster: Cluster, to: string): void {
  const from = cluster.leaders[0];
  if (from === undefined) throw new Error('nobody leads');
  cluster.core(from).resign(cluster.now, to);
  cluster.carryOut(from);
  cluster.runUntil(() => cluster.leaders.includes(to), L / 2);
  cluster.run(10);
}

/** Draws from [0, 1), the same ones for the same seed. */
export function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
