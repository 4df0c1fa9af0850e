import { RaftError, textOf } from '../core/errors.js';
import type { RaftRequest } from '../core/messages.js';
import type { RequestOptions, Transport } from '../transports/transport.js';
import type { Clock } from './clock.js';
import { Traffic } from './traffic.js';

/** Asks other peers, each with a deadline; whatever a transport does, each request ends exactly once. */
export class Requests {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #traffic: Traffic;
  readonly #open = new Set<OpenRequest>();

  /**
   * @param deadlineMs how long to wait for an answer
   * @param traffic where requests are counted
   */
  constructor(transport: Transport, clock: Clock, deadlineMs: number, traffic: Traffic = new Traffic()) {
    this.#transport = transport;
    this.#clock = clock;
    this.#deadlineMs = deadlineMs;
    this.#traffic = traffic;
  }

  /**
   * Asks `to`; resolves with what came back, unchecked.
   *
   * @param deadlineMs how long to wait for it
   * @throws RaftError `TIMEOUT`, `NOT_RUNNING` (by `abortAll`), `UNREACHABLE`, or what the transport threw if a RaftError
   */
  ask(to: string, request: RaftRequest, deadlineMs: number = this.#deadlineMs): Promise<unknown> {
    return new Promise((resolve, reject) => this.begin(to, request, resolve, reject, deadlineMs));
  }

  /** Asks `to`, and calls either `answered` or `failed`, once: `ask` without a promise of its own. */
  begin(
    to: string,
    request: RaftRequest,
    answered: (reply: unknown) => void,
    failed: (error: RaftError) => void,
    deadlineMs: number = this.#deadlineMs,
  ): void {
    const sentAt = this.#clock.now();
    const open = new OpenRequest((error) => {
      this.#traffic.unanswered(request.type, error.code === 'TIMEOUT');
      failed(error);
    });
    open.cancelTimer = this.#clock.setTimer(() => this.#abort(open, timeout(to, deadlineMs)), deadlineMs);
    this.#open.add(open);
    this.#request(to, request, open).then(
      (reply) => {
        if (!this.#close(open)) return;
        this.#traffic.answered(to, request.type, reply, sentAt, this.#clock.now());
        answered(reply);
      },
      (cause: unknown) => {
        if (this.#close(open)) open.fail(asRaftError(cause, to));
      },
    );
  }

  /** Whether the transport can publish. */
  get canPublish(): boolean {
    return this.#transport.broadcast !== undefined;
  }

  /** Publishes to all of `to`; for each, either `answered` or `failed` is called, once. */
  publish(
    to: readonly string[],
    request: RaftRequest,
    answered: (from: string, reply: unknown) => void,
    failed: (to: string, error: RaftError) => void,
  ): void {
    const silent = new Set(to);
    const sentAt = this.#clock.now();
    const open = new OpenRequest((error) => {
      for (const ip of silent) {
        this.#traffic.unanswered(request.type, error.code === 'TIMEOUT');
        failed(ip, error);
      }
    });
    const end = (error: RaftError): void => {
      if (this.#open.has(open)) this.#abort(open, error);
    };
    const ms = this.#deadlineMs;
    open.cancelTimer = this.#clock.setTimer(
      () => end(new RaftError('TIMEOUT', `no answer to a broadcast within ${ms} ms`)),
      ms,
    );
    this.#open.add(open);
    const heard = (from: string, reply: unknown): void => {
      if (!this.#open.has(open) || !silent.delete(from)) return;
      if (silent.size === 0) {
        this.#close(open);
        open.over();
      }
      this.#traffic.answered(from, request.type, reply, sentAt, this.#clock.now());
      answered(from, reply);
    };
    try {
      this.#transport.broadcast?.(to, request, { signal: open.signal, answered: heard });
    } catch (cause) {
      end(asRaftError(cause));
    }
  }

  /** Ends all open requests with `error`. */
  abortAll(error: RaftError): void {
    for (const open of [...this.#open]) this.#abort(open, error);
  }

  #abort(open: OpenRequest, error: RaftError): void {
    this.#close(open);
    open.abort(error);
  }

  /** Whether it was open until now. */
  #close(open: OpenRequest): boolean {
    open.cancelTimer();
    return this.#open.delete(open);
  }

  /** A transport may throw instead of rejecting. */
  #request(to: string, request: RaftRequest, open: OpenRequest): Promise<unknown> {
    try {
      return Promise.resolve(this.#transport.request(to, request, open));
    } catch (cause) {
      return Promise.reject(cause);
    }
  }
}

/** Why nobody waits for the answers to a publication any more. */
const ANSWERED = new RaftError('ABORTED', 'all have answered');

/** A request under way, and what the transport gets of it. */
class OpenRequest implements RequestOptions {
  declare readonly signal: AbortSignal;
  cancelTimer: () => void = () => {};
  readonly #failed: (error: RaftError) => void;
  #aborter: AbortController | null = null;
  #error: RaftError | null = null;

  constructor(failed: (error: RaftError) => void) {
    this.#failed = failed;
    Object.defineProperty(this, 'signal', SIGNAL);
  }

  /** Made when the transport asks for it: signals cost much, and are not wanted by all. */
  makeSignal(): AbortSignal {
    this.#aborter ??= new AbortController();
    if (this.#error !== null) this.#aborter.abort(this.#error);
    return this.#aborter.signal;
  }

  abort(error: RaftError): void {
    this.#error = error;
    this.#aborter?.abort(error);
    this.#failed(error);
  }

  /** All that were asked have answered. */
  over(): void {
    this.#aborter?.abort(ANSWERED);
  }

  /** There is no answer. */
  fail(error: RaftError): void {
    this.#failed(error);
  }
}

/**
 * The signal is a property of each request's own, so that options can be copied. All share its getter: V8 puts a function
 * that is written in an object literal into the old space, where it would keep each request until a full garbage collection.
 */
const SIGNAL: PropertyDescriptor = {
  enumerable: true,
  get(this: OpenRequest): AbortSignal {
    return this.makeSignal();
  },
};

function timeout(ip: string, ms: number): RaftError {
  return new RaftError('TIMEOUT', `no answer from ${ip} within ${ms} ms`, { ip });
}

/** @param ip who was asked; left out when all were */
function asRaftError(cause: unknown, ip?: string): RaftError {
  if (cause instanceof RaftError) return cause;
  return new RaftError('UNREACHABLE', `no answer from ${ip ?? 'all'}: ${textOf(cause)}`, { ip, cause });
}
