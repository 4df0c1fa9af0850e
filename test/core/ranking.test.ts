import { describe, expect, test } from 'vitest';
import { rankOf } from '../../src/core/ranking.js';
import { A, B, C, Cluster, D, E, IN_USE, L } from './cluster.js';
import { one, requests } from './support.js';

describe('ranked timeouts', () => {
  const voters = [A, B, C, D, E].map((ip) => ({ ip, priority: 1 }));
  const order = (lastLeader: string | null, term: number, of = voters) =>
    [...of]
      .sort((a, b) => rankOf(a.ip, of, lastLeader, term) - rankOf(b.ip, of, lastLeader, term))
      .map(({ ip }) => ip);

  test('the places are 0 to n - 1, each given once, the last leader last', () => {
    for (let term = 0; term < 50; term++) {
      for (const lastLeader of [A, C, E]) {
        const places = voters.map(({ ip }) => rankOf(ip, voters, lastLeader, term));
        expect([...places].sort()).toEqual([0, 1, 2, 3, 4]);
        expect(order(lastLeader, term).at(-1)).toBe(lastLeader);
      }
    }
  });

  test('leadership does not always fall to the same peer', () => {
    const firsts = Array.from({ length: 200 }, (_, term) => order(null, term)[0]);
    for (const { ip } of voters) expect(firsts.filter((first) => first === ip).length).toBeGreaterThan(20);
  });

  test('a higher priority comes first, and 0 has no place', () => {
    const ranked = [
      { ip: A, priority: 1 },
      { ip: B, priority: 3 },
      { ip: C, priority: 0 },
      { ip: D, priority: 2 },
    ];
    expect(
      order(
        null,
        1,
        ranked.filter(({ priority }) => priority > 0),
      ),
    ).toEqual([B, D, A]);
    expect([A, B, D].map((ip) => rankOf(ip, ranked, null, 1))).toEqual([2, 0, 1]);
  });

  test('priority 0 never campaigns, and votes all the same', () => {
    const cluster = new Cluster([{ ip: A, priority: 0 }, B, C]);
    expect(cluster.elect()).not.toBe(A);
    cluster.kill(cluster.leaders[0] as string);
    expect(cluster.elect()).not.toBe(A);
    const alone = one({}, { ...IN_USE, term: 5 }, [{ ip: A, priority: 0 }, B, C]);
    alone.core.tick(100 * L);
    expect(requests(alone)).toEqual([]);
    expect(alone.core.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
  });

  test('the one of the highest priority is elected first', () => {
    for (const first of [A, B, C]) {
      const cluster = new Cluster([A, B, C].map((ip) => ({ ip, priority: ip === first ? 2 : 1 })));
      expect(cluster.elect()).toBe(first);
    }
  });
});
