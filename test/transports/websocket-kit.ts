import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { RaftRequest } from '../../src/core/messages.js';
import type { Receive } from '../../src/transports/transport.js';
import { WebSocketTransport, type WebSocketTransportOptions } from '../../src/transports/websocket.js';
import { answerPeer, cleanups, PEER } from './http-kit.js';
import { freeAddress } from './ports.js';
import { wayTo } from './way.js';

/** A started transport that is stopped after the test, and its address. */
export async function peer(options: WebSocketTransportOptions = {}, receive: Receive = answerPeer) {
  const ip = await freeAddress();
  const transport = new WebSocketTransport(options);
  cleanups.push(() => transport.stop());
  await transport.start(ip, receive);
  const ask = (to: string, request: RaftRequest = PEER, signal = AbortSignal.timeout(5_000)) =>
    transport.request(to, request, { signal });
  return { ip, transport, ask };
}

/** A peer that reaches `target` by a way. */
export async function peerBy(target: string, options: WebSocketTransportOptions = {}) {
  const way = await wayTo(target);
  const a = await peer({ ...options, address: (ip) => (ip === target ? way.ip : ip) });
  return { a, way };
}

/** The headers by which a peer introduces itself. */
export function introduction(to: string, ip = 'stranger'): Record<string, string> {
  return { 'x-raftbeat-ip': ip, 'x-raftbeat-process': '1', 'x-raftbeat-to': encodeURIComponent(to) };
}

/** A connection by hand, open or refused: then with the status. */
export async function dialed(ip: string, headers: Record<string, string>, path = '/raft/link') {
  const socket = new WebSocket(`ws://${ip}${path}`, { headers });
  cleanups.push(() => socket.terminate());
  socket.on('error', () => {});
  const refused = new Promise<number>((resolve) =>
    socket.once('unexpected-response', (_, { statusCode = 0 }) => resolve(statusCode)),
  );
  const status = await Promise.race([once(socket, 'open').then(() => 101), refused]);
  return { socket, status };
}

/** The next message of a connection. */
export async function next(socket: WebSocket): Promise<unknown> {
  const [data] = await once(socket, 'message');
  return JSON.parse(String(data));
}
