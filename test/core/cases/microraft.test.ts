import { type Member, RaftPeerSet } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { A, B, C, Cluster, D, E, H, IN_USE, L, LEASE, peer } from '../cluster.js';
import {
  ABC,
  ABCDE,
  agreed,
  asking,
  candidate,
  follower,
  handOver,
  inFront,
  leader,
  refusal,
  runSafely,
  Solo,
  viewOf,
} from './support.js';

describe('RaftTest', () => {
  test.each([2, 3])('M1 of %i peers one is elected, and all agree on it and its term', (size) => {
    const cluster = new Cluster(ABC.slice(0, size));
    const elected = cluster.elect();
    cluster.run(H);
    expect(agreed(cluster)).toEqual({ leader: elected, term: 1 });
  });

  test('M4 when the leader dies another takes its place', () => {
    const cluster = new Cluster(ABC);
    cluster.kill(cluster.elect());
    runSafely(cluster, 2 * L);
    expect(agreed(cluster).term).toBe(2);
  });

  test('M4 when a follower dies the leader stays', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.kill(C);
    runSafely(cluster, 10 * L);
    expect(agreed(cluster)).toEqual({ leader: A, term: 1 });
  });

  test('M5 a minority split from its leader forgets it, and follows it again after the merge', () => {
    const cluster = new Cluster(inFront(A, ABCDE));
    cluster.elect();
    cluster.run(L);
    cluster.isolate(D);
    cluster.isolate(E);
    runSafely(cluster, 3 * L);
    for (const ip of [D, E]) {
      expect(viewOf(cluster.host(ip))).toMatchObject({ state: 'FOLLOWER', term: 1, leader: null });
      expect(cluster.host(ip).events.at(-1)).toBe('leaderLost a:1 1');
    }
    cluster.heal();
    runSafely(cluster, 2 * H);
    expect(agreed(cluster)).toEqual({ leader: A, term: 1 });
    expect(cluster.host(D).events).toEqual(['makeLeader a:1 1', 'leaderLost a:1 1', 'makeLeader a:1 1']);
  });

  test('M9 a leader in the minority demotes itself, and later beats count from the beginning', () => {
    const a = leader(1);
    a.wait(LEASE);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 1, voteFor: A, leader: null });
    a.waitUntil(() => a.preVotes.length > 1);
    a.preVoted(B);
    a.voted(B);
    expect(a.view).toMatchObject({ state: 'LEADER', term: 2 });
    expect(a.leads).toBe(false);
    a.acked(C, { requestTerm: 1 });
    expect(a.leads).toBe(false);
    a.acked(C);
    expect(a.leads).toBe(true);
  });

  test.each<[string, readonly (string | Member)[]]>([
    ['two voters', [A, B, { ip: C, observer: true }, { ip: D, observer: true }]],
    ['one voter', [A, { ip: B, observer: true }, { ip: C, observer: true }]],
  ])('M11 of %s and two observers a voter is elected, and the observers follow it', (_name, members) => {
    const cluster = new Cluster(members);
    const elected = cluster.elect();
    runSafely(cluster, L);
    expect(agreed(cluster)).toEqual({ leader: elected, term: 1 });
    expect(members).toContain(elected);
    const asked = cluster.sent.filter(({ request }) => request.type === 'vote').map(({ to }) => to);
    expect(asked.filter((ip) => !members.includes(ip))).toEqual([]);
  });
});

describe('LeadershipTransferTest', () => {
  // The source answers a transfer to the leader itself with success; here it is refused (section 3, transfer).
  test.each<[string, string]>([
    ['the leader itself', A],
    ['a non-member', 'x:1'],
    ['an observer', C],
  ])('M12 a transfer to %s fails, and the leader leads on', (_name, to) => {
    const a = leader(1, { members: [A, B, { ip: C, observer: true }] });
    expect(refusal(() => a.resign(to)).code).toBe('BAD_TARGET');
    expect(a.leads).toBe(true);
  });

  test('M12 a transfer fails on a follower', () => {
    expect(refusal(() => follower(1).resign(B)).code).toBe('NOT_LEADER');
  });

  test('M12 a transfer gives the target the next term, and the old leader follows it', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.run(H);
    handOver(cluster, C);
    expect(agreed(cluster)).toEqual({ leader: C, term: 2 });
    expect(refusal(() => cluster.core(A).resign(cluster.now, B)).code).toBe('NOT_LEADER');
  });

  // The source's second call joins the first; here the first ended the leadership.
  test('M12 a second transfer, to the same target or another, fails', () => {
    const a = leader(1);
    a.resign(B);
    expect(refusal(() => a.resign(B)).code).toBe('NOT_LEADER');
    expect(refusal(() => a.resign(C)).code).toBe('NOT_LEADER');
    expect(a.requests('transfer').length).toBe(1);
  });
});

describe('PersistenceTest', () => {
  test('M13 term and vote are stored by all, at the first election and at the next', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.run(H);
    for (const ip of ABC) expect(cluster.host(ip).disk).toMatchObject({ term: 1, voteFor: A });
    cluster.kill(A);
    runSafely(cluster, 2 * L);
    const elected = agreed(cluster).leader;
    for (const ip of [B, C]) {
      expect(cluster.host(ip).disk).toMatchObject({ term: 2, voteFor: elected });
    }
  });

  test('M14 a former leader, restarted from its store, follows the new one in its term', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    const disk = cluster.kill(A);
    runSafely(cluster, 2 * L);
    const { leader: elected } = agreed(cluster);
    expect(viewOf(cluster.start(A, disk))).toEqual({ state: 'FOLLOWER', term: 1, voteFor: A, leader: null });
    runSafely(cluster, 2 * H);
    expect(agreed(cluster)).toEqual({ leader: elected, term: 2 });
    expect(cluster.host(A).disk).toEqual({ term: 2, voteFor: elected, promisedMs: L });
  });

  test('M15 a leader, restarted while the followers cannot elect another, wins again in a higher term', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.run(H);
    const disk = cluster.kill(A);
    cluster.cut(B, C);
    cluster.cut(C, B);
    runSafely(cluster, 3 * L);
    expect(cluster.leaders).toEqual([]);
    cluster.start(A, disk);
    // As in the source the followers get no votes.
    cluster.loses = (from, _to, request) => from !== A && request.type === 'vote' && request.peer.ip !== A;
    runSafely(cluster, 2 * L);
    expect(agreed(cluster)).toEqual({ leader: A, term: 2 });
  });

  test('M16 a restarted follower, priority 0 and observer keep their roles', () => {
    const members = [A, { ip: B, priority: 0 }, C, { ip: D, observer: true }];
    const cluster = new Cluster(members);
    cluster.elect();
    cluster.run(H);
    for (const ip of [B, C, D]) {
      const { term, voteFor } = viewOf(cluster.host(ip));
      expect(viewOf(cluster.restart(ip))).toEqual({ state: 'FOLLOWER', term, voteFor, leader: null });
    }
    for (const ip of [A, C]) cluster.kill(ip);
    cluster.run(5 * L);
    expect(cluster.core(B).nextDeadline()).toBe(Number.POSITIVE_INFINITY);
    expect(cluster.core(D).nextDeadline()).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('SingletonRaftGroupTest', () => {
  test('M17 one voter leads at its start, and a term further after each restart', () => {
    const cluster = new Cluster([A]);
    for (const term of [1, 2, 3]) {
      cluster.run(1);
      expect(agreed(cluster)).toEqual({ leader: A, term });
      expect(cluster.host(A).disk).toEqual({ term, voteFor: A, promisedMs: 0 });
      cluster.restart(A);
    }
  });

  test('M17 one voter with an empty store leads at its start', () => {
    const a = new Solo({ members: [A], disk: null });
    a.wait(0);
    expect(a.view).toEqual({ state: 'LEADER', term: 1, voteFor: A, leader: A });
    expect(a.done).toEqual(['save 0 a:1', 'save 1 a:1']);
  });

  test.each<[string, number, readonly (string | Member)[]]>([
    ['alone', 1, [A]],
    ['with an observer', 1, [A, { ip: B, observer: true }]],
    ['with a second voter', 2, [A, B]],
  ])('M17 the majority of one voter %s is %i', (_name, majority, members) => {
    const peers = new RaftPeerSet({ local: A, members: [A] });
    peers.changePeers(members);
    expect(peers.majorityCount()).toBe(majority);
  });
});

describe('units', () => {
  test('M20 a voter that grants twice counts once', () => {
    const a = candidate(1, { members: ABCDE });
    a.voted(B);
    a.voted(B);
    expect(a.view.state).toBe('CANDIDATE');
    a.voted(C);
    expect(a.view.state).toBe('LEADER');
  });

  test('M20 a voter that would grant twice counts once', () => {
    const a = asking(0, { members: ABCDE });
    a.preVoted(B);
    a.preVoted(B);
    expect(a.view).toMatchObject({ state: 'FOLLOWER', term: 0 });
    a.preVoted(C);
    expect(a.view).toMatchObject({ state: 'CANDIDATE', term: 1 });
  });

  test('M21 a peer set that campaigns is a candidate, a term further, with its own vote and no leader', () => {
    const peers = new RaftPeerSet({ local: A, members: ABC });
    peers.makeLeader(peer(B, { state: 'LEADER', term: 1 }));
    peers.update(peer(C, { term: 1, voteFor: B }));
    peers.campaign();
    expect(peers.self).toMatchObject({ state: 'CANDIDATE', term: 1, voteFor: A });
    expect(peers.leader).toBeNull();
    expect(peers.get(C)?.voteFor).toBeNull();
  });

  test('M21 a peer set that takes over a term follows, with a free vote and no leader', () => {
    const peers = new RaftPeerSet({ local: A, members: ABC });
    peers.campaign();
    peers.decideLeader(peer(A, { term: 1, voteFor: A }));
    peers.decideLeader(peer(B, { term: 1, voteFor: A }));
    expect(peers.leader?.ip).toBe(A);
    peers.adopt(7);
    expect(peers.self).toMatchObject({ state: 'FOLLOWER', term: 7, voteFor: null });
    expect(peers.leader).toBeNull();
  });
});

describe('faulttolerance', () => {
  test('M22 a split leader demotes itself, another is elected, and all agree after the merge', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.isolate(A);
    runSafely(cluster, 2 * L);
    expect(viewOf(cluster.host(A))).toMatchObject({ state: 'FOLLOWER', term: 1, leader: null });
    const elected = cluster.leaders[0];
    cluster.heal();
    runSafely(cluster, 2 * H);
    expect(agreed(cluster)).toEqual({ leader: elected, term: 2 });
  });

  test('M22 without its majority a leader demotes itself; with one peer restored there is a leader', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.run(H);
    const disk = cluster.kill(B);
    cluster.kill(C);
    runSafely(cluster, 2 * L);
    expect(viewOf(cluster.host(A))).toMatchObject({ state: 'FOLLOWER', term: 1, leader: null });
    cluster.start(B, disk);
    runSafely(cluster, 3 * L);
    expect(agreed(cluster).term).toBe(2);
  });

  test('M22 a leader whose acknowledgements are lost leads no more; when it dies another does', () => {
    const cluster = new Cluster(ABC);
    const former = cluster.elect();
    cluster.loses = (_from, to, request) => to === former && request.type === 'beat';
    runSafely(cluster, LEASE + 2);
    expect(cluster.leaders).toEqual([]);
    cluster.kill(former);
    runSafely(cluster, 2 * L);
    expect(agreed(cluster).leader).not.toBe(former);
  });

  // L1: the two others can talk to each other, and must not follow for ever one that never gains a lease.
  test('M22 a leader whose acknowledgements alone are lost is replaced within a few L', () => {
    const cluster = new Cluster(ABC);
    const former = cluster.elect();
    cluster.loses = (_from, to, request) =>
      to === former && request.type === 'beat' && request.peer.ip === former;
    runSafely(cluster, 10 * L);
    expect(cluster.leaders.length).toBe(1);
    expect(cluster.leaders).not.toContain(former);
  });

  test('M22 a crashed follower, restored, follows the leader that stayed', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.run(H);
    const disk = cluster.kill(B);
    runSafely(cluster, 3 * L);
    cluster.start(B, disk);
    runSafely(cluster, 2 * H);
    expect(agreed(cluster)).toEqual({ leader: A, term: 1 });
  });

  test('M22 a new follower with an empty store recovers, and follows the leader that stayed', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.kill(B);
    cluster.start(B, null);
    runSafely(cluster, L - H);
    expect(cluster.core(B).rejoining).toBe(true);
    runSafely(cluster, 3 * H);
    expect(agreed(cluster)).toEqual({ leader: A, term: 1 });
    expect(cluster.host(B).disk).toMatchObject({ term: 1, voteFor: B });
  });

  test('M22 a disk that stalls for 3 L costs the leader nothing: a term is saved once', () => {
    const cluster = new Cluster(inFront(A, ABC), {}, IN_USE);
    cluster.elect();
    cluster.run(H);
    cluster.host(A).diskStalls = true;
    runSafely(cluster, 3 * L);
    expect(agreed(cluster)).toEqual({ leader: A, term: 1 });
  });
});
