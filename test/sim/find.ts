import { parseArgs } from 'node:util';
import { type SimNodeClass, type SimReport, simulate } from 'raftbeat/testing';
import { DEFECTS, type Defect } from './defects.js';
import { buildPatched } from './patched.js';

/** How a defect was found, or that it was not. */
export interface Finding {
  readonly defect: Defect;
  /** How many seeds were run. */
  readonly seeds: number;
  readonly report: SimReport | null;
}

/** How long to search. */
export interface Search {
  readonly from?: number;
  readonly maxSeeds: number;
  readonly maxMs: number;
}

const SIZES = [3, 5] as const;

/** Runs a patched build, seed by seed, until something is seen broken; odd seeds are of 5 peers. */
export async function findDefect(defect: Defect, { from = 1, maxSeeds, maxMs }: Search): Promise<Finding> {
  const nodes = await buildPatched(defect.patches);
  const end = performance.now() + maxMs;
  let seeds = 0;
  for (; seeds < maxSeeds && performance.now() < end; seeds++) {
    const report = await runSeed(from + seeds, nodes);
    if (report.violations.length > 0) return { defect, seeds: seeds + 1, report };
  }
  return { defect, seeds, report: null };
}

/** The run that a seed stands for here. */
export function runSeed(seed: number, nodes?: SimNodeClass): Promise<SimReport> {
  const peers = SIZES[seed % SIZES.length] ?? 3;
  return simulate({ seed, peers, ...(nodes === undefined ? {} : { nodes }) });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { seeds: { type: 'string' }, minutes: { type: 'string' }, only: { type: 'string' } },
  });
  const maxSeeds = Number(values.seeds ?? 5_000);
  const maxMs = Number(values.minutes ?? 2) * 60_000;
  const { only = '' } = values;
  const defects = DEFECTS.filter(({ name }) => name.includes(only));
  let found = 0;
  for (const defect of defects) {
    const { seeds, report } = await findDefect(defect, { maxSeeds, maxMs });
    const violation = report?.violations.at(-1);
    if (violation !== undefined) found++;
    const how =
      violation === undefined
        ? `not found in ${seeds} seeds`
        : `seed ${report?.seed}: ${violation.check}: ${violation.what}`;
    console.log(`${defect.name} | ${how}`);
  }
  console.log(`${defects.length} defects, ${found} found by the simulator`);
}

if (process.argv[1] === new URL(import.meta.url).pathname) await main();
