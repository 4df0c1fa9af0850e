import { RaftError, textOf } from '../core/errors.js';
import type { RaftRequest } from '../core/messages.js';
import type { Transport } from '../transports/transport.js';
import type { Clock } from './clock.js';

/** Asks other peers, each with a deadline; whatever a transport does, each request ends exactly once. */
export class Requests {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #open = new Set<(error: RaftError) => void>();

  constructor(transport: Transport, clock: Clock, deadlineMs: number) {
    this.#transport = transport;
    this.#clock = clock;
    this.#deadlineMs = deadlineMs;
  }

  /**
   * Asks `to`; resolves with what came back, unchecked.
   *
   * @param deadlineMs how long to wait for it
   * @throws RaftError `TIMEOUT`, `NOT_RUNNING` (by `abortAll`), `UNREACHABLE`, or what the transport threw if a RaftError
   */
  ask(to: string, request: RaftRequest, deadlineMs: number = this.#deadlineMs): Promise<unknown> {
    const aborter = new AbortController();
    return new Promise((resolve, reject) => {
      const settle = (then: () => void): void => {
        cancelTimer();
        this.#open.delete(abort);
        then();
      };
      const abort = (error: RaftError): void => {
        settle(() => reject(error));
        aborter.abort(error);
      };
      const cancelTimer = this.#clock.setTimer(
        () => abort(new RaftError('TIMEOUT', `no answer from ${to} within ${deadlineMs} ms`, { ip: to })),
        deadlineMs,
      );
      this.#open.add(abort);
      this.#request(to, request, aborter.signal).then(
        (reply) => settle(() => resolve(reply)),
        (cause: unknown) => settle(() => reject(asRaftError(to, cause))),
      );
    });
  }

  /** Ends all open requests with `error`. */
  abortAll(error: RaftError): void {
    for (const abort of [...this.#open]) abort(error);
  }

  /** A transport may throw instead of rejecting. */
  async #request(to: string, request: RaftRequest, signal: AbortSignal): Promise<unknown> {
    return this.#transport.request(to, request, { signal });
  }
}

function asRaftError(to: string, cause: unknown): RaftError {
  if (cause instanceof RaftError) return cause;
  return new RaftError('UNREACHABLE', `no answer from ${to}: ${textOf(cause)}`, { ip: to, cause });
}
