import type { StoredState } from '../core/outputs.js';
import type { RaftStore } from '../stores/store.js';
import { type ContractCase, check } from './contract.js';

/** Makes places for the stores under test. */
export interface StoreHarness {
  /** A place where nothing was ever saved: a file, a database, a key. */
  create(): Promise<StorePlace>;
}

/** One place, at which store objects are opened. */
export interface StorePlace {
  /** A new store object on this place, not yet opened. Each is closed before `dispose`. */
  open(): RaftStore;
  /**
   * Damages what is saved here, as a failing disk would; called while no store is open. Leave it out where the medium
   * itself guards against damage: the case about it is then not run.
   */
  damage?(): Promise<void>;
  /** Removes the place and what was kept there. */
  dispose(): Promise<void>;
}

/**
 * The rules that every store must keep, as cases for any test runner. The rules about what outlives a store object hold
 * only for a store that says `durable: true`, and are checked only then.
 */
export function storeContract(harness: StoreHarness): readonly ContractCase[] {
  return rules.map(([name, rule]) => ({
    name,
    run: async () => {
      const bench = await Bench.create(harness);
      try {
        await rule(bench);
      } finally {
        await bench.clear();
      }
    },
  }));
}

const IP = 'a:1';
const STATE: StoredState = Object.freeze({ term: 7, voteFor: 'b:1', promisedMs: 500 });
const LATER: StoredState = Object.freeze({ term: 9, voteFor: 'c:1', promisedMs: 750 });

type Rule = (bench: Bench) => Promise<void>;

const rules: readonly (readonly [name: string, rule: Rule])[] = [
  ['an empty place gives null', emptyGivesNull],
  ['a place that was opened and never saved to stays empty', openingSavesNothing],
  ['what was saved is read back', (bench) => readsBack(bench, [STATE])],
  ['the last save wins', (bench) => readsBack(bench, [STATE, LATER])],
  [
    'a save replaces every field',
    (bench) => readsBack(bench, [STATE, { term: 8, voteFor: null, promisedMs: 0 }]),
  ],
  [
    'a state of zeros is not an empty place',
    (bench) => readsBack(bench, [{ term: 0, voteFor: null, promisedMs: 0 }]),
  ],
  ['a vote for nobody is kept', (bench) => readsBack(bench, [{ ...STATE, voteFor: null }])],
  ['a vote in any letters is kept', (bench) => readsBack(bench, [{ ...STATE, voteFor: 'ü名"\\\n🙂:1' }])],
  ['the highest term is kept', (bench) => readsBack(bench, [{ ...STATE, term: Number.MAX_SAFE_INTEGER }])],
  ['a fraction of a ms is kept', (bench) => readsBack(bench, [{ ...STATE, promisedMs: 0.1 + 0.2 }])],
  ['an ip in any letters is accepted', (bench) => readsBack(bench, [STATE], 'ü名"\\\n🙂:1')],
  ['a hundred saves in sequence leave the last one', (bench) => readsBack(bench, hundredStates())],
  ['close is allowed before open, and more than once', closeIsIdempotent],
  ['a reopened store still has its state, and saves again', reopens],
  ['a state changed after it was saved leaves the store unaffected', keepsNoSavedObject],
  ['a state changed after it was read leaves the store unaffected', lendsNoReadObject],
  ['two places know nothing of each other', placesAreApart],
  ['another ip is refused with STORE_MISMATCH, and the owner can open again', refusesAnotherIp],
  ['a second store on a place in use is refused with STORE_IN_USE', refusesASecondStore],
  ['a store that was refused, and closed, leaves the holder in place', refusedCloseHarmsNobody],
  ['a place is free again when its store is closed', closeFreesThePlace],
  ['damage is refused with STORE_CORRUPT, at every open', refusesDamage],
];

async function emptyGivesNull(bench: Bench): Promise<void> {
  expectState(await bench.newStore().open(IP), null, 'at an empty place');
}

async function openingSavesNothing(bench: Bench): Promise<void> {
  const store = bench.newStore();
  await store.open(IP);
  const successor = await bench.successorOf(store);
  expectState(await successor.open(IP), null, 'where nothing was saved');
}

async function readsBack(bench: Bench, states: readonly StoredState[], ip = IP): Promise<void> {
  const store = bench.newStore();
  await store.open(ip);
  for (const state of states) await store.save(state);
  const successor = await bench.successorOf(store);
  expectState(await successor.open(ip), states.at(-1) ?? null, `after ${states.length} saves and a close`);
}

function hundredStates(): readonly StoredState[] {
  return Array.from({ length: 100 }, (_, i) => ({ term: i + 1, voteFor: `b:${i}`, promisedMs: i / 8 }));
}

async function closeIsIdempotent(bench: Bench): Promise<void> {
  const store = bench.newStore();
  await store.close();
  await store.close();
  await store.open(IP);
  await store.save(STATE);
  await store.close();
  await store.close();
}

async function reopens(bench: Bench): Promise<void> {
  const store = bench.newStore();
  await store.open(IP);
  await store.save(STATE);
  await store.close();
  expectState(await store.open(IP), STATE, 'when the same object was reopened');
  await store.save(LATER);
  const successor = await bench.successorOf(store);
  expectState(await successor.open(IP), LATER, 'after a save of the reopened store');
}

async function keepsNoSavedObject(bench: Bench): Promise<void> {
  const store = bench.newStore();
  await store.open(IP);
  const mutable = { ...STATE };
  await store.save(mutable);
  Object.assign(mutable, LATER);
  const successor = await bench.successorOf(store);
  expectState(await successor.open(IP), STATE, 'when the object passed to save was changed afterwards');
}

async function lendsNoReadObject(bench: Bench): Promise<void> {
  const store = bench.newStore();
  await store.open(IP);
  await store.save({ ...STATE });
  await store.close();
  const read = await store.open(IP);
  expectState(read, STATE, 'before it was changed');
  // A frozen state cannot be changed, which keeps the rule just as well.
  if (read !== null && !Object.isFrozen(read)) Object.assign(read, LATER);
  await store.close();
  expectState(await store.open(IP), STATE, 'when the object that open returned was changed afterwards');
}

async function placesAreApart(bench: Bench): Promise<void> {
  const store = bench.newStore();
  await store.open(IP);
  await store.save(STATE);
  await bench.newPlace();
  expectState(await bench.newStore().open(IP), null, 'at a second place, when only the first was saved to');
}

async function refusesAnotherIp(bench: Bench): Promise<void> {
  const store = bench.newStore();
  if (!store.durable) return;
  await store.open(IP);
  await store.save(STATE);
  await store.close();
  await expectCode(
    'STORE_MISMATCH',
    () => bench.newStore().open('another:1'),
    `open of a place that belongs to ${IP}`,
  );
  expectState(await bench.newStore().open(IP), STATE, 'by its owner, after another was refused');
}

async function refusesASecondStore(bench: Bench): Promise<void> {
  const holder = bench.newStore();
  if (!holder.durable) return;
  await holder.open(IP);
  await expectCode('STORE_IN_USE', () => bench.newStore().open(IP), 'open of an empty place in use');
  await holder.save(STATE);
  await expectCode('STORE_IN_USE', () => bench.newStore().open(IP), 'open of a place in use');
  await holder.save(LATER);
  const successor = await bench.successorOf(holder);
  expectState(await successor.open(IP), LATER, 'as saved by the holder after a second store was refused');
}

async function refusedCloseHarmsNobody(bench: Bench): Promise<void> {
  const holder = bench.newStore();
  if (!holder.durable) return;
  await holder.open(IP);
  const second = bench.newStore();
  await expectCode('STORE_IN_USE', () => second.open(IP), 'open of a place in use');
  await second.close();
  await expectCode('STORE_IN_USE', () => bench.newStore().open(IP), 'open after a refused store was closed');
}

async function closeFreesThePlace(bench: Bench): Promise<void> {
  const first = bench.newStore();
  if (!first.durable) return;
  for (const store of [first, bench.newStore(), first]) {
    await store.open(IP);
    await store.save(STATE);
    await store.close();
  }
}

async function refusesDamage(bench: Bench): Promise<void> {
  const store = bench.newStore();
  if (!store.durable || bench.place.damage === undefined) return;
  await store.open(IP);
  await store.save(STATE);
  await store.close();
  await bench.place.damage();
  await expectCode('STORE_CORRUPT', () => bench.newStore().open(IP), 'open of a damaged place');
  await expectCode('STORE_CORRUPT', () => bench.newStore().open(IP), 'the next open of a damaged place');
}

/** The places and stores of one case, all of which it closes and disposes of in the end. */
class Bench {
  readonly #harness: StoreHarness;
  readonly #places: StorePlace[] = [];
  readonly #stores: RaftStore[] = [];

  private constructor(harness: StoreHarness) {
    this.#harness = harness;
  }

  static async create(harness: StoreHarness): Promise<Bench> {
    const bench = new Bench(harness);
    await bench.newPlace();
    return bench;
  }

  get place(): StorePlace {
    const place = this.#places.at(-1);
    check(place !== undefined, 'a bench has a place');
    return place;
  }

  /** Moves on to a fresh place: `newStore` makes stores there from now on. */
  async newPlace(): Promise<void> {
    this.#places.push(await this.#harness.create());
  }

  newStore(): RaftStore {
    const store = this.place.open();
    this.#stores.push(store);
    return store;
  }

  /** Closes `store` and gives the one that must know its state: a new object if it is durable, else itself. */
  async successorOf(store: RaftStore): Promise<RaftStore> {
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

function expectState(actual: StoredState | null, expected: StoredState | null, when: string): void {
  const same =
    actual === null || expected === null
      ? actual === expected
      : actual.term === expected.term &&
        actual.voteFor === expected.voteFor &&
        actual.promisedMs === expected.promisedMs;
  check(same, `expected ${JSON.stringify(expected)} ${when}, read ${JSON.stringify(actual)}`);
}

async function expectCode(code: string, action: () => Promise<unknown>, what: string): Promise<void> {
  const outcome = await Promise.resolve()
    .then(action)
    .then(
      (value) => `it gave ${JSON.stringify(value)}`,
      (error: unknown) => (hasCode(error, code) ? null : `it failed with ${String(error)}`),
    );
  check(outcome === null, `expected ${code} from the ${what}, but ${outcome}`);
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
