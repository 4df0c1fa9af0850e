import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { RaftNode, type RaftStore, type StoredState } from 'raftbeat';
import { HttpTransport } from 'raftbeat/http';
import { afterEach, describe, expect, test } from 'vitest';
import { AUTH_HEADER, HttpAuth } from '../../src/transports/http-auth.js';
import { freeAddress } from '../transports/ports.js';
import { anyJson, FUZZ, prototypes } from './hostile.js';
import { exchange, post, type RawResponse, responses } from './raw.js';
import { type Attack, attack, BODY_LIMIT, pieces, TYPE } from './requests.js';

const SECRET = 'a secret of some length';
/** Each takes a connection, and many the patience of the client. */
const ATTACKS = Math.ceil(FUZZ.numRuns / 2);
/** How many attacks go on at the same time. */
const TOGETHER = 16;

const cleanups: (() => unknown)[] = [];
const strays: unknown[] = [];
const stray = (error: unknown): void => {
  strays.push(error);
};
process.on('unhandledRejection', stray).on('uncaughtException', stray);

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  expect(strays.splice(0)).toEqual([]);
});

/** A node whose start wait outlasts the test, so that nothing in it changes by itself; `look` shows all of it. */
async function target(secret?: string) {
  const ip = await freeAddress();
  const saves: StoredState[] = [];
  const store: RaftStore = {
    durable: true,
    open: async () => ({ term: 3, voteFor: null, promisedMs: 0 }),
    save: async (state) => {
      saves.push(state);
    },
    close: async () => {},
  };
  const node = new RaftNode({
    ip,
    // None of whom the arbitrary messages come from: they are all strangers.
    members: [ip, 'm:1', 'n:1'],
    transport: new HttpTransport({ bodyLimitBytes: BODY_LIMIT, ...(secret === undefined ? {} : { secret }) }),
    store,
    leaderTimeoutMs: 3_600_000,
  });
  const told: string[] = [];
  for (const name of ['stateChange', 'leaderLost', 'leaderElectFinished', 'makeLeader', 'error'] as const) {
    node.on(name, () => told.push(name));
  }
  cleanups.push(() => node.stop());
  await node.start();
  const look = (): unknown =>
    structuredClone({
      peers: node.peers.map(({ ip, state, term, voteFor }) => ({ ip, state, term, voteFor })),
      ...{ state: node.state, term: node.term, leader: node.leader, leads: node.isLeader(), saves, told },
    });
  return { ip, look };
}

/** The codes that a peer may answer with to whatever is thrown at it from outside. */
const CODES: ReadonlySet<string> = new Set([
  ...[
    'BAD_REQUEST',
    'TOO_LARGE',
    'UNAUTHORIZED',
    'UNKNOWN_PEER',
    'DUPLICATE_PEER',
    'INVALID_STATE',
    'OUT_OF_DATE',
  ],
  ...['REFUSED_TRANSFER', 'NOT_A_VOTER', 'BUSY', 'UNREACHABLE'],
]);

/** What the server of Node itself refuses has no body, or one that is no JSON. */
function expectHarmless({ status, head, body }: RawResponse): void {
  if (!/content-type: application\//i.test(head)) {
    expect([100, 400, 408, 413, 417, 431, 505]).toContain(status);
    return;
  }
  if (body === '') return;
  const reply = JSON.parse(body) as { readonly code?: string };
  if (reply.code !== undefined) expect(CODES).toContain(reply.code);
}

async function expectServed(ip: string): Promise<void> {
  const answer = await exchange(ip, [`GET /raft/peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`]);
  expect(responses(answer.text)).toMatchObject([{ status: 200 }]);
}

/** `count` values, the same ones for the same seed. */
function drawn<T>(arbitrary: fc.Arbitrary<T>, count: number, seed = FUZZ.seed): readonly T[] {
  return fc.sample(arbitrary, { numRuns: count, seed });
}

async function inGroups<T>(all: readonly T[], run: (one: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < all.length; at += TOGETHER) {
    await Promise.all(all.slice(at, at + TOGETHER).map(run));
  }
}

async function carryOut(ip: string, one: Attack): Promise<void> {
  const { text } = await exchange(ip, pieces(one), { ends: one.ends, gapMs: one.cuts.length > 0 ? 2 : 0 });
  try {
    for (const response of responses(text, /^HEAD /.test(one.bytes.toString('latin1'))))
      expectHarmless(response);
  } catch (cause) {
    const what = `${one.name}, ends ${one.ends}: ${JSON.stringify(one.bytes.toString('latin1').slice(0, 300))}`;
    throw new Error(`${what} got ${JSON.stringify(text.slice(0, 300))}`, { cause });
  }
}

describe.each([
  ['without a secret', undefined],
  ['with a secret', SECRET],
])(`http %s, seed ${FUZZ.seed}`, (_, secret) => {
  test('raw bytes of all kinds are refused, change nothing, and the next request is answered', async () => {
    const { ip, look } = await target(secret);
    const before = { peer: look(), prototypes: prototypes() };
    await inGroups(drawn(attack, ATTACKS), async (one) => {
      await carryOut(ip, one);
    });
    expect({ peer: look(), prototypes: prototypes() }).toEqual(before);
    await expectServed(ip);
  });

  test('clients that send a byte now and then keep nobody else waiting', async () => {
    const { ip, look } = await target(secret);
    const before = look();
    const slow = drawn(attack, 20, FUZZ.seed + 1).map(async ({ bytes }) => {
      const drips = [...bytes.subarray(0, 60)].map((byte) => Buffer.from([byte]));
      await exchange(ip, drips, { ends: false, gapMs: 5 });
    });
    for (let count = 0; count < 10; count++) await expectServed(ip);
    await Promise.all(slow);
    await expectServed(ip);
    expect(look()).toEqual(before);
  });
});

test('requests that were overheard, and those that were altered, are not let in', async () => {
  const { ip, look } = await target(SECRET);
  const auth = new HttpAuth(SECRET, 30_000);
  const before = look();
  const signed = (body: Buffer, to = ip): Buffer => {
    const { header } = auth.sign({ method: 'POST', path: '/raft/peer', to, body });
    const headers = { 'content-type': TYPE, [AUTH_HEADER]: header, 'content-length': String(body.length) };
    return post('/raft/peer', headers, body);
  };
  const statusOf = async (bytes: Buffer): Promise<number | undefined> =>
    responses((await exchange(ip, [bytes])).text)[0]?.status;
  const good = signed(Buffer.from('{"type":"peer"}'));
  expect(await statusOf(good)).toBe(200);
  expect(await statusOf(good)).toBe(401);
  expect(await statusOf(signed(Buffer.from('{"type":"peer"}'), 'm:1'))).toBe(401);
  const flips = drawn(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), Math.min(FUZZ.numRuns, 200));
  await inGroups(flips, async ([place, mask]) => {
    const body = Buffer.from('{"type":"peer","id":12345}');
    const bytes = signed(body);
    const at = bytes.length - 1 - (place % body.length);
    bytes[at] = (bytes[at] ?? 0) ^ mask;
    expect(await statusOf(bytes)).toBe(401);
  });
  const bodies = drawn(anyJson, Math.min(FUZZ.numRuns, 200)).map((value) => JSON.stringify(value));
  await inGroups(bodies, async (text) => {
    for (const response of responses((await exchange(ip, [signed(Buffer.from(text))])).text)) {
      expectHarmless(response);
    }
  });
  expect(look()).toEqual(before);
  await expectServed(ip);
});

test('memory stays bounded over many requests', async () => {
  const { ip } = await target();
  const attacks = drawn(attack, 200, FUZZ.seed + 2).filter(({ ends }) => ends);
  const round = (): Promise<void> => inGroups(attacks, (one) => carryOut(ip, { ...one, cuts: [] }));
  await round();
  const before = heapBytes();
  for (let count = 0; count < 8; count++) await round();
  expect(heapBytes() / before).toBeLessThan(1.2);
});

/** The heap, and the buffers beside it, after a collection. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
