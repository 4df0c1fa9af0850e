import type { IncomingMessage, ServerResponse } from 'node:http';
import { Server as TlsServer } from 'node:https';
import { RaftError } from '../core/errors.js';
import type { RaftRequest } from '../core/messages.js';
import { HttpAuth } from './http-auth.js';
import { HttpClient } from './http-client.js';
import { type HttpHost, OwnServer, ServerMount } from './http-host.js';
import { answerFor, HttpInbound } from './http-inbound.js';
import { type HttpTransportOptions, validate } from './http-options.js';
import { type Endpoint, parseEndpoint } from './http-wire.js';
import type { Receive, RequestOptions, Transport } from './transport.js';

export type { HttpTlsOptions, HttpTransportOptions } from './http-options.js';

interface Running {
  readonly local: string;
  readonly client: HttpClient;
  readonly inbound: HttpInbound;
  readonly host: HttpHost | null;
}

/**
 * Carries requests over HTTP/1.1, with connections that are kept: as `POST {path}/{type}`, with JSON for a body.
 * `GET {path}/peer`, `/leader` and `/state` are for people and health checks; `/state` has the status 503 while no
 * leader is known.
 */
export class HttpTransport implements Transport {
  readonly #options: HttpTransportOptions;
  readonly #path: string;
  #running: Running | null = null;
  /** The end of the last start or stop: they take turns, as the port is free only after the stop. */
  #turn: Promise<void> = Promise.resolve();

  /** @throws RaftError `BAD_OPTION`, which names the option */
  constructor(options: HttpTransportOptions = {}) {
    validate(options);
    this.#options = options;
    this.#path = options.path ?? '/raft';
  }

  /**
   * Answers the requests below `path`; others go to `next`, or get 404 without it. For Express:
   * `app.use(transport.handler)`; for a plain server: `createServer(transport.handler)`; for Fastify, in an `onRequest`
   * hook: `transport.handler(request.raw, reply.raw, done)`. Mount it before anything that reads bodies. Bound, so that
   * it can be passed on.
   */
  readonly handler: (req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void) => void = (
    req,
    res,
    next,
  ) => {
    const type = this.#typeOf(req);
    if (type !== null && this.#running !== null) return this.#running.inbound.serve(req, res, type);
    if (type !== null)
      return answerFor(req, res, 503, { code: 'NOT_RUNNING', message: 'this peer does not run' });
    if (next !== undefined) return next();
    answerFor(req, res, 404, { code: 'BAD_REQUEST', message: `there is nothing but ${this.#path}` });
  };

  /**
   * Starts to serve. It can be started again after `stop`.
   *
   * @throws RaftError `UNREACHABLE` when it cannot listen, with the `cause`; `DUPLICATE_PEER` when another transport is
   *   mounted at this `path` of the `server`; `INVALID_STATE` when it was started before; `BAD_OPTION` when `local` is
   *   not an address
   */
  async start(local: string, receive: Receive): Promise<void> {
    if (this.#running !== null) throw new RaftError('INVALID_STATE', 'the transport was started before');
    const running = this.#assemble(local, receive);
    this.#running = running;
    const opened = this.#turn.then(() => running.host?.open());
    this.#turn = opened.catch(() => {});
    try {
      await opened;
    } catch (error) {
      running.client.close();
      if (this.#running === running) this.#running = null;
      throw error;
    }
    if (this.#running !== running)
      throw new RaftError('ABORTED', 'the transport was stopped while it started');
  }

  /**
   * @throws RaftError `UNREACHABLE` with the `cause`; `ABORTED` when `signal` was, or the transport stopped;
   *   `BAD_REPLY` when something else than a peer answers, or too much; `UNAUTHORIZED` when the answer is not signed
   *   though there is a secret; `TOO_LARGE` when the request is; `NOT_RUNNING`
   */
  async request(to: string, request: RaftRequest, { signal }: RequestOptions): Promise<unknown> {
    if (this.#running === null) throw new RaftError('NOT_RUNNING', 'the transport does not run');
    return this.#running.client.request(to, request, signal);
  }

  /** Stops, after answers under way had a quarter of a second to leave; resolved when the port is free. */
  stop(): Promise<void> {
    const running = this.#running;
    this.#running = null;
    if (running !== null) this.#turn = this.#turn.then(() => shutDown(running));
    return this.#turn;
  }

  #assemble(local: string, receive: Receive): Running {
    const { secret, authWindowMs = 30_000, bodyLimitBytes = 1_048_576, server } = this.#options;
    const { address = (ip: string): string => ip } = this.#options;
    const auth = secret === undefined ? null : new HttpAuth(secret, authWindowMs);
    const tls = this.#options.tls ?? (server instanceof TlsServer ? {} : null);
    const shared = { path: this.#path, bodyLimitBytes, auth };
    return {
      local,
      client: new HttpClient({ ...shared, address, tls }),
      inbound: new HttpInbound({ ...shared, local, receive }),
      host: this.#host(local, address),
    };
  }

  #host(local: string, address: (ip: string) => string): HttpHost | null {
    const { server, listen = server === undefined, bind, tls = null } = this.#options;
    if (server !== undefined) return new ServerMount(server, this.#path, this.handler);
    if (!listen) return null;
    const own: Partial<Endpoint> = { ...parseEndpoint(address(local)), ...bind };
    if (own.host === undefined || own.port === undefined) {
      throw new RaftError('BAD_OPTION', `ip: expected host:port, or see address and bind; got '${local}'`);
    }
    return new OwnServer({ host: own.host, port: own.port }, tls, this.handler);
  }

  /** What follows our path, or null when the request is for somebody else. */
  #typeOf(req: IncomingMessage & { originalUrl?: string }): string | null {
    // Express cuts the prefix that a handler is mounted at off the url.
    const [pathname = ''] = (req.originalUrl ?? req.url ?? '').split('?', 1);
    if (pathname === this.#path) return '';
    return pathname.startsWith(`${this.#path}/`) ? pathname.slice(this.#path.length + 1) : null;
  }
}

async function shutDown({ host, client, inbound }: Running): Promise<void> {
  host?.retire();
  client.close();
  await inbound.close();
  await host?.close();
}
