import { RaftError, type RaftRequest } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { Holds } from '../../src/node/holds.js';
import { A, B, C, forbidUnhandledRejections, H, outcome, settle, World } from './virtual.js';

forbidUnhandledRejections();

const HELD = { held: true };

interface Asked {
  readonly to: string;
  readonly request: RaftRequest;
  readonly answer: (reply: unknown) => void;
  readonly fail: (cause: unknown) => void;
}

/** The holds of A, before peers that answer when a test says so. */
function holds() {
  const world = new World();
  const asked: Asked[] = [];
  const lost: string[] = [];
  const own = new Holds({
    ip: A,
    clock: world.host(),
    heartbeatMs: H,
    ask: (to, request) =>
      new Promise((answer, fail) => {
        asked.push({ to, request, answer, fail });
      }),
    lost: (ip) => lost.push(ip),
  });
  const newest = (): Asked => asked.at(-1) as Asked;
  const answer = async (reply: unknown): Promise<void> => {
    newest().answer(reply);
    await settle();
  };
  const fail = async (cause: unknown): Promise<void> => {
    newest().fail(cause);
    await settle();
  };
  return { world, own, asked, lost, newest, answer, fail };
}

const lostConnection = new RaftError('UNREACHABLE', 'the connection was closed');

describe('a follower', () => {
  test('asks its leader first whether it holds, and then to be held', async () => {
    const { own, asked, answer } = holds();
    own.follow(B);
    await answer(HELD);
    expect(asked.map(({ to, request }) => [to, request])).toEqual([
      [B, { type: 'hold', ip: A, wait: false }],
      [B, { type: 'hold', ip: A, wait: true }],
    ]);
  });

  test('tells of the end of what was held, once', async () => {
    const { own, lost, answer, fail } = holds();
    own.follow(B);
    await answer(HELD);
    expect(lost).toEqual([]);
    await fail(lostConnection);
    expect(lost).toEqual([B]);
  });

  test('takes the word of a leader that stops for its end', async () => {
    const { own, lost, answer } = holds();
    own.follow(B);
    await answer(HELD);
    await answer({ code: 'NOT_RUNNING', message: 'stopped' });
    expect(lost).toEqual([B]);
  });

  test.each([HELD, { code: 'BUSY', message: 'no room' }])(
    'takes the answer %j for a sign of life',
    async (reply) => {
      const { own, lost, answer, asked, world } = holds();
      own.follow(B);
      await answer(HELD);
      await answer(reply);
      expect(lost).toEqual([]);
      await world.advance(H);
      expect(asked).toHaveLength(3);
    },
  );

  test('takes one that it never reached for one that it was never connected to, and asks again', async () => {
    const { own, lost, asked, fail, world } = holds();
    own.follow(B);
    await fail(lostConnection);
    expect([lost, asked.length]).toEqual([[], 1]);
    await world.advance(H);
    expect(asked).toHaveLength(2);
  });

  test('does not ask again one that holds nothing', async () => {
    const { own, asked, answer, world } = holds();
    own.follow(B);
    await answer({ code: 'UNSUPPORTED', message: 'not here' });
    await world.advance(10 * H);
    expect(asked).toHaveLength(1);
  });

  test('holds again after a loss, if it follows the same leader still', async () => {
    const { own, asked, answer, fail, world } = holds();
    own.follow(B);
    await answer(HELD);
    await fail(lostConnection);
    await world.advance(H);
    expect(asked.slice(2).map(({ request }) => request)).toEqual([{ type: 'hold', ip: A, wait: false }]);
  });

  test('forgets what it began with a former leader', async () => {
    const { own, asked, lost, newest, answer, fail, world } = holds();
    own.follow(B);
    const probe = newest();
    own.follow(C);
    probe.answer(HELD);
    await answer(HELD);
    expect(asked.map(({ to }) => to)).toEqual([B, C, C]);
    own.follow(null);
    await fail(lostConnection);
    await world.advance(H);
    expect([lost, asked.length]).toEqual([[], 3]);
  });

  test('does not ask a former leader again that it could not reach', async () => {
    const { own, asked, newest, answer, world } = holds();
    own.follow(B);
    const probe = newest();
    own.follow(C);
    await answer(HELD);
    probe.fail(lostConnection);
    await settle();
    await world.advance(H);
    expect(asked.map(({ to }) => to)).toEqual([B, C, C]);
  });

  test('does not ask itself, nor anybody while nobody leads', async () => {
    const { own, asked } = holds();
    own.follow(A);
    own.follow(null);
    expect(asked).toEqual([]);
  });
});

describe('a leader', () => {
  const wait = { ip: B, wait: true } as const;

  test('answers at once who only asks, and holds who waits until it is gone', async () => {
    const { own, lost } = holds();
    const { signal } = new AbortController();
    const gone = new AbortController();
    expect(await own.received({ ip: B, wait: false }, signal)).toEqual(HELD);
    const held = own.received(wait, gone.signal);
    expect([await outcome(held), lost]).toEqual(['pending', []]);
    gone.abort();
    expect([await outcome(held), lost]).toEqual(['resolved', [B]]);
  });

  test('tells of one that is gone before it was held', async () => {
    const { own, lost } = holds();
    await own.received(wait, AbortSignal.abort());
    expect(lost).toEqual([B]);
  });

  test('holds one request of each follower: the newest', async () => {
    const { own, lost } = holds();
    const [first, second] = [new AbortController(), new AbortController()];
    const former = own.received(wait, first.signal);
    const held = own.received(wait, second.signal);
    expect(await former).toEqual(HELD);
    first.abort();
    expect([await outcome(held), lost]).toEqual(['pending', []]);
    second.abort();
    expect([await held, lost]).toEqual([HELD, [B]]);
  });

  test('refuses what its transport cannot tell the end of', async () => {
    const { own } = holds();
    await expect(own.received(wait, undefined)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  test('says so when it stops, and tells of no loss', async () => {
    const { own, lost } = holds();
    const gone = new AbortController();
    const held = own.received(wait, gone.signal);
    own.stop(new RaftError('NOT_RUNNING', 'stopped'));
    await expect(held).rejects.toMatchObject({ code: 'NOT_RUNNING' });
    gone.abort();
    expect(lost).toEqual([]);
  });
});
