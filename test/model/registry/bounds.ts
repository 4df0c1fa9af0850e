import type { Keeper } from './keeper.js';

/** A write of the model. Each has a value of its own. */
export interface ModelWrite {
  readonly key: string;
  readonly removes?: boolean;
  readonly ifTimestamp?: number;
}

/** What a run with data explores, and where it stops. */
export interface RegistryBounds {
  readonly voters: number;
  /** The highest term. */
  readonly terms: number;
  /** How many crashes with a restart. */
  readonly crashes: number;
  /** What is written, in this order, each once, by whoever leads or thinks that it does. */
  readonly writes: readonly ModelWrite[];
  /** Whether a store may lag with its base: what was folded is then found in the tail again. */
  readonly lag: boolean;
  /** How much of what was committed is kept for followers that are behind, and how much goes into one message. */
  readonly history: number;
  readonly messageSize: number;
  /**
   * Whether there are messages and moves, too, that cannot matter by the rules: a defect may make them matter. Such moves
   * are that a lease ends and no more, and that a peer learns of a term: a peer that has not done so can do all that one
   * can that has.
   */
  readonly keepDead: boolean;
  /** For a directed run, as in an election's bounds. */
  readonly waypoints: readonly ((peers: readonly Keeper[]) => boolean)[];
  /** The depth and the number of states at which a run that has not ended stops. */
  readonly depth: number;
  readonly states: number;
}

/** Three voters, two terms, one write; no crash, and history without bound. */
export const SMALL_REGISTRY: RegistryBounds = {
  voters: 3,
  terms: 2,
  crashes: 0,
  writes: [{ key: 'x' }],
  lag: false,
  history: 2 ** 20,
  messageSize: 2 ** 20,
  keepDead: false,
  waypoints: [],
  depth: 10_000,
  states: 100_000_000,
};
