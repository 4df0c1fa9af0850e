import { createHmac } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import { describe, expect, test, vi } from 'vitest';
import type { HttpTransportOptions } from '../../src/transports/http.js';
import {
  answerPeer,
  ask,
  client,
  dial,
  impostor,
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

const BODY = JSON.stringify(PEER);

interface Parts {
  readonly secret: string;
  readonly method: string;
  readonly path: string;
  readonly to: string;
  readonly time: number;
  readonly nonce: string;
  readonly body: string;
}

let made = 0;

function hmac(secret: string, head: readonly unknown[], body: string): string {
  return createHmac('sha256', secret)
    .update(`${JSON.stringify(head)}\n${body}`)
    .digest('hex');
}

/** The header that a request to `to` bears, written down once more, apart from what is tested. */
function sign(to: string, parts: Partial<Parts> = {}): OutgoingHttpHeaders {
  const nonce = (made++).toString(16).padStart(24, '0');
  const all = {
    secret: SECRET,
    method: 'POST',
    path: '/raft/peer',
    to,
    time: Date.now(),
    nonce,
    body: BODY,
    ...parts,
  };
  const head = ['request', all.method, all.path, all.to, String(all.time), all.nonce];
  return { 'x-raftbeat-auth': `t=${all.time},n=${all.nonce},s=${hmac(all.secret, head, all.body)}` };
}

function digestOf(header: unknown): string {
  return String(header).split('s=')[1] ?? '';
}

/** The signature of the reply to the request that bore `header`. */
function signReply(header: unknown, status: number, body: string, secret: string = SECRET): string {
  return `s=${hmac(secret, ['reply', digestOf(header), status], body)}`;
}

describe('With a secret', () => {
  test('members understand each other', async () => {
    const { ip } = await serve({ secret: SECRET });
    expect(await ask(await client({ secret: SECRET }), ip)).toEqual(SNAPSHOT);
  });

  test('a request that is signed over method, path, addressee, time, nonce and body is answered', async () => {
    const { ip } = await serve({ secret: SECRET });
    expect(await post(ip, 'peer', PEER, sign(ip))).toMatchObject({ status: 200, body: SNAPSHOT });
  });

  test('a refusal is signed as well, and reaches the asker', async () => {
    const refusal = { code: 'OUT_OF_DATE', message: 'no', term: 9 } as const;
    const { ip } = await serve({ secret: SECRET }, async () => refusal);
    expect(await ask(await client({ secret: SECRET }), ip)).toEqual(refusal);
  });

  test.each<[string, (ip: string) => OutgoingHttpHeaders]>([
    ['without a signature', () => ({})],
    ['with an empty signature', () => ({ 'x-raftbeat-auth': '' })],
    [
      'with a signature cut short',
      (ip) => ({ 'x-raftbeat-auth': String(sign(ip)['x-raftbeat-auth']).slice(0, -1) }),
    ],
    ['signed with another secret', (ip) => sign(ip, { secret: 'some other secret' })],
    ['signed for another method', (ip) => sign(ip, { method: 'GET' })],
    ['signed for another path', (ip) => sign(ip, { path: '/raft/leader' })],
    ['signed for another member', (ip) => sign(ip, { to: '127.0.0.1:1' })],
    ['signed with another body', (ip) => sign(ip, { body: '{"type":"peer","id":6}' })],
    [
      'with two signatures',
      (ip) => ({ 'x-raftbeat-auth': [sign(ip), sign(ip)].map((h) => String(h['x-raftbeat-auth'])) }),
    ],
    [
      'with another time than was signed',
      (ip) => ({
        'x-raftbeat-auth': String(sign(ip)['x-raftbeat-auth']).replace(/^t=\d+/, `t=${Date.now() + 1_000}`),
      }),
    ],
    [
      'with another nonce than was signed',
      (ip) => ({ 'x-raftbeat-auth': String(sign(ip)['x-raftbeat-auth']).replace(/n=0/, 'n=1') }),
    ],
  ])('a request %s is refused, and nobody receives it', async (_, headers) => {
    const receive = vi.fn(answerPeer);
    const { ip } = await serve({ secret: SECRET }, receive);
    const answer = await post(ip, 'peer', PEER, headers(ip));
    expect(answer).toMatchObject({ status: 401, body: { code: 'UNAUTHORIZED' } });
    expect(answer.headers['x-raftbeat-auth']).toBeUndefined();
    expect(receive).not.toHaveBeenCalled();
  });

  test('a body is not even parsed before its signature was verified', async () => {
    const { ip } = await serve({ secret: SECRET });
    expect((await post(ip, 'peer', '{')).status).toBe(401);
    expect((await post(ip, 'peer', '{', sign(ip, { body: '{' }))).status).toBe(400);
  });

  test('a request is accepted once', async () => {
    const receive = vi.fn(answerPeer);
    const { ip } = await serve({ secret: SECRET }, receive);
    const headers = sign(ip);
    expect((await post(ip, 'peer', PEER, headers)).status).toBe(200);
    expect(await post(ip, 'peer', PEER, headers)).toMatchObject({
      status: 401,
      body: { code: 'UNAUTHORIZED' },
    });
    expect(receive).toHaveBeenCalledTimes(1);
  });

  test('a request from the future is accepted once until its time has passed', async () => {
    const { ip } = await serve({ secret: SECRET, authWindowMs: 1_000 });
    const start = Date.now();
    const clock = vi.spyOn(Date, 'now');
    const at = async (ms: number, headers: OutgoingHttpHeaders): Promise<number> => {
      clock.mockReturnValue(start + ms);
      return (await post(ip, 'peer', PEER, headers)).status;
    };
    expect(await at(0, sign(ip, { time: start }))).toBe(200);
    const early = sign(ip, { time: start + 1_900 });
    expect(await at(900, early)).toBe(200);
    for (const ms of [901, 1_001, 1_500, 2_002, 2_500, 2_900]) {
      expect(await at(ms, sign(ip, { time: start + ms })), `another at ${ms}`).toBe(200);
      expect(await at(ms, early), `again at ${ms}`).toBe(401);
    }
  });

  test.each([
    [-1_001, 401],
    [-1_000, 200],
    [1_000, 200],
    [1_001, 401],
  ])(
    'a request that was signed %i ms from now is answered with %i within a window of 1000',
    async (ms, status) => {
      const { ip } = await serve({ secret: SECRET, authWindowMs: 1_000 });
      const now = Date.now();
      vi.spyOn(Date, 'now').mockReturnValue(now);
      expect((await post(ip, 'peer', PEER, sign(ip, { time: now + ms }))).status).toBe(status);
    },
  );

  test('the window is 30 s where nothing else is said', async () => {
    const { ip } = await serve({ secret: SECRET });
    const now = Date.now();
    vi.spyOn(Date, 'now').mockReturnValue(now);
    expect((await post(ip, 'peer', PEER, sign(ip, { time: now - 30_000 }))).status).toBe(200);
    expect((await post(ip, 'peer', PEER, sign(ip, { time: now - 30_001 }))).status).toBe(401);
  });

  test('a member whose clock is wrong learns it from a signed refusal', async () => {
    const { ip } = await serve({ secret: SECRET, authWindowMs: 1_000 });
    const asker = await client({ secret: SECRET });
    const now = Date.now();
    vi.spyOn(Date, 'now')
      .mockReturnValueOnce(now - 60_000)
      .mockReturnValue(now);
    expect(await ask(asker, ip)).toEqual({
      code: 'UNAUTHORIZED',
      message: expect.stringMatching(/^signed 60000 ms/),
    });
  });

  test('the reply is signed, bound to the request', async () => {
    const { ip } = await serve({ secret: SECRET });
    const request = sign(ip);
    const answer = await post(ip, 'peer', PEER, request);
    const expected = signReply(request['x-raftbeat-auth'], 200, answer.text);
    expect(answer.headers['x-raftbeat-auth']).toBe(expected);
  });

  test.each<[string, (header: unknown, text: string) => string | undefined]>([
    ['without a signature', () => undefined],
    ['signed with another secret', (header, text) => signReply(header, 200, text, 'some other secret')],
    ['signed for another status', (header, text) => signReply(header, 503, text)],
    ['signed for another request', (_, text) => signReply(sign('b')['x-raftbeat-auth'], 200, text)],
    ['signed with another body', (header) => signReply(header, 200, '{}')],
    ['with the signature of the request', (header) => `s=${digestOf(header)}`],
  ])('a reply %s is not believed', async (_, make) => {
    const ip = await impostor((req, res) => {
      const text = JSON.stringify(SNAPSHOT);
      const signature = make(req.headers['x-raftbeat-auth'], text);
      if (signature !== undefined) res.setHeader('x-raftbeat-auth', signature);
      res.setHeader('content-type', TYPE).end(text);
    });
    expect(await rejection(ask(await client({ secret: SECRET }), ip))).toMatchObject({
      code: 'UNAUTHORIZED',
      ip,
    });
  });

  test('a reply that is signed well is believed, whoever sent it', async () => {
    const ip = await impostor((req, res) => {
      const text = JSON.stringify(SNAPSHOT);
      res.setHeader('x-raftbeat-auth', signReply(req.headers['x-raftbeat-auth'], 200, text));
      res.setHeader('content-type', TYPE).end(text);
    });
    expect(await ask(await client({ secret: SECRET }), ip)).toEqual(SNAPSHOT);
  });

  test('a member without it is refused, and refuses', async () => {
    const { ip } = await serve({ secret: SECRET });
    expect(await ask(await client(), ip)).toMatchObject({ code: 'UNAUTHORIZED' });
    const open = await serve();
    const error = await rejection(ask(await client({ secret: SECRET }), open.ip));
    expect(error).toMatchObject({ code: 'UNAUTHORIZED' });
  });

  test('a GET stays open', async () => {
    const { ip } = await serve({ secret: SECRET });
    expect((await send(ip, '/raft/peer')).status).toBe(200);
  });
});

describe('With tls', () => {
  const mutual: HttpTransportOptions = { tls: { ...member(), requestCert: true } };

  test('members speak https with each other', async () => {
    const { ip } = await serve({ tls: member() });
    expect(await ask(await client({ tls: { ca: pem('ca.crt') } }), ip)).toEqual(SNAPSHOT);
    expect((await send(ip, '/raft/peer', { ca: pem('ca.crt') })).status).toBe(200);
  });

  test('a server of another authority is not believed, nor one that speaks http', async () => {
    const stranger = await serve({ tls: { key: pem('stranger.key'), cert: pem('stranger.crt') } });
    const plain = await serve();
    const asker = await client({ tls: { ca: pem('ca.crt') } });
    for (const { ip } of [stranger, plain]) {
      expect(await rejection(ask(asker, ip))).toMatchObject({
        code: 'UNREACHABLE',
        cause: expect.any(Error),
      });
    }
  });

  test('a server of another authority is believed when rejectUnauthorized is false', async () => {
    const { ip } = await serve({ tls: { key: pem('stranger.key'), cert: pem('stranger.crt') } });
    expect(await ask(await client({ tls: { rejectUnauthorized: false } }), ip)).toEqual(SNAPSHOT);
  });

  test('an http client gets no answer, and the server goes on', async () => {
    const { ip } = await serve({ tls: member() });
    expect(await rejection(ask(await client(), ip))).toMatchObject({ code: 'UNREACHABLE' });
    const noise = dial(ip);
    noise.write('\x16\x03\x01 noise');
    noise.end();
    await received(noise);
    expect((await send(ip, '/raft/peer', { ca: pem('ca.crt') })).status).toBe(200);
  });

  test('and requestCert, members know each other by their certificates', async () => {
    const { ip } = await serve(mutual);
    const other = await serve(mutual);
    expect(await ask(other.transport, ip)).toEqual(SNAPSHOT);
    const known = { ca: pem('ca.crt'), key: pem('client.key'), cert: pem('client.crt') };
    expect((await send(ip, '/raft/peer', known)).status).toBe(200);
  });

  test('and requestCert, a client without a certificate is refused, or with one of another authority', async () => {
    const receive = vi.fn(answerPeer);
    const { ip } = await serve(mutual, receive);
    const ca = pem('ca.crt');
    const strangers = [{ ca }, { ca, key: pem('stranger.key'), cert: pem('stranger.crt') }];
    for (const tls of strangers) {
      expect(await rejection(ask(await client({ tls }), ip))).toMatchObject({ code: 'UNREACHABLE' });
      expect(await rejection(send(ip, '/raft/state', tls))).toBeInstanceOf(Error);
    }
    expect(receive).not.toHaveBeenCalled();
  });

  test('and a secret, both are needed', async () => {
    const { ip } = await serve({ ...mutual, secret: SECRET });
    const other = await serve({ ...mutual, secret: SECRET });
    const half = await serve(mutual);
    expect(await ask(other.transport, ip)).toEqual(SNAPSHOT);
    expect(await ask(half.transport, ip)).toMatchObject({ code: 'UNAUTHORIZED' });
  });
});
