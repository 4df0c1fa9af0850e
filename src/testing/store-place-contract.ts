import { check } from './contract.js';
import { type AnyStore, type Bench, IP, type Rule } from './store-bench.js';

/** What stores of one kind are given to keep, and how that is recognized. */
export interface Contents<Content, Read> {
  readonly first: Content;
  readonly later: Content;
  /** Null is what an empty place gives. */
  readonly expect: (actual: Read, expected: Content | null, when: string) => void;
}

type AnyBench<Content, Read> = Bench<AnyStore<Content, Read>>;

/** The rules for where and when something is kept, whatever it is. */
export function placeRules<C, R>(contents: Contents<C, R>): readonly Rule<AnyStore<C, R>>[] {
  return [
    [
      'a place that was opened and never saved to stays empty',
      (bench) => openingSavesNothing(bench, contents),
    ],
    ['close is allowed before open, and more than once', (bench) => closeIsIdempotent(bench, contents)],
    ['a reopened store still has its state, and saves again', (bench) => reopens(bench, contents)],
    ['two places know nothing of each other', (bench) => placesAreApart(bench, contents)],
    [
      'another ip is refused with STORE_MISMATCH, and the owner can open again',
      (bench) => refusesAnotherIp(bench, contents),
    ],
    [
      'a second store on a place in use is refused with STORE_IN_USE',
      (bench) => refusesASecondStore(bench, contents),
    ],
    ['a store that was refused, and closed, leaves the holder in place', refusedCloseHarmsNobody],
    ['a place is free again when its store is closed', (bench) => closeFreesThePlace(bench, contents)],
    ['damage is refused with STORE_CORRUPT, at every open', (bench) => refusesDamage(bench, contents)],
  ];
}

async function openingSavesNothing<C, R>(bench: AnyBench<C, R>, { expect }: Contents<C, R>): Promise<void> {
  const store = bench.newStore();
  await store.open(IP);
  const successor = await bench.successorOf(store);
  expect(await successor.open(IP), null, 'where nothing was saved');
}

async function closeIsIdempotent<C, R>(bench: AnyBench<C, R>, { first }: Contents<C, R>): Promise<void> {
  const store = bench.newStore();
  await store.close();
  await store.close();
  await store.open(IP);
  await store.save(first);
  await store.close();
  await store.close();
}

async function reopens<C, R>(bench: AnyBench<C, R>, { first, later, expect }: Contents<C, R>): Promise<void> {
  const store = bench.newStore();
  await store.open(IP);
  await store.save(first);
  await store.close();
  expect(await store.open(IP), first, 'when the same object was reopened');
  await store.save(later);
  const successor = await bench.successorOf(store);
  expect(await successor.open(IP), later, 'after a save of the reopened store');
}

async function placesAreApart<C, R>(bench: AnyBench<C, R>, { first, expect }: Contents<C, R>): Promise<void> {
  const store = bench.newStore();
  await store.open(IP);
  await store.save(first);
  await bench.newPlace();
  expect(await bench.newStore().open(IP), null, 'at a second place, when only the first was saved to');
}

async function refusesAnotherIp<C, R>(
  bench: AnyBench<C, R>,
  { first, expect }: Contents<C, R>,
): Promise<void> {
  const store = bench.newStore();
  if (!store.durable) return;
  await store.open(IP);
  await store.save(first);
  await store.close();
  await expectCode(
    'STORE_MISMATCH',
    () => bench.newStore().open('another:1'),
    `open of a place that belongs to ${IP}`,
  );
  expect(await bench.newStore().open(IP), first, 'by its owner, after another was refused');
}

async function refusesASecondStore<C, R>(
  bench: AnyBench<C, R>,
  { first, later, expect }: Contents<C, R>,
): Promise<void> {
  const holder = bench.newStore();
  if (!holder.durable) return;
  await holder.open(IP);
  await expectCode('STORE_IN_USE', () => bench.newStore().open(IP), 'open of an empty place in use');
  await holder.save(first);
  await expectCode('STORE_IN_USE', () => bench.newStore().open(IP), 'open of a place in use');
  await holder.save(later);
  const successor = await bench.successorOf(holder);
  expect(await successor.open(IP), later, 'as saved by the holder after a second store was refused');
}

async function refusedCloseHarmsNobody<C, R>(bench: AnyBench<C, R>): Promise<void> {
  const holder = bench.newStore();
  if (!holder.durable) return;
  await holder.open(IP);
  const second = bench.newStore();
  await expectCode('STORE_IN_USE', () => second.open(IP), 'open of a place in use');
  await second.close();
  await expectCode('STORE_IN_USE', () => bench.newStore().open(IP), 'open after a refused store was closed');
}

async function closeFreesThePlace<C, R>(bench: AnyBench<C, R>, { first }: Contents<C, R>): Promise<void> {
  const store = bench.newStore();
  if (!store.durable) return;
  for (const each of [store, bench.newStore(), store]) {
    await each.open(IP);
    await each.save(first);
    await each.close();
  }
}

async function refusesDamage<C, R>(bench: AnyBench<C, R>, { first }: Contents<C, R>): Promise<void> {
  const store = bench.newStore();
  if (!store.durable || bench.place.damage === undefined) return;
  await store.open(IP);
  await store.save(first);
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
