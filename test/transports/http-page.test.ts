import { once } from 'node:events';
import * as http from 'node:http';
import express from 'express';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RaftMetrics } from '../../src/core/metrics.js';
import type { HttpTransportOptions } from '../../src/transports/http.js';
import type { Receive } from '../../src/transports/transport.js';
import { WebSocketTransport } from '../../src/transports/websocket.js';
import { LEADER } from '../observe/watched.js';
import {
  answerPeer,
  cleanups,
  client,
  dial,
  listening,
  post,
  rejection,
  SECRET,
  send,
  serve,
} from './http-kit.js';
import { freeAddress } from './ports.js';

const TOKEN = 'a token of some length';

const answerMetrics: Receive = async (request) =>
  (request as { readonly type: string }).type === 'metrics' ? LEADER : answerPeer(request, 'test');

interface Viewer {
  readonly response: http.IncomingMessage;
  /** What came until now. */
  text(): string;
  /** Resolves when `count` events are there. */
  events(count: number): Promise<readonly { readonly now: number; readonly metrics: RaftMetrics }[]>;
  readonly ended: Promise<unknown>;
}

/** Looks at the events of `ip`, as the page does. */
async function view(ip: string, query = ''): Promise<Viewer> {
  const request = http.get(`http://${ip}/raft/events${query}`, { agent: false });
  cleanups.push(() => request.destroy());
  request.on('error', () => {});
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let text = '';
  response.on('data', (chunk) => {
    text += chunk;
  });
  response.on('error', () => {});
  const parsed = () => [...text.matchAll(/^data: (.*)\n\n/gm)].map(([, data]) => JSON.parse(data as string));
  const events = async (count: number) => {
    await vi.waitUntil(() => parsed().length >= count, { timeout: 10_000 });
    return parsed();
  };
  return {
    response,
    text: () => text,
    events,
    ended: new Promise((resolve) => response.once('close', resolve)),
  };
}

describe('The status page', () => {
  test('is one file that allows nothing from outside, and is kept and framed nowhere', async () => {
    const { ip } = await serve({}, answerMetrics);
    const { status, headers, text } = await send(ip, '/raft/ui');
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    });
    const policy = String(headers['content-security-policy']);
    expect(policy.split('; ').map((rule) => rule.replace(/sha256-[\w+/]{43}=/, 'sha256'))).toEqual([
      "default-src 'none'",
      "script-src 'sha256'",
      "style-src 'sha256'",
      'img-src data:',
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ]);
    expect(text).toMatch(/^<!doctype html>/);
    expect(
      text.match(/(src|href)=["'](?!data:)|https?:(?!\/\/www\.w3\.org\/)|url\(|@import|innerHTML/g),
    ).toBeNull();
  });

  test('answers HEAD, and refuses what would change something', async () => {
    const { ip } = await serve({}, answerMetrics);
    const head = await send(ip, '/raft/ui', { method: 'HEAD' });
    expect([head.status, head.text]).toEqual([200, '']);
    for (const [type, allow] of [
      ['ui', 'GET, HEAD'],
      ['events', 'GET'],
    ] as const) {
      const { status, headers } = await post(ip, type, {});
      expect([status, headers.allow]).toEqual([405, allow]);
    }
  });

  test('is served by the websocket transport, too', async () => {
    const ip = await freeAddress();
    const transport = new WebSocketTransport();
    cleanups.push(() => transport.stop());
    await transport.start(ip, answerMetrics);
    expect((await send(ip, '/raft/ui')).status).toBe(200);
    const [event] = await (await view(ip)).events(1);
    expect(event?.metrics).toEqual(LEADER);
  });

  test('works where the handler is mounted, with the token in its query', async () => {
    const transport = await client({ ui: { token: TOKEN } });
    const app = express();
    app.use('/raft', transport.handler);
    const ip = await listening(http.createServer(app));
    expect((await send(ip, `/raft/ui?token=${encodeURIComponent(TOKEN)}`)).status).toBe(200);
    expect((await send(ip, '/raft/ui')).status).toBe(401);
  });
});

describe('Events of the page', () => {
  // Theirs is the only interval: it rings when a test says so.
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
  afterEach(() => void vi.useRealTimers());

  test('bring the metrics, and the time of this host, at once and every half second', async () => {
    let term = 6;
    const { ip } = await serve({}, async () => ({ ...LEADER, term: term++ }));
    const before = Date.now();
    const viewer = await view(ip);
    expect(viewer.response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
    });
    await viewer.events(1);
    vi.advanceTimersByTime(500);
    await viewer.events(2);
    vi.advanceTimersByTime(500);
    const events = await viewer.events(3);
    expect(events.map(({ metrics }) => metrics)).toEqual([6, 7, 8].map((at) => ({ ...LEADER, term: at })));
    for (const { now } of events) {
      expect(now).toBeGreaterThanOrEqual(before);
      expect(now).toBeLessThanOrEqual(Date.now());
    }
  });

  test('go to all who look from one question, and nothing is asked when nobody looks', async () => {
    const receive = vi.fn(answerMetrics);
    const { ip } = await serve({}, receive);
    const viewers = [await view(ip), await view(ip)];
    const counts = (await Promise.all(viewers.map((viewer) => viewer.events(1)))).map(({ length }) => length);
    const asked = receive.mock.calls.length;
    vi.advanceTimersByTime(500);
    await Promise.all(viewers.map((viewer, at) => viewer.events((counts[at] ?? 0) + 1)));
    expect(receive.mock.calls.length).toBe(asked + 1);
    viewers[0]?.response.destroy();
    expect(vi.getTimerCount()).toBe(1);
    viewers[1]?.response.destroy();
    await vi.waitUntil(() => vi.getTimerCount() === 0, { timeout: 10_000 });
  });

  test('tell that this host is there while no answer comes', async () => {
    const { ip } = await serve({}, () => new Promise(() => {}));
    const viewer = await view(ip);
    vi.advanceTimersByTime(1_000);
    await vi.waitUntil(() => viewer.text() === ':\n\n:\n\n', { timeout: 10_000 });
  });

  test('are not kept for one who does not take them in', async () => {
    const { ip } = await serve({}, async () => ({ ...LEADER, ip: 'x'.repeat(2 ** 21) }));
    const slow = dial(ip).pause();
    slow.write(`GET /raft/events HTTP/1.1\r\nhost: ${ip}\r\n\r\n`);
    await vi.waitUntil(() => vi.getTimerCount() === 1, { timeout: 10_000 });
    const isGone = (): boolean => {
      vi.advanceTimersByTime(500);
      return vi.getTimerCount() === 0;
    };
    await vi.waitUntil(isGone, { timeout: 10_000 });
  });

  test('tell why there are no metrics', async () => {
    const { ip } = await serve({}, () => Promise.reject(new Error('broken')));
    const [event] = await (await view(ip)).events(1);
    expect(event?.metrics).toEqual({ code: 'INTERNAL', message: 'Error: broken' });
  });

  test('go to 32 at a time, and to another one when one of them is gone', async () => {
    const { ip } = await serve({}, answerMetrics);
    const viewers = await Promise.all(Array.from({ length: 32 }, () => view(ip)));
    expect(await send(ip, '/raft/events')).toMatchObject({ status: 503, body: { code: 'BUSY' } });
    viewers[0]?.response.destroy();
    await vi.waitUntil(async () => (await view(ip)).response.statusCode === 200, { timeout: 10_000 });
  });

  test('end when the transport stops, and keep it from nothing', async () => {
    const { ip, transport } = await serve({}, answerMetrics);
    const viewer = await view(ip);
    await viewer.events(1);
    await transport.stop();
    await viewer.ended;
    expect(viewer.response.complete).toBe(true);
  });
});

describe('Who may see the page', () => {
  const CASES: readonly (readonly [string, HttpTransportOptions, number])[] = [
    ['everybody, without a secret', {}, 200],
    ['nobody, with a secret', { secret: SECRET }, 404],
    ['nobody, when it is off', { ui: false }, 404],
    ['everybody, when it is on in spite of a secret', { secret: SECRET, ui: true }, 200],
    ['who knows the token, when there is one', { ui: { token: TOKEN } }, 401],
    ['who knows the token, with a secret, too', { secret: SECRET, ui: { token: TOKEN } }, 401],
  ];

  test.each(CASES)('is %s', async (_, options, status) => {
    const { ip } = await serve(options, answerMetrics);
    expect((await send(ip, '/raft/ui')).status).toBe(status);
    if (status === 200) expect((await view(ip)).response.statusCode).toBe(200);
    else expect((await send(ip, '/raft/events')).status).toBe(status);
  });

  const query = (token: string): string => `?token=${encodeURIComponent(token)}`;
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
  const plain = 'a-token-without-blanks';

  test('is who brings the token, in the query or as a bearer', async () => {
    const { ip } = await serve({ secret: SECRET, ui: { token: plain } }, answerMetrics);
    expect((await send(ip, `/raft/ui${query(plain)}`)).status).toBe(200);
    expect((await send(ip, '/raft/ui', bearer(plain))).status).toBe(200);
    expect((await (await view(ip, query(plain))).events(1)).length).toBe(1);
  });

  test.each([
    ['a wrong one', 'a-token-without-blankz'],
    ['a part of it', plain.slice(1)],
    ['more than it', `${plain}s`],
    ['the secret', SECRET],
    ['none', ''],
  ])('is not who brings %s', async (_, token) => {
    const { ip } = await serve({ secret: SECRET, ui: { token: plain } }, answerMetrics);
    const answers = [
      await send(ip, `/raft/ui${query(token)}`),
      await send(ip, '/raft/ui', bearer(token)),
      await send(ip, `/raft/events${query(token)}`),
    ];
    for (const { status, headers, body } of answers) {
      expect([status, headers['www-authenticate'], body.code]).toEqual([
        401,
        'Bearer realm="raftbeat"',
        'UNAUTHORIZED',
      ]);
    }
  });

  test.each([1, 'yes', {}, { token: 'short' }, { token: 7 }])('is not told by %j', async (ui) => {
    const error = await rejection(serve({ ui } as unknown as HttpTransportOptions));
    expect(error).toMatchObject({ code: 'BAD_OPTION' });
    expect(error.message).toBe('ui: expected true, false, or { token } of at least 16 characters');
  });
});

test('metrics are asked of the page alone, and under no path of their own', async () => {
  const { ip } = await serve({}, answerMetrics);
  expect((await send(ip, '/raft/metrics')).status).toBe(404);
  expect((await post(ip, 'metrics', { type: 'metrics' })).status).toBe(404);
});
