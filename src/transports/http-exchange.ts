import * as http from 'node:http';
import * as https from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import { RaftError } from '../core/errors.js';
import { parseEndpoint, readBody } from './http-wire.js';

/**
 * How long an unused connection is kept, in ms: longer than any sensible heartbeat, and half of what our servers keep
 * it for. Were the server the first to let go, a request could meet its farewell on the way and be lost; and it must
 * not be sent again, since nobody knows whether it was handled. So the client is always the first.
 */
export const CLIENT_IDLE_MS = 30_000;

/** What it takes to reach peers. */
export interface HttpExchangeOptions {
  readonly address: (ip: string) => string;
  readonly bodyLimitBytes: number;
  /** Whether to speak https, and with what. */
  readonly tls: (SecureContextOptions & { readonly rejectUnauthorized?: boolean }) | null;
}

/** A request as it is sent; `content-length` comes by itself. */
export interface HttpOutgoing {
  readonly method: string;
  readonly path: string;
  readonly headers: http.OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** An answer, whole. */
export interface HttpIncoming {
  readonly message: http.IncomingMessage;
  readonly status: number;
  readonly body: Buffer;
}

/** Sends requests and waits for their answers, over connections that it keeps. */
export class HttpExchange {
  readonly #options: HttpExchangeOptions;
  readonly #agent: http.Agent;
  /** What ends each request under way. */
  readonly #outstanding = new Set<(reason: RaftError) => void>();
  #isClosed = false;

  constructor(options: HttpExchangeOptions) {
    this.#options = options;
    const kept = { keepAlive: true, timeout: CLIENT_IDLE_MS, scheduling: 'lifo' as const };
    this.#agent = options.tls === null ? new http.Agent(kept) : new https.Agent({ ...options.tls, ...kept });
  }

  /**
   * Sends `request` to the peer `to`, once.
   *
   * @throws RaftError `ABORTED`, `UNREACHABLE`, `BAD_REPLY` (too large an answer), `TOO_LARGE`
   */
  async send(to: string, request: HttpOutgoing, signal: AbortSignal): Promise<HttpIncoming> {
    if (signal.aborted) throw aborted(to, signal.reason);
    if (this.#isClosed) throw stopped();
    if (request.body.length > this.#options.bodyLimitBytes) {
      const what = `a request to ${to} of ${request.body.length} bytes is too large`;
      throw new RaftError('TOO_LARGE', what, { ip: to });
    }
    const outgoing = this.#open(to, request);
    let ended: RaftError | null = null;
    const end = (reason: RaftError): void => {
      ended ??= reason;
      outgoing.destroy(reason);
    };
    const onAbort = (): void => end(aborted(to, signal.reason));
    signal.addEventListener('abort', onAbort, { once: true });
    this.#outstanding.add(end);
    try {
      return await this.#answer(to, outgoing);
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
    this.#isClosed = true;
    for (const end of this.#outstanding) end(stopped());
    this.#agent.destroy();
  }

  #open(to: string, { method, path, headers, body }: HttpOutgoing): http.ClientRequest {
    const endpoint = parseEndpoint(this.#options.address(to));
    if (endpoint === null) throw new RaftError('UNREACHABLE', `${to} has no address host:port`, { ip: to });
    const { request } = this.#options.tls === null ? http : https;
    const all = { ...headers, 'content-length': body.length };
    return request({ ...endpoint, agent: this.#agent, method, path, headers: all }).end(body);
  }

  async #answer(to: string, outgoing: http.ClientRequest): Promise<HttpIncoming> {
    const message = await responseTo(to, outgoing);
    const body = await readBody(message, this.#options.bodyLimitBytes).catch((error: RaftError) => {
      const code = error.code === 'TOO_LARGE' ? 'BAD_REPLY' : error.code;
      throw new RaftError(code, `the answer of ${to} could not be read: ${error.message}`, {
        ip: to,
        cause: error,
      });
    });
    return { message, status: message.statusCode ?? 0, body };
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

function stopped(): RaftError {
  return new RaftError('ABORTED', 'the transport was stopped');
}

function aborted(to: string, cause: unknown): RaftError {
  return new RaftError('ABORTED', `nobody waits for the answer of ${to} any more`, { ip: to, cause });
}
