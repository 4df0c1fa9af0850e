import { RaftError } from '../core/errors.js';

/** One thing at a time: a lock must not be released under a save that still runs. */
export class Turns {
  readonly #path: string;
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws RaftError `STORE_FAILED` with its cause, when `work` throws anything but a RaftError */
  take<T>(what: string, work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work).catch((cause: unknown) => {
      if (cause instanceof RaftError) throw cause;
      throw new RaftError('STORE_FAILED', `${what} of ${this.#path} failed: ${String(cause)}`, { cause });
    });
    this.#last = result.catch(() => {});
    return result;
  }
}
