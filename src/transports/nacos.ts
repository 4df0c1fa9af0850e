import { Server as TlsServer } from 'node:https';
import { RaftError } from '../core/errors.js';
import type { RaftRequest } from '../core/messages.js';
import { HttpExchange } from './http-exchange.js';
import { hostFor } from './http-host.js';
import { type HttpTransportOptions, validate } from './http-options.js';
import { type HttpParts, HttpService, type RequestHandler } from './http-service.js';
import { NacosInbound } from './nacos-inbound.js';
import { readReply } from './nacos-replies.js';
import { writeRequest } from './nacos-requests.js';
import type { Receive, RequestOptions, Transport } from './transport.js';

export { NacosDatumFiles } from '../stores/nacos-files.js';

/** The options of a {@link NacosTransport}: those of `HttpTransport`, less what original peers do not know. */
export interface NacosTransportOptions
  extends Pick<HttpTransportOptions, 'server' | 'listen' | 'bind' | 'address' | 'tls'> {
  /**
   * What the paths of all requests begin with, as clients see it.
   *
   * @default '/nacos/v1/ns/raft'
   */
  readonly path?: string;

  /**
   * The largest body that is sent, or read, packed or not, in bytes: an integer from 1. A beat names every key.
   *
   * @default 16_777_216
   */
  readonly bodyLimitBytes?: number;
}

/**
 * Speaks as the peers of Nacos 1.x do, so that a node with `rules: 'nacos'` can share a cluster with them (protocol,
 * section 5). Nothing is signed: whoever reaches the port may take part, as in the original.
 *
 * Numbers in values are those of JavaScript: an integer beyond 2^53 loses digits on its way through a raftbeat peer.
 */
export class NacosTransport implements Transport {
  readonly #options: NacosTransportOptions;
  readonly #path: string;
  readonly #service: HttpService<HttpExchange>;
  /** Answers the requests below `path`, as `HttpTransport.handler` does. */
  readonly handler: RequestHandler;

  /** @throws RaftError `BAD_OPTION`, which names the option */
  constructor(options: NacosTransportOptions = {}) {
    if ('secret' in options) throw new RaftError('BAD_OPTION', 'secret: original peers know none');
    validate(options);
    this.#options = options;
    this.#path = options.path ?? '/nacos/v1/ns/raft';
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
   *   `BAD_REPLY` when something else than a peer answers, or too much; `TOO_LARGE` when the request is; `UNSUPPORTED`
   *   for what original peers know nothing of; `NOT_RUNNING`
   */
  async request(to: string, request: RaftRequest, { signal }: RequestOptions): Promise<unknown> {
    const exchange = this.#service.client;
    const { message, status, body } = await exchange.send(
      to,
      await writeRequest(this.#path, request),
      signal,
    );
    const type = message.headers['content-type'] ?? '';
    return readReply(request, { status, type, body: body.toString() });
  }

  /** Stops, after answers under way had a quarter of a second to leave; resolved when the port is free. */
  stop(): Promise<void> {
    return this.#service.stop();
  }

  #assemble(local: string, receive: Receive): HttpParts<HttpExchange> {
    const { bodyLimitBytes = 16_777_216, server } = this.#options;
    const { address = (ip: string): string => ip } = this.#options;
    const tls = this.#options.tls ?? (server instanceof TlsServer ? {} : null);
    return {
      client: new HttpExchange({ address, bodyLimitBytes, tls }),
      inbound: new NacosInbound({ bodyLimitBytes, receive }),
      host: hostFor(this.#options, { path: this.#path, local: address(local), handler: this.handler }),
    };
  }
}
