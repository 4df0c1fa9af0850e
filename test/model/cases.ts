import { type Bounds, SMALL } from './bounds.js';

/** A named run. */
export interface Case {
  readonly name: string;
  readonly bounds: Bounds;
}

const of = (name: string, bounds: Partial<Bounds>): Case => ({ name, bounds: { ...SMALL, ...bounds } });

/** With three peers each explores all that its bounds allow; with five, as many states as they allow. */
export const CASES: readonly Case[] = [
  of('two-terms', {}),
  of('two-terms-kept', { timeout: 1, keepDead: true }),
  of('observer', { voters: 2, observers: 1, terms: 3, crashes: 1, transfers: 1 }),
  of('crash-transfer', { crashes: 1, transfers: 1 }),
  of('late-saves', { crashes: 1, transfers: 1, lateSaves: true }),
  of('two-crashes', { crashes: 2, transfers: 1 }),
  of('three-terms', { terms: 3 }),
  of('three-terms-transfer', { terms: 3, timeout: 1, transfers: 1 }),
  of('slow-clocks', { timeout: 3, slowClocks: 2 }),
  of('slow-clocks-crash', { timeout: 3, slowClocks: 2, crashes: 1 }),
  of('slow-clocks-transfer', { timeout: 3, slowClocks: 2, transfers: 1 }),
  of('three-terms-L2-transfer', { terms: 3, transfers: 1 }),
  of('three-terms-L2-crash', { terms: 3, crashes: 1 }),
  of('unequal-L', { longer: 1 }),
  of('unequal-L-crash-transfer', { timeout: 1, longer: 1, crashes: 1, transfers: 1 }),
  of('wiped', { wipes: 1 }),
  of('wiped-crash-transfer', { timeout: 1, wipes: 1, crashes: 1, transfers: 1 }),
  of('wiped-twice', { timeout: 1, wipes: 2 }),
  of('four-terms', { terms: 4, timeout: 1 }),
  of('three-voters-observer', { observers: 1 }),
  of('five', { voters: 5, states: 50_000_000 }),
  of('five-crash-transfer', { voters: 5, crashes: 1, transfers: 1, states: 10_000_000 }),
];
