import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import { type AddressInfo, connect, type Socket, type Server as TcpServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, vi } from 'vitest';
import type { RaftError } from '../../src/core/errors.js';
import type { RaftReply, RaftRequest, StateReply } from '../../src/core/messages.js';
import type { PeerSnapshot } from '../../src/core/peer.js';
import { HttpTransport, type HttpTransportOptions } from '../../src/transports/http.js';
import type { Receive } from '../../src/transports/transport.js';
import { freeAddress } from './ports.js';

export const TYPE = 'application/vnd.raftbeat+json';
export const SECRET = 'a secret of some length';
export const PEER: RaftRequest = { type: 'peer', id: 5 };
export const SNAPSHOT: PeerSnapshot = {
  ip: 'b',
  state: 'FOLLOWER',
  term: 3,
  voteFor: null,
  leaderDueMs: 1500,
  heartbeatDueMs: 0,
};

/** What is undone after the test, the last first. */
export const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  vi.restoreAllMocks();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export const answerPeer: Receive = async () => SNAPSHOT;

/** A started transport that is stopped after the test, and its identity, which is its address unless it is told. */
export async function serve(
  options: HttpTransportOptions = {},
  receive: Receive = answerPeer,
  name?: string,
): Promise<{ transport: HttpTransport; ip: string }> {
  const ip = name ?? (await freeAddress());
  const transport = new HttpTransport(options);
  cleanups.push(() => transport.stop());
  await transport.start(ip, receive);
  return { transport, ip };
}

/** A started transport that only asks. */
export async function client(options: HttpTransportOptions = {}): Promise<HttpTransport> {
  const transport = new HttpTransport({ listen: false, ...options });
  cleanups.push(() => transport.stop());
  await transport.start('client', answerPeer);
  return transport;
}

export function ask(transport: HttpTransport, to: string, request: RaftRequest = PEER): Promise<unknown> {
  return transport.request(to, request, { signal: AbortSignal.timeout(5_000) });
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  readonly body: RaftReply & { readonly code?: string; readonly message?: string };
}

export interface Sent extends http.RequestOptions {
  readonly body?: string | Buffer;
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** A request by hand, over a connection of its own. */
export function send(ip: string, path: string, { body, ...options }: Sent = {}): Promise<Answer> {
  const [host, port] = ip.split(':');
  const { request } = options.ca === undefined ? http : https;
  return new Promise((resolve, reject) => {
    const outgoing = request({ host, port, path, agent: false, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk)).on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = /json/.test(response.headers['content-type'] ?? '') && text !== '';
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          body: isJson ? JSON.parse(text) : {},
        });
      });
    });
    outgoing.on('error', reject).end(body);
  });
}

export function post(
  ip: string,
  type: string,
  body: unknown,
  headers: http.OutgoingHttpHeaders = {},
): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return send(ip, `/raft/${type}`, {
    method: 'POST',
    headers: { 'content-type': TYPE, ...headers },
    body: text,
  });
}

/** A server that is closed after the test. */
export async function listening(server: TcpServer): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A peer that answers whatever `answer` says. */
export function impostor(
  answer: (req: http.IncomingMessage, res: http.ServerResponse) => void,
): Promise<string> {
  return listening(http.createServer((req, res) => req.resume().on('end', () => answer(req, res))));
}

export async function rejection(promise: Promise<unknown>): Promise<RaftError> {
  const [outcome] = await Promise.allSettled([promise]);
  if (outcome.status === 'fulfilled') throw new Error(`resolved with ${JSON.stringify(outcome.value)}`);
  return outcome.reason;
}

/** Resolves when the socket was closed by the other side, with what came before. */
export function received(socket: Duplex): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => {});
  return new Promise((resolve) => socket.on('close', () => resolve(text)));
}

export function dial(ip: string): Socket {
  const [host, port] = ip.split(':');
  const socket = connect(Number(port), host);
  socket.on('error', () => {});
  cleanups.push(() => socket.destroy());
  return socket;
}

export function state(leader: string | null): StateReply {
  return {
    ip: 'b',
    state: 'FOLLOWER',
    term: 3,
    leader,
    isLeader: false,
    rejoining: false,
    peers: [SNAPSHOT],
  };
}

/** A file of the fixtures. */
export function pem(name: string): Buffer {
  return readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url));
}

/** The certificate of a member, and the authority that signed it. */
export function member(): { ca: Buffer; key: Buffer; cert: Buffer } {
  return { ca: pem('ca.crt'), key: pem('server.key'), cert: pem('server.crt') };
}
