import { describe, expect, test } from 'vitest';
import { A, B, C, Cluster, D, E, H, type Host, IN_USE, L, LATENCY, peer, TIMING } from './cluster.js';
import { beat, candidate, leaderOf, one, refusal } from './support.js';

describe('empty store', () => {
  test('a peer that has not recovered takes part in nothing', () => {
    const host = one({}, null);
    const calls = [
      () => host.core.receivedVote({ peer: candidate(B, 9) }, 5 * L),
      () => host.core.receivedVote({ peer: candidate(B, 9), preVote: true, round: 1 }, 5 * L),
      () => host.core.receivedBeat(beat(B, 9), 5 * L),
      () => host.core.receivedTransfer({ peer: leaderOf(B, 0) }, 5 * L),
    ];
    for (const call of calls) expect(refusal(call).code).toBe('REJOINING');
    host.core.receivedPeer(B, peer(B, { term: 9 }), 5 * L);
    expect(host.self).toMatchObject({ term: 0, voteFor: null, state: 'FOLLOWER' });
    expect(host.core.takeOutputs().every((output) => output.type === 'fetchPeer')).toBe(true);
    expect(host.core.getPeer(5 * L).empty).toBe(true);
  });

  /** The id that an empty peer asks with, once its start wait is over. */
  function idOf(host: Host): number {
    host.core.tick(L);
    const asked = host.core.takeOutputs().find((output) => output.type === 'fetchPeer');
    if (asked?.type !== 'fetchPeer' || asked.id === undefined) throw new Error('it does not ask');
    return asked.id;
  }
  const five = [A, B, C, D, E];

  test('it recovers after the start wait when n - majority + 1 others with non-empty stores have answered', () => {
    const host = one({}, null, five);
    const id = idOf(host);
    host.core.receivedPeer(B, { ...peer(B, { term: 7 }), id, empty: false }, L);
    host.core.receivedPeer(C, { ...peer(C, { term: 4 }), id, empty: false }, L);
    host.core.receivedPeer(E, { ...peer(E, { term: 9 }), id, empty: true }, L);
    expect(host.core.rejoining).toBe(true);
    host.core.receivedPeer(D, { ...peer(D, { term: 6 }), id, empty: false }, L);
    expect(host.core.rejoining).toBe(false);
    expect(host.core.takeOutputs()).toContainEqual({
      type: 'save',
      state: { term: 9, voteFor: A, promisedMs: 0 },
    });
    expect(host.core.receivedVote({ peer: candidate(B, 9) }, L)).toMatchObject({ granted: false });
    expect(host.core.receivedVote({ peer: candidate(B, 10) }, L)).toMatchObject({ granted: true });
  });

  test('it asks only when its start wait is over: an older answer may come before a vote that is under way', () => {
    const host = one({}, null);
    host.core.tick(L - 1);
    expect(host.core.takeOutputs()).toEqual([]);
    expect(host.core.nextDeadline()).toBe(L);
    host.core.tick(L);
    const asked = { type: 'fetchPeer', id: host.core.getPeer(L).rejoinId };
    expect(host.core.takeOutputs()).toEqual([B, C].map((from) => ({ ...asked, from })));
  });

  test('the word of a plain majority is not enough, nor an answer to an earlier process, nor an observer’s', () => {
    const host = one({}, null, [...five, { ip: 'f:1', observer: true }]);
    const id = idOf(host);
    for (const ip of [B, C]) host.core.receivedPeer(ip, { ...peer(ip), id, empty: false }, L);
    host.core.receivedPeer(D, { ...peer(D), id: id + 1, empty: false }, L);
    host.core.receivedPeer(E, { ...peer(E), empty: false }, L);
    host.core.receivedPeer('f:1', { ...peer('f:1'), id, empty: false }, L);
    host.core.tick(2 * L);
    expect(host.core.rejoining).toBe(true);
  });

  test('all others, empty or not, are enough', () => {
    const host = one({}, null, five);
    const id = idOf(host);
    for (const ip of [B, C, D]) host.core.receivedPeer(ip, { ...peer(ip), id, empty: true }, L);
    expect(host.core.rejoining).toBe(true);
    host.core.receivedPeer(E, { ...peer(E, { term: 3 }), id, empty: false }, L);
    expect(host.self.term).toBe(3);
    expect(host.core.rejoining).toBe(false);
  });

  test('with rejoin strict it waits for all others', () => {
    const host = one({ rejoin: 'strict' }, null, five);
    const id = idOf(host);
    for (const ip of [B, C, D]) host.core.receivedPeer(ip, { ...peer(ip), id, empty: false }, L);
    expect(host.core.rejoining).toBe(true);
    host.core.receivedPeer(E, { ...peer(E), id, empty: false }, L);
    expect(host.core.rejoining).toBe(false);
  });

  test('with bootstrap a majority of empty peers may begin, and one that holds something is not empty', () => {
    for (const empty of [true, false]) {
      const host = one({ bootstrap: true }, null, five);
      const id = idOf(host);
      host.core.receivedPeer(B, { ...peer(B), id, empty: true }, L);
      expect(host.core.rejoining).toBe(true);
      host.core.receivedPeer(C, { ...peer(C), id, empty }, L);
      expect(host.core.rejoining).toBe(!empty);
    }
  });

  test('one that began a new cluster still counts as empty for those with which it began, until an election', () => {
    const host = one({ bootstrap: true }, null, five);
    const id = idOf(host);
    host.core.receivedPeer(B, { ...peer(B), id, empty: true, rejoinId: 7 }, L);
    host.core.receivedPeer(C, { ...peer(C), id, empty: true, rejoinId: 8 }, L);
    expect(host.core.rejoining).toBe(false);
    expect(host.core.getPeer(L, 7)).toMatchObject({ id: 7, empty: true });
    expect(host.core.getPeer(L, 9)).toMatchObject({ id: 9, empty: false });
    expect(host.core.getPeer(L).empty).toBe(false);
    host.core.receivedBeat(beat(B, 1), L);
    expect(host.core.getPeer(L, 7).empty).toBe(false);
    expect(host.core.getPeer(L, 7)).not.toHaveProperty('founder');
  });

  test('founders that start one after the other all begin', () => {
    const cluster = new Cluster(five, { bootstrap: true }, null);
    for (const ip of [B, C, D, E]) cluster.kill(ip);
    for (const ip of [B, C]) {
      cluster.run(L / 3);
      cluster.start(ip, null);
    }
    cluster.elect();
    expect([A, B, C].map((ip) => cluster.core(ip).rejoining)).toEqual([false, false, false]);
  });

  test('bootstrap left on does not let an emptied peer vote again with a peer that missed the election', () => {
    const cluster = new Cluster([A, { ip: B, priority: 0 }, { ip: C, priority: 2 }], { bootstrap: true });
    cluster.cut(B, C);
    cluster.cut(C, B);
    expect(cluster.elect()).toBe(C);
    cluster.isolate(C);
    cluster.kill(A);
    cluster.start(A, null);
    cluster.run(5 * L);
    expect(cluster.host(B).self.term).toBe(0);
    expect(cluster.core(A).rejoining).toBe(true);
  });

  test('a new cluster begins when all are up; with bootstrap, when a majority is', () => {
    const waiting = new Cluster(five, {}, null);
    for (const ip of [D, E]) waiting.kill(ip);
    waiting.run(10 * L);
    expect(waiting.leaders).toEqual([]);
    for (const ip of [D, E]) waiting.start(ip, null);
    waiting.elect();
    const told = new Cluster(five, { bootstrap: true }, null);
    for (const ip of [D, E]) told.kill(ip);
    told.elect();
    for (const ip of [D, E]) told.start(ip, null);
    told.run(5 * L);
    expect(told.ips.map((ip) => told.core(ip).rejoining)).toEqual([false, false, false, false, false]);
  });

  test('a wiped peer of a running cluster recovers its term, disturbs nobody, and follows', () => {
    const cluster = new Cluster([A, B, C]);
    const leader = cluster.elect();
    cluster.run(L);
    const wiped = cluster.ips.find((ip) => ip !== leader) as string;
    cluster.kill(wiped);
    cluster.start(wiped, null);
    cluster.run(3 * L);
    expect(cluster.leaders).toEqual([leader]);
    expect(cluster.host(wiped)).toMatchObject({ leader, disk: { term: 1, voteFor: wiped } });
  });

  test('an empty cluster of one begins at once', () => {
    const cluster = new Cluster([A], {}, null);
    cluster.run(0);
    expect(cluster.leaders).toEqual([A]);
  });

  test('it asks those again that have not told of a store that holds something', () => {
    const host = one({}, null, five);
    const id = idOf(host);
    host.core.receivedPeer(B, { ...peer(B), id, empty: false }, L);
    host.core.receivedPeer(C, { ...peer(C), id, empty: true }, L);
    host.core.tick(L + TIMING.requestTimeoutMs);
    expect(host.core.takeOutputs()).toEqual([C, D, E].map((from) => ({ type: 'fetchPeer', from, id })));
  });

  test.each([
    ['of a lower term', { term: 7, empty: false }, { term: 3, empty: true }, false],
    ['of a lower term that holds something', { term: 7, empty: true }, { term: 3, empty: false }, true],
    ['of the same term that holds nothing', { term: 7, empty: false }, { term: 7, empty: true }, false],
    ['of the same term that holds something', { term: 7, empty: true }, { term: 7, empty: false }, false],
    ['of a higher term that holds nothing', { term: 3, empty: false }, { term: 7, empty: true }, true],
  ])(
    'after an answer one %s tells what is newer: %j, %j, so it is asked again: %s',
    (_name, first, second, again) => {
      const host = one({}, null, five);
      const id = idOf(host);
      for (const { term, empty } of [first, second])
        host.core.receivedPeer(B, { ...peer(B, { term }), id, empty }, L);
      host.core.tick(L + TIMING.requestTimeoutMs);
      const asked = host.core.takeOutputs().flatMap((it) => (it.type === 'fetchPeer' ? [it.from] : []));
      expect(asked).toEqual(again ? [B, C, D, E] : [C, D, E]);
    },
  );

  test('an overtaken answer does not hide a higher term', () => {
    const host = one({}, null);
    const id = idOf(host);
    host.core.receivedPeer(B, { ...peer(B, { term: 7 }), id, empty: false }, L);
    host.core.receivedPeer(B, { ...peer(B, { term: 3 }), id, empty: false }, L);
    host.core.receivedPeer(C, { ...peer(C, { term: 2 }), id, empty: false }, L);
    expect(host.core.rejoining).toBe(false);
    expect(host.self.term).toBe(7);
  });

  test('it waits for the longest promise that the others know of, for a leader of a larger L counts on it', () => {
    const cluster = new Cluster([A, { ip: B, priority: 2 }, C]);
    cluster.start(A, IN_USE, { timing: { ...TIMING, leaderTimeoutMs: 10 * L } });
    expect(cluster.elect()).toBe(B);
    cluster.cut(A, C);
    cluster.cut(C, A);
    cluster.core(B).resign(cluster.now, A);
    cluster.carryOut(B);
    expect(cluster.elect()).toBe(A);
    cluster.kill(B);
    cluster.start(B, null);
    cluster.run(L + 4 * LATENCY);
    cluster.isolate(A);
    for (let ms = 0; ms < 8 * L; ms += H) {
      cluster.run(H);
      expect(cluster.leaders.length).toBeLessThanOrEqual(1);
    }
    expect(cluster.core(B).rejoining).toBe(true);
    cluster.run(3 * L);
    expect(cluster.core(B).rejoining).toBe(false);
    expect(cluster.leaders).toHaveLength(1);
    expect(cluster.leaders).not.toContain(A);
    expect(cluster.host(B).disk?.promisedMs).toBe(10 * L);
  });
});
