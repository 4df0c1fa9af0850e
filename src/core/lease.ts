import { leaseMs, type Timing } from './timing.js';

/**
 * What a follower promises: no vote for anyone but `holder` before `until` (section 3, promise). At the start the
 * holder is nobody in particular. Survives terms, lost leaders and step-downs: it is a deadline of its own.
 */
export interface LeaderPromise {
  holder: string | null;
  /** In ms of the core's clock. */
  until: number;
}

/** Who asks for a grant: of a vote, a pre-vote, or its own candidacy. */
export interface GrantRequest {
  readonly ip: string;
  /** Whether a leader ordered it: such a vote skips promises, for that leader gave up its lease first. */
  readonly transfer: boolean;
}

/**
 * The one check that stands before every vote, pre-vote and candidacy, the first ones after a start too.
 *
 * A leader within its lease grants nothing, not even a transfer: otherwise a flapping peer and the leader would be a
 * majority that unseats it.
 *
 * @param leaseLeftMs the ms left of this peer's own lease; 0 or less when it has none
 */
export function mayGrant(
  request: GrantRequest,
  promise: LeaderPromise,
  leaseLeftMs: number,
  now: number,
): boolean {
  if (leaseLeftMs > 0) return false;
  return now >= promise.until || request.ip === promise.holder || request.transfer;
}

/**
 * The leader's lease: for as long as it lasts, a majority has promised to elect nobody else (section 3, lease).
 *
 * It counts from the moment at which a beat was *sent*: each follower promised later than that. Once it has ended it
 * stays so for the term, whatever is acknowledged later and whatever clocks do.
 */
export class Lease {
  readonly #timing: Timing;
  #others: readonly string[] = [];
  #voters: readonly number[] = [];
  #needed = 0;
  /** When the newest beat was sent that each of the others acknowledged. */
  #sentAt: number[] = NEVER;
  /** When each one's connection was lost last: beats that were sent before do not count any more. */
  #lostAt: number[] = NEVER;
  #electedAt = Number.NEGATIVE_INFINITY;
  #majoritySentAt = Number.NEGATIVE_INFINITY;
  #end = Number.NEGATIVE_INFINITY;
  #isGained = false;
  #isOver = false;
  /** By how many ms the time of leases runs ahead of the core's clock. */
  #aheadMs = 0;

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  /**
   * An election was won: nothing is acknowledged yet.
   *
   * @param others the other members
   * @param voters those of them that vote
   * @param needed how many of these make a majority with the leader
   */
  begin(now: number, others: readonly string[], voters: readonly string[], needed: number): void {
    this.#sentAt = NEVER;
    this.#lostAt = NEVER;
    this.#electedAt = now;
    this.#isGained = false;
    this.#isOver = false;
    this.changeMembers(others, voters, needed);
  }

  /** The members changed (section 4, members): what the remaining ones acknowledged stands. */
  changeMembers(others: readonly string[], voters: readonly string[], needed: number): void {
    this.#lostAt = others.map((ip) => this.#lostAtOf(ip));
    this.#sentAt = others.map((ip) => this.sentAt(ip));
    this.#others = others;
    this.#voters = voters.map((ip) => others.indexOf(ip));
    this.#needed = needed;
    this.#count();
  }

  /** `now` in the time of leases, which goes by whichever clock went further: beats are stamped with it. */
  timeOf(now: number): number {
    return now + this.#aheadMs;
  }

  /** The wall clock went `ms` further than the monotonic one. */
  age(ms: number): void {
    this.#aheadMs += ms;
  }

  /** A member acknowledged the beat that was sent at `sentAt`; one not sent yet, or of a stranger, does not count. */
  acknowledged(ip: string, sentAt: number, now: number): void {
    const at = this.#others.indexOf(ip);
    if (at < 0 || sentAt > this.timeOf(now)) return;
    if (sentAt <= this.sentAt(ip) || sentAt <= this.#lostAtOf(ip)) return;
    this.#sentAt[at] = sentAt;
    this.#count();
  }

  /** The connection to a member is lost (D17): it may have dropped its promise, so what it acknowledged is void. */
  disconnected(ip: string, now: number): void {
    const at = this.#others.indexOf(ip);
    if (at < 0) return;
    this.#lostAt[at] = this.timeOf(now);
    this.#sentAt[at] = Number.NEGATIVE_INFINITY;
    this.#count();
  }

  /** When the newest beat was sent that a majority acknowledged; infinity when no other peer is needed. */
  get majoritySentAt(): number {
    return this.#majoritySentAt;
  }

  /** When the newest beat was sent that `ip` acknowledged; minus infinity when none was. */
  sentAt(ip: string): number {
    return this.#sentAt[this.#others.indexOf(ip)] ?? Number.NEGATIVE_INFINITY;
  }

  /** Whether the first lease of this term is gained at this very call. */
  gains(now: number): boolean {
    if (this.#isGained || this.timeOf(now) >= this.#end) return false;
    this.#isGained = true;
    return true;
  }

  /** Whether a majority ever acknowledged in this term. */
  get isGained(): boolean {
    return this.#isGained;
  }

  /** Whether it lasts at `now`; false after true stays so. */
  lasts(now: number): boolean {
    if (!this.#isGained || this.#isOver) return false;
    this.#isOver = this.timeOf(now) >= this.#end;
    return !this.#isOver;
  }

  /** How many ms of it are left at `now`, if it lasts. */
  leftMs(now: number): number {
    return this.#end - this.timeOf(now);
  }

  /** When the leader must step down: when the lease ends, or when the first one was not gained within L. */
  get stepDownDue(): number {
    if (this.#isOver) return Number.NEGATIVE_INFINITY;
    return this.#isGained ? this.#end - this.#aheadMs : this.#electedAt + this.#timing.leaderTimeoutMs;
  }

  /** The newest moment since which enough voters have acknowledged; there is no table to sort, nor to allocate. */
  #count(): void {
    let newest = this.#needed > 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    for (const at of this.#voters) {
      const sentAt = this.#sentAt[at] as number;
      if (sentAt > newest && this.#hasEnough(sentAt)) newest = sentAt;
    }
    this.#majoritySentAt = newest;
    this.#end = newest + leaseMs(this.#timing);
  }

  /** Whether enough voters acknowledged a beat that was sent at `since` or later. */
  #hasEnough(since: number): boolean {
    let count = 0;
    for (const at of this.#voters) if ((this.#sentAt[at] as number) >= since) count++;
    return count >= this.#needed;
  }

  #lostAtOf(ip: string): number {
    return this.#lostAt[this.#others.indexOf(ip)] ?? Number.NEGATIVE_INFINITY;
  }
}

const NEVER: number[] = [];
