import type { Clock } from '../../node/clock.js';
import type { SimRandom } from './random.js';
import { type Scheduler, settle } from './scheduler.js';

/** A clock with a rate of its own, that can stand still or jump. */
export class SimClock {
  readonly #scheduler: Scheduler;
  #value: number;
  #since: number;
  #rate: number;
  #stands = false;

  constructor(scheduler: Scheduler, value: number, rate: number) {
    this.#scheduler = scheduler;
    this.#value = value;
    this.#since = scheduler.now;
    this.#rate = rate;
  }

  /** What it shows now. */
  read(): number {
    if (this.#stands) return this.#value;
    return this.#value + (this.#scheduler.now - this.#since) * this.#rate;
  }

  /** Its ms for each ms of real time. */
  get rate(): number {
    return this.#rate;
  }

  setRate(rate: number): void {
    this.#anchor();
    this.#rate = rate;
  }

  jump(ms: number): void {
    this.#anchor();
    this.#value += ms;
  }

  stand(): void {
    this.#anchor();
    this.#stands = true;
  }

  go(): void {
    this.#anchor();
    this.#stands = false;
  }

  #anchor(): void {
    this.#value = this.read();
    this.#since = this.#scheduler.now;
  }
}

/** Rates of a host's clocks against real time: 1 is right. */
export interface ClockRates {
  readonly monotonic: number;
  readonly wall: number;
}

/** A piece of work. If it returns a function, that is called when all that follows from it at once is done. */
type Step = () => unknown;

/**
 * One process and the host under it: its clocks, and an event loop whose turn is as in Node: timers that are due, then
 * the mail that waits, then what was to come after the mail.
 */
export class SimHost implements Clock {
  readonly monotonic: SimClock;
  readonly wall: SimClock;
  /** False from the crash or the end of the process on: nothing runs any more. */
  isAlive = true;
  /** Whether the whole host stands still: not even a blocked process can ask anything. */
  isSuspended = false;
  /** Whether mail that came during a stall has not been read to the end. */
  hasUnreadMail = false;
  readonly #scheduler: Scheduler;
  readonly #random: SimRandom;
  readonly #onStep: () => void;
  #stalls = 0;
  #isResuming = false;
  #overdue: Step[] = [];
  #mail: Step[] = [];
  #checks: (() => void)[] = [];
  #clocksSeen = true;

  /** @param onStep called after each piece of work, when all that follows from it at once is done */
  constructor(scheduler: Scheduler, random: SimRandom, rates: ClockRates, onStep: () => void) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#onStep = onStep;
    this.monotonic = new SimClock(scheduler, random.between(0, 1e6), rates.monotonic);
    this.wall = new SimClock(scheduler, 1.7e12 + random.between(0, 1e6), rates.wall);
  }

  now(): number {
    return this.monotonic.read();
  }

  wallNow(): number {
    this.#clocksSeen = true;
    return this.wall.read();
  }

  /** Timers are late by a little, seldom by much, and now and then fire early. */
  setTimer(run: () => void, ms: number): () => void {
    let isSet = true;
    const luck = this.#random.next();
    const late = luck < 0.01 ? luck * 3_000 : luck < 0.03 ? -0.8 : luck * 0.5;
    this.#scheduler.after(Math.max(0, ms / this.monotonic.rate + late), () => {
      if (!isSet) return undefined;
      return this.#do(this.#overdue, () => {
        if (isSet) run();
      });
    });
    return () => {
      isSet = false;
    };
  }

  afterMail(run: () => void): void {
    this.#checks.push(run);
  }

  /** Whether the event loop is blocked, or the host suspended. */
  get isStalled(): boolean {
    return this.#stalls > 0;
  }

  /** Has `run` come by mail, or from the disk. */
  post(run: Step): Promise<void> | undefined {
    return this.#do(this.#mail, run);
  }

  /** Blocks the event loop: timers are late, mail queues up. */
  stall(): void {
    this.#stalls++;
  }

  /** Ends one `stall`; what waited is done. */
  async resume(): Promise<void> {
    this.#stalls--;
    if (this.#stalls > 0) return;
    this.#isResuming = true;
    const mail = this.#mail.splice(0);
    this.hasUnreadMail = mail.length > 0;
    for (const run of this.#overdue.splice(0)) await this.#do(this.#overdue, run);
    for (const run of mail) await this.#do(this.#mail, run);
    this.hasUnreadMail = false;
    this.#isResuming = false;
    await this.#afterMail();
  }

  /** Sets the wall clock, by `ms`. */
  stepWall(ms: number): void {
    this.wall.jump(ms);
    this.#clocksSeen = false;
  }

  /** Suspends the host while one of its clocks stands still; returns how to resume it. */
  suspend(stands: SimClock): () => Promise<void> {
    this.isSuspended = true;
    stands.stand();
    this.stall();
    return async () => {
      stands.go();
      this.isSuspended = false;
      this.#clocksSeen = false;
      await this.resume();
    };
  }

  /**
   * Whether the process has read its clocks since they last jumped or stood still. A second such event that came before
   * would hide the first from any program: none does.
   */
  get hasSeenClocks(): boolean {
    return this.#clocksSeen && !this.isSuspended;
  }

  /** Ends the process: what waits is lost. */
  end(): void {
    this.isAlive = false;
    this.#overdue = [];
    this.#mail = [];
    this.#checks = [];
  }

  #do(queue: Step[], run: Step): Promise<void> | undefined {
    if (!this.isAlive) return undefined;
    if (this.#stalls > 0) {
      queue.push(run);
      return undefined;
    }
    const after = run();
    const settled = this.#settled();
    return typeof after === 'function' ? settled.then(after as () => void) : settled;
  }

  #settled(): Promise<void> {
    return settle().then(this.#stepped);
  }

  readonly #stepped = (): Promise<void> | undefined => {
    this.#onStep();
    return this.#checks.length > 0 && !this.#isResuming ? this.#afterMail() : undefined;
  };

  async #afterMail(): Promise<void> {
    while (this.#checks.length > 0 && this.isAlive && this.#stalls === 0) {
      for (const run of this.#checks.splice(0)) run();
      await settle();
      this.#onStep();
    }
  }
}
