import * as http from 'node:http';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { HttpAuth } from '../../src/transports/http-auth.js';
import { WebSocketTransport } from '../../src/transports/websocket.js';
import { Handshake } from '../../src/transports/websocket-handshake.js';
import { Seal } from '../../src/transports/websocket-seal.js';
import { cleanups, listening, PEER, SNAPSHOT } from '../transports/http-kit.js';
import { introduction, peer } from '../transports/websocket-kit.js';
import { asked, BODY_LIMIT, message, type Piece, piece } from './frames.js';
import { FUZZ, prototypes } from './hostile.js';
import {
  cutAt,
  farewellIn,
  headersIn,
  type RawConnection,
  rawConnection,
  statusIn,
  textsIn,
} from './raw-link.js';
import { isProper, SECRET, upgrade, written } from './upgrades.js';

const strays: unknown[] = [];
const stray = (error: unknown): void => {
  strays.push(error);
};
process.on('unhandledRejection', stray).on('uncaughtException', stray);

afterEach(() => {
  expect(strays.splice(0)).toEqual([]);
});

const places = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 });

/** A started transport, and what each peer asked it. */
async function target(secret?: string) {
  const server = http.createServer();
  const options = { server, bodyLimitBytes: BODY_LIMIT, ...(secret === undefined ? {} : { secret }) };
  const ip = await listening(server);
  const transport = new WebSocketTransport(options);
  cleanups.push(() => transport.stop());
  const received = new Map<string, string[]>();
  await transport.start(ip, async (request, from) => {
    received.set(from, [...(received.get(from) ?? []), JSON.stringify(request) ?? '']);
    return SNAPSHOT;
  });
  const connections = (): Promise<number> =>
    new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
  const expectServing = async (): Promise<void> => {
    await expect.poll(connections).toBe(0);
    const other = await peer(secret === undefined ? {} : { secret });
    expect(await other.ask(ip)).toEqual(SNAPSHOT);
  };
  /** Asks a peer that may never answer, and forgets what it says. */
  const ask = (to: string): Promise<unknown> =>
    transport.request(to, PEER, { signal: new AbortController().signal }).catch(() => {});
  return { ip, received, ask, expectServing };
}

/** Connects as a peer does. */
async function called(ip: string, headers: Readonly<Record<string, string>>): Promise<RawConnection> {
  const connection = rawConnection(ip);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = 'host: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n';
  const key = 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
  await connection.send([Buffer.from(`GET /raft/link HTTP/1.1\r\n${head}${key}${lines.join('')}\r\n`)]);
  expect(await connection.until(statusIn)).toBe(101);
  return connection;
}

describe.each([
  ['without a secret', undefined],
  ['with a secret', SECRET],
])(`websocket %s, seed ${FUZZ.seed}`, (_, secret) => {
  test('connections are taken of those alone who introduce themselves as a peer does', async () => {
    const { ip, expectServing } = await target(secret);
    const before = prototypes();
    await fc.assert(
      fc.asyncProperty(upgrade, async ({ parts, tail, places, share }) => {
        const request = Buffer.from(written(parts, ip), 'latin1');
        const sent = share < 1 ? request.subarray(0, share * request.length) : Buffer.concat([request, tail]);
        const call = async (): Promise<number | null> => {
          const connection = rawConnection(ip);
          await connection.send(cutAt(sent, places));
          if (share < 1) connection.end();
          const status = await connection.until(statusIn);
          connection.destroy();
          return status;
        };
        const isTaken = share === 1 && isProper(parts, secret !== undefined);
        expect((await call()) === 101).toBe(isTaken);
        if (secret !== undefined && isTaken) expect(await call()).toBe(401);
      }),
      FUZZ,
    );
    expect(prototypes()).toEqual(before);
    await expectServing();
  });
});

test(`what comes over a connection is received as it was asked, until the first fault, seed ${FUZZ.seed}`, async () => {
  const { ip, received, ask, expectServing } = await target();
  const before = prototypes();
  let strangers = 0;
  const attack = async (pieces: readonly Piece[], places: readonly number[]): Promise<void> => {
    const name = `stranger ${strangers++}`;
    const connection = await called(ip, introduction(ip, encodeURIComponent(name)));
    const answered = ask(name);
    const end = { q: Number.MIN_SAFE_INTEGER, m: 'the end' };
    const last: Piece = { bytes: message(JSON.stringify(end)), text: JSON.stringify(end), isLast: false };
    const all = [...pieces, last];
    await connection.send(cutAt(Buffer.concat(all.map(({ bytes }) => bytes)), places));
    const faulty = all.findIndex(({ isLast }) => isLast);
    if (faulty >= 0) await connection.until(farewellIn);
    else
      await connection.until((read) => textsIn(read).some((text) => text.includes(`"a":${end.q}`)) || null);
    const questions = all.slice(0, faulty < 0 ? all.length : faulty).flatMap((one) => asked(one) ?? []);
    expectAsked(received.get(name) ?? [], questions);
    connection.end();
    await connection.until(() => null);
    await answered;
  };
  await fc.assert(fc.asyncProperty(fc.array(piece, { maxLength: 12 }), places, attack), FUZZ);
  expect(prototypes()).toEqual(before);
  await expectServing();
});

/** A question may be refused when its number is that of another one, which may be answered already, or not. */
function expectAsked(
  received: readonly string[],
  questions: readonly { readonly id: number; readonly request: string }[],
): void {
  const requests = questions.map(({ request }) => request);
  const isEachOnce = new Set(questions.map(({ id }) => id)).size === questions.length;
  if (isEachOnce) expect(received).toEqual(requests);
  const rest = requests[Symbol.iterator]();
  for (const request of received) {
    let next = rest.next();
    while (next.done !== true && next.value !== request) next = rest.next();
    expect(next.done).not.toBe(true);
  }
}

const tampering = fc.record({
  how: fc.constantFrom('change', 'repeat', 'swap', 'drop', 'cut', 'unseal', 'reseal', 'reflect'),
  at: fc.nat(),
  place: fc.nat(),
  by: fc.integer({ min: 1, max: 93 }),
});
type Tampering = typeof tampering extends fc.Arbitrary<infer T> ? T : never;

/** The messages as somebody between the peers leaves them; `back` is what the other end sent. */
function tampered(
  sealed: readonly string[],
  { how, at, place, by }: Tampering,
  back: string,
): readonly string[] {
  const index = at % sealed.length;
  const one = sealed[index] ?? '';
  const other = (index + place) % sealed.length;
  const instead = (...texts: readonly string[]) => sealed.toSpliced(index, 1, ...texts);
  const changed = place % Math.max(1, one.length);
  switch (how) {
    case 'change':
      return instead(one.slice(0, changed) + turned(one.charAt(changed), by) + one.slice(changed + 1));
    case 'repeat':
      return sealed.toSpliced(other, 0, one);
    case 'swap':
      return instead(sealed[other] ?? '').with(other, one);
    case 'drop':
      return instead();
    case 'cut':
      return instead(one.slice(0, changed));
    case 'unseal':
      return instead(one.slice(43));
    case 'reseal':
      return instead(new Seal(Buffer.alloc(32), 'dialer').close(one.slice(43)));
    case 'reflect':
      return instead(back);
  }
}

/** Another visible character. */
function turned(character: string, by: number): string {
  return String.fromCharCode(33 + ((character.charCodeAt(0) - 33 + by) % 94));
}

test(`of sealed messages those alone are received that come as they were sent, seed ${FUZZ.seed}`, async () => {
  const { ip, received, ask, expectServing } = await target(SECRET);
  let members = 0;
  const attack = async (count: number, all: readonly Tampering[]): Promise<void> => {
    const name = `m${members++}`;
    const auth = new HttpAuth(SECRET, 30_000);
    const { headers, taken } = new Handshake('/raft/link', { ip: name, process: '1' }, auth).call(ip);
    const connection = await called(ip, headers);
    const answer = await connection.until((read) => ({ headers: headersIn(read) }));
    const { seal } = taken(answer as http.IncomingMessage);
    await connection.send([message(seal?.close('{"q":-1,"m":{"id":-1}}') ?? '')]);
    const back = (await connection.until((read) => textsIn(read)[0] ?? null)) ?? '';
    const answered = ask(name);
    const frames = Array.from({ length: count }, (_, id) => JSON.stringify({ q: id, m: { id } }));
    const sealed = frames.map((frame) => seal?.close(frame) ?? '');
    const sent = all.reduce<readonly string[]>(
      (texts, one) => (texts.length > 0 ? tampered(texts, one, back) : texts),
      sealed,
    );
    const proven = [...sent, null].findIndex((text, at) => text !== sealed[at]);
    const isTampered = proven < sent.length;
    await connection.send([Buffer.concat(sent.map(message))]);
    if (isTampered) await connection.until(farewellIn);
    else await connection.until((read) => textsIn(read).length > 1 + proven || null);
    const ids = [-1, ...sealed.slice(0, proven).keys()];
    expect(received.get(name)).toEqual(ids.map((id) => JSON.stringify({ id })));
    connection.end();
    await connection.until(() => null);
    await answered;
  };
  const tamperings = fc.array(tampering, { maxLength: 3 });
  await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 6 }), tamperings, attack), FUZZ);
  await expectServing();
});
