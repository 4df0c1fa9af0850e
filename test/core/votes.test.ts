import type { VoteReply } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { compareRevisions } from '../../src/core/messages.js';
import { A, B, C, Cluster, D, E, type Host, IN_USE, L, peer, TIMING } from './cluster.js';
import { beat, candidate, leaderOf, one, requests } from './support.js';

describe('pre-vote', () => {
  /** A peer of three at term 5 that has just opened a round, and that round's number. */
  function asking(options: ConstructorParameters<typeof Host>[3] = {}): {
    host: Host;
    round: number;
    now: number;
  } {
    const host = one(options);
    const now = L + 2 * TIMING.staggerMs + 20;
    host.core.tick(now);
    const request = requests(host)[0];
    if (request?.type !== 'vote') throw new Error('it does not ask');
    expect(request).toMatchObject({ preVote: true, peer: { term: 6 }, revision: { term: 0, seq: 0 } });
    expect(host.self).toMatchObject({ state: 'FOLLOWER', term: 5, voteFor: null });
    return { host, round: request.round as number, now };
  }
  const granted = (ip: string, round: number, term = 5): VoteReply => ({
    ...peer(ip, { term }),
    granted: true,
    round,
  });

  test('a majority of the open round makes a candidate of the next term', () => {
    const { host, round, now } = asking();
    host.core.receivedVoteReply(B, granted(B, round), now);
    expect(host.self).toMatchObject({ state: 'CANDIDATE', term: 6, voteFor: A });
  });

  test('a refusal, and a reply of another round, does not count', () => {
    const { host, round, now } = asking();
    host.core.receivedVoteReply(B, { ...granted(B, round), granted: false }, now);
    host.core.receivedVoteReply(C, granted(C, round - 1), now);
    host.core.receivedVoteReply(C, granted(C, round + 1), now);
    expect(host.self).toMatchObject({ state: 'FOLLOWER', term: 5 });
  });

  test('rounds start at a random number', () => {
    expect(asking().round).not.toBe(asking({ random: () => 0.5 }).round);
  });

  test.each<[string, (host: Host, now: number) => unknown]>([
    ['accepting a beat', (host, now) => host.core.receivedBeat(beat(C, 5), now)],
    ['granting a vote', (host, now) => host.core.receivedVote({ peer: candidate(C, 5) }, now)],
    ['changing the term', (host, now) => host.core.receivedPeer(C, peer(C, { term: 6 }), now)],
    ['a new round', (host, now) => host.core.tick(now + TIMING.requestTimeoutMs)],
  ])('%s closes the round: its late majority does not count', (_name, close) => {
    const { host, round, now } = asking();
    close(host, now);
    host.core.receivedVoteReply(B, granted(B, round), now);
    expect(host.self.state).toBe('FOLLOWER');
  });

  test('a higher term in the reply is taken over', () => {
    const { host, round, now } = asking();
    host.core.receivedVoteReply(B, { ...granted(B, round), granted: false, term: 9 }, now);
    expect(host.self).toMatchObject({ term: 9, voteFor: null });
  });

  test('answering stores nothing, resets no timer, and bears the own term and the round', () => {
    const host = one();
    const due = host.core.nextDeadline();
    const reply = host.core.receivedVote({ peer: candidate(B, 6), preVote: true, round: 77 }, L);
    expect(reply).toMatchObject({ granted: true, round: 77, term: 5, voteFor: null, ip: A });
    expect(host.core.nextDeadline()).toBe(due);
    expect(host.core.takeOutputs()).toEqual([]);
  });

  test('it is refused for a term that is not higher, and to one whose data is older', () => {
    const host = one({ revision: { term: 3, seq: 7 } });
    const ask = (term: number, revision: { term: number; seq: number }) =>
      host.core.receivedVote({ peer: candidate(B, term), preVote: true, round: 1, revision }, L).granted;
    expect(ask(6, { term: 3, seq: 7 })).toBe(true);
    expect(ask(5, { term: 3, seq: 7 })).toBe(false);
    expect(ask(6, { term: 3, seq: 6 })).toBe(false);
    expect(ask(6, { term: 2, seq: 9 })).toBe(false);
    expect(ask(6, { term: 4, seq: 1 })).toBe(true);
  });

  test('a peer that cannot reach a majority never raises its term (L2)', () => {
    const cluster = new Cluster([A, B, C, D, E]);
    cluster.elect();
    for (const ip of [A, B, C, D, E]) cluster.isolate(ip);
    cluster.run(50 * L);
    expect(cluster.ips.map((ip) => cluster.host(ip).self.term)).toEqual([1, 1, 1, 1, 1]);
  });
});

describe('vote', () => {
  test('one whose data is older is refused, after its term was taken over', () => {
    const host = one({ revision: { term: 3, seq: 7 } });
    expect(host.core.receivedVote({ peer: candidate(B, 9), revision: { term: 3, seq: 6 } }, L)).toMatchObject(
      { granted: false, term: 9, voteFor: null },
    );
    expect(host.core.receivedVote({ peer: candidate(B, 9), revision: { term: 3, seq: 7 } }, L).granted).toBe(
      true,
    );
  });

  test('the promise is looked at before the term: a refused request does not raise it', () => {
    const host = one();
    host.core.receivedBeat(beat(B, 5), 2 * L);
    host.core.receivedVote({ peer: candidate(C, 9) }, 2 * L + 1);
    expect(host.self.term).toBe(5);
  });

  test('revisions are ordered by term, then by seq', () => {
    expect(compareRevisions({ term: 1, seq: 9 }, { term: 2, seq: 1 })).toBeLessThan(0);
    expect(compareRevisions({ term: 2, seq: 2 }, { term: 2, seq: 1 })).toBeGreaterThan(0);
    expect(compareRevisions({ term: 2, seq: 1 }, { term: 2, seq: 1 })).toBe(0);
  });

  test('granting resets the own election timer', () => {
    const host = one();
    host.core.receivedVote({ peer: candidate(B, 6) }, L);
    expect(host.core.nextDeadline()).toBeGreaterThanOrEqual(2 * L);
    host.core.tick(2 * L - 1);
    expect(requests(host)).toEqual([]);
  });

  test('a refused vote does not reset it', () => {
    const host = one();
    const due = host.core.nextDeadline();
    host.core.receivedVote({ peer: candidate(B, 4) }, L);
    expect(host.core.nextDeadline()).toBe(due);
  });

  test('a lost election is tried again, by a new pre-vote, after a round trip and something random', () => {
    const host = one({ random: () => 0.5 });
    const now = L + 3 * TIMING.staggerMs;
    host.core.tick(now);
    expect(requests(host)).toHaveLength(1);
    expect(host.core.nextDeadline()).toBe(now + TIMING.requestTimeoutMs + 0.5 * TIMING.randomMs);
    host.core.tick(host.core.nextDeadline());
    expect(requests(host)).toMatchObject([{ type: 'vote', preVote: true, peer: { term: 6 } }]);
  });

  test('… or when the promise that refused it ends, if that is earlier', () => {
    const host = one();
    const now = L + 3 * TIMING.staggerMs;
    host.core.tick(now);
    const due = host.core.nextDeadline();
    host.core.receivedVoteReply(
      B,
      { ...peer(B, { term: 5 }), granted: false, round: 0, promiseMs: 10_000 },
      now,
    );
    expect(host.core.nextDeadline()).toBe(due);
    host.core.receivedVoteReply(B, { ...peer(B, { term: 5 }), granted: false, round: 0, promiseMs: 7 }, now);
    expect(host.core.nextDeadline()).toBe(now + 7);
  });

  test('… by a candidate, too; and not by one that has granted another its vote since', () => {
    const host = one();
    const refused = { ...peer(B, { term: 6 }), granted: false, promiseMs: 7 };
    host.core.receivedTransfer({ peer: leaderOf(B, 5) }, L);
    host.core.receivedVoteReply(B, refused, L);
    expect(host.core.nextDeadline()).toBe(L + 7);
    host.core.receivedVote({ peer: candidate(C, 7) }, L);
    host.core.receivedVoteReply(B, refused, L);
    expect(host.core.nextDeadline()).toBeGreaterThanOrEqual(2 * L);
  });

  test('one that takes over a higher term comes up in its turn from then on, not from the end of an old promise', () => {
    const host = one({}, { ...IN_USE, term: 5 }, [A, { ip: B, priority: 2 }, C]);
    host.core.receivedPeer(B, peer(B, { term: 6 }), 5 * L);
    expect(host.core.nextDeadline()).toBeGreaterThanOrEqual(5 * L + TIMING.staggerMs);
  });

  test('one that has had the last of all terms never campaigns', () => {
    const host = one({}, { ...IN_USE, term: Number.MAX_SAFE_INTEGER });
    expect(host.core.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
    host.core.tick(100 * L);
    expect(requests(host)).toEqual([]);
  });

  test('a candidate that lost keeps its term until a majority would elect it', () => {
    const cluster = new Cluster([A, B, C]);
    cluster.loses = (_from, _to, request) => request.type === 'vote' && request.preVote !== true;
    cluster.run(L + 3 * TIMING.staggerMs);
    const terms = () => Math.max(...cluster.ips.map((ip) => cluster.host(ip).self.term));
    expect(terms()).toBeGreaterThan(0);
    for (const ip of cluster.ips) cluster.isolate(ip);
    cluster.run(1);
    const before = terms();
    cluster.run(20 * L);
    expect(terms()).toBe(before);
  });
});
