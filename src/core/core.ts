import type { DataChanges, StoredData } from './datum.js';
import type { Datums } from './datums.js';
import { assert, RaftError, type RaftErrorCode } from './errors.js';
import { type LeaderPromise, Lease, mayGrant } from './lease.js';
import { decodeMembers, type StoredMember } from './members.js';
import {
  type Beat,
  type BeatData,
  type BeatReply,
  compareRevisions,
  type DatumKey,
  type DatumsReply,
  type Draft,
  type KeysReply,
  type ListedKey,
  NO_REVISION,
  type PeerReply,
  type RaftRequest,
  type Revision,
  type Transfer,
  type Vote,
  type VoteReply,
} from './messages.js';
import { NacosDatums } from './nacos-datums.js';
import type { NacosDatum } from './nacos-messages.js';
import type { Output, StoredState } from './outputs.js';
import type { PeerSnapshot, RaftPeer } from './peer.js';
import type { RaftPeerSet } from './peer-set.js';
import { ElectionTimeouts } from './ranking.js';
import { Registry, type RegistryLimits } from './registry.js';
import { Rejoin } from './rejoin.js';
import { MAX_MS, resolveTiming, type Timing } from './timing.js';
import type { MembersWrite, Write } from './writes.js';

/** What a `RaftCore` is made of. */
export interface RaftCoreOptions {
  /** The members, and whose rules hold. */
  readonly peers: RaftPeerSet;
  /** Draws from [0, 1): the only source of chance. */
  readonly random: () => number;
  /** Times that differ from the preset `lan`. */
  readonly timing?: Partial<Timing>;
  /** What the store held; null when it was empty (section 3, empty store). @default an intact store of term 0 */
  readonly stored?: StoredState | null;
  /** The operator's word that this is a new cluster: a majority of empty peers may begin. @default false */
  readonly bootstrap?: boolean;
  /** Whom a peer with an empty store waits for: enough others, or all of them. @default 'majority' */
  readonly rejoin?: 'majority' | 'strict';
  /**
   * Whether a lost connection ends a promise at once (D17). Then S2 rests on fencing tokens, for up to one lease, whenever
   * a majority loses its connections to a leader that is alive before that leader does. @default false
   */
  readonly releaseOnDisconnect?: boolean;
  /**
   * The name of the group of which this core is the peer, where a host has many of them: leadership falls to other peers
   * in other groups, and the core asks for a beat only when it is elected, for its host sends the steady ones of all groups
   * together. @default none
   */
  readonly group?: string;
  /** What the store held of the original's datums; under the rules of Nacos. @default none */
  readonly nacosDatums?: readonly NacosDatum[];
  /** How fresh this peer's data is. @default { term: 0, seq: 0 } */
  readonly revision?: Revision;
  /** The bounds of the replicated registry (section 4). @default none: this peer keeps no data, only elects */
  readonly registry?: RegistryLimits | undefined;
  /** The data that the store held. @default none */
  readonly data?: StoredData | undefined;
}

/** An open round of pre-votes (section 3, pre-vote). */
interface PreVoteRound {
  readonly number: number;
  readonly grants: Set<string>;
}

/**
 * The protocol (sections 1 to 3): a state machine without clock, timers, chance or IO of its own.
 *
 * Each input takes `now`, in ms of a monotonic clock, and runs to completion. It changes the peer set, returns the reply
 * or throws a `RaftError` that refuses the request, and queues outputs; take these after each input and carry them out
 * in order (see `Output`). Call `tick` at `nextDeadline()` at the latest. Any input is safe at any time.
 */
export class RaftCore {
  /** The members as this peer knows them; listen to its events. */
  readonly peers: RaftPeerSet;
  /** The times in force. */
  readonly timing: Timing;
  /** The datums as original peers keep them; null but under the rules of Nacos. */
  readonly nacosDatums: NacosDatums | null;
  readonly #self: RaftPeer;
  readonly #random: () => number;
  readonly #revision: Revision;
  readonly #registry: Registry | null;
  readonly #releases: boolean;
  /** The ms from one beat to the next: infinite where a host sends them. */
  readonly #beatEveryMs: number;
  readonly #timeouts: ElectionTimeouts;
  readonly #promise: LeaderPromise = { holder: null, until: Number.NEGATIVE_INFINITY };

  #now = Number.NEGATIVE_INFINITY;
  /** The last state queued to be saved, and the last one known to be durable. */
  #saving: StoredState;
  #durable: StoredState;
  #rejoin: Rejoin | null = null;
  /** Drawn when this peer found its store empty in a cluster that holds data: it learns only. */
  #learner: number | undefined;
  /** The list of members in force, as it stands in the registry. */
  #membersValue: string | null = null;
  /** The processes with which this one began a new cluster. */
  #founders: readonly number[] = NOBODY;

  /** That of this peer's last leadership; until there is one, one that all such peers share, and that nothing changes. */
  #lease: Lease = NO_LEASE;
  /** By how many ms the time of leases runs ahead of the clock. */
  #aheadMs = 0;
  #electionDue = 0;
  #heartbeatDue = 0;
  /** The stamp of the newest beat. */
  #lastSentAt = Number.NEGATIVE_INFINITY;
  #noCampaignBefore = Number.NEGATIVE_INFINITY;
  #round: PreVoteRound | null = null;
  #roundNumber: number;

  /** @throws RaftError `BAD_OPTION` */
  constructor(options: RaftCoreOptions) {
    this.peers = options.peers;
    this.#self = options.peers.self;
    this.timing = resolveTiming(options.timing);
    this.#random = options.random;
    this.#revision = options.revision ?? NO_REVISION;
    this.#registry = this.#newRegistry(options);
    this.#releases = this.#resolveRelease(options);
    this.#beatEveryMs = options.group === undefined ? this.timing.heartbeatMs : Number.POSITIVE_INFINITY;
    this.#timeouts = new ElectionTimeouts(this.peers, this.timing, this.#random, options.group);
    this.#roundNumber = Math.floor(this.#random() * 2 ** 31);
    const { stored = NOTHING_STORED } = options;
    this.#saving = this.#durable = stored ?? NOTHING_STORED;
    this.#self.term = this.#durable.term;
    this.#self.voteFor = this.#durable.voteFor;
    this.#learner = this.#durable.learner;
    this.nacosDatums = this.peers.rules.revisions ? null : this.#newNacosDatums(options.nacosDatums ?? []);
    if (stored === null && this.peers.rules.promises) this.#rejoin = this.#newRejoin(options);
  }

  /** Whether this peer's store was empty and it has not recovered: it takes part in nothing. */
  get rejoining(): boolean {
    return this.#rejoin !== null;
  }

  /** Whether this peer only learns: it found its store empty in a cluster that holds data, and does not vote. */
  get isLearner(): boolean {
    return this.#learner !== undefined;
  }

  /** What is known to be durable; null as long as this peer has not recovered from an empty store. */
  get stored(): StoredState | null {
    return this.#rejoin === null ? this.#durable : null;
  }

  /**
   * Whether this peer leads at `now`: whether its lease lasts (section 3, lease). Computed at the call; false after true
   * stays so for the term.
   */
  isLeader(now: number): boolean {
    if (this.#self.state !== 'LEADER') return false;
    if (!this.peers.rules.leases) return true;
    return this.#lease.lasts(Math.max(now, this.#now));
  }

  /**
   * How many ms of this peer's lease are left at `now`: 0 while it does not lead, infinity where it needs none (alone, or by
   * the rules of Nacos).
   */
  leaseLeftMs(now: number): number {
    if (!this.isLeader(now)) return 0;
    return this.peers.rules.leases ? this.#lease.leftMs(Math.max(now, this.#now)) : Number.POSITIVE_INFINITY;
  }

  /**
   * Up to which seq `ip` is known to hold what this peer holds, and whether it learns only; null while this peer does not
   * lead, or without a registry.
   */
  progressOf(ip: string): { readonly seq: number; readonly isLearner: boolean } | null {
    const registry = this.#self.state === 'LEADER' ? this.#registry : null;
    return registry === null ? null : { seq: registry.match(ip), isLearner: registry.isLearner(ip) };
  }

  /** When `tick` is due at the latest, in ms of the caller's clock; minus infinity before the first input. */
  nextDeadline(): number {
    if (this.#now === Number.NEGATIVE_INFINITY) return Number.NEGATIVE_INFINITY;
    if (this.#rejoin !== null) return this.#rejoin.due;
    const writesDue = this.nacosDatums?.due ?? Number.POSITIVE_INFINITY;
    if (this.#self.state === 'LEADER') return Math.min(this.#heartbeatDue, this.#stepDownDue, writesDue);
    const electionDue = this.#mayEverCampaign() ? this.#electionDue : Number.POSITIVE_INFINITY;
    return Math.min(electionDue, this.#silenceDue(), writesDue);
  }

  /** Tells that the wall clock went `ms` further than the monotonic one: a host was suspended. Only leases age by it. */
  wallClockGained(ms: number): void {
    assert(ms >= 0, 'a wall clock gains at least nothing');
    this.#aheadMs += ms;
    if (this.#lease !== NO_LEASE) this.#lease.age(ms);
  }

  /** Does what is due at `now`: beats, elections, stepping down. */
  tick(now: number): void {
    const at = this.#enter(now);
    if (this.#rejoin !== null) this.#tickRejoin(this.#rejoin, at);
    else if (!this.peers.rules.promises) this.#tickAsOriginal(at);
    else if (this.#self.state === 'LEADER') this.#tickLeader(at);
    else this.#tickFollower(at);
    this.#exit();
  }

  /**
   * A peer asks for this peer's vote, or whether it would get it.
   *
   * @returns the local peer, as in the original, and whether the vote was granted
   * @throws RaftError `UNKNOWN_PEER`, `DUPLICATE_PEER`, `NOT_A_VOTER`, `REJOINING`
   */
  receivedVote(vote: Vote, now: number): VoteReply {
    const at = this.#enter(now);
    try {
      const isHeard = this.#checkSender(vote.peer.ip, vote.membersRevision);
      this.#checkRejoined();
      // One that was promoted may need the vote of a peer that has not heard of it.
      if (!isHeard && !this.peers.isVoter(vote.peer.ip) && !this.#isNews(vote.membersRevision))
        throw this.#refusal('NOT_A_VOTER', `${vote.peer.ip} does not vote`);
      if (!this.peers.rules.grantsUnspentVotes) return this.#voteAsOriginal(vote, at);
      return vote.preVote === true ? this.#answerPreVote(vote, at) : this.#answerVote(vote, at);
    } finally {
      this.#exit();
    }
  }

  /**
   * A peer that claims to lead sends its beat.
   *
   * @returns the local peer, as in the original, and which beat it acknowledges
   * @throws RaftError `INVALID_STATE`, `OUT_OF_DATE`, `CONFLICTING_LEADER`, `UNKNOWN_PEER`, `DUPLICATE_PEER`,
   * `REJOINING`
   */
  receivedBeat(beat: Beat, now: number): BeatReply {
    return this.#isSteady(beat) ? this.#renew(beat, now) : this.#takeBeat(beat, now);
  }

  #takeBeat(beat: Beat, now: number): BeatReply {
    const at = this.#enter(now);
    try {
      const { peer, data } = beat;
      this.#checkSender(peer.ip, data?.membersRevision);
      if (data !== undefined) this.#askAsEmpty(peer.ip);
      this.#checkRejoined();
      this.#checkLeaderClaim(peer);
      this.#follow(beat, at);
      this.nacosDatums?.reconcile(beat);
      const reply = this.#beatReply(beat, at);
      return data === undefined ? reply : this.#withData(reply, peer, data);
    } finally {
      this.#exit();
    }
  }

  /**
   * A leader that resigned orders this peer to take over (section 3, transfer).
   *
   * @returns the local peer, a candidate now
   * @throws RaftError `REFUSED_TRANSFER`, `UNKNOWN_PEER`, `DUPLICATE_PEER`, `REJOINING`
   */
  receivedTransfer({ peer }: Transfer, now: number): PeerSnapshot {
    const at = this.#enter(now);
    try {
      this.#checkSender(peer.ip);
      this.#checkRejoined();
      this.#checkTransfer(peer);
      this.#campaign(at, true);
      return this.#snapshot(at);
    } finally {
      this.#exit();
    }
  }

  /** The local peer, for one who asks, with `id` if it recovers from an empty store (`RaftController.getPeer`). */
  getPeer(now: number, id?: number): PeerReply {
    const isFounder = id !== undefined && this.#self.term === 0 && this.#founders.includes(id);
    return {
      ...this.#snapshot(Math.max(now, this.#now)),
      empty: this.#rejoin !== null || isFounder,
      promisedMs: Math.max(this.timing.leaderTimeoutMs, this.#saving.promisedMs),
      ...(id === undefined ? {} : { id }),
      ...(this.#rejoin === null ? {} : { rejoinId: this.#rejoin.id }),
      ...(id !== undefined && this.#founders.includes(id) ? { founder: true } : {}),
      ...(this.#learner === undefined ? {} : { learner: this.#learner }),
    };
  }

  /** The member `from` answered a vote or pre-vote request of this peer, whatever ip the answer bears (D6). */
  receivedVoteReply(from: string, reply: VoteReply, now: number): void {
    const at = this.#enter(now);
    if (this.#heardOf(from, reply, at)) {
      if (reply.round === undefined) this.#countVote(from, reply, at);
      else this.#countPreVote(from, reply, at);
      if (!reply.granted && reply.promiseMs !== undefined) this.#retryAt(at + reply.promiseMs);
    }
    this.#exit();
  }

  /** The member `from` acknowledged a beat of this peer. */
  receivedBeatReply(from: string, reply: BeatReply, now: number): void {
    const at = this.#enter(now);
    if (this.#heardOf(from, reply, at)) {
      this.peers.update(reply.ip === from ? reply : { ...reply, ip: from });
      if (this.#self.state === 'LEADER' && reply.requestTerm === this.#self.term)
        this.#acknowledged(from, reply, at);
    }
    this.#exit();
  }

  /** The member `from` told its own view: a former leader (D14), or one asked by a peer that recovers. */
  receivedPeer(from: string, reply: PeerReply, now: number): void {
    const at = this.#enter(now);
    if (this.#rejoin !== null) {
      this.#rejoin.answered(from, reply);
      if (this.#rejoin.recovers(at)) this.#recover(this.#rejoin, at);
    } else if (this.#heardOf(from, reply, at)) {
      this.peers.receivedPeer(from, reply);
    }
    this.#exit();
  }

  /** The member `to` refused `request`, or did not answer; the higher term that a refusal bears is adopted (D1). */
  requestFailed(to: string, request: RaftRequest, error: RaftError, now: number): void {
    const at = this.#enter(now);
    if (error.code === 'CONFLICTING_LEADER') this.peers.report(error);
    if (request.type === 'peer') this.peers.fetchFailed(to);
    else this.#registry?.failed(to, request, error);
    if (error.term !== undefined) this.#heardOf(to, { term: error.term }, at);
    this.#exit();
  }

  /** `state` is durable now, and `data` with it. */
  saved(state: StoredState, now: number, data?: DataChanges): void {
    const at = this.#enter(now);
    this.#durable = state;
    if (data !== undefined) this.#registry?.saved(data);
    if (this.#self.state === 'LEADER') this.#commit(at);
    // What a candidate saves of its term is its own vote (D4); for others nothing is decided.
    if (state.term === this.#self.term) this.#decide(this.#self, at);
    this.#exit();
  }

  /**
   * The connection to `ip` is lost, whoever of the two opened it (section 3, release on disconnect; D17): a promise to it
   * is over, and what it acknowledged counts no longer. Nothing happens without `releaseOnDisconnect`.
   */
  disconnected(ip: string, now: number): void {
    this.#input(now, (at) => {
      if (!this.#releases) return;
      if (this.#self.state === 'LEADER') this.#lostFollower(ip, at);
      else if (this.#promise.holder === ip && at < this.#promise.until) this.#release(at);
    });
  }

  /**
   * Takes writes in at the leader, as one batch where that can be. The outcome of each comes as an `answer` with its id:
   * a `WriteReply` once it is committed, or a RaftError: `NO_LEADER`, `NOT_LEADER` (forwarded to a leader that is not the
   * one of that term), `BUSY`, `TOO_LARGE`, `CONFLICT`: it was not done; `OUTCOME_UNKNOWN`: it may still be done.
   *
   * @throws RaftError `UNSUPPORTED` without a registry
   */
  write(writes: readonly Write[], now: number): void {
    this.#input(now, (at) => {
      const registry = this.#data();
      if (this.#self.state === 'LEADER') registry.write(writes, this.#self.term);
      else registry.refuse(writes);
      this.#sendData(false, at);
    });
  }

  /**
   * Changes the members at the leader of `asked.term`: one change at a time, in effect at once, answered with its id when
   * it is committed; one that was forwarded also when it is refused.
   *
   * @throws RaftError `NOT_LEADER`, `BUSY`, `BAD_TARGET`, `UNSUPPORTED`; nothing was changed
   */
  changeMembers(asked: MembersWrite, now: number): void {
    this.#input(now, (at) => {
      const registry = this.#data();
      if (registry.isRepeated(asked)) return;
      const { term, state } = this.#self;
      if (state !== 'LEADER' || asked.term !== term) throw this.#notLeader();
      registry.changeMembers(asked, term);
      this.#applyMembers();
      // Of those that remain, too few may have been heard of lately.
      this.#checkLease(at);
      this.#sendData(false, at);
    });
  }

  /**
   * Reads `key` so that what was committed before the call is seen (section 4, reads): at the leader, by its lease, or
   * with `releaseOnDisconnect` by a round of beats. The outcome comes as an `answer` with `id`: a `ReadReply`, or a
   * RaftError `NO_LEADER`.
   *
   * @throws RaftError `NOT_LEADER`, `UNSUPPORTED`
   */
  read(id: number, key: string, now: number): void {
    this.#asLeader(now, (registry, at) => {
      registry.read(id, key, this.#releases ? this.#lastSentAt : Number.NEGATIVE_INFINITY);
      this.#askForReads(at);
    });
  }

  /** What is committed here, as far as this peer knows; null without a registry. */
  get datums(): Datums | null {
    return this.#registry?.datums ?? null;
  }

  /**
   * Whether this peer's beats bring no data along when it leads, as the original's switch of that name. Those of a peer
   * that keeps none never do.
   */
  get sendBeatOnly(): boolean {
    return (this.#registry ?? this.nacosDatums)?.sendBeatOnly ?? true;
  }

  set sendBeatOnly(value: boolean) {
    const keeper = this.#registry ?? this.nacosDatums;
    if (keeper !== null) keeper.sendBeatOnly = value;
  }

  /**
   * A page of the keys that this leader holds, for a peer that catches up.
   *
   * @throws RaftError `NOT_LEADER`, `GONE`, `UNSUPPORTED`
   */
  listKeys(at: Revision | undefined, from: number, now: number): KeysReply {
    return this.#asLeader(now, (registry, time) => registry.keys(at, from, time));
  }

  /**
   * Values of listed keys, for a peer that catches up.
   *
   * @throws RaftError `NOT_LEADER`, `GONE`, `UNSUPPORTED`
   */
  listDatums(at: Revision, keys: readonly ListedKey[], now: number): DatumsReply {
    return this.#asLeader(now, (registry, time) => registry.values(at, keys, time));
  }

  /** The leader `from` answered a question for its keys, from the place `place` on. */
  receivedKeys(from: string, place: number, reply: KeysReply, now: number): void {
    this.#enter(now);
    this.#registry?.receivedKeys(from, place, reply, this.#self.term);
    this.#applyMembers();
    this.#exit();
  }

  /** The leader `from` answered a question for the values of `asked`. */
  receivedDatums(from: string, asked: readonly ListedKey[], reply: DatumsReply, now: number): void {
    this.#enter(now);
    this.#registry?.receivedDatums(from, asked, reply, this.#self.term);
    this.#applyMembers();
    this.#exit();
  }

  /**
   * Gives up leadership, and orders another voter to take over: `to`, or the one that heard of this peer last.
   *
   * @returns whom it ordered
   * @throws RaftError `NOT_LEADER`; `BAD_TARGET` for oneself, an unknown peer, an observer, one of priority 0, or a
   * cluster of one; `UNSUPPORTED` under the rules of Nacos. Nothing changes then.
   */
  resign(now: number, to?: string): string {
    return this.#input(now, (at) => {
      this.#checkMayResign();
      const target = this.#bestTarget(to);
      if (target === undefined) {
        const wanted = to === undefined ? 'exists' : `is ${to}`;
        throw this.#refusal('BAD_TARGET', `no other voter of priority above 0 ${wanted}`);
      }
      this.#handOver(at, target);
      return target;
    });
  }

  /** Hands over what is to be done, in order. */
  takeOutputs(): readonly Output[] {
    return this.peers.takeOutputs();
  }

  // ---- The frame of each input

  /** A whole input that may be refused. The inputs of votes and beats write it out: a closure for each would cost more. */
  #input<T>(now: number, act: (at: number) => T): T {
    const at = this.#enter(now);
    try {
      return act(at);
    } finally {
      this.#exit();
    }
  }

  /** Opens an input. A leader whose lease is over steps down first. */
  #enter(now: number): number {
    const at = this.#advance(now);
    this.peers.hold();
    this.#checkLease(at);
    return at;
  }

  /** Closes an input: what changed is saved, and told when it is whole. */
  #exit(): void {
    if (this.#registry === null) this.#save();
    else this.#saveData(this.#registry);
    if (this.#self.state === 'LEADER') this.#assertSaved();
    this.peers.release();
  }

  #saveData(registry: Registry): void {
    if (this.#self.state !== 'LEADER') registry.follow();
    else if (this.isLeader(this.#now)) registry.answerReads(this.#lease.majoritySentAt);
    this.#save();
    for (const output of registry.takeAfterSave()) this.peers.output(output);
  }

  #assertSaved(): void {
    const { term, voteFor, ip } = this.#self;
    assert(
      voteFor === ip && (this.#durable.term === term || !this.peers.rules.revisions),
      'a leader has saved its own vote',
    );
  }

  /** A clock that goes backwards stands still. */
  #advance(now: number): number {
    assert(Number.isFinite(now), 'now is a number of ms');
    if (this.#now === Number.NEGATIVE_INFINITY) this.#start(now);
    this.#now = Math.max(this.#now, now);
    return this.#now;
  }

  #start(now: number): void {
    const { leaderTimeoutMs, heartbeatMs } = this.timing;
    this.#now = now;
    if (!this.peers.rules.promises) {
      this.#electionDue = now + this.#random() * leaderTimeoutMs;
      this.#heartbeatDue = now + this.#random() * heartbeatMs;
      return;
    }
    this.peers.fixMembers();
    this.#applyMembers();
    this.#rejoin?.start(now);
    if (!this.peers.isAlone) this.#promise.until = now + Math.max(leaderTimeoutMs, this.#durable.promisedMs);
    this.#electionDue = this.#timeouts.after(Math.max(now, this.#promise.until));
  }

  /** Queues a save if there is anything new; must come before whatever depends on it (D4). */
  #save(promisedMs: number = this.#saving.promisedMs): void {
    const { term, voteFor } = this.#self;
    const last = this.#saving;
    const data = this.#registry === null ? null : this.#registry.takeChanges();
    const isSame =
      term === last.term &&
      voteFor === last.voteFor &&
      promisedMs <= last.promisedMs &&
      this.#learner === last.learner;
    if (!isSame || data !== null) this.#saveState(promisedMs, data);
  }

  #saveState(promisedMs: number, data: DataChanges | null): void {
    const { term, voteFor } = this.#self;
    const last = this.#saving;
    const learner = this.#learner;
    assert(term >= last.term, `a term never decreases: ${last.term}, ${term}`);
    assert(
      term > last.term ||
        last.voteFor === null ||
        voteFor === last.voteFor ||
        !this.peers.rules.oneLeaderPerTerm,
      'a vote never changes within its term',
    );
    this.#saving = {
      term,
      voteFor,
      promisedMs: Math.max(promisedMs, last.promisedMs),
      ...(learner === undefined ? {} : { learner }),
    };
    // From its first term on a cluster is no new one; what it holds is told by its founders for ever.
    if (term > 0 && this.#registry === null) this.#founders = NOBODY;
    this.peers.output({ type: 'save', state: this.#saving, ...(data === null ? {} : { data }) });
  }

  // ---- What each check stands for, once

  /**
   * Who speaks must be another member (D6), or know of a newer change of the members than this peer (section 4, members),
   * or be named by a list that an open change here may give way to. A peer that is no member itself, as far as it knows,
   * is told so by all others: one that joins comes to lists that are older than its own addition on its way through the
   * history.
   *
   * @returns whether it is heard though it is no member by the list in force
   */
  #checkSender(ip: string, membersRevision?: Revision): boolean {
    const isStranger = !this.peers.isListed(ip);
    const isHeard = (isStranger || !this.peers.isSelfListed) && this.#isNewcomer(ip, membersRevision);
    if (isHeard) this.peers.admit(ip);
    if (isStranger && !this.peers.contains(ip)) throw this.#refusalOfStranger(ip);
    this.peers.local();
    if (ip === this.#self.ip && this.peers.rules.promises) throw this.#refusalOfDuplicate();
    return isStranger && isHeard;
  }

  #refusalOfStranger(ip: string): RaftError {
    return this.#refusal('UNKNOWN_PEER', `can not find peer: ${ip}`);
  }

  #refusalOfDuplicate(): RaftError {
    const message = `another process uses the ip of this peer: ${this.#self.ip}`;
    return this.#reported('DUPLICATE_PEER', message);
  }

  #isNewcomer(ip: string, membersRevision: Revision | undefined): boolean {
    return this.#isNews(membersRevision) || this.#standings(ip).length > 0;
  }

  #isNews(membersRevision: Revision = NO_REVISION): boolean {
    const known = this.#registry?.datums.membersRevision;
    return known !== undefined && compareRevisions(membersRevision, known) > 0;
  }

  /**
   * What `ip` is by the lists of members that this peer holds, while a change of them is open here. Such a change may be of
   * a leader that is gone, and cut: whom it leaves out may lead, and be needed.
   */
  #standings(ip: string): readonly StoredMember[] {
    const datums = this.#registry?.datums;
    if (datums?.isChangingMembers !== true) return [];
    return datums.memberLists.flatMap(decodeMembers).filter((member) => member.ip === ip);
  }

  #checkRejoined(): void {
    if (this.#rejoin !== null) throw this.#refusalOfEmpty();
  }

  #refusalOfEmpty(): RaftError {
    const message = `${this.#self.ip} recovers from an empty store and takes part in nothing yet`;
    return this.#refusal('REJOINING', message);
  }

  /** One who beats must lead, in a term that is not over, and be the only one in that term (section 1; D5). */
  #checkLeaderClaim(peer: PeerSnapshot): void {
    if (peer.state !== 'LEADER') throw this.#refusalOfState(peer);
    if (this.#self.term > peer.term) throw this.#refusalOfTerm(peer);
    const known = this.peers.lastLeader;
    if (this.peers.rules.oneLeaderPerTerm && known?.term === peer.term && known.ip !== peer.ip)
      throw this.#refusalOfSecond(peer, known);
  }

  #refusalOfState({ state }: PeerSnapshot): RaftError {
    return this.#refusal('INVALID_STATE', `invalid state from master, state: ${state}`);
  }

  #refusalOfTerm(peer: PeerSnapshot): RaftError {
    const message = `out of date beat, beat-from-term: ${peer.term}, beat-to-term: ${this.#self.term}`;
    return this.#refusal('OUT_OF_DATE', message);
  }

  #refusalOfSecond(peer: PeerSnapshot, known: PeerSnapshot): RaftError {
    const message = `two leaders in term ${this.#self.term}: ${known.ip} and ${peer.ip}; a store of a voter was lost or altered`;
    return this.#reported('CONFLICTING_LEADER', message);
  }

  #checkTransfer(peer: PeerSnapshot): void {
    const { term, state } = this.#self;
    const leader = this.peers.lastLeader;
    const isLeaders = leader === null || leader.term !== term || leader.ip === peer.ip;
    if (peer.term === term && state !== 'LEADER' && isLeaders && this.#mayEverCampaign()) return;
    const message = `${this.#self.ip} does not take over from ${peer.ip} after term ${peer.term}`;
    throw this.#refusal('REFUSED_TRANSFER', message);
  }

  /** The promise check (section 3, promise), and the ms for which it refuses: 0 grants. */
  #refusedForMs(ip: string, transfer: boolean, now: number): number {
    const leaseLeftMs = this.leaseLeftMs(now);
    if (mayGrant({ ip, transfer }, this.#promise, leaseLeftMs, now)) return 0;
    return Math.max(leaseLeftMs, this.#promise.until - now);
  }

  /** The higher-term rule (D1): this peer leads and asks no more then. Whether the sender of `reply` is listened to. */
  #heardOf(from: string, reply: { readonly term: number }, now: number): boolean {
    if (!this.peers.contains(from) || this.#rejoin !== null) return false;
    if (reply.term > this.#self.term && this.peers.rules.adoptsHigherTerms) this.#adopt(reply.term, now);
    return true;
  }

  // ---- Follower

  #tickFollower(now: number): void {
    if (now >= this.#silenceDue()) this.peers.loseLeader();
    if (now < this.#electionDue || !this.#mayEverCampaign()) return;
    const freeAt = now + this.#refusedForMs(this.#self.ip, false, now);
    const mayAt = Math.max(freeAt, this.#noCampaignBefore);
    if (mayAt > now) this.#electionDue = this.#timeouts.after(mayAt);
    else this.#openRound(now);
  }

  /** The original's two tasks: one who does not lead only renews the due of its beat; one whose beats stalled campaigns. */
  #tickAsOriginal(now: number): void {
    if (now >= this.#heartbeatDue) {
      if (this.#self.state === 'LEADER') this.#beat(now);
      else this.#heartbeatDue = now + this.timing.heartbeatMs;
    }
    if (now >= this.#electionDue && this.#mayEverCampaign()) this.#campaign(now, false);
    this.nacosDatums?.expire(now);
  }

  /** The leader's process is gone, as it seems: this peer may vote, and comes up in its turn. */
  #release(now: number): void {
    this.#promise.until = now;
    this.peers.loseLeader();
    this.#electionDue = this.#timeouts.afterRelease(now);
  }

  #adopt(term: number, now: number): void {
    this.#round = null;
    this.peers.adopt(term);
    this.#electionDue = this.#timeouts.after(Math.max(now, this.#promise.until));
  }

  /** Accepts a beat (section 1, beat; D1, D5; section 3, promise 1 and 5). */
  #follow(beat: Beat, now: number): void {
    const { peer, leaderTimeoutMs = 0 } = beat;
    const { rules } = this.peers;
    const { heartbeatMs } = this.timing;
    if (peer.term > this.#self.term && rules.adoptsHigherTerms) this.#adopt(peer.term, now);
    if (rules.oneLeaderPerTerm) this.#self.voteFor ??= peer.ip;
    else if (this.#self.state !== 'FOLLOWER') this.#self.voteFor = peer.ip;
    this.peers.become('FOLLOWER');
    this.#round = null;
    const promisedMs = Math.max(this.timing.leaderTimeoutMs, leaderTimeoutMs);
    this.#heartbeatDue = now + heartbeatMs;
    if (rules.promises) {
      this.#promise.holder = peer.ip;
      this.#promise.until = now + promisedMs;
      this.#save(promisedMs);
    }
    this.peers.makeLeader(peer);
    this.#electionDue = this.#timeouts.after(now + promisedMs);
  }

  #beatReply(beat: Beat, now: number): BeatReply {
    const { ip, voteFor, term, state } = this.#self;
    const requestTerm = beat.peer.term;
    const leaderDueMs = left(this.#electionDue - now);
    const heartbeatDueMs = left(this.#heartbeatDue - now);
    const { sentAt } = beat;
    // Written out twice: a spread would cost more than all the rest of a steady beat.
    if (sentAt === undefined) return { ip, voteFor, term, leaderDueMs, heartbeatDueMs, state, requestTerm };
    return { ip, voteFor, term, leaderDueMs, heartbeatDueMs, state, requestTerm, sentAt };
  }

  /** Takes the data that the beat brought along, and tells how far this peer is then. */
  #withData(reply: BeatReply, peer: PeerSnapshot, data: BeatData): BeatReply {
    const registry = this.#registry;
    if (registry === null) return reply;
    const answer = registry.accept(data, peer.ip, peer.term);
    this.#applyMembers();
    const told = { ...reply, data: answer };
    return this.#learner === undefined ? told : { ...told, learner: this.#learner };
  }

  /**
   * Whether all that this beat can do is to renew: it is of the leader that this peer follows, in the same term, asks for no
   * longer promise than is saved and brings no data, and no round is open. All others take the long way.
   */
  #isSteady({ peer, data, leaderTimeoutMs = 0 }: Beat): boolean {
    const { state, term, voteFor } = this.#self;
    return (
      state === 'FOLLOWER' &&
      peer.state === 'LEADER' &&
      peer.term === term &&
      voteFor !== null &&
      data === undefined &&
      this.#round === null &&
      leaderTimeoutMs <= this.#saving.promisedMs &&
      this.#registry === null &&
      this.nacosDatums === null &&
      this.peers.follows(peer)
    );
  }

  /** The part of `#follow` that a steady beat has: nothing is to be saved, and nothing to be told. */
  #renew(beat: Beat, now: number): BeatReply {
    const at = this.#advance(now);
    this.peers.heardOfLeader(beat.peer);
    const promisedMs = Math.max(this.timing.leaderTimeoutMs, beat.leaderTimeoutMs ?? 0);
    this.#promise.until = at + promisedMs;
    this.#heartbeatDue = at + this.timing.heartbeatMs;
    this.#electionDue = this.#timeouts.after(at + promisedMs);
    return this.#beatReply(beat, at);
  }

  /** When a follower that hears nothing more forgets its leader: when its promise ends. */
  #silenceDue(): number {
    const follows = this.peers.leader !== null && this.peers.rules.promises;
    return follows ? this.#promise.until : Number.POSITIVE_INFINITY;
  }

  // ---- Voter

  /** Section 3, vote: the order of the checks matters. */
  #answerVote(vote: Vote, now: number): VoteReply {
    const { peer, transfer = false, revision = NO_REVISION } = vote;
    if (!this.#mayVote(vote)) return this.#voteReply(false, now);
    const refusedForMs = this.#refusedForMs(peer.ip, transfer, now);
    if (refusedForMs > 0) return this.#voteReply(false, now, refusedForMs);
    if (peer.term < this.#self.term) return this.#voteReply(false, now);
    if (peer.term > this.#self.term) this.#adopt(peer.term, now);
    if (compareRevisions(revision, this.#newest) < 0) return this.#voteReply(false, now);
    const { voteFor } = this.#self;
    if (voteFor !== null && voteFor !== peer.ip) return this.#voteReply(false, now);
    this.#grant(peer, now);
    return this.#voteReply(true, now);
  }

  /** Section 3, pre-vote: nothing is stored, no timer is reset, no term is adopted. */
  #answerPreVote(vote: Vote, now: number): VoteReply {
    const { peer, round = 0, revision = NO_REVISION } = vote;
    const refusedForMs = this.#refusedForMs(peer.ip, false, now);
    const isFresh = compareRevisions(revision, this.#newest) >= 0;
    const granted = refusedForMs === 0 && peer.term > this.#self.term && isFresh && this.#mayVote(vote);
    return this.#voteReply(granted, now, refusedForMs, round);
  }

  /** Section 1, vote: as original peers expect it. */
  #voteAsOriginal({ peer }: Vote, now: number): VoteReply {
    const isHigher = peer.term > this.#self.term;
    if (isHigher) {
      this.#self.term = peer.term;
      this.#grant(peer, now);
    } else {
      this.#self.voteFor ??= this.#self.ip;
    }
    return this.#voteReply(isHigher, now);
  }

  #grant(peer: PeerSnapshot, now: number): void {
    this.#self.voteFor = peer.ip;
    this.peers.become('FOLLOWER');
    this.#round = null;
    this.#electionDue = this.#timeouts.after(now + this.timing.leaderTimeoutMs);
  }

  #voteReply(granted: boolean, now: number, refusedForMs: number = 0, round?: number): VoteReply {
    const reply = this.#snapshot(now) as Draft<VoteReply>;
    reply.granted = granted;
    if (round !== undefined) reply.round = round;
    if (refusedForMs > 0) reply.promiseMs = Math.ceil(refusedForMs);
    return reply;
  }

  // ---- Candidate

  #openRound(now: number): void {
    this.#roundNumber++;
    const own = this.peers.isVoter(this.#self.ip) ? [this.#self.ip] : [];
    this.#round = { number: this.#roundNumber, grants: new Set(own) };
    this.#electionDue = this.#timeouts.retryAfter(now);
    const peer = { ...this.#snapshot(now), term: this.#self.term + 1 };
    const request = {
      type: 'vote',
      peer,
      preVote: true,
      round: this.#roundNumber,
      revision: this.#newest,
      ...this.#membersNews(),
    } as const;
    this.#send(this.peers.otherVoters, request);
    this.#closeRoundIfWon(this.#round, now);
  }

  #countPreVote(from: string, reply: VoteReply, now: number): void {
    const round = this.#round;
    if (round === null || reply.round !== round.number || !reply.granted || !this.peers.isVoter(from)) return;
    round.grants.add(from);
    this.#closeRoundIfWon(round, now);
  }

  #closeRoundIfWon(round: PreVoteRound, now: number): void {
    if (round.grants.size >= this.peers.majorityCount()) this.#campaign(now, false);
  }

  /** Goes into the next term and asks for votes; by order of the leader (transfer) without asking first. */
  #campaign(now: number, transfer: boolean): void {
    this.#round = null;
    this.peers.campaign();
    this.#save();
    this.#heartbeatDue = now + this.timing.heartbeatMs;
    this.#electionDue = this.peers.rules.promises
      ? this.#timeouts.retryAfter(now)
      : this.#timeouts.after(now + this.timing.leaderTimeoutMs);
    const peer = this.#snapshot(now);
    const vote = { type: 'vote', peer, revision: this.#newest, ...this.#membersNews() } as const;
    this.#send(this.peers.otherVoters, transfer ? { ...vote, transfer } : vote);
  }

  #countVote(from: string, reply: VoteReply, now: number): void {
    if (reply.granted) this.#decide({ ...reply, ip: from }, now);
    else this.peers.update({ ...reply, ip: from });
  }

  #decide(reply: PeerSnapshot, now: number): void {
    const wasLeader = this.#self.state === 'LEADER';
    this.peers.decideLeader(reply);
    if (!wasLeader && this.#self.state === 'LEADER') this.#elected(now);
  }

  /** A refused election is tried again when the promise that refused it ends, if that is earlier. */
  #retryAt(at: number): void {
    if (this.#round !== null || this.#self.state === 'CANDIDATE')
      this.#electionDue = Math.min(this.#electionDue, at);
  }

  // ---- Leader

  #elected(now: number): void {
    this.#round = null;
    if (!this.peers.rules.leases) {
      this.peers.announceLeader();
      return;
    }
    if (this.#lease === NO_LEASE) this.#lease = this.#newLease();
    this.#lease.begin(now, this.peers.others, this.peers.otherVoters, this.#needed());
    this.#registry?.lead(this.#self.term, this.peers.members);
    this.#applyMembers();
    this.#beat(now);
    this.#leadOnceLeased(now);
  }

  #newLease(): Lease {
    const lease = new Lease(this.timing);
    lease.age(this.#aheadMs);
    return lease;
  }

  #tickLeader(now: number): void {
    if (now >= this.#heartbeatDue) this.#beat(now);
  }

  #beat(now: number): void {
    this.#heartbeatDue = now + this.#beatEveryMs;
    this.#electionDue = this.#timeouts.after(now + this.timing.leaderTimeoutMs);
    // A write must arrive, and be shown, all the same: news is told by beats that bring no data else, too.
    const registry = this.#registry;
    if (registry !== null && (!registry.sendBeatOnly || registry.hasNews)) this.#sendData(true, now);
    else this.#send(this.peers.others, this.#newBeat(now));
  }

  #newBeat(now: number): { readonly type: 'beat' } & Beat {
    const { leaderTimeoutMs } = this.timing;
    const sentAt = this.#lease.timeOf(now);
    this.#lastSentAt = sentAt;
    const datums = this.nacosDatums?.beatKeys() ?? NO_KEYS;
    return { type: 'beat', peer: this.#snapshot(now), datums, leaderTimeoutMs, sentAt };
  }

  /** Sends what followers lack; if it is time for a beat, one to each of them. It need not wait for this peer's own save. */
  #sendData(isBeat: boolean, now: number): void {
    if (this.#registry === null || this.#self.state !== 'LEADER') return;
    for (const { to, data } of this.#registry.messages(this.peers.others, isBeat, now)) {
      this.#send(to, { ...this.#newBeat(now), data });
    }
  }

  /** A member acknowledged a beat of this leadership. */
  #acknowledged(from: string, { sentAt, data, learner }: BeatReply, now: number): void {
    if (sentAt !== undefined && learner === undefined) this.#lease.acknowledged(from, sentAt, now);
    if (data !== undefined) {
      this.#registry?.answered(from, data, learner !== undefined);
      this.#commit(now);
    }
    // One whose own removal that committed leads no more, and is not announced any more.
    if (this.#self.state !== 'LEADER') return;
    this.#leadOnceLeased(now);
    if (data !== undefined) this.#sendData(false, now);
    this.#askForReads(now);
  }

  /** Reads that wait for a round of beats have one at a time: those that come meanwhile share the next. */
  #askForReads(now: number): void {
    if (!this.#releases || this.#registry?.hasReads !== true) return;
    const isOver =
      this.#lease.majoritySentAt >= this.#lastSentAt && this.#lease.timeOf(now) > this.#lastSentAt;
    if (isOver) this.#beat(now);
  }

  #lostFollower(ip: string, now: number): void {
    this.#lease.disconnected(ip, now);
    this.#checkLease(now);
  }

  /** Commits what a majority holds; followers are told soon, for somebody may listen there. */
  #commit(now: number): void {
    const voters = this.peers.voters.map(({ ip }) => ip);
    if (this.#registry?.commit(voters, this.#self.ip) !== true) return;
    if (this.#isRemoved()) this.#retire(now);
    this.#heartbeatDue = Math.min(this.#heartbeatDue, now + this.timing.heartbeatMs / COMMIT_BEAT_DIVISOR);
  }

  /** The first lease of a term makes a winner the leader (D8). */
  #leadOnceLeased(now: number): void {
    if (this.#lease.gains(now)) this.peers.announceLeader();
  }

  get #stepDownDue(): number {
    return this.peers.rules.leases ? this.#lease.stepDownDue : Number.POSITIVE_INFINITY;
  }

  #checkLease(now: number): void {
    if (this.#self.state === 'LEADER' && now >= this.#stepDownDue) this.#leaseEnded(now);
  }

  /** One that was elected and not heard makes way, as after a transfer: it would be elected, and not heard, again. */
  #leaseEnded(now: number): void {
    if (!this.#lease.isGained) this.#makeWay(now);
    this.#stepDown(now);
  }

  #makeWay(now: number): void {
    this.#noCampaignBefore = now + 2 * this.timing.leaderTimeoutMs;
  }

  #stepDown(now: number): void {
    this.peers.become('FOLLOWER');
    this.peers.loseLeader();
    this.#electionDue = this.#timeouts.after(Math.max(now, this.#promise.until));
  }

  /** A leader whose own removal is committed leads no longer. */
  #retire(now: number): void {
    const target = this.#bestTarget();
    if (target === undefined) this.#stepDown(now);
    else this.#handOver(now, target);
  }

  #handOver(now: number, target: string): void {
    const peer = this.#snapshot(now);
    this.#stepDown(now);
    this.#makeWay(now);
    this.#send([target], { type: 'transfer', peer });
  }

  #checkMayResign(): void {
    if (this.#self.state !== 'LEADER') throw this.#notLeader();
    if (!this.peers.rules.promises)
      throw this.#refusal('UNSUPPORTED', 'original peers know no transfer of leadership');
  }

  /** `to`, or the one that is furthest, if it can take over. */
  #bestTarget(to?: string): string | undefined {
    const able = this.peers.voters.filter(({ ip, priority }) => ip !== this.#self.ip && priority > 0);
    const upToDate = able.toSorted((a, b) => this.#freshness(b.ip, a.ip));
    return to === undefined ? upToDate[0]?.ip : able.find(({ ip }) => ip === to)?.ip;
  }

  /** More than 0 when `a` is further with the data than `b`, or as far and heard last. */
  #freshness(a: string, b: string): number {
    const ahead = (this.#registry?.match(a) ?? 0) - (this.#registry?.match(b) ?? 0);
    return ahead || this.#lease.sentAt(a) - this.#lease.sentAt(b);
  }

  // ---- Registry

  #resolveRelease({ releaseOnDisconnect = false }: RaftCoreOptions): boolean {
    if (!releaseOnDisconnect || this.peers.rules.promises) return releaseOnDisconnect;
    throw new RaftError('BAD_OPTION', 'releaseOnDisconnect must be left out under the rules of Nacos');
  }

  #newRegistry({ registry: limits, data }: RaftCoreOptions): Registry | null {
    if (limits === undefined) return null;
    if (!this.peers.rules.promises)
      throw new RaftError('BAD_OPTION', 'registry must be left out under the rules of Nacos');
    const { requestTimeoutMs: roundTripMs, leaderTimeoutMs } = this.timing;
    const output = (made: Output): void => this.peers.output(made);
    return new Registry({ stored: data, limits, roundTripMs, leaderTimeoutMs, output });
  }

  /** Puts the newest list of members into force, which is the one that was appended last (section 4, members). */
  #applyMembers(): void {
    const value = this.#registry?.datums.members?.value ?? null;
    if (value === null || value === this.#membersValue) return;
    this.#membersValue = value;
    const members = decodeMembers(value);
    this.peers.replaceMembers(members);
    const own = members.find(({ ip }) => ip === this.#self.ip);
    if (own?.learner === this.#learner) this.#learner = undefined;
    if (this.#self.state === 'LEADER')
      this.#lease.changeMembers(this.peers.others, this.peers.otherVoters, this.#needed());
  }

  /** How many of the other voters make a majority: one that removes itself does not count itself. */
  #needed(): number {
    return this.peers.majorityCount() - (this.peers.isVoter(this.#self.ip) ? 1 : 0);
  }

  /** Whether this peer leads, and its own removal is committed. */
  #isRemoved(): boolean {
    const isOpen = this.#registry?.datums.isChangingMembers === true;
    return !isOpen && !this.peers.isVoter(this.#self.ip);
  }

  #membersNews(): { readonly membersRevision?: Revision } {
    const revision = this.#registry?.datums.membersRevision;
    return revision === undefined ? {} : { membersRevision: revision };
  }

  /** How fresh this peer's data is (D11). */
  get #newest(): Revision {
    return this.#registry?.datums.last ?? this.#revision;
  }

  #data(): Registry {
    if (this.#registry !== null) return this.#registry;
    throw this.#refusal('UNSUPPORTED', `${this.#self.ip} keeps no data: it has no registry`);
  }

  #asLeader<T>(now: number, answer: (registry: Registry, now: number) => T): T {
    return this.#input(now, (at) => {
      const registry = this.#data();
      if (this.#self.state !== 'LEADER') throw this.#notLeader();
      return answer(registry, at);
    });
  }

  #notLeader(): RaftError {
    return this.#refusal('NOT_LEADER', `${this.#self.ip} does not lead`);
  }

  // ---- The original's datums

  #newNacosDatums(stored: readonly NacosDatum[]): NacosDatums {
    const host = {
      peers: this.peers,
      input: <T>(now: number, act: (at: number) => T): T => this.#input(now, act),
      renewElectionDue: (now: number): void => {
        this.#electionDue = this.#timeouts.after(now + this.timing.leaderTimeoutMs);
      },
      save: (): void => this.#save(),
      snapshot: (now: number): PeerSnapshot => this.#snapshot(now),
    };
    return new NacosDatums(host, stored);
  }

  // ---- Empty store

  #newRejoin({ bootstrap = false, rejoin = 'majority' }: RaftCoreOptions): Rejoin {
    const id = Math.floor(this.#random() * 2 ** 48);
    const { peers, timing } = this;
    const hasRegistry = this.#registry !== null;
    return new Rejoin(id, { peers, timing, strict: rejoin === 'strict', bootstrap, hasRegistry });
  }

  /** Whom this peer was told to ask may be gone; a leader that knows it can be asked in their place. */
  #askAsEmpty(leader: string): void {
    if (this.#rejoin === null || this.#registry === null) return;
    this.peers.output({ type: 'fetchPeer', from: leader, id: this.#rejoin.id });
  }

  #tickRejoin(rejoin: Rejoin, now: number): void {
    if (rejoin.recovers(now)) this.#recover(rejoin, now);
    else
      for (const from of rejoin.questions(now)) this.peers.output({ type: 'fetchPeer', from, id: rejoin.id });
  }

  /** In one save: the highest term that the others know, with the vote there spent, for it may have been. */
  #recover(rejoin: Rejoin, now: number): void {
    this.#rejoin = null;
    this.#founders = rejoin.founders;
    if (rejoin.learnsOnly) this.#learner = rejoin.id;
    this.#self.term = rejoin.highestTerm;
    this.#self.voteFor = this.#self.ip;
    this.#save(rejoin.longestPromiseMs);
    this.#electionDue = this.#timeouts.after(now);
  }

  // ---- Helpers

  /** Whether this peer votes, as far as it knows. */
  #votes(): boolean {
    return this.#learner === undefined && this.peers.isVoter(this.#self.ip);
  }

  /** Whether it votes, as far as it or the candidate knows: without one that has not heard yet of it, none may be elected. */
  #mayVote({ membersRevision }: Vote): boolean {
    if (this.#learner !== undefined) return false;
    return this.#votes() || this.#isNews(membersRevision) || this.#leavingFrom() !== undefined;
  }

  #mayEverCampaign(): boolean {
    const { ip, term } = this.#self;
    const votes = this.#votes();
    const priority = (votes ? this.peers.member(ip) : this.#leavingFrom())?.priority ?? 0;
    return priority > 0 && term < Number.MAX_SAFE_INTEGER;
  }

  /**
   * What this peer was before the open change that leaves it out, if it voted then: it may be the only one that is far
   * enough to lead those that remain, and campaigns, without counting itself.
   */
  #leavingFrom(): StoredMember | undefined {
    if (this.#learner !== undefined) return undefined;
    return this.#standings(this.#self.ip).find(({ observer }) => !observer);
  }

  #send(to: readonly string[], request: RaftRequest): void {
    if (to.length > 0) this.peers.output({ type: 'send', to, request });
  }

  #snapshot(now: number): PeerSnapshot {
    this.#self.leaderDueMs = left(this.#electionDue - now);
    this.#self.heartbeatDueMs = left(this.#heartbeatDue - now);
    return this.#self.snapshot();
  }

  #refusal(code: RaftErrorCode, message: string): RaftError {
    return new RaftError(code, message, { term: this.#self.term, ip: this.#self.ip });
  }

  /** A refusal that somebody should look at. */
  #reported(code: RaftErrorCode, message: string): RaftError {
    const error = this.#refusal(code, message);
    this.peers.report(error);
    return error;
  }
}

/** Ms left, as they travel: whole ones, as the original's; no less than 0, no more than a reply may bear. */
function left(ms: number): number {
  if (ms <= 0) return 0;
  return ms < MAX_MS ? Math.round(ms) : MAX_MS;
}

/** The part of H after which followers are told of what was committed. */
const COMMIT_BEAT_DIVISOR = 10;

const NO_KEYS: readonly DatumKey[] = [];

const NO_LEASE = new Lease(resolveTiming());

const NOBODY: readonly number[] = [];

const NOTHING_STORED: StoredState = { term: 0, voteFor: null, promisedMs: 0 };
