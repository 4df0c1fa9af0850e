import type { Fault } from './faults.js';
import { type SimOptions, type SimReport, simulate } from './simulate.js';

/** A small schedule that still breaks the same rule. */
export interface ShrunkRun {
  /** Options that repeat it. */
  readonly options: SimOptions;
  readonly report: SimReport;
  /** How many runs it took. */
  readonly runs: number;
}

/**
 * Makes a failing run small: leaves out faults, in ever smaller groups, as long as the same check still fails, then
 * makes those that remain short.
 *
 * @param options those of the failing run
 * @param report what it reported; it must have a violation
 * @param maxRuns how many runs may be spent. @default 300
 */
export async function shrink(
  options: SimOptions,
  report: SimReport,
  maxRuns: number = 300,
): Promise<ShrunkRun> {
  const check = report.violations.at(-1)?.check;
  if (check === undefined) throw new TypeError('a run without a violation cannot be shrunk');
  let runs = 0;
  let best = report;
  const stillFails = async (schedule: readonly Fault[]): Promise<boolean> => {
    if (runs >= maxRuns) return false;
    runs++;
    const tried = await simulate({ ...options, schedule });
    const fails = tried.violations.some((violation) => violation.check === check);
    if (fails) best = tried;
    return fails;
  };
  const struck = report.schedule.filter(({ at }) => at <= report.virtualMs);
  const few = await without(struck, stillFails);
  await shorter(few, stillFails);
  const { schedule } = best;
  const traced = { ...options, schedule, traces: true };
  return { options: traced, report: await simulate(traced), runs };
}

type Fails = (schedule: readonly Fault[]) => Promise<boolean>;

/** Leaves out groups of faults: halves first, single ones last. */
async function without(schedule: readonly Fault[], stillFails: Fails): Promise<readonly Fault[]> {
  let kept = schedule;
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < kept.length; ) {
      const fewer = [...kept.slice(0, from), ...kept.slice(from + size)];
      if (await stillFails(fewer)) kept = fewer;
      else from += size;
    }
  }
  return kept;
}

/** Halves what each fault lasts. */
async function shorter(schedule: readonly Fault[], stillFails: Fails): Promise<void> {
  let kept = schedule;
  for (let at = 0; at < kept.length; at++) {
    const tried = kept.map((fault, place) => (place === at ? { ...fault, ms: fault.ms / 2 } : fault));
    if (await stillFails(tried)) kept = tried;
  }
}
