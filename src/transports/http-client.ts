import * as http from 'node:http';
import * as https from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import { RaftError } from '../core/errors.js';
import type { RaftRequest } from '../core/messages.js';
import { AUTH_HEADER, type HttpAuth, type Signature } from './http-auth.js';
import { CONTENT_TYPE, mediaType, parseEndpoint, readBody } from './http-wire.js';

/**
 * How long an unused connection is kept, in ms: longer than any sensible heartbeat, and half of what our servers keep
 * it for. Were the server the first to let go, a request could meet its farewell on the way and be lost; and it must
 * not be sent again, since nobody knows whether it was handled. So the client is always the first.
 */
export const CLIENT_IDLE_MS = 30_000;

/** What a client needs to know. */
export interface HttpClientOptions {
  readonly path: string;
  readonly address: (ip: string) => string;
  readonly bodyLimitBytes: number;
  readonly auth: HttpAuth | null;
  /** Whether to speak https, and with what. */
  readonly tls: (SecureContextOptions & { readonly rejectUnauthorized?: boolean }) | null;
}

/** Sends requests over connections that it keeps. */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #agent: http.Agent;
  /** What ends each request under way. */
  readonly #outstanding = new Set<(reason: RaftError) => void>();

  constructor(options: HttpClientOptions) {
    this.#options = options;
    const kept = { keepAlive: true, timeout: CLIENT_IDLE_MS, scheduling: 'lifo' as const };
    this.#agent = options.tls === null ? new http.Agent(kept) : new https.Agent({ ...options.tls, ...kept });
  }

  /**
   * Sends `request` to the peer `to`, once.
   *
   * @throws RaftError `ABORTED`, `UNREACHABLE`, `BAD_REPLY`, `UNAUTHORIZED` (the reply is not signed), `TOO_LARGE`
   */
  async request(to: string, request: RaftRequest, signal: AbortSignal): Promise<unknown> {
    if (signal.aborted) throw aborted(to, signal.reason);
    const body = Buffer.from(JSON.stringify(request));
    if (body.length > this.#options.bodyLimitBytes) {
      throw new RaftError('TOO_LARGE', `a request to ${to} of ${body.length} bytes is too large`, { ip: to });
    }
    const path = `${this.#options.path}/${request.type}`;
    const signature = this.#options.auth?.sign({ method: 'POST', path, to, body }) ?? null;
    const outgoing = this.#post(to, path, body, signature);
    let ended: RaftError | null = null;
    const end = (reason: RaftError): void => {
      ended ??= reason;
      outgoing.destroy(reason);
    };
    const onAbort = (): void => end(aborted(to, signal.reason));
    signal.addEventListener('abort', onAbort, { once: true });
    this.#outstanding.add(end);
    try {
      return await this.#answer(to, outgoing, signature);
    } catch (error) {
      outgoing.destroy();
      throw ended ?? error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#outstanding.delete(end);
    }
  }

  /** Ends all requests under way and lets go of all connections. */
  close(): void {
    for (const end of this.#outstanding) end(new RaftError('ABORTED', 'the transport was stopped'));
    this.#agent.destroy();
  }

  #post(to: string, path: string, body: Buffer, signature: Signature | null): http.ClientRequest {
    const endpoint = parseEndpoint(this.#options.address(to));
    if (endpoint === null) throw new RaftError('UNREACHABLE', `${to} has no address host:port`, { ip: to });
    const headers: http.OutgoingHttpHeaders = { 'content-type': CONTENT_TYPE, 'content-length': body.length };
    if (signature !== null) headers[AUTH_HEADER] = signature.header;
    const { request } = this.#options.tls === null ? http : https;
    const outgoing = request({ ...endpoint, agent: this.#agent, method: 'POST', path, headers });
    return outgoing.end(body);
  }

  async #answer(to: string, outgoing: http.ClientRequest, signature: Signature | null): Promise<unknown> {
    const response = await responseTo(to, outgoing);
    const body = await readBody(response, this.#options.bodyLimitBytes).catch((error: RaftError) => {
      const code = error.code === 'TOO_LARGE' ? 'BAD_REPLY' : error.code;
      throw new RaftError(code, `the answer of ${to} could not be read: ${error.message}`, {
        ip: to,
        cause: error,
      });
    });
    this.#verify(to, response, body, signature);
    if (mediaType(response) !== CONTENT_TYPE) {
      const what = `status ${response.statusCode}, content-type '${mediaType(response)}'`;
      throw new RaftError('BAD_REPLY', `what answers at ${to} is not raftbeat: ${what}`, { ip: to });
    }
    return parse(to, body);
  }

  #verify(to: string, response: http.IncomingMessage, body: Buffer, signature: Signature | null): void {
    if (this.#options.auth === null || signature === null) return;
    const header = String(response.headers[AUTH_HEADER] ?? '');
    const status = response.statusCode ?? 0;
    if (this.#options.auth.verifyReply(signature.digest, status, body, header)) return;
    const what = `the answer of ${to} (status ${status}) is not signed with the secret`;
    throw new RaftError('UNAUTHORIZED', what, { ip: to });
  }
}

function responseTo(to: string, outgoing: http.ClientRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const lose = (cause?: Error): void => {
      const why = cause === undefined ? 'the connection was closed' : cause.message;
      reject(new RaftError('UNREACHABLE', `${to} cannot be reached: ${why}`, { ip: to, cause }));
    };
    // The listener stays: what fails after the answer concerns nobody, but must not end the process.
    outgoing.on('error', lose).once('close', lose);
    outgoing.once('response', (response) => {
      outgoing.off('close', lose);
      resolve(response);
    });
  });
}

function parse(to: string, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch (cause) {
    throw new RaftError('BAD_REPLY', `the answer of ${to} is not JSON`, { ip: to, cause });
  }
}

function aborted(to: string, cause: unknown): RaftError {
  return new RaftError('ABORTED', `nobody waits for the answer of ${to} any more`, { ip: to, cause });
}
