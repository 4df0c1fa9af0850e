import { type Belief, longestOverlapMs } from './intervals.js';
import type { Awakening } from './messages.js';

/** What the demo saw. */
export interface Findings {
  /** When the first leader was killed, and when the next one was first told that it leads. */
  readonly kill: { readonly at: number; readonly nextLeaderAt: number };
  /** How the stopped leader woke up, and when the one after it was first told that it leads. */
  readonly stop: Awakening & { readonly nextLeaderAt: number };
  /** What all processes believed at any time. */
  readonly beliefs: readonly Belief[];
}

/** What is to be said of it, and what must not have been seen. */
export interface Verdict {
  readonly summary: readonly string[];
  readonly faults: readonly string[];
}

/** L of the default timing: a lease is a little shorter. */
const LEADER_TIMEOUT_MS = 500;

export function judge({ kill, stop, beliefs }: Findings): Verdict {
  const stoppedMs = stop.wokeAt - stop.stoppedAt;
  const overlapMs = longestOverlapMs(beliefs);
  const faults = [
    kill.nextLeaderAt < kill.at && 'the second leader led before the first was killed',
    stop.nextLeaderAt < stop.stoppedAt && 'the third leader led before the second was stopped',
    stop.nextLeaderAt > stop.wokeAt && 'the stopped leader woke up before another had taken over',
    stoppedMs < LEADER_TIMEOUT_MS && 'the leader was not stopped for longer than its lease',
    !stop.before && 'the stopped process did not lead when it was stopped',
    stop.atFirstStatement && 'the stopped leader believed that it leads when it woke up',
    stop.atFirstSample && 'the stopped leader believed that it leads after it had woken up',
    beliefs.length < 3 && `there were only ${beliefs.length} leaderships`,
    overlapMs > 0 && `two processes led at the same time, for ${inMs(overlapMs)}`,
  ].filter((fault) => fault !== false);
  const summary = [
    row('kill -9 -> new leader', kill.nextLeaderAt - kill.at),
    row('SIGSTOP -> new leader', stop.nextLeaderAt - stop.stoppedAt),
    `woke up after ${inMs(stoppedMs)}: isLeader() === ${stop.atFirstStatement} at its first statement`,
    row('longest overlap of two leaders', overlapMs),
  ];
  return { summary, faults };
}

function row(what: string, ms: number): string {
  return `${what.padEnd(32)}${inMs(ms).padStart(8)}`;
}

/** Rounded up where it is little, so that an overlap of microseconds does not look like none. */
function inMs(ms: number): string {
  return `${ms < 1 ? Math.ceil(ms * 1000) / 1000 : Math.round(ms)} ms`;
}
