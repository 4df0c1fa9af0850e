import {
  type Base,
  type Batch,
  type DataChanges,
  datumAfter,
  floorAfter,
  type Op,
  type StoredData,
  type StoredDatum,
} from './datum.js';
import { assert } from './errors.js';
import { MEMBERS_KEY } from './members.js';
import { NO_REVISION, type Revision } from './messages.js';
import { Snapshot } from './snapshot.js';

/** What became of one key when a batch was folded, or a base taken over. */
export interface DatumChange {
  readonly key: string;
  /** What it is now; null: removed. */
  readonly datum: StoredDatum | null;
  /** The batch that did it, or, for what was removed before a base was taken over, that base. */
  readonly revision: Revision;
}

/** Whether both name the same batch. */
export function sameRevision(a: Revision, b: Revision): boolean {
  return a.seq === b.seq && a.term === b.term;
}

/** About how many characters a batch takes on the wire. */
export function sizeOf({ ops }: Batch): number {
  return ops.reduce((size, op) => size + sizeOfOp(op), OP_OVERHEAD);
}

/** About how many characters an op takes on the wire. */
export function sizeOfOp({ key, value }: Pick<Op, 'key' | 'value'>): number {
  return key.length + (value?.length ?? 0) + OP_OVERHEAD;
}

const OP_OVERHEAD = 64;

/** How many times its bound the history may be long for the sake of those who catch up. */
const KEPT_TIMES = 4;

/**
 * What one peer holds (section 4): the base, the tail behind it, and, before the end of the base, the history: the newest
 * batches that were folded. History and tail are one gapless run of batches.
 *
 * It keeps to the rules that need no knowledge of terms and leaders; the changes that must be saved are taken from it by
 * `takeChanges`.
 */
export class Datums {
  #datums: Map<string, StoredDatum>;
  #base: Revision;
  #stampFloor: number;
  /** History, then tail: the batch of seq s stands at s - since.seq - 1. */
  #batches: Batch[];
  #since: Revision;
  #historySize = 0;
  #tailSize = 0;
  readonly #maxHistorySize: number;
  /** What the tail makes of each key that it names: the newest op. */
  readonly #tailOps = new Map<string, { readonly op: Op; readonly revision: Revision }>();
  #tailFloor: number;
  #pinned: Snapshot | null = null;
  #changes: { base?: Base; cutFrom?: number; append?: Batch[] } | null = null;

  /** @param maxHistorySize how many characters of folded batches are kept */
  constructor({ base, tail }: StoredData, maxHistorySize: number) {
    this.#datums = new Map(base.datums);
    this.#base = base.revision;
    this.#since = base.revision;
    this.#stampFloor = base.stampFloor;
    this.#tailFloor = base.stampFloor;
    this.#batches = [];
    this.#maxHistorySize = maxHistorySize;
    for (const batch of tail) this.#push(batch);
  }

  /** The revision of the base: all up to it is committed. */
  get base(): Revision {
    return this.#base;
  }

  /** The revision of the newest batch, committed or not. */
  get last(): Revision {
    return this.#batches.at(-1)?.revision ?? this.#since;
  }

  /** What the history begins behind. */
  get since(): Revision {
    return this.#since;
  }

  /** The timestamp above which new keys start, the tail taken into account. */
  get stampFloor(): number {
    return this.#tailFloor;
  }

  /** About how many characters wait in the tail. */
  get tailSize(): number {
    return this.#tailSize;
  }

  /** The committed datum of `key`, or null. */
  get(key: string): StoredDatum | null {
    return this.#datums.get(key) ?? null;
  }

  /** All committed datums. */
  all(): ReadonlyMap<string, StoredDatum> {
    return this.#datums;
  }

  /** The base as it is now; it changes. */
  view(): Base {
    return { revision: this.#base, stampFloor: this.#stampFloor, datums: this.#datums };
  }

  /** A snapshot of the base, in the place of an earlier one; it holds until `unpin`, or until another base takes over. */
  pin(): Snapshot {
    this.#pinned = new Snapshot(this.#base, this.#stampFloor, this.#datums);
    return this.#pinned;
  }

  /** Nobody reads the snapshot any more. */
  unpin(): void {
    this.#pinned = null;
  }

  /** What `key` is when all batches of the tail are folded, or null. */
  newest(key: string): Pick<StoredDatum, 'value' | 'timestamp'> | null {
    const waiting = this.#tailOps.get(key);
    if (waiting === undefined) return this.get(key);
    const { value, timestamp } = waiting.op;
    return value === null ? null : { value, timestamp };
  }

  /** The newest list of members, and the batch that it came with; null while there is none. */
  get members(): { readonly value: string; readonly revision: Revision } | null {
    const waiting = this.#tailOps.get(MEMBERS_KEY);
    if (waiting !== undefined) return { value: waiting.op.value ?? '[]', revision: waiting.revision };
    return this.get(MEMBERS_KEY);
  }

  /** The batch that last changed the members. */
  get membersRevision(): Revision {
    return this.members?.revision ?? NO_REVISION;
  }

  /** Whether a change of the members is not committed yet. */
  get isChangingMembers(): boolean {
    return this.#tailOps.has(MEMBERS_KEY);
  }

  /** The list of members of the base, and those that wait in the tail: of these, each may still come to nothing. */
  get memberLists(): readonly string[] {
    const tail = this.#batches.slice(this.#base.seq - this.#since.seq);
    const waiting = tail.flatMap(({ ops }) => ops).filter(({ key }) => key === MEMBERS_KEY);
    return [this.get(MEMBERS_KEY), ...waiting].flatMap((list) => list?.value ?? []);
  }

  /** The revision at `seq`, if history or tail reach there. */
  at(seq: number): Revision | undefined {
    if (seq === this.#since.seq) return this.#since;
    return this.#batches[seq - this.#since.seq - 1]?.revision;
  }

  /** Whether history or tail hold exactly this batch. */
  holds(revision: Revision): boolean {
    const held = this.at(revision.seq);
    return held !== undefined && sameRevision(held, revision);
  }

  /** The batches behind `seq`, as many as fit into `maxSize` characters, but one at least. */
  after(seq: number, maxSize: number): readonly Batch[] {
    const from = seq - this.#since.seq;
    let to = from;
    for (let size = 0; to < this.#batches.length; to++) {
      size += sizeOf(this.#batches[to] as Batch);
      if (size > maxSize && to > from) break;
    }
    return this.#batches.slice(from, to);
  }

  /** Appends a batch to the tail. */
  append(batch: Batch): void {
    assert(batch.revision.seq === this.last.seq + 1, 'batches have no gaps');
    this.#push(batch);
    this.#changed().append = [...(this.#changes?.append ?? []), batch];
  }

  /** Cuts the tail from `seq` on. */
  cut(seq: number): void {
    assert(seq > this.#base.seq, `what is committed is never cut: ${seq}, ${this.#base.seq}`);
    this.#batches.length = seq - this.#since.seq - 1;
    this.#tailOps.clear();
    this.#tailFloor = this.#stampFloor;
    this.#tailSize = 0;
    for (const batch of this.#batches.slice(this.#base.seq - this.#since.seq)) this.#note(batch);
    const changes = this.#changed();
    const kept = changes.append?.filter(({ revision }) => revision.seq < seq);
    changes.cutFrom = Math.min(seq, changes.cutFrom ?? seq);
    if (kept !== undefined) changes.append = kept;
  }

  /** Folds the tail up to `seq` into the base, never backwards; returns what changed, in order. */
  fold(seq: number): readonly DatumChange[] {
    const changes: DatumChange[] = [];
    for (let at = this.#base.seq + 1; at <= seq; at++) {
      const batch = this.#batches[at - this.#since.seq - 1];
      assert(batch !== undefined, `only what is there is folded: ${at}`);
      for (const op of batch.ops) changes.push(this.#apply(op, batch.revision));
      this.#base = batch.revision;
      const size = sizeOf(batch);
      this.#historySize += size;
      this.#tailSize -= size;
    }
    return changes;
  }

  /** Forgets the oldest history beyond its bound; what is behind `keepSince` only when there is far more of it. */
  trim(keepSince: number): void {
    if (this.#historySize <= this.#maxHistorySize) return;
    let count = 0;
    const mayKeep = this.#historySize <= KEPT_TIMES * this.#maxHistorySize;
    const upTo = (mayKeep ? Math.min(this.#base.seq, keepSince) : this.#base.seq) - this.#since.seq;
    // Down to half, so that it costs little for each batch.
    while (count < upTo && this.#historySize > this.#maxHistorySize / 2) {
      this.#historySize -= sizeOf(this.#batches[count] as Batch);
      count++;
    }
    if (count === 0) return;
    this.#since = (this.#batches[count - 1] as Batch).revision;
    this.#batches.splice(0, count);
  }

  /** Takes over a base that is further than this one, with an empty tail; returns what changed. */
  replace(base: Base): readonly DatumChange[] {
    assert(base.revision.seq > this.#base.seq, 'a base never goes backwards');
    const former = this.#datums;
    this.#datums = new Map(base.datums);
    this.#pinned = null;
    this.#base = this.#since = base.revision;
    this.#stampFloor = this.#tailFloor = base.stampFloor;
    this.#batches = [];
    this.#historySize = this.#tailSize = 0;
    this.#tailOps.clear();
    this.#changes = { base };
    return differences(former, base);
  }

  /** What must be saved since it was last asked, if anything. */
  takeChanges(): DataChanges | null {
    const changes = this.#changes;
    this.#changes = null;
    return changes;
  }

  #changed(): { base?: Base; cutFrom?: number; append?: Batch[] } {
    this.#changes ??= {};
    return this.#changes;
  }

  #push(batch: Batch): void {
    this.#batches.push(batch);
    this.#note(batch);
  }

  #note(batch: Batch): void {
    const { ops, revision } = batch;
    this.#tailSize += sizeOf(batch);
    for (const op of ops) {
      this.#tailOps.set(op.key, { op, revision });
      this.#tailFloor = floorAfter(this.#tailFloor, op);
    }
  }

  #apply(op: Op, revision: Revision): DatumChange {
    const { key } = op;
    const datum = datumAfter(op, revision);
    if (this.#tailOps.get(key)?.op === op) this.#tailOps.delete(key);
    this.#pinned?.note(key);
    if (datum === null) this.#datums.delete(key);
    else this.#datums.set(key, datum);
    this.#stampFloor = floorAfter(this.#stampFloor, op);
    return { key, datum, revision };
  }
}

/** What one who saw `former` is to be told of `base`. */
export function differences(
  former: ReadonlyMap<string, StoredDatum>,
  { datums, revision }: Base,
): readonly DatumChange[] {
  const changes: DatumChange[] = [];
  for (const key of former.keys()) if (!datums.has(key)) changes.push({ key, datum: null, revision });
  for (const [key, datum] of datums) {
    // A timestamp never comes back: the same one is the same datum.
    if (former.get(key)?.timestamp !== datum.timestamp)
      changes.push({ key, datum, revision: datum.revision });
  }
  return changes;
}
