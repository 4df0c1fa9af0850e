import type { RaftRequest } from '../core/messages.js';
import { HttpClient } from './http-client.js';
import { hostFor } from './http-host.js';
import { HttpInbound } from './http-inbound.js';
import { type HttpTransportOptions, validate } from './http-options.js';
import { HttpServed, settingsOf, takesOrders } from './http-served.js';
import type { HttpParts } from './http-service.js';
import type { Receive, RequestOptions, Transport } from './transport.js';

export type { HttpTlsOptions, HttpTransportOptions } from './http-options.js';

/**
 * Carries requests over HTTP/1.1, with connections that are kept: as `POST {path}/{type}`, with JSON for a body.
 * `GET {path}/peer`, `/leader` and `/state` are for people and health checks; `/state` has the status 503 while no
 * leader is known, `{path}/ui` is the status page. `POST {path}/resign` has the leader hand over; see `remoteResign`.
 */
export class HttpTransport extends HttpServed<HttpClient> implements Transport {
  readonly #options: HttpTransportOptions;

  /** @throws RaftError `BAD_OPTION`, which names the option */
  constructor(options: HttpTransportOptions = {}) {
    validate(options);
    super(options.path ?? '/raft', takesOrders(options));
    this.#options = options;
  }

  /**
   * @throws RaftError `UNREACHABLE` with the `cause`; `ABORTED` when `signal` was, or the transport stopped;
   *   `BAD_REPLY` when something else than a peer answers, or too much; `UNAUTHORIZED` when the answer is not signed
   *   though there is a secret; `TOO_LARGE` when the request is; `NOT_RUNNING`
   */
  async request(to: string, request: RaftRequest, { signal }: RequestOptions): Promise<unknown> {
    return this.service.client.request(to, request, signal);
  }

  protected override assemble(local: string, receive: Receive): HttpParts<HttpClient> {
    const { auth, bodyLimitBytes, address, tls, ui } = settingsOf(this.#options);
    const shared = { path: this.path, bodyLimitBytes, auth };
    return {
      client: new HttpClient({ ...shared, address, tls }),
      inbound: new HttpInbound({ ...shared, local, receive, ui }),
      host: hostFor(this.#options, { path: this.path, local: address(local), handler: this.handler }),
    };
  }
}
export type { RequestHandler } from './http-service.js';
