import type { RegistryOperation } from 'raftbeat/testing';

/** What one key is, with a timestamp that is never in doubt. */
interface Concrete {
  readonly value: string | null;
  /** The highest that the key ever had. */
  readonly top: number;
}

/**
 * Tries every order, every subset of the writes of unknown outcome and every timestamp that they can have got: nothing is
 * remembered and nothing cut, so this is right by inspection, and of use for a handful of operations on one key.
 */
export function hasOrder(history: readonly RegistryOperation[]): boolean {
  const stamps = history.flatMap(({ output }) =>
    typeof output === 'number'
      ? output
      : typeof output === 'object' && output !== null
        ? output.timestamp
        : [],
  );
  const conditions = history.flatMap((op) => (op.type === 'read' ? [] : (op.ifTimestamp ?? [])));
  const highest = Math.max(0, ...stamps, ...conditions) + history.length;
  return completes(
    history.filter((op) => op.return === null || op.output !== 'FAILED'),
    { value: null, top: 0 },
    highest,
  );
}

function completes(left: readonly RegistryOperation[], state: Concrete, highest: number): boolean {
  if (left.every((op) => op.return === null)) return true;
  return left.some((op) => {
    if (left.some((other) => other.return !== null && other.return < op.call)) return false;
    const rest = left.filter((other) => other !== op);
    return effects(op, state, highest).some((next) => completes(rest, next, highest));
  });
}

/** The states that the operation can leave behind. */
function effects(op: RegistryOperation, { value, top }: Concrete, highest: number): Concrete[] {
  const present = value === null ? 0 : top;
  const unknown = op.return === null;
  if (op.type === 'read') {
    const told = typeof op.output === 'object' ? (op.output ?? { value: null, timestamp: 0 }) : undefined;
    return unknown || (told?.value === value && told.timestamp === present) ? [{ value, top }] : [];
  }
  const fits = op.ifTimestamp === undefined || op.ifTimestamp === present;
  if (!unknown && op.output === 'CONFLICT') return fits ? [] : [{ value, top }];
  if (op.type === 'remove') {
    if (!unknown && op.output === false) return value === null ? [{ value, top }] : [];
    return fits && value !== null ? [{ value: null, top }] : [];
  }
  if (!fits) return [];
  const possible = value === null ? range(top + 1, highest) : [top + 1];
  return possible
    .filter((stamp) => unknown || stamp === op.output)
    .map((stamp) => ({ value: op.value, top: stamp }));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => from + at);
}
