import { RaftError, textOf } from '../core/errors.js';
import type { RaftReply, RaftRequest } from '../core/messages.js';
import type { Receive } from './transport.js';

/** How many requests of the other side are handled at a time: a peer has a few under way. */
const MAX_SERVED = 1_000;

/** One of these in each: a question, the answer to one, or that nobody waits for an answer any more. */
export interface Frame {
  readonly q?: number;
  readonly a?: number;
  readonly x?: number;
  /** The request, or the reply. */
  readonly m?: unknown;
}

/** What it takes to speak to a peer. */
export interface ConversationOptions {
  /** The other side. */
  readonly ip: string;
  readonly receive: Receive;
  /** Sends a frame, if that can be done; throws when it is too large, as no refusal may be that is made here. */
  readonly send: (frame: Frame) => void;
  /** Whether it will be known here when the other side is gone. */
  readonly tellsGone: boolean;
  /** Called when nothing is under way any more, whoever asked. */
  readonly idle?: () => void;
}

interface Question {
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: RaftError) => void;
}

/** What two peers ask each other, over a medium that knows no requests. */
export class Conversation {
  readonly #options: ConversationOptions;
  readonly #asked = new Map<number, Question>();
  /** The requests that are handled here, and how to tell that their asker is gone. */
  readonly #served = new Map<number, AbortController | null>();
  #nextId = 0;

  constructor(options: ConversationOptions) {
    this.#options = options;
  }

  /** Whether this side waits for an answer. */
  get isWaiting(): boolean {
    return this.#asked.size > 0;
  }

  /** Whether nothing is under way, whoever asked. */
  get isIdle(): boolean {
    return this.#asked.size === 0 && this.#served.size === 0;
  }

  /**
   * Asks the other side, once.
   *
   * @throws RaftError `ABORTED` by the signal, what `send` throws, or what it is ended with
   */
  async ask(request: RaftRequest, signal: AbortSignal): Promise<unknown> {
    const { ip, send } = this.#options;
    if (signal.aborted) throw aborted(ip, signal.reason);
    const id = this.#nextId++;
    let abort = (): void => {};
    try {
      return await new Promise((resolve, reject) => {
        abort = () => reject(aborted(ip, signal.reason));
        send({ q: id, m: request });
        signal.addEventListener('abort', abort, { once: true });
        this.#asked.set(id, { resolve, reject });
      });
    } finally {
      signal.removeEventListener('abort', abort);
      if (this.#asked.delete(id)) {
        send({ x: id });
        this.#tellIfIdle();
      }
    }
  }

  /** Takes what the other side sent; what is no frame is nothing. */
  received({ q, a, x, m }: { readonly [K in keyof Frame]: unknown }): void {
    if (isId(q)) this.#serve(q, m);
    else if (isId(x)) this.#served.get(x)?.abort();
    else if (isId(a)) this.#heard(a, m);
  }

  /** Rejects what was asked, with `error`. */
  forsake(error: RaftError): void {
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
  }

  /** The other side is gone, and hears no answer. */
  end(error: RaftError): void {
    for (const gone of this.#served.values()) gone?.abort();
    this.#served.clear();
    this.forsake(error);
  }

  #heard(id: number, reply: unknown): void {
    const question = this.#asked.get(id);
    this.#asked.delete(id);
    question?.resolve(reply);
    this.#tellIfIdle();
  }

  #serve(id: number, request: unknown): void {
    const { ip, receive, send, tellsGone } = this.#options;
    if (this.#served.size >= MAX_SERVED || this.#served.has(id)) {
      send({ a: id, m: { code: 'BUSY', message: `this, or ${MAX_SERVED} others are being answered` } });
      return;
    }
    // A signal costs much, and of all requests this one alone asks for it.
    const gone = tellsGone && isHold(request) ? new AbortController() : null;
    this.#served.set(id, gone);
    receive(request, ip, gone?.signal)
      .catch((cause: unknown) => ({ code: 'INTERNAL' as const, message: textOf(cause) }))
      .then((reply) => this.#answer(id, reply));
  }

  #answer(id: number, reply: RaftReply): void {
    if (!this.#served.delete(id)) return;
    try {
      this.#options.send({ a: id, m: reply });
    } catch {
      this.#options.send({ a: id, m: { code: 'TOO_LARGE', message: 'the answer is too large' } });
    }
    this.#tellIfIdle();
  }

  #tellIfIdle(): void {
    if (this.isIdle) this.#options.idle?.();
  }
}

function isId(id: unknown): id is number {
  return Number.isSafeInteger(id);
}

function isHold(request: unknown): boolean {
  return typeof request === 'object' && request !== null && 'type' in request && request.type === 'hold';
}

/** Nobody waits for the answer of `ip` any more. */
export function aborted(ip: string, cause: unknown): RaftError {
  return new RaftError('ABORTED', `nobody waits for the answer of ${ip} any more`, { ip, cause });
}
