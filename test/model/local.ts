import type { RaftCore } from '../../src/core/core.js';
import type { Beat, PeerReply, Vote } from '../../src/core/messages.js';
import type { StoredState } from '../../src/core/outputs.js';
import type { PeerSnapshot, PeerState } from '../../src/core/peer.js';
import type { Timing } from '../../src/core/timing.js';
import type { Bounds } from './bounds.js';
import type { Kernel } from './build.js';

/** One unit of time, in ms. */
export const UNIT = 1_000;
/** The clock of a core that is looked at: all times of a `Local` are relative to it. */
export const NOW = 1_000 * UNIT;

export const FOLLOWER = 0;
export const CANDIDATE = 1;
export const LEADER = 2;
const STATES: readonly PeerState[] = ['FOLLOWER', 'CANDIDATE', 'LEADER'];

/** No peer, no age, no round, nothing pending. */
export const NONE = -1;

/**
 * All of one peer that can matter: its core and, while a save is under way, what waits for that. Peers are numbers,
 * sets of them bits, times relative to the peer's own clock.
 *
 * These cores have no registry, so no data, no members that change and nobody who only learns: `Cores.local` takes in no
 * other. Those that keep data are `Keeper`s.
 *
 * Left out, so that more can happen than in truth: when elections and beats are due (they may come at any time), how
 * long a leader that resigned makes way. Left out because safety does not rest on it: views of other peers, events.
 */
export interface Local {
  owner: number;
  state: number;
  term: number;
  voteFor: number;
  /** The leader known in this very term. */
  lastLeader: number;
  votes: number;
  holder: number;
  promise: number;
  /** The grants of the open round. */
  round: number;
  /** Whether the first lease is gained, and whether it is over. */
  gained: number;
  over: number;
  /** Ms left of the lease. */
  leaseLeft: number;
  electedAge: number;
  /** Age of the newest acknowledged beat of each peer. */
  sent: number[];
  /** Units left of the start wait of one that recovers from an empty store; NONE when it has recovered. */
  rejoin: number;
  /** What each peer answered it: its term twice, and one more if its store was empty, too. */
  answers: number[];
  /** Whether it ever lost its store: what it had said binds it no more. */
  wiped: number;
  savedTerm: number;
  /** The longest promise in the store, in units. */
  savedPromise: number;
  savedVote: number;
  /** The record being saved, and the messages that wait for it. */
  pendingTerm: number;
  pendingVote: number;
  held: number[];
  /** What `isLeader(now)` answers. */
  leads: number;
}

/** All fields of the core's classes as they were when this was written: each is in `Local`, or left out on purpose. */
export const FIELDS = {
  RaftCore: [
    ...[
      'peers',
      'timing',
      '$self',
      '$random',
      '$revision',
      '$registry',
      '$lease',
      '$aheadMs',
      '$timeouts',
      '$promise',
      '$now',
      '$saving',
      '$durable',
    ],
    ...[
      '$rejoin',
      '$learner',
      '$membersValue',
      '$founders',
      '$electionDue',
      '$heartbeatDue',
      '$noCampaignBefore',
      '$round',
      '$roundNumber',
    ],
    // There under the rules of Nacos only, which are not explored.
    'nacosDatums',
    // Looked at with releaseOnDisconnect only, which is not explored.
    ...['$releases', '$lastSentAt'],
    // Differs in groups only, which are not explored.
    '$beatEveryMs',
  ],
  RaftPeerSet: [
    ...[
      'rules',
      '$self',
      '$peers',
      '$membership',
      '$standpoint',
      '$strangers',
      '$isMember',
      '$leader',
      '$announced',
    ],
    ...['$lastLeader', '$votes', '$markedLeaders', '$fetching', '$isFixed', '$outputs', '$events', '$holds'],
    // What is shown, and what is read, under the rules of Nacos only.
    ...['$freshDues', '$isLeaderFresh'],
  ],
  RaftPeer: ['ip', 'state', 'term', 'voteFor', 'leaderDueMs', 'heartbeatDueMs'],
  Lease: [
    ...['$timing', '$others', '$voters', '$needed', '$sentAt', '$electedAt', '$end'],
    ...['$isGained', '$isOver', '$aheadMs'],
    // Looked at with releaseOnDisconnect only.
    ...['$lostAt', '$majoritySentAt'],
  ],
  ElectionTimeouts: ['$peers', '$timing', '$random', '$group', '$term', '$lastLeader', '$voters', '$rank'],
  Rejoin: ['id', '$rules', '$answers', '$witness', '$startedAt', '$askDue'],
} as const;

interface OpenLease {
  $others: readonly string[];
  $voters: readonly number[];
  $needed: number;
  $sentAt: number[];
  $electedAt: number;
  $end: number;
  $isGained: boolean;
  $isOver: boolean;
}

interface OpenRejoin {
  $answers: Map<string, PeerReply>;
  $startedAt: number;
  $askDue: number;
}

interface OpenCore {
  $registry: object | null;
  $learner: number | undefined;
  $promise: { holder: string | null; until: number };
  $lease: OpenLease;
  $newLease(): OpenLease;
  $now: number;
  $saving: StoredState;
  $durable: StoredState;
  $electionDue: number;
  $heartbeatDue: number;
  $rejoin: OpenRejoin | null;
  $round: { number: number; grants: Set<string> } | null;
  $roundNumber: number;
  $needed(): number;
}

interface OpenPeerSet {
  $votes: Set<string> | null;
  $leader: PeerSnapshot | null;
  $lastLeader: PeerSnapshot | null;
}

/** The open round's number: older rounds are out of the network, so none needs another. */
const ROUND = 1;
/** The id of each process that recovers: of those of earlier ones no message is left. */
export const ID = 0;

/** Makes cores of locals, and locals of cores. */
export class Cores {
  readonly names: readonly string[];
  readonly count: number;
  /** From how many units on a beat is too old to give a lease. */
  readonly oldAge: number;
  readonly #kernel: Kernel;
  readonly #bounds: Bounds;
  /** The times of each peer. */
  readonly #timings: readonly Timing[];
  readonly #members;

  constructor(kernel: Kernel, bounds: Bounds) {
    const { voters, observers, timeout, longer, slowClocks } = bounds;
    this.#kernel = kernel;
    this.#bounds = bounds;
    this.count = voters + observers;
    this.names = Array.from({ length: this.count }, (_, at) => String.fromCharCode(97 + at));
    this.#members = this.names.map((ip, at) => ({ ip, observer: at >= voters }));
    // A little more than what makes the lease one unit shorter: so it ends with a unit, not just behind it.
    const clockDrift = slowClocks === 0 ? 0 : 1 / (2 * timeout - 1) + 1e-4;
    const least = { heartbeatMs: 1, requestTimeoutMs: 1, staggerMs: 0, randomMs: 0 };
    this.#timings = this.names.map((_, at) => {
      const leaderTimeoutMs = (at === 0 ? timeout + longer : timeout) * UNIT;
      return { ...least, leaderTimeoutMs, clockDrift };
    });
    this.oldAge = Math.ceil(Math.max(...this.#timings.map(kernel.leaseMs)) / UNIT);
  }

  /** A peer that starts, with `term` and `voteFor` in its store, or with an empty one. */
  started(owner: number, term: number, voteFor: number, promise: number, isEmpty = false): Local {
    const core = this.#newCore(owner, isEmpty ? null : this.#stored(term, voteFor, promise));
    core.tick(NOW);
    return this.local(core, owner);
  }

  /** The core that `local` tells of, at `NOW`; its elections and beats are due. */
  core(local: Local): RaftCore {
    const { owner, savedTerm, savedVote, savedPromise, round, held, pendingTerm } = local;
    const isEmpty = local.rejoin !== NONE;
    const core = this.#newCore(owner, isEmpty ? null : this.#stored(savedTerm, savedVote, savedPromise));
    const open = core as unknown as OpenCore;
    const peers = core.peers as unknown as OpenPeerSet;
    const { self } = core.peers;
    core.peers.fixMembers();
    self.state = STATES[local.state] as PeerState;
    self.term = local.term;
    self.voteFor = this.#ip(local.voteFor);
    open.$now = open.$electionDue = open.$heartbeatDue = NOW;
    open.$promise.holder = this.#ip(local.holder);
    open.$promise.until = NOW + local.promise * UNIT;
    open.$roundNumber = ROUND;
    if (round !== NONE) open.$round = { number: ROUND, grants: this.#ips(round) };
    if (pendingTerm !== NONE) open.$saving = this.#stored(pendingTerm, local.pendingVote, savedPromise);
    peers.$votes = this.#ips(local.votes);
    if (local.lastLeader !== NONE) {
      const ip = this.names[local.lastLeader] as string;
      peers.$lastLeader = new this.#kernel.RaftPeer(ip).assign({ ...self, term: local.term });
      // As long as its promise runs, so that steady beats are looked at too.
      if (local.state === FOLLOWER && local.promise > 0 && local.lastLeader !== owner)
        peers.$leader = new this.#kernel.RaftPeer(ip).assign({ ...self, term: local.term });
    }
    if (local.state === LEADER) peers.$leader = self;
    if (open.$rejoin !== null) this.#openRejoin(open.$rejoin, local);
    this.#openLease(core, open, local);
    if (held.length > 0 && pendingTerm === NONE) throw new Error('what is held waits for a save');
    return core;
  }

  /** What `core` is at `now`. */
  local(core: RaftCore, owner: number, now: number = NOW): Local {
    const open = core as unknown as OpenCore;
    const peers = core.peers as unknown as OpenPeerSet;
    if (open.$registry !== null || open.$learner !== undefined)
      throw new Error('the state has no room for data, nor for one who only learns');
    const { self } = core.peers;
    const state = STATES.indexOf(self.state);
    const leads = core.isLeader(now) ? 1 : 0;
    const promise = unitsIn(open.$promise.until - now);
    const { lastLeader } = core.peers;
    const { $saving, $durable } = open;
    const isPending = $saving.term !== $durable.term || $saving.voteFor !== $durable.voteFor;
    const keepsVotes = this.#bounds.keepDead || state === CANDIDATE;
    const known = lastLeader !== null && lastLeader.term === self.term ? lastLeader.ip : null;
    return {
      owner,
      state,
      term: self.term,
      voteFor: this.#at(self.voteFor),
      lastLeader: this.#at(known),
      votes: keepsVotes ? this.#bits(peers.$votes ?? []) : 0,
      holder: promise === 0 ? NONE : this.#at(open.$promise.holder),
      promise,
      round: open.$round === null ? NONE : this.#bits(open.$round.grants),
      ...this.#leaseOf(core, owner, state, now),
      ...this.#rejoinOf(open.$rejoin, owner, now),
      wiped: 0,
      savedTerm: open.$durable.term,
      savedPromise: open.$durable.promisedMs / UNIT,
      savedVote: this.#at(open.$durable.voteFor),
      pendingTerm: isPending ? open.$saving.term : NONE,
      pendingVote: isPending ? this.#at(open.$saving.voteFor) : NONE,
      held: [],
      leads,
    };
  }

  /** Whether `core`, made of a local, opened a round since. */
  openedRound(core: RaftCore): boolean {
    return (core as unknown as OpenCore).$roundNumber !== ROUND;
  }

  /** The number of the round that is open in each core made of a local. */
  get round(): number {
    return ROUND;
  }

  snapshot(at: number, state: number, term: number, voteFor: number): PeerSnapshot {
    const ip = this.names[at] as string;
    const peerState = STATES[state] as PeerState;
    return { ip, state: peerState, term, voteFor: this.#ip(voteFor), leaderDueMs: 0, heartbeatDueMs: 0 };
  }

  vote(from: number, term: number, more: Partial<Vote> = {}): Vote {
    return { peer: this.snapshot(from, CANDIDATE, term, from), ...more };
  }

  beat(from: number, term: number, age: number): Beat {
    const { leaderTimeoutMs } = this.#timingOf(from);
    return {
      peer: this.snapshot(from, LEADER, term, from),
      datums: [],
      leaderTimeoutMs,
      sentAt: NOW - age * UNIT,
    };
  }

  /** What the peer `from` answers to one that asks with the id `ID`. */
  answer(from: number, term: number, empty: boolean): PeerReply {
    const promisedMs = this.#timingOf(from).leaderTimeoutMs;
    return { ...this.snapshot(from, FOLLOWER, term, NONE), empty, promisedMs, id: ID };
  }

  #timingOf(owner: number): Timing {
    return this.#timings[owner] as Timing;
  }

  #newCore(owner: number, stored: StoredState | null): RaftCore {
    const { RaftCore, RaftPeerSet } = this.#kernel;
    const peers = new RaftPeerSet({ local: this.names[owner] as string, members: this.#members });
    return new RaftCore({ peers, random: () => 0, timing: this.#timingOf(owner), stored });
  }

  #stored(term: number, voteFor: number, promise: number): StoredState {
    return { term, voteFor: this.#ip(voteFor), promisedMs: promise * UNIT };
  }

  #openRejoin(rejoin: OpenRejoin, { owner, rejoin: left, answers }: Local): void {
    rejoin.$startedAt = NOW + left * UNIT - this.#timingOf(owner).leaderTimeoutMs;
    rejoin.$askDue = NOW + left * UNIT;
    for (const [from, answer] of answers.entries()) {
      if (answer === NONE) continue;
      rejoin.$answers.set(this.names[from] as string, this.answer(from, answer >> 1, (answer & 1) === 1));
    }
  }

  #rejoinOf(rejoin: OpenRejoin | null, owner: number, now: number): Pick<Local, 'rejoin' | 'answers'> {
    if (rejoin === null) return { rejoin: NONE, answers: this.names.map(() => NONE) };
    const answers = this.names.map((ip) => {
      const answer = rejoin.$answers.get(ip);
      return answer === undefined ? NONE : 2 * answer.term + (answer.empty === false ? 0 : 1);
    });
    return { rejoin: unitsIn(rejoin.$startedAt + this.#timingOf(owner).leaderTimeoutMs - now), answers };
  }

  #openLease(core: RaftCore, open: OpenCore, local: Local): void {
    const { others, otherVoters } = core.peers;
    if (local.state !== LEADER && !this.#bounds.keepDead) return;
    open.$lease = open.$newLease();
    const { $lease: lease } = open;
    lease.$others = others;
    lease.$voters = otherVoters.map((ip) => others.indexOf(ip));
    lease.$needed = open.$needed();
    lease.$sentAt = others.map((ip) => {
      const age = local.sent[this.#at(ip)] ?? NONE;
      return age === NONE ? Number.NEGATIVE_INFINITY : NOW - age * UNIT;
    });
    lease.$electedAt = NOW - local.electedAge * UNIT;
    lease.$end = local.leaseLeft === 0 ? Number.NEGATIVE_INFINITY : NOW + local.leaseLeft;
    lease.$isGained = local.gained === 1;
    lease.$isOver = local.over === 1;
  }

  /** What observers acknowledged is left out: no lease counts it, and none of them can be handed the leadership. */
  #leaseOf(core: RaftCore, owner: number, state: number, now: number) {
    const { $lease: lease } = core as unknown as OpenCore;
    const sent = this.names.map(() => NONE);
    if (state !== LEADER && !this.#bounds.keepDead)
      return { gained: 0, over: 0, leaseLeft: 0, electedAge: 0, sent };
    const isOver = lease.$isOver || (lease.$isGained && lease.$end <= now);
    if (!isOver || this.#bounds.keepDead) {
      for (const [at, ip] of lease.$others.entries()) {
        const age = unitsIn(now - (lease.$sentAt[at] as number));
        if (age < this.oldAge && core.peers.isVoter(ip)) sent[this.#at(ip)] = age;
      }
    }
    const gained = lease.$isGained ? 1 : 0;
    return {
      gained,
      over: isOver ? 1 : 0,
      leaseLeft: isOver ? 0 : Math.max(0, Math.round((lease.$end - now) * 10) / 10),
      electedAge:
        gained === 1
          ? 0
          : Math.min(this.#timingOf(owner).leaderTimeoutMs / UNIT, unitsIn(now - lease.$electedAt)),
      sent,
    };
  }

  #ip(at: number): string | null {
    return at === NONE ? null : (this.names[at] as string);
  }

  #at(ip: string | null): number {
    return ip === null ? NONE : ip.charCodeAt(0) - 97;
  }

  #bits(ips: Iterable<string>): number {
    let bits = 0;
    for (const ip of ips) bits |= 1 << this.#at(ip);
    return bits;
  }

  #ips(bits: number): Set<string> {
    return new Set(this.names.filter((_, at) => (bits & (1 << at)) !== 0));
  }
}

/** Whole units in `ms`, none if that is negative. */
function unitsIn(ms: number): number {
  if (ms <= 0) return 0;
  if (ms !== Number.POSITIVE_INFINITY && ms % UNIT !== 0) throw new Error(`${ms} ms are no whole units`);
  return ms / UNIT;
}
