import type { PeerState } from '../../core/peer.js';
import type { Belief } from './intervals.js';

/** How a process is, told at each event and every few ms. */
export interface Report {
  readonly type: 'report';
  /** When, in ms of `now()`; so are all times here. */
  readonly at: number;
  readonly state: PeerState;
  readonly term: number;
  readonly leader: string | null;
  /** The last answer of `isLeader()`. */
  readonly leads: boolean;
  /** How many jobs it did, and with which fencing token the last of them. */
  readonly jobs: number;
  readonly fencingToken: number | null;
  /** All times at which this process believed that it leads. */
  readonly beliefs: readonly Belief[];
}

/** What `isLeader()` answered around a SIGSTOP. */
export interface Awakening {
  readonly type: 'awakening';
  readonly stoppedAt: number;
  readonly wokeAt: number;
  /** The last answer before the stop. */
  readonly before: boolean;
  /** The answer at the first statement after it. */
  readonly atFirstStatement: boolean;
  /** The answer that whoever asks regularly got first. */
  readonly atFirstSample: boolean;
}

/** What a process tells the demo. */
export type Message = Report | Awakening;

/** What the demo orders a process to do. */
export type Order = 'stop yourself';

/** Ms of CLOCK_MONOTONIC, which is the same for all processes of one machine: their notes can be compared. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
