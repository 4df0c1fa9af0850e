import { randomBytes } from 'node:crypto';
import type { WebSocket } from 'ws';
import { RaftError } from '../core/errors.js';
import type { RaftRequest } from '../core/messages.js';
import { hostFor } from './http-host.js';
import { HttpInbound } from './http-inbound.js';
import { type HttpTransportOptions, validate } from './http-options.js';
import { HttpServed, settingsOf, takesOrders } from './http-served.js';
import type { HttpParts } from './http-service.js';
import type { UpgradeHandler } from './http-upgrade.js';
import type { Receive, RequestOptions, Transport } from './transport.js';
import { dial } from './websocket-dial.js';
import { Handshake, type Introduced } from './websocket-handshake.js';
import { FRAME_BYTES, Link } from './websocket-link.js';
import { Links } from './websocket-links.js';
import { Taker } from './websocket-taker.js';

export type { HttpTlsOptions, HttpTransportOptions } from './http-options.js';

/** What the refusal of a message that is too large takes, at most. */
const LEAST_LIMIT_BYTES = 128;

/** The options of a {@link WebSocketTransport}: those of the http transport, and what connections need. */
export interface WebSocketTransportOptions extends HttpTransportOptions {
  /**
   * How often it is looked whether the other end of a connection is still there, in ms: an integer from 10. Who was silent
   * for two looks is pinged, and the connection ends if nothing comes until the next one.
   *
   * @default 1_000
   */
  readonly pingMs?: number;
}

/**
 * Carries requests over WebSockets (`ws`, an optional peer dependency): one connection for each pair of peers, over which
 * each asks the other, at `{path}/link`. A connection that ends is told at once, which `releaseOnDisconnect` lives on; the
 * next request makes a new one. Below `path` the same HTTP requests are answered as by `HttpTransport`, for people and
 * health checks.
 *
 * With a `secret` both ends prove that they know it when they connect, and each message proves that it was sent over this
 * connection, as the next one, by who knows it.
 */
export class WebSocketTransport extends HttpServed<Links> implements Transport {
  readonly #options: WebSocketTransportOptions;
  readonly #pingMs: number;
  /**
   * Takes a connection that asks for `{path}/link`, or returns false: `server.on('upgrade', transport.upgrade)`, for a
   * server that the transport was not given. Bound, so that it can be passed on.
   */
  readonly upgrade: UpgradeHandler;

  /** @throws RaftError `BAD_OPTION`, which names the option */
  constructor({ pingMs = 1_000, ...options }: WebSocketTransportOptions = {}) {
    validate(options);
    super(options.path ?? '/raft', takesOrders(options));
    if (!Number.isSafeInteger(pingMs) || pingMs < 10)
      throw new RaftError('BAD_OPTION', `pingMs: expected an integer from 10, got ${String(pingMs)}`);
    this.#options = options;
    this.#pingMs = pingMs;
    this.upgrade = this.service.upgrade;
  }

  /**
   * @throws RaftError `UNREACHABLE` with the `cause`; `ABORTED` when `signal` was, or the transport stopped;
   *   `BAD_REPLY` when something else than this peer answers; `UNAUTHORIZED` when the peer does not know the secret, or
   *   this one does not; `TOO_LARGE` when the request is; `NOT_RUNNING`
   */
  async request(to: string, request: RaftRequest, { signal }: RequestOptions): Promise<unknown> {
    return this.service.client.request(to, request, signal);
  }

  protected override assemble(local: string, receive: Receive): HttpParts<Links> {
    const { auth, address, tls, ui, ...settings } = settingsOf(this.#options);
    const bodyLimitBytes = Math.max(settings.bodyLimitBytes, LEAST_LIMIT_BYTES);
    const path = this.path;
    const process = randomBytes(8).toString('hex');
    const handshake = new Handshake(`${path}/link`, { ip: local, process }, auth);
    const linkOf =
      (isDialed: boolean) =>
      ({ peer, seal }: Introduced, socket: WebSocket): Link =>
        new Link(socket, { peer, seal, isDialed, bodyLimitBytes, pingMs: this.#pingMs, receive });
    const maxPayload = bodyLimitBytes + FRAME_BYTES;
    const dialing = { path: `${path}/link`, handshake, address, tls, maxPayload };
    const links = new Links(local, (to, signal) => dial(to, dialing, signal, linkOf(true)));
    const http = new HttpInbound({ path, bodyLimitBytes, auth, local, receive, ui });
    const taker = new Taker(handshake, maxPayload);
    return {
      client: links,
      inbound: {
        serve: (req, res, type) => http.serve(req, res, type),
        upgrade: (req, socket, head) =>
          taker.take(req, socket, head, (introduced, taken) => links.add(linkOf(false)(introduced, taken))),
        close: async () => void (await Promise.all([http.close(), links.end()])),
      },
      host: hostFor(this.#options, {
        path,
        local: address(local),
        handler: this.handler,
        upgrade: this.upgrade,
      }),
    };
  }
}
export type { UpgradeHandler } from './http-upgrade.js';
