import { describe, expect, test } from 'vitest';
import { A, B, C, Cluster, D, IN_USE, L, peer } from './cluster.js';
import { candidate, leaderOf, one, refusal, requests } from './support.js';

describe('observers', () => {
  const members = [A, B, C, { ip: D, observer: true }];

  test('they follow, never campaign, and are asked for no vote', () => {
    const cluster = new Cluster(members);
    const leader = cluster.elect();
    cluster.run(L);
    expect(cluster.host(D).leader).toBe(leader);
    expect(cluster.host(D).events).toEqual([`makeLeader ${leader} 1`]);
    expect(cluster.sent.some(({ to, request }) => to === D && request.type === 'vote')).toBe(false);
    for (const ip of [A, B, C]) cluster.kill(ip);
    cluster.run(20 * L);
    expect(cluster.host(D).leader).toBeNull();
    expect(cluster.sent.some(({ from }) => from === D)).toBe(false);
  });

  test('they never vote, and nobody votes for them', () => {
    const cluster = new Cluster(members);
    cluster.run(L);
    expect(cluster.core(D).receivedVote({ peer: candidate(A, 9) }, L)).toMatchObject({
      granted: false,
      term: 0,
    });
    expect(cluster.core(D).receivedVote({ peer: candidate(A, 9), preVote: true, round: 1 }, L).granted).toBe(
      false,
    );
    expect(refusal(() => cluster.core(A).receivedVote({ peer: candidate(D, 9) }, L)).code).toBe(
      'NOT_A_VOTER',
    );
    expect(cluster.core(A).peers.majorityCount()).toBe(2);
  });

  test('their replies enter no tally', () => {
    const host = one({}, { ...IN_USE, term: 5 }, members);
    host.core.receivedTransfer({ peer: leaderOf(B, 5) }, 1);
    host.core.saved({ ...IN_USE, term: 6, voteFor: A }, 1);
    host.core.receivedVoteReply(D, { ...peer(D, { term: 6, voteFor: A }), granted: true }, 1);
    expect(host.self.state).toBe('CANDIDATE');
    const asking = one({}, { ...IN_USE, term: 5 }, members);
    asking.core.tick(2 * L);
    const round = requests(asking).flatMap((request) =>
      request.type === 'vote' ? [request.round as number] : [],
    )[0] as number;
    asking.core.receivedVoteReply(D, { ...peer(D, { term: 5 }), granted: true, round }, 2 * L);
    expect(asking.self.state).toBe('FOLLOWER');
  });
});
