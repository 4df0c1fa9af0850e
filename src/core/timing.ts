import { RaftError, textOf } from './errors.js';

/** How often, how long, how far apart (section 3). */
export interface Timing {
  /** H: ms between two beats. More than 0. @default leaderTimeoutMs / 5 */
  readonly heartbeatMs: number;
  /** L: ms without a beat after which a follower may elect another leader. At least 10. @default 500 */
  readonly leaderTimeoutMs: number;
  /** R: the longest random ms added before a lost election is tried again. At least 0. @default leaderTimeoutMs / 5 */
  readonly randomMs: number;
  /** Ms between the elections of one ranked follower and the next: a few round trips. At least 0. @default requestTimeoutMs */
  readonly staggerMs: number;
  /** The bound of a round trip in ms; at most a tenth of leaderTimeoutMs. More than 0. @default leaderTimeoutMs / 10 */
  readonly requestTimeoutMs: number;
  /** rho: the largest rate error of a clock against real time. From 0 to below 0.5. @default 0.05 */
  readonly clockDrift: number;
}

/** L of the preset `lan`. */
const DEFAULT_LEADER_TIMEOUT_MS = 500;

/**
 * Fills in the defaults and checks that the whole can work. What it returns never changes, and is returned as it is when it
 * is given again.
 *
 * @throws RaftError `BAD_OPTION` naming the option
 */
export function resolveTiming(given: Partial<Timing> = {}): Timing {
  if (RESOLVED.has(given)) return given as Timing;
  const { leaderTimeoutMs = DEFAULT_LEADER_TIMEOUT_MS, clockDrift = 0.05 } = given;
  inRange('leaderTimeoutMs', leaderTimeoutMs, 10);
  const { heartbeatMs = leaderTimeoutMs / 5, randomMs = leaderTimeoutMs / 5 } = given;
  const { requestTimeoutMs = leaderTimeoutMs / 10 } = given;
  const { staggerMs = requestTimeoutMs } = given;
  inRange('heartbeatMs', heartbeatMs, Number.MIN_VALUE);
  inRange('randomMs', randomMs, 0);
  inRange('requestTimeoutMs', requestTimeoutMs, Number.MIN_VALUE);
  inRange('staggerMs', staggerMs, 0);
  inRange('clockDrift', clockDrift, 0, 0.499);
  const timing = { heartbeatMs, leaderTimeoutMs, randomMs, staggerMs, requestTimeoutMs, clockDrift };
  checkTogether(timing);
  RESOLVED.add(Object.freeze(timing));
  return timing;
}

/** How long after the sending of a beat its acknowledgement still counts: L(1 - rho)/(1 + rho), in ms. */
export function leaseMs(timing: Timing): number {
  return (timing.leaderTimeoutMs * (1 - timing.clockDrift)) / (1 + timing.clockDrift);
}

function checkTogether(timing: Timing): void {
  const { heartbeatMs, requestTimeoutMs, leaderTimeoutMs } = timing;
  if (requestTimeoutMs * 10 > leaderTimeoutMs) {
    throw new RaftError(
      'BAD_OPTION',
      `leaderTimeoutMs (${leaderTimeoutMs}) must be at least ten times requestTimeoutMs (${requestTimeoutMs})`,
    );
  }
  if (2 * heartbeatMs + requestTimeoutMs >= leaseMs(timing)) {
    throw new RaftError(
      'BAD_OPTION',
      `2 * heartbeatMs (${heartbeatMs}) + requestTimeoutMs (${requestTimeoutMs}) must be less than the lease (${leaseMs(timing)} ms, from leaderTimeoutMs ${leaderTimeoutMs} and clockDrift ${timing.clockDrift})`,
    );
  }
}

/** 2^31 - 1: the longest time in ms that a timer of the platform can wait, and that travels. */
export const MAX_MS = 2_147_483_647;

function inRange(name: keyof Timing, value: unknown, min: number, max: number = MAX_MS): void {
  if (typeof value === 'number' && value >= min && value <= max) return;
  const lower = min === Number.MIN_VALUE ? 'more than 0' : `at least ${min}`;
  throw new RaftError(
    'BAD_OPTION',
    `${name} must be a number, ${lower} and at most ${max}, not ${textOf(value)}`,
  );
}

const RESOLVED = new WeakSet<Partial<Timing>>();
