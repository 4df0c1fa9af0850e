import type { RaftCore } from '../core/core.js';
import { RaftError } from '../core/errors.js';
import type { RaftEvents } from '../core/events.js';
import type { Output, SaveOutput } from '../core/outputs.js';
import type { Deadlines, Due } from './deadlines.js';
import type { LeaderHost } from './leader-host.js';

/** The most requests that may wait while a save of one group is under way. */
const MAX_WAITING = 100;

/** An input of a core. */
export type Input<T> = (core: RaftCore, now: number) => T;

/** What a seat needs of its host. */
export interface SeatHost {
  readonly now: () => number;
  /** Tells the core what the newest beats and answers of other hosts stand for. */
  readonly tell: (seat: Seat) => void;
  readonly save: (seat: Seat, output: SaveOutput) => Promise<void>;
  readonly send: (seat: Seat, output: Exclude<Output, SaveOutput>) => void;
  /** The core took an input. */
  readonly changed: (seat: Seat) => void;
  /** The host can not go on: a save failed, or an assertion did. */
  readonly failed: (error: unknown) => void;
}

/** Who hears of a seat's events. */
export interface SeatListener {
  /** What the core said, now that all that it depends on is done. */
  tell(events: readonly SeatEvent[]): void;
}

/** An event that waits until all that it depends on is done. */
export interface SeatEvent {
  readonly name: keyof RaftEvents;
  readonly event: unknown;
}

/**
 * A group's place in its host: its core, and the order of what comes to it. Inputs are handled one at a time; while what one
 * of them changed is saved, the others wait (D4).
 */
export class Seat implements Due {
  readonly name: string;
  readonly core: RaftCore;
  due: number = Number.POSITIVE_INFINITY;
  place = -1;
  /** Where its deadline stands. */
  deadlines: Deadlines<Seat> | null = null;
  /** The host whose beats stand for those of this group, while it follows it. */
  follows: LeaderHost | null = null;
  /** The version of the list of led groups that it came into; 0 while it is not led here. */
  ledVersion = 0;
  /** How many of its requests have no answer yet. */
  letters = 0;
  /** The number of the newest news of other hosts that the core was told. */
  toldUpTo = 0;
  readonly #host: SeatHost;
  readonly #listener: SeatListener;
  #events: SeatEvent[] | null = null;
  /** Who waits for the save under way; null when there is none. */
  #waiting: (() => void)[] | null = null;
  #isOpen = true;

  constructor(name: string, core: RaftCore, host: SeatHost, listener: SeatListener) {
    this.name = name;
    this.core = core;
    this.#host = host;
    this.#listener = listener;
  }

  /** Whether a save of this group is under way. */
  get isSaving(): boolean {
    return this.#waiting !== null;
  }

  /** Whether this peer leads the group, by a fresh look at the clock. */
  isLeader(): boolean {
    if (!this.#isOpen || this.core.peers.self.state !== 'LEADER') return false;
    const now = this.#host.now();
    if (!this.isSaving) this.#host.tell(this);
    return this.#isOpen && this.core.isLeader(now);
  }

  /**
   * Hands an input to the core in its turn; the result comes at once unless a save must be waited for.
   *
   * @throws RaftError what the input throws, `BUSY`, `NOT_RUNNING`
   */
  submit<T>(input: Input<T>): T | Promise<T> {
    if (!this.#isOpen) throw notRunning();
    if (this.#waiting === null) return this.#handle(input);
    if (this.#waiting.length >= MAX_WAITING) throw new RaftError('BUSY', 'too many requests wait');
    return this.#later(this.#waiting, input);
  }

  /** As `submit`, of an input whose outcome nobody waits for. */
  run(input: Input<void>): void {
    try {
      const done = this.submit(input);
      if (done instanceof Promise) done.catch(ignore);
    } catch {
      // It was refused: the protocol goes on without it.
    }
  }

  /** Resolves when the save under way, if any, is done, in the turn of what waits for it. */
  saved(): Promise<void> {
    const waiting = this.#waiting;
    return waiting === null ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve));
  }

  /** An event of the core; it is told when all that it depends on is done. */
  note(name: keyof RaftEvents, event: unknown): void {
    this.#events ??= [];
    this.#events.push({ name, event });
  }

  /** Takes no more input; who waits is told. Of the events that wait, a loss is told. */
  close(): void {
    this.#isOpen = false;
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const run of waiting) run();
    const events = this.#takeEvents().filter(({ name }) => name === 'leaderLost');
    if (events.length > 0) this.#listener.tell(events);
  }

  #later<T>(waiting: (() => void)[], input: Input<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      waiting.push(() => {
        try {
          Promise.resolve(this.submit(input)).then(resolve, reject);
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  #handle<T>(input: Input<T>): T | Promise<T> {
    const outcome = this.#handIn(input);
    const outputs = this.core.takeOutputs();
    if (outputs.some(({ type }) => type === 'save')) return this.#afterSave(outputs, outcome);
    this.#host.changed(this);
    this.#send(outputs);
    this.#tellEvents();
    return outcome();
  }

  /** Gives the input to the core; how to come to what it said. An error of the core itself ends the host. */
  #handIn<T>(input: Input<T>): () => T {
    this.#host.tell(this);
    if (!this.#isOpen) throw notRunning();
    try {
      const result = input(this.core, this.#host.now());
      return () => result;
    } catch (error) {
      if (!(error instanceof RaftError) || error.code === 'INTERNAL') {
        this.#host.failed(error);
        throw notRunning();
      }
      return () => {
        throw error;
      };
    }
  }

  async #afterSave<T>(outputs: readonly Output[], outcome: () => T): Promise<T> {
    const waiting: (() => void)[] = [];
    this.#waiting = waiting;
    // One that waits is not looked at: it would come up for election before the mail that came meanwhile.
    this.#host.changed(this);
    try {
      for (let left = outputs; left.length > 0; left = this.core.takeOutputs()) await this.#carryOut(left);
    } catch (error) {
      this.#host.failed(error);
    }
    if (!this.#isOpen) throw notRunning();
    this.#waiting = null;
    this.#host.changed(this);
    this.#tellEvents();
    for (const run of waiting) run();
    return outcome();
  }

  async #carryOut(outputs: readonly Output[]): Promise<void> {
    for (const output of outputs) {
      if (!this.#isOpen) return;
      if (output.type !== 'save') {
        this.#host.send(this, output);
        continue;
      }
      await this.#host.save(this, output);
      if (this.#isOpen) this.#host.tell(this);
      if (!this.#isOpen) return;
      this.core.saved(output.state, this.#host.now());
    }
  }

  #send(outputs: readonly Output[]): void {
    for (const output of outputs) if (output.type !== 'save') this.#host.send(this, output);
  }

  #tellEvents(): void {
    if (this.#events !== null) this.#listener.tell(this.#takeEvents());
  }

  #takeEvents(): readonly SeatEvent[] {
    const events = this.#events ?? [];
    this.#events = null;
    return events;
  }
}

function ignore(): void {}

function notRunning(): RaftError {
  return new RaftError('NOT_RUNNING', 'this group does not run here');
}
