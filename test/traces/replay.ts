import type {
  Dues,
  NacosDatum,
  NacosDatumOutput,
  NacosDatums,
  NacosValue,
  NacosWrittenOutput,
  Output,
  PeerSnapshot,
  RaftError,
  RaftRequest,
} from 'raftbeat';
import { isInstanceListKey } from '../../src/core/nacos-keys.js';
import { decodePeerReply } from '../../src/node/decode.js';
import { decodeNacosDatumsReply } from '../../src/node/decode-nacos.js';
import { type CoreBuild, type OpenCore, type OpenPeerSet, opened } from './core-build.js';
import type { ProxyReply, Step } from './format.js';
import { byKey, type Marked, marked, markOf, named } from './marks.js';
import {
  byIp,
  clean,
  errorText,
  eventText,
  inOrder,
  type Outcome,
  type Result,
  type Sent,
  saveText,
  sorted,
} from './outcome.js';
import { isBeingAsked, isNewest, type Pending, type World } from './world.js';

const TICK_MS = 500;
/** So far from 0 that a due is a whole number of ms however the draw before it was rounded. */
const START_MS = 1_000_000;
/** How long the original waits for a majority. */
const PUBLISH_TIMEOUT_MS = 5_000;
/** The original's times. */
const TIMING = { leaderTimeoutMs: 15_000, heartbeatMs: 5_000, randomMs: 5_000 };

/** What raftbeat does with `step`, under the rules of Nacos, when it starts in `world`, which stays as it is. */
export function replay(build: CoreBuild, world: World, step: Step): Outcome {
  return new Replay(build, world, step).run();
}

/** One core, loaded for one step. */
class Replay {
  readonly #world: World;
  readonly #step: Step;
  readonly #core: OpenCore;
  readonly #peers: OpenPeerSet;
  readonly #draws: readonly number[];
  #drawn = 0;
  #random: () => number;
  /** The dues that the original drew for members that are new, this one left out. */
  #othersDues: number[] = [];
  #ownDues: readonly number[] = [];
  #now = START_MS;
  readonly #events: string[] = [];
  readonly #sent: Sent[] = [];
  readonly #saved: string[] = [];
  readonly #stored: string[] = [];
  readonly #notified: string[] = [];
  /** How a publish of this peer ended, if it did. */
  #written: NacosWrittenOutput | null = null;

  constructor({ RaftCore, RaftPeerSet, RaftPeer }: CoreBuild, world: World, step: Step) {
    this.#world = world;
    this.#step = step;
    this.#draws = step.draws ?? [];
    this.#random = () => 0;
    const members = [...world.peers.keys()];
    const freshDues = (): Dues => this.#freshDues();
    const set = new RaftPeerSet({ local: world.local, members, rules: 'nacos', freshDues });
    const stored = { term: world.localTerm, voteFor: null, promisedMs: 0 };
    const nacosDatums = [...world.datums].map(([key, { timestamp, value }]) => {
      return { key, timestamp, value: value as unknown as NacosValue };
    });
    const options = { peers: set, timing: TIMING, stored, nacosDatums, random: () => this.#random() };
    const { core, peers } = opened(new RaftCore(options));
    this.#core = core;
    this.#peers = peers;
    this.#shareOut();
    this.#datums.sendBeatOnly = world.sendBeatOnly;
    this.#loadOthers();
    this.#loadSelf();
    const { leader } = world;
    if (leader !== null) {
      const isSelf = leader === world.peers.get(world.local);
      peers.own_leader = isSelf ? peers.self : RaftPeer.from(leader);
      peers.own_isLeaderFresh = leader === world.peers.get(leader.ip);
      peers.own_announced = clean(leader);
    }
    this.#listen();
  }

  get #datums(): NacosDatums {
    const { nacosDatums } = this.#core;
    if (nacosDatums === null) throw new Error('the rules of Nacos are not in force');
    return nacosDatums;
  }

  run(): Outcome {
    this.#random = () => this.#draw();
    const result = this.#result();
    this.#core.getPeer(this.#now);
    const { leader } = this.#peers;
    return {
      result,
      leader: leader === null ? null : clean(leader),
      peers: byIp(this.#peers.allPeers().map(clean)),
      events: this.#events,
      sent: sorted(this.#sent),
      datums: byKey(this.#datums.keys().map((key) => marked(this.#datums.get(key) ?? { key, timestamp: 0 }))),
      stored: inOrder(this.#step, this.#stored),
      notified: inOrder(this.#step, this.#notified),
      saved: this.#saved,
      drawsLeft: this.#draws.length - this.#drawn,
    };
  }

  get #fetching(): Map<string, boolean> {
    this.#peers.own_fetching ??= new Map();
    return this.#peers.own_fetching;
  }

  // ---- Loading

  #loadOthers(): void {
    const { local, peers } = this.#world;
    for (const peer of peers.values()) {
      if (peer.ip === local) continue;
      this.#peers.get(peer.ip)?.assign(peer);
      if (peer.state === 'LEADER') this.#peers.own_markedLeaders++;
      if (isBeingAsked(this.#world, peer.ip)) this.#fetching.set(peer.ip, true);
    }
  }

  /** A local peer that is no member is one that starts now; of a LEADER it is known that it voted for itself (D2). */
  #loadSelf(): void {
    const { local, peers } = this.#world;
    const recorded = peers.get(local);
    const { self } = this.#peers;
    if (recorded === undefined) {
      this.#start();
      return;
    }
    self.assign(recorded.state === 'LEADER' ? { ...recorded, voteFor: local } : recorded);
    const { term, voteFor } = self;
    this.#core.own_now = this.#now;
    this.#core.own_electionDue = this.#now + recorded.leaderDueMs;
    this.#core.own_heartbeatDue = this.#now + recorded.heartbeatDueMs;
    this.#core.own_saving = this.#core.own_durable = { term, voteFor, promisedMs: 0 };
    if (self.state !== 'CANDIDATE') return;
    const voters = [...peers.values()].filter((peer) => peer.term === term && peer.voteFor === local);
    this.#peers.own_votes = new Set(voters.map(({ ip }) => ip));
  }

  /** Starts with what the original drew for a local peer that is new. */
  #start(): void {
    const [leaderDueMs = 0, heartbeatDueMs = 0] = this.#ownDues;
    const draws = [leaderDueMs / TIMING.leaderTimeoutMs, heartbeatDueMs / TIMING.heartbeatMs];
    this.#random = () => draws.shift() ?? 0;
    this.#core.own_start(this.#now);
  }

  /** Shares out what the original drew for new peers: two dues each, in the order of the members. */
  #shareOut(): void {
    const step = this.#step;
    const draws = [...(step.initDraws ?? [])];
    const fresh =
      step.op === 'changeMembers'
        ? step.in.members.filter((ip) => !this.#world.peers.has(ip))
        : [this.#world.local];
    const own = fresh.indexOf(this.#world.local);
    if (own >= 0) this.#ownDues = draws.splice(2 * own, 2);
    this.#othersDues = draws;
  }

  #freshDues(): Dues {
    const [leaderDueMs = 0, heartbeatDueMs = 0] = this.#othersDues.splice(0, 2);
    return { leaderDueMs, heartbeatDueMs };
  }

  #listen(): void {
    for (const [name, type] of EVENTS) {
      this.#peers.on(name, ({ leader, term }) => this.#events.push(eventText(type, leader.ip, term)));
    }
    this.#peers.on('error', (error) => this.#events.push(`error ${error.message}`));
  }

  // ---- The step

  #result(): Result {
    try {
      const value = this.#apply();
      return { value: typeof value === 'object' && value !== null && 'ip' in value ? clean(value) : value };
    } catch (error) {
      if (!isRaftError(error) || error.code === 'INTERNAL') throw error;
      return { error: errorText(error.message) };
    } finally {
      this.#carryOut();
    }
  }

  #apply(): PeerSnapshot | boolean | null | readonly (Marked | null)[] {
    const step = this.#step;
    const core = this.#core;
    switch (step.op) {
      case 'receivedVote':
        return core.receivedVote({ peer: step.in.remote }, this.#now);
      case 'receivedBeat': {
        const { peer, datums } = step.in.beat;
        return core.receivedBeat({ peer: clean(peer), datums }, this.#now);
      }
      case 'masterElectionTick':
        return this.#tick(step.in.times, 'own_heartbeatDue');
      case 'heartBeatTick':
        return this.#tick(step.in.times, 'own_electionDue');
      case 'peerReply':
        return this.#answer(this.#pending(step.in.request), step.in.status, step.in.body);
      case 'peerReplyError':
        return this.#fail(this.#pending(step.in.request), brokenOff('the connection failed'));
      case 'makeLeader':
        return this.#peers.makeLeader(step.in.candidate);
      case 'decideLeader':
        return this.#peers.decideLeader(step.in.candidate);
      case 'changeMembers':
        this.#peers.changePeers(step.in.members);
        return null;
      case 'setTerm':
        return null;
      case 'getPeer':
        return core.getPeer(this.#now);
      case 'getLeader':
        return this.#leader();
      case 'isLeader':
        return this.#peers.isLeader(step.in.ip);
      case 'onPublish': {
        const { datum, source } = step.in;
        this.#datums.receivedCommit({ datum: datum as NacosDatum, source }, this.#now);
        return null;
      }
      case 'onDelete':
        this.#datums.receivedDelete(step.in, this.#now);
        return null;
      case 'signalPublish':
        return this.#publish(step.in.key, step.in.value, step.in.proxyReply);
      case 'signalDelete':
        return this.#remove(step.in.key, step.in.proxyReply);
      case 'serviceRemove':
        return this.#serviceRemove(step.in.key, step.in.proxyReply);
      case 'datumGet':
        return this.#getDatums(step.in.keys);
      case 'setSendBeatOnly':
        this.#datums.sendBeatOnly = step.in.value;
        return null;
    }
  }

  #publish(key: string, value: NacosValue, proxyReply: ProxyReply | undefined): null {
    const write = this.#datums.publish(key, value, this.#now);
    if ('forwardTo' in write) {
      return this.#forward(write.forwardTo, 'publish', { key, value: markOf(key, value) }, proxyReply);
    }
    this.#carryOut();
    this.#datums.expire(this.#now + PUBLISH_TIMEOUT_MS);
    this.#carryOut();
    if (this.#written?.write !== write.write) throw new Error('the publish did not end');
    if (this.#written.error !== null) throw this.#written.error;
    return null;
  }

  #remove(key: string, proxyReply: ProxyReply | undefined): null {
    const forwardTo = this.#datums.remove(key, this.#now);
    return forwardTo === null ? null : this.#forward(forwardTo, 'remove', key, proxyReply);
  }

  /** The service of the original, which raftbeat has no counterpart of, deletes lists of instances by itself. */
  #serviceRemove(key: string, proxyReply: ProxyReply | undefined): null {
    const { leader } = this.#peers;
    if (leader === null || leader.ip === this.#world.local || !isInstanceListKey(key))
      return this.#remove(key, proxyReply);
    this.#datums.receivedDelete({ key, source: leader }, this.#now);
    return null;
  }

  #forward(to: string, what: 'publish' | 'remove', about: unknown, reply: ProxyReply = {}): null {
    this.#sent.push({ to, what, peer: null, about });
    const { status, contentType, body = '' } = reply;
    if (status === undefined) throw brokenOff('the connection failed');
    if (status !== 200) throw brokenOff(`leader failed, caused by: ${body}`);
    if (contentType === null) throw brokenOff('not an answer of Nacos');
    return null;
  }

  #getDatums(keys: string): readonly (Marked | null)[] {
    if (keys === '') throw brokenOff(`Param 'keys' is required.`);
    const { datums } = this.#datums.received({ keys: keys.split(',') });
    return datums.map((datum) => (datum === null ? null : marked(datum)));
  }

  /** The original's two tasks run apart in a recording: while one ticks, the due of the other stands still. */
  #tick(times: number, standing: 'own_heartbeatDue' | 'own_electionDue'): null {
    for (let n = 0; n < times; n++) {
      this.#now += TICK_MS;
      const due = this.#core[standing];
      this.#core[standing] = Number.POSITIVE_INFINITY;
      this.#core.tick(this.#now);
      if (this.#core[standing] === Number.POSITIVE_INFINITY) this.#core[standing] = due + TICK_MS;
      this.#carryOut();
    }
    return null;
  }

  #leader(): PeerSnapshot | null {
    this.#core.getPeer(this.#now);
    return this.#peers.leader;
  }

  /** The fetch that is answered is the one in flight; raftbeat sends none to itself (D14). */
  #pending(request: number): Pending {
    const pending = this.#world.pending.get(request);
    if (pending === undefined) throw new Error(`no request ${request} is pending`);
    const { target, what, isForgotten } = pending;
    const isInFlight = !isForgotten && target !== this.#world.local;
    if (what === 'peer' && !isInFlight) this.#fetching.delete(target);
    else if (what === 'peer') this.#fetching.set(target, isNewest(this.#world, pending));
    return pending;
  }

  #answer(pending: Pending, status: number, body: string): null {
    if (status !== 200) return this.#fail(pending, brokenOff(`status ${status}`));
    const { target, what, term, beat } = pending;
    if (what === 'commit') return this.#acknowledged(pending);
    if (what === 'delete') return this.#deleteAcknowledged();
    let reply: PeerSnapshot;
    try {
      if (what === 'datums') return this.#fetched(beat?.remote.term ?? 0, body);
      reply = decode(body);
    } catch (error) {
      if (!isRaftError(error)) throw error;
      this.#fail(pending, error);
      throw error;
    }
    const granted = reply.voteFor === this.#world.local;
    if (what === 'vote') this.#core.receivedVoteReply(target, { ...reply, granted }, this.#now);
    else if (what === 'beat')
      this.#core.receivedBeatReply(target, { ...reply, requestTerm: term }, this.#now);
    else this.#core.receivedPeer(target, reply, this.#now);
    return null;
  }

  /** No publish of an earlier step waits: each was waited for. */
  #acknowledged({ target }: Pending): null {
    const source = this.#peers.self.snapshot();
    this.#datums.receivedAck(target, { datum: { key: '', timestamp: 0, value: {} }, source }, this.#now);
    return null;
  }

  #deleteAcknowledged(): null {
    this.#datums.receivedDeleteAck(this.#now);
    return null;
  }

  #fetched(leaderTerm: number, body: string): null {
    this.#datums.receivedDatums(leaderTerm, decodeNacosDatumsReply({ datums: parse(body) }), this.#now);
    return null;
  }

  #fail({ target, what }: Pick<Pending, 'target' | 'what'>, error: RaftError): null {
    const peer = this.#peers.self.snapshot();
    const request: RaftRequest =
      what === 'peer'
        ? { type: 'peer' }
        : what === 'beat'
          ? { type: 'beat', peer, datums: [] }
          : what === 'vote'
            ? { type: 'vote', peer }
            : { type: 'nacosGet', keys: [] };
    this.#core.requestFailed(target, request, error, this.#now);
    return null;
  }

  // ---- What the core wants done

  /** Saves are durable at once; a request fails at once where the recording says so. */
  #carryOut(): void {
    for (let outputs = this.#core.takeOutputs(); outputs.length > 0; outputs = this.#core.takeOutputs()) {
      for (const output of outputs) this.#do(output);
    }
  }

  #do(output: Output): void {
    if (output.type === 'save') {
      this.#saved.push(saveText(output.state));
      this.#core.saved(output.state, this.#now);
    } else if (output.type === 'fetchPeer')
      this.#send(output.from, { what: 'peer', peer: null, about: null });
    else if (output.type === 'nacosWritten') this.#written = output;
    else if (output.type === 'nacosDatum') this.#changed(output);
    else if (output.type !== 'send') throw new Error(`unexpected ${output.type}`);
    else for (const to of output.to) this.#send(to, this.#told(output.request), output.request);
  }

  #changed({ key, datum, isStored }: NacosDatumOutput): void {
    this.#notified.push(`${datum === null ? 'DELETE' : 'CHANGE'} ${key}`);
    if (isStored) this.#stored.push(datum === null ? `delete ${key}` : `write ${key} ${datum.timestamp}`);
  }

  /** A request as compared. A peer in it has saved what it says of itself (D4). */
  #told(request: RaftRequest): Omit<Sent, 'to'> {
    switch (request.type) {
      case 'vote':
        return { what: 'vote', peer: this.#saidBy(request.peer), about: null };
      case 'beat':
        return { what: 'beat', peer: this.#saidBy(request.peer), about: byKey(request.datums.map(named)) };
      case 'nacosGet':
        return { what: 'datums', peer: null, about: request.keys };
      case 'nacosCommit':
        return { what: 'commit', peer: this.#saidBy(request.source), about: marked(request.datum) };
      case 'nacosDelete': {
        const { key, source } = request;
        return { what: 'delete', peer: this.#saidBy(source), about: marked({ key, timestamp: 0 }) };
      }
      default:
        throw new Error(`nobody sends ${request.type} here`);
    }
  }

  #saidBy(peer: PeerSnapshot): PeerSnapshot {
    if (saveText(this.#core.own_durable) === saveText(peer)) return clean(peer);
    throw new Error('a request left before the term and vote in it were saved');
  }

  #send(to: string, sent: Omit<Sent, 'to'>, request: RaftRequest = { type: 'peer' }): void {
    this.#sent.push({ to, ...sent });
    const transport = this.#step.transport?.[to];
    if (transport === '200' && request.type === 'nacosCommit')
      this.#datums.receivedAck(to, request, this.#now);
    else if (transport === 'throw' || transport === 'error' || transport === '500') {
      this.#fail({ target: to, what: sent.what }, brokenOff('the connection failed'));
    } else if (transport !== undefined && transport !== 'never') {
      throw new Error(`a recording with transport ${transport} is not understood`);
    }
  }

  #draw(): number {
    return (this.#draws[this.#drawn++] ?? 0) / TIMING.randomMs;
  }
}

const EVENTS = [
  ['makeLeader', 'MakeLeaderEvent'],
  ['leaderElectFinished', 'LeaderElectFinishedEvent'],
  ['leaderLost', 'LeaderLostEvent'],
] as const;

/** The original leaves out what is null. */
function decode(body: string): PeerSnapshot {
  return decodePeerReply(parse(body));
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw brokenOff(String(cause));
  }
}

function brokenOff(message: string): RaftError {
  return Object.assign(new Error(message), { name: 'RaftError', code: 'BAD_REPLY' }) as unknown as RaftError;
}

/** The mechanical build has an error class of its own. */
function isRaftError(error: unknown): error is RaftError {
  return error instanceof Error && error.name === 'RaftError';
}
