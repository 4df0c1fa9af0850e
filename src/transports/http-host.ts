import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer, type Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { RaftError } from '../core/errors.js';
import { CLIENT_IDLE_MS } from './http-exchange.js';
import type { HttpTransportOptions } from './http-options.js';
import { refuseUpgrade, type UpgradeHandler } from './http-upgrade.js';
import { type Endpoint, parseEndpoint } from './http-wire.js';

/** How long a client may take to send a request, or to shake hands, in ms: a beat is a few hundred bytes. */
const SLOW_CLIENT_MS = 5_000;

/** A server that requests come in by. */
export interface HttpHost {
  open(): Promise<void>;
  /** Takes no more requests. */
  retire(): void;
  /** Lets go of everything; resolved when the port is free. */
  close(): Promise<void>;
}

/** What a host serves, and for whom. */
export interface HttpServed {
  readonly path: string;
  /** The address of the local peer. */
  readonly local: string;
  readonly handler: HttpHandler;
  /** Takes connections that leave HTTP. */
  readonly upgrade?: UpgradeHandler;
}

/** Where requests come in, by the options; null where only a handler is mounted somewhere. */
export function hostFor(
  { server, listen = server === undefined, bind, tls }: HostOptions,
  { path, local, handler, upgrade }: HttpServed,
): HttpHost | null {
  if (server !== undefined) return new ServerMount(server, path, handler, upgrade);
  if (!listen) return null;
  const own: Partial<Endpoint> = { ...parseEndpoint(local), ...bind };
  if (own.host === undefined || own.port === undefined) {
    throw new RaftError('BAD_OPTION', `ip: expected host:port, or see address and bind; got '${local}'`);
  }
  return new OwnServer({ host: own.host, port: own.port }, tls ?? null, handler, upgrade);
}

type HostOptions = Pick<HttpTransportOptions, 'server' | 'listen' | 'bind' | 'tls'>;

/** A server of our own. */
export class OwnServer implements HttpHost {
  readonly #endpoint: Endpoint;
  readonly #server: Server | TlsServer;
  /** All connections, also those that have not shaken hands yet, which the server does not know. */
  readonly #sockets = new Set<Socket>();
  #closed: Promise<void> = Promise.resolve();

  constructor(
    endpoint: Endpoint,
    tls: TlsOptions | null,
    handler: RequestListener,
    upgrade: UpgradeHandler | null = null,
  ) {
    this.#endpoint = endpoint;
    const limits = {
      headersTimeout: SLOW_CLIENT_MS,
      requestTimeout: SLOW_CLIENT_MS,
      connectionsCheckingInterval: 1_000,
      keepAliveTimeout: 2 * CLIENT_IDLE_MS,
    };
    this.#server =
      tls === null
        ? createHttpServer(limits, handler)
        : createHttpsServer({ handshakeTimeout: SLOW_CLIENT_MS, ...tls, ...limits }, handler);
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    if (upgrade !== null) this.#server.on('upgrade', orRefused(this.#server, upgrade));
  }

  open(): Promise<void> {
    const { host, port } = this.#endpoint;
    return new Promise((resolve, reject) => {
      // The listener stays: what fails later is one connection that could not be accepted, and peers ask again.
      this.#server.on('error', (cause) => {
        reject(new RaftError('UNREACHABLE', `cannot listen at ${host}:${port}: ${cause.message}`, { cause }));
      });
      // Exclusive, as the workers of a node:cluster would share the port otherwise: one of them is the peer.
      this.#server.listen({ host, port, exclusive: true }, resolve);
    });
  }

  retire(): void {
    this.#closed = new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await this.#closed;
  }
}

/** A place before the request listeners of somebody else's server, for the requests below one path. */
export class ServerMount implements HttpHost {
  readonly #server: Server | TlsServer;
  readonly #path: string;
  readonly #mounted: Mounted;

  constructor(
    server: Server | TlsServer,
    path: string,
    handler: HttpHandler,
    upgrade: UpgradeHandler | null = null,
  ) {
    this.#server = server;
    this.#path = path;
    this.#mounted = { handler, upgrade };
  }

  async open(): Promise<void> {
    const door = doors.get(this.#server) ?? new FrontDoor(this.#server);
    door.add(this.#path, this.#mounted);
    doors.set(this.#server, door);
  }

  retire(): void {
    const door = doors.get(this.#server);
    if (door?.remove(this.#path, this.#mounted)) doors.delete(this.#server);
  }

  async close(): Promise<void> {}
}

/** What `upgrade` does not take is refused, if nobody else listens. */
function orRefused(server: Server | TlsServer, upgrade: UpgradeHandler) {
  return (...args: Parameters<UpgradeHandler>): void => {
    if (upgrade(...args) || server.listenerCount('upgrade') > 1) return;
    refuseUpgrade(args[1], { code: 'BAD_REQUEST', message: 'there is nothing to upgrade to' });
  };
}

/** Answers a request, or gives it to `next`. */
export type HttpHandler = (...args: [...Parameters<RequestListener>, next?: () => void]) => void;

/** What is behind a door. */
interface Mounted {
  readonly handler: HttpHandler;
  readonly upgrade: UpgradeHandler | null;
}

/** One door a server, as several transports may be mounted on it and leave it in any order. */
const doors = new WeakMap<Server | TlsServer, FrontDoor>();

class FrontDoor {
  readonly #server: Server | TlsServer;
  readonly #mounted = new Map<string, Mounted>();
  /** One for all that is mounted: each of several would leave what is for nobody to the others. */
  readonly #onUpgrade: ReturnType<typeof orRefused>;
  /** The listeners that were there, and that came later. */
  #theirs: RequestListener[] = [];

  constructor(server: Server | TlsServer) {
    this.#server = server;
    this.#onUpgrade = orRefused(server, (...args) =>
      [...this.#mounted.values()].some(({ upgrade }) => upgrade?.(...args)),
    );
    this.#takeOver();
    server.on('newListener', this.#onNewListener);
  }

  add(path: string, mounted: Mounted): void {
    if (this.#mounted.has(path)) {
      throw new RaftError('DUPLICATE_PEER', `another transport is mounted at ${path} of this server`);
    }
    this.#mounted.set(path, mounted);
    this.#listenForUpgrades();
  }

  /** Whether nothing is left behind this door, and the server is as it was. */
  remove(path: string, mounted: Mounted): boolean {
    if (this.#mounted.get(path) === mounted) this.#mounted.delete(path);
    this.#listenForUpgrades();
    if (this.#mounted.size > 0) return false;
    this.#server.off('newListener', this.#onNewListener).off('request', this.#onRequest);
    for (const listener of this.#theirs) this.#server.on('request', listener);
    this.#theirs = [];
    return true;
  }

  /** A server without a listener for them answers such requests as any other. */
  #listenForUpgrades(): void {
    this.#server.off('upgrade', this.#onUpgrade);
    const takesAny = [...this.#mounted.values()].some(({ upgrade }) => upgrade !== null);
    if (takesAny) this.#server.on('upgrade', this.#onUpgrade);
  }

  /** Takes the place of the listeners: a server calls all of them for each request, and they would answer ours. */
  #takeOver(): void {
    const theirs = this.#server.rawListeners('request').filter((listener) => listener !== this.#onRequest);
    this.#theirs.push(...(theirs as RequestListener[]));
    this.#server.removeAllListeners('request').on('request', this.#onRequest);
  }

  #call(listener: RequestListener, ...args: Parameters<RequestListener>): void {
    // What was added with once() is a wrapper that takes itself off the server, but here it is not on the server.
    if ('listener' in listener) this.#theirs = this.#theirs.filter((other) => other !== listener);
    listener.apply(this.#server, args);
  }

  readonly #onNewListener = (event: string | symbol, listener: unknown): void => {
    if (event !== 'request' || listener === this.#onRequest) return;
    queueMicrotask(() => {
      if (this.#mounted.size > 0) this.#takeOver();
    });
  };

  readonly #onRequest: RequestListener = (req, res) => {
    const theirs = (): void => {
      for (const listener of [...this.#theirs]) this.#call(listener, req, res);
    };
    let next = this.#theirs.length > 0 ? theirs : undefined;
    for (const { handler } of this.#mounted.values()) {
      const then = next;
      next = () => handler(req, res, then);
    }
    next?.();
  };
}
