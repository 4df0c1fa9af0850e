import { groupBy, problem } from './linearizable-problem.js';
import { type Order, search } from './linearizable-search.js';
import { type KeyState, type RegistryOperation, UNUSED } from './registry-model.js';

/** How long to search. */
export interface LinearizableOptions {
  /** States visited at most, for each key. @default 200_000 */
  readonly budget?: number;
}

/** Whether some order of the operations, one at a time, explains all answers. */
export type Linearizability =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly key: string;
      /** An order that explains as many answers as can be, from the first that returned on. */
      readonly longest: readonly RegistryOperation[];
      /** One sentence: the answer that no order explains, and what `longest` leads to. */
      readonly explanation: string;
    }
  | {
      readonly ok: 'unknown';
      /** Those for which the budget was not enough; all others are linearizable. */
      readonly keys: readonly string[];
    };

/**
 * Looks, for each key on its own, for an order of its operations that explains every answer and in which none comes before
 * one that had returned when it was called (Herlihy and Wing, 1990); section 4 promises one. The search is that of Wing and
 * Gong (1993), which, as Lowe (2017) proposed, never tries the same operations with the same state twice.
 *
 * @param history in any order; `return` never before `call`
 */
export function checkLinearizable(
  history: readonly RegistryOperation[],
  { budget = 200_000 }: LinearizableOptions = {},
): Linearizability {
  const keys: string[] = [];
  const effective = history.filter((op) => op.return === null || op.output !== 'FAILED');
  for (const [key, operations] of groupBy(effective, (op) => op.key)) {
    const found = search(problem(operations, answers(operations)), budget);
    if (found === null) return { ok: false, key, ...explained(operations, budget) };
    if (found === 'unknown') keys.push(key);
  }
  return keys.length === 0 ? { ok: true } : { ok: 'unknown', keys };
}

/** Those that returned, in this order. */
function answers(operations: readonly RegistryOperation[]): RegistryOperation[] {
  const returned = operations.filter((op) => op.return !== null);
  return returned.sort((one, other) => Number(one.return) - Number(other.return));
}

/** Finds, by halving, how many of the first answers still have an order: fewer have one whenever more have. */
function explained(
  operations: readonly RegistryOperation[],
  budget: number,
): { longest: readonly RegistryOperation[]; explanation: string } {
  const known = answers(operations);
  let order: Order = { operations: [], state: UNUSED };
  let good = 0;
  for (let bad = known.length; bad - good > 1; ) {
    const middle = (good + bad) >> 1;
    const found = search(problem(operations, known.slice(0, middle)), budget);
    if (found === null || found === 'unknown') bad = middle;
    else [good, order] = [middle, found];
  }
  const [culprit] = known.slice(good);
  const answer = culprit === undefined ? '' : describe(culprit);
  const explanation = `no order explains answer ${good + 1} of ${known.length}, ${answer}; the ${good} before it can leave ${present(order.state)}`;
  return { longest: order.operations, explanation };
}

function describe(op: RegistryOperation): string {
  const value = op.type === 'publish' ? ` ${JSON.stringify(op.value)}` : '';
  const condition = op.type === 'read' || op.ifTimestamp === undefined ? '' : ` if at ${op.ifTimestamp}`;
  const times = `[${op.call}, ${op.return}]`;
  return `${op.type}${value}${condition} of client ${op.client} in ${times} -> ${JSON.stringify(op.output)}`;
}

function present({ value, timestamp, except }: KeyState): string {
  if (value === null) return `nothing (highest timestamp: ${timestamp})`;
  return `${JSON.stringify(value)} at ${timestamp}${except === null ? '' : ' or later'}`;
}
