import { RaftError } from '../core/errors.js';
import type { RaftRequest } from '../core/messages.js';
import { HttpExchange } from './http-exchange.js';
import { hostFor } from './http-host.js';
import { type HttpTransportOptions, validate } from './http-options.js';
import { HttpServed, settingsOf } from './http-served.js';
import type { HttpParts } from './http-service.js';
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
export class NacosTransport extends HttpServed<HttpExchange> implements Transport {
  readonly #options: NacosTransportOptions;

  /** @throws RaftError `BAD_OPTION`, which names the option */
  constructor(options: NacosTransportOptions = {}) {
    if ('secret' in options) throw new RaftError('BAD_OPTION', 'secret: original peers know none');
    validate(options);
    super(options.path ?? '/nacos/v1/ns/raft', false);
    this.#options = options;
  }

  /**
   * @throws RaftError `UNREACHABLE` with the `cause`; `ABORTED` when `signal` was, or the transport stopped;
   *   `BAD_REPLY` when something else than a peer answers, or too much; `TOO_LARGE` when the request is; `UNSUPPORTED`
   *   for what original peers know nothing of; `NOT_RUNNING`
   */
  async request(to: string, request: RaftRequest, { signal }: RequestOptions): Promise<unknown> {
    const exchange = this.service.client;
    const { message, status, body } = await exchange.send(to, await writeRequest(this.path, request), signal);
    const type = message.headers['content-type'] ?? '';
    return readReply(request, { status, type, body: body.toString() });
  }

  protected override assemble(local: string, receive: Receive): HttpParts<HttpExchange> {
    const { bodyLimitBytes, address, tls } = settingsOf(this.#options, 16_777_216);
    return {
      client: new HttpExchange({ address, bodyLimitBytes, tls }),
      inbound: new NacosInbound({ bodyLimitBytes, receive }),
      host: hostFor(this.#options, { path: this.path, local: address(local), handler: this.handler }),
    };
  }
}
