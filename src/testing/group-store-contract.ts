import type { StoredState } from '../core/outputs.js';
import type { GroupStore } from '../stores/group-store.js';
import { type ContractCase, check } from './contract.js';
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
import { placeRules } from './store-place-contract.js';

type States = ReadonlyMap<string, StoredState>;
type GroupBench = Bench<GroupStore>;

const ZEROS: StoredState = { term: 0, voteFor: null, promisedMs: 0 };
const FIRST: States = new Map([
  ['one', STATE],
  ['two', { ...STATE, term: 1, learner: 5 }],
]);
const SECOND: States = new Map([
  ['two', LATER],
  ['three', STATE],
]);
const ODD_NAMES = [' ', '0', '__proto__', 'A', 'a', '["a"]', 'ü名"\\🙂\u2028', '\ud800', 'n'.repeat(256)];

/**
 * The rules that every store of many groups must keep, as cases for any test runner. The rules about what outlives a store
 * object hold only for a store that says `durable: true`, and are checked only then.
 */
export function groupStoreContract(harness: StoreHarness<GroupStore>): readonly ContractCase[] {
  const places = placeRules({ first: FIRST, later: new Map([...FIRST, ...SECOND]), expect: expectStates });
  return casesOf([...rules, ...places], harness);
}

const rules: readonly Rule<GroupStore>[] = [
  ['an empty place gives no groups', emptyGivesNone],
  ['what was saved of each group is read back', (bench) => readsBack(bench, [FIRST])],
  ['the last save of each group wins', (bench) => readsBack(bench, [FIRST, SECOND])],
  [
    'a save leaves the groups that it does not name',
    (bench) => readsBack(bench, [FIRST, new Map([['four', LATER]])]),
  ],
  ['a save of no groups changes nothing', (bench) => readsBack(bench, [FIRST, new Map()])],
  ['a save replaces every field', (bench) => readsBack(bench, [FIRST, all(FIRST, ZEROS)])],
  ['a state of zeros is not the lack of a group', (bench) => readsBack(bench, [all(FIRST, ZEROS)])],
  [
    'a vote in any letters is kept',
    (bench) => readsBack(bench, [all(FIRST, { ...STATE, voteFor: 'ü名"\\\n🙂:1' })]),
  ],
  [
    'the highest term, and a fraction of a ms, are kept',
    (bench) =>
      readsBack(bench, [all(FIRST, { ...STATE, term: Number.MAX_SAFE_INTEGER, promisedMs: 0.1 + 0.2 })]),
  ],
  [
    'names in any letters, of up to 256 characters, are kept apart',
    (bench) => readsBack(bench, [new Map(ODD_NAMES.map((name, at) => [name, stateAt(at)]))]),
  ],
  ['ten thousand groups are kept', (bench) => readsBack(bench, [groups(10_000, 0), groups(3_000, 10_000)])],
  [
    'a thousand saves in sequence leave the last of each group',
    (bench) =>
      readsBack(
        bench,
        Array.from({ length: 1_000 }, (_, at) => groups(1 + (at % 7), at)),
      ),
  ],
  ['saves that overlap are done in their order', doneInOrder],
  ['states changed after they were saved leave the store unaffected', keepsNoSavedObject],
  ['states changed after they were read leave the store unaffected', lendsNoReadObject],
];

function stateAt(at: number): StoredState {
  return { term: at + 1, voteFor: at % 2 === 0 ? null : `b:${at}`, promisedMs: at / 8 };
}

function groups(count: number, from: number): States {
  return new Map(Array.from({ length: count }, (_, at) => [`group-${at}`, stateAt(from + at)]));
}

function all(states: States, state: StoredState): States {
  return new Map([...states.keys()].map((name) => [name, state]));
}

async function emptyGivesNone(bench: GroupBench): Promise<void> {
  expectStates(await bench.newStore().open(IP), null, 'at an empty place');
}

async function readsBack(bench: GroupBench, saves: readonly States[]): Promise<void> {
  const store = bench.newStore();
  await store.open(IP);
  for (const states of saves) await store.save(states);
  const successor = await bench.successorOf(store);
  const expected = new Map(saves.flatMap((states) => [...states]));
  expectStates(await successor.open(IP), expected, `after ${saves.length} saves and a close`);
}

async function doneInOrder(bench: GroupBench): Promise<void> {
  const store = bench.newStore();
  await store.open(IP);
  const saves = Array.from({ length: 20 }, (_, at) => groups(20 - at, at));
  await Promise.all(saves.map((states) => store.save(states)));
  const successor = await bench.successorOf(store);
  const expected = new Map(saves.flatMap((states) => [...states]));
  expectStates(await successor.open(IP), expected, 'after 20 saves that overlapped');
}

async function keepsNoSavedObject(bench: GroupBench): Promise<void> {
  const store = bench.newStore();
  await store.open(IP);
  const mutable = new Map([...FIRST].map(([name, state]) => [name, { ...state }]));
  const saving = store.save(mutable);
  for (const state of mutable.values()) Object.assign(state, LATER);
  mutable.clear();
  await saving;
  const successor = await bench.successorOf(store);
  expectStates(await successor.open(IP), FIRST, 'when what was passed to save was changed afterwards');
}

async function lendsNoReadObject(bench: GroupBench): Promise<void> {
  const store = bench.newStore();
  await store.open(IP);
  await store.save(FIRST);
  await store.close();
  const read = await store.open(IP);
  expectStates(read, FIRST, 'before it was changed');
  // What is frozen cannot be changed, which keeps the rule just as well.
  for (const state of read.values()) if (!Object.isFrozen(state)) Object.assign(state, LATER);
  if (read instanceof Map) read.delete('one');
  await store.close();
  expectStates(await store.open(IP), FIRST, 'when what open returned was changed afterwards');
}

function expectStates(actual: States, expected: States | null, when: string): void {
  const wanted: States = expected ?? new Map();
  const extra = [...actual.keys()].find((name) => !wanted.has(name));
  check(extra === undefined, `expected no group ${JSON.stringify(extra)} ${when}`);
  for (const [name, state] of wanted) {
    const what = `${when}, of the group ${JSON.stringify(name)}`;
    expectState(actual.get(name) ?? null, state, what);
  }
}
