/** Something that is called over and over; each has a loop of its own, so that one does not spoil the code of another. */
export interface Case {
  readonly name: string;
  readonly run: (times: number) => void;
  /** Done before each round, without being measured. */
  readonly prepare?: () => void;
}

/** How long one round of a case takes, in ms: short, or other processes take part in most of them. */
const ROUND_MS = 1;
const WARM_UP_ROUNDS = 200;
/** Calls between two collections of garbage, few enough that none runs in between. */
const COUNTED_CALLS = 2_000;

/**
 * Runs the cases in turn, over and over, so that what else the machine does hits all of them alike.
 *
 * @returns by case: the calls a second of each round
 */
export async function rounds(cases: readonly Case[], count: number): Promise<readonly (readonly number[])[]> {
  const times = cases.map(() => 1_000);
  const rates: number[][] = cases.map(() => []);
  for (let round = -WARM_UP_ROUNDS; round < count; round++) {
    for (const [at, one] of cases.entries()) {
      const calls = times[at] as number;
      const ms = await msOf(one, calls);
      if (round < 0) times[at] = Math.ceil((calls * ROUND_MS) / Math.max(ms, 0.1));
      else rates[at]?.push((1_000 * calls) / ms);
    }
  }
  return rates;
}

/** What the calls left behind in promises is part of them. */
async function msOf({ prepare, run }: Case, times: number): Promise<number> {
  prepare?.();
  const since = performance.now();
  run(times);
  await new Promise(setImmediate);
  return performance.now() - since;
}

/** Bytes that one call allocates: between two collections, as long as none runs in between. */
export async function bytesPerCall({ prepare, run }: Case): Promise<number> {
  const samples: number[] = [];
  for (let sample = 0; sample < 15; sample++) {
    prepare?.();
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    run(COUNTED_CALLS);
    samples.push((process.memoryUsage().heapUsed - before) / COUNTED_CALLS);
    await new Promise(setImmediate);
  }
  return Math.round(median(samples));
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
