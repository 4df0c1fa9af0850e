import type { Defect, Preset } from './defect.js';
import { build, runSeed, seedText, violationOf } from './find.js';

/** How far to search. */
export interface Search {
  readonly maxSeeds: number;
  readonly maxMs: number;
  /** What the seeds of a defect leave open that no seed is known to find. */
  readonly preset: Preset;
}

/** Looks for the first seed, from 1 on, whose run finds a defect. */
export async function search(defect: Defect, { maxSeeds, maxMs, ...others }: Search): Promise<string> {
  const preset = defect.foundBy.find((finder) => finder.by === 'simulator')?.preset ?? others.preset;
  const built = await build(defect.patches);
  const end = performance.now() + maxMs;
  let seed = 1;
  for (; seed <= maxSeeds && performance.now() < end; seed++) {
    const what = violationOf(await runSeed(seed, preset, built));
    if (what !== null) return `${seedText(seed, preset)}: ${what}`;
  }
  return `not found in ${seed - 1} seeds`;
}
