import { describe, expect, test } from 'vitest';
import { refusal } from '../cases/support.js';
import { A, B, C, Cluster, H, L, LEASE } from '../cluster.js';
import { Bench, batch, contents, disk, LIMITS, put, told } from './support.js';

describe('a linearizable read', () => {
  test('runs at the leader alone', () => {
    expect(refusal(() => new Bench().read('k')).code).toBe('NOT_LEADER');
  });

  test('is answered at once within the lease', () => {
    const bench = new Bench();
    bench.lead();
    bench.write({ key: 'k', value: '"v"' });
    bench.ack(B, bench.last);
    expect([bench.told(bench.read('k')), bench.told(bench.read('none'))]).toEqual(['read v@1', 'read null']);
  });

  test('does not see what is not committed', () => {
    const bench = new Bench();
    bench.lead();
    bench.ack(B, '2/1');
    bench.write({ key: 'k', value: '"v"' });
    expect(bench.told(bench.read('k'))).toBe('read null');
  });

  test('waits until a batch of the own term is folded: older ones may be committed and not known to be', () => {
    const bench = new Bench({ stored: disk(1, [batch('1/1', put('k', 'v', 1))]) });
    bench.lead();
    const id = bench.read('k');
    expect([bench.host.core.isLeader(bench.cluster.now), bench.told(id)]).toEqual([true, 'open']);
    bench.ack(B, '2/2');
    expect(bench.told(id)).toBe('read v@1');
  });

  test('waits for the first lease', () => {
    const bench = new Bench();
    bench.elect();
    const id = bench.read('k');
    expect(bench.told(id)).toBe('open');
    bench.ack(B, '2/1');
    expect(bench.told(id)).toBe('read null');
  });

  test('waits for a lease that lasts, also when its own batch is committed by an answer that came too late for one', () => {
    const bench = new Bench();
    bench.elect();
    const sentAt = bench.cluster.now;
    bench.cluster.run(LEASE + 20);
    bench.ack(B, '2/1', { sentAt });
    expect([bench.base, bench.host.self.state]).toEqual(['2/1', 'LEADER']);
    const id = bench.read('k');
    expect(bench.told(id)).toBe('open');
    bench.ack(C, '2/1');
    expect(bench.told(id)).toBe('read null');
  });

  test('is refused when the leadership ends before it', () => {
    const bench = new Bench();
    bench.lead();
    const id = bench.read('k');
    bench.beat(9, '0/0');
    expect(bench.told(id)).toBe('NO_LEADER');
  });

  test('is refused at the very moment at which the lease ends', () => {
    const bench = new Bench();
    bench.lead();
    bench.ack(B, '2/1');
    const start = bench.cluster.now;
    bench.cluster.now = start + Math.floor(LEASE);
    expect(bench.told(bench.read('k'))).toBe('read null');
    bench.cluster.now = start + Math.ceil(LEASE);
    expect(refusal(() => bench.read('k')).code).toBe('NOT_LEADER');
  });

  test('is refused when a suspension has eaten the lease', () => {
    const bench = new Bench();
    bench.lead();
    bench.ack(B, '2/1');
    bench.host.core.wallClockGained(L);
    expect(refusal(() => bench.read('k')).code).toBe('NOT_LEADER');
  });

  test('at a leader that is cut off sees nothing that a later leader has replaced', () => {
    const cluster = new Cluster([A, B, C], { registry: LIMITS });
    const first = cluster.elect();
    cluster.write(first, { key: 'k', value: '1' });
    cluster.run(H);
    cluster.isolate(first);
    for (let ms = 0; ms < 4 * L; ms += 10) {
      cluster.run(10);
      const second = cluster.leaders.find((ip) => ip !== first);
      if (second !== undefined && ms % 100 === 0) cluster.write(second, { key: 'k', value: `${ms}` });
      const newest = Math.max(
        0,
        ...[...cluster.hosts.values()].map((host) => Number(contents(host)['k']?.split('@')[1])),
      );
      try {
        const answer = told(cluster.host(first).answers.get(cluster.read(first, 'k')));
        if (answer.startsWith('read')) expect(answer.endsWith(`@${newest}`)).toBe(true);
      } catch (error) {
        expect(error).toMatchObject({ code: 'NOT_LEADER' });
      }
    }
    expect(cluster.leaders).not.toContain(first);
  });
});
