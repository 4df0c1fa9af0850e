import type { StoredState } from '../core/outputs.js';
import type { RaftStore } from '../stores/store.js';
import { type ContractCase, check } from './contract.js';

/** Makes places for the stores under test. */
export interface StoreHarness<Store = RaftStore> {
  /** A place where nothing was ever saved: a file, a database, a key. */
  create(): Promise<StorePlace<Store>>;
}

/** One place, at which store objects are opened. */
export interface StorePlace<Store = RaftStore> {
  /** A new store object on this place, not yet opened. Each is closed before `dispose`. */
  open(): Store;
  /**
   * Damages what is saved here, as a failing disk would; called while no store is open. Leave it out where the medium
   * itself guards against damage: the case about it is then not run.
   */
  damage?(): Promise<void>;
  /** Removes the place and what was kept there. */
  dispose(): Promise<void>;
}

/** The peer that the stores of a case belong to. */
export const IP = 'a:1';
export const STATE: StoredState = Object.freeze({ term: 7, voteFor: 'b:1', promisedMs: 500 });
export const LATER: StoredState = Object.freeze({ term: 9, voteFor: 'c:1', promisedMs: 750 });

/** What is common to stores of a state and stores of many. */
export interface AnyStore<Content, Read> {
  readonly durable: boolean;
  open(ip: string): Promise<Read>;
  save(content: Content): Promise<void>;
  close(): Promise<void>;
}

type Closable = Pick<AnyStore<never, unknown>, 'durable' | 'close'>;

/** One rule, and how it is checked. */
export type Rule<Store extends Closable = RaftStore> = readonly [
  name: string,
  check: (bench: Bench<Store>) => Promise<unknown>,
];

/** The cases of `rules`; those of a store for which `whyNot` gives a reason are not checked. */
export function casesOf<Store extends Closable>(
  rules: readonly Rule<Store>[],
  harness: StoreHarness<Store>,
  whyNot: (store: Store) => string | null = () => null,
): readonly ContractCase[] {
  return rules.map(([name, rule]) => ({
    name,
    run: async (runner = {}) => {
      const reason = await onBench(harness, async (bench) => {
        const reason = whyNot(bench.newStore());
        if (reason === null) await rule(bench);
        return reason;
      });
      if (reason !== null) runner.skip?.(reason);
    },
  }));
}

async function onBench<Store extends Closable, T>(
  harness: StoreHarness<Store>,
  work: (bench: Bench<Store>) => Promise<T>,
): Promise<T> {
  const bench = await Bench.create(harness);
  try {
    return await work(bench);
  } finally {
    await bench.clear();
  }
}

/** The places and stores of one case, all of which it closes and disposes of in the end. */
export class Bench<Store extends Closable = RaftStore> {
  readonly #harness: StoreHarness<Store>;
  readonly #places: StorePlace<Store>[] = [];
  readonly #stores: Store[] = [];

  private constructor(harness: StoreHarness<Store>) {
    this.#harness = harness;
  }

  static async create<Store extends Closable>(harness: StoreHarness<Store>): Promise<Bench<Store>> {
    const bench = new Bench(harness);
    await bench.newPlace();
    return bench;
  }

  get place(): StorePlace<Store> {
    const place = this.#places.at(-1);
    check(place !== undefined, 'a bench has a place');
    return place;
  }

  /** Moves on to a fresh place: `newStore` makes stores there from now on. */
  async newPlace(): Promise<void> {
    this.#places.push(await this.#harness.create());
  }

  newStore(): Store {
    const store = this.place.open();
    this.#stores.push(store);
    return store;
  }

  /** Closes `store` and gives the one that must know its state: a new object if it is durable, else itself. */
  async successorOf(store: Store): Promise<Store> {
    await store.close();
    return store.durable ? this.newStore() : store;
  }

  async clear(): Promise<void> {
    try {
      for (const store of this.#stores) await store.close();
    } finally {
      for (const place of this.#places) await place.dispose();
    }
  }
}

export function expectState(actual: StoredState | null, expected: StoredState | null, when: string): void {
  const same =
    actual === null || expected === null
      ? actual === expected
      : actual.term === expected.term &&
        actual.voteFor === expected.voteFor &&
        actual.promisedMs === expected.promisedMs &&
        actual.learner === expected.learner;
  check(same, `expected ${JSON.stringify(expected)} ${when}, read ${JSON.stringify(actual)}`);
}
