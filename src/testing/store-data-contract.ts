import {
  type Base,
  type Batch,
  type DataChanges,
  NO_DATA,
  type Op,
  type StoredData,
  type StoredDatum,
} from '../core/datum.js';
import type { RaftStore, Stored } from '../stores/store.js';
import { check } from './contract.js';
import { type Bench, expectState, IP, LATER, type Rule, STATE } from './store-bench.js';

const MAX = Number.MAX_SAFE_INTEGER;
const ODD_TEXTS = ['', ' ', '"\\\'`', '\r\n\t\0', 'ü名🙂\u2028', '\ud800', '__proto__', 'k'.repeat(5_000)];
const ODD_VALUES = [
  '""',
  ' { "a" : 1.0 } ',
  '"\\ud800\\n\\u0000"',
  '"ü名🙂\u2028\\"\\\\"',
  `"${'v'.repeat(200_000)}"`,
];

/** What a store does one after the other: a save of data, or a fold. */
type Step = DataChanges | { readonly fold: number };

/** The rules for what is kept of the registry (section 4, state). */
export const dataRules: readonly Rule[] = [
  ['a store that was given no data has none', neverGivenHasNone],
  ['batches are read back in their order', (bench) => leaves(bench, threeBatches(), none(), [1, 2, 3])],
  [
    'one save appends several batches',
    (bench) => leaves(bench, [{ append: batches(1, 3) }], none(), [1, 2, 3]),
  ],
  [
    'a batch without ops is kept',
    (bench) => leaves(bench, [{ append: [batch(1, [])] }], none(), [batch(1, [])]),
  ],
  [
    'a cut removes the batches from there on',
    (bench) => leaves(bench, [...threeBatches(), { cutFrom: 2 }], none(), [1]),
  ],
  [
    'a cut beyond the end removes nothing',
    (bench) => leaves(bench, [...threeBatches(), { cutFrom: 9 }], none(), [1, 2, 3]),
  ],
  ['what is appended takes the place of what the same save cuts', cutsBeforeItAppends],
  ['a cut leaves what is folded', cutsBehindTheFold],
  ['a base replaces the former base and the whole tail', replacesEverything],
  ['a base takes its place before what the same save appends', appendsBehindANewBase],
  ['what is folded is in the base, with the batch that set it', foldsIntoTheBase],
  ['a removal that is folded removes the key, and keeps its timestamp from coming back', foldsRemovals],
  ['a fold that comes again, or too late, changes nothing', foldsOnce],
  ['the tail goes on from the base without a gap, whenever the store is reopened', reopensAtEachPoint],
  ['keys in any letters are kept', keepsOddKeys],
  ['values are kept to the letter', keepsOddValues],
  ['the highest numbers are kept', keepsHighNumbers],
  ['a thousand datums and a hundred batches are kept', keepsMany],
  ['a save of the state alone leaves the data', leavesDataAlone],
  ['a save of data keeps the state that came with it', keepsStateWithData],
  ['a map and a list that were changed after the save leave the store unaffected', keepsNoSavedMap],
  ['a map and a list that were changed after they were read leave the store unaffected', lendsNoReadMap],
];

function batch(seq: number, ops: readonly Op[] = [set('k', seq)], term = 1): Batch {
  return { revision: { term, seq }, ops };
}

function batches(from: number, to: number): readonly Batch[] {
  return Array.from({ length: to - from + 1 }, (_, at) => batch(from + at));
}

function threeBatches(): readonly Step[] {
  return batches(1, 3).map((each) => ({ append: [each] }));
}

function set(key: string, timestamp: number, value = `"${key} ${timestamp}"`): Op {
  return { key, value, timestamp };
}

function datum(key: string, timestamp: number, seq = timestamp): StoredDatum {
  return { key, value: `"${key} ${timestamp}"`, timestamp, revision: { term: 1, seq } };
}

function base(seq: number, datums: readonly StoredDatum[], stampFloor = 0): Base {
  return { revision: { term: 1, seq }, stampFloor, datums: new Map(datums.map((each) => [each.key, each])) };
}

function none(): Base {
  return NO_DATA.base;
}

async function neverGivenHasNone(bench: Bench): Promise<void> {
  const store = bench.newStore();
  await store.open(IP);
  await store.save(STATE);
  store.fold?.(1);
  const read = await (await bench.successorOf(store)).open(IP);
  check(read?.data === undefined, `expected no data where none was saved, read ${show(read?.data)}`);
}

async function cutsBeforeItAppends(bench: Bench): Promise<void> {
  const others = [batch(2, [set('x', 1)], 2), batch(3, [], 2)];
  await leaves(bench, [...threeBatches(), { cutFrom: 2, append: others }], none(), [1, ...others]);
}

async function cutsBehindTheFold(bench: Bench): Promise<void> {
  const steps = [...threeBatches(), { fold: 2 }, { cutFrom: 3, append: [batch(3, [], 2)] }];
  await leaves(bench, steps, base(2, [datum('k', 2)]), [batch(3, [], 2)]);
}

async function replacesEverything(bench: Bench): Promise<void> {
  const [former, later] = [base(10, [datum('a', 9), datum('b', 10)], 5), base(20, [datum('b', 15)], 7)];
  await leaves(
    bench,
    [...threeBatches(), { base: former }, { append: batches(11, 12) }, { base: later }],
    later,
    [],
  );
}

async function appendsBehindANewBase(bench: Bench): Promise<void> {
  const next = base(10, [datum('a', 9)]);
  await leaves(bench, [...threeBatches(), { base: next, append: batches(11, 12) }], next, [11, 12]);
}

async function foldsIntoTheBase(bench: Bench): Promise<void> {
  const steps = [
    { append: [batch(1, [set('a', 1), set('b', 1)]), batch(2, [set('b', 2)]), batch(3, [set('c', 1)])] },
    { fold: 2 },
    { append: [batch(4, [])] },
  ];
  await leaves(bench, steps, base(2, [datum('a', 1), datum('b', 2)]), [
    batch(3, [set('c', 1)]),
    batch(4, []),
  ]);
}

async function foldsRemovals(bench: Bench): Promise<void> {
  const remove = (timestamp: number): Op => ({ key: 'a', value: null, timestamp });
  const first = { base: base(5, [datum('a', 3), datum('b', 4)], 2) };
  const steps = [first, { append: [batch(6, [remove(3)])] }, { fold: 6 }, { append: [batch(7, [])] }];
  const store = await leaves(bench, steps, base(6, [datum('b', 4)], 3), [batch(7, [])]);
  await leaves(
    bench,
    [{ append: [batch(8, [set('a', 4)])] }, { fold: 8 }],
    base(8, [datum('b', 4), datum('a', 4, 8)], 3),
    [],
    store,
  );
}

async function foldsOnce(bench: Bench): Promise<void> {
  const steps = [
    ...threeBatches(),
    { fold: 2 },
    { fold: 2 },
    { fold: 1 },
    { append: batches(4, 4) },
    { fold: 2 },
  ];
  await leaves(bench, steps, base(2, [datum('k', 2)]), [3, 4]);
}

async function reopensAtEachPoint(bench: Bench): Promise<void> {
  const points: readonly (readonly [step: Step, base: Base, tail: readonly number[]])[] = [
    [{ append: batches(1, 2) }, none(), [1, 2]],
    [{ fold: 1 }, base(1, [datum('k', 1)]), [2]],
    [{ append: batches(3, 4) }, base(1, [datum('k', 1)]), [2, 3, 4]],
    [{ cutFrom: 4 }, base(1, [datum('k', 1)]), [2, 3]],
    [{ fold: 3 }, base(3, [datum('k', 3)]), []],
    [{ append: batches(4, 5) }, base(3, [datum('k', 3)]), [4, 5]],
    [{ base: base(9, [datum('a', 9)], 4) }, base(9, [datum('a', 9)], 4), []],
    [{ append: batches(10, 10) }, base(9, [datum('a', 9)], 4), [10]],
    [{ fold: 10 }, base(10, [datum('a', 9), datum('k', 10)], 4), []],
  ];
  let store = bench.newStore();
  for (const [step, expected, tail] of points) store = await leaves(bench, [step], expected, tail, store);
}

async function keepsOddKeys(bench: Bench): Promise<void> {
  const held = ODD_TEXTS.map((key) => datum(key, 1));
  const added = batch(
    2,
    ODD_TEXTS.map((text) => set(`${text}+`, 2)),
  );
  const store = await leaves(bench, [{ base: base(1, held) }, { append: [added] }], base(1, held), [added]);
  const all = [...held, ...ODD_TEXTS.map((text) => datum(`${text}+`, 2))];
  await leaves(bench, [{ fold: 2 }, { append: [batch(3, [])] }], base(2, all), [batch(3, [])], store);
}

async function keepsOddValues(bench: Bench): Promise<void> {
  const held = ODD_VALUES.map((value, at) => ({ ...datum(`held ${at}`, 1), value }));
  const added = batch(
    2,
    ODD_VALUES.map((value, at) => set(`added ${at}`, 2, value)),
  );
  const store = await leaves(bench, [{ base: base(1, held) }, { append: [added] }], base(1, held), [added]);
  const all = [...held, ...ODD_VALUES.map((value, at) => ({ ...datum(`added ${at}`, 2), value }))];
  await leaves(bench, [{ fold: 2 }, { append: [batch(3, [])] }], base(2, all), [batch(3, [])], store);
}

async function keepsHighNumbers(bench: Bench): Promise<void> {
  const high: StoredDatum = {
    key: 'k',
    value: '0',
    timestamp: MAX,
    revision: { term: MAX - 1, seq: MAX - 2 },
  };
  const next = {
    revision: { term: MAX - 1, seq: MAX - 2 },
    stampFloor: MAX - 3,
    datums: new Map([['k', high]]),
  };
  const last = batch(MAX - 1, [set('k', MAX, '1')], MAX);
  await leaves(bench, [{ base: next, append: [last] }], next, [last]);
}

async function keepsMany(bench: Bench): Promise<void> {
  const held = Array.from({ length: 1_000 }, (_, at) => datum(`key ${at}`, at + 1));
  const next = base(1_000, held);
  await leaves(bench, [{ base: next }, { append: batches(1_001, 1_100) }], next, batches(1_001, 1_100));
}

async function leavesDataAlone(bench: Bench): Promise<void> {
  const store = bench.newStore();
  await store.open(IP);
  await store.save(STATE, { append: batches(1, 2) });
  await store.save(LATER);
  const read = await (await bench.successorOf(store)).open(IP);
  expectState(read, LATER, 'when it was saved alone');
  expectData(read, none(), batches(1, 2), 'after a save of the state alone');
}

async function keepsStateWithData(bench: Bench): Promise<void> {
  const store = bench.newStore();
  await store.open(IP);
  await store.save(STATE);
  await store.save(LATER, { append: batches(1, 1) });
  await store.save(LATER, { append: batches(2, 2) });
  const read = await (await bench.successorOf(store)).open(IP);
  expectState(read, LATER, 'when it was saved with data');
  expectData(read, none(), batches(1, 2), 'when they were saved with a state');
}

async function keepsNoSavedMap(bench: Bench): Promise<void> {
  const store = bench.newStore();
  await store.open(IP);
  const [datums, append] = [new Map([['a', datum('a', 1)]]), [batch(2)]];
  const saving = store.save(STATE, { base: { ...base(1, []), datums }, append });
  datums.clear();
  append.pop();
  await saving;
  const read = await (await bench.successorOf(store)).open(IP);
  expectData(
    read,
    base(1, [datum('a', 1)]),
    [batch(2)],
    'when what was passed to save was changed afterwards',
  );
}

async function lendsNoReadMap(bench: Bench): Promise<void> {
  const store = bench.newStore();
  await store.open(IP);
  await store.save(STATE, { base: base(1, [datum('a', 1)]), append: [batch(2)] });
  await store.close();
  const read = await store.open(IP);
  (read?.data?.base.datums as Map<string, StoredDatum> | undefined)?.clear();
  (read?.data?.tail as Batch[] | undefined)?.pop();
  await store.close();
  const again = await store.open(IP);
  expectData(again, base(1, [datum('a', 1)]), [batch(2)], 'when what open returned was changed afterwards');
}

/**
 * Takes `steps` in a store, and checks what its successor reads: folded as far as `expected` is, it is that.
 *
 * @returns the successor, closed
 */
async function leaves(
  bench: Bench,
  steps: readonly Step[],
  expected: Base,
  tail: readonly (number | Batch)[],
  store: RaftStore = bench.newStore(),
): Promise<RaftStore> {
  await store.open(IP);
  for (const step of steps) {
    if ('fold' in step) store.fold?.(step.fold);
    else await store.save(STATE, step);
  }
  const successor = await bench.successorOf(store);
  const read = await successor.open(IP);
  await successor.close();
  const list = tail.map((each) => (typeof each === 'number' ? batch(each) : each));
  expectData(read, expected, list, `after ${short(show(steps))}`);
  return successor;
}

function expectData(read: Stored | null, expected: Base, tail: readonly Batch[], when: string): void {
  const actual = read?.data;
  check(actual !== undefined, `expected data ${when}, read none`);
  const { seq } = actual.base.revision;
  check(
    seq <= expected.revision.seq,
    `expected a base up to ${expected.revision.seq} ${when}, read one up to ${seq}`,
  );
  const isGapless = actual.tail.every(({ revision }, at) => revision.seq === seq + 1 + at);
  check(isGapless, `expected a tail that goes on from ${seq} ${when}, read ${show(actual.tail)}`);
  const came = show(folded(actual, expected.revision.seq));
  const wanted = show({ base: expected, tail });
  check(came === wanted, `expected ${short(wanted)} ${when}, read ${short(came)}`);
}

/** What the base of a store may still lack, done here. */
function folded({ base, tail }: StoredData, seq: number): StoredData {
  const datums = new Map(base.datums);
  let { revision, stampFloor } = base;
  for (const batch of tail.filter((each) => each.revision.seq <= seq)) {
    revision = batch.revision;
    for (const { key, value, timestamp } of batch.ops) {
      if (value === null) stampFloor = Math.max(stampFloor, timestamp);
      if (value === null) datums.delete(key);
      else datums.set(key, { key, value, timestamp, revision });
    }
  }
  return { base: { revision, stampFloor, datums }, tail: tail.filter((each) => each.revision.seq > seq) };
}

/** The same text for the same data, in whatever order a store gives its keys and fields. */
function show(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (part instanceof Map) return [...part].sort(([a], [b]) => (a < b ? -1 : 1));
    if (part === null || typeof part !== 'object' || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function short(text: string): string {
  return text.length <= 1_000 ? text : `${text.slice(0, 1_000)}...`;
}
