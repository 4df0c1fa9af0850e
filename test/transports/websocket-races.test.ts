import { once } from 'node:events';
import * as http from 'node:http';
import { describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { cleanups, listening, PEER, rejection, SNAPSHOT } from './http-kit.js';
import { dialed, introduction, next, peer } from './websocket-kit.js';

/** Names that come before and after any address; of two connections the one that the lesser name dialed stays. */
const LESSER = '!';
const GREATER = '~';

/** A peer that takes calls as `ip` and does nothing by itself, and one that knows where it is. */
async function handmade(ip: string) {
  const server = http.createServer();
  const taker = new WebSocketServer({ server, autoPong: false });
  taker.on('headers', (lines) => lines.push(`x-raftbeat-ip: ${ip}`, 'x-raftbeat-process: 1'));
  const address = await listening(server);
  const b = await peer({ pingMs: 60_000, address: (to) => (to === ip ? address : to) });
  /** What `b` asks first, over the connection that it dials. */
  const called = async () => {
    const [socket] = (await once(taker, 'connection')) as [WebSocket];
    return { socket, question: await next(socket) };
  };
  return { b, called, call: () => dialed(b.ip, introduction(b.ip, ip)) };
}

/** The next message, or that the connection is closed. */
function heard(socket: WebSocket): Promise<unknown> {
  return Promise.race([next(socket), once(socket, 'close').then(() => 'closed')]);
}

describe('When two peers dialed each other', () => {
  test('who took the better connection leaves the other one to who dialed it, who may not know of it yet', async () => {
    const { b, called, call } = await handmade(LESSER);
    const [{ socket }, asked] = await Promise.all([
      called().then((first) => {
        first.socket.send(JSON.stringify({ a: 0, m: SNAPSHOT }));
        return first;
      }),
      b.ask(LESSER),
    ]);
    expect(asked).toEqual(SNAPSHOT);
    socket.on('ping', (bearing) => socket.pong(bearing));
    expect((await call()).status).toBe(101);
    socket.ping();
    await once(socket, 'pong');
    socket.send(JSON.stringify({ q: 1, m: PEER }));
    expect(await heard(socket)).toEqual({ a: 1, m: SNAPSHOT });
  });

  test('who dialed the better connection ends the other one, when both know of it, after what was asked before', async () => {
    const { b, called } = await handmade(GREATER);
    void rejection(b.ask(GREATER));
    const { socket } = await called();
    const headers = introduction(b.ip, GREATER);
    const other = new WebSocket(`ws://${b.ip}/raft/link`, { headers, autoPong: false });
    cleanups.push(() => other.terminate());
    let pings = 0;
    other.on('ping', () => pings++);
    const [mark] = await once(socket, 'ping');
    other.send(JSON.stringify({ q: 1, m: PEER }));
    expect(await heard(other)).toEqual({ a: 1, m: SNAPSHOT });
    expect(pings).toBe(0);
    socket.pong(mark);
    const [bearing] = await once(other, 'ping');
    other.send(JSON.stringify({ q: 2, m: PEER }));
    other.pong(bearing);
    expect(await heard(other)).toEqual({ a: 2, m: SNAPSHOT });
    await once(other, 'close');
  });
});

test.each([LESSER, GREATER])('Who dials again (%s) has lost its former connection', async (ip) => {
  const { b, call } = await handmade(ip);
  const [first, second] = [await call(), await call()];
  const asked = b.ask(ip);
  const over = await Promise.race([
    next(first.socket).then(() => 'the first'),
    next(second.socket).then(() => 'the second'),
  ]);
  expect(over).toBe('the second');
  second.socket.send(JSON.stringify({ a: 0, m: SNAPSHOT }));
  expect(await asked).toEqual(SNAPSHOT);
});
