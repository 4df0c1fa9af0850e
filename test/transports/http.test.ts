import { EventEmitter, once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { HttpTransport } from '../../src/transports/http.js';
import { CLIENT_IDLE_MS } from '../../src/transports/http-exchange.js';
import type { Receive } from '../../src/transports/transport.js';
import {
  answerPeer,
  ask,
  client,
  dial,
  impostor,
  listening,
  member,
  PEER,
  pem,
  post,
  received,
  rejection,
  SNAPSHOT,
  send,
  serve,
  state,
  TYPE,
} from './http-kit.js';
import { freeAddress } from './ports.js';

describe('A request between peers', () => {
  test('is a POST of the request to path/type, with a media type of its own', async () => {
    const seen: unknown[] = [];
    const ip = await listening(
      http.createServer(async (req, res) => {
        const body = JSON.parse((await req.toArray()).join(''));
        seen.push([req.method, req.url, req.headers['content-type'], body]);
        res.setHeader('content-type', TYPE).end('{}');
      }),
    );
    await ask(await client({ path: '/deep/raft' }), ip);
    expect(seen).toEqual([['POST', '/deep/raft/peer', TYPE, PEER]]);
  });

  test('is answered with 200, JSON and that media type', async () => {
    const { ip } = await serve();
    const { status, headers, body } = await post(ip, 'peer', PEER);
    expect([status, headers['content-type'], body]).toEqual([200, TYPE, SNAPSHOT]);
  });

  test.each([
    ['BAD_REQUEST', 400],
    ['UNAUTHORIZED', 401],
    ['UNKNOWN_PEER', 403],
    ['OUT_OF_DATE', 409],
    ['CONFLICTING_LEADER', 409],
    ['TOO_LARGE', 413],
    ['NOT_A_VOTER', 400],
    ['INTERNAL', 500],
    ['REJOINING', 503],
    ['NOT_RUNNING', 503],
  ] as const)(
    'that is refused with %s is answered with %i, and the refusal is what the asker gets',
    async (code, status) => {
      const refusal = { code, message: 'no', term: 9 };
      const { ip } = await serve({}, async () => refusal);
      expect((await post(ip, 'peer', PEER)).status).toBe(status);
      expect(await ask(await client(), ip)).toEqual(refusal);
    },
  );

  test('is refused with a status for every code, known or not', async () => {
    const { ip } = await serve({}, async () => ({ code: 'toString' as 'INTERNAL', message: '' }));
    expect((await post(ip, 'peer', PEER)).status).toBe(500);
  });

  test('that is not JSON, or of another type than its path, is refused', async () => {
    const { ip } = await serve();
    for (const body of ['{', '', 'null', '"peer"', '[]', '{"type":"beat"}', '{}']) {
      const answer = await post(ip, 'peer', body);
      expect([answer.status, answer.body.code], body).toEqual([400, 'BAD_REQUEST']);
    }
  });

  test.each(['application/json', 'text/plain', undefined])(
    'of the media type %s is refused, so that a web page cannot send it',
    async (type) => {
      const receive = vi.fn(answerPeer);
      const { ip } = await serve({}, receive);
      const headers = type === undefined ? {} : { 'content-type': type };
      const answer = await send(ip, '/raft/peer', { method: 'POST', headers, body: JSON.stringify(PEER) });
      expect([answer.status, answer.body.message]).toEqual([415, `content-type: expected ${TYPE}`]);
      expect(receive).not.toHaveBeenCalled();
    },
  );

  test('names its sender by address and port, for logs', async () => {
    const receive = vi.fn(answerPeer);
    const { ip } = await serve({}, receive);
    await ask(await client(), ip);
    expect(receive.mock.calls[0]?.[1]).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  test('may be cut within a character', async () => {
    const receive = vi.fn(answerPeer);
    const { ip } = await serve({}, receive);
    const body = Buffer.from(JSON.stringify({ type: 'peer', name: '节点' }));
    const at = body.indexOf(0xe8);
    const socket = dial(ip);
    const answer = received(socket);
    const head = `POST /raft/peer HTTP/1.1\r\nHost: b\r\nConnection: close\r\nContent-Type: ${TYPE}\r\n`;
    socket.write(`${head}Content-Length: ${body.length}\r\n\r\n`);
    socket.write(body.subarray(0, at + 1));
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.write(body.subarray(at + 1));
    expect(await answer).toMatch(/^HTTP\/1.1 200/);
    expect(receive.mock.calls[0]?.[0]).toEqual({ type: 'peer', name: '节点' });
  });

  test('one after the other use one connection', async () => {
    const server = http.createServer();
    const connections = vi.fn();
    server.on('connection', connections);
    const ip = await listening(server);
    await serve({ server }, answerPeer, ip);
    const asker = await client();
    for (let count = 0; count < 20; count++) await ask(asker, ip);
    expect(connections).toHaveBeenCalledTimes(1);
  });

  test('one after the other use one connection also over https, and when they are refused', async () => {
    const server = https.createServer(member());
    const connections = vi.fn();
    server.on('connection', connections);
    const ip = await listening(server);
    await serve({ server }, async () => ({ code: 'REJOINING', message: '' }), ip);
    const asker = await client({ tls: { ca: pem('ca.crt') } });
    for (let count = 0; count < 20; count++) await ask(asker, ip);
    expect(connections).toHaveBeenCalledTimes(1);
  });

  test('finds its connection alive: the server keeps it for longer than the client', async () => {
    const { ip } = await serve();
    const agent = new http.Agent({ keepAlive: true });
    const { headers } = await send(ip, '/raft/peer', { agent });
    agent.destroy();
    expect(headers['keep-alive']).toBe(`timeout=${(2 * CLIENT_IDLE_MS) / 1_000}`);
  });

  test('goes where the option address says', async () => {
    const ip = await freeAddress();
    await serve({ address: () => ip }, answerPeer, 'b');
    const asker = await client({ address: (name) => (name === 'b' ? ip : 'nowhere') });
    expect(await ask(asker, 'b')).toEqual(SNAPSHOT);
    expect(await rejection(ask(asker, 'c'))).toMatchObject({ code: 'UNREACHABLE', ip: 'c' });
  });
});

describe('A request fails', () => {
  test('with UNREACHABLE and the cause where nobody listens', async () => {
    const error = await rejection(ask(await client(), await freeAddress()));
    expect(error).toMatchObject({ code: 'UNREACHABLE', cause: { code: 'ECONNREFUSED' } });
  });

  test('with UNREACHABLE when the connection is closed before the answer, or within it', async () => {
    const closed = await listening(createTcpServer((socket) => socket.on('error', () => {}).end()));
    const cut = await impostor((_, res) => {
      res.setHeader('content-type', TYPE).setHeader('content-length', 100);
      res.write('{', () => res.destroy());
    });
    const asker = await client();
    for (const ip of [closed, cut]) {
      expect(await rejection(ask(asker, ip))).toMatchObject({
        code: 'UNREACHABLE',
        ip,
        cause: expect.any(Error),
      });
    }
  });

  test.each(['', 'b', 'b:', 'b:0', 'b:70000', 'b:1/x', 'u@b:1', ':1', 'http://b:1', 'b:1:2'])(
    "with UNREACHABLE when '%s' is no address",
    async (ip) => {
      expect(await rejection(ask(await client(), ip))).toMatchObject({ code: 'UNREACHABLE' });
    },
  );

  test.each([
    ['text', 'text/plain', '{}'],
    ['JSON of somebody else', 'application/json', '{}'],
    ['what is not JSON', TYPE, 'oops'],
    ['nothing', TYPE, ''],
  ])('with BAD_REPLY when the answer is %s', async (_, type, text) => {
    const ip = await impostor((_, res) => res.setHeader('content-type', type).end(text));
    expect(await rejection(ask(await client(), ip))).toMatchObject({ code: 'BAD_REPLY', ip });
  });

  test.each(['content-length', 'transfer-encoding'])(
    'with BAD_REPLY when the answer is over the limit by its %s, and its connection is closed',
    async (header) => {
      const closed = new EventEmitter();
      const ip = await impostor((req, res) => {
        req.socket.on('close', () => closed.emit('close'));
        const text = JSON.stringify('x'.repeat(2_000));
        if (header === 'content-length') res.setHeader(header, Buffer.byteLength(text));
        res.setHeader('content-type', TYPE).write(text);
      });
      const wasClosed = once(closed, 'close');
      const error = await rejection(ask(await client({ bodyLimitBytes: 1_000 }), ip));
      expect(error).toMatchObject({ code: 'BAD_REPLY', cause: { code: 'TOO_LARGE' } });
      await wasClosed;
    },
  );

  test('with TOO_LARGE before it is sent when it is over the limit', async () => {
    const receive = vi.fn(answerPeer);
    const { ip } = await serve({}, receive);
    const asker = await client({ bodyLimitBytes: 10 });
    expect(await rejection(ask(asker, ip))).toMatchObject({ code: 'TOO_LARGE' });
    expect(receive).not.toHaveBeenCalled();
  });

  test('with ABORTED when its signal is, though the peer never answers, and its connection is closed', async () => {
    const reached = new EventEmitter();
    const ip = await impostor((req) => reached.emit('request', req.socket));
    const abort = new AbortController();
    const arrival = once(reached, 'request');
    const asked = rejection((await client()).request(ip, PEER, { signal: abort.signal }));
    const [socket] = await arrival;
    const closed = once(socket, 'close');
    abort.abort(new Error('too late'));
    expect(await asked).toMatchObject({ code: 'ABORTED', cause: { message: 'too late' } });
    await closed;
  });

  test('with ABORTED also within the answer', async () => {
    const ip = await impostor((_, res) => {
      res.setHeader('content-type', TYPE).setHeader('content-length', 10).write('{');
    });
    const signal = AbortSignal.timeout(50);
    expect(await rejection((await client()).request(ip, PEER, { signal }))).toMatchObject({
      code: 'ABORTED',
    });
  });

  test('with ABORTED when its transport stops, and no connection is left', async () => {
    const reached = new EventEmitter();
    const ip = await impostor((req) => reached.emit('request', req.socket));
    const asker = await client();
    const arrival = once(reached, 'request');
    const asked = rejection(ask(asker, ip));
    const [socket] = await arrival;
    const closed = once(socket, 'close');
    await asker.stop();
    expect(await asked).toMatchObject({ code: 'ABORTED' });
    await closed;
  });

  test('after the stop, which also closes the connections that were kept', async () => {
    const server = http.createServer();
    const ip = await listening(server);
    const closed = new Promise((resolve) => server.on('connection', (socket) => socket.on('close', resolve)));
    await serve({ server }, answerPeer, ip);
    const asker = await client();
    await ask(asker, ip);
    await asker.stop();
    await closed;
    expect(await rejection(ask(asker, ip))).toMatchObject({ code: 'NOT_RUNNING' });
  });

  test('with NOT_RUNNING before the start', async () => {
    expect(await rejection(ask(new HttpTransport(), 'b:1'))).toMatchObject({ code: 'NOT_RUNNING' });
  });

  test('and leaves no listener at a signal that is used for many', async () => {
    const { ip } = await serve();
    const asker = await client();
    const { signal } = new AbortController();
    const [add, remove] = [vi.spyOn(signal, 'addEventListener'), vi.spyOn(signal, 'removeEventListener')];
    for (const to of [ip, 'b', ip]) await asker.request(to, PEER, { signal }).catch(() => {});
    expect(remove.mock.calls.length).toBe(add.mock.calls.length);
    expect(add).toHaveBeenCalled();
  });
});

describe('A GET', () => {
  test.each(['peer', 'leader', 'state'])('of %s is answered with JSON for people', async (type) => {
    const receive = vi.fn<Receive>(async () => SNAPSHOT);
    const { ip } = await serve({}, receive);
    const { status, headers, body } = await send(ip, `/raft/${type}?verbose`);
    expect([status, headers['content-type'], body]).toEqual([200, 'application/json', SNAPSHOT]);
    expect(headers['cache-control']).toBe('no-store');
    expect(receive.mock.calls[0]?.[0]).toEqual({ type });
  });

  test.each([
    ['b', 200],
    [null, 503],
  ])('of state when the leader is %s is answered with %i, and the state', async (leader, status) => {
    const { ip } = await serve({}, async () => state(leader));
    const answer = await send(ip, '/raft/state');
    expect([answer.status, answer.body]).toEqual([status, state(leader)]);
  });

  test('of leader is answered with 200 though there is none', async () => {
    const { ip } = await serve({}, async () => ({ leader: null }));
    expect((await send(ip, '/raft/leader')).status).toBe(200);
  });

  test('that is a HEAD is answered in the same way, without a body', async () => {
    const { ip } = await serve({}, async () => state(null));
    const answer = await send(ip, '/raft/state', { method: 'HEAD' });
    expect([answer.status, answer.text]).toEqual([503, '']);
    expect(answer.headers['content-length']).toBe(String(JSON.stringify(state(null)).length));
  });

  test.each(['/raft', '/raft/', '/raft/nothing', '/raft/peer/', '/raft/toString', '/raft/__proto__'])(
    'of %s is answered with 404 and JSON, and the connection is kept',
    async (path) => {
      const { ip } = await serve();
      const agent = new http.Agent({ keepAlive: true });
      const { status, headers, body } = await send(ip, path, { agent });
      agent.destroy();
      expect([status, headers['content-type'], body.code]).toEqual([404, TYPE, 'BAD_REQUEST']);
      expect(headers.connection).toBe('keep-alive');
    },
  );

  test.each(['/', '/rafting', '/other/raft/peer', '/RAFT/peer'])(
    'of %s, beside the path, is answered with 404 on its own server',
    async (path) => {
      const { ip } = await serve();
      expect((await send(ip, path)).status).toBe(404);
    },
  );

  test.each([
    ['GET', 'vote', 'POST'],
    ['HEAD', 'beat', 'POST'],
    ['DELETE', 'transfer', 'POST'],
    ['PUT', 'peer', 'GET, HEAD, POST'],
    ['OPTIONS', 'state', 'GET, HEAD, POST'],
  ])('has no side effects: %s of %s is answered with 405, and %s', async (method, type, allowed) => {
    const receive = vi.fn(answerPeer);
    const { ip } = await serve({}, receive);
    const answer = await send(ip, `/raft/${type}`, { method });
    expect([answer.status, answer.headers.allow]).toEqual([405, allowed]);
    expect(receive).not.toHaveBeenCalled();
  });
});

describe('The server', () => {
  test.each([
    ['an error', () => Promise.reject(new Error('broken')), 'broken'],
    ['a text', () => Promise.reject('broken'), 'broken'],
  ])('answers 500 when the receiver rejects with %s, and goes on', async (_, receive, message) => {
    const { ip } = await serve({}, vi.fn(answerPeer).mockImplementationOnce(receive as Receive));
    const { status, body } = await post(ip, 'peer', PEER);
    expect([status, body]).toEqual([500, { code: 'INTERNAL', message }]);
    expect((await post(ip, 'peer', PEER)).status).toBe(200);
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['answers nothing', async () => undefined],
    ['answers what is not JSON', async () => ({ value: 1n })],
  ])('answers 500 when the receiver %s', async (_, receive) => {
    const { ip } = await serve({}, receive as unknown as Receive);
    expect(await post(ip, 'peer', PEER)).toMatchObject({ status: 500, body: { code: 'INTERNAL' } });
  });

  test('answers 413 to a large body by its length alone, and closes the connection', async () => {
    const receive = vi.fn(answerPeer);
    const { ip } = await serve({ bodyLimitBytes: 100 }, receive);
    const socket = dial(ip);
    socket.write(
      `POST /raft/peer HTTP/1.1\r\nHost: b\r\nContent-Type: ${TYPE}\r\nContent-Length: 101\r\n\r\n`,
    );
    const text = await received(socket);
    expect(text).toMatch(/^HTTP\/1.1 413 .*\r\n\r\n\{"code":"TOO_LARGE",/s);
    expect(text).toMatch(/connection: close/i);
    expect(receive).not.toHaveBeenCalled();
  });

  test('answers 413 as soon as a body without a length is too large, and closes the connection', async () => {
    const { ip } = await serve({ bodyLimitBytes: 100 });
    const socket = dial(ip);
    const chunk = `65\r\n${'x'.repeat(0x65)}\r\n`;
    socket.write(`POST /raft/peer HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`);
    expect(await received(socket)).toMatch(/^HTTP\/1.1 413 /);
  });

  test('takes a body of exactly the limit', async () => {
    const { ip } = await serve({ bodyLimitBytes: JSON.stringify(PEER).length });
    expect((await post(ip, 'peer', PEER)).status).toBe(200);
  });

  test('closes the connection when it answers without having read the body', async () => {
    const { ip } = await serve();
    const socket = dial(ip);
    socket.write('POST /raft/nothing HTTP/1.1\r\nHost: b\r\nContent-Length: 1000\r\n\r\n');
    expect(await received(socket)).toMatch(/^HTTP\/1.1 404 /);
  });

  test('is not harmed by noise, nor by clients that leave at any moment', async () => {
    const receive = vi.fn<Receive>(answerPeer);
    const { ip } = await serve({}, receive);
    const head = `POST /raft/peer HTTP/1.1\r\nHost: b\r\nContent-Type: ${TYPE}\r\nContent-Length: 23\r\n\r\n`;
    for (const text of [
      '',
      '\0\0\0\r\n\r\n',
      'POST /raft',
      head,
      `${head}{"type"`,
      `${head}${JSON.stringify(PEER)}`,
    ]) {
      const socket = dial(ip);
      socket.write(text || 'G', () => socket.resetAndDestroy());
      await once(socket, 'close');
    }
    expect((await post(ip, 'peer', PEER)).status).toBe(200);
  });

  test('forgets a client that left before it was answered', async () => {
    const arrivals = new EventEmitter();
    const { transport, ip } = await serve({}, () => {
      arrivals.emit('arrival');
      return new Promise(() => {});
    });
    const arrival = once(arrivals, 'arrival');
    const abort = new AbortController();
    const asked = rejection((await client()).request(ip, PEER, { signal: abort.signal }));
    await arrival;
    abort.abort();
    await asked;
    // One that it did not forget would be waited for.
    await vi.waitFor(async () => expect((await send(ip, '/nothing')).status).toBe(404));
    const timers = vi.spyOn(globalThis, 'setTimeout');
    await transport.stop();
    expect(timers).not.toHaveBeenCalled();
  });

  test('is not held up in its stop by a client that pipelines and goes away', async () => {
    let asked = 0;
    const { transport, ip } = await serve({}, () => {
      asked++;
      return new Promise(() => {});
    });
    const socket = dial(ip);
    socket.write('GET /raft/peer HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(2));
    await vi.waitFor(() => expect(asked).toBe(2));
    socket.destroy();
    await transport.stop();
  }, 10_000);

  test('ends a client that is slow to send', async () => {
    const { ip } = await serve();
    const socket = dial(ip);
    socket.write('POST /raft/peer HTTP/1.1\r\nHost: b\r\nContent-Length: 10\r\n\r\n');
    const before = performance.now();
    expect(await received(socket)).toMatch(/^HTTP\/1.1 408 /);
    expect(performance.now() - before).toBeLessThan(20_000);
  });
});
