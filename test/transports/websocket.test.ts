import { once } from 'node:events';
import * as http from 'node:http';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import type { RaftReply, RaftRequest } from '../../src/core/messages.js';
import type { Receive } from '../../src/transports/transport.js';
import { WebSocketTransport } from '../../src/transports/websocket.js';
import { answerPeer, cleanups, listening, PEER, rejection, SNAPSHOT, send, state } from './http-kit.js';
import { freeAddress } from './ports.js';
import { wayTo } from './way.js';
import { dialed, introduction, next, peer, peerBy } from './websocket-kit.js';

const HOLD: RaftRequest = { type: 'hold', ip: 'client', wait: true };

/** A receiver that never answers, and tells of each request. */
function silent() {
  const calls: { request: unknown; gone: AbortSignal | undefined }[] = [];
  let called = (): void => {};
  const receive: Receive = (request, _from, gone) => {
    calls.push({ request, gone });
    called();
    return new Promise(() => {});
  };
  const first = async () => {
    if (calls.length === 0)
      await new Promise<void>((resolve) => {
        called = resolve;
      });
    return calls[0] as (typeof calls)[number];
  };
  return { receive, first };
}

/** A receiver that keeps the requests. */
function counting() {
  const requests: unknown[] = [];
  const receive: Receive = (request, from) => {
    requests.push(request);
    return answerPeer(request, from);
  };
  return { receive, requests };
}

/** A server that counts the connections that leave HTTP. */
async function counted() {
  const server = http.createServer();
  let upgrades = 0;
  server.on('upgrade', () => upgrades++);
  const ip = await listening(server);
  return { server, ip, upgrades: () => upgrades };
}

async function mounted() {
  const { server, ip, upgrades } = await counted();
  const transport = new WebSocketTransport({ server });
  cleanups.push(() => transport.stop());
  await transport.start(ip, answerPeer);
  const ask = (to: string) => transport.request(to, PEER, { signal: AbortSignal.timeout(5_000) });
  return { ip, ask, upgrades, server, transport };
}

describe('A pair of peers', () => {
  test('asks each other over one connection, whoever dialed', async () => {
    const [a, b] = [await mounted(), await mounted()];
    expect(await a.ask(b.ip)).toEqual(SNAPSHOT);
    expect(await b.ask(a.ip)).toEqual(SNAPSHOT);
    expect([a.upgrades(), b.upgrades()]).toEqual([0, 1]);
  });

  test('that dialed each other at once keeps one connection', async () => {
    const [a, b] = [await mounted(), await mounted()];
    const countOf = ({ server }: { server: http.Server }): Promise<number> =>
      new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
    for (let round = 0; round < 50; round++) await Promise.all([a.ask(b.ip), b.ask(a.ip)]);
    while ((await countOf(a)) + (await countOf(b)) > 1) await Promise.all([a.ask(b.ip), b.ask(a.ip)]);
    expect(a.upgrades() + b.upgrades()).toBeLessThanOrEqual(2);
  });

  test('connects again after the connection was lost', async () => {
    const b = await peer();
    const { a, way } = await peerBy(b.ip);
    await a.ask(b.ip);
    way.cut();
    await expect.poll(() => a.ask(b.ip).catch(() => null)).toEqual(SNAPSHOT);
    expect(way.connections).toBe(2);
  });

  test('speaks over a new connection when one of them was started again', async () => {
    const [a, b] = [await peer(), await peer()];
    await a.ask(b.ip);
    await b.transport.stop();
    expect((await rejection(a.ask(b.ip))).code).toBe('UNREACHABLE');
    await b.transport.start(b.ip, answerPeer);
    await expect.poll(() => a.ask(b.ip).catch(() => null)).toEqual(SNAPSHOT);
    expect(await b.ask(a.ip)).toEqual(SNAPSHOT);
  });
});

describe('A request', () => {
  test('rejects at once when the connection is lost, not only at its deadline', async () => {
    const { receive, first } = silent();
    const b = await peer({}, receive);
    const { a, way } = await peerBy(b.ip);
    const asked = rejection(a.ask(b.ip));
    await first();
    way.cut();
    expect((await asked).code).toBe('UNREACHABLE');
  });

  test('rejects when the other end is silent, though the connection seems to be open', async () => {
    const { receive, first } = silent();
    const b = await peer({}, receive);
    const { a, way } = await peerBy(b.ip, { pingMs: 10 });
    const asked = rejection(a.ask(b.ip));
    await first();
    way.isHeld = true;
    expect((await asked).code).toBe('UNREACHABLE');
  });

  test('is waited for as long as the other end answers pings', async () => {
    const { receive, first } = silent();
    const b = await peer({}, receive);
    const a = await peer({ pingMs: 10 });
    const asked = rejection(a.ask(b.ip, PEER, AbortSignal.timeout(300)));
    await first();
    expect((await asked).code).toBe('ABORTED');
  });

  test('to a peer that cannot be reached does not dial each time', async () => {
    const target = await freeAddress();
    const way = await wayTo(target);
    const a = await peer({ listen: false, address: () => way.ip });
    for (let asked = 0; asked < 200; asked++)
      expect((await rejection(a.ask(target))).code).toBe('UNREACHABLE');
    expect(way.connections).toBeLessThan(100);
  });

  test('that waits for a connection is over when nobody waits for it any more', async () => {
    const deaf = await listening(http.createServer().on('upgrade', () => {}));
    const a = await peer({ listen: false, address: () => deaf });
    const asked = rejection(a.ask('b:1', PEER, AbortSignal.timeout(20)));
    expect((await asked).code).toBe('ABORTED');
  });

  test('to a peer that answers the call a byte at a time rejects when that takes too long', async () => {
    const calls = createTcpServer();
    const slow = await listening(calls);
    const a = await peer({ listen: false, address: () => slow });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const asked = rejection(a.ask('b:1'));
      const [socket] = (await once(calls, 'connection')) as [Socket];
      socket.write('HTTP/1.1 101 Switching Protocols\r\nx: ');
      const dripping = setInterval(() => socket.write('y'), 50);
      cleanups.push(() => clearInterval(dripping));
      await once(socket, 'data');
      vi.advanceTimersByTime(1_000);
      expect((await asked).code).toBe('UNREACHABLE');
      await once(socket, 'close');
    } finally {
      vi.useRealTimers();
    }
  });

  test('to an address that nobody can have is UNREACHABLE', async () => {
    const a = await peer();
    expect((await rejection(a.ask('b%zz:1'))).code).toBe('UNREACHABLE');
  });

  test('that is too large is not sent, and the connection stays', async () => {
    const b = await peer();
    const a = await peer({ bodyLimitBytes: 1_000 });
    const large = { ...HOLD, ip: 'ü'.repeat(600) };
    expect((await rejection(a.ask(b.ip, large))).code).toBe('TOO_LARGE');
    expect(await a.ask(b.ip)).toEqual(SNAPSHOT);
  });

  test('whose answer is too large is refused, and the connection stays', async () => {
    const large = { ...SNAPSHOT, voteFor: 'x'.repeat(1_000) };
    const answers: RaftReply[] = [large, SNAPSHOT];
    const b = await peer({ bodyLimitBytes: 1_000 }, async () => answers.shift() ?? SNAPSHOT);
    const a = await peer();
    expect(await a.ask(b.ip)).toMatchObject({ code: 'TOO_LARGE' });
    expect(await a.ask(b.ip)).toEqual(SNAPSHOT);
  });

  test('is refused, however small the limit and long the name of who asks', async () => {
    const large = { ...SNAPSHOT, voteFor: 'x'.repeat(1_000) };
    const b = await peer({ bodyLimitBytes: 1 }, async () => large);
    const { socket } = await dialed(b.ip, introduction(b.ip, 'x'.repeat(9_000)));
    socket.send(JSON.stringify({ q: Number.MIN_SAFE_INTEGER, m: PEER }));
    expect(await next(socket)).toMatchObject({ a: Number.MIN_SAFE_INTEGER, m: { code: 'TOO_LARGE' } });
  });

  test('at which the receiver rejects is refused as INTERNAL', async () => {
    const b = await peer({}, () => Promise.reject(new Error('broken')));
    const a = await peer();
    expect(await a.ask(b.ip)).toEqual({ code: 'INTERNAL', message: 'Error: broken' });
  });
});

test('An answer under way when the transport stops still comes, also over a connection that it dialed', async () => {
  const answers: ((reply: RaftReply) => void)[] = [];
  const a = await peer({}, () => new Promise((resolve) => answers.push(resolve)));
  const b = await peer();
  await a.ask(b.ip);
  const asked = b.ask(a.ip);
  await vi.waitUntil(() => answers.length > 0);
  const stopped = a.transport.stop();
  await turn();
  answers[0]?.(SNAPSHOT);
  expect(await asked).toEqual(SNAPSHOT);
  await stopped;
});

describe('The signal of a request to be held', () => {
  test('is aborted when the connection is lost', async () => {
    const { receive, first } = silent();
    const b = await peer({}, receive);
    const { a, way } = await peerBy(b.ip);
    const asked = rejection(a.ask(b.ip, HOLD));
    const { gone } = await first();
    expect(gone?.aborted).toBe(false);
    way.cut();
    await asked;
    if (gone?.aborted === false) await once(gone, 'abort');
  });

  test('is aborted when its asker waits no more, and the connection stays', async () => {
    const { receive, first } = silent();
    const b = await peer({}, receive);
    const a = await peer();
    const abort = new AbortController();
    const asked = rejection(a.ask(b.ip, HOLD, abort.signal));
    const { gone } = await first();
    abort.abort();
    expect((await asked).code).toBe('ABORTED');
    if (gone?.aborted === false) await once(gone, 'abort');
  });

  test('comes with no other request', async () => {
    const { receive, first } = silent();
    const b = await peer({}, receive);
    const a = await peer();
    void rejection(a.ask(b.ip));
    expect((await first()).gone).toBeUndefined();
  });
});

describe('A connection is refused', () => {
  test('to who does not introduce itself, as no web page can', async () => {
    const b = await peer();
    expect((await dialed(b.ip, {})).status).toBe(400);
    expect((await dialed(b.ip, { ...introduction(b.ip), 'x-raftbeat-ip': '%' })).status).toBe(400);
  });

  test('to who wants somebody else, and a request to the wrong address rejects', async () => {
    const b = await peer();
    expect((await dialed(b.ip, introduction('c:1'))).status).toBe(403);
    const a = await peer({ listen: false, address: () => b.ip });
    expect((await rejection(a.ask('c:1'))).code).toBe('BAD_REPLY');
  });

  test('when another peer than the one called answers for it', async () => {
    const server = http.createServer();
    const ip = await listening(server);
    const other = new WebSocketTransport({ server });
    cleanups.push(() => other.stop());
    await other.start('c:1', answerPeer);
    server.prependListener('upgrade', ({ headers }) => {
      headers['x-raftbeat-to'] = encodeURIComponent('c:1');
    });
    const a = await peer();
    expect((await rejection(a.ask(ip))).code).toBe('BAD_REPLY');
  });

  test('where nothing is to be upgraded to', async () => {
    const b = await peer();
    expect((await dialed(b.ip, introduction(b.ip), '/chat')).status).toBe(400);
    expect((await dialed(b.ip, introduction(b.ip), '/raft/peer')).status).toBe(400);
  });

  test('while the transport does not run', async () => {
    const transport = new WebSocketTransport({ listen: false });
    const ip = await listening(http.createServer().on('upgrade', transport.upgrade));
    expect((await dialed(ip, introduction(ip))).status).toBe(503);
  });
});

describe('A connection ends', () => {
  test.each([
    ['is not JSON', '{'],
    ['is no object', '7'],
    ['is null', 'null'],
    ['is binary', Buffer.from('{}')],
    ['is too large', `{"q":1,"m":"${'x'.repeat(2_000)}"}`],
  ])('with a message that %s', async (_, message) => {
    const b = await peer({ bodyLimitBytes: 1_000 });
    const { socket } = await dialed(b.ip, introduction(b.ip));
    socket.send(message);
    await once(socket, 'close');
  });

  test('and what comes after that message is not received', async () => {
    const { receive, requests } = counting();
    const b = await peer({}, receive);
    const { socket } = await dialed(b.ip, introduction(b.ip));
    socket.send('{');
    socket.send(JSON.stringify({ q: 1, m: PEER }));
    await once(socket, 'close');
    expect(requests).toEqual([]);
  });

  test('not with one that asks nothing and answers nothing, or that answers nobody', async () => {
    const b = await peer();
    const { socket } = await dialed(b.ip, introduction(b.ip));
    for (const frame of [{}, { q: 'x' }, { a: 7 }, { x: 7 }, { a: null, m: 1 }])
      socket.send(JSON.stringify(frame));
    socket.send(JSON.stringify({ q: 1, m: PEER }));
    expect(await next(socket)).toEqual({ a: 1, m: SNAPSHOT });
  });

  test('not when more is asked at a time than a peer asks: that is refused', async () => {
    const { receive } = silent();
    const b = await peer({}, receive);
    const { socket } = await dialed(b.ip, introduction(b.ip));
    for (let q = 0; q <= 1_000; q++) socket.send(JSON.stringify({ q, m: PEER }));
    expect(await next(socket)).toMatchObject({ a: 1_000, m: { code: 'BUSY' } });
    socket.send(JSON.stringify({ q: 7, m: PEER }));
    expect(await next(socket)).toMatchObject({ a: 7, m: { code: 'BUSY' } });
  });

  test('when the other end takes no answers any more', async () => {
    const large = { ...SNAPSHOT, voteFor: 'x'.repeat(900_000) };
    const b = await peer({}, async () => large);
    const { socket } = await dialed(b.ip, introduction(b.ip));
    socket.pause();
    for (let q = 0; q < 50; q++) socket.send(JSON.stringify({ q, m: PEER }));
    const a = await peer();
    await expect.poll(() => a.ask(b.ip)).toEqual(large);
    socket.resume();
    await once(socket, 'close');
  });
});

describe('The server', () => {
  test('answers the GET requests of people, too', async () => {
    const b = await peer({}, async () => state('b'));
    expect(await send(b.ip, '/raft/state')).toMatchObject({ status: 200, body: { leader: 'b' } });
  });

  test('of somebody else keeps what it upgrades, and is left as it was', async () => {
    const { server, ip, transport } = await mounted();
    const [counting] = server.listeners('upgrade');
    server.on('upgrade', (req, socket) => {
      if (req.url === '/chat') socket.end('HTTP/1.1 418 theirs\r\nconnection: close\r\n\r\n');
    });
    expect((await dialed(ip, introduction(ip), '/chat')).status).toBe(418);
    expect((await dialed(ip, introduction(ip))).status).toBe(101);
    await transport.stop();
    expect(server.listeners('upgrade')).toHaveLength(2);
    expect(server.listeners('upgrade')[0]).toBe(counting);
    expect(server.listening).toBe(true);
  });
});

test('Of several transports on one server each takes its own connections, and what is for none is refused', async () => {
  const server = http.createServer();
  const ip = await listening(server);
  for (const name of ['one', 'two']) {
    const transport = new WebSocketTransport({ server, path: `/${name}` });
    cleanups.push(() => transport.stop());
    await transport.start(name, answerPeer);
    expect((await dialed(ip, introduction(name), '/chat')).status).toBe(400);
  }
  for (const name of ['one', 'two'])
    expect((await dialed(ip, introduction(name), `/${name}/link`)).status).toBe(101);
});

describe('The option pingMs', () => {
  test.each([0, 9, 10.5, '10', null])('is refused as %s', (pingMs) => {
    expect(() => new WebSocketTransport({ pingMs } as never)).toThrow(
      expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringContaining('pingMs') }),
    );
  });
});
