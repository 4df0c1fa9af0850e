import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { RaftError } from '../core/errors.js';
import type { ErrorReply, RaftReply } from '../core/messages.js';
import { AUTH_HEADER, type HttpAuth } from './http-auth.js';
import { CONTENT_TYPE, METHODS, mediaType, readBody, statusOf } from './http-wire.js';
import type { Receive } from './transport.js';

/** How long answers under way are waited for when the transport stops, in ms. */
const GRACE_MS = 250;

/** What it takes to answer requests. */
export interface HttpInboundOptions {
  readonly path: string;
  readonly bodyLimitBytes: number;
  readonly auth: HttpAuth | null;
  /** The peer that is served. */
  readonly local: string;
  readonly receive: Receive;
}

/** Answers the requests below one path, whatever server they came in by. */
export class HttpInbound {
  readonly #options: HttpInboundOptions;
  readonly #underWay = new Set<Answer>();
  readonly #watched = new WeakSet<Socket>();
  #drained: () => void = () => {};

  constructor(options: HttpInboundOptions) {
    this.#options = options;
  }

  /** Answers a request for `type`, the part of its path below ours. */
  serve(req: IncomingMessage, res: ServerResponse, type: string): void {
    const answer = new Answer(req, res);
    this.#underWay.add(answer);
    res.once('close', () => this.#forget(answer));
    this.#watch(req.socket);
    this.#route(answer, res, type).catch((error: unknown) => answer.refuse(error));
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

  async #route(answer: Answer, res: ServerResponse, type: string): Promise<void> {
    const method = answer.req.method ?? '';
    const allowed = Object.hasOwn(METHODS, type) ? METHODS[type as keyof typeof METHODS] : null;
    if (allowed === null) {
      answer.send(404, refusal(`there is nothing at ${this.#options.path}/${type}`));
    } else if (!allowed.includes(method)) {
      res.setHeader('allow', allowed.join(', '));
      answer.send(405, refusal(`${type} takes ${allowed.join(', ')}`));
    } else if (method === 'POST') {
      await this.#post(answer, type);
    } else {
      await this.#get(answer, type);
    }
  }

  async #get(answer: Answer, type: string): Promise<void> {
    const reply = await this.#ask({ type }, answer);
    const lacksLeader = type === 'state' && 'leader' in reply && reply.leader === null;
    answer.send(lacksLeader ? 503 : statusFor(reply), reply, 'application/json');
  }

  async #post(answer: Answer, type: string): Promise<void> {
    const { bodyLimitBytes } = this.#options;
    if (answer.req.readableDidRead) {
      throw new RaftError('INTERNAL', 'the body was read already: mount raftbeat before any body parser');
    }
    const body = await readBody(answer.req, bodyLimitBytes);
    if (this.#options.auth !== null) this.#authorize(this.#options.auth, answer, type, body);
    if (mediaType(answer.req) !== CONTENT_TYPE) {
      return answer.send(415, refusal(`content-type: expected ${CONTENT_TYPE}`));
    }
    const reply = await this.#ask(parse(body, type), answer);
    answer.send(statusFor(reply), reply);
  }

  #authorize(auth: HttpAuth, answer: Answer, type: string, body: Buffer): void {
    const { path, local } = this.#options;
    const header = String(answer.req.headers[AUTH_HEADER] ?? '');
    const verified = auth.verify({ method: 'POST', path: `${path}/${type}`, to: local, body }, header);
    if (verified === null)
      throw new RaftError('UNAUTHORIZED', 'not signed with the secret, or not for this peer');
    // From here on the asker knows the secret, and may be sure of the answer, even of a refusal.
    answer.sign = (status, reply) => auth.signReply(verified.digest, status, reply);
    auth.admit(verified);
  }

  async #ask(request: unknown, { req }: Answer): Promise<RaftReply> {
    try {
      return await this.#options.receive(request, `${req.socket.remoteAddress}:${req.socket.remotePort}`);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new RaftError('INTERNAL', message, { cause });
    }
  }
}

/** The one answer to a request. */
class Answer {
  readonly req: IncomingMessage;
  readonly #res: ServerResponse;
  /** Makes the signature of the answer, once the request was found to be signed. */
  sign: ((status: number, body: Buffer) => string) | null = null;

  constructor(req: IncomingMessage, res: ServerResponse) {
    this.req = req;
    this.#res = res;
    // Whoever asked may be gone at any time, which harms nobody but them.
    req.on('error', () => {});
    res.on('error', () => {});
  }

  /** Sends the answer, unless there was one. */
  send(status: number, reply: RaftReply, type: string = CONTENT_TYPE): void {
    if (this.#res.headersSent || this.#res.destroyed) return;
    const body = Buffer.from(JSON.stringify(reply));
    if (this.sign !== null) this.#res.setHeader(AUTH_HEADER, this.sign(status, body));
    // The rest of a body would have to be read before the connection could serve another request.
    if (mayBringMore(this.req)) this.#res.setHeader('connection', 'close');
    this.#res.setHeader('cache-control', 'no-store');
    this.#res.writeHead(status, { 'content-type': type, 'content-length': body.length }).end(body);
  }

  /** Answers with what was thrown. */
  refuse(error: unknown): void {
    const { code, message } = error instanceof RaftError ? error : new RaftError('INTERNAL', String(error));
    this.send(statusOf(code), { code, message });
  }

  /** Gives up a client that does not take its answer. */
  cut(): void {
    this.#res.destroy();
  }
}

/** Answers what no running transport answers. */
export function answerFor(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  reply: ErrorReply,
): void {
  new Answer(req, res).send(status, reply);
}

function mayBringMore(req: IncomingMessage): boolean {
  const hasBody = 'transfer-encoding' in req.headers || Number(req.headers['content-length'] ?? 0) > 0;
  return hasBody && !req.complete;
}

function statusFor(reply: RaftReply): number {
  return 'code' in reply ? statusOf(reply.code) : 200;
}

function parse(body: Buffer, type: string): unknown {
  let request: unknown;
  try {
    request = JSON.parse(body.toString());
  } catch {
    throw new RaftError('BAD_REQUEST', 'the body is not JSON');
  }
  const isOfType =
    typeof request === 'object' && request !== null && 'type' in request && request.type === type;
  if (!isOfType) throw new RaftError('BAD_REQUEST', `type: expected '${type}' as in the path`);
  return request;
}

function refusal(message: string): ErrorReply {
  return { code: 'BAD_REQUEST', message };
}
