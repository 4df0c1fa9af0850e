import fc from 'fast-check';
import { arbitraryRequest, SEED } from '../node/messages.js';

/** How many runs each property has; `FUZZ_RUNS=100000` for a long one. */
export const RUNS = Number(process.env['FUZZ_RUNS'] ?? 200);

/** One seed unless `FUZZ_SEED` says another; what fast-check reports repeats a failure. */
export const FUZZ = { seed: Number(process.env['FUZZ_SEED'] ?? SEED), numRuns: RUNS } as const;

/** Keys that must not reach any prototype. */
const PROTOTYPE_KEYS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  'then',
];

/** JSON numbers at the edges of what fits. */
const NUMBERS = [-1, -0, 0.5, 2 ** 31, 2 ** 53, 2 ** 53 - 1, 1e308, -1e308, 5e-324];

/** A list that is nested `depth` deep, or an object. */
function nested(depth: number, isList: boolean): unknown {
  const text = isList
    ? '['.repeat(depth) + ']'.repeat(depth)
    : `${'{"peer":'.repeat(depth)}1${'}'.repeat(depth)}`;
  return JSON.parse(text);
}

/** What JSON.parse makes of `{"key": value}`: also `__proto__` is an own key then. */
function keyed(key: string, value: unknown): unknown {
  return JSON.parse(`{${JSON.stringify(key)}:${JSON.stringify(value)}}`);
}

/** A value as no honest peer sends it, and as JSON can bring it. */
export const hostile: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 5 }),
  fc.constantFrom<unknown>(...NUMBERS, '', ' ', '\u0000', '\ud800', 'LEADER', 'leader', null, true, [], {}),
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc.integer({ min: 1, max: 100_000 }).map((length) => 'x'.repeat(length)),
  fc.integer({ min: 1, max: 20_000 }).map((length) => Array.from({ length }, () => 0)),
  fc
    .integer({ min: 1, max: 12_000 })
    .map((length) => Array.from({ length }, () => ({ key: 'k', timestamp: 1 }))),
  fc.tuple(fc.integer({ min: 1, max: 2_000 }), fc.boolean()).map(([depth, isList]) => nested(depth, isList)),
  fc.tuple(fc.constantFrom(...PROTOTYPE_KEYS), fc.jsonValue()).map(([key, value]) => keyed(key, value)),
);

/** One change of a message: the value at a path is another, is gone, or has a stranger beside it. */
interface Change {
  readonly steps: readonly number[];
  readonly how: 'replace' | 'remove' | 'add';
  readonly key: string;
  readonly value: unknown;
}

const change: fc.Arbitrary<Change> = fc.record({
  steps: fc.array(fc.nat(9), { minLength: 1, maxLength: 3 }),
  how: fc.constantFrom('replace', 'remove', 'add'),
  key: fc.oneof(fc.constantFrom(...PROTOTYPE_KEYS), fc.string()),
  value: hostile,
});

/** A valid message with one to three changes, as it comes out of JSON. */
export const mutated: fc.Arbitrary<unknown> = fc
  .tuple(arbitraryRequest, fc.array(change, { minLength: 1, maxLength: 3 }))
  .map(([request, changes]) =>
    JSON.parse(JSON.stringify(changes.reduce<unknown>(applied, structuredClone(request)))),
  );

function applied(message: unknown, { steps, how, key, value }: Change): unknown {
  let place = message as Record<string, unknown>;
  let last = 'type';
  for (const step of steps) {
    const keys = Object.keys(place);
    last = keys[step % keys.length] ?? last;
    const next = place[last];
    if (typeof next !== 'object' || next === null || Object.keys(next).length === 0) break;
    place = next as Record<string, unknown>;
    last = Object.keys(place)[0] ?? last;
  }
  if (how === 'remove') delete place[last];
  else own(place, how === 'add' ? key : last, value);
  return message;
}

/** Sets an own property, whatever it is called. */
function own(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
}

/** Any value that can come out of JSON.parse, from nonsense to nearly valid. */
export const anyJson: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 2, arbitrary: hostile },
  { weight: 5, arbitrary: mutated },
);

/** The properties of the prototypes that all objects share: a test compares them before and after. */
export function prototypes(): string {
  const all = [Object.prototype, Array.prototype, Function.prototype, String.prototype];
  return JSON.stringify(all.map((prototype) => Reflect.ownKeys(prototype).map(String)));
}
