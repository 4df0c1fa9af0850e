import type { IncomingMessage, ServerResponse } from 'node:http';
import { RaftError } from '../core/errors.js';
import type { ErrorReply, RaftReply } from '../core/messages.js';
import { Answer, Answers, type HttpReply, nameOf } from './http-answers.js';
import { AUTH_HEADER, type HttpAuth } from './http-auth.js';
import { PAGE_METHODS, StatusPage } from './http-page.js';
import {
  asHeader,
  CONTENT_TYPE,
  METHODS,
  MISDIRECTED,
  mediaType,
  readBody,
  statusOf,
  TO_HEADER,
} from './http-wire.js';
import type { Receive } from './transport.js';

/** What it takes to answer requests. */
export interface HttpInboundOptions {
  readonly path: string;
  readonly bodyLimitBytes: number;
  readonly auth: HttpAuth | null;
  /** The peer that is served. */
  readonly local: string;
  readonly receive: Receive;
  /** Who may see the status page: who knows the token, or everybody; null: nobody, for there is none. */
  readonly ui: { readonly token: string | null } | null;
}

/** Answers the requests below one path, whatever server they came in by. */
export class HttpInbound {
  readonly #options: HttpInboundOptions;
  readonly #page: StatusPage | null;
  readonly #answers = new Answers(({ code, message }) => written(statusOf(code), { code, message }));

  constructor(options: HttpInboundOptions) {
    this.#options = options;
    this.#page = options.ui === null ? null : new StatusPage(options.receive, options.ui.token);
  }

  /** Answers a request for `type`, the part of its path below ours. */
  serve(req: IncomingMessage, res: ServerResponse, type: string): void {
    this.#answers.serve(req, res, (answer) => this.#route(answer, type));
  }

  /** Waits a little for the answers under way, and refuses the rest; resolved when nothing is left. */
  close(): Promise<void> {
    this.#page?.close();
    return this.#answers.close();
  }

  async #route(answer: Answer, type: string): Promise<void> {
    const method = answer.req.method ?? '';
    const page = Object.hasOwn(PAGE_METHODS, type) ? this.#page : null;
    const allowed = page === null ? methodsOf(METHODS, type) : methodsOf(PAGE_METHODS, type);
    if (allowed === null) {
      answer.send(written(404, refusal(`there is nothing at ${this.#options.path}/${type}`)));
    } else if (!allowed.includes(method)) {
      answer.allow(allowed);
      answer.send(written(405, refusal(`${type} takes ${allowed.join(', ')}`)));
    } else if (method === 'POST') {
      await this.#post(answer, type);
    } else if (page !== null) {
      await page.serve(answer, type);
    } else {
      await this.#get(answer, type);
    }
  }

  async #get(answer: Answer, type: string): Promise<void> {
    const reply = await this.#ask({ type }, answer);
    const lacksLeader = type === 'state' && 'leader' in reply && reply.leader === null;
    answer.send(written(lacksLeader ? 503 : statusFor(reply), reply, 'application/json'));
  }

  async #post(answer: Answer, type: string): Promise<void> {
    const { bodyLimitBytes, local } = this.#options;
    if (answer.req.readableDidRead) {
      throw new RaftError('INTERNAL', 'the body was read already: mount raftbeat before any body parser');
    }
    const body = await readBody(answer.req, bodyLimitBytes);
    if (this.#options.auth !== null) this.#authorize(this.#options.auth, answer, type, body);
    const to = answer.req.headers[TO_HEADER];
    if (to !== undefined && to !== asHeader(local)) {
      return answer.send(
        written(MISDIRECTED, { code: 'UNKNOWN_PEER', message: `this is ${local}, and not ${to}` }),
      );
    }
    if (mediaType(answer.req) !== CONTENT_TYPE) {
      return answer.send(written(415, refusal(`content-type: expected ${CONTENT_TYPE}`)));
    }
    // A signal costs much, and of all requests this one alone asks for it.
    const gone = type === 'hold' ? answer.gone() : undefined;
    const reply = await this.#ask(parse(body, type), answer, gone);
    answer.send(written(statusFor(reply), reply));
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

  async #ask(request: unknown, { req }: Answer, gone?: AbortSignal): Promise<RaftReply> {
    try {
      return await this.#options.receive(request, nameOf(req), gone);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new RaftError('INTERNAL', message, { cause });
    }
  }
}

/** How `type` may be asked for; null when there is nothing of this name. */
function methodsOf(all: Readonly<Record<string, readonly string[]>>, type: string): readonly string[] | null {
  return Object.hasOwn(all, type) ? (all[type] ?? null) : null;
}

/** Answers what no running transport answers. */
export function answerFor(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  reply: ErrorReply,
): void {
  new Answer(req, res, () => written(status, reply)).send(written(status, reply));
}

function written(status: number, reply: RaftReply, type: string = CONTENT_TYPE): HttpReply {
  return { status, type, body: Buffer.from(JSON.stringify(reply)) };
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
