import { describe, expect, test } from 'vitest';
import { A, B, C, Cluster, D, E, H, L } from '../cluster.js';
import { Bench, batch, contents, disk, LIMITS, put, rev, SMALL, show, tailOf } from './support.js';

const FIVE = [A, B, C, D, E];

describe('commit', () => {
  test('needs a majority of the voters, itself counted', () => {
    const bench = new Bench({ members: FIVE });
    bench.lead();
    bench.ack(B, '2/1');
    expect(bench.base).toBe('0/0');
    bench.ack(C, '2/1');
    expect(bench.base).toBe('2/1');
  });

  test('one voter that answers twice is one', () => {
    const bench = new Bench({ members: FIVE });
    bench.lead();
    bench.ack(B, '2/1');
    bench.ack(B, '2/1');
    expect(bench.base).toBe('0/0');
  });

  test('an observer does not count', () => {
    const cluster = new Cluster([A, B, C, { ip: D, observer: true }, { ip: E, observer: true }], {
      registry: LIMITS,
    });
    const first = cluster.elect();
    cluster.run(H);
    for (const ip of [A, B, C]) if (ip !== first) cluster.cut(first, ip);
    const id = cluster.write(first, { key: 'k', value: '1' });
    cluster.run(H);
    expect([D, E].map((ip) => tailOf(cluster.host(ip)))).toEqual(['1/2', '1/2']);
    expect(cluster.host(first).answers.has(id)).toBe(false);
  });

  test('batches of an older term are not committed by counting, however many hold them', () => {
    const bench = new Bench({ members: FIVE, stored: disk(1, '1/1 1/2') });
    bench.lead();
    for (const ip of [B, C, D, E]) bench.ack(ip, '1/2');
    expect(bench.base).toBe('0/0');
  });

  test('a batch of its own term that a majority holds commits all before it', () => {
    const bench = new Bench({ stored: disk(1, [batch('1/1', put('k', 'v', 1))]) });
    bench.lead();
    bench.ack(B, '2/2');
    expect([bench.base, contents(bench.host)]).toEqual(['2/2', { k: 'v@1' }]);
  });

  test('is told to followers within a tenth of H, and an answer that commits nothing new hurries nothing', () => {
    const bench = new Bench();
    bench.lead();
    const due = bench.host.core.nextDeadline();
    bench.cluster.run(H / 2);
    bench.ack(B, '2/1');
    expect(bench.host.core.nextDeadline()).toBe(bench.cluster.now + H / 10);
    bench.cluster.run(H / 10);
    const steady = bench.host.core.nextDeadline();
    bench.ack(C, '2/1');
    expect(bench.host.core.nextDeadline()).toBe(steady);
    expect(steady).toBeGreaterThan(due);
  });

  test('the leader counts itself only for what it has saved', () => {
    const bench = new Bench();
    bench.lead();
    bench.ack(B, '2/1');
    bench.host.diskStalls = true;
    const [id] = bench.write({ key: 'k', value: '1' });
    bench.ack(B, '2/2');
    expect([bench.base, bench.told(id)]).toEqual(['2/1', 'open']);
    bench.host.diskStalls = false;
    bench.cluster.carryOut(A);
    expect([bench.base, bench.told(id)]).toEqual(['2/2', 'ok 1']);
  });

  test('others that are a majority by themselves need not wait for the disk of the leader', () => {
    const bench = new Bench();
    bench.lead();
    bench.host.diskStalls = true;
    bench.write({ key: 'k', value: '1' });
    bench.ack(B, '2/2');
    bench.ack(C, '2/2');
    expect(bench.base).toBe('2/2');
  });

  test('what a leader had saved before its tail was replaced does not count for what it appends later', () => {
    const bench = new Bench({ stored: disk(1, '1/1 1/2 1/3 1/4 1/5 1/6 1/7 1/8 1/9') });
    bench.beat(2, '0/0', '', { catchUp: '2/4' });
    bench.give(() =>
      bench.host.core.receivedKeys(
        B,
        0,
        { at: rev('2/4'), stampFloor: 0, keys: [], total: 0 },
        bench.cluster.now,
      ),
    );
    expect([bench.base, bench.last]).toEqual(['2/4', '2/4']);
    bench.cluster.run(L);
    bench.host.core.peers.on('stateChange', ({ to }) => {
      bench.host.diskStalls = to === 'LEADER';
    });
    bench.elect();
    bench.ack(B, '3/5');
    expect([bench.base, bench.last]).toEqual(['2/4', '3/5']);
    bench.host.diskStalls = false;
    bench.cluster.carryOut(A);
    expect(bench.base).toBe('3/5');
  });

  test('listeners are told before callers are answered, and nothing is told before it', () => {
    const bench = new Bench();
    bench.lead();
    const [id] = bench.write({ key: 'k', value: '"v"' });
    expect([bench.host.changes, contents(bench.host), bench.told(id)]).toEqual([[], {}, 'open']);
    bench.give(() => bench.ack(B, '2/2'));
    expect(bench.host.changes.map(({ key, revision }) => `${key} ${show(revision)}`)).toEqual(['k 2/2']);
    expect(bench.told(id)).toBe('ok 1');
  });

  test('a cluster of one commits what it has saved', () => {
    const bench = new Bench({ members: [A] });
    bench.host.diskStalls = true;
    const [id] = bench.write({ key: 'k', value: '1' });
    expect(bench.told(id)).toBe('open');
    bench.host.diskStalls = false;
    bench.cluster.carryOut(A);
    expect([bench.told(id), contents(bench.host)]).toEqual(['ok 1', { k: '1@1' }]);
  });
});

describe('a full tail', () => {
  const value = JSON.stringify('x'.repeat(300));

  test('refuses writes as BUSY before anything is saved, and takes them again when there is room', () => {
    const bench = new Bench({ registry: SMALL });
    bench.lead();
    const ids = Array.from({ length: 12 }, (_, at) => bench.write({ key: `k${at}`, value })[0]);
    const outcomes = ids.map((id) => bench.told(id));
    expect(new Set(outcomes)).toEqual(new Set(['open', 'BUSY']));
    expect(bench.datums.last.seq - 1).toBe(outcomes.filter((outcome) => outcome === 'open').length);
    bench.ack(B, bench.last);
    const [id] = bench.write({ key: 'k', value: '1' });
    expect(bench.told(id)).toBe('open');
  });

  test('refuses also what comes all at once', () => {
    const bench = new Bench({ registry: SMALL });
    bench.lead();
    const ids = bench.write(...Array.from({ length: 50 }, (_, at) => ({ key: `k${at}`, value })));
    expect(ids.filter((id) => bench.told(id) === 'BUSY').length).toBeGreaterThan(40);
    expect(bench.datums.tailSize).toBeLessThan(2 * SMALL.maxTailSize);
  });
});

describe('five peers', () => {
  test('an older batch that a majority held by number, but no batch of the own term, may still be replaced', () => {
    // The well-known case: S1 leads term 2, S5 term 3, S1 again term 4, and S5 wins at last.
    const data = (term: number, tail: string) => disk(term, tail);
    const cluster = new Cluster(FIVE, { registry: LIMITS }, data(3, '1/1'));
    cluster.loses = () => true;
    const restart = (ip: string, term: number, tail: string): void => {
      cluster.kill(ip);
      cluster.start(ip, data(term, tail), ip === A || ip === E ? {} : { random: () => 0.9 });
    };
    for (const ip of [A, B]) restart(ip, 3, '1/1 2/2');
    restart(E, 3, '1/1 3/2');
    // A wins term 4 with B, C and D, and its old batch 2/2 reaches C: a majority of A, B and C holds it.
    cluster.loses = (from, to) => [from, to].includes(E);
    cluster.delays = (_from, _to, request) =>
      request.type === 'beat' && request.data?.batches.some(({ revision }) => revision.term === 4) === true
        ? []
        : [1];
    cluster.runUntil(
      () => cluster.host(A).self.state === 'LEADER' || cluster.host(B).self.state === 'LEADER',
    );
    const first = [A, B].find((ip) => cluster.host(ip).self.state === 'LEADER') as string;
    const old = {
      prev: rev('1/1'),
      batches: [batch('2/2')],
      committed: rev('0/0'),
      membersRevision: rev('0/0'),
    };
    const { self } = cluster.host(first);
    for (const ip of [A, B, C]) {
      if (ip === first) continue;
      const beat = { peer: self.snapshot(), datums: [], leaderTimeoutMs: L, sentAt: cluster.now, data: old };
      const reply = cluster.core(ip).receivedBeat(beat, cluster.now);
      cluster.carryOut(ip);
      cluster.core(first).receivedBeatReply(ip, reply, cluster.now);
      cluster.carryOut(first);
    }
    expect([A, B, C].map((ip) => tailOf(cluster.host(ip)).startsWith('1/1 2/2'))).toEqual([true, true, true]);
    expect(show(cluster.core(first).datums?.base ?? rev('9/9'))).toBe('0/0');
    // It dies with B; E, whose last batch is of term 3, wins with C and D, and 2/2 gives way without a contradiction.
    cluster.kill(A);
    cluster.kill(B);
    cluster.loses = () => false;
    cluster.delays = () => [1];
    cluster.run(6 * L);
    expect(cluster.leaders).toHaveLength(1);
    const ends = [C, D, E].map((ip) => show(cluster.core(ip).datums?.base ?? rev('9/9')));
    expect(new Set(ends).size).toBe(1);
  });
});
