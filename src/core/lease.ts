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
 * It counts from the moment at which a beat was *sent*: each follower promised later than that.
 */
export class Lease {
  readonly #durationMs: number;
  #voters: readonly string[] = [];
  #needed = 0;
  #sentAt = new Float64Array(0);
  #sorted = new Float64Array(0);
  #end = Number.NEGATIVE_INFINITY;

  constructor(durationMs: number) {
    this.#durationMs = durationMs;
  }

  /** Forgets every acknowledgement. `voters`: the others; `needed`: how many of them make a majority with the leader. */
  clear(voters: readonly string[], needed: number): void {
    this.#voters = voters;
    this.#needed = needed;
    this.#sentAt = new Float64Array(voters.length).fill(Number.NEGATIVE_INFINITY);
    this.#sorted = new Float64Array(voters.length);
    this.#end = needed === 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  }

  /** A voter acknowledged the beat that was sent at `sentAt`; who is no voter is ignored. */
  acknowledged(ip: string, sentAt: number): void {
    const at = this.#voters.indexOf(ip);
    if (at < 0 || sentAt <= this.sentAt(ip)) return;
    this.#sentAt[at] = sentAt;
    this.#sorted.set(this.#sentAt);
    this.#sorted.sort();
    this.#end =
      (this.#sorted[this.#sorted.length - this.#needed] ?? Number.POSITIVE_INFINITY) + this.#durationMs;
  }

  /** When the newest beat was sent that `ip` acknowledged; minus infinity when none was. */
  sentAt(ip: string): number {
    return this.#sentAt[this.#voters.indexOf(ip)] ?? Number.NEGATIVE_INFINITY;
  }

  /** When it ends; minus infinity while no majority has acknowledged, infinity when the leader alone is a majority. */
  get end(): number {
    return this.#end;
  }
}
