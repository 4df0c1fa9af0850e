// How long a cluster is without a leader: raftbeat beside others, in one run on one machine.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { directoryOfRun } from './bounds.js';
import type { Candidate, Failover } from './failover/candidate.js';
import { candidates } from './failover/candidates.js';
import { Machine } from './report.js';

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '20' },
    minutes: { type: 'string', default: '10' },
    only: { type: 'string', default: '' },
    json: { type: 'string', default: join(tmpdir(), 'raftbeat-bench-failover.json') },
  },
});
const trials = Number(values.trials);
/** Past it no further trial begins. */
const until = performance.now() + 60_000 * Number(values.minutes);

/** No trial that works takes as long, in ms. */
const TRIAL_MS = 60_000;

const directory = directoryOfRun();

interface Row {
  readonly name: string;
  readonly what: 'SIGKILL' | 'resign' | 'SIGSTOP';
  readonly timeoutMs: number;
  readonly samples: readonly Failover[];
  /** Ms during which two believed that they lead. */
  readonly overlaps: readonly number[];
}

const machine = new Machine();
const all = candidates(directory).filter(({ name }) => name.includes(values.only));
const rows: Row[] = [];
for (const [at, candidate] of all.entries()) {
  const share = (until - performance.now()) / (all.length - at);
  rows.push(...(await measure(candidate, performance.now() + share)));
}
console.table(rows.map(asTableRow));
machine.report(values.json, { rows });
process.exit();

/** At most `trials` of each kind; SIGKILL has half of the time, for it takes longest. */
async function measure(candidate: Candidate, deadline: number): Promise<readonly Row[]> {
  const { name, timeoutMs } = candidate;
  const resign: Failover[] = [];
  const overlaps: number[] = [];
  const kill: Failover[] = [];
  await candidate.start();
  const begun = performance.now();
  try {
    await repeat(candidate.resign, begun + (deadline - begun) / 4, resign);
    await repeat(candidate.pause?.bind(candidate), begun + (deadline - begun) / 2, overlaps);
    await repeat(() => candidate.kill(), deadline, kill);
  } catch (error) {
    console.warn(`${name}: ${error}; what it did before counts`);
  }
  await candidate.end();
  const row = { name, timeoutMs, samples: [], overlaps: [] };
  const made: readonly Row[] = [
    { ...row, what: 'SIGKILL', samples: kill },
    { ...row, what: 'resign', samples: resign },
    { ...row, what: 'SIGSTOP', overlaps },
  ];
  return made.filter(({ samples, overlaps: times }) => samples.length + times.length > 0);
}

/** @throws Error when a trial does not end */
async function repeat<T>(
  trial: (() => Promise<T>) | undefined,
  deadline: number,
  results: T[],
): Promise<void> {
  while (trial !== undefined && results.length < trials && performance.now() < deadline)
    results.push(await ended(trial()));
}

/** Some of those that are compared are stuck for ever, one day or the other. */
async function ended<T>(trial: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`stuck for ${TRIAL_MS} ms`)), TRIAL_MS);
  });
  return Promise.race([trial, tooLong]).finally(() => clearTimeout(timer));
}

function asTableRow({ name, what, timeoutMs, samples, overlaps }: Row): object {
  const led = samples.map(({ ledMs }) => ledMs);
  const known = samples.flatMap(({ knownMs }) => (knownMs === null ? [] : [knownMs]));
  const split = samples.filter(({ terms }) => terms !== null && terms > 1).length;
  return {
    name,
    what,
    trials: samples.length + overlaps.length,
    'leads: p50 ms': round(quantile(led, 0.5)),
    'all know: p50 ms': round(quantile(known, 0.5)),
    'p95 ms': round(quantile(known.length > 0 ? known : led, 0.95)),
    'max ms': round(quantile(known.length > 0 ? known : led, 1)),
    'p50 / timeout': round(quantile(known.length > 0 ? known : led, 0.5) / timeoutMs, 2),
    'p95 / timeout': round(quantile(known.length > 0 ? known : led, 0.95) / timeoutMs, 2),
    'more than one term': split,
    'overlap: most ms': round(Math.max(...overlaps), 1),
  };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1] ?? sorted[0] ?? Number.NaN;
}

/** Rounded; nothing where there is nothing. */
function round(value: number, digits = 0): number | '' {
  return Number.isFinite(value) ? Number(value.toFixed(digits)) : '';
}
