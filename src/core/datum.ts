import type { Revision } from './messages.js';

/** A committed datum as it is kept and as it travels. */
export interface StoredDatum {
  readonly key: string;
  /** The value as JSON text. */
  readonly value: string;
  /** The number of its newest change: 1 or more; each publication of the key raises it, and it never comes back. */
  readonly timestamp: number;
  /** The batch that set it. */
  readonly revision: Revision;
}

/** One change of one key; absolute, so that followers compute nothing. */
export interface Op {
  readonly key: string;
  /** The new value as JSON text; null removes the key. */
  readonly value: string | null;
  /** Of the new value, or of the one removed. */
  readonly timestamp: number;
}

/** What a leader appends at once: at most one op a key. A new leader starts with an empty one (section 4, commit). */
export interface Batch {
  /** The term of the leader that built it, and its position: one more than that of the batch before. */
  readonly revision: Revision;
  readonly ops: readonly Op[];
}

/** Everything that is committed up to `revision`. */
export interface Base {
  readonly revision: Revision;
  /** No new key starts at or below this timestamp, so that one that was removed does not come back with an old one. */
  readonly stampFloor: number;
  readonly datums: ReadonlyMap<string, StoredDatum>;
}

/** What an op of the batch `revision` makes of its key, once that is folded; null: there is no such key any more. */
export function datumAfter({ key, value, timestamp }: Op, revision: Revision): StoredDatum | null {
  return value === null ? null : { key, value, timestamp, revision };
}

/** The stampFloor once an op is folded: a removal raises it to what was removed. */
export function floorAfter(stampFloor: number, { value, timestamp }: Op): number {
  return value === null ? Math.max(stampFloor, timestamp) : stampFloor;
}

/** What a store keeps of the registry: a base that may lag, and the batches behind it, without a gap. */
export interface StoredData {
  readonly base: Base;
  readonly tail: readonly Batch[];
}

/** How one save changes the stored data, in this order, as one step. */
export interface DataChanges {
  /** Replaces the base, and the whole tail by nothing (section 4, catching up, 4). */
  readonly base?: Base;
  /** Cuts the batches of the tail from this seq on. */
  readonly cutFrom?: number;
  /** Behind what is left, without a gap. */
  readonly append?: readonly Batch[];
}

/** The data of a peer that never held any. */
export const NO_DATA: StoredData = {
  base: { revision: { term: 0, seq: 0 }, stampFloor: 0, datums: new Map() },
  tail: [],
};
