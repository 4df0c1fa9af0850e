import { describe, expect, test } from 'vitest';
import { Live } from '../../examples/playground/live.js';
import { leaderOf } from '../../examples/playground/picture.js';
import { NEW_RUN } from '../../examples/playground/run.js';

/** One in which somebody leads. */
async function led(peers = 3): Promise<{ readonly live: Live; readonly leader: string }> {
  const live = new Live({ ...NEW_RUN, peers });
  await live.goToFirstLeader();
  const leader = leaderOf(live.picture)?.ip ?? '';
  expect(leader).not.toBe('');
  return { live, leader };
}

/** Who is told that it leads, each ms until `end`. */
async function leadersUntil(live: Live, end: number): Promise<string[]> {
  const leaders: string[] = [];
  while (live.now < end) {
    await live.goTo(live.now + 1);
    leaders.push(live.picture.peers.flatMap(({ ip, isLeader }) => (isLeader ? [ip] : [])).join(' '));
  }
  return leaders;
}

describe('a run', () => {
  test('is the same however it is played: at once, in pieces, back and forth, and from its link', async () => {
    const { live, leader } = await led();
    await live.act('stop', leader);
    await live.goTo(live.now + 900);
    await live.act('cut', 'a-b');
    await live.goTo(live.now + 33.3);
    await live.act('go', leader);
    await live.goTo(3_000);
    const { fingerprint } = live.cluster;
    const { run } = live;
    expect(run.actions.map(({ verb }) => verb)).toEqual(['stop', 'cut', 'go']);

    await live.goTo(1_000);
    expect(live.cluster.fingerprint).not.toBe(fingerprint);
    await live.goTo(3_000);
    expect(live.cluster.fingerprint).toBe(fingerprint);

    const again = new Live(run);
    while (again.now < 3_000) await again.goTo(Math.min(3_000, again.now + 16.7));
    expect(again.cluster.fingerprint).toBe(fingerprint);

    const otherwise = new Live({ ...run, actions: run.actions.slice(1) });
    await otherwise.goTo(3_000);
    expect(otherwise.cluster.fingerprint).not.toBe(fingerprint);
  });

  test('forgets what came later when something else is done', async () => {
    const live = new Live({ ...NEW_RUN, actions: [{ at: 900, verb: 'kill', target: 'a' }], until: 2_000 });
    await live.goTo(500);
    await live.act('kill', 'b');
    await live.goTo(1_500);
    expect(live.run.actions).toEqual([{ at: 500, verb: 'kill', target: 'b' }]);
    expect(live.picture.peers.map(({ mode }) => mode === 'down')).toEqual([false, true, false]);
  });

  test('of a link pauses where it was shared, once, and goes on from there', async () => {
    const live = new Live({ ...NEW_RUN, until: 120 });
    expect(await live.advance(1_000)).toBe(true);
    expect(await live.advance(1_000)).toBe(false);
    expect(live.now).toBe(120);
    expect(await live.advance(1_000)).toBe(true);
    expect(live.now).toBe(220);
  });

  test('steps to the next thing that happens, and back', async () => {
    const { live } = await led();
    const { now } = live;
    const { fingerprint } = live.cluster;
    await live.step();
    expect(live.now).toBeGreaterThan(now);
    expect(live.cluster.fingerprint).not.toBe(fingerprint);
    await live.goTo(now);
    expect(live.cluster.fingerprint).toBe(fingerprint);
    await live.back();
    expect(live.now).toBe(now - 10);
  });
});

describe('what is done to it', () => {
  test('a leader that is stopped is told so when its lease is over, before another leads (S2)', async () => {
    const { live, leader } = await led();
    await live.act('stop', leader);
    const leaders = await leadersUntil(live, live.now + 2_000);
    const last = leaders.lastIndexOf(leader);
    const next = leaders.findIndex((ip) => ip !== '' && ip !== leader);
    expect(last).toBeGreaterThan(0);
    expect(next).toBeGreaterThan(last + 1);
    expect(leaders.every((ips) => ips.length <= 1)).toBe(true);
    expect(live.cluster.world.violations).toEqual([]);
  });

  test('the arcs say so beforehand: each of a majority is bound for longer than the lease lasts', async () => {
    const { live, leader } = await led();
    await live.act('stop', leader);
    for (let looks = 0; looks < 300; looks++) {
      await live.goTo(live.now + 1);
      const { peers } = live.picture;
      const { leaseLeftMs = 0 } = leaderOf(live.picture) ?? {};
      const bound = peers.filter(({ boundTo, boundMs }) => boundTo === leader && boundMs >= leaseLeftMs);
      expect(leaseLeftMs).toBeGreaterThan(0);
      expect(bound.length + 1).toBeGreaterThanOrEqual(2);
    }
  });

  test('a peer that is killed is down until it is started', async () => {
    const { live, leader } = await led();
    const modeOfIt = (): string | undefined => live.picture.peers.find(({ ip }) => ip === leader)?.mode;
    await live.act('kill', leader);
    await live.goTo(live.now + 2_000);
    expect(modeOfIt()).toBe('down');
    expect(leaderOf(live.picture)?.ip).not.toBe(leader);
    await live.act('start', leader);
    await live.goTo(live.now + 1_000);
    expect(modeOfIt()).toBe('follower');
  });

  test('a leader that is cut off leads no more, and follows when it is joined', async () => {
    const { live, leader } = await led(5);
    await live.act('cut', leader);
    await live.goTo(live.now + 2_000);
    const next = leaderOf(live.picture)?.ip;
    expect(next).toMatch(/^[a-e]$/);
    expect(next).not.toBe(leader);
    await live.act('join', leader);
    await live.goTo(live.now + 500);
    expect(live.picture.peers.map((peer) => peer.leader)).toEqual(Array(5).fill(next));
  });

  test('one that resigns is followed by another without a timeout', async () => {
    const { live, leader } = await led();
    await live.act('resign', leader);
    await live.goTo(live.now + 200);
    expect(leaderOf(live.picture)?.ip).not.toBe(leader);
    expect(leaderOf(live.picture)).not.toBeNull();
  });

  test('of faults that overlap each ends by itself', async () => {
    const { live } = await led();
    for (const verb of ['cut', 'slow', 'lossy'] as const) {
      await live.act(verb, 'a');
      await live.act(verb, 'a_b');
    }
    await live.act('join', 'a');
    await live.act('fast', 'a');
    await live.act('clean', 'a_b');
    const { picture } = live;
    const has = (fault: 'cut' | 'slow' | 'lossy'): readonly boolean[] => [
      picture.hasFault(fault, 'a', 'b'),
      picture.hasFault(fault, 'b', 'a'),
    ];
    expect([has('cut'), has('slow'), has('lossy')]).toEqual([
      [true, false],
      [true, false],
      [true, true],
    ]);
    await live.goTo(live.now + 1_000);
    const carried = live.picture.messages.filter(({ from, to }) => from === 'a' && to === 'b');
    expect(carried.every(({ lostAt }) => Number.isFinite(lostAt))).toBe(true);
  });

  test('a way that is slow by two faults stays so when one of them ends', async () => {
    const { live, leader } = await led();
    const [one = '', other = ''] = ['a', 'b', 'c'].filter((ip) => ip !== leader);
    await live.act('slow', leader);
    await live.act('slow', `${leader}_${one}`);
    await live.act('fast', leader);
    const from = live.now;
    await live.goTo(from + 1_000);
    const slowest = (ip: string): number =>
      Math.max(
        ...live.picture.messages
          .filter((message) => message.from === leader && message.to === ip && message.sentAt >= from)
          .map(({ sentAt, arrivesAt }) => arrivesAt - sentAt),
      );
    expect(slowest(one)).toBeGreaterThan(30);
    expect(slowest(other)).toBeLessThan(21);
  });

  test('a message that is dropped never comes, one that is delayed comes 100 ms later', async () => {
    const { live, leader } = await led();
    const underWay = (): number[] =>
      live.picture.messages
        .filter(
          ({ from, sentAt, arrivesAt }) => from === leader && sentAt <= live.now && arrivesAt > live.now,
        )
        .map(({ number }) => number);
    while (underWay().length < 2) await live.goTo(live.now + 0.1);
    const [dropped = 0, delayed = 0] = underWay();
    const { arrivesAt = 0 } = live.picture.messages.find(({ number }) => number === delayed) ?? {};
    const { fingerprint } = live.cluster;
    await live.act('drop', String(dropped));
    await live.act('delay', String(delayed));
    expect(live.cluster.fingerprint).not.toBe(fingerprint);
    const after = live.picture.messages.filter(({ number }) => number === dropped || number === delayed);
    expect(after.map(({ lostAt }) => lostAt)).toEqual([live.now, Number.POSITIVE_INFINITY]);
    expect(after[1]?.arrivesAt).toBe(arrivesAt + 100);
    const answers = (): number =>
      live.picture.messages.filter(
        ({ to, kind, sentAt }) => to === leader && kind === 'yes' && sentAt > live.now - 60,
      ).length;
    await live.goTo(live.now + 60);
    expect(answers()).toBe(0);
    await live.goTo(arrivesAt + 100.1);
    expect(answers()).toBeGreaterThan(0);
  });
});
