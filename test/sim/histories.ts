import type { RegistryOperation } from 'raftbeat/testing';
import { SimRandom } from '../../src/testing/sim/random.js';

/** A random history of a registry that does one operation at a time. */
export interface HistoryOptions {
  readonly seed: number;
  /** How many operations. */
  readonly count: number;
  readonly keys: number;
  readonly clients: number;
  /** The share of operations whose outcome stays unknown; half of them take effect. */
  readonly unknown: number;
  /** How many different values there are; without it each publication has its own. */
  readonly values?: number;
}

/** An operation, and when it takes effect. */
interface Planned {
  readonly op: RegistryOperation;
  /** Null: never. */
  readonly at: number | null;
}

/** All calls at whole times, each client's one after the other. */
export function randomHistory(options: HistoryOptions): RegistryOperation[] {
  const random = new SimRandom(options.seed, 'history');
  const free = Array.from({ length: options.clients }, () => 0);
  const planned = Array.from({ length: options.count }, (_, number): Planned => {
    const client = random.below(options.clients);
    const call = (free[client] ?? 0) + 1 + random.below(10);
    const end = call + random.below(20);
    free[client] = end;
    return plan(
      random,
      options,
      { client, call, key: `k${random.below(options.keys)}`, return: end },
      number,
    );
  });
  const effects = planned
    .filter(({ at }) => at !== null)
    .sort((one, other) => Number(one.at) - Number(other.at));
  const registry = new Registry(random);
  const answered = new Map(effects.map(({ op }) => [op, registry.does(op)]));
  return planned.map(
    ({ op }) => answered.get(op) ?? { ...op, ...(op.return === null ? {} : { output: 'FAILED' }) },
  );
}

function plan(
  random: SimRandom,
  { unknown, values = 1e9 }: HistoryOptions,
  times: { client: number; key: string; call: number; return: number },
  number: number,
): Planned {
  const value = `v${number % values}`;
  const type = random.pick(['publish', 'publish', 'read', 'read', 'remove']);
  const op = { ...times, type, ...(type === 'publish' && { value }) } as RegistryOperation;
  const within = times.call + random.next() * (times.return - times.call);
  if (type !== 'read' && random.chance(0.05)) return { op, at: null };
  if (!random.chance(unknown)) return { op, at: within };
  return { op: { ...op, return: null }, at: random.chance(0.5) ? within + random.skewed(1, 200) : null };
}

/** The registry, whose keys share the floor under new timestamps. */
class Registry {
  readonly #datums = new Map<string, { value: string; timestamp: number }>();
  readonly #random: SimRandom;
  #floor = 0;

  constructor(random: SimRandom) {
    this.#random = random;
  }

  /** The operation with a condition, maybe, and with its answer if it got one. */
  does(op: RegistryOperation): RegistryOperation {
    const datum = this.#datums.get(op.key);
    const timestamp = datum?.timestamp ?? 0;
    if (op.type === 'read') return { ...op, output: datum ?? null };
    const conditions = [undefined, undefined, timestamp, Math.max(0, timestamp - 1), 0] as const;
    const ifTimestamp = this.#random.pick<number | undefined>([...conditions]);
    const conflict = ifTimestamp !== undefined && ifTimestamp !== timestamp;
    const output = conflict
      ? 'CONFLICT'
      : op.type === 'remove'
        ? this.#removes(op.key)
        : this.#publishes(op.key, op.value);
    const { return: end } = op;
    return { ...op, ifTimestamp, ...(end !== null && { output }) } as RegistryOperation;
  }

  #publishes(key: string, value: string): number {
    const timestamp = (this.#datums.get(key)?.timestamp ?? this.#floor) + 1;
    this.#datums.set(key, { value, timestamp });
    return timestamp;
  }

  #removes(key: string): boolean {
    this.#floor = Math.max(this.#floor, this.#datums.get(key)?.timestamp ?? 0);
    return this.#datums.delete(key);
  }
}

/** The history with another answer to one of its operations. */
export function corrupted(history: readonly RegistryOperation[], random: SimRandom): RegistryOperation[] {
  const answered = history.filter((op) => op.return !== null && op.output !== 'FAILED');
  const victim = answered[random.below(answered.length)];
  return history.map((op) => (op === victim ? otherwise(op, random) : op));
}

function otherwise(op: RegistryOperation, random: SimRandom): RegistryOperation {
  const near = (timestamp: number): number => timestamp + random.pick([-2, -1, 1, 2]);
  const { output } = op;
  if (typeof output === 'number') return { ...op, output: near(output) } as RegistryOperation;
  if (output === 'CONFLICT')
    return { ...op, output: op.type === 'publish' ? 1 + random.below(9) : true } as RegistryOperation;
  if (op.type === 'remove') return { ...op, output: !output };
  if (typeof output !== 'object' || output === null)
    return { ...op, output: { value: 'v1', timestamp: 1 } } as RegistryOperation;
  const lie = random.pick([
    null,
    { ...output, timestamp: near(output.timestamp) },
    { ...output, value: 'v0' },
  ]);
  return { ...op, output: lie } as RegistryOperation;
}
