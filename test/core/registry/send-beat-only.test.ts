import { describe, expect, test } from 'vitest';
import { A, B, C, Cluster, H, Host, IN_USE, L } from '../cluster.js';
import { Bench, brings, contents, LIMITS } from './support.js';

function quiet(): Cluster {
  const cluster = new Cluster([A, B, C], { registry: LIMITS });
  for (const ip of cluster.ips) cluster.core(ip).sendBeatOnly = true;
  return cluster;
}

describe('while beats bring no data', () => {
  test('steady beats are without data, and the lease lasts', () => {
    const cluster = quiet();
    const first = cluster.elect();
    cluster.run(L);
    cluster.sent.length = 0;
    cluster.run(3 * L);
    const beats = cluster.sent.filter(({ request }) => request.type === 'beat');
    expect(beats.length).toBeGreaterThan(50);
    expect(beats.filter(({ request }) => 'data' in request)).toEqual([]);
    expect(cluster.leaders).toEqual([first]);
  });

  test('a leader becomes able to read without a write', () => {
    const cluster = quiet();
    const first = cluster.elect();
    const id = cluster.read(first, 'k');
    cluster.run(H);
    expect(cluster.host(first).answers.get(id)).toEqual({ datum: null });
  });

  test('writes are committed, and shown by all, as they are made', () => {
    const cluster = quiet();
    const first = cluster.elect();
    cluster.run(L);
    const id = cluster.write(first, { key: 'k', value: '1' });
    cluster.run(2 * H);
    expect(cluster.host(first).answers.has(id)).toBe(true);
    for (const host of cluster.hosts.values()) expect(contents(host)).toEqual({ k: '1@1' });
  });

  test('a write that was lost on its way is sent again until it is committed', () => {
    const bench = new Bench();
    bench.host.core.sendBeatOnly = true;
    bench.lead();
    bench.ack(B, '2/1');
    bench.write({ key: 'k', value: '1' });
    bench.forget();
    bench.pass(4 * H);
    expect(brings(bench.sentTo(B))).toBe('2/1: 2/2');
  });

  test('one who missed a write is told with the next', () => {
    const cluster = quiet();
    const first = cluster.elect();
    const [missing, other] = cluster.ips.filter((ip) => ip !== first) as [string, string];
    cluster.run(L);
    cluster.isolate(missing);
    cluster.write(first, { key: 'a', value: '1' });
    cluster.run(5 * H);
    cluster.heal();
    cluster.run(5 * H);
    expect([missing, other].map((ip) => contents(cluster.host(ip)))).toEqual([{}, { a: '1@1' }]);
    cluster.write(first, { key: 'b', value: '1' });
    cluster.run(5 * H);
    expect(contents(cluster.host(missing))).toEqual({ a: '1@1', b: '1@1' });
  });

  test('it is off until it is switched on, with a registry and with the datums of the original', () => {
    for (const options of [{ registry: LIMITS }, { rules: 'nacos' }] as const) {
      const { core } = new Host(A, [A, B, C], IN_USE, options);
      expect(core.sendBeatOnly).toBe(false);
      core.sendBeatOnly = true;
      expect(core.sendBeatOnly).toBe(true);
    }
  });

  test('it can be switched at any time', () => {
    const cluster = quiet();
    const first = cluster.elect();
    cluster.run(L);
    cluster.core(first).sendBeatOnly = false;
    cluster.sent.length = 0;
    cluster.run(L);
    expect(cluster.sent.some(({ request }) => request.type === 'beat' && 'data' in request)).toBe(true);
  });
});
