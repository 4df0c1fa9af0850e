import { readFileSync } from 'node:fs';
import { type SimOptions, type SimReport, simulate } from 'raftbeat/testing';
import { SMALL } from '../model/bounds.js';
import { buildKernel } from '../model/build.js';
import { explore } from '../model/explore.js';
import type { Finder, Preset } from './defect.js';
import { bundle, type Patch } from './patches.js';

/** What a finder saw in a build. */
export interface Finding {
  /** Which finder, and how far it had to go. */
  readonly where: string;
  /** What it saw broken; null if nothing. */
  readonly what: string | null;
}

const SIZES = [3, 5] as const;
const CASES = new URL('../scenarios/cases/', import.meta.url);

/** Has `finder` look at a build with `patches`; without any at the true one. */
export function find(finder: Finder, patches: readonly Patch[]): Promise<Finding> {
  switch (finder.by) {
    case 'simulator':
      return findBySeed(finder, patches);
    case 'model':
      return findByModel(finder, patches);
    case 'scenario':
      return findByScenario(finder.name, patches);
  }
}

/** What a run is made of. */
export type Build = Required<Pick<SimOptions, 'nodes' | 'hosts'>>;

/** Builds `RaftNode` and `RaftHost`. */
export async function build(patches: readonly Patch[]): Promise<Build> {
  const directory = new URL('../../src/', import.meta.url);
  const entry =
    "export { RaftNode as nodes } from './node/node.ts'; export { RaftHost as hosts } from './host/host.ts';";
  const { nodes, hosts } = await bundle<Build>({ entry, directory, patches });
  return { nodes, hosts };
}

/** The run that a seed stands for here; odd seeds are of 5 peers. */
export function runSeed(seed: number, preset: Preset = {}, built: Partial<Build> = {}): Promise<SimReport> {
  const peers = SIZES[seed % SIZES.length] ?? 3;
  return simulate({ seed, peers, ...preset, ...built });
}

/** What a run saw broken, as a line; null if nothing. */
export function violationOf({ violations }: SimReport): string | null {
  const violation = violations.at(-1);
  return violation === undefined ? null : `${violation.check}: ${violation.ip} ${violation.what}`;
}

async function findBySeed(
  { seed, preset, further = 0 }: Finder & { by: 'simulator' },
  patches: readonly Patch[],
): Promise<Finding> {
  const built = await build(patches);
  for (let each = seed; ; each++) {
    const what = violationOf(await runSeed(each, preset, built));
    if (what !== null || each === seed + further) return { where: seedText(each, preset), what };
  }
}

/** The seed, as a person reads it. */
export function seedText(seed: number, preset: Preset): string {
  const given = Object.keys(preset).length === 0 ? '' : ` with ${JSON.stringify(preset)}`;
  return `simulator, seed ${seed}${given}`;
}

async function findByModel(finder: Finder & { by: 'model' }, patches: readonly Patch[]): Promise<Finding> {
  const { waypoints, ...bounds } = finder.bounds;
  const outcome = explore(await buildKernel(patches), { ...SMALL, ...finder.bounds });
  const directed = waypoints === undefined ? '' : ', directed';
  return {
    where: `model ${JSON.stringify(bounds)}${directed}, depth ${outcome.depth}, ${outcome.states} states`,
    what: outcome.violation,
  };
}

async function findByScenario(name: string, patches: readonly Patch[]): Promise<Finding> {
  const written = readFileSync(new URL(`${name}.txt`, CASES), 'utf8');
  const directory = new URL('../scenarios/', import.meta.url);
  const entry = "export { rerun } from './runner.ts';";
  const { rerun } = await bundle<{ rerun: (text: string) => string }>({ entry, directory, patches });
  return {
    where: `scenario ${name}`,
    what: difference(
      written,
      outcomeOf(() => rerun(written)),
    ),
  };
}

/** A scenario may end in an assertion of the core. */
function outcomeOf(rerun: () => string): string {
  try {
    return rerun();
  } catch (error) {
    return `${error}`;
  }
}

/** Two leaders, if they are seen; else the first line that is not as it is written. */
function difference(written: string, happened: string): string | null {
  if (happened === written) return null;
  const lines = happened.split('\n');
  const rule = lines.find((line) => line.includes('!!') && !written.includes(line));
  const expected = written.split('\n');
  return rule ?? lines.find((line, at) => line !== expected[at]) ?? 'it ends early';
}
