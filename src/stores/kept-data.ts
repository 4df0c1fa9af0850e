import {
  type Base,
  type Batch,
  type DataChanges,
  datumAfter,
  floorAfter,
  NO_DATA,
  type StoredData,
  type StoredDatum,
} from '../core/datum.js';
import { assert } from '../core/errors.js';
import type { Revision } from '../core/messages.js';

interface OwnBase extends Base {
  readonly datums: Map<string, StoredDatum>;
}

/** Changes whose map belongs to the store. */
export interface OwnChanges extends DataChanges {
  readonly base?: OwnBase;
}

/** `changes` as they are now, whatever becomes of the map and the list that the caller goes on with. */
export function copyChanges(changes: DataChanges): OwnChanges {
  const { base, append = [], ...others } = changes;
  const copy = { ...others, append: [...append] };
  return base === undefined ? copy : { ...copy, base: { ...base, datums: new Map(base.datums) } };
}

/**
 * @param lastSeq where the tail ends
 * @throws RaftError `INTERNAL` when `changes` would cut what is committed, or leave a gap
 */
export function checkChanges(changes: DataChanges, committedSeq: number, lastSeq: number): void {
  const { base, cutFrom, append = [] } = changes;
  const isKept = cutFrom === undefined || cutFrom > (base?.revision.seq ?? committedSeq);
  assert(isKept, 'what is committed is not cut');
  let seq = Math.min(base?.revision.seq ?? lastSeq, (cutFrom ?? Number.POSITIVE_INFINITY) - 1);
  for (const { revision } of append) assert(revision.seq === ++seq, 'batches are appended without a gap');
}

/** The data of the registry as a store holds it in memory. It takes over the map that it is given. */
export class KeptData {
  #revision: Revision;
  #stampFloor: number;
  readonly #datums: Map<string, StoredDatum>;
  readonly #tail: Batch[] = [];
  #committedSeq: number;
  #isFrozen = false;

  constructor({ revision, stampFloor, datums }: OwnBase = { ...NO_DATA.base, datums: new Map() }) {
    this.#revision = revision;
    this.#stampFloor = stampFloor;
    this.#datums = datums;
    this.#committedSeq = revision.seq;
  }

  /** Up to where its batches are known to be committed. */
  get committedSeq(): number {
    return this.#committedSeq;
  }

  get #lastSeq(): number {
    return this.#revision.seq + this.#tail.length;
  }

  get #base(): Base {
    return { revision: this.#revision, stampFloor: this.#stampFloor, datums: this.#datums };
  }

  copy(): StoredData {
    return { base: { ...this.#base, datums: new Map(this.#datums) }, tail: [...this.#tail] };
  }

  /** @throws RaftError `INTERNAL` when `changes` would cut what is committed, or leave a gap */
  check(changes: DataChanges): void {
    checkChanges(changes, this.#committedSeq, this.#lastSeq);
  }

  /** Makes `changes`, which have passed `check`. Gives what holds the data now: this, or another in its place. */
  change({ base, cutFrom, append = [] }: OwnChanges): KeptData {
    const data = base === undefined ? this : new KeptData(base);
    if (cutFrom !== undefined) data.#tail.splice(cutFrom - data.#revision.seq - 1);
    for (const batch of append) data.#tail.push(batch);
    return data;
  }

  /** Moves the batches up to `seq` into the base; while that is frozen, they wait for `thaw`. */
  fold(seq: number): void {
    this.#committedSeq = Math.max(this.#committedSeq, Math.min(seq, this.#lastSeq));
    if (this.#isFrozen) return;
    const count = this.#committedSeq - this.#revision.seq;
    for (const batch of this.#tail.splice(0, count)) this.#foldBatch(batch);
  }

  /** Gives what it holds now. The map is not copied, which would take long: it stays as it is until `thaw`. */
  freeze(): StoredData {
    this.#isFrozen = true;
    return { base: this.#base, tail: [...this.#tail] };
  }

  thaw(): void {
    this.#isFrozen = false;
    this.fold(this.#committedSeq);
  }

  #foldBatch({ revision, ops }: Batch): void {
    for (const op of ops) {
      const datum = datumAfter(op, revision);
      if (datum === null) this.#datums.delete(op.key);
      else this.#datums.set(op.key, datum);
      this.#stampFloor = floorAfter(this.#stampFloor, op);
    }
    this.#revision = revision;
  }
}
