import { RaftError, textOf } from '../core/errors.js';
import type { RaftRequest } from '../core/messages.js';
import type { RequestOptions, Transport } from '../transports/transport.js';
import type { Clock } from './clock.js';

/** Asks other peers, each with a deadline; whatever a transport does, each request ends exactly once. */
export class Requests {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #open = new Set<OpenRequest>();

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
    return new Promise((resolve, reject) => {
      const open = new OpenRequest(reject);
      open.cancelTimer = this.#clock.setTimer(() => this.#abort(open, timeout(to, deadlineMs)), deadlineMs);
      this.#open.add(open);
      this.#request(to, request, open).then(
        (reply) => {
          this.#close(open);
          resolve(reply);
        },
        (cause: unknown) => {
          this.#close(open);
          reject(asRaftError(to, cause));
        },
      );
    });
  }

  /** Ends all open requests with `error`. */
  abortAll(error: RaftError): void {
    for (const open of [...this.#open]) this.#abort(open, error);
  }

  #abort(open: OpenRequest, error: RaftError): void {
    this.#close(open);
    open.abort(error);
  }

  #close(open: OpenRequest): void {
    open.cancelTimer();
    this.#open.delete(open);
  }

  /** A transport may throw instead of rejecting. */
  #request(to: string, request: RaftRequest, open: OpenRequest): Promise<unknown> {
    const options: RequestOptions = {
      get signal() {
        return open.signal;
      },
    };
    try {
      return Promise.resolve(this.#transport.request(to, request, options));
    } catch (cause) {
      return Promise.reject(cause);
    }
  }
}

/** A request under way. */
class OpenRequest {
  cancelTimer: () => void = () => {};
  readonly #reject: (error: RaftError) => void;
  #aborter: AbortController | null = null;
  #error: RaftError | null = null;

  constructor(reject: (error: RaftError) => void) {
    this.#reject = reject;
  }

  /** Made when the transport asks for it: signals cost much, and are not wanted by all. */
  get signal(): AbortSignal {
    this.#aborter ??= new AbortController();
    if (this.#error !== null) this.#aborter.abort(this.#error);
    return this.#aborter.signal;
  }

  abort(error: RaftError): void {
    this.#error = error;
    this.#reject(error);
    this.#aborter?.abort(error);
  }
}

function timeout(ip: string, ms: number): RaftError {
  return new RaftError('TIMEOUT', `no answer from ${ip} within ${ms} ms`, { ip });
}

function asRaftError(to: string, cause: unknown): RaftError {
  if (cause instanceof RaftError) return cause;
  return new RaftError('UNREACHABLE', `no answer from ${to}: ${textOf(cause)}`, { ip: to, cause });
}
