import type { ExitSignals } from './exit-signals.js';

/**
 * The starts and stops of what can be started again: one at a time, whoever asks, and in whatever order. It is stopped by
 * signals to the process, too.
 */
export class Lifecycle {
  readonly #signals: ExitSignals;
  #starting: Promise<void> | null = null;
  #stopping: Promise<void> | null = null;

  constructor(signals: ExitSignals) {
    this.#signals = signals;
  }

  /** Starts by `work`, after the stop that is under way; a start that was asked for before is joined. */
  start(work: () => Promise<void>): Promise<void> {
    if (this.#starting !== null) return this.#starting;
    const starting = this.#afterStop(work).catch((error: unknown) => {
      if (this.#starting === starting) this.#ended();
      throw error;
    });
    this.#starting = starting;
    this.#signals.unlisten();
    this.#signals.listen();
    return starting;
  }

  /** Stops by `work`, which is given the start to wait for, if there was one; a stop without a later start is joined. */
  stop(work: (started: Promise<void> | null) => Promise<void>): Promise<void> {
    const started = this.#starting;
    if (this.#stopping !== null && started === null) return this.#stopping;
    this.#starting = null;
    const stopping = work(started).finally(() => {
      if (this.#stopping !== stopping) return;
      this.#stopping = null;
      if (this.#starting === null) this.#signals.unlisten();
    });
    this.#stopping = stopping;
    return stopping;
  }

  #ended(): void {
    this.#starting = null;
    this.#signals.unlisten();
  }

  async #afterStop(work: () => Promise<void>): Promise<void> {
    await this.#stopping?.catch(() => {});
    await work();
  }
}

/** Closes all, whichever of them throws or rejects. @throws the first error */
export async function closeAll(...closes: readonly (() => Promise<void> | undefined)[]): Promise<void> {
  const closed = await Promise.allSettled(closes.map(async (close) => close()));
  for (const result of closed) if (result.status === 'rejected') throw result.reason;
}
