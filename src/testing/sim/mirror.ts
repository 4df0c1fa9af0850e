import type { Base, DataChanges, StoredDatum } from '../../core/datum.js';
import { RESERVED_PREFIX } from '../../core/members.js';
import type { StoredState } from '../../core/outputs.js';
import type { Datum } from '../../node/listeners.js';
import type { RaftStore, Stored } from '../../stores/store.js';
import type { Report } from './checks.js';
import { HeldData, nameOf } from './held-data.js';
import type { Ledger } from './ledger.js';

/** What listeners are to be told next, in any order; null: the key is removed. */
type Expected = Map<string, StoredDatum | null>;

/** What of a node is looked at. */
interface Shown {
  readonly term: number;
  keys(prefix?: string): readonly string[];
  getDatum(key: string): Datum | null;
}

/**
 * The data of one process as it should be, by what it told its store: compared with what it shows and tells its listeners.
 *
 * COMMIT: it never cuts what it committed. BASE: its base never goes backwards, and what it shows is what it saved and
 * committed. LISTEN: listeners hear each committed change once and in order.
 */
export class Mirror {
  held: HeldData = new HeldData();
  readonly #name: string;
  readonly #report: Report;
  readonly #ledger: Ledger;
  readonly #node: () => Shown;
  #expected: Expected[] = [];
  #isChanged = true;

  constructor(name: string, report: Report, ledger: Ledger, node: () => Shown) {
    this.#name = name;
    this.#report = report;
    this.#ledger = ledger;
    this.#node = node;
  }

  /** A store that lets this mirror see what it is told. */
  wrap(store: RaftStore): RaftStore {
    return {
      durable: store.durable,
      open: async (ip) => this.#opened(await store.open(ip)),
      save: (state, changes) => {
        if (changes !== undefined) this.#saves(state, changes);
        return store.save(state, changes);
      },
      fold: (seq) => {
        store.fold?.(seq);
        this.#folds(seq);
      },
      close: () => store.close(),
    };
  }

  /** The listener heard this. */
  heard(key: string, datum: Datum | null): void {
    const [next] = this.#expected;
    const expected = next?.get(key);
    if (expected === undefined || !isSame(expected, datum)) {
      this.#report('LISTEN', this.#name, `tells of ${show(datum)} of ${key} out of turn`);
      return;
    }
    next?.delete(key);
    if (next?.size === 0) this.#expected.shift();
  }

  /** Nothing is under way in the process: what it shows is what was committed, and listeners were told. */
  compare(): void {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    const node = this.#node();
    const { datums } = this.held;
    const keys = [...node.keys(), ...node.keys(RESERVED_PREFIX)];
    const differs = keys.find((key) => !isSame(datums.get(key), node.getDatum(key)));
    const lacks =
      keys.length < datums.size ? [...datums.keys()].find((key) => !keys.includes(key)) : undefined;
    const key = differs ?? lacks;
    if (key !== undefined) {
      const what = `shows ${show(node.getDatum(key))} of ${key}, not ${show(datums.get(key) ?? null)}`;
      this.#report('BASE', this.#name, `${what}, at base ${nameOf(this.held.revision)}`);
    }
    if (this.#expected.length > 0)
      this.#report('LISTEN', this.#name, `does not tell of ${[...(this.#expected[0]?.keys() ?? [])]}`);
  }

  #opened(stored: Stored | null): Stored | null {
    this.held = new HeldData(stored?.data);
    this.#ledger.takes(this.#name, this.held.copyBase(), stored?.term ?? 0);
    this.#expect(new Map(this.held.datums));
    return stored;
  }

  #saves({ term }: StoredState, changes: DataChanges): void {
    const { base, cutFrom, append = [] } = changes;
    if (base !== undefined) this.#replaces(base, term);
    const { held } = this;
    if (cutFrom !== undefined && cutFrom <= held.revision.seq)
      this.#report('COMMIT', this.#name, `cuts from ${cutFrom} on what it committed to ${held.revision.seq}`);
    this.held = held.changed({ ...(cutFrom === undefined ? {} : { cutFrom }) });
    for (const batch of append) {
      if (batch.revision.seq !== this.held.last.seq + 1)
        this.#report('COMMIT', this.#name, `appends ${nameOf(batch.revision)} to ${nameOf(this.held.last)}`);
      this.#ledger.appended(this.#name, batch, this.held.last);
      this.held = this.held.changed({ append: [batch] });
    }
  }

  #replaces(base: Base, term: number): void {
    this.#ledger.catchUps++;
    this.#isChanged = true;
    if (base.revision.seq <= this.held.revision.seq)
      this.#report(
        'BASE',
        this.#name,
        `goes back from ${nameOf(this.held.revision)} to ${nameOf(base.revision)}`,
      );
    this.#ledger.takes(this.#name, base, term);
    const expected: Expected = new Map();
    for (const key of this.held.datums.keys()) if (!base.datums.has(key)) expected.set(key, null);
    for (const [key, datum] of base.datums)
      if (this.held.datums.get(key)?.timestamp !== datum.timestamp) expected.set(key, datum);
    this.#expect(expected);
    this.held = this.held.changed({ base });
  }

  #folds(seq: number): void {
    const { held } = this;
    if (seq <= held.revision.seq || seq > held.last.seq)
      this.#report(
        'BASE',
        this.#name,
        `folds up to ${seq}, from ${nameOf(held.revision)} to ${nameOf(held.last)}`,
      );
    this.#isChanged = true;
    const { term } = this.#node();
    for (const { revision, ops } of held.fold(seq)) {
      this.#ledger.committed(this.#name, revision, term);
      this.#expect(
        new Map(
          ops.map(({ key, value, timestamp }) => [
            key,
            value === null ? null : { key, value, timestamp, revision },
          ]),
        ),
      );
    }
  }

  #expect(expected: Expected): void {
    // One who listens to all keys is not told of the library's own.
    for (const key of expected.keys()) if (key.startsWith(RESERVED_PREFIX)) expected.delete(key);
    if (expected.size > 0) this.#expected.push(expected);
  }
}

function isSame(expected: StoredDatum | null | undefined, shown: Datum | null): boolean {
  if (expected == null || shown === null) return (expected ?? null) === shown;
  return (
    expected.timestamp === shown.timestamp &&
    nameOf(expected.revision) === nameOf(shown.revision) &&
    expected.value === JSON.stringify(shown.value)
  );
}

function show(
  datum: { readonly timestamp: number; readonly revision: { term: number; seq: number } } | null,
): string {
  return datum === null ? 'nothing' : `timestamp ${datum.timestamp} of ${nameOf(datum.revision)}`;
}
