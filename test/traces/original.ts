import type { PeerSnapshot } from 'raftbeat';
import type { RecordedBeat, Step } from './format.js';
import { byKey, type Marked, marked } from './marks.js';
import { OriginalDatums, Thrown } from './original-datums.js';
import {
  ANY_TEXT,
  byIp,
  clean,
  eventText,
  inOrder,
  type Outcome,
  type Result,
  type Sent,
  saveText,
  sorted,
} from './outcome.js';
import type { Rule } from './rules.js';
import {
  type BeatParties,
  isBeingAsked,
  isNewest,
  type Pending,
  type World,
  type WorldPeer,
} from './world.js';

const TICK_MS = 500;
const HEARTBEAT_MS = 5_000;
const LEADER_TIMEOUT_MS = 15_000;

/** How one step is to be taken. */
export interface Expectation {
  readonly outcome: Outcome;
  /** The entries that were captured by fetches, by ip. */
  readonly asked: ReadonlyMap<string, WorldPeer>;
  /** What was captured by fetches of datums. */
  readonly beat: BeatParties | null;
  /** The rules that had a say. */
  readonly used: ReadonlySet<Rule>;
}

/** What the original does with `step` in `world`, changing it; and what it would do under `rules`. */
export function expect(world: World, step: Step, rules: ReadonlySet<Rule>): Expectation {
  return new Original(world, step, rules).run();
}

/**
 * The election and beats of the original, 1.2.1 and 1.3.2, line by line. Without rules it reproduces every recorded
 * step; each rule stands where it departs from the original, and says what comes instead.
 */
class Original {
  readonly #world: World;
  readonly #step: Step;
  readonly #rules: ReadonlySet<Rule>;
  readonly #draws: readonly number[];
  #drawn = 0;
  readonly #initDraws: number[];
  readonly #used = new Set<Rule>();
  readonly #asked = new Map<string, WorldPeer>();
  #beat: BeatParties | null = null;
  readonly #events: string[] = [];
  readonly #sent: Sent[] = [];
  readonly #datums: OriginalDatums;
  readonly #saved: string[] = [];
  /** The leader as the listeners know it (D9). */
  #announced: PeerSnapshot | null;
  /** Term and vote as they were last saved (D4). */
  #durable: string;

  constructor(world: World, step: Step, rules: ReadonlySet<Rule>) {
    this.#world = world;
    this.#step = step;
    this.#rules = rules;
    this.#draws = step.draws ?? [];
    this.#initDraws = [...(step.initDraws ?? [])];
    this.#announced = world.leader === null ? null : clean(world.leader);
    const self = world.peers.get(world.local);
    // A leader that voted for another is made by the votes of others only: D2 knows none.
    if (self?.state === 'LEADER' && self.voteFor !== self.ip && this.#rule('D2')) self.voteFor = self.ip;
    this.#durable = this.#voteOf(self);
    this.#datums = new OriginalDatums({
      world,
      step,
      rule: (rule) => this.#rule(rule),
      local: () => this.#local(),
      majority: () => this.#majority(),
      resetLeaderDue: (local) => this.#resetLeaderDue(local),
      send: (to, what, peer, about) => this.#send(to, what, peer, about),
    });
  }

  run(): Expectation {
    const result = this.#result();
    const { leader, peers, datums } = this.#world;
    const outcome = {
      result,
      leader: leader === null ? null : clean(leader),
      peers: byIp([...peers.values()].map(clean)),
      events: this.#events,
      sent: sorted(this.#sent),
      datums: byKey([...datums].map(([key, datum]) => marked({ key, ...datum }))),
      stored: inOrder(this.#step, this.#datums.stored),
      notified: inOrder(this.#step, this.#datums.notified),
      saved: this.#saved,
      drawsLeft: this.#draws.length - this.#drawn,
    };
    return { outcome, asked: this.#asked, beat: this.#beat, used: this.#used };
  }

  #rule(rule: Rule): boolean {
    if (!this.#rules.has(rule)) return false;
    this.#used.add(rule);
    return true;
  }

  #result(): Result {
    try {
      const value = this.#apply();
      return { value: typeof value === 'object' && value !== null && 'ip' in value ? clean(value) : value };
    } catch (thrown) {
      if (thrown instanceof Thrown) return { error: thrown.message };
      throw thrown;
    }
  }

  #apply(): WorldPeer | boolean | null | readonly (Marked | null)[] {
    const step = this.#step;
    const world = this.#world;
    switch (step.op) {
      case 'receivedVote':
        return this.#input(() => this.#receivedVote(step.in.remote));
      case 'receivedBeat':
        return this.#input(() => this.#receivedBeat(step.in.beat));
      case 'masterElectionTick':
        for (let n = 0; n < step.in.times; n++) this.#input(() => this.#masterElection());
        return null;
      case 'heartBeatTick':
        for (let n = 0; n < step.in.times; n++) this.#input(() => this.#heartBeat());
        return null;
      case 'peerReply':
        return this.#input(() => this.#answered(step.in.request, step.in.status, step.in.body));
      case 'peerReplyError':
        return this.#input(() => this.#unanswered(step.in.request));
      case 'makeLeader':
        return this.#makeLeader({ ...clean(step.in.candidate) });
      case 'decideLeader':
        return this.#decideLeader({ ...clean(step.in.candidate) });
      case 'changeMembers':
        return this.#changeMembers(step.in.members, step.in.via);
      case 'setTerm':
        world.localTerm = step.in.term;
        return null;
      case 'getPeer':
        return world.peers.get(world.local) ?? this.#inventedPeer();
      case 'getLeader':
        return this.#isStandalone ? this.#local() : world.leader;
      case 'isLeader':
        return this.#isStandalone || world.leader?.ip === step.in.ip;
      default:
        return this.#input(() => this.#datums.apply(step));
    }
  }

  /** D4: what an input changed is saved. D18: a candidate's own vote, once it is saved, may be a majority. */
  #input<T>(input: () => T): T {
    try {
      return input();
    } finally {
      this.#save();
    }
  }

  #save(): void {
    const self = this.#self;
    if (self === undefined || this.#voteOf(self) === this.#durable) return;
    this.#durable = this.#voteOf(self);
    if (this.#rule('D4')) this.#saved.push(this.#durable);
    if (self.state === 'CANDIDATE' && self.voteFor === self.ip && this.#rule('D18')) this.#decide(self);
  }

  // ---- RaftCore

  #receivedVote(remote: PeerSnapshot): WorldPeer {
    if (!this.#world.peers.has(remote.ip)) throw new Thrown(`can not find peer: ${remote.ip}`);
    const local = this.#self;
    if (local === undefined) throw new Thrown(ANY_TEXT);
    if (remote.term <= local.term) {
      local.voteFor ??= local.ip;
      return local;
    }
    this.#resetLeaderDue(local);
    local.state = 'FOLLOWER';
    local.voteFor = remote.ip;
    local.term = remote.term;
    return local;
  }

  #receivedBeat({ peer, datums }: RecordedBeat): WorldPeer {
    if (!this.#world.peers.has(peer.ip) && this.#rule('D6')) {
      throw new Thrown(`can not find peer: ${peer.ip}`);
    }
    const local = this.#local();
    const remote = { ...clean(peer) };
    if (this.#is132) {
      if (peer.voteFor === undefined) throw new Thrown(ANY_TEXT);
      remote.voteFor ??= 'null';
    }
    if (remote.state !== 'LEADER') {
      throw new Thrown(`invalid state from master, state: ${remote.state}`);
    }
    if (local.term > remote.term) {
      throw new Thrown(`out of date beat, beat-from-term: ${remote.term}, beat-to-term: ${local.term}`);
    }
    if (local.state !== 'FOLLOWER') {
      local.state = 'FOLLOWER';
      local.voteFor = remote.ip;
    }
    this.#resetLeaderDue(local);
    local.heartbeatDueMs = HEARTBEAT_MS;
    this.#makeLeader(remote);
    this.#beat = { remote, local };
    this.#datums.receivedBeat(remote.ip, datums);
    return local;
  }

  #masterElection(): void {
    const local = this.#self;
    if (local === undefined) return;
    local.leaderDueMs -= TICK_MS;
    if (local.leaderDueMs > 0) return;
    this.#resetLeaderDue(local);
    local.heartbeatDueMs = HEARTBEAT_MS;
    this.#lose();
    for (const peer of this.#world.peers.values()) peer.voteFor = null;
    local.term++;
    local.voteFor = local.ip;
    local.state = 'CANDIDATE';
    for (const ip of this.#others()) this.#send(ip, 'vote', clean(local));
  }

  #heartBeat(): void {
    const local = this.#self;
    if (local === undefined) return;
    local.heartbeatDueMs -= TICK_MS;
    if (local.heartbeatDueMs > 0) return;
    local.heartbeatDueMs = HEARTBEAT_MS;
    if (this.#isStandalone ? this.#is132 : local.state !== 'LEADER') return;
    this.#resetLeaderDue(local);
    for (const ip of this.#others()) this.#send(ip, 'beat', clean(local), this.#datums.beatKeys());
  }

  // ---- Answers

  #answered(request: number, status: number, body: string): null {
    const pending = this.#take(request);
    if (status !== 200) {
      if (pending.what === 'peer') this.#fetchRefused(pending);
      return null;
    }
    if (pending.what === 'delete') this.#resetLeaderDue(this.#local());
    if (pending.beat !== null && pending.what === 'datums') this.#fetched(parseJson(body), pending.beat);
    if (!['vote', 'beat', 'peer'].includes(pending.what)) return null;
    const reply = this.#parse(pending, body);
    if (this.#rules.has('D6')) {
      const { target } = pending;
      const isMember = this.#world.peers.has(target);
      if ((!isMember || reply.ip !== target) && this.#rule('D6')) reply.ip = target;
      if (!isMember) return null;
    }
    if (pending.what === 'vote') this.#decide(reply);
    else if (pending.what === 'beat') this.#update(reply);
    else if (isNewest(this.#world, pending) || !this.#rule('D14')) this.#update(reply);
    return null;
  }

  /** D14: this peer is one object, whatever was heard of it since it asked. */
  #fetched(body: unknown, { remote, local }: BeatParties): void {
    const self = this.#self;
    const isReplaced = self !== undefined && self !== local;
    this.#datums.fetched(body, remote, isReplaced && this.#rule('D14') ? self : local);
  }

  #unanswered(request: number): null {
    const pending = this.#take(request);
    if (pending.what === 'peer' && this.#rule('D14')) this.#fetchFailed(pending);
    return null;
  }

  #take(request: number): Pending {
    const pending = this.#world.pending.get(request);
    if (pending === undefined) throw new Error(`no request ${request} is pending`);
    this.#world.pending.delete(request);
    return pending;
  }

  #parse(pending: Pending, body: string): WorldPeer {
    const fields = parseObject(body);
    if (fields === null || (fields.ip === undefined && this.#rule('D6'))) {
      if (pending.what === 'peer' && this.#rule('D14')) this.#fetchFailed(pending);
      throw new Thrown(ANY_TEXT);
    }
    const {
      ip = '(null)',
      state = 'FOLLOWER',
      term = 0,
      voteFor = null,
      leaderDueMs = this.#initDraw(),
      heartbeatDueMs = this.#initDraw(),
    } = fields;
    return { ip, state, term, voteFor, leaderDueMs, heartbeatDueMs };
  }

  #fetchRefused(pending: Pending): void {
    if (this.#rule('D14')) this.#fetchFailed(pending);
    else if (pending.captured !== null) pending.captured.state = 'FOLLOWER';
  }

  /** D14: a fetch that failed, in whatever way, makes that peer a FOLLOWER if nothing newer was heard of it. */
  #fetchFailed(pending: Pending): void {
    const { target } = pending;
    const entry = this.#world.peers.get(target);
    if (entry === undefined || target === this.#world.local || !isNewest(this.#world, pending)) return;
    this.#world.peers.set(target, { ...entry, state: 'FOLLOWER' });
  }

  // ---- RaftPeerSet

  #makeLeader(given: WorldPeer): WorldPeer {
    const world = this.#world;
    if (!world.peers.has(given.ip) && this.#rule('D6')) throw new Thrown(`can not find peer: ${given.ip}`);
    const candidate = this.#heard(given);
    if (world.leader?.ip !== candidate.ip) {
      if (this.#self === undefined && this.#rule('D6')) this.#local();
      this.#lose();
      world.leader = candidate;
      if (this.#is132) this.#local();
      this.#event('MakeLeaderEvent', candidate);
      this.#announced = clean(candidate);
      this.#local();
    }
    for (const peer of world.peers.values()) {
      if (peer.ip !== candidate.ip && peer.state === 'LEADER') this.#ask(peer);
    }
    return this.#update(candidate);
  }

  /** Asks a peer that is marked LEADER for its own view. */
  #ask(peer: WorldPeer): void {
    const world = this.#world;
    if (peer.ip === world.local && this.#rule('D14')) return;
    if (isBeingAsked(world, peer.ip) && this.#rule('D14')) return;
    this.#asked.set(peer.ip, peer);
    this.#send(peer.ip, 'peer', null);
    const transport = this.#step.transport?.[peer.ip];
    if (transport === 'throw') peer.state = 'FOLLOWER';
    if (transport === 'error' && this.#rule('D14')) peer.state = 'FOLLOWER';
  }

  /** Tallies the votes; D8: the core announces the winner. */
  #decide(reply: WorldPeer): void {
    const events = this.#events.length;
    this.#decideLeader(reply);
    const self = this.#self;
    const hasWon = this.#events.length > events && self?.state === 'LEADER' && this.#world.leader === self;
    if (!hasWon || !this.#rule('D8')) return;
    this.#event('MakeLeaderEvent', self);
    this.#announced = clean(self);
  }

  #decideLeader(reply: WorldPeer): WorldPeer | null {
    const world = this.#world;
    if (!world.peers.has(reply.ip) && this.#rule('D6')) throw new Thrown(`can not find peer: ${reply.ip}`);
    const { term, voteFor } = reply;
    this.#update(this.#heard(reply));
    if (this.#rule('D2')) return this.#tallyOwn(term, voteFor);
    const votes = new Map<string, number>();
    let most: string | null = null;
    for (const peer of world.peers.values()) {
      if (peer.voteFor === null || peer.voteFor === '') continue;
      votes.set(peer.voteFor, (votes.get(peer.voteFor) ?? 0) + 1);
      if (most === null || (votes.get(peer.voteFor) ?? 0) > (votes.get(most) ?? 0)) most = peer.voteFor;
    }
    if (most === null || (votes.get(most) ?? 0) < this.#majority()) return world.leader;
    const winner = world.peers.get(most);
    if (winner === undefined) throw new Thrown(ANY_TEXT);
    winner.state = 'LEADER';
    if (world.leader?.ip === winner.ip) return world.leader;
    world.leader = winner;
    if (this.#is132) this.#local();
    this.#event('LeaderElectFinishedEvent', winner);
    return world.leader;
  }

  /** D2: a candidate counts replies of its own term that name itself; itself only when it voted so. */
  #tallyOwn(term: number, voteFor: string | null): WorldPeer | null {
    const world = this.#world;
    const self = this.#self;
    if (self?.state !== 'CANDIDATE' || term !== self.term || voteFor !== self.ip) return world.leader;
    const votes = [...world.peers.values()].filter(
      (peer) => peer.term === self.term && peer.voteFor === self.ip,
    );
    if (!votes.includes(self) || votes.length < this.#majority()) return world.leader;
    this.#lose();
    self.state = 'LEADER';
    world.leader = self;
    this.#event('LeaderElectFinishedEvent', self);
    return self;
  }

  /** D14: of itself a peer hears nothing new. */
  #heard(peer: WorldPeer): WorldPeer {
    const self = this.#self;
    return self !== undefined && peer.ip === self.ip && this.#rule('D14') ? self : peer;
  }

  #update(given: WorldPeer): WorldPeer {
    const peer = this.#heard(given);
    this.#world.peers.set(peer.ip, peer);
    return peer;
  }

  #changeMembers(members: readonly string[], via: string): null {
    const world = this.#world;
    if (via === 'onEvent' && world.version === '1.3.2') {
      const isPureAddition = world.oldMembers.every((ip) => members.includes(ip));
      const isFirst = world.oldMembers.length === 0;
      world.oldMembers = members;
      if (isPureAddition && !isFirst && !this.#rule('version')) return null;
    }
    const known = world.peers;
    world.peers = new Map(members.map((ip) => [ip, known.get(ip) ?? this.#freshPeer(ip)]));
    for (const pending of world.pending.values()) {
      if (!world.peers.has(pending.target)) pending.isForgotten = true;
    }
    if (world.leader !== null && !world.peers.has(world.leader.ip) && this.#rules.has('D9')) this.#lose();
    return null;
  }

  #freshPeer(ip: string): WorldPeer {
    return this.#newPeer(ip, ip === this.#world.local ? this.#world.localTerm : 0);
  }

  /** The original forgets the term of a local peer that is no member (D4). */
  #inventedPeer(): WorldPeer {
    const { local, localTerm } = this.#world;
    return this.#newPeer(local, this.#rule('D4') ? localTerm : 0);
  }

  #newPeer(ip: string, term: number): WorldPeer {
    const [leaderDueMs, heartbeatDueMs] = [this.#initDraw(), this.#initDraw()];
    return { ip, state: 'FOLLOWER', term, voteFor: null, leaderDueMs, heartbeatDueMs };
  }

  // ---- Helpers

  get #self(): WorldPeer | undefined {
    return this.#world.peers.get(this.#world.local);
  }

  /** D18: a cluster of one elects itself, and needs no mode of its own. */
  get #isStandalone(): boolean {
    return this.#world.standalone && !this.#rule('D18');
  }

  get #is132(): boolean {
    return this.#world.version === '1.3.2' && !this.#rule('version');
  }

  #local(): WorldPeer {
    const self = this.#self;
    if (self === undefined) throw new Thrown(`unable to find local peer: ${this.#world.local}`);
    return self;
  }

  #others(): readonly string[] {
    return [...this.#world.peers.keys()].filter((ip) => ip !== this.#world.local);
  }

  #majority(): number {
    return Math.floor(this.#world.peers.size / 2) + 1;
  }

  /** Forgets the leader; D9: and tells. */
  #lose(): void {
    this.#world.leader = null;
    const lost = this.#announced;
    if (lost === null || !this.#rule('D9')) return;
    this.#announced = null;
    this.#event('LeaderLostEvent', lost);
  }

  #resetLeaderDue(local: WorldPeer): void {
    local.leaderDueMs = LEADER_TIMEOUT_MS + (this.#draws[this.#drawn++] ?? 0);
  }

  #initDraw(): number {
    return this.#initDraws.shift() ?? 0;
  }

  #event(type: string, { ip, term }: PeerSnapshot): void {
    this.#events.push(eventText(type, ip, term));
  }

  #send(to: string, what: Sent['what'], peer: PeerSnapshot | null, about: unknown = null): void {
    this.#sent.push({ to, what, peer, about });
  }

  #voteOf(self: WorldPeer | undefined): string {
    return saveText(self ?? { term: this.#world.localTerm, voteFor: null });
  }
}

function parseObject(body: string): Partial<WorldPeer> | null {
  return parseJson(body) as Partial<WorldPeer> | null;
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
