import type { OutgoingHttpHeaders } from 'node:http';
import { RaftError } from '../core/errors.js';
import type { RaftRequest } from '../core/messages.js';
import { AUTH_HEADER, type HttpAuth, type Signature } from './http-auth.js';
import { HttpExchange, type HttpExchangeOptions, type HttpIncoming } from './http-exchange.js';
import { asHeader, CONTENT_TYPE, MISDIRECTED, mediaType, TO_HEADER } from './http-wire.js';

/** What a client needs to know. */
export interface HttpClientOptions extends HttpExchangeOptions {
  readonly path: string;
  readonly auth: HttpAuth | null;
}

/** Sends requests as JSON, signed if there is a secret. */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #exchange: HttpExchange;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#exchange = new HttpExchange(options);
  }

  /**
   * Sends `request` to the peer `to`, once.
   *
   * @throws RaftError `ABORTED`, `UNREACHABLE`, `BAD_REPLY`, `UNAUTHORIZED` (the reply is not signed), `TOO_LARGE`
   */
  async request(to: string, request: RaftRequest, signal: AbortSignal): Promise<unknown> {
    const body = Buffer.from(JSON.stringify(request));
    const path = `${this.#options.path}/${request.type}`;
    const signature = this.#options.auth?.sign({ method: 'POST', path, to, body }) ?? null;
    const headers: OutgoingHttpHeaders = { 'content-type': CONTENT_TYPE, [TO_HEADER]: asHeader(to) };
    if (signature !== null) headers[AUTH_HEADER] = signature.header;
    const answer = await this.#exchange.send(to, { method: 'POST', path, headers, body }, signal);
    this.#verify(to, answer, signature);
    if (answer.status === MISDIRECTED)
      throw new RaftError('BAD_REPLY', `what answers at the address of ${to} is another peer`, { ip: to });
    if (mediaType(answer.message) !== CONTENT_TYPE) {
      const what = `status ${answer.status}, content-type '${mediaType(answer.message)}'`;
      throw new RaftError('BAD_REPLY', `what answers at ${to} is not raftbeat: ${what}`, { ip: to });
    }
    return parse(to, answer.body);
  }

  /** Ends all requests under way and lets go of all connections. */
  close(): void {
    this.#exchange.close();
  }

  #verify(to: string, { message, status, body }: HttpIncoming, signature: Signature | null): void {
    if (this.#options.auth === null || signature === null) return;
    const header = String(message.headers[AUTH_HEADER] ?? '');
    if (this.#options.auth.verifyReply(signature.digest, status, body, header)) return;
    const what = `the answer of ${to} (status ${status}) is not signed with the secret`;
    throw new RaftError('UNAUTHORIZED', what, { ip: to });
  }
}

function parse(to: string, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch (cause) {
    throw new RaftError('BAD_REPLY', `the answer of ${to} is not JSON`, { ip: to, cause });
  }
}
