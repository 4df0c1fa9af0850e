import { type Bounds, SMALL } from './bounds.js';
import type { Kernel } from './build.js';
import { explore } from './explore.js';
import { type RegistryBounds, SMALL_REGISTRY } from './registry/bounds.js';
import { exploreRegistry } from './registry/explore.js';
import type { Outcome } from './search.js';

/** A named run. */
export interface Case {
  readonly name: string;
  readonly bounds: Bounds | RegistryBounds;
  readonly run: (kernel: Kernel, progress?: (text: string) => void) => Outcome;
}

/** A case without data. */
export function electionCase(name: string, given: Partial<Bounds>): Case {
  const bounds = { ...SMALL, ...given };
  return { name, bounds, run: (kernel, progress) => explore(kernel, bounds, progress) };
}

/** A case with data (section 4). */
function registryCase(name: string, given: Partial<RegistryBounds>): Case {
  const bounds = { ...SMALL_REGISTRY, ...given };
  return { name, bounds, run: (kernel, progress) => exploreRegistry(kernel, bounds, progress) };
}

/** With three peers each explores all that its bounds allow; with five, as many states as they allow. */
const ELECTION_CASES: readonly Case[] = [
  electionCase('two-terms', {}),
  electionCase('two-terms-kept', { timeout: 1, keepDead: true }),
  electionCase('observer', { voters: 2, observers: 1, terms: 3, crashes: 1, transfers: 1 }),
  electionCase('crash-transfer', { crashes: 1, transfers: 1 }),
  electionCase('late-saves', { crashes: 1, transfers: 1, lateSaves: true }),
  electionCase('two-crashes', { crashes: 2, transfers: 1 }),
  electionCase('three-terms', { terms: 3 }),
  electionCase('three-terms-transfer', { terms: 3, timeout: 1, transfers: 1 }),
  electionCase('slow-clocks', { timeout: 3, slowClocks: 2 }),
  electionCase('slow-clocks-crash', { timeout: 3, slowClocks: 2, crashes: 1 }),
  electionCase('slow-clocks-transfer', { timeout: 3, slowClocks: 2, transfers: 1 }),
  electionCase('three-terms-L2-transfer', { terms: 3, transfers: 1 }),
  electionCase('three-terms-L2-crash', { terms: 3, crashes: 1 }),
  electionCase('unequal-L', { longer: 1 }),
  electionCase('unequal-L-crash-transfer', { timeout: 1, longer: 1, crashes: 1, transfers: 1 }),
  electionCase('wiped', { wipes: 1 }),
  electionCase('wiped-crash-transfer', { timeout: 1, wipes: 1, crashes: 1, transfers: 1 }),
  electionCase('wiped-twice', { timeout: 1, wipes: 2 }),
  electionCase('four-terms', { terms: 4, timeout: 1 }),
  electionCase('three-voters-observer', { observers: 1 }),
  electionCase('five', { voters: 5, states: 50_000_000 }),
  electionCase('five-crash-transfer', { voters: 5, crashes: 1, transfers: 1, states: 10_000_000 }),
];

/** Of three peers. Those that bound the number of states explore that many; the others all that their bounds allow. */
const REGISTRY_CASES: readonly Case[] = [
  registryCase('registry-two-terms', {}),
  registryCase('registry-three-terms', { terms: 3, writes: [] }),
  registryCase('registry-crash', { writes: [], crashes: 1, lag: true }),
  registryCase('registry-kept', { writes: [], keepDead: true, states: 2_000_000 }),
  registryCase('registry-crash-write', { crashes: 1, lag: true, states: 2_000_000 }),
  registryCase('registry-four-terms', { terms: 4, writes: [], messageSize: 1, states: 2_000_000 }),
  registryCase('registry-conditions', {
    terms: 1,
    writes: [{ key: 'x' }, { key: 'x', removes: true }, { key: 'x', ifTimestamp: 0 }],
    states: 2_000_000,
  }),
  registryCase('registry-catch-up', { writes: [], history: 0, states: 2_000_000 }),
  registryCase('registry-catch-up-write', { terms: 1, history: 0, states: 2_000_000 }),
];

export const CASES: readonly Case[] = [...ELECTION_CASES, ...REGISTRY_CASES];
