import type { Output, PeerSnapshot, RaftError, RaftRequest } from 'raftbeat';
import { decodePeerReply } from '../../src/node/decode.js';
import { type CoreBuild, type OpenCore, type OpenPeerSet, opened } from './core-build.js';
import type { Step } from './format.js';
import {
  byIp,
  clean,
  errorText,
  eventText,
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
  #now = START_MS;
  readonly #events: string[] = [];
  readonly #sent: Sent[] = [];
  readonly #saved: string[] = [];

  constructor({ RaftCore, RaftPeerSet, RaftPeer }: CoreBuild, world: World, step: Step) {
    this.#world = world;
    this.#step = step;
    this.#draws = step.draws ?? [];
    this.#random = () => 0;
    const members = [...world.peers.keys()];
    const set = new RaftPeerSet({ local: world.local, members, rules: 'nacos' });
    const stored = { term: world.localTerm, voteFor: null, promisedMs: 0 };
    const options = { peers: set, timing: TIMING, stored, random: () => this.#random() };
    const { core, peers } = opened(new RaftCore(options));
    this.#core = core;
    this.#peers = peers;
    this.#loadOthers();
    this.#loadSelf();
    const { leader } = world;
    if (leader !== null) {
      const isSelf = leader === world.peers.get(world.local);
      peers.own_leader = isSelf ? peers.self : RaftPeer.from(leader);
      peers.own_announced = clean(leader);
    }
    this.#listen();
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
      saved: this.#saved,
      drawsLeft: this.#draws.length - this.#drawn,
    };
  }

  // ---- Loading

  #loadOthers(): void {
    const { local, peers } = this.#world;
    for (const peer of peers.values()) {
      if (peer.ip === local) continue;
      this.#peers.get(peer.ip)?.assign(peer);
      if (peer.state === 'LEADER') this.#peers.own_markedLeaders.add(peer.ip);
      if (isBeingAsked(this.#world, peer.ip)) this.#peers.own_fetching.set(peer.ip, true);
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
    for (const peer of peers.values()) {
      if (peer.term === term && peer.voteFor === local) this.#peers.own_votes.add(peer.ip);
    }
  }

  /** Starts with what the original drew for a local peer that is new. */
  #start(): void {
    const { initDraws = [] } = this.#step;
    let at = 0;
    if (this.#step.op === 'changeMembers') {
      const fresh = this.#step.in.members.filter((ip) => !this.#world.peers.has(ip));
      at = 2 * Math.max(0, fresh.indexOf(this.#world.local));
    }
    const draws = [
      (initDraws[at] ?? 0) / TIMING.leaderTimeoutMs,
      (initDraws[at + 1] ?? 0) / TIMING.heartbeatMs,
    ];
    this.#random = () => draws.shift() ?? 0;
    this.#core.own_start(this.#now);
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
      return { value: typeof value === 'object' && value !== null ? clean(value) : value };
    } catch (error) {
      if (!isRaftError(error) || error.code === 'INTERNAL') throw error;
      return { error: errorText(error.message) };
    } finally {
      this.#carryOut();
    }
  }

  #apply(): PeerSnapshot | boolean | null {
    const step = this.#step;
    const core = this.#core;
    switch (step.op) {
      case 'receivedVote':
        return core.receivedVote({ peer: step.in.remote }, this.#now);
      case 'receivedBeat': {
        const { peer } = step.in.beat;
        return core.receivedBeat({ peer: clean(peer), datums: [] }, this.#now);
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
    }
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
    if (what === 'peer' && !isInFlight) this.#peers.own_fetching.delete(target);
    else if (what === 'peer') this.#peers.own_fetching.set(target, isNewest(this.#world, pending));
    return pending;
  }

  #answer(pending: Pending, status: number, body: string): null {
    if (status !== 200) return this.#fail(pending, brokenOff(`status ${status}`));
    const { target, what, term } = pending;
    let reply: PeerSnapshot;
    try {
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

  #fail({ target, what }: Pick<Pending, 'target' | 'what'>, error: RaftError): null {
    const peer = this.#peers.self.snapshot();
    const request: RaftRequest =
      what === 'peer'
        ? { type: 'peer' }
        : what === 'beat'
          ? { type: 'beat', peer, datums: [] }
          : { type: 'vote', peer };
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
    } else if (output.type === 'fetchPeer') this.#send(output.from, 'peer', null);
    else if (output.type !== 'send') throw new Error(`unexpected ${output.type}`);
    else if (output.request.type === 'vote' || output.request.type === 'beat') {
      const { type, peer } = output.request;
      if (saveText(this.#core.own_durable) !== saveText(peer)) {
        throw new Error(`${type} was sent before its term and vote were saved`);
      }
      for (const to of output.to) this.#send(to, type, clean(peer));
    }
  }

  #send(to: string, what: Sent['what'], peer: PeerSnapshot | null): void {
    this.#sent.push({ to, what, peer });
    const transport = this.#step.transport?.[to];
    if (transport === 'throw' || transport === 'error') {
      this.#fail({ target: to, what }, brokenOff('the connection failed'));
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
  let raw: unknown;
  try {
    raw = JSON.parse(body);
  } catch (cause) {
    throw brokenOff(String(cause));
  }
  return decodePeerReply(raw);
}

function brokenOff(message: string): RaftError {
  return Object.assign(new Error(message), { name: 'RaftError', code: 'BAD_REPLY' }) as unknown as RaftError;
}

/** The mechanical build has an error class of its own. */
function isRaftError(error: unknown): error is RaftError {
  return error instanceof Error && error.name === 'RaftError';
}
