import { type RaftMetrics, RaftNode, type SentMetrics } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { RaftController } from '../../src/node/controller.js';
import {
  A,
  B,
  beat,
  C,
  forbidUnhandledRejections,
  H,
  L,
  LATENCY,
  Lab,
  LEASE,
  LOSE,
  settle,
  type Treatment,
} from './virtual.js';

forbidUnhandledRejections();

const NOTHING_SENT = { answered: 0, refused: 0, timedOut: 0, failed: 0 };

/** A cluster of three that has just elected, with random numbers that tell processes apart. */
async function elected(options: ConstructorParameters<typeof Lab>[1] = {}) {
  let draws = 0;
  const lab = new Lab([A, B, C], { random: () => (++draws % 1_000) / 1_000_000, ...options });
  const roles = await lab.elect();
  await lab.advance(H);
  return { lab, ...roles };
}

describe('metrics', () => {
  test('of a node that never ran tell that nothing happened', () => {
    const never = {
      roundTripMs: null,
      smoothedRoundTripMs: null,
      silentMs: null,
      matchSeq: null,
      isLearner: false,
    };
    expect(
      new RaftNode({ ip: A, members: [A, B], transport: new Lab().peer(A).transport }).metrics(),
    ).toEqual({
      ip: A,
      isRunning: false,
      isLeader: false,
      state: 'FOLLOWER',
      term: 0,
      leader: null,
      leaderSinceMs: null,
      leaseLeftMs: 0,
      leaderTimeoutMs: 500,
      rejoining: false,
      learning: false,
      queueLength: 0,
      callsWaiting: 0,
      last: { term: 0, seq: 0 },
      committed: { term: 0, seq: 0 },
      datums: 0,
      writes: {},
      reads: {},
      leaderChanges: 0,
      electionsBegun: 0,
      electionsWon: 0,
      leadershipsLost: 0,
      sent: {},
      received: {},
      saves: { count: 0, totalMs: 0, longestMs: 0 },
      errors: {},
      peers: [{ ip: B, state: 'FOLLOWER', term: 0, isVoter: true, ...never }],
      changes: [],
    } satisfies RaftMetrics);
  });

  test('are plain data: what JSON makes of them is the same, and no later event changes them', async () => {
    const { lab, leader } = await elected({ registry: true });
    const metrics = leader.node.metrics();
    const copy = JSON.parse(JSON.stringify(metrics));
    lab.network.isolate(leader.ip);
    await lab.advance(3 * L);
    expect(metrics).toEqual(copy);
    expect(leader.node.metrics()).not.toEqual(copy);
  });

  test('tell who leads since when, and what is left of the lease, which the leader alone knows', async () => {
    const lab = new Lab();
    const heardAt = new Map<string, number>();
    for (const { ip, node, host } of lab.peers)
      node.on('makeLeader', () => void heardAt.set(ip, host.wallNow()));
    const { leader } = await lab.elect();
    await lab.advance(H + 1.5);
    for (const { ip, node } of lab.peers) {
      const { isRunning, isLeader, state, term, leader: known, leaderSinceMs, leaseLeftMs } = node.metrics();
      expect([isRunning, isLeader, state, term, known]).toEqual([
        true,
        ip === leader.ip,
        node.state,
        1,
        leader.ip,
      ]);
      expect(leaderSinceMs).toBe(heardAt.get(ip));
      if (ip !== leader.ip) expect(leaseLeftMs).toBe(0);
      else expect(leaseLeftMs).toBeGreaterThan(LEASE - H - 2 * LATENCY);
      if (ip === leader.ip) expect(leaseLeftMs).toBeLessThanOrEqual(LEASE);
    }
  });

  test('tell no lease, and no leader, as soon as it has run out', async () => {
    const { lab, leader } = await elected();
    leader.host.stall();
    await lab.advance(2 * L);
    expect(leader.node.metrics()).toMatchObject({
      state: 'LEADER',
      isLeader: false,
      leader: null,
      leaderSinceMs: null,
      leaseLeftMs: 0,
    });
  });

  test.each([
    ['alone', {}],
    ['by the rules of Nacos', { rules: 'nacos' } as const],
  ])('tell of no end of the lease of one that leads %s', async (_, options) => {
    const lab = new Lab([A], options);
    await lab.elect();
    expect(lab.node(A).metrics()).toMatchObject({ isLeader: true, leaseLeftMs: null });
  });

  test('count elections, and the leaders that were announced and lost, and keep the last of them', async () => {
    const { lab, leader, followers } = await elected();
    const heal = lab.network.isolate(leader.ip);
    await lab.until(() => lab.leaders.length === 1 && lab.leaders[0] !== leader.ip);
    await lab.advance(H);
    heal();
    await lab.advance(H);
    const next = lab.leaders[0];
    const counted = lab.peers.map(({ ip, node }) => {
      const { leaderChanges, electionsBegun, electionsWon, leadershipsLost } = node.metrics();
      return [ip, leaderChanges, electionsBegun, electionsWon, leadershipsLost];
    });
    const third = followers.find(({ ip }) => ip !== next)?.ip;
    expect(new Set(counted)).toEqual(
      new Set([
        [leader.ip, 2, 1, 1, 1],
        [next, 2, 1, 1, 0],
        [third, 2, 0, 0, 0],
      ]),
    );
    const { changes } = leader.node.metrics();
    expect(changes.map((change) => [change.leader, change.term])).toEqual([
      [leader.ip, 1],
      [null, 1],
      [next, 2],
    ]);
    expect(changes.map(({ atMs }) => atMs)).toEqual(
      changes.map(({ atMs }) => atMs).toSorted((a, b) => a - b),
    );
  });

  test('keep the last twenty changes of leader', async () => {
    const { lab, leader } = await elected();
    for (let term = 2; term < 30; term++) await lab.network.receive(leader.ip, beat(B, term));
    const terms = leader.node.metrics().changes.map(({ term }) => term);
    expect([terms.length, terms.at(-1)]).toEqual([20, 29]);
  });

  test('tell of a peer that recovers from an empty store', async () => {
    const lab = new Lab([A, B, C], { stored: null });
    await lab.node(A).start();
    expect(lab.node(A).metrics().rejoining).toBe(true);
  });

  test('tell of a peer that learns only, at itself and at the leader', async () => {
    let draws = 0;
    const random = () => (++draws % 1_000) / 1_000_000;
    const lab = new Lab([A, B, C], { stored: null, bootstrap: true, registry: true, random });
    await Promise.all([A, B].map((ip) => lab.node(ip).start()));
    await lab.until(() => lab.leaders.length === 1);
    await lab.node(C).start();
    await lab.advance(3 * L);
    const leader = lab.leaders[0] ?? '';
    expect([A, B, C].map((ip) => lab.node(ip).metrics().learning)).toEqual([false, false, true]);
    const { peers } = lab.node(leader).metrics();
    expect(peers.map(({ ip, isLearner }) => [ip, isLearner])).toEqual([
      [leader === A ? B : A, false],
      [C, true],
    ]);
  });

  test('outlast a stop, and go on counting at the next start', async () => {
    const lab = new Lab([A]);
    const { node } = lab.peer(A);
    await lab.elect();
    await node.stop();
    expect(node.metrics()).toMatchObject({
      isRunning: false,
      isLeader: false,
      leader: null,
      leaderSinceMs: null,
      leaderChanges: 1,
      term: 1,
    });
    await node.start();
    await lab.until(() => node.isLeader());
    expect(node.metrics()).toMatchObject({ isRunning: true, leaderChanges: 2, electionsWon: 2, term: 2 });
  });
});

describe('requests', () => {
  const TREATMENTS: readonly (readonly [keyof SentMetrics, Treatment])[] = [
    ['answered', { does: 'carry' }],
    ['refused', { does: 'answer', reply: { code: 'BUSY', message: 'too many' } }],
    ['timedOut', LOSE],
    ['failed', { does: 'reject', cause: new Error('reset') }],
    ['failed', { does: 'throw', cause: new Error('reset') }],
  ];

  test.each(TREATMENTS)('that are sent are counted by their kind, as %s', async (outcome, treatment) => {
    const { lab, leader, followers } = await elected();
    const { beat: before = NOTHING_SENT, ...others } = leader.node.metrics().sent;
    const heal = lab.network.treat((from, to) =>
      from === leader.ip && to === followers[0].ip ? treatment : null,
    );
    await lab.advance(H);
    heal();
    await lab.advance(L / 2);
    const { beat: after = NOTHING_SENT, ...othersAfter } = leader.node.metrics().sent;
    const names = Object.keys(NOTHING_SENT) as (keyof SentMetrics)[];
    const changed = names.filter((name) => after[name] > before[name]);
    expect(changed).toEqual([...new Set(['answered', outcome])]);
    if (outcome !== 'answered') expect(after[outcome] - before[outcome]).toBe(1);
    expect(othersAfter).toEqual(others);
    expect(others).toEqual({ vote: { ...NOTHING_SENT, answered: 4 } });
  });

  test('that are received are counted by their kind, as answered or refused', async () => {
    const { lab, followers } = await elected();
    const [{ ip, node }] = followers;
    const before = node.metrics().received;
    await lab.network.receive(ip, beat(lab.leaders[0] ?? '', 0));
    await lab.network.receive(ip, { type: 'state' });
    await lab.network.receive(ip, { type: 'x'.repeat(9) });
    await lab.network.receive(ip, null);
    const after = node.metrics().received;
    expect(before.beat?.refused).toBe(0);
    expect(after).toEqual({
      ...before,
      beat: { answered: before.beat?.answered, refused: 1 },
      state: { answered: 1, refused: 0 },
      unknown: { answered: 0, refused: 2 },
    });
  });

  test('tell how long a beat and its answer take: the newest, and smoothed by an eighth', async () => {
    const { lab, leader, followers } = await elected();
    const linkOf = (ip: string) => leader.node.metrics().peers.find((peer) => peer.ip === ip);
    const [{ ip }] = followers;
    expect(linkOf(ip)).toMatchObject({ roundTripMs: 2 * LATENCY, smoothedRoundTripMs: 2 * LATENCY });
    let slow = 1;
    lab.network.treat((_, to) => (to === ip && slow-- > 0 ? { does: 'carry', replyMs: 9 } : null));
    await lab.until(() => linkOf(ip)?.roundTripMs === 10);
    expect(linkOf(ip)).toMatchObject({ smoothedRoundTripMs: 3 });
    expect(linkOf(followers[1].ip)).toMatchObject({ roundTripMs: 2, smoothedRoundTripMs: 2 });
  });

  test('tell for how long another peer was silent', async () => {
    const { lab, leader, followers } = await elected();
    const [{ ip }] = followers;
    lab.network.isolate(ip);
    await lab.advance(7 * H);
    const [silent, other] = [ip, followers[1].ip].map(
      (each) => leader.node.metrics().peers.find((peer) => peer.ip === each)?.silentMs ?? -1,
    );
    expect(silent).toBeGreaterThanOrEqual(7 * H - 2 * LATENCY);
    expect(other).toBeLessThanOrEqual(H);
  });
});

describe('the store', () => {
  test('is told of by its saves, and how long they took', async () => {
    const { lab, followers } = await elected();
    const [{ node, store, ip }] = followers;
    const before = node.metrics().saves;
    expect(before).toEqual({ count: store.asked.length, totalMs: 0, longestMs: 0 });
    for (const [term, ms] of [
      [5, 30],
      [6, 20],
    ] as const) {
      store.hangs = true;
      const answered = lab.network.receive(ip, beat(B === ip ? A : B, term));
      await lab.advance(ms);
      expect(node.metrics().queueLength).toBeGreaterThan(0);
      store.release();
      await answered;
    }
    expect(node.metrics().saves).toEqual({ count: before.count + 2, totalMs: 50, longestMs: 30 });
    expect(node.metrics().queueLength).toBe(0);
  });

  test('that fails is an error, and not a save', async () => {
    const { lab, followers } = await elected();
    const [{ node, store, ip }] = followers;
    const { count } = node.metrics().saves;
    store.saveFault = { how: 'reject', cause: new Error('full') };
    await lab.network.receive(ip, beat(B === ip ? A : B, 5));
    await settle();
    expect(node.metrics()).toMatchObject({ saves: { count }, errors: { STORE_FAILED: 1 }, isRunning: false });
  });
});

test('errors are counted by their code, be they listened to or not', async () => {
  const { lab, leader, followers } = await elected({ listens: false });
  const [{ node, ip }] = followers;
  node.on('leaderLost', () => {
    throw new Error('a listener');
  });
  await lab.network.receive(ip, beat(followers[1].ip, 1));
  await lab.network.receive(ip, beat(followers[1].ip, 1));
  lab.network.isolate(leader.ip);
  await lab.advance(3 * L);
  expect(node.metrics().errors).toEqual({ CONFLICTING_LEADER: 2, LISTENER_FAILED: 1 });
});

describe('the registry', () => {
  test('is told of by its keys, revisions, and how far each follower is', async () => {
    const { lab, leader, followers } = await elected({ registry: true });
    const [, cut] = followers;
    lab.network.isolate(cut.ip);
    const published = leader.node.publish('k', 1);
    await lab.advance(H);
    await published;
    const { last, committed, datums, peers } = leader.node.metrics();
    expect([last, committed, datums]).toEqual([{ term: 1, seq: 2 }, { term: 1, seq: 2 }, 2]);
    expect(peers.map(({ ip, matchSeq }) => [ip, matchSeq])).toEqual(
      [...followers].map(({ ip }) => [ip, ip === cut.ip ? 1 : 2]),
    );
    expect(followers[0].node.metrics()).toMatchObject({
      datums: 2,
      committed: { term: 1, seq: 2 },
      peers: [{ matchSeq: null }, { matchSeq: null }],
    });
  });

  test('is told of by what became of the calls at this peer, and how many wait', async () => {
    const { lab, leader, followers } = await elected({ registry: true });
    const [{ node }] = followers;
    const calls = [
      node.publish('k', 1),
      node.remove('k'),
      node.publish('k', 2, { ifTimestamp: 7 }),
      node.readDatum('k'),
      leader.node.publish('l', 1),
    ];
    const ended = Promise.allSettled(calls);
    await lab.advance(H);
    await ended;
    expect(node.metrics()).toMatchObject({ writes: { ok: 2, CONFLICT: 1 }, reads: { ok: 1 } });
    for (const { ip } of followers) lab.network.isolate(ip);
    const open = leader.node.publish('l', 2).catch(() => {});
    await settle();
    expect(leader.node.metrics()).toMatchObject({ writes: { ok: 1 }, callsWaiting: 1 });
    await lab.advance(2 * L);
    await open;
    expect(leader.node.metrics()).toMatchObject({ writes: { ok: 1, OUTCOME_UNKNOWN: 1 }, callsWaiting: 0 });
    await leader.node.readDatum('l').catch(() => {});
    expect(leader.node.metrics().reads).toEqual({ NO_LEADER: 1 });
  });

  test('of original peers is told of by its keys', async () => {
    const lab = new Lab([A], { rules: 'nacos' });
    await lab.elect();
    await lab.node(A).nacos.publish('com.alibaba.nacos.naming.domains.meta.public##a', { name: 'a' });
    expect(lab.node(A).metrics().datums).toBe(1);
  });
});

describe('the request for metrics', () => {
  test('is answered with them, also while a save is waited for', async () => {
    const { lab, followers } = await elected();
    const [{ node, store, ip }] = followers;
    store.hangs = true;
    void lab.network.receive(ip, beat(B === ip ? A : B, 5));
    await settle();
    const reply = (await lab.network.receive(ip, { type: 'metrics' })) as RaftMetrics;
    expect(reply.queueLength).toBeGreaterThan(0);
    const { received } = node.metrics();
    expect(node.metrics()).toEqual({ ...reply, received });
    expect(received.metrics).toEqual({ answered: 1, refused: 0 });
    store.release();
  });

  test('is refused where nobody counts', async () => {
    const controller = new RaftController(() => Promise.reject(new Error('not to be asked')));
    expect(await controller.receive({ type: 'metrics' })).toMatchObject({ code: 'UNSUPPORTED' });
  });
});
