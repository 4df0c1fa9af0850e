import { EventEmitter, once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import express from 'express';
import fastify from 'fastify';
import { describe, expect, test, vi } from 'vitest';
import { HttpTransport, type HttpTransportOptions } from '../../src/transports/http.js';
import type { Receive } from '../../src/transports/transport.js';
import {
  answerPeer,
  ask,
  cleanups,
  client,
  dial,
  listening,
  member,
  PEER,
  pem,
  post,
  received,
  rejection,
  SECRET,
  SNAPSHOT,
  send,
  serve,
  TYPE,
} from './http-kit.js';
import { freeAddress } from './ports.js';

/** A listener of a host application that answers with its name. */
function app(name: string): http.RequestListener {
  return (req, res) => {
    req.resume();
    res.end(name);
  };
}

describe('The handler', () => {
  test('is all that a plain server needs', async () => {
    const transport = await client();
    const ip = await listening(http.createServer(transport.handler));
    expect(await askAs({}, ip)).toEqual(SNAPSHOT);
    expect((await send(ip, '/')).status).toBe(404);
  });

  test('gives what is not for it to next, and nothing else', async () => {
    const transport = await client();
    const next = vi.fn();
    const server = http.createServer((req, res) => {
      transport.handler(req, res, () => {
        next(req.url);
        res.end('theirs');
      });
    });
    const ip = await listening(server);
    await send(ip, '/raft/peer');
    await send(ip, '/raft/nothing');
    expect((await send(ip, '/rafting')).text).toBe('theirs');
    expect(next.mock.calls).toEqual([['/rafting']]);
  });

  test('answers 503 before the start and after the stop', async () => {
    const transport = new HttpTransport({ listen: false });
    const ip = await listening(http.createServer(transport.handler));
    expect(await post(ip, 'peer', PEER)).toMatchObject({ status: 503, body: { code: 'NOT_RUNNING' } });
    await transport.start('b', answerPeer);
    expect((await post(ip, 'peer', PEER)).status).toBe(200);
    await transport.stop();
    expect(await post(ip, 'peer', PEER)).toMatchObject({ status: 503, body: { code: 'NOT_RUNNING' } });
  });

  test('tells to mount it before a parser that took the body away', async () => {
    const receive = vi.fn(answerPeer);
    const transport = new HttpTransport({ listen: false });
    cleanups.push(() => transport.stop());
    await transport.start('b', receive);
    const server = http.createServer(async (req, res) => {
      await req.toArray();
      transport.handler(req, res);
    });
    const answer = await post(await listening(server), 'peer', PEER);
    expect(answer).toMatchObject({
      status: 500,
      body: { message: expect.stringMatching(/before any body parser/) },
    });
    expect(receive).not.toHaveBeenCalled();
  });
});

describe.each([
  ['', {}],
  [' with a secret', { secret: SECRET }],
] as const)('In Express%s the handler', (_, options) => {
  test('works beside routes, and after express.json()', async () => {
    const transport = await client({ ...options, address: (ip) => ip });
    const server = express();
    server.use(express.json(), transport.handler);
    server.post('/echo', (req, res) => void res.json(req.body));
    const ip = await listening(http.createServer(server));
    expect(await askAs(options, ip)).toEqual(SNAPSHOT);
    const headers = { 'content-type': 'application/json' };
    const echo = await send(ip, '/echo', { method: 'POST', headers, body: '{"a":1}' });
    expect(echo.body).toEqual({ a: 1 });
  });

  test('says so when a greedy parser comes before it', async () => {
    const transport = await client(options);
    const server = express();
    server.use(express.json({ type: () => true }), transport.handler);
    const ip = await listening(http.createServer(server));
    expect(await post(ip, 'peer', PEER)).toMatchObject({ status: 500, body: { code: 'INTERNAL' } });
  });

  test.each(['/raft', '/'])('works when it is mounted at %s', async (at) => {
    const transport = await client(options);
    const server = express();
    server.use(at, transport.handler);
    const ip = await listening(http.createServer(server));
    expect(await askAs(options, ip)).toEqual(SNAPSHOT);
    expect((await send(ip, '/raft/state')).status).toBe(200);
  });
});

/** Asks `ip`, at which the peer named 'client' is mounted. */
async function askAs(options: HttpTransportOptions, ip: string): Promise<unknown> {
  return ask(await client({ ...options, address: () => ip }), 'client');
}

describe('In Fastify the handler', () => {
  test('works as an onRequest hook', async () => {
    const transport = await client();
    const server = fastify();
    cleanups.push(() => server.close());
    server.addHook('onRequest', (request, reply, done) =>
      transport.handler(request.raw, reply.raw, () => done()),
    );
    server.post('/echo', async (request) => request.body);
    const ip = new URL(await server.listen({ host: '127.0.0.1', port: 0 })).host;
    expect(await askAs({}, ip)).toEqual(SNAPSHOT);
    const headers = { 'content-type': 'application/json' };
    const echo = await send(ip, '/echo', { method: 'POST', headers, body: '{"a":1}' });
    expect(echo.body).toEqual({ a: 1 });
  });

  test('works in a route that hijacks the reply', async () => {
    const transport = await client();
    const server = fastify();
    cleanups.push(() => server.close());
    server.addContentTypeParser(TYPE, (_request, _payload, done) => done(null));
    server.all('/raft/*', (request, reply) => {
      reply.hijack();
      transport.handler(request.raw, reply.raw);
    });
    const ip = new URL(await server.listen({ host: '127.0.0.1', port: 0 })).host;
    expect(await askAs({}, ip)).toEqual(SNAPSHOT);
  });

  test('is not needed with the option server', async () => {
    const server = fastify();
    cleanups.push(() => server.close());
    server.get('/hello', async () => 'hello');
    await serve({ server: server.server }, answerPeer, 'client');
    const ip = new URL(await server.listen({ host: '127.0.0.1', port: 0 })).host;
    expect(await askAs({}, ip)).toEqual(SNAPSHOT);
    expect((await send(ip, '/hello')).text).toBe('hello');
  });
});

describe('A server that is given', () => {
  test('may be one that does not listen yet, and is neither made to listen nor closed', async () => {
    const server = http.createServer(app('theirs'));
    const { transport } = await serve({ server }, answerPeer, 'client');
    expect(server.listening).toBe(false);
    const ip = await listening(server);
    expect(await askAs({}, ip)).toEqual(SNAPSHOT);
    await transport.stop();
    expect(server.listening).toBe(true);
    expect((await send(ip, '/raft/peer')).text).toBe('theirs');
  });

  test('answers everything else with its own listeners, also those that came later', async () => {
    const first = vi.fn((req: http.IncomingMessage) => void req.resume());
    const server = http.createServer(first);
    const ip = await listening(server);
    await serve({ server });
    server.on('request', app('theirs'));
    expect((await send(ip, '/')).text).toBe('theirs');
    expect((await post(ip, 'peer', PEER)).body).toEqual(SNAPSHOT);
    expect(first).toHaveBeenCalledTimes(1);
  });

  test('calls its listeners as before: with itself as this, and once where they said so', async () => {
    const seen: unknown[] = [];
    const server = http.createServer();
    await serve({ server });
    server.on('request', function (this: unknown) {
      seen.push(this);
    });
    server.once('request', (_req, res) => res.end('once'));
    const ip = await listening(server);
    expect((await send(ip, '/')).text).toBe('once');
    expect(seen).toEqual([server]);
    expect(server.listenerCount('request')).toBe(1);
    const unanswered = rejection(send(ip, '/'));
    await vi.waitFor(() => expect(seen).toEqual([server, server]));
    server.closeAllConnections();
    expect(await unanswered).toMatchObject({ code: 'ECONNRESET' });
  });

  test('answers 404 to everything else when it has no listeners', async () => {
    const server = http.createServer();
    const ip = await listening(server);
    await serve({ server });
    expect((await send(ip, '/')).status).toBe(404);
  });

  test('has its listeners back after the stop, in their order, and no others', async () => {
    const [first, second, third] = [vi.fn(), vi.fn(), vi.fn()];
    const server = http.createServer(first).on('request', second);
    const names = server.eventNames();
    const { transport } = await serve({ server });
    server.on('request', third);
    await transport.stop();
    expect(server.listeners('request')).toEqual([first, second, third]);
    expect(server.eventNames()).toEqual(expect.arrayContaining(names));
    expect(server.listenerCount('newListener')).toBe(0);
  });

  test('does not hold up the stop by a client that does not take its answer', async () => {
    const server = http.createServer();
    const ip = await listening(server);
    const reply = { code: 'INTERNAL', message: 'x'.repeat(30_000_000) } as const;
    const { transport } = await serve({ server }, async () => reply);
    const deaf = dial(ip).pause();
    deaf.write('GET /raft/peer HTTP/1.1\r\nHost: b\r\n\r\n');
    await once(deaf, 'readable');
    await transport.stop();
    expect((await received(deaf)).length).toBeLessThan(reply.message.length);
  });

  test('serves several transports, which leave it in any order', async () => {
    const server = http.createServer(app('theirs'));
    const ip = await listening(server);
    const [a, b] = [await serve({ server, path: '/a' }), await serve({ server, path: '/b' })];
    const texts = async (): Promise<number[]> =>
      Promise.all(['/a/peer', '/b/peer', '/c'].map(async (path) => (await send(ip, path)).text.length));
    const [peer, theirs] = [JSON.stringify(SNAPSHOT).length, 'theirs'.length];
    expect(await texts()).toEqual([peer, peer, theirs]);
    await a.transport.stop();
    expect(await texts()).toEqual([theirs, peer, theirs]);
    await b.transport.stop();
    expect(await texts()).toEqual([theirs, theirs, theirs]);
  });

  test('serves one transport at a path', async () => {
    const server = http.createServer();
    const ip = await listening(server);
    await serve({ server }, async () => SNAPSHOT);
    const second = new HttpTransport({ server });
    const other: Receive = async () => ({ ...SNAPSHOT, ip: 'other' });
    expect(await rejection(second.start('b', other))).toMatchObject({ code: 'DUPLICATE_PEER' });
    await second.stop();
    const started = rejection(second.start('b', other));
    await second.stop();
    expect(await started).toMatchObject({ code: 'DUPLICATE_PEER' });
    expect((await post(ip, 'peer', PEER)).body).toEqual(SNAPSHOT);
  });

  test('may be an https server, which makes the client speak https', async () => {
    const server = https.createServer(member(), app('theirs'));
    const ip = await listening(server);
    const { transport } = await serve({ server, tls: { ca: pem('ca.crt') } }, answerPeer, ip);
    expect(await ask(transport, ip)).toEqual(SNAPSHOT);
    const strict = await serve({ server, path: '/strict' });
    expect(await rejection(ask(strict.transport, ip))).toMatchObject({
      code: 'UNREACHABLE',
      cause: { code: expect.stringMatching(/CERT|SIGNATURE/) },
    });
  });
});

describe('A server of its own', () => {
  test('rejects the start when the port is taken, and the transport can be started later', async () => {
    const ip = await freeAddress();
    const taken = createTcpServer();
    taken.listen(Number(ip.split(':')[1]), '127.0.0.1');
    await once(taken, 'listening');
    const transport = new HttpTransport();
    cleanups.push(() => transport.stop());
    const error = await rejection(transport.start(ip, answerPeer));
    expect(error).toMatchObject({ code: 'UNREACHABLE', cause: { code: 'EADDRINUSE' } });
    expect(error.message).toContain(`cannot listen at ${ip}`);
    await new Promise((resolve) => taken.close(resolve));
    await transport.start(ip, answerPeer);
    expect(await ask(transport, ip)).toEqual(SNAPSHOT);
  });

  test.each(['b', 'b:0', ''])("rejects the start at '%s', which is no address", async (ip) => {
    expect(await rejection(new HttpTransport().start(ip, answerPeer))).toMatchObject({ code: 'BAD_OPTION' });
  });

  test('listens where bind says', async () => {
    const [host = '', port] = (await freeAddress()).split(':');
    await serve({ bind: { host, port: Number(port) } }, answerPeer, 'client');
    expect(await askAs({}, `${host}:${port}`)).toEqual(SNAPSHOT);
  });

  test('listens at the port of the peer when bind only names a host', async () => {
    const ip = await freeAddress();
    const name = `service-b:${ip.split(':')[1]}`;
    await serve({ bind: { host: '127.0.0.1' } }, answerPeer, name);
    expect(await ask(await client({ address: () => ip }), name)).toEqual(SNAPSHOT);
  });

  test('leaves its port when it stops, whatever is connected', async () => {
    const { transport, ip } = await serve();
    const idle = [dial(ip), dial(ip)];
    await Promise.all(idle.map((socket) => once(socket, 'connect')));
    idle[1]?.write('POST /raft/peer HTTP/1.1\r\n');
    const closed = Promise.all(idle.map(received));
    await ask(await client(), ip);
    await transport.stop();
    await closed;
    const [host, port] = ip.split(':');
    const next = createTcpServer().listen(Number(port), host);
    await once(next, 'listening');
    await new Promise((resolve) => next.close(resolve));
  });

  test('leaves its port when it stops, though a client has not shaken hands', async () => {
    const { transport, ip } = await serve({ tls: member() });
    const silent = dial(ip);
    await once(silent, 'connect');
    const closed = received(silent);
    await vi.waitFor(async () => expect((await send(ip, '/', { ca: pem('ca.crt') })).status).toBe(404));
    await transport.stop();
    await closed;
  });

  test('lets an answer under way leave when it stops', async () => {
    const events = new EventEmitter();
    const { transport, ip } = await serve({}, async () => {
      events.emit('arrival');
      await once(events, 'answer');
      return SNAPSHOT;
    });
    const arrival = once(events, 'arrival');
    const answer = post(ip, 'peer', PEER);
    await arrival;
    const stopped = transport.stop();
    events.emit('answer');
    expect(await answer).toMatchObject({ status: 200, body: SNAPSHOT });
    await stopped;
  });

  test('refuses what it cannot answer soon when it stops', async () => {
    const events = new EventEmitter();
    const { transport, ip } = await serve({}, () => {
      events.emit('arrival');
      return new Promise(() => {});
    });
    const arrival = once(events, 'arrival');
    const answer = post(ip, 'peer', PEER);
    await arrival;
    await transport.stop();
    expect(await answer).toMatchObject({ status: 503, body: { code: 'NOT_RUNNING' } });
  });

  test('is gone when the stop comes during the start', async () => {
    const ip = await freeAddress();
    const transport = new HttpTransport();
    const started = rejection(transport.start(ip, answerPeer));
    await transport.stop();
    expect(await started).toMatchObject({ code: 'ABORTED' });
    expect(await rejection(send(ip, '/raft/peer'))).toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('is there when the start comes during the stop', async () => {
    const { transport, ip } = await serve();
    const stopped = transport.stop();
    await Promise.all([stopped, transport.start(ip, answerPeer)]);
    expect((await post(ip, 'peer', PEER)).status).toBe(200);
  });
});

describe('An option that is wrong is named', () => {
  const server = http.createServer();
  test.each<[string, unknown]>([
    ['path', { path: 'raft' }],
    ['path', { path: '/raft/' }],
    ['path', { path: '/' }],
    ['path', { path: '/a b' }],
    ['path', { path: 7 }],
    ['secret', { secret: 'fifteen letters' }],
    ['secret', { secret: 1_234_567_890_123_456 }],
    ['authWindowMs', { authWindowMs: 0 }],
    ['authWindowMs', { authWindowMs: 1.5 }],
    ['bodyLimitBytes', { bodyLimitBytes: -1 }],
    ['bodyLimitBytes', { bodyLimitBytes: Number.NaN }],
    ['bind.port', { bind: { port: 65_536 } }],
    ['bind.port', { bind: { port: 0 } }],
    ['bind.host', { bind: { host: '' } }],
    ['bind', { bind: {}, listen: false }],
    ['bind', { bind: {}, server }],
    ['server', { server: {} }],
    ['server', { server: null }],
    ['listen', { listen: 'no' }],
    ['listen', { listen: true, server }],
    ['address', { address: 'b:1' }],
    ['tls', { tls: null }],
    ['tls', { tls: {} }],
    ['tls', { tls: { key: 'key' } }],
  ])('%s', (name, options) => {
    const make = (): unknown => new HttpTransport(options as HttpTransportOptions);
    const start = new RegExp(`^${name.replace('.', '\\.')}: `);
    expect(make).toThrow(
      expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringMatching(start) }),
    );
  });

  test('but the secret is not shown', () => {
    expect(() => new HttpTransport({ secret: 'hunter2' })).not.toThrow(/hunter2/);
  });
});
