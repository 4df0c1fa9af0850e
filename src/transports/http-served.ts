import { Server as TlsServer } from 'node:https';
import type { ErrorReply } from '../core/messages.js';
import { HttpAuth } from './http-auth.js';
import type { HttpTlsOptions, HttpTransportOptions } from './http-options.js';
import { type HttpParts, HttpService, type RequestHandler } from './http-service.js';
import type { Receive } from './transport.js';

/** What the options come to. */
export interface HttpSettings {
  readonly auth: HttpAuth | null;
  readonly bodyLimitBytes: number;
  readonly address: (ip: string) => string;
  readonly tls: HttpTlsOptions | null;
  /** Who may see the status page; null: nobody. */
  readonly ui: { readonly token: string | null } | null;
}

/** What the transports that are served over HTTP have in common. */
export abstract class HttpServed<Client extends { close(): void }> {
  /** What the paths of all requests begin with. */
  protected readonly path: string;
  /** @internal */
  protected readonly service: HttpService<Client>;
  /**
   * Answers the requests below `path`; others go to `next`, or get 404 without it. For Express:
   * `app.use(transport.handler)`; for a plain server: `createServer(transport.handler)`; for Fastify, in an `onRequest`
   * hook: `transport.handler(request.raw, reply.raw, done)`. Mount it before anything that reads bodies. Bound, so that
   * it can be passed on.
   */
  readonly handler: RequestHandler;

  /** Whether an order to resign is taken: whoever gives one moves the leadership. */
  readonly #takesOrders: boolean;

  constructor(path: string, takesOrders: boolean) {
    this.path = path;
    this.#takesOrders = takesOrders;
    this.service = new HttpService(path);
    this.handler = this.service.handler;
  }

  /**
   * Starts to serve. It can be started again after `stop`.
   *
   * @throws RaftError `UNREACHABLE` when it cannot listen, with the `cause`; `DUPLICATE_PEER` when another transport is
   *   mounted at this `path` of the `server`; `INVALID_STATE` when it was started before; `BAD_OPTION` when `local` is
   *   not an address
   */
  async start(local: string, receive: Receive): Promise<void> {
    const taken = this.#takesOrders ? receive : withoutOrders(receive);
    await this.service.start(() => this.assemble(local, taken));
  }

  /** Stops, after answers under way had a quarter of a second to leave; resolved when the port is free. */
  stop(): Promise<void> {
    return this.service.stop();
  }

  /** @internal */
  protected abstract assemble(local: string, receive: Receive): HttpParts<Client>;
}

const NO_ORDERS: ErrorReply = {
  code: 'UNAUTHORIZED',
  message: 'this peer takes orders to resign only with a secret, or with remoteResign: true',
};

/** Refuses orders to resign. */
function withoutOrders(receive: Receive): Receive {
  return (request, from, gone) =>
    isOrder(request) ? Promise.resolve(NO_ORDERS) : receive(request, from, gone);
}

function isOrder(request: unknown): boolean {
  return typeof request === 'object' && request !== null && 'type' in request && request.type === 'resign';
}

/** Whether orders to resign are taken, by the options. */
export function takesOrders({ secret, remoteResign = secret !== undefined }: HttpTransportOptions): boolean {
  return remoteResign;
}

/** Fills in what the options leave open. */
export function settingsOf(options: HttpTransportOptions, defaultLimitBytes = 1_048_576): HttpSettings {
  const { secret, authWindowMs = 30_000, bodyLimitBytes = defaultLimitBytes, server } = options;
  const { address = (ip: string): string => ip, ui = secret === undefined } = options;
  return {
    auth: secret === undefined ? null : new HttpAuth(secret, authWindowMs),
    bodyLimitBytes,
    address,
    tls: options.tls ?? (server instanceof TlsServer ? {} : null),
    ui: typeof ui === 'object' ? ui : ui ? { token: null } : null,
  };
}
