import { type Bounds, SMALL, type Waypoint } from './bounds.js';
import type { Patch } from './build.js';
import { LEADER, type Local } from './local.js';

/** A fault planted in the core, and bounds within which it shows. */
export interface Defect {
  readonly name: string;
  readonly patches: readonly Patch[];
  readonly bounds: Bounds;
}

const CORE = 'core.ts';
const LEASE = 'lease.ts';
const PEER_SET = 'peer-set.ts';

function defect(
  name: string,
  file: string,
  find: string,
  replace: string,
  bounds: Partial<Bounds> = {},
): Defect {
  return { name, patches: [{ file, find, replace }], bounds: { ...SMALL, ...bounds } };
}

type Rest = (other: Local, leader: Local, third: Local) => boolean;

/** Whether a peer leads `term`, by its lease or by its election alone, and `rest` holds of the two others. */
function led(term: number, byLease: boolean, rest: Rest): Waypoint {
  return (peers) =>
    peers.some((leader) => {
      if (leader.state !== LEADER || leader.term !== term || (byLease && leader.leads !== 1)) return false;
      const others = peers.filter((peer) => peer !== leader);
      return others.some((other) => others.some((third) => third !== other && rest(other, leader, third)));
    });
}

/**
 * Four terms within one unit of time, in two hand-overs: x leads term 1; y, that never heard it beat, wins term 2, and x
 * term 3. Then y may win term 4, with the promise of a third peer, while x counts on what that peer said in term 1.
 */
const FOUR_TERMS: Partial<Bounds> = {
  timeout: 1,
  terms: 4,
  transfers: 2,
  keepDead: true,
  waypoints: [
    led(1, true, (other) => other.promise === 0),
    led(2, false, (other, leader) => leader.promise === 0 && other.sent.includes(0)),
    led(
      3,
      false,
      (other, leader, third) => other.promise === 0 && leader.promise === 0 && third.holder === other.owner,
    ),
  ],
  states: 20_000_000,
};

/** Those of the faults on the project's list that lie within the bounds of this model, and some more. */
export const DEFECTS: readonly Defect[] = [
  defect(
    'a leader without a lease (D3)',
    CORE,
    'return this.#lease.lasts(Math.max(now, this.#now));',
    'return true;',
  ),
  defect(
    'no promises: a vote of a higher term is granted at any time (D10)',
    CORE,
    'if (refusedForMs > 0) return { ...this.#voteReply(false, now), promiseMs',
    'if (refusedForMs > 0 && peer.term <= this.#self.term) return { ...this.#voteReply(false, now), promiseMs',
  ),
  defect(
    'the original tally: any vote, whoever asks (D2)',
    PEER_SET,
    "if (self.state !== 'CANDIDATE' || reply.term !== self.term || reply.voteFor !== self.ip)",
    'if (false)',
    { keepDead: true },
  ),
  defect(
    'term and vote are not saved (D4)',
    CORE,
    'this.#saving = { term, voteFor, promisedMs: Math.max(promisedMs, last.promisedMs) };',
    'this.#durable = this.#saving; return;',
    { crashes: 1 },
  ),
  defect(
    'a beat rewrites a vote already given (D5)',
    CORE,
    'if (rules.oneLeaderPerTerm) this.#self.voteFor ??= peer.ip;',
    'if (rules.oneLeaderPerTerm) this.#self.voteFor = peer.ip;',
  ),
  defect(
    'the vote is cleared within a term',
    CORE,
    'if (peer.term > this.#self.term) this.#adopt(peer.term, now);\n    if (compareRevisions',
    'if (peer.term >= this.#self.term) this.#adopt(peer.term, now);\n    if (compareRevisions',
  ),
  defect(
    'a second vote in one term',
    CORE,
    'if (voteFor !== null && voteFor !== peer.ip) return this.#voteReply(false, now);',
    '',
  ),
  defect(
    'half of the voters are a majority',
    PEER_SET,
    'return Math.floor(this.#voters.length / 2) + 1;',
    'return Math.floor(this.#voters.length / 2);',
  ),
  defect('replies of an earlier term are counted', PEER_SET, 'reply.term !== self.term || ', '', {
    keepDead: true,
  }),
  defect('a late grant is counted after stepping down', PEER_SET, "self.state !== 'CANDIDATE' || ", '', {
    keepDead: true,
  }),
  defect(
    'a late majority of a closed pre-vote round is counted',
    CORE,
    "this.peers.become('FOLLOWER');\n    this.#round = null;\n    const promisedMs",
    "this.peers.become('FOLLOWER');\n    const promisedMs",
  ),
  defect(
    'the lease counts from the arrival of the answer',
    CORE,
    'this.#lease.acknowledged(from, sentAt, now);',
    'this.#lease.acknowledged(from, now, now);',
  ),
  defect(
    'the lease takes no account of drift',
    'timing.ts',
    'return (timing.leaderTimeoutMs * (1 - timing.clockDrift)) / (1 + timing.clockDrift);',
    'return timing.leaderTimeoutMs;',
    { timeout: 3, slowClocks: 2 },
  ),
  defect(
    'a won election counts as a lease',
    LEASE,
    'this.#end = needed === 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;\n    this.#isGained = false;',
    'this.#end = now + leaseMs(this.#timing);\n    this.#isGained = true;',
  ),
  defect(
    'the lease is not given up before a transfer',
    CORE,
    'this.#stepDown(at);\n      this.#makeWay(at);',
    'this.#makeWay(at);',
    { transfers: 1 },
  ),
  defect(
    'a late transfer order is obeyed',
    CORE,
    "if (peer.term === term && state !== 'LEADER'",
    "if (peer.term <= term && state !== 'LEADER'",
    { terms: 3, transfers: 1 },
  ),
  defect(
    'a vote of an ordinary election claims to be a transfer',
    CORE,
    'if (round.grants.size >= this.peers.majorityCount()) this.#campaign(now, false);',
    'if (round.grants.size >= this.peers.majorityCount()) this.#campaign(now, true);',
  ),
  defect(
    'the promise is dropped when a term is adopted',
    CORE,
    '#adopt(term: number, now: number): void {\n    this.#round = null;',
    '#adopt(term: number, now: number): void {\n    this.#round = null;\n    this.#promise.until = now;',
  ),
  defect(
    'a promise that lasts a unit less than its L',
    CORE,
    'this.#promise.until = now + promisedMs;',
    'this.#promise.until = now + promisedMs - 1000;',
  ),
  defect(
    'the start wait is dropped at a restart',
    CORE,
    'if (!this.peers.isAlone) this.#promise.until = now + Math.max(leaderTimeoutMs, this.#durable.promisedMs);',
    '',
    { crashes: 1 },
  ),
  defect(
    'a candidacy is sent before it is saved',
    CORE,
    'this.peers.campaign();\n    this.#save();',
    'this.peers.campaign();',
    { crashes: 1, lateSaves: true },
  ),
  defect(
    'acknowledgements of an older term are counted',
    CORE,
    "if (this.#self.state === 'LEADER' && reply.requestTerm === this.#self.term)",
    "if (this.#self.state === 'LEADER')",
    FOUR_TERMS,
  ),
  {
    name: 'the lease table is not cleared at an election',
    patches: [
      {
        file: LEASE,
        find: 'this.#sentAt = new Float64Array(voters.length).fill(Number.NEGATIVE_INFINITY);',
        replace:
          'if (this.#sentAt.length === 0) this.#sentAt = new Float64Array(voters.length).fill(Number.NEGATIVE_INFINITY);',
      },
      {
        file: LEASE,
        find: 'this.#end = needed === 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;',
        replace: 'if (needed === 0) this.#end = Number.POSITIVE_INFINITY;',
      },
    ],
    bounds: { ...SMALL, ...FOUR_TERMS },
  },
];
