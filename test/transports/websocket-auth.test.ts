import * as http from 'node:http';
import { describe, expect, test } from 'vitest';
import { Seal } from '../../src/transports/websocket-seal.js';
import { answerPeer, listening, member, PEER, rejection, SECRET, SNAPSHOT } from './http-kit.js';
import { dialed, introduction, peer, peerBy } from './websocket-kit.js';

const KEY = Buffer.alloc(32, 7);

function seals() {
  return { dialer: new Seal(KEY, 'dialer'), taker: new Seal(KEY, 'taker') };
}

describe('A seal', () => {
  test('opens at the other end, in the order of sending, each way', () => {
    const { dialer, taker } = seals();
    const texts = ['{"q":1}', '', 'ü🙂'];
    expect(texts.map((text) => taker.open(dialer.close(text)))).toEqual(texts);
    expect(texts.map((text) => dialer.open(taker.close(text)))).toEqual(texts);
  });

  test.each<[string, (sent: readonly string[]) => string]>([
    ['was changed', ([first = '']) => `${first.slice(0, -1)}!`],
    ['was cut short', ([first = '']) => first.slice(0, 20)],
    ['is out of its order', ([, second = '']) => second],
    ['is empty', () => ''],
  ])('does not open when the text %s', (_, change) => {
    const { dialer, taker } = seals();
    expect(taker.open(change([dialer.close('one'), dialer.close('two')]))).toBeNull();
  });

  test('does not open a second time, nor at the end that sent it, nor with another key', () => {
    const { dialer, taker } = seals();
    const sent = dialer.close('one');
    expect(new Seal(KEY, 'dialer').open(sent)).toBeNull();
    expect(new Seal(Buffer.alloc(32, 8), 'taker').open(sent)).toBeNull();
    expect(taker.open(sent)).toBe('one');
    expect(taker.open(sent)).toBeNull();
  });
});

describe('With a secret', () => {
  test('peers that share it speak to each other, both ways', async () => {
    const [a, b] = [await peer({ secret: SECRET }), await peer({ secret: SECRET })];
    for (let round = 0; round < 3; round++) {
      expect(await a.ask(b.ip)).toEqual(SNAPSHOT);
      expect(await b.ask(a.ip)).toEqual(SNAPSHOT);
    }
  });

  test.each([
    ['does not know it', undefined],
    ['knows another', 'another secret of some length'],
  ])('a peer that %s is not spoken to', async (_, secret) => {
    const b = await peer({ secret: SECRET });
    const a = await peer(secret === undefined ? {} : { secret });
    expect((await rejection(a.ask(b.ip))).code).toBe('UNAUTHORIZED');
    expect((await rejection(b.ask(a.ip))).code).toBe('UNAUTHORIZED');
  });

  test('a call is taken once: who repeats it is refused', async () => {
    const b = await peer({ secret: SECRET });
    const calls: http.IncomingHttpHeaders[] = [];
    const spy = await listening(
      http.createServer().on('upgrade', ({ headers }, socket) => {
        calls.push(headers);
        socket.destroy();
      }),
    );
    const a = await peer({ secret: SECRET, address: (ip) => (ip === b.ip ? spy : ip) });
    await rejection(a.ask(b.ip));
    const headers = { ...introduction(b.ip, encodeURIComponent(a.ip)) };
    for (const name of ['x-raftbeat-process', 'x-raftbeat-auth']) headers[name] = String(calls[0]?.[name]);
    expect((await dialed(b.ip, headers)).status).toBe(101);
    expect((await dialed(b.ip, headers)).status).toBe(401);
  });

  test('nothing is asked over a call that was repeated, though its taker was started again', async () => {
    const b = await peer({ secret: SECRET });
    const { a, way } = await peerBy(b.ip, { secret: SECRET });
    let call = Buffer.alloc(0);
    way.passed = (data) => {
      call = Buffer.concat([call, data]);
    };
    await a.ask(b.ip);
    await b.transport.stop();
    await b.transport.start(b.ip, answerPeer);
    const names = ['x-raftbeat-ip', 'x-raftbeat-process', 'x-raftbeat-to', 'x-raftbeat-auth'];
    const headers = names.map((name) => [
      name,
      new RegExp(`${name}: (.*)\r`, 'i').exec(String(call))?.[1] ?? '',
    ]);
    expect((await dialed(b.ip, Object.fromEntries(headers))).status).toBe(101);
    expect(await b.ask(a.ip)).toEqual(SNAPSHOT);
  });

  test('who dialed proves to be there at once, though it has nothing to ask any more', async () => {
    const a = await peer({ secret: SECRET });
    const b = await peer({ secret: SECRET, address: (ip) => (ip === a.ip ? 'nowhere' : ip) });
    const abort = new AbortController();
    const asked = rejection(a.ask(b.ip, PEER, abort.signal));
    abort.abort();
    expect((await asked).code).toBe('ABORTED');
    await expect.poll(() => b.ask(a.ip).catch(() => null)).toEqual(SNAPSHOT);
  });

  test('what comes over a connection without its proof ends it, and is not received', async () => {
    const received: unknown[] = [];
    const b = await peer({ secret: SECRET }, async (request, from) => {
      received.push(request);
      return answerPeer(request, from);
    });
    const { a, way } = await peerBy(b.ip, { secret: SECRET });
    await a.ask(b.ip);
    const frame = Buffer.from(JSON.stringify({ q: 99, m: PEER }));
    // A final frame of text with a mask of zeros, as RFC 6455 has it.
    way.inject(Buffer.concat([Buffer.from([0x81, 0x80 | frame.length, 0, 0, 0, 0]), frame]));
    await way.ended();
    expect(received).toHaveLength(1);
  });
});

describe('Over TLS', () => {
  test('peers speak to each other when they trust each other, with certificates if asked for', async () => {
    const { ca, key, cert } = member();
    const tls = { ca, key, cert, requestCert: true };
    const [a, b] = [await peer({ tls }), await peer({ tls })];
    expect(await a.ask(b.ip)).toEqual(SNAPSHOT);
    expect(await b.ask(a.ip)).toEqual(SNAPSHOT);
    const stranger = await peer({ tls: { ca }, listen: false });
    expect((await rejection(stranger.ask(b.ip))).code).toBe('UNREACHABLE');
  });

  test('a peer whose certificate nobody knows is not spoken to', async () => {
    const { key, cert } = member();
    const b = await peer({ tls: { key, cert } });
    const a = await peer({ tls: { key, cert } });
    expect((await rejection(a.ask(b.ip))).code).toBe('UNREACHABLE');
  });

  test('a web socket without TLS is not spoken to', async () => {
    const { ca, key, cert } = member();
    const a = await peer({ tls: { ca, key, cert } });
    const b = await peer();
    expect((await rejection(a.ask(b.ip))).code).toBe('UNREACHABLE');
    expect((await rejection(b.ask(a.ip))).code).toBe('UNREACHABLE');
  });
});
