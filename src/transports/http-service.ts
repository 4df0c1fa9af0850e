import type { IncomingMessage, ServerResponse } from 'node:http';
import { RaftError } from '../core/errors.js';
import type { HttpHost } from './http-host.js';
import { answerFor } from './http-inbound.js';
import { refuseUpgrade, type UpgradeHandler } from './http-upgrade.js';

/** Answers a request, or leaves it to `next`. */
export type RequestHandler = (
  req: IncomingMessage,
  res: ServerResponse,
  next?: (error?: unknown) => void,
) => void;

/** What runs between a start and a stop. */
export interface HttpParts<Client> {
  readonly client: Client;
  readonly inbound: {
    /** Answers a request for `type`, the part of its path below ours. */
    serve(req: IncomingMessage, res: ServerResponse, type: string): void;
    /** Takes a connection that asks to leave HTTP, at `link` below our path. */
    readonly upgrade?: (...args: Parameters<UpgradeHandler>) => void;
    /** Resolved when no answer is under way any more. */
    close(): Promise<void>;
  };
  readonly host: HttpHost | null;
}

/** Starts and stops what serves below one path, and finds the requests that are for it. */
export class HttpService<Client extends { close(): void }> {
  readonly #path: string;
  #running: HttpParts<Client> | null = null;
  /** The end of the last start or stop: they take turns, as the port is free only after the stop. */
  #turn: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** What asks others. @throws RaftError `NOT_RUNNING` */
  get client(): Client {
    if (this.#running === null) throw new RaftError('NOT_RUNNING', 'the transport does not run');
    return this.#running.client;
  }

  /** Answers the requests below the path, and leaves the others to `next`. */
  readonly handler: RequestHandler = (req, res, next) => {
    const type = this.#typeOf(req);
    if (type !== null && this.#running !== null) return this.#running.inbound.serve(req, res, type);
    if (type !== null)
      return answerFor(req, res, 503, { code: 'NOT_RUNNING', message: 'this peer does not run' });
    if (next !== undefined) return next();
    answerFor(req, res, 404, { code: 'BAD_REQUEST', message: `there is nothing but ${this.#path}` });
  };

  /** Takes the connections that ask to leave HTTP at `link` below the path. */
  readonly upgrade: UpgradeHandler = (req, socket, head) => {
    if (this.#typeOf(req) !== 'link') return false;
    if (this.#running === null)
      refuseUpgrade(socket, { code: 'NOT_RUNNING', message: 'this peer does not run' });
    else this.#running.inbound.upgrade?.(req, socket, head);
    return true;
  };

  /**
   * Starts what `assemble` makes.
   *
   * @throws RaftError `INVALID_STATE`, `ABORTED`, or what the host throws
   */
  async start(assemble: () => HttpParts<Client>): Promise<void> {
    if (this.#running !== null) throw new RaftError('INVALID_STATE', 'the transport was started before');
    const running = assemble();
    this.#running = running;
    const opened = this.#turn.then(() => running.host?.open());
    this.#turn = opened.catch(() => {});
    try {
      await opened;
    } catch (error) {
      if (this.#running === running) {
        this.#running = null;
        running.client.close();
        await running.inbound.close();
      }
      throw error;
    }
    if (this.#running !== running)
      throw new RaftError('ABORTED', 'the transport was stopped while it started');
  }

  /** Stops, after answers under way had a quarter of a second to leave; resolved when the port is free. */
  stop(): Promise<void> {
    const running = this.#running;
    this.#running = null;
    if (running !== null) this.#turn = this.#turn.then(() => shutDown(running));
    return this.#turn;
  }

  /** What follows our path, or null when the request is for somebody else. */
  #typeOf(req: IncomingMessage & { originalUrl?: string }): string | null {
    // Express cuts the prefix that a handler is mounted at off the url.
    const [pathname = ''] = (req.originalUrl ?? req.url ?? '').split('?', 1);
    if (pathname === this.#path) return '';
    return pathname.startsWith(`${this.#path}/`) ? pathname.slice(this.#path.length + 1) : null;
  }
}

async function shutDown({ host, client, inbound }: HttpParts<{ close(): void }>): Promise<void> {
  host?.retire();
  client.close();
  await inbound.close();
  await host?.close();
}
