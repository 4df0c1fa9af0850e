import type { Problem, Step } from './linearizable-problem.js';
import { afterAnswer, afterEffect, type KeyState, type RegistryOperation, UNUSED } from './registry-model.js';

/** A place in the search: what is done, and what the key is then. */
interface Place {
  readonly state: KeyState;
  /** All steps before this one are done. */
  readonly from: number;
  /** Bit i: step `from + i` is done, too. */
  readonly ahead: bigint;
  /** How many ranked steps are done. */
  readonly ranked: number;
  /** How many of each pool are done. */
  readonly used: readonly number[];
  /** The state before a write of unknown outcome, if the last one done was such; else null. */
  readonly unwritten: KeyState | null;
  /** What was done last, and where; null at the start. */
  readonly last: { readonly op: RegistryOperation; readonly place: Place } | null;
}

/** An order that explains all answers, and the state at its end. */
export interface Order {
  readonly operations: readonly RegistryOperation[];
  readonly state: KeyState;
}

/**
 * The first order found, null if there is none.
 *
 * @param budget places visited at most; 'unknown' when they were not enough
 */
export function search(problem: Problem, budget: number): Order | null | 'unknown' {
  const used = problem.pools.map(() => 0);
  const places: Place[] = [
    { state: UNUSED, from: 0, ahead: 0n, ranked: 0, used, unwritten: null, last: null },
  ];
  const known = new Map<string, number[][]>();
  for (let visited = 0; ; visited++) {
    const place = places.pop();
    if (place === undefined) return null;
    if (place.from === problem.steps.length) return { operations: path(place), state: place.state };
    if (visited === budget) return 'unknown';
    for (const next of nextPlaces(place, problem)) if (isNew(next, problem, known)) places.push(next);
  }
}

/**
 * Whether no place is known with the same future or a larger one: the same answers are left and the state is the same, but
 * no pool is fuller here. A write on condition of a timestamp that is gone has no future and counts as not done.
 */
function isNew(place: Place, { pools }: Problem, known: Map<string, number[][]>): boolean {
  const { state, from, ahead, unwritten } = place;
  const identity = JSON.stringify([from, ahead.toString(36), state, unwritten]);
  const used = place.used.map((count, at) => (isPast(pools[at]?.[0], state) ? 0 : count));
  const others = known.get(identity) ?? [];
  if (others.some((other) => other.every((count, at) => count <= (used[at] ?? 0)))) return false;
  known.set(identity, [...others, used]);
  return true;
}

/**
 * Where one more operation leads, the most promising last. An answer that changes nothing is no choice: whatever explains
 * the rest without it explains it after it. Writes of unknown outcome are tried after all else.
 */
function nextPlaces(place: Place, { steps, ranks, pools }: Problem): Place[] {
  const nexts: Place[] = [];
  let end = Number.POSITIVE_INFINITY;
  for (let at = place.from; ; at++) {
    const step = steps[at];
    if (step === undefined || step.op.call > end) break;
    if ((place.ahead >> BigInt(at - place.from)) & 1n) continue;
    end = Math.min(end, step.by);
    if (step.rank !== null && step.rank !== ranks[place.ranked]) continue;
    const state = afterAnswer(place.state, step.op);
    if (state === undefined || isNeedless(place, step.op)) continue;
    const next = placeAfterStep(place, at, step, state);
    if (state === place.state) return [next];
    nexts.push(next);
  }
  pools.forEach((pool, at) => {
    const op = pool[place.used[at] ?? 0];
    const state = op && op.call <= end ? afterEffect(place.state, op) : undefined;
    if (op && state) nexts.push(placeAfterWrite(place, at, op, state));
  });
  return nexts.filter((next) => mayGoOn(next, ranks)).reverse();
}

function placeAfterStep(place: Place, at: number, { source, rank }: Step, state: KeyState): Place {
  let { from, ahead, ranked } = place;
  ahead |= 1n << BigInt(at - from);
  for (; ahead & 1n; ahead >>= 1n) from++;
  if (rank !== null) ranked++;
  return { state, from, ahead, ranked, used: place.used, unwritten: null, last: { op: source, place } };
}

function placeAfterWrite(place: Place, pool: number, op: RegistryOperation, state: KeyState): Place {
  const used = place.used.with(pool, (place.used[pool] ?? 0) + 1);
  return { ...place, state, used, unwritten: place.state, last: { op, place } };
}

/**
 * Whether the answer could have been given just as well before the last write of unknown outcome: what this one does for
 * the rest it can do later, or need not do. Not so for a conflict that tells which timestamps are not there.
 */
function isNeedless({ unwritten }: Place, op: RegistryOperation): boolean {
  const after = unwritten === null ? undefined : afterAnswer(unwritten, op);
  return op.output === 'CONFLICT' ? after !== undefined && after === unwritten : after !== undefined;
}

function isPast(op: RegistryOperation | undefined, { timestamp }: KeyState): boolean {
  const condition = op?.type === 'read' ? undefined : op?.ifTimestamp;
  return condition !== undefined && condition > 0 && condition < timestamp;
}

/** Whether the next timestamp of an answer can still come: they never go down. */
function mayGoOn({ state, ranked }: Place, ranks: readonly number[]): boolean {
  return (ranks[ranked] ?? Number.POSITIVE_INFINITY) > 2 * state.timestamp;
}

/** What was done, from the start on. */
function path(place: Place): RegistryOperation[] {
  const operations: RegistryOperation[] = [];
  for (let { last } = place; last !== null; last = last.place.last) operations.push(last.op);
  return operations.reverse();
}
