import { Server as TlsServer } from 'node:https';
import type { RaftRequest } from '../core/messages.js';
import { HttpAuth } from './http-auth.js';
import { HttpClient } from './http-client.js';
import { hostFor } from './http-host.js';
import { HttpInbound } from './http-inbound.js';
import { type HttpTransportOptions, validate } from './http-options.js';
import { type HttpParts, HttpService, type RequestHandler } from './http-service.js';
import type { Receive, RequestOptions, Transport } from './transport.js';

export type { HttpTlsOptions, HttpTransportOptions } from './http-options.js';

/**
 * Carries requests over HTTP/1.1, with connections that are kept: as `POST {path}/{type}`, with JSON for a body.
 * `GET {path}/peer`, `/leader` and `/state` are for people and health checks; `/state` has the status 503 while no
 * leader is known.
 */
export class HttpTransport implements Transport {
  readonly #options: HttpTransportOptions;
  readonly #path: string;
  readonly #service: HttpService<HttpClient>;
  /**
   * Answers the requests below `path`; others go to `next`, or get 404 without it. For Express:
   * `app.use(transport.handler)`; for a plain server: `createServer(transport.handler)`; for Fastify, in an `onRequest`
   * hook: `transport.handler(request.raw, reply.raw, done)`. Mount it before anything that reads bodies. Bound, so that
   * it can be passed on.
   */
  readonly handler: RequestHandler;

  /** @throws RaftError `BAD_OPTION`, which names the option */
  constructor(options: HttpTransportOptions = {}) {
    validate(options);
    this.#options = options;
    this.#path = options.path ?? '/raft';
    this.#service = new HttpService(this.#path);
    this.handler = this.#service.handler;
  }

  /**
   * Starts to serve. It can be started again after `stop`.
   *
   * @throws RaftError `UNREACHABLE` when it cannot listen, with the `cause`; `DUPLICATE_PEER` when another transport is
   *   mounted at this `path` of the `server`; `INVALID_STATE` when it was started before; `BAD_OPTION` when `local` is
   *   not an address
   */
  async start(local: string, receive: Receive): Promise<void> {
    await this.#service.start(() => this.#assemble(local, receive));
  }

  /**
   * @throws RaftError `UNREACHABLE` with the `cause`; `ABORTED` when `signal` was, or the transport stopped;
   *   `BAD_REPLY` when something else than a peer answers, or too much; `UNAUTHORIZED` when the answer is not signed
   *   though there is a secret; `TOO_LARGE` when the request is; `NOT_RUNNING`
   */
  async request(to: string, request: RaftRequest, { signal }: RequestOptions): Promise<unknown> {
    return this.#service.client.request(to, request, signal);
  }

  /** Stops, after answers under way had a quarter of a second to leave; resolved when the port is free. */
  stop(): Promise<void> {
    return this.#service.stop();
  }

  #assemble(local: string, receive: Receive): HttpParts<HttpClient> {
    const { secret, authWindowMs = 30_000, bodyLimitBytes = 1_048_576, server } = this.#options;
    const { address = (ip: string): string => ip } = this.#options;
    const auth = secret === undefined ? null : new HttpAuth(secret, authWindowMs);
    const tls = this.#options.tls ?? (server instanceof TlsServer ? {} : null);
    const shared = { path: this.#path, bodyLimitBytes, auth };
    return {
      client: new HttpClient({ ...shared, address, tls }),
      inbound: new HttpInbound({ ...shared, local, receive }),
      host: hostFor(this.#options, { path: this.#path, local: address(local), handler: this.handler }),
    };
  }
}
