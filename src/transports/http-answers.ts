import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { RaftError } from '../core/errors.js';
import { AUTH_HEADER } from './http-auth.js';

/** How long answers under way are waited for when the transport stops, in ms. */
const GRACE_MS = 250;

/** What an answer says. */
export interface HttpReply {
  readonly status: number;
  /** Its content-type. */
  readonly type: string;
  readonly body: Buffer;
}

/** How a refusal is written. */
export type WriteRefusal = (error: RaftError) => HttpReply;

/** The one answer to a request. */
export class Answer {
  readonly req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #writeRefusal: WriteRefusal;
  /** Makes the signature of the answer, once the request was found to be signed. */
  sign: ((status: number, body: Buffer) => string) | null = null;

  constructor(req: IncomingMessage, res: ServerResponse, writeRefusal: WriteRefusal) {
    this.req = req;
    this.#res = res;
    this.#writeRefusal = writeRefusal;
    // Whoever asked may be gone at any time, which harms nobody but them.
    req.on('error', () => {});
    res.on('error', () => {});
  }

  /** Tells which methods there are. */
  allow(methods: readonly string[]): void {
    this.set({ allow: methods.join(', ') });
  }

  /** Headers of the answer to come. */
  set(headers: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(headers)) this.#res.setHeader(name, value);
  }

  /** Begins an answer that goes on until it is ended, or whoever asked is gone. */
  open(headers: OutgoingHttpHeaders): ServerResponse {
    this.#res.writeHead(200, headers).flushHeaders();
    return this.#res;
  }

  /** Sends the answer, unless there was one. */
  send({ status, type, body }: HttpReply): void {
    if (this.#res.headersSent || this.#res.destroyed) return;
    if (this.sign !== null) this.#res.setHeader(AUTH_HEADER, this.sign(status, body));
    // The rest of a body would have to be read before the connection could serve another request.
    if (mayBringMore(this.req)) this.#res.setHeader('connection', 'close');
    this.#res.setHeader('cache-control', 'no-store');
    this.#res.writeHead(status, { 'content-type': type, 'content-length': body.length }).end(body);
  }

  /** Answers with what was thrown. */
  refuse(error: unknown): void {
    this.send(
      this.#writeRefusal(error instanceof RaftError ? error : new RaftError('INTERNAL', String(error))),
    );
  }

  /** Aborted when whoever asked is gone before the answer. */
  gone(): AbortSignal {
    const aborter = new AbortController();
    const end = (): void => {
      if (!this.#res.writableFinished) aborter.abort();
    };
    this.#res.once('close', end);
    if (this.#res.destroyed) end();
    return aborter.signal;
  }

  /** Gives up a client that does not take its answer. */
  cut(): void {
    this.#res.destroy();
  }
}

/** The answers under way, whatever server their requests came in by. */
export class Answers {
  readonly #writeRefusal: WriteRefusal;
  readonly #underWay = new Set<Answer>();
  readonly #watched = new WeakSet<Socket>();
  #drained: () => void = () => {};

  constructor(writeRefusal: WriteRefusal) {
    this.#writeRefusal = writeRefusal;
  }

  /** Lets `handle` answer a request; what it throws is the answer, too. */
  serve(req: IncomingMessage, res: ServerResponse, handle: (answer: Answer) => Promise<void>): void {
    const answer = new Answer(req, res, this.#writeRefusal);
    this.#underWay.add(answer);
    res.once('close', () => this.#forget(answer));
    this.#watch(req.socket);
    handle(answer).catch((error: unknown) => answer.refuse(error));
  }

  /** Waits a little for the answers under way, and refuses the rest; resolved when nothing is left. */
  async close(): Promise<void> {
    if (this.#underWay.size === 0) return;
    const drained = new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
    const refuse = (): void => {
      for (const answer of this.#underWay) answer.refuse(new RaftError('NOT_RUNNING', 'this peer stops'));
    };
    const cut = (): void => {
      for (const answer of this.#underWay) answer.cut();
    };
    const timers = [setTimeout(refuse, GRACE_MS), setTimeout(cut, 2 * GRACE_MS)];
    await drained;
    for (const timer of timers) clearTimeout(timer);
  }

  /** A pipelined answer whose turn never came is not closed: of its end only the connection tells. */
  #watch(socket: Socket): void {
    if (this.#watched.has(socket)) return;
    this.#watched.add(socket);
    socket.once('close', () => {
      for (const answer of this.#underWay) if (answer.req.socket === socket) this.#forget(answer);
    });
  }

  #forget(answer: Answer): void {
    this.#underWay.delete(answer);
    if (this.#underWay.size === 0) this.#drained();
  }
}

function mayBringMore(req: IncomingMessage): boolean {
  const hasBody = 'transfer-encoding' in req.headers || Number(req.headers['content-length'] ?? 0) > 0;
  return hasBody && !req.complete;
}

/** Where a request came from, for logs. */
export function nameOf({ socket }: IncomingMessage): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}
