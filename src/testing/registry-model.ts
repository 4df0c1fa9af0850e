/** What a client of the registry did to one key, and when. */
interface Invocation {
  /** Whose it was; for explanations only. */
  readonly client: string | number;
  readonly key: string;
  /** When it was called, in any unit; an operation that returned at this very time counts as concurrent. */
  readonly call: number;
  /**
   * When it was answered, not before `call`. null: never, or with an unknown outcome; then it takes effect once, at any
   * time after its call, or never.
   */
  readonly return: number | null;
}

/** A write under a condition. */
interface Condition {
  /** Only if the key has this timestamp; 0: only if it is absent. Without it: always. */
  readonly ifTimestamp?: number | undefined;
}

/** The answer to a write whose condition did not hold, or to an operation that definitely had no effect. */
export type Refusal = 'CONFLICT' | 'FAILED';

/** `publish`; answered by the timestamp that the value got. */
export interface PublishOperation extends Invocation, Condition {
  readonly type: 'publish';
  readonly value: string;
  readonly output?: number | Refusal | undefined;
}

/** `remove`; answered by whether the key was present. Absent under a condition: false and `CONFLICT` are both true. */
export interface RemoveOperation extends Invocation, Condition {
  readonly type: 'remove';
  readonly output?: boolean | Refusal | undefined;
}

/** `read`; answered by what was there, null if nothing. */
export interface ReadOperation extends Invocation {
  readonly type: 'read';
  readonly output?: { readonly value: string; readonly timestamp: number } | null | 'FAILED' | undefined;
}

/** One operation of a history; its `output` counts only if it returned. */
export type RegistryOperation = PublishOperation | RemoveOperation | ReadOperation;

/** All that one key may be after some operations: one datum, or those that differ in the timestamp alone. */
export interface KeyState {
  /** null: absent. */
  readonly value: string | null;
  /** The highest that the key ever had, which is that of the value; 0: none. */
  readonly timestamp: number;
  /**
   * null: `timestamp` is known. Else it is only the least possible one, since a new key starts anywhere above its former
   * timestamps and nobody was told where; and it is none of these, all higher.
   */
  readonly except: readonly number[] | null;
}

/** A key that nobody used. */
export const UNUSED: KeyState = { value: null, timestamp: 0, except: null };

/** The state after an operation that was answered so; the same object if nothing changed, undefined if it cannot be. */
export function afterAnswer(state: KeyState, op: RegistryOperation): KeyState | undefined {
  if (op.type === 'read') return afterRead(state, op);
  if (op.output === 'CONFLICT') return without(state, op.ifTimestamp);
  if (op.type === 'remove' && op.output === false) return state.value === null ? state : undefined;
  const before = only(state, op.ifTimestamp);
  if (before === undefined) return undefined;
  if (op.type === 'remove') return afterRemoval(before);
  return typeof op.output === 'number' ? afterPublication(before, op.value, op.output) : undefined;
}

/** The state after a write of unknown outcome took effect; undefined if it has none. */
export function afterEffect(state: KeyState, op: RegistryOperation): KeyState | undefined {
  if (op.type === 'read') return undefined;
  const before = only(state, op.ifTimestamp);
  if (before === undefined) return undefined;
  if (op.type === 'remove') return afterRemoval(before);
  const except = before.value === null ? [] : (before.except?.map((timestamp) => timestamp + 1) ?? null);
  return { value: op.value, timestamp: before.timestamp + 1, except };
}

function afterRead(state: KeyState, { output }: ReadOperation): KeyState | undefined {
  if (output === null) return state.value === null ? state : undefined;
  if (typeof output !== 'object' || output.value !== state.value) return undefined;
  return only(state, output.timestamp);
}

function afterRemoval({ value, timestamp }: KeyState): KeyState | undefined {
  return value === null ? undefined : { value: null, timestamp, except: null };
}

function afterPublication(before: KeyState, value: string, timestamp: number): KeyState | undefined {
  const fits =
    before.value === null ? timestamp > before.timestamp : only(before, timestamp - 1) !== undefined;
  return fits ? { value, timestamp, except: null } : undefined;
}

/** What is left of the state if the condition held. */
function only(state: KeyState, ifTimestamp: number | undefined): KeyState | undefined {
  if (ifTimestamp === undefined) return state;
  if (ifTimestamp === 0 || state.value === null)
    return ifTimestamp === 0 && state.value === null ? state : undefined;
  if (state.except === null) return state.timestamp === ifTimestamp ? state : undefined;
  if (ifTimestamp < state.timestamp || state.except.includes(ifTimestamp)) return undefined;
  return { value: state.value, timestamp: ifTimestamp, except: null };
}

/** What is left of the state if the condition did not hold. */
function without(state: KeyState, ifTimestamp: number | undefined): KeyState | undefined {
  if (ifTimestamp === undefined) return undefined;
  const matching = only(state, ifTimestamp);
  if (matching === undefined) return state;
  if (state.except === null || matching === state) return undefined;
  const except = new Set([...state.except, ifTimestamp]);
  let { timestamp } = state;
  while (except.delete(timestamp)) timestamp++;
  return { value: state.value, timestamp, except: [...except].toSorted((a, b) => a - b) };
}
