import type { PeerSnapshot } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import {
  A,
  B,
  beat,
  C,
  DEADLINE,
  forbidUnhandledRejections,
  H,
  HOLD,
  L,
  LATENCY,
  Lab,
  LEASE,
  LOSE,
  outcome,
  settle,
} from './virtual.js';

forbidUnhandledRejections();

describe('who leads', () => {
  test('is nobody before the start', () => {
    const { node } = new Lab().peer(A);
    expect([node.ip, node.state, node.term, node.leader, node.fencingToken, node.isLeader()]).toEqual([
      A,
      'FOLLOWER',
      0,
      null,
      null,
      false,
    ]);
    expect(node.peers.map(({ ip }) => ip)).toEqual([A, B, C]);
  });

  test('is told alike by all: one leads, with its term for a token, and the others know it', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    expect(lab.leaders).toEqual([leader.ip]);
    expect([leader.node.state, leader.node.term, leader.node.fencingToken]).toEqual(['LEADER', 1, 1]);
    for (const { node } of followers) {
      expect([node.state, node.term, node.fencingToken]).toEqual(['FOLLOWER', 1, null]);
      expect(node.leader).toMatchObject({ ip: leader.ip, term: 1, state: 'LEADER' });
    }
    expect(leader.node.leader).toMatchObject({ ip: leader.ip, term: 1, state: 'LEADER' });
    expect(lab.tooEarly).toEqual([]);
  });

  test('stays as it is while nothing fails', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    await lab.advance(50 * L);
    expect(lab.leaders).toEqual([leader.ip]);
    expect(lab.peers.map(({ node }) => node.term)).toEqual([1, 1, 1]);
    expect(lab.peers.flatMap(({ errors }) => errors)).toEqual([]);
  });

  test('is nobody on a winner that holds no lease yet', async () => {
    const lab = new Lab();
    lab.network.treat((_from, _to, { type }) => (type === 'beat' ? HOLD : null));
    await lab.start();
    await lab.until(() => lab.peers.some(({ node }) => node.state === 'LEADER'));
    const winner = lab.peers.find(({ node }) => node.state === 'LEADER')!;
    expect([winner.node.isLeader(), winner.node.leader, winner.node.fencingToken]).toEqual([
      false,
      null,
      null,
    ]);
    const waiting = winner.node.waitForLeader();
    expect(await outcome(waiting)).toBe('pending');
    lab.network.release();
    await lab.advance(2 * LATENCY);
    expect([winner.node.isLeader(), winner.node.leader?.ip, winner.node.fencingToken]).toEqual([
      true,
      winner.ip,
      1,
    ]);
    expect((await waiting).ip).toBe(winner.ip);
  });

  test('ends with the lease, which counts from the sending of the last beat that a majority acknowledged', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    await lab.advance(5 * H);
    lab.network.isolate(leader.ip);
    const last = lab.answered(lab.peers.find((peer) => peer !== leader)!.ip, 'beat').at(-1)!;
    const sentAt = last.at - LATENCY;
    expect(leader.node.leaseLeftMs).toBeCloseTo(sentAt + LEASE - lab.now, 6);
    await lab.advance(sentAt + Math.floor(LEASE) - lab.now);
    expect(leader.node.leaseLeftMs).toBeCloseTo(LEASE - Math.floor(LEASE), 6);
    expect([leader.node.isLeader(), leader.node.leader?.ip, leader.node.fencingToken]).toEqual([
      true,
      leader.ip,
      1,
    ]);
    await lab.advance(1);
    expect([leader.node.isLeader(), leader.node.leader, leader.node.fencingToken]).toEqual([
      false,
      null,
      null,
    ]);
    expect(leader.node.state).toBe('FOLLOWER');
    expect(leader.node.leaseLeftMs).toBe(0);
  });

  test('has no lease left where it does not lead, does not run, or has stopped', async () => {
    const lab = new Lab();
    expect(lab.node(A).leaseLeftMs).toBe(0);
    const { leader, followers } = await lab.elect();
    expect(followers.map(({ node }) => node.leaseLeftMs)).toEqual([0, 0]);
    expect(leader.node.leaseLeftMs).toBeGreaterThan(0);
    const stopped = leader.node.stop();
    await lab.advance(L);
    await stopped;
    expect(leader.node.leaseLeftMs).toBe(0);
  });

  test('is never two at a time when a leader is cut off and comes back', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    const heal = lab.network.isolate(leader.ip);
    const seen: number[] = [];
    await lab.until(() => {
      seen.push(lab.leaders.length);
      return lab.leaders.length === 1 && lab.leaders[0] !== leader.ip;
    });
    heal();
    await lab.until(() => leader.node.leader !== null);
    expect(Math.max(...seen)).toBe(1);
    expect(lab.leaders).toEqual([leader.node.leader!.ip]);
    expect(lab.tooEarly).toEqual([]);
  });

  test('is this peer at once in a cluster of one, by a lease that does not end', async () => {
    const lab = new Lab([A]);
    await lab.start();
    expect(await lab.until(() => lab.node(A).isLeader())).toBe(0);
    await lab.advance(100 * L);
    expect(lab.node(A).isLeader()).toBe(true);
    expect(lab.node(A).leaseLeftMs).toBe(Number.POSITIVE_INFINITY);
  });

  test('is asked of the state under the rules of Nacos, as the original does', async () => {
    let draws = 0;
    const lab = new Lab([A, B, C], { rules: 'nacos', random: () => (++draws * 0.37) % 1 });
    const { leader } = await lab.elect();
    lab.network.isolate(leader.ip);
    await lab.advance(10 * L);
    expect(leader.node.isLeader()).toBe(true);
    expect(leader.node.leaseLeftMs).toBe(Number.POSITIVE_INFINITY);
    expect(lab.leaders).toHaveLength(2);
    await expect(leader.node.resign()).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});

test('a candidate that nobody answers tries again after L at the earliest, under the rules of Nacos', async () => {
  const lab = new Lab([A, B, C], { rules: 'nacos', random: () => 0.5 });
  lab.network.treat(() => LOSE);
  const { node } = lab.peer(A);
  await node.start();
  await lab.until(() => node.term === 1);
  await lab.advance(L - 1);
  expect(node.term).toBe(1);
  await lab.until(() => node.term === 2, H);
});

describe('waitForLeader', () => {
  test('resolves at once when the leader is known', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    for (const { node } of [leader, ...followers]) {
      const waiting = node.waitForLeader();
      expect(await outcome(waiting)).toBe('resolved');
      expect((await waiting).ip).toBe(leader.ip);
    }
  });

  test('resolves for all who wait as soon as there is one, also when they asked before the start', async () => {
    const lab = new Lab();
    const { node } = lab.peer(B);
    const waiting = [node.waitForLeader(), node.waitForLeader({ signal: new AbortController().signal })];
    expect(await outcome(Promise.race(waiting))).toBe('pending');
    const { leader } = await lab.elect();
    expect((await Promise.all(waiting)).map(({ ip }) => ip)).toEqual([leader.ip, leader.ip]);
  });

  test('rejects a signal that was aborted before, and one that is aborted meanwhile', async () => {
    const lab = new Lab();
    const { node } = lab.peer(A);
    await node.start();
    const reason = new Error('enough');
    await expect(node.waitForLeader({ signal: AbortSignal.abort(reason) })).rejects.toMatchObject({
      code: 'ABORTED',
      cause: reason,
    });
    const aborter = new AbortController();
    const waiting = node.waitForLeader({ signal: aborter.signal });
    const other = node.waitForLeader();
    expect(await outcome(waiting)).toBe('pending');
    aborter.abort(reason);
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', cause: reason });
    expect(await outcome(other)).toBe('pending');
    await lab.elect();
    expect(await outcome(other)).toBe('resolved');
  });

  test('rejects when the node is stopped meanwhile', async () => {
    const lab = new Lab();
    const { node } = lab.peer(A);
    await node.start();
    const waiting = node.waitForLeader();
    waiting.catch(() => {});
    await node.stop();
    await expect(waiting).rejects.toMatchObject({ code: 'NOT_RUNNING' });
  });

  test('rejects when the node fails meanwhile', async () => {
    const lab = new Lab();
    const { node, store } = lab.peer(A);
    await node.start();
    const waiting = node.waitForLeader();
    waiting.catch(() => {});
    store.saveFault = { how: 'reject', cause: new Error('full') };
    await lab.network.receive(A, beat(B, 1));
    await expect(waiting).rejects.toMatchObject({ code: 'NOT_RUNNING' });
  });

  test('listens to a signal no longer than it waits', async () => {
    const lab = new Lab();
    const listening = new Set<unknown>();
    const { signal } = new AbortController();
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (type: string, run: () => void) => {
      listening.add(run);
      add(type, run);
    };
    signal.removeEventListener = (type: string, run: () => void) => {
      listening.delete(run);
      remove(type, run);
    };
    const waiting = lab.node(A).waitForLeader({ signal });
    expect(listening.size).toBe(1);
    await lab.elect();
    await waiting;
    expect(listening.size).toBe(0);
  });
});

describe('resign', () => {
  const broken = new Error('broken');
  const throwing = {
    get ip(): never {
      throw broken;
    },
  };

  test('resolves with the peer that took the order, and that one leads the next term', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    await lab.advance(2 * H);
    const resigned = leader.node.resign();
    await settle();
    expect([leader.node.isLeader(), leader.node.leader, leader.node.state]).toEqual([
      false,
      null,
      'FOLLOWER',
    ]);
    await lab.until(() => lab.leaders.length === 1, H);
    const target = await resigned;
    expect(lab.leaders).toEqual([target]);
    expect(target).not.toBe(leader.ip);
    expect(lab.node(target).fencingToken).toBe(2);
    expect(lab.tooEarly).toEqual([]);
  });

  test.each([0, 1])('orders the peer that it is given, number %i', async (at) => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    const target = followers[at as 0 | 1].ip;
    const resigned = leader.node.resign(target);
    await lab.until(() => lab.leaders.length === 1, H);
    expect(await resigned).toBe(target);
    expect(lab.leaders).toEqual([target]);
  });

  test.each([undefined, 0, 1])('does so by a request, too, and tells who took the order: %s', async (at) => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    await lab.advance(2 * H);
    const to = at === undefined ? {} : { to: followers[at as 0 | 1].ip };
    const reply = lab.network.receive(leader.ip, { type: 'resign', ...to });
    await lab.until(() => lab.leaders.some((ip) => ip !== leader.ip), H);
    expect(await reply).toEqual({ successor: lab.leaders[0] });
    expect({ to: lab.leaders[0] }).toMatchObject(to);
  });

  test('by a request is refused by one who does not lead, and by one who does not know the peer', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    const answers = await Promise.all([
      lab.network.receive(followers[0].ip, { type: 'resign' }),
      lab.network.receive(leader.ip, { type: 'resign', to: 'nobody:1' }),
    ]);
    expect(answers).toMatchObject([{ code: 'NOT_LEADER' }, { code: 'BAD_TARGET' }]);
    expect(lab.leaders).toEqual([leader.ip]);
  });

  test('is refused to one who does not lead', async () => {
    const lab = new Lab();
    const { followers } = await lab.elect();
    await expect(followers[0].node.resign()).rejects.toMatchObject({ code: 'NOT_LEADER' });
  });

  test('is refused before the start', async () => {
    await expect(new Lab().node(A).resign()).rejects.toMatchObject({ code: 'NOT_RUNNING' });
  });

  test('is refused in a cluster of one, which goes on to lead', async () => {
    const lab = new Lab([A]);
    const { leader } = await lab.elect();
    await expect(leader.node.resign()).rejects.toMatchObject({ code: 'BAD_TARGET' });
    expect(leader.node.isLeader()).toBe(true);
  });

  test('is refused for oneself, an unknown peer, an observer, and one of priority 0; nothing changes', async () => {
    const lab = new Lab([
      { ip: A, priority: 9 },
      { ip: B, priority: 0 },
      { ip: C, observer: true },
      { ip: 'd:1', priority: 5 },
    ]);
    const { leader } = await lab.elect();
    expect(leader.ip).toBe(A);
    for (const target of [A, 'nobody:1', '', C, B]) {
      await expect(leader.node.resign(target)).rejects.toMatchObject({ code: 'BAD_TARGET' });
      expect([leader.node.isLeader(), leader.node.fencingToken]).toEqual([true, 1]);
    }
    expect(lab.sent(A, 'transfer')).toEqual([]);
    const resigned = leader.node.resign('d:1');
    await lab.until(() => lab.node('d:1').isLeader(), H);
    expect(await resigned).toBe('d:1');
  });

  test.each([
    ['lost', LOSE, { code: 'TIMEOUT' }],
    ['not carried', { does: 'reject', cause: broken }, { code: 'UNREACHABLE', cause: broken }],
    [
      'refused',
      { does: 'answer', reply: { code: 'REFUSED_TRANSFER', message: 'no' } },
      { code: 'REFUSED_TRANSFER' },
    ],
    ['answered with nonsense', { does: 'answer', reply: 'ok' }, { code: 'BAD_REPLY' }],
    ['answered by what throws', { does: 'answer', reply: throwing }, { code: 'INTERNAL', cause: broken }],
  ] as const)(
    'rejects when the order is %s, and leadership is given up all the same',
    async (_, treatment, error) => {
      const lab = new Lab();
      const { leader } = await lab.elect();
      const heal = lab.network.treat((_from, _to, { type }) => (type === 'transfer' ? treatment : null));
      const resigned = leader.node.resign();
      resigned.catch(() => {});
      await lab.advance(DEADLINE);
      await expect(resigned).rejects.toMatchObject(error);
      expect(leader.node.isLeader()).toBe(false);
      heal();
      await lab.until(() => lab.leaders.length === 1);
      expect(lab.leaders).not.toContain(leader.ip);
    },
  );

  test('called twice at a time gives up leadership once', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    const [first, second] = [leader.node.resign(), leader.node.resign()];
    await expect(second).rejects.toMatchObject({ code: 'NOT_LEADER' });
    await lab.advance(H);
    expect(await outcome(first)).toBe('resolved');
    expect(lab.sent(leader.ip, 'transfer')).toHaveLength(1);
  });

  test('rejects when the node is stopped before the answer', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    lab.network.treat((_from, _to, { type }) => (type === 'transfer' ? LOSE : null));
    const resigned = leader.node.resign();
    resigned.catch(() => {});
    await settle();
    await leader.node.stop();
    await expect(resigned).rejects.toMatchObject({ code: 'NOT_RUNNING' });
  });
});

test('peers are told as copies: what a caller does to them harms nothing', async () => {
  const lab = new Lab();
  const { leader } = await lab.elect();
  for (const known of [...leader.node.peers, leader.node.leader] as {
    -readonly [K in keyof PeerSnapshot]: PeerSnapshot[K];
  }[]) {
    known.term = 99;
    known.state = 'CANDIDATE';
  }
  await lab.advance(2 * L);
  expect(lab.leaders).toEqual([leader.ip]);
  expect(leader.node.peers.map(({ term }) => term)).toEqual([1, 1, 1]);
});
