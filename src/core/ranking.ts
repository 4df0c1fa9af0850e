import type { PeerSnapshot } from './peer.js';
import type { RaftPeerSet } from './peer-set.js';
import type { Timing } from './timing.js';

/** A voter that may come up for election. */
export interface Ranked {
  readonly ip: string;
  readonly priority: number;
}

/**
 * The place, from 0, at which `ip` comes up for election: all peers that know the same term and the same last leader
 * compute the same order (section 3, ranked timeouts). Higher priority first, then a hash of term and ip; the last
 * leader last; who has priority 0 has no place.
 *
 * @param group the name of the group, which goes into the hash: with many groups each peer comes first in its share
 * @returns a place below the number of voters; 0 for an `ip` that is not among them
 */
export function rankOf(
  ip: string,
  voters: readonly Ranked[],
  lastLeader: string | null,
  term: number,
  group: string = '',
): number {
  const own = voters.find((voter) => voter.ip === ip);
  if (own === undefined) return 0;
  const election = `${group}${term}`;
  return voters.filter((other) => other.priority > 0 && comesBefore(other, own, lastLeader, election)).length;
}

/** When this peer comes up for election (D16): one after the other, or, with original peers, at random. */
export class ElectionTimeouts {
  readonly #peers: RaftPeerSet;
  readonly #timing: Timing;
  readonly #random: () => number;
  readonly #group: string;
  #term = -1;
  #lastLeader: string | null = null;
  #voters: readonly Ranked[] = [];
  #rank = 0;

  constructor(peers: RaftPeerSet, timing: Timing, random: () => number, group: string = '') {
    this.#peers = peers;
    this.#timing = timing;
    this.#random = random;
    this.#group = group;
  }

  /** When this peer comes up, if `base` is the earliest moment at which anyone may. */
  after(base: number): number {
    if (!this.#peers.rules.rankedTimeouts) return base + this.#random() * this.#timing.randomMs;
    if (this.#peers.isAlone) return base;
    return base + (this.#currentRank() + this.#random() / 4) * this.#timing.staggerMs;
  }

  /** When this peer comes up, if all have seen at `now` that the leader is gone (D17): whose turn it is, at once. */
  afterRelease(now: number): number {
    return now + this.#currentRank() * this.#timing.staggerMs;
  }

  /** When an election that began at `now` counts as lost: after a round trip, and something random. */
  retryAfter(now: number): number {
    return now + this.#timing.requestTimeoutMs + this.#random() * this.#timing.randomMs;
  }

  /** Computed anew only when what it depends on changes: each beat asks for it. */
  #currentRank(): number {
    const { self, voters, lastLeader } = this.#peers;
    const leaderIp = lastLeader?.ip ?? null;
    if (this.#term !== self.term || this.#lastLeader !== leaderIp || this.#voters !== voters) {
      this.#rankAnew(self, voters, leaderIp);
    }
    return this.#rank;
  }

  #rankAnew({ ip, term }: PeerSnapshot, voters: readonly Ranked[], lastLeader: string | null): void {
    this.#term = term;
    this.#lastLeader = lastLeader;
    this.#voters = voters;
    this.#rank = rankOf(ip, voters, lastLeader, term, this.#group);
  }
}

function comesBefore(a: Ranked, b: Ranked, lastLeader: string | null, election: string): boolean {
  if (a.ip === lastLeader) return false;
  if (b.ip === lastLeader) return true;
  if (a.priority !== b.priority) return a.priority > b.priority;
  const byHash = hash(`${election}:${a.ip}`) - hash(`${election}:${b.ip}`);
  return byHash === 0 ? a.ip < b.ip : byHash < 0;
}

/** FNV-1a, and a last mix: ips that differ in one digit must not stand in the same order in each term. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
