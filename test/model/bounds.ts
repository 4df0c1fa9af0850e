import type { Local } from './local.js';

/** What a run explores, and where it stops. */
export interface Bounds {
  readonly voters: number;
  readonly observers: number;
  /** L in units of time. */
  readonly timeout: number;
  /** By how many units the L of the first voter is longer. */
  readonly longer: number;
  /** The highest term. */
  readonly terms: number;
  /** How many crashes with a restart. */
  readonly crashes: number;
  /** How many crashes with the loss of the store, of fewer voters at a time than a majority; messages then live for L. */
  readonly wipes: number;
  /** How many leaders resign. */
  readonly transfers: number;
  /**
   * With slow clocks each clock may stand still for one unit after each `every` units in which it went; 0: all clocks go
   * alike. rho follows from it: a lease of L - 1 units.
   */
  readonly slowClocks: number;
  /** How many times clocks may stand still; without it any number of times. */
  readonly stands: number;
  /** Whether saves take time, in which a peer handles nothing, may crash, and then finds the old or the new record. */
  readonly lateSaves: boolean;
  /**
   * Whether what cannot matter by the rules is kept in the state all the same: votes and lease tables of those who are
   * neither candidates nor leaders, answers to closed rounds and to former leaders. A defect may make it matter.
   */
  readonly keepDead: boolean;
  /**
   * For a directed run: once a state shows the first waypoint, all others are dropped and the run goes on from there to
   * the next one; behind the last it explores all. Such a run can find a violation, and rule out none.
   */
  readonly waypoints: readonly Waypoint[];
  /** The depth and the number of states at which a run that has not ended stops. */
  readonly depth: number;
  readonly states: number;
}

/** Whether the peers show what a directed run waits for. */
export type Waypoint = (peers: readonly Local[]) => boolean;

/** Three voters, L = 2, two terms; no crash, no transfer, no slow clock. */
export const SMALL: Bounds = {
  voters: 3,
  observers: 0,
  timeout: 2,
  longer: 0,
  terms: 2,
  crashes: 0,
  wipes: 0,
  transfers: 0,
  slowClocks: 0,
  stands: 15,
  lateSaves: false,
  keepDead: false,
  waypoints: [],
  depth: 10_000,
  states: 100_000_000,
};
