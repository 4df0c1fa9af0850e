import type { StoredDatum } from './datum.js';
import { assert } from './errors.js';
import type { Revision } from './messages.js';

/**
 * A base as it was at one moment, while the map that it stands for goes on changing. Whoever changes a key says so before,
 * by `note`. So nothing is copied: a copy of a large base would hold up everything else for as long as it takes.
 */
export class Snapshot {
  readonly revision: Revision;
  readonly stampFloor: number;
  /** How many datums there were. */
  readonly total: number;
  readonly #datums: ReadonlyMap<string, StoredDatum>;
  /** What changed since, as it was. */
  readonly #former = new Map<string, StoredDatum | null>();
  /** The list as far as it was asked for; its order stays. */
  readonly #listed: StoredDatum[] = [];
  readonly #seen = new Set<string>();
  readonly #keys: Iterator<string>;

  constructor(revision: Revision, stampFloor: number, datums: ReadonlyMap<string, StoredDatum>) {
    this.revision = revision;
    this.stampFloor = stampFloor;
    this.total = datums.size;
    this.#datums = datums;
    this.#keys = datums.keys();
  }

  /** `key` is about to be changed in the map. */
  note(key: string): void {
    if (!this.#former.has(key)) this.#former.set(key, this.#datums.get(key) ?? null);
  }

  /** The datum of `key`, or null. */
  get(key: string): StoredDatum | null {
    const former = this.#former.get(key);
    return former === undefined ? (this.#datums.get(key) ?? null) : former;
  }

  /** A part of the list of all datums, which is in no particular order. */
  list(from: number, count: number): readonly StoredDatum[] {
    while (this.#listed.length < from + count && this.#listed.length < this.total) this.#listNext();
    return this.#listed.slice(from, from + count);
  }

  /** What was removed since the beginning is no more among the keys: it comes last. */
  #listNext(): void {
    const { done, value } = this.#keys.next();
    for (const key of done === true ? this.#former.keys() : [value]) this.#listOnce(key);
    assert(done !== true || this.#listed.length === this.total, 'each datum of a snapshot is listed once');
  }

  /** A key that was removed and set again comes twice. */
  #listOnce(key: string): void {
    const datum = this.get(key);
    if (datum === null || this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#listed.push(datum);
  }
}
