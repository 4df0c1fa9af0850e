import { setTimeout as delay } from 'node:timers/promises';

/** Values of 100 bytes as they are stored: JSON adds two quotes. */
export const VALUE_BYTES = 100;
/** Written one after the other, again and again. */
const KEYS = 10_000;
/** After a write that failed, in ms. */
const PAUSE_MS = 10;

/** How many writers write for how long. */
export interface Order {
  readonly writers: number;
  readonly ms: number;
}

/** What came of it; times in ms. */
export interface Load {
  readonly opsPerSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly errors: number;
}

/** Lets each writer write one value after the other, and waits for the last of them. */
export async function load(write: (key: string) => Promise<unknown>, { writers, ms }: Order): Promise<Load> {
  const latencies: number[] = [];
  let errors = 0;
  let count = 0;
  const startedAt = performance.now();
  const writer = async (): Promise<void> => {
    while (performance.now() < startedAt + ms) {
      const at = performance.now();
      try {
        await write(`bench/${count++ % KEYS}`);
        latencies.push(performance.now() - at);
      } catch {
        errors++;
        await delay(PAUSE_MS);
      }
    }
  };
  await Promise.all(Array.from({ length: writers }, writer));
  const seconds = (performance.now() - startedAt) / 1_000;
  latencies.sort((a, b) => a - b);
  return {
    opsPerSecond: latencies.length / seconds,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    max: quantile(latencies, 1),
    errors,
  };
}

/** Of sorted numbers; NaN when there are none. */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

/** Of numbers in any order. */
export function median(numbers: readonly number[]): number {
  return quantile(
    [...numbers].sort((a, b) => a - b),
    0.5,
  );
}
