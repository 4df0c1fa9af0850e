import { describe, expect, test } from 'vitest';
import { rankOf } from '../../src/core/ranking.js';
import { A, B, C, Cluster, D, E, IN_USE, L, peer, STAGGER } from './cluster.js';
import { beat, one, requests } from './support.js';

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

  test('the order is the same in each release, for peers of several may share a cluster', () => {
    expect(order(null, 1)).toEqual([D, B, C, A, E]);
    expect(order(null, 2)).toEqual([A, E, D, C, B]);
    expect(order(null, 12_345)).toEqual([D, B, A, E, C]);
  });

  test('two whose hashes are equal come up in the order of their ips', () => {
    const equal = ['azpvj6', '1f3y59v'].map((ip) => ({ ip, priority: 1 }));
    for (const of of [equal, equal.toReversed()]) expect(order(null, 1, of)).toEqual(['1f3y59v', 'azpvj6']);
  });

  test('one that is no voter has place 0', () => {
    expect(rankOf('x:1', voters, A, 1)).toBe(0);
  });

  test('the last leader comes last, whatever its priority', () => {
    const ranked = [
      { ip: A, priority: 9 },
      { ip: B, priority: 1 },
      { ip: C, priority: 2 },
    ];
    expect(order(A, 1, ranked)).toEqual([C, B, A]);
  });

  test('a follower whose last leader or term changed takes another place', () => {
    const host = one({}, { ...IN_USE, term: 5 }, [A, B, C, D, E]);
    const places = ([leader, term]: readonly [string, number]): number => {
      host.core.receivedPeer(B, peer(B, { term }), L);
      host.core.receivedBeat(beat(leader, term), L);
      return (host.core.getPeer(L).leaderDueMs - L) / STAGGER;
    };
    const leaders = [B, B, B, B, C, D, E, B, C, C].map((ip, at) => [ip, 6 + at] as const);
    expect(leaders.map(places)).toEqual(leaders.map(([ip, term]) => rankOf(A, voters, ip, term)));
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
    expect(rankOf(A, ranked, A, 1)).toBe(2);
  });

  test('one that is alone waits for nothing, not even by chance', () => {
    const alone = one({ random: () => 0.9 }, { ...IN_USE, term: 5 }, [A]);
    expect(alone.self).toMatchObject({ state: 'CANDIDATE', term: 6 });
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
