import type { StoredDatum } from './datum.js';
import { type Datums, sameRevision } from './datums.js';
import { RaftError } from './errors.js';
import type { DatumsReply, KeysReply, ListedKey, Revision } from './messages.js';
import type { Snapshot } from './snapshot.js';

/** The most keys on one page of the list. */
export const KEYS_PAGE = 1_000;

/**
 * The snapshot of the leader's base that all laggards catch up by (section 4, catching up, 2): made when the first of
 * them asks, and let go of when nobody asks any more.
 */
export class PinnedBase {
  readonly #datums: Datums;
  readonly #maxReplySize: number;
  readonly #idleMs: number;
  #pinned: Snapshot | null = null;
  #askedAt = Number.NEGATIVE_INFINITY;

  /**
   * @param maxReplySize how many characters of keys or values go into one reply
   * @param idleMs after how many ms without a question the snapshot is let go of
   */
  constructor(datums: Datums, maxReplySize: number, idleMs: number) {
    this.#datums = datums;
    this.#maxReplySize = maxReplySize;
    this.#idleMs = idleMs;
  }

  /** The seq that history must reach while somebody catches up, or infinity. */
  get keepSince(): number {
    return this.#pinned?.revision.seq ?? Number.POSITIVE_INFINITY;
  }

  /** Lets go of a snapshot that nobody asked for, or that history no longer reaches. */
  release(now: number): void {
    const isLost = this.keepSince < this.#datums.since.seq;
    if (now >= this.#askedAt + this.#idleMs || isLost) this.drop();
  }

  drop(): void {
    if (this.#pinned === null) return;
    this.#pinned = null;
    this.#datums.unpin();
  }

  /**
   * A page of the list, of the snapshot `at`, or of the one that is pinned.
   *
   * @throws RaftError `GONE`
   */
  keys(at: Revision | undefined, from: number, now: number): KeysReply {
    const pinned = at === undefined ? this.#pin(now) : this.#find(at, now);
    const keys: ListedKey[] = [];
    let size = 0;
    for (const { key, revision } of pinned.list(from, KEYS_PAGE)) {
      size += key.length;
      if (size > this.#maxReplySize && keys.length > 0) break;
      keys.push({ key, revision });
    }
    return { at: pinned.revision, stampFloor: pinned.stampFloor, keys, total: pinned.total };
  }

  /**
   * Values of the snapshot `at`, as many as fit into one reply, one at least.
   *
   * @throws RaftError `GONE`
   */
  datums(at: Revision, asked: readonly ListedKey[], now: number): DatumsReply {
    const pinned = this.#find(at, now);
    const datums: StoredDatum[] = [];
    let size = 0;
    for (const { key } of asked) {
      const datum = pinned.get(key);
      if (datum === null) continue;
      size += key.length + datum.value.length;
      if (size > this.#maxReplySize && datums.length > 0) break;
      datums.push(datum);
    }
    return { at: pinned.revision, datums };
  }

  #pin(now: number): Snapshot {
    this.#pinned ??= this.#datums.pin();
    this.#askedAt = now;
    return this.#pinned;
  }

  #find(at: Revision, now: number): Snapshot {
    if (this.#pinned === null || !sameRevision(this.#pinned.revision, at)) {
      throw new RaftError('GONE', `the base of seq ${at.seq} is no longer kept`);
    }
    return this.#pin(now);
  }
}
