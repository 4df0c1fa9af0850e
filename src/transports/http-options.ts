import type { Server } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import { RaftError } from '../core/errors.js';

/** The options of an `HttpTransport`. */
export interface HttpTransportOptions {
  /**
   * What the paths of all requests begin with, as clients see it. The same for all members.
   *
   * @default '/raft'
   */
  readonly path?: string;

  /**
   * A server to be mounted on, listening or not yet: what is below `path` is answered, everything else goes to the
   * server's own request listeners. It is never closed. Its `keepAliveTimeout` (Node: 5 s) should be longer than the
   * interval of the heartbeats, so that connections are kept between them.
   *
   * @default a server of its own
   */
  readonly server?: Server | TlsServer;

  /**
   * Whether to listen with a server of its own. Without one, and without `server`, requests are only answered where
   * you mount `transport.handler`.
   *
   * @default true, or false with `server`
   */
  readonly listen?: boolean;

  /**
   * Where the server of its own listens, if not at the peer's address: for containers and port mappings.
   *
   * @default what `address` says of the local peer
   */
  readonly bind?: {
    /** A local address, such as `0.0.0.0`. */
    readonly host?: string;
    /** An integer from 1 to 65535. */
    readonly port?: number;
  };

  /**
   * Where a peer is reached, as `host:port` or `[v6]:port`, for identities that are not addresses.
   *
   * @default the identity itself
   */
  readonly address?: (ip: string) => string;

  /**
   * A secret that all members share, of at least 16 characters. Requests between peers, and their answers, are then
   * signed (HMAC-SHA256 over method, path, addressee, time, nonce and body), not encrypted; each is accepted once, and
   * only while it is fresh. The `GET` endpoints, but for the status page (`ui`), stay open: they change nothing, but tell
   * who the members are and who leads. To hide these, or to encrypt, use `tls` with `requestCert`.
   *
   * @default none: whoever reaches the port may take part
   */
  readonly secret?: string;

  /**
   * Whether `POST {path}/resign` is obeyed, by which an operator has the leader hand over (`npx raftbeat resign`): signed,
   * if there is a secret. Without one whoever reaches the port can move the leadership; of use with `tls.requestCert`.
   *
   * @default true with `secret`, else false
   */
  readonly remoteResign?: boolean;

  /**
   * Whether `GET {path}/ui` is a status page, of this peer and what it knows of the others; with a token only for those who
   * bring it, as `Authorization: Bearer ...` or `?token=...`: at least 16 characters.
   *
   * @default true without a `secret`, false with one
   */
  readonly ui?: boolean | { readonly token: string };

  /**
   * How far the time of a signed request may be from the local clock, either way, in ms: an integer from 1. A member
   * whose clock is further away than this from the others' cannot take part.
   *
   * @default 30_000
   */
  readonly authWindowMs?: number;

  /**
   * The largest body that is sent, or read, in bytes: an integer from 1.
   *
   * @default 1_048_576
   */
  readonly bodyLimitBytes?: number;

  /**
   * Speaks https, with this key and certificate as a server and as a client, and with this `ca` (else Node's) for the
   * certificates of others. With `requestCert` only clients with such a certificate are served (mTLS), `GET` included.
   * With `server`, or without `listen`, it concerns the client only.
   *
   * @default none: http, or https with Node's authorities if `server` is an https server
   */
  readonly tls?: HttpTlsOptions;
}

/** What the transport hands on to `node:tls`. */
export interface HttpTlsOptions extends SecureContextOptions {
  /**
   * Whether clients are asked for a certificate.
   *
   * @default false
   */
  readonly requestCert?: boolean;

  /**
   * Whether a certificate that no known authority signed is refused, be it a client's or a server's.
   *
   * @default true
   */
  readonly rejectUnauthorized?: boolean;
}

/** @throws RaftError `BAD_OPTION`, which names the option */
export function validate(options: HttpTransportOptions): void {
  const { path, listen, bind, secret, server, tls, address } = options;
  expect('path', path, isPath, "a path such as '/raft', without a slash at its end");
  expect('address', address, (it) => typeof it === 'function', 'a function');
  expect(
    'secret',
    secret,
    (it) => typeof it === 'string' && it.length >= 16,
    'at least 16 characters',
    false,
  );
  expect('remoteResign', options.remoteResign, (it) => typeof it === 'boolean', 'a boolean');
  expect('ui', options.ui, isUi, 'true, false, or { token } of at least 16 characters', false);
  expect('authWindowMs', options.authWindowMs, isInteger(1), 'an integer from 1');
  expect('bodyLimitBytes', options.bodyLimitBytes, isInteger(1), 'an integer from 1');
  expect('bind.port', bind?.port, isInteger(1, 65_535), 'an integer from 1 to 65535');
  expect('bind.host', bind?.host, (it) => typeof it === 'string' && it !== '', 'a host');
  expect(
    'server',
    server,
    (it) => typeof it?.listeners === 'function',
    'a server of node:http or node:https',
  );
  expect('listen', listen, (it) => typeof it === 'boolean', 'a boolean');
  const isOwn = listen ?? server === undefined;
  if (isOwn && server !== undefined) throw bad('listen', 'expected false, as a server is given');
  if (!isOwn && bind !== undefined) throw bad('bind', 'there is no server of its own to listen');
  expect('tls', tls, (it) => typeof it === 'object' && it !== null, 'an object');
  const isWhole =
    tls === undefined || tls.pfx !== undefined || (tls.key !== undefined && tls.cert !== undefined);
  if (isOwn && !isWhole) throw bad('tls', 'expected a key and a cert, as it listens');
}

function isPath(path: string): boolean {
  return typeof path === 'string' && /^(?:\/[\w.~-]+)+$/.test(path);
}

function isUi(ui: NonNullable<HttpTransportOptions['ui']>): boolean {
  if (typeof ui === 'boolean') return true;
  return typeof ui?.token === 'string' && ui.token.length >= 16;
}

function isInteger(least: number, most: number = Number.MAX_SAFE_INTEGER): (value: number) => boolean {
  return (value) => Number.isSafeInteger(value) && value >= least && value <= most;
}

function expect<T>(
  name: string,
  value: T | undefined,
  isRight: (value: T) => boolean,
  what: string,
  isShown = true,
): void {
  if (value === undefined || isRight(value)) return;
  throw bad(name, isShown ? `expected ${what}, got ${String(value)}` : `expected ${what}`);
}

function bad(name: string, what: string): RaftError {
  return new RaftError('BAD_OPTION', `${name}: ${what}`);
}
