import type { ErrorReply, PeerSnapshot } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import {
  A,
  B,
  beat,
  C,
  CARRY,
  DEADLINE,
  forbidUnhandledRejections,
  H,
  L,
  LATENCY,
  Lab,
  LOSE,
  outcome,
  type Treatment,
} from './virtual.js';

forbidUnhandledRejections();

const refusal: ErrorReply = { code: 'OUT_OF_DATE', message: 'over', term: 1 };

/** Every way in which a transport can fail to bring an answer. */
const FAILURES: readonly (readonly [string, Treatment])[] = [
  ['never answers', LOSE],
  ['answers after the deadline', { does: 'carry', replyMs: DEADLINE + 1 }],
  ['answers undefined', { does: 'answer', reply: undefined }],
  ['answers null', { does: 'answer', reply: null }],
  ['answers a text', { does: 'answer', reply: 'ok' }],
  ['answers a list', { does: 'answer', reply: [] }],
  ['answers an empty object', { does: 'answer', reply: {} }],
  ['answers half of it', { does: 'answer', reply: { ip: B, term: 1 } }],
  ['answers a refusal', { does: 'answer', reply: refusal }],
  ['answers an unknown refusal', { does: 'answer', reply: { code: 'TEAPOT', message: 'short and stout' } }],
  ['throws at once', { does: 'throw', cause: new Error('not connected') }],
  ['throws undefined at once', { does: 'throw', cause: undefined }],
  ['rejects', { does: 'reject', cause: new Error('reset') }],
  ['rejects with undefined', { does: 'reject', cause: undefined }],
  ['rejects with a text', { does: 'reject', cause: 'reset' }],
  ['rejects with what cannot be shown', { does: 'reject', cause: Object.create(null) }],
  ['throws what cannot be shown', { does: 'throw', cause: Object.create(null) }],
];

describe.each(FAILURES)('a transport that %s', (_, treatment) => {
  test('ends a leadership as if the others were gone, and harms nothing', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    await lab.advance(2 * H);
    const heal = lab.network.treat((from) => (from === leader.ip ? treatment : null));
    await lab.until(() => !leader.node.isLeader(), L);
    heal();
    await lab.until(() => lab.leaders.length === 1, 5 * L);
    await lab.advance(2 * L);
    expect(lab.leaders).toHaveLength(1);
    expect(new Set(lab.peers.map(({ node }) => node.leader?.ip))).toEqual(new Set(lab.leaders));
    expect(lab.peers.flatMap(({ errors }) => errors)).toEqual([]);
    expect(lab.tooEarly).toEqual([]);
  });

  test('on the way to one of two others costs no leadership', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    lab.network.treat((from, to) => (from === leader.ip && to === followers[0].ip ? treatment : null));
    await lab.advance(10 * L);
    expect(lab.leaders).toEqual([leader.ip]);
    expect(leader.node.term).toBe(1);
    expect(leader.errors).toEqual([]);
  });

  test('leaves no timer for a request that has ended', async () => {
    if (treatment.does === 'lose' || treatment.does === 'carry') return;
    const lab = new Lab();
    const { leader } = await lab.elect();
    lab.network.treat((from) => (from === leader.ip ? treatment : null));
    await lab.advance(5 * H - LATENCY);
    expect(leader.host.timers).toBeLessThanOrEqual(3);
  });

  test('leaves no timers and no requests behind when the node stops', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    lab.network.treat((from) => (from === leader.ip ? treatment : null));
    await lab.advance(3 * H);
    const stopped = leader.node.stop();
    await lab.advance(DEADLINE + LATENCY);
    expect(await outcome(stopped)).toBe('resolved');
    expect(leader.host.timers).toBe(0);
  });
});

describe('a request', () => {
  test('is aborted at its deadline, below the leader timeout, with TIMEOUT', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    lab.network.isolate(leader.ip);
    await lab.advance(H);
    const { signal, at } = lab.sent(leader.ip, 'beat').at(-1)!;
    expect(DEADLINE).toBeLessThan(L);
    await lab.advance(at + DEADLINE - lab.now - 1);
    expect(signal.aborted).toBe(false);
    await lab.advance(1);
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toMatchObject({ code: 'TIMEOUT' });
  });

  test('that is answered is not aborted, neither then nor at its deadline nor by a stop', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    const first = lab.sent(leader.ip, 'beat')[0]!;
    await lab.advance(2 * DEADLINE);
    expect(first.signal.aborted).toBe(false);
    void leader.node.stop();
    await lab.advance(H);
    expect(first.signal.aborted).toBe(false);
  });

  test('is aborted with NOT_RUNNING when the node stops', async () => {
    const lab = new Lab();
    const { followers } = await lab.elect();
    const [follower] = followers;
    lab.network.isolate(follower.ip);
    await lab.until(() => lab.sent(follower.ip, 'preVote').length > 0);
    const { signal } = lab.sent(follower.ip, 'preVote').at(-1)!;
    await follower.node.stop();
    expect(signal.reason).toMatchObject({ code: 'NOT_RUNNING' });
  });

  test('that takes as long as the deadline allows is answered in time', async () => {
    const lab = new Lab();
    lab.network.treat((_from, _to, { type }) =>
      type === 'beat' ? { does: 'carry', replyMs: DEADLINE - 2 * LATENCY } : null,
    );
    await lab.start();
    await lab.until(() => lab.leaders.length === 1);
  });
});

describe('an answer', () => {
  test('after the deadline counts for nothing, though it would renew the lease', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    await lab.advance(H);
    lab.network.treat((from, _to, { type }) =>
      from === leader.ip && type === 'beat' ? { does: 'carry', replyMs: DEADLINE } : null,
    );
    const last = lab.now;
    await lab.until(() => !leader.node.isLeader(), 2 * L);
    expect(lab.now - last).toBeLessThan(L);
  });

  test('after the deadline bears no term that is adopted', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    await lab.advance(H);
    let late = 0;
    lab.network.treat((from, to, { type }) =>
      from === leader.ip &&
      type === 'beat' &&
      to === lab.peers.find((other) => other !== leader)!.ip &&
      late++ === 0
        ? { does: 'carry', replyMs: DEADLINE, alter: () => ({ ...refusal, term: 50 }) }
        : null,
    );
    await lab.advance(2 * L);
    expect(late).toBeGreaterThan(1);
    expect(leader.node.term).toBe(1);
    expect(lab.leaders).toEqual([leader.ip]);
  });

  test('that bears the ip of another counts for the peer that was asked, in votes and in beats (D6)', async () => {
    const lab = new Lab([A, B, C, 'd:1', 'e:1']);
    // All answer as if they were one and the same: counted by what they say, that would be no majority.
    lab.network.treat((_from, to) => ({
      does: 'carry',
      alter: (reply) => (to === A ? reply : { ...(reply as PeerSnapshot), ip: 'nobody:1' }),
    }));
    const { leader } = await lab.elect();
    await lab.advance(5 * L);
    expect(lab.leaders).toEqual([leader.ip]);
    expect(leader.node.peers.map(({ ip }) => ip)).toEqual([A, B, C, 'd:1', 'e:1']);
    expect(leader.errors).toEqual([]);
  });

  test('of one peer that bears the ips of the others is one vote, and one acknowledgement (D6)', async () => {
    const lab = new Lab([A, B, C, 'd:1', 'e:1']);
    const others = [B, C, 'd:1', 'e:1'];
    let turn = 0;
    lab.network.treat((from, to) => {
      if (from !== A && to !== A) return LOSE;
      if (to !== B && to !== A) return LOSE;
      return {
        does: 'carry',
        times: 3,
        alter: (reply) => ({ ...(reply as PeerSnapshot), ip: others[turn++ % 4]! }),
      };
    });
    await lab.start();
    await lab.advance(10 * L);
    expect(lab.peers.map(({ node }) => node.state)).not.toContain('LEADER');
    expect(lab.leaders).toEqual([]);
  });

  test('with a higher term unseats the leader, be it a reply or a refusal (D1)', async () => {
    for (const alter of [
      (reply: unknown) => ({ ...(reply as PeerSnapshot), term: 8 }),
      () => ({ ...refusal, term: 8 }),
    ]) {
      const lab = new Lab();
      const { leader } = await lab.elect();
      const heal = lab.network.treat((from, _to, { type }) =>
        from === leader.ip && type === 'beat' ? { does: 'carry', alter } : null,
      );
      await lab.until(() => leader.node.term === 8, 2 * H);
      heal();
      expect(leader.node.isLeader()).toBe(false);
      expect(leader.events.at(-1)).toBe(`leaderLost ${leader.ip} 1`);
    }
  });

  test('that is malformed is as none: no term of it is adopted', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    const beats = (alter: (reply: PeerSnapshot) => unknown): Treatment => ({
      does: 'carry',
      alter: (reply) => alter(reply as PeerSnapshot),
    });
    const treatments = [
      beats((reply) => ({ ...reply, term: 2 ** 53 })),
      beats((reply) => ({ ...reply, term: 9, state: 'KING' })),
      beats((reply) => ({ ...reply, term: 9, ip: '' })),
      beats((reply) => ({ ...reply, term: 9, requestTerm: -1 })),
      beats(() => ({ code: 'OUT_OF_DATE', term: 9 })),
      beats(() => ({ code: 'OUT_OF_DATE', message: 'over', term: '9' })),
      beats(() => ({ code: 'TEAPOT', message: 'short and stout', term: 9 })),
      beats((reply) => [{ ...reply, term: 9 }]),
    ];
    for (const treatment of treatments) {
      const heal = lab.network.treat((from, to, { type }) =>
        from === leader.ip && type === 'beat' && to !== lab.peers.find((other) => other !== leader)!.ip
          ? treatment
          : null,
      );
      await lab.advance(2 * H);
      heal();
      expect([leader.node.term, leader.node.isLeader()]).toEqual([1, true]);
    }
  });
});

describe('a request that arrives', () => {
  test('twice is answered twice and changes nothing the second time', async () => {
    const lab = new Lab();
    lab.network.treat(() => ({ does: 'carry', times: 3 }));
    const { leader } = await lab.elect();
    await lab.advance(5 * L);
    expect(lab.leaders).toEqual([leader.ip]);
    expect(lab.peers.map(({ node }) => node.term)).toEqual([1, 1, 1]);
    expect(lab.peers.map(({ store }) => store.state)).toEqual(
      Array(3).fill({ term: 1, voteFor: leader.ip, promisedMs: expect.any(Number) }),
    );
    expect(lab.tooEarly).toEqual([]);
  });

  test('long after it was sent changes nothing', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    const [vote] = lab.sent(leader.ip, 'vote');
    lab.network.isolate(leader.ip);
    await lab.until(() => lab.leaders.length === 1 && lab.leaders[0] !== leader.ip);
    for (const { ip, node } of followers) {
      expect(await lab.network.receive(ip, vote!.request)).toMatchObject({ granted: false, term: 2 });
      expect(node.term).toBe(2);
    }
    expect(await lab.network.receive(lab.leaders[0]!, beat(leader.ip, 1))).toMatchObject({
      code: 'OUT_OF_DATE',
      term: 2,
    });
    expect(lab.leaders).toHaveLength(1);
  });

  test('from a stranger is refused, and nothing changes (D6)', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    for (const { ip } of [leader, followers[0]]) {
      for (const type of ['vote', 'beat', 'transfer'] as const) {
        const reply = await lab.network.receive(ip, { ...beat('nobody:1', 9), type });
        expect(reply).toMatchObject({ code: 'UNKNOWN_PEER', message: 'can not find peer: nobody:1' });
      }
      expect(lab.node(ip).term).toBe(1);
      expect(lab.node(ip).peers).toHaveLength(3);
    }
    expect(lab.leaders).toEqual([leader.ip]);
  });
});

test('a cluster on lossy lines has one leader at a time, and never sends before it saved', async () => {
  const lab = new Lab([A, B, C, 'd:1', 'e:1']);
  let draw = 1;
  lab.network.treat(() => {
    draw = (draw * 48_271) % 2_147_483_647;
    const roll = draw / 2_147_483_647;
    if (roll < 0.1) return LOSE;
    if (roll < 0.2) return { does: 'loseReply' };
    if (roll < 0.3) return { does: 'carry', times: 2, replyMs: 50 };
    return CARRY;
  });
  const seen: number[] = [];
  await lab.start();
  await lab.world.until(() => {
    seen.push(lab.leaders.length);
    return false;
  }, 30 * L);
  expect(Math.max(...seen)).toBe(1);
  expect(lab.tooEarly).toEqual([]);
  expect(lab.peers.flatMap(({ errors }) => errors)).toEqual([]);
});
