import type { StoredState } from '../core/outputs.js';
import type { RaftStore } from '../stores/store.js';
import { type ContractCase, check } from './contract.js';
import { Bench, expectState, IP, LATER, type Rule, STATE, type StoreHarness } from './store-bench.js';
import { dataRules } from './store-data-contract.js';

/**
 * The rules that every store must keep, as cases for any test runner. The rules about what outlives a store object hold
 * only for a store that says `durable: true`, and are checked only then.
 */
export function storeContract(harness: StoreHarness): readonly ContractCase[] {
  return [...casesOf(rules, harness), ...casesOf(dataRules, harness, whyNoData)];
}

function casesOf(
  rules: readonly Rule[],
  harness: StoreHarness,
  whyNot: (store: RaftStore) => string | null = () => null,
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

async function onBench<T>(harness: StoreHarness, work: (bench: Bench) => Promise<T>): Promise<T> {
  const bench = await Bench.create(harness);
  try {
    return await work(bench);
  } finally {
    await bench.clear();
  }
}

function whyNoData({ fold }: RaftStore): string | null {
  return fold === undefined ? 'this store keeps no data: it has no `fold`' : null;
}

const rules: readonly Rule[] = [
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
  [
    'that a peer learns only is kept, and forgotten when it no longer does',
    (bench) => readsBack(bench, [{ ...STATE, learner: 2 ** 48 }, STATE, { ...STATE, learner: 3 }]),
  ],
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
