import type { IncomingMessage } from 'node:http';
import { type ClientOptions, WebSocket } from 'ws';
import { RaftError } from '../core/errors.js';
import { aborted } from './conversation.js';
import type { HttpTlsOptions } from './http-options.js';
import { parseEndpoint } from './http-wire.js';
import type { Handshake, Introduced } from './websocket-handshake.js';

/** How long a connection may take, in ms: over a network that heals, a new attempt comes through before an old one. */
const CONNECT_MS = 1_000;

/** What it takes to call peers. */
export interface DialOptions {
  readonly path: string;
  readonly handshake: Handshake;
  readonly address: (ip: string) => string;
  readonly tls: HttpTlsOptions | null;
  /** The largest message, in bytes. */
  readonly maxPayload: number;
}

/**
 * Connects to the peer `to`; resolves with what `connected` makes of the connection as soon as it is open.
 *
 * @throws RaftError `UNREACHABLE`, `ABORTED`, `BAD_REPLY` (no peer answers, or another one), `UNAUTHORIZED`
 */
export async function dial<T>(
  to: string,
  { path, handshake, address, tls, maxPayload }: DialOptions,
  signal: AbortSignal,
  connected: (introduced: Introduced, socket: WebSocket) => T,
): Promise<T> {
  const endpoint = parseEndpoint(address(to));
  if (endpoint === null) throw new RaftError('UNREACHABLE', `${to} has no address host:port`, { ip: to });
  const { host, port } = endpoint;
  const { headers, taken } = handshake.call(to);
  const url = `${tls === null ? 'ws' : 'wss'}://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
  const options = { ...tls, headers, maxPayload, perMessageDeflate: false };
  return new Promise((resolve, reject) => {
    const socket = socketTo(to, url, options);
    const fail = (error: RaftError): void => {
      reject(error);
      socket.terminate();
    };
    const abort = (): void => fail(aborted(to, signal.reason));
    signal.addEventListener('abort', abort, { once: true });
    const slow = new Error(`it takes longer than ${CONNECT_MS} ms`);
    const late = setTimeout(() => fail(unreachable(to, slow)), CONNECT_MS);
    const settled = (): void => {
      signal.removeEventListener('abort', abort);
      clearTimeout(late);
    };
    socket.on('error', (cause) => fail(unreachable(to, cause)));
    socket.once('unexpected-response', (_request, answer) => fail(refused(to, answer)));
    socket.once('close', settled);
    socket.once('upgrade', (answer) => {
      try {
        const introduced = taken(answer);
        socket.once('open', () => {
          settled();
          resolve(connected(introduced, socket));
        });
      } catch (error) {
        fail(error as RaftError);
      }
    });
  });
}

/** @throws RaftError `UNREACHABLE` when there can be no such connection, as by the name of the host, or the certificates */
function socketTo(to: string, url: string, options: ClientOptions): WebSocket {
  try {
    return new WebSocket(url, options);
  } catch (cause) {
    throw unreachable(to, cause as Error);
  }
}

function unreachable(to: string, cause: Error): RaftError {
  return new RaftError('UNREACHABLE', `${to} cannot be reached: ${cause.message}`, { ip: to, cause });
}

/** What answers there does not take the call. */
function refused(to: string, { statusCode }: IncomingMessage): RaftError {
  if (statusCode === 401) return new RaftError('UNAUTHORIZED', `${to} does not know this secret`, { ip: to });
  if (statusCode === 503) return new RaftError('UNREACHABLE', `${to} does not run`, { ip: to });
  return new RaftError('BAD_REPLY', `what answers at ${to} is not this peer: status ${statusCode}`, {
    ip: to,
  });
}
