import type { Base, StoredDatum } from './datum.js';
import { type Datums, sameRevision } from './datums.js';
import type { DatumsReply, KeysReply, ListedKey, RaftRequest, Revision } from './messages.js';

/** How many values are asked for at once, as in the original. */
export const FETCH_BATCH = 50;
/** How many requests of a catch-up may be under way. */
const MAX_OPEN = 4;

/**
 * A follower that history does not reach gets the beat-and-fetch of the original (section 4, catching up): the list of
 * keys, then what it lacks of the values. All of it is staged here: base and tail stay as they are until it is whole.
 */
export class CatchUp {
  /** The term that it runs in; a change of term drops it. */
  readonly term: number;
  /** Who is asked. */
  readonly leader: string;
  readonly #datums: Datums;
  /** What was fetched before: (key, revision) names one value for ever. */
  readonly #fetched: ReadonlyMap<string, StoredDatum>;
  #at: Revision | null = null;
  #stampFloor = 0;
  #total = Number.POSITIVE_INFINITY;
  #listed = 0;
  #isListing = false;
  readonly #staged = new Map<string, StoredDatum>();
  readonly #missing: ListedKey[] = [];
  readonly #open = new Set<readonly ListedKey[]>();

  constructor(term: number, leader: string, datums: Datums, fetched: ReadonlyMap<string, StoredDatum>) {
    this.term = term;
    this.leader = leader;
    this.#datums = datums;
    this.#fetched = fetched;
  }

  /** What to ask for next; each question is answered by one of the calls below. */
  questions(): readonly RaftRequest[] {
    if (this.#listed < this.#total) return this.#isListing ? [] : [this.#askForKeys()];
    const requests: RaftRequest[] = [];
    while (this.#at !== null && this.#missing.length > 0 && this.#open.size < MAX_OPEN) {
      const keys = this.#missing.splice(-FETCH_BATCH);
      this.#open.add(keys);
      requests.push({ type: 'datums', at: this.#at, keys });
    }
    return requests;
  }

  /** Takes a page of the list; one of another base, or one that was not asked for, is ignored. */
  receivedKeys(from: number, { at, stampFloor, keys, total }: KeysReply): void {
    if (!this.#isListing || from !== this.#listed) return;
    if (this.#at !== null && !sameRevision(at, this.#at)) return;
    this.#isListing = false;
    this.#at = at;
    this.#stampFloor = stampFloor;
    this.#total = total;
    this.#listed += keys.length;
    for (const key of keys) this.#need(key);
  }

  /** Takes values; what is still missing is asked for again. */
  receivedDatums(asked: readonly ListedKey[], { at, datums }: DatumsReply): void {
    if (!this.#close(asked) || this.#at === null || !sameRevision(at, this.#at)) return;
    const got = new Map(datums.map((datum) => [datum.key, datum]));
    for (const listed of asked) {
      const datum = got.get(listed.key);
      if (datum !== undefined && sameRevision(datum.revision, listed.revision))
        this.#staged.set(datum.key, datum);
      else this.#missing.push(listed);
    }
  }

  /** A request was not answered: it is asked again. */
  failed(request: RaftRequest): void {
    if (request.type === 'keys') this.#isListing = false;
    if (request.type === 'datums' && this.#close(request.keys)) this.#missing.push(...request.keys);
  }

  /** The base that was fetched, once every listed key is held. */
  whole(): Base | null {
    if (this.#at === null || this.#staged.size < this.#total) return null;
    return { revision: this.#at, stampFloor: this.#stampFloor, datums: this.#staged };
  }

  /** What a later catch-up need not fetch again. */
  reusable(): ReadonlyMap<string, StoredDatum> {
    return new Map([...this.#fetched, ...this.#staged]);
  }

  #askForKeys(): RaftRequest {
    this.#isListing = true;
    const from = this.#listed;
    return this.#at === null ? { type: 'keys', from } : { type: 'keys', at: this.#at, from };
  }

  #need(listed: ListedKey): void {
    const { key, revision } = listed;
    const held = [this.#datums.get(key), this.#fetched.get(key)].find(
      (datum) => datum != null && sameRevision(datum.revision, revision),
    );
    if (held == null) this.#missing.push(listed);
    else this.#staged.set(key, held);
  }

  #close(asked: readonly ListedKey[]): boolean {
    return this.#open.delete(asked);
  }
}
