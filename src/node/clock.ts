/** Time and timers, so that a simulator can bring its own. */
export interface Clock {
  /** Ms of a monotonic clock. */
  now(): number;
  /** Ms of the wall clock, which may jump. */
  wallNow(): number;
  /** Runs `run` once, after about `ms`; returns how to cancel it. */
  setTimer(run: () => void, ms: number): () => void;
  /** Runs `run` once, after the messages that wait already. */
  afterMail(run: () => void): void;
}

type SetImmediate = (run: () => void) => unknown;

/** The clock of the host: Node or a browser. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer(run, ms) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  // Where there is setImmediate, it runs after the sockets were read once: exactly what is needed.
  afterMail: (globalThis as { setImmediate?: SetImmediate }).setImmediate ?? ((run) => setTimeout(run, 0)),
};

/** Differences below it are taken for the wall clock's grain (1 ms), not for a suspended host. */
const GRAIN_MS = 2;

/**
 * Reads the monotonic clock, and tells by how much the wall clock went further than that since: a suspended host's
 * monotonic clock may have stood still (section 3, lease).
 */
export class HostTime {
  readonly #clock: Clock;
  #wallAheadMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#wallAheadMs = clock.wallNow() - clock.now();
  }

  /** Now, in ms of the monotonic clock; `gained` is told of what the wall clock gained on it, in ms, if anything. */
  now(gained: (ms: number) => void): number {
    const now = this.#clock.now();
    const wallAheadMs = this.#clock.wallNow() - now;
    const gainedMs = wallAheadMs - this.#wallAheadMs;
    if (gainedMs > GRAIN_MS) gained(gainedMs);
    // A wall clock that is set back starts from there: what it gains afterwards counts in full.
    if (gainedMs > GRAIN_MS || gainedMs < 0) this.#wallAheadMs = wallAheadMs;
    return now;
  }
}
