import { RaftError } from '../core/errors.js';

/** One stretch of leadership of this peer, in one term. */
export class Leadership {
  /** The term: what to hand to whatever the leader writes to. */
  readonly fencingToken: number;
  readonly #aborter = new AbortController();

  constructor(fencingToken: number) {
    this.fencingToken = fencingToken;
  }

  /** Aborted, with `NOT_LEADER`, when it is over. */
  get signal(): AbortSignal {
    return this.#aborter.signal;
  }

  /** Ends it; safe to call again. */
  end(): void {
    this.#aborter.abort(
      new RaftError('NOT_LEADER', 'this peer leads no longer', { term: this.fencingToken }),
    );
  }
}

/** Lets callers wait for a value that comes later: the next leader, the next leadership. */
export class Waiters<T> {
  readonly #waiting = new Set<{ resolve(value: T): void; reject(error: RaftError): void }>();

  /** Resolves with the next value. @throws RaftError `ABORTED`, or what `rejectAll` is given */
  next(signal?: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const abort = (): void => settle(() => reject(aborted(signal?.reason)));
      const settle = (then: () => void): void => {
        this.#waiting.delete(waiter);
        signal?.removeEventListener('abort', abort);
        then();
      };
      const waiter = {
        resolve: (value: T) => settle(() => resolve(value)),
        reject: (error: RaftError) => settle(() => reject(error)),
      };
      this.#waiting.add(waiter);
      signal?.addEventListener('abort', abort);
      if (signal?.aborted === true) abort();
    });
  }

  resolveAll(value: T): void {
    for (const waiter of [...this.#waiting]) waiter.resolve(value);
  }

  rejectAll(error: RaftError): void {
    for (const waiter of [...this.#waiting]) waiter.reject(error);
  }
}

function aborted(cause: unknown): RaftError {
  return new RaftError('ABORTED', 'the caller waits no longer', { cause });
}
