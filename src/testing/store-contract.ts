import type { StoredState } from '../core/outputs.js';
import type { RaftStore } from '../stores/store.js';
import type { ContractCase } from './contract.js';
import {
  type Bench,
  casesOf,
  expectState,
  IP,
  LATER,
  type Rule,
  STATE,
  type StoreHarness,
} from './store-bench.js';
import { dataRules } from './store-data-contract.js';
import { placeRules } from './store-place-contract.js';

/**
 * The rules that every store must keep, as cases for any test runner. The rules about what outlives a store object hold
 * only for a store that says `durable: true`, and are checked only then.
 */
export function storeContract(harness: StoreHarness): readonly ContractCase[] {
  const all = [...rules, ...placeRules({ first: STATE, later: LATER, expect: expectState })];
  return [...casesOf(all, harness), ...casesOf(dataRules, harness, whyNoData)];
}

function whyNoData({ fold }: RaftStore): string | null {
  return fold === undefined ? 'this store keeps no data: it has no `fold`' : null;
}

const rules: readonly Rule[] = [
  ['an empty place gives null', emptyGivesNull],
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
  ['a state changed after it was saved leaves the store unaffected', keepsNoSavedObject],
  ['a state changed after it was read leaves the store unaffected', lendsNoReadObject],
];

async function emptyGivesNull(bench: Bench): Promise<void> {
  expectState(await bench.newStore().open(IP), null, 'at an empty place');
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
