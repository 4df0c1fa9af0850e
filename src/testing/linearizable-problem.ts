import type { RegistryOperation } from './registry-model.js';

/** An operation that must be somewhere in the order. */
export interface Step {
  /** As it is in the history. */
  readonly source: RegistryOperation;
  /** With the answer that it got, or must have got. */
  readonly op: RegistryOperation;
  /** It took effect at this time at the latest. */
  readonly by: number;
  /**
   * Answers with timestamps can only come in their order, publications before reads: twice the timestamp, plus 1 for a
   * read. null: an answer without a timestamp.
   */
  readonly rank: number | null;
}

/** The operations on one key that are to be put in order. */
export interface Problem {
  /** By the times of their calls. */
  readonly steps: readonly Step[];
  /** The ranks of the steps, ascending. */
  readonly ranks: readonly number[];
  /** Writes of unknown outcome; those of a pool can stand for each other, and are taken in the order of their calls. */
  readonly pools: readonly (readonly RegistryOperation[])[];
}

/**
 * @param operations those on one key that may have had an effect
 * @param known those of them whose answers count, in the order of their returns; what was called after the last of them is
 *   left out, and of all others the outcome is taken for unknown
 */
export function problem(
  operations: readonly RegistryOperation[],
  known: readonly RegistryOperation[],
): Problem {
  const answered = new Set(known);
  const end = known.at(-1)?.return ?? 0;
  const sights = firstSights(known);
  const effective = operations.filter((op) => !answered.has(op) || op.output !== 'CONFLICT');
  const publishers = groupBy(effective, (op) => (op.type === 'publish' ? op.value : null));
  const steps: Step[] = [];
  const unknown: RegistryOperation[] = [];
  for (const op of operations.toSorted((one, other) => one.call - other.call)) {
    const seen = op.type === 'publish' && publishers.get(op.value)?.length === 1 && sights.get(op.value);
    if (answered.has(op)) steps.push(step(op, op, op.return ?? end));
    else if (seen) steps.push(step(op, { ...op, output: seen.timestamp }, seen.by));
    else if (op.type !== 'read' && op.call <= end) unknown.push(op);
  }
  const ranks = steps.flatMap(({ rank }) => rank ?? []).toSorted((one, other) => one - other);
  const pools = groupBy(unknown, (op) => standIn(op, sights));
  return { steps, ranks, pools: [...pools.values()] };
}

/** `items` by what `keyOf` says of each; within a group, in their order. */
export function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

/** A value that was read, at this timestamp; by this time it had been published. */
interface Sight {
  readonly timestamp: number;
  readonly by: number;
}

/**
 * The first read of each value. If one publication alone can have brought it, and its outcome is unknown, then it did, with
 * the timestamp that was read: this is known without a search.
 */
function firstSights(known: readonly RegistryOperation[]): ReadonlyMap<string, Sight> {
  const sights = new Map<string, Sight>();
  for (const { output, return: by } of known) {
    if (typeof output !== 'object' || output === null || by === null) continue;
    if (!sights.has(output.value)) sights.set(output.value, { timestamp: output.timestamp, by });
  }
  return sights;
}

function step(source: RegistryOperation, op: RegistryOperation, by: number): Step {
  return { source, op, by, rank: rankOf(op) };
}

function rankOf({ output }: RegistryOperation): number | null {
  if (typeof output === 'number') return 2 * output;
  return typeof output === 'object' && output !== null ? 2 * output.timestamp + 1 : null;
}

/** The same for writes of which one does what the other does, as far as any read tells. */
function standIn(op: RegistryOperation, sights: ReadonlyMap<string, Sight>): string {
  const value = op.type === 'publish' && sights.has(op.value) ? op.value : null;
  return JSON.stringify([op.type, op.type === 'read' ? null : op.ifTimestamp, value]);
}
