import { describe, expect, test } from 'vitest';
import { A, B, C, Cluster, H, L, peer } from '../cluster.js';
import { Bench, contents, disk, LIMITS, rev } from './support.js';

function asked(last: string, preVote: boolean, tail = '1/1 2/2'): boolean {
  const bench = new Bench({ stored: disk(2, tail) });
  const vote = {
    peer: peer(B, { state: 'CANDIDATE', term: 3, voteFor: B }),
    revision: rev(last),
    ...(preVote ? { preVote, round: 1 } : {}),
  };
  return bench.give(() => bench.host.core.receivedVote(vote, bench.cluster.now)).granted;
}

describe.each([
  { what: 'a vote', preVote: false },
  { what: 'a pre-vote', preVote: true },
])('$what', ({ preVote }) => {
  test.each([
    { last: '2/2', granted: true, why: 'is as new' },
    { last: '2/3', granted: true, why: 'is longer' },
    { last: '3/1', granted: true, why: 'is of a higher term, though shorter' },
    { last: '2/1', granted: false, why: 'is shorter' },
    { last: '1/9', granted: false, why: 'is of a lower term, though longer' },
  ])('goes to one whose last $why: $granted', ({ last, granted }) => {
    expect(asked(last, preVote)).toBe(granted);
  });

  test('compares with what is not committed yet as well', () => {
    expect(asked('1/1', preVote)).toBe(false);
  });

  test('is asked for with the end of the tail', () => {
    const bench = new Bench({ stored: disk(2, '1/1 2/2') });
    bench.elect();
    const votes = bench.requests('vote').filter((vote) => (vote.preVote === true) === preVote);
    expect(votes[0]?.revision).toEqual(rev('2/2'));
  });
});

describe('elections', () => {
  test('a peer that lacks an acknowledged write is not elected, though it comes up first', () => {
    const cluster = new Cluster([A, B, { ip: C, priority: 5 }], { registry: LIMITS });
    cluster.isolate(C);
    const first = cluster.elect();
    const id = cluster.write(first, { key: 'k', value: '1' });
    cluster.run(H);
    expect(cluster.host(first).answers.get(id)).toMatchObject({ timestamp: 1 });
    cluster.heal();
    cluster.kill(first);
    cluster.cut(first, C);
    cluster.runUntil(() => cluster.leaders.length > 0);
    expect(cluster.leaders).not.toContain(C);
    cluster.run(L);
    expect(contents(cluster.host(C))).toEqual({ k: '1@1' });
  });

  test('an acknowledged write survives each leader that dies, one after the other', () => {
    const cluster = new Cluster([A, B, C], { registry: LIMITS });
    for (let number = 1; number <= 5; number++) {
      cluster.runUntil(() => cluster.leaders.length > 0);
      const first = cluster.leaders[0] as string;
      const id = cluster.write(first, { key: `k${number}`, value: '1' });
      cluster.runUntil(() => cluster.host(first).answers.has(id));
      cluster.restart(first);
      cluster.run(2 * L);
    }
    cluster.run(2 * L);
    for (const host of cluster.hosts.values()) expect(Object.keys(contents(host))).toHaveLength(5);
  });

  test('a leader that resigns hands over to the voter that holds most', () => {
    const bench = new Bench();
    bench.lead();
    bench.ack(C, '2/1');
    bench.cluster.run(1);
    bench.ack(B);
    expect(bench.give(() => bench.host.core.resign(bench.cluster.now))).toBe(C);
  });
});
