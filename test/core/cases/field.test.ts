import { type Member, RaftError, RaftPeerSet } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { A, B, C, Cluster, D, E, H, IN_USE, L, LEASE, peer } from '../cluster.js';
import {
  ABC,
  ABCDE,
  agreed,
  asking,
  candidate,
  follower,
  inFront,
  leader,
  refusal,
  runSafely,
  Solo,
  viewOf,
  winner,
} from './support.js';

describe('thrawn01/election', () => {
  test('E1 a single peer tells of its leadership once', () => {
    const a = new Solo({ members: [A] });
    a.wait(10 * L);
    expect(a.host.events).toEqual(['leaderElectFinished 1', 'makeLeader a:1 1']);
  });

  test('E2 when the leader resigns another leads', () => {
    const cluster = new Cluster(inFront(A, ABCDE));
    cluster.elect();
    cluster.run(H);
    cluster.core(A).resign(cluster.now);
    cluster.carryOut(A);
    runSafely(cluster, 10);
    expect(agreed(cluster)).toEqual({ leader: B, term: 2 });
  });

  test('E3 a leader that loses all its links stops calling itself one', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.isolate(A);
    cluster.run(LEASE + 1);
    expect(cluster.core(A).isLeader(cluster.now)).toBe(false);
    expect(viewOf(cluster.host(A))).toEqual({ state: 'FOLLOWER', term: 1, voteFor: A, leader: null });
  });

  test('E4 a follower that was away follows again without an election', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.isolate(C);
    cluster.run(3 * L);
    expect(viewOf(cluster.host(C)).leader).toBeNull();
    cluster.heal();
    cluster.run(2 * H);
    expect(agreed(cluster)).toEqual({ leader: A, term: 1 });
    expect(cluster.host(C).events).toEqual(['makeLeader a:1 1', 'leaderLost a:1 1', 'makeLeader a:1 1']);
  });

  test('E5 peers that disagree on the members can elect two leaders; with one list again there is one', () => {
    const two = new Cluster([A, B]);
    const three = new Cluster([C, D, E]);
    expect([two.elect(), three.elect()].length).toBe(2);
    const stray = { peer: peer(C, { state: 'LEADER', term: 9 }), datums: [] };
    expect(refusal(() => two.core(A).receivedBeat(stray, two.now)).code).toBe('UNKNOWN_PEER');
    expect(viewOf(two.host(A)).term).toBe(1);
    const merged = new Cluster(ABCDE);
    for (const part of [two, three]) for (const ip of part.ips) merged.start(ip, part.host(ip).disk);
    runSafely(merged, 3 * L);
    expect(agreed(merged).term).toBe(2);
  });

  test('E6 one of two peers elects nobody; with its peer it does; without it the leader steps down', () => {
    const cluster = new Cluster(inFront(A, [A, B]));
    cluster.kill(B);
    cluster.run(3 * L);
    expect(viewOf(cluster.host(A))).toMatchObject({ state: 'FOLLOWER', term: 0 });
    cluster.start(B, IN_USE);
    runSafely(cluster, 2 * L);
    expect(agreed(cluster)).toEqual({ leader: A, term: 1 });
    cluster.kill(B);
    runSafely(cluster, L);
    expect(viewOf(cluster.host(A))).toMatchObject({ state: 'FOLLOWER', term: 1, leader: null });
  });

  test('E9 a follower cannot resign', () => {
    expect(refusal(() => follower(1).resign()).code).toBe('NOT_LEADER');
  });

  // The source's single peer resigns and wins again; here there is nobody to hand over to.
  test('E10 a single peer does not resign, and leads on', () => {
    const a = new Solo({ members: [A] });
    expect(refusal(() => a.resign()).code).toBe('BAD_TARGET');
    expect([a.leads, a.view.term]).toEqual([true, 1]);
  });
});

describe('canonical/raft', () => {
  test('two voters: the one that comes up wins with the vote of the other', () => {
    const a = candidate(1, { members: [A, B] });
    expect(a.view.state).toBe('CANDIDATE');
    a.voted(B);
    expect(a.view).toEqual({ state: 'LEADER', term: 1, voteFor: A, leader: A });
  });

  test('a vote is granted again to the same candidate, and saved once', () => {
    const a = follower(1);
    expect(a.vote(B, 2).granted).toBe(true);
    expect(a.vote(B, 2).granted).toBe(true);
    expect(a.saves.length).toBe(1);
  });

  test.each([
    ['an older term', { term: 1, seq: 9 }, false],
    ['an older seq', { term: 2, seq: 4 }, false],
    ['none', undefined, false],
    ['the same', { term: 2, seq: 5 }, true],
    ['a newer seq', { term: 2, seq: 6 }, true],
    ['a newer term', { term: 3, seq: 0 }, true],
  ])('a vote for a candidate whose data is of %s revision is granted: %j %s', (_name, revision, granted) => {
    const a = follower(3, { revision: { term: 2, seq: 5 } });
    const more = revision === undefined ? {} : { revision };
    expect(a.preVote(B, 4, more).granted).toBe(granted);
    expect(a.vote(B, 4, more).granted).toBe(granted);
    // The higher term is taken over all the same (section 3, vote: the order of checks).
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 4, voteFor: granted ? B : null, leader: null });
  });

  test('of five voters a candidate waits for two others', () => {
    const a = candidate(1, { members: ABCDE });
    a.voted(D);
    expect(a.view.state).toBe('CANDIDATE');
    a.voted(E);
    expect(a.view.state).toBe('LEADER');
  });

  test.each<[string, () => Solo, string, number]>([
    ['its own term is higher', () => follower(3), B, 2],
    ['it has a leader', () => following(), B, 2],
    ['it has a leader, whatever the term', () => following(), B, 1000],
    ['it voted for another', () => follower(2, { voteFor: C }), B, 2],
  ])('a vote is refused when %s, and nothing changes', (_reason, voter, from, term) => {
    const a = voter();
    const { view } = a;
    a.forget();
    expect(a.vote(from, term)).toMatchObject({ granted: false, term: view.term, voteFor: view.voteFor });
    expect(a.view).toEqual(view);
    expect(a.done).toEqual([]);
  });

  function following(): Solo {
    const a = follower(1);
    a.beat(C, 1);
    return a;
  }

  test.each<[string, string, readonly (string | Member)[]]>([
    ['UNKNOWN_PEER', 'a stranger', [A, C, D]],
    ['NOT_A_VOTER', 'an observer', [A, C, { ip: B, observer: true }]],
  ])('%s answers a vote or pre-vote of %s, and nothing changes', (code, _who, members) => {
    const a = follower(1, { members });
    expect(refusal(() => a.vote(B, 2)).code).toBe(code);
    expect(refusal(() => a.preVote(B, 2)).code).toBe(code);
    expect([a.view.term, a.view.voteFor, a.saves]).toEqual([1, null, []]);
  });

  test('a candidate that is denied a vote stays one', () => {
    const a = candidate(2);
    a.denied(B);
    expect(a.view).toEqual({ state: 'CANDIDATE', term: 2, voteFor: A, leader: null });
  });

  test('a candidate that cannot save asks nobody, and never wins', () => {
    const a = asking(0);
    a.diskStalls = true;
    a.preVoted(B);
    for (const from of [B, C]) a.voted(from);
    expect(a.view).toMatchObject({ state: 'CANDIDATE', term: 1 });
    expect([a.votes, a.host.events, a.leads]).toEqual([[], [], false]);
  });

  test('a voter that cannot save has its reply behind the save', () => {
    const a = follower(1);
    a.diskStalls = true;
    expect(a.vote(B, 2).granted).toBe(true);
    expect(a.saves).toEqual([{ term: 2, voteFor: B, promisedMs: L }]);
    expect(a.done).toEqual([]);
  });

  test('a request that could not be sent changes nothing, and the next answers may elect', () => {
    const a = candidate(1);
    const vote = a.requests('vote').at(-1)!;
    a.failed(B, vote, 'UNREACHABLE');
    expect(a.view).toEqual({ state: 'CANDIDATE', term: 1, voteFor: A, leader: null });
    a.voted(C);
    expect(a.view.state).toBe('LEADER');
  });

  test('a candidate that dies after its pre-votes leaves the voters free to elect another in that term', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.runUntil(() =>
      cluster.sent.some(({ request }) => request.type === 'vote' && request.preVote === true),
    );
    cluster.run(1);
    cluster.kill(A);
    for (const ip of [B, C]) {
      expect(viewOf(cluster.host(ip))).toEqual({ state: 'FOLLOWER', term: 0, voteFor: null, leader: null });
    }
    runSafely(cluster, L);
    expect(agreed(cluster).term).toBe(1);
  });

  test('a late pre-vote is no vote, and neither is one for a former round', () => {
    const a = asking(0, { members: ABCDE });
    const { round } = a.preVotes[0]!;
    a.preVoted(B);
    a.waitUntil(() => a.preVotes.length > 1);
    for (const from of [C, D, E]) a.preVoted(from, { round: round! });
    expect(a.view).toMatchObject({ state: 'FOLLOWER', term: 0 });
    for (const from of [B, C]) a.preVoted(from);
    expect(a.view).toMatchObject({ state: 'CANDIDATE', term: 1 });
    for (const from of [B, C, D, E]) a.preVoted(from);
    expect(a.view).toMatchObject({ state: 'CANDIDATE', term: 1 });
  });

  test.each<[string, (a: Solo) => void]>([
    ['a beat', (a) => a.beat(C, 1)],
    ['a vote granted', (a) => a.vote(C, 1)],
    ['a higher term', (a) => a.told(C, peer(C, { term: 2 }))],
  ])('%s closes the round of pre-votes', (_what, happens) => {
    const a = asking(0);
    happens(a);
    const { view } = a;
    a.preVoted(B);
    expect(a.view).toEqual(view);
    expect(a.votes).toEqual([]);
  });

  describe.each([3, 4, 5, 7])('fuzzy/test_election.c, of %i peers', (size) => {
    const ips = [...ABCDE, 'f:1', 'g:1'].slice(0, size);

    test('win: one is elected', () => {
      const cluster = new Cluster(ips);
      const elected = cluster.elect();
      runSafely(cluster, H);
      expect(agreed(cluster)).toEqual({ leader: elected, term: 1 });
    });

    test('change: when it dies, another is', () => {
      const cluster = new Cluster(ips);
      cluster.kill(cluster.elect());
      runSafely(cluster, 2 * L);
      expect(agreed(cluster).term).toBe(2);
    });

    test('changeReviveOutdated: the dead one comes back and follows', () => {
      const cluster = new Cluster(ips);
      const former = cluster.elect();
      const disk = cluster.kill(former);
      runSafely(cluster, 2 * L);
      const { leader: elected } = agreed(cluster);
      cluster.start(former, disk);
      runSafely(cluster, 2 * L);
      expect(agreed(cluster)).toEqual({ leader: elected, term: 2 });
    });

    test('noQuorum: without a majority nobody is, and no term rises', () => {
      const cluster = new Cluster(ips);
      cluster.elect();
      runSafely(cluster, H);
      for (const ip of ips.slice(0, Math.ceil(size / 2))) cluster.kill(ip);
      runSafely(cluster, 10 * L);
      expect(cluster.leaders).toEqual([]);
      for (const host of cluster.hosts.values())
        expect(viewOf(host)).toMatchObject({ term: 1, leader: null });
    });
  });
});

describe('openraft', () => {
  // The source's higher term wins at once; here only after the promise to the leader (D10).
  test('a higher term takes over from a leader that is gone, not from one that lives', () => {
    const b = follower(1, { local: B });
    b.beat(A, 1);
    expect(b.vote(C, 9).granted).toBe(false);
    b.now += L;
    expect(b.vote(C, 9).granted).toBe(true);
    expect(b.view).toEqual({ state: 'FOLLOWER', term: 9, voteFor: C, leader: null });
  });

  test('a peer that is cut off for long keeps its term, and unseats nobody when it is back', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.isolate(C);
    cluster.run(20 * L);
    expect(
      cluster.sent.filter(({ from, request }) => from === C && request.type === 'vote').length,
    ).toBeGreaterThan(50);
    expect(viewOf(cluster.host(C)).term).toBe(1);
    cluster.heal();
    runSafely(cluster, 2 * L);
    expect(agreed(cluster)).toEqual({ leader: A, term: 1 });
    expect(cluster.host(A).events).toEqual(['leaderElectFinished 1', 'makeLeader a:1 1']);
  });

  test('pre-vote elects another when the leader is cut off', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.isolate(A);
    runSafely(cluster, 2 * L);
    expect(cluster.leaders.length).toBe(1);
    expect(viewOf(cluster.host(cluster.leaders[0]!)).term).toBe(2);
  });

  test.each(['UNREACHABLE', 'TIMEOUT', 'REJOINING', 'NOT_A_VOTER'] as const)(
    'a peer that answers %s has not granted',
    (code) => {
      const a = asking(0);
      const preVote = a.requests('vote').at(-1)!;
      for (const to of [B, C]) a.failed(to, preVote, code);
      expect(a.view).toMatchObject({ state: 'FOLLOWER', term: 0 });
      a.preVoted(B);
      const vote = a.requests('vote').at(-1)!;
      for (const to of [B, C]) a.failed(to, vote, code);
      expect(a.view).toMatchObject({ state: 'CANDIDATE', term: 1 });
    },
  );

  test.each<[string, (a: Solo) => void]>([
    ['pre-vote', (a) => a.preVoted(B, { granted: false, term: 7 })],
    ['vote', (a) => a.denied(B, { term: 7 })],
  ])('a refused %s of a higher term brings the asker up to it', (kind, refused) => {
    const a = kind === 'vote' ? candidate(2) : asking(2);
    refused(a);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 7, voteFor: null, leader: null });
    expect(a.saves.at(-1)).toMatchObject({ term: 7, voteFor: null });
  });

  test('a leader that is told to take over stays the leader', () => {
    const a = leader(1).forget();
    expect(refusal(() => a.transfer(B, 1)).code).toBe('REFUSED_TRANSFER');
    expect([a.leads, a.view.term, a.done]).toEqual([true, 1, []]);
  });

  test('a follower whose messages do not leave follows on', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    for (const to of [A, B]) cluster.cut(C, to);
    runSafely(cluster, 10 * L);
    expect(agreed(cluster)).toEqual({ leader: A, term: 1 });
    expect(cluster.host(C).events).toEqual(['makeLeader a:1 1']);
  });

  // The source's follower campaigns; here the others refuse its pre-votes while their leader lives (D10).
  test('a follower that nothing reaches asks for pre-votes in vain', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    for (const from of [A, B]) cluster.cut(from, C);
    runSafely(cluster, 10 * L);
    expect(viewOf(cluster.host(C))).toMatchObject({ state: 'FOLLOWER', term: 1, leader: null });
    expect(cluster.leaders).toEqual([A]);
    expect(cluster.host(A).events).toEqual(['leaderElectFinished 1', 'makeLeader a:1 1']);
  });
});

describe('tikv/raft-rs', () => {
  // The source's voters refuse a lower priority; here priority orders who comes up, and voters do not look at it.
  test.each([A, B, C, D, E])(
    'election_with_priority: of five peers the one of the highest priority leads: %s',
    (ip) => {
      const cluster = new Cluster(inFront(ip, ABCDE));
      expect(cluster.elect()).toBe(ip);
      expect(cluster.now).toBeLessThan(L + 10);
    },
  );

  test('election_with_priority: a peer of priority 0 votes and never leads, even alone with a voter', () => {
    const cluster = new Cluster([A, { ip: B, priority: 0 }, { ip: C, priority: 0 }]);
    expect(cluster.elect()).toBe(A);
    cluster.kill(A);
    cluster.run(10 * L);
    expect(cluster.leaders).toEqual([]);
    expect(
      refusal(() => cluster.core(B).receivedTransfer({ peer: peer(A, { term: 1 }) }, cluster.now)).code,
    ).toBe('REFUSED_TRANSFER');
  });

  test('election_with_priority: a lower priority leads when the higher is gone', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.kill(A);
    runSafely(cluster, 2 * L);
    expect(agreed(cluster).term).toBe(1);
  });

  test('election_after_change_priority: a changed priority holds from the next start on', () => {
    const cluster = new Cluster(inFront(A, ABC));
    expect(cluster.elect()).toBe(A);
    cluster.run(H);
    const again = new Cluster(inFront(B, ABC));
    for (const ip of ABC) again.start(ip, cluster.host(ip).disk);
    expect(again.elect()).toBe(B);
    expect(viewOf(again.host(B)).term).toBe(2);
  });
});

describe('cases that nobody tests', () => {
  test('N1 a stalled leader is told false at its first question, before any timer or message had its turn', () => {
    const a = leader(1);
    a.now += LEASE;
    expect(a.view.state).toBe('LEADER');
    expect(a.leads).toBe(false);
    expect(a.core.isLeader(a.now - LEASE)).toBe(false);
  });

  test.each<[string, (a: Solo) => void, readonly string[]]>([
    ['its timer', (a) => a.tick(), ['leaderLost a:1 1']],
    ['an acknowledgement', (a) => a.acked(B), ['leaderLost a:1 1']],
    ['a beat of the next leader', (a) => a.beat(B, 2), ['leaderLost a:1 1', 'makeLeader b:1 2']],
    ['a vote', (a) => a.vote(B, 2), ['leaderLost a:1 1']],
  ])(
    'N1 a leader that stalled past its lease first steps down, whatever comes first: %s',
    (_what, happens, events) => {
      const a = leader(1).forget();
      a.now += LEASE;
      happens(a);
      expect(a.states[0]).toBe('LEADER FOLLOWER 1');
      expect(a.host.events).toEqual(events);
      expect(a.leads).toBe(false);
      expect(a.requests('beat')).toEqual([]);
    },
  );

  test('N1 a host that was suspended leads no more, though its monotonic clock stood still', () => {
    const a = leader(1);
    a.core.wallClockGained(LEASE);
    expect(a.leads).toBe(false);
    a.tick();
    expect(a.view.state).toBe('FOLLOWER');
  });

  test('N1 a leader that said false says it for the rest of its term', () => {
    const a = leader(1);
    a.wait(H);
    expect(a.core.isLeader(a.now + 2 * LEASE)).toBe(false);
    a.acked(B);
    expect(a.leads).toBe(false);
    expect(a.view.state).toBe('FOLLOWER');
  });

  test('N4 a peer restarted within the term in which it voted does not vote for another', () => {
    const a = follower(1);
    a.vote(B, 2);
    const again = new Solo({ disk: a.saves.at(-1)! });
    expect(again.vote(C, 2)).toMatchObject({ granted: false, promiseMs: L });
    again.now = L;
    expect(again.vote(C, 2)).toMatchObject({ granted: false, voteFor: B });
  });

  /** A peer with an empty store, and how others answer it. */
  function rejoining(
    options: { readonly rejoin?: 'strict'; readonly bootstrap?: boolean } = {},
    members = ABC,
  ) {
    const a = new Solo({ disk: null, members, random: () => 0.25, ...options });
    const answer = (from: string, term: number, empty: boolean, id = a.rejoinId): void =>
      a.told(from, { ...peer(from, { term }), empty, ...(id === undefined ? {} : { id }) });
    return { a, answer };
  }

  test('N4 a peer with an empty store waits, learns the term, and does not vote in it', () => {
    const { a, answer } = rejoining();
    a.wait(L - 1);
    expect(refusal(() => a.vote(B, 6)).code).toBe('REJOINING');
    a.wait(1);
    expect(new Set(a.fetched)).toEqual(new Set([B, C]));
    expect(refusal(() => a.vote(B, 6)).code).toBe('REJOINING');
    answer(B, 4, false);
    expect([a.core.rejoining, a.view.term, a.saves]).toEqual([true, 0, []]);
    answer(C, 5, false);
    expect(a.core.rejoining).toBe(false);
    expect(a.saves).toMatchObject([{ term: 5, voteFor: A }]);
    expect(a.vote(B, 5)).toMatchObject({ granted: false, term: 5 });
    expect(a.vote(B, 6)).toMatchObject({ granted: true, term: 6 });
  });

  const STALE_ID = 1;
  test.each<
    [
      string,
      boolean,
      Parameters<typeof rejoining>[0],
      readonly string[],
      (answer: ReturnType<typeof rejoining>['answer']) => void,
    ]
  >([
    ['one other of two', false, {}, ABC, (answer) => answer(B, 5, false)],
    ['both, one of them empty', true, {}, ABC, (answer) => [answer(B, 5, false), answer(C, 0, true)]],
    ['one twice', false, {}, ABC, (answer) => [answer(B, 5, false), answer(B, 6, false)]],
    [
      'one to a process of before',
      false,
      {},
      ABC,
      (answer) => [answer(B, 5, false), answer(C, 5, false, STALE_ID)],
    ],
    [
      'three others of four',
      true,
      {},
      ABCDE,
      (answer) =>
        [B, C, D].forEach((ip) => {
          answer(ip, 5, false);
        }),
    ],
    [
      'three others of four, one empty',
      false,
      {},
      ABCDE,
      (answer) =>
        [B, C, D].forEach((ip) => {
          answer(ip, 5, ip === D);
        }),
    ],
    [
      'three others of four, when strict',
      false,
      { rejoin: 'strict' },
      ABCDE,
      (answer) =>
        [B, C, D].forEach((ip) => {
          answer(ip, 5, false);
        }),
    ],
    ['one empty other, with bootstrap', true, { bootstrap: true }, ABC, (answer) => answer(B, 0, true)],
    ['one other in use, with bootstrap', false, { bootstrap: true }, ABC, (answer) => answer(B, 5, false)],
  ])(
    'N4 a peer with an empty store that heard of %s has recovered after its wait: %s',
    (_whom, recovers, options, members, tell) => {
      const { a, answer } = rejoining(options, [...members]);
      a.wait(L);
      tell(answer);
      expect(a.core.rejoining).toBe(!recovers);
    },
  );

  test('N4 of three peers that lost their stores none takes part until all have answered, then one leads', () => {
    const cluster = new Cluster(ABC, {}, null);
    cluster.kill(C);
    cluster.run(3 * L);
    expect([A, B].map((ip) => cluster.core(ip).rejoining)).toEqual([true, true]);
    cluster.start(C, null);
    runSafely(cluster, 2 * L);
    expect(agreed(cluster).term).toBe(1);
  });

  test.each<[string, (a: Solo) => void]>([
    ['a repeated grant', (a) => a.voted(B)],
    ['a grant of a former term', (a) => a.voted(C, { term: 1 })],
    ['a grant that names another', (a) => a.voted(C, { voteFor: D })],
    ['a refusal that names the candidate', (a) => a.voted(C, { granted: false })],
    ['a grant of a stranger', (a) => a.voted('x:1')],
    ['a grant of the same voter under another ip', (a) => a.voted(B, { ip: C })],
    ['a grant of an observer', (a) => a.voted('o:1')],
  ])('N5 %s does not count', (_what, reply) => {
    const a = candidate(2, { members: [...ABCDE, { ip: 'o:1', observer: true }] });
    a.voted(B);
    reply(a);
    expect(a.view).toEqual({ state: 'CANDIDATE', term: 2, voteFor: A, leader: null });
    a.voted(C);
    expect(a.view.state).toBe('LEADER');
  });

  test.each<[string, (a: Solo) => void]>([
    ['of a beat of a former term', (a) => a.acked(B, { requestTerm: 1 })],
    ['of a beat not yet sent', (a) => a.acked(B, { sentAt: a.now + 1 })],
    ['without a beat', (a) => a.acked('x:1')],
    ['of an observer', (a) => a.acked('o:1')],
  ])('N5 an acknowledgement %s gains no lease', (_what, reply) => {
    const a = winner(2, { members: [...ABC, { ip: 'o:1', observer: true }] });
    reply(a);
    expect(a.leads).toBe(false);
    a.acked(B);
    expect(a.leads).toBe(true);
  });

  // The sources' leader steps down; here the second is refused and reported: it never gains a lease (D5).
  test('N7 a second leader of the same term is refused and reported, by followers and by the leader', () => {
    const b = follower(1, { local: B });
    b.beat(A, 2);
    const a = leader(2);
    for (const [one, first] of [
      [b, A],
      [a, A],
    ] as const) {
      const error = refusal(() => one.beat(C, 2));
      expect(error).toMatchObject({ code: 'CONFLICTING_LEADER', term: 2 });
      expect(error.message).toContain(`${first} and ${C}`);
      expect(one.host.errors).toEqual([error]);
      expect(one.view).toMatchObject({ term: 2, voteFor: first, leader: first });
    }
    expect(a.leads).toBe(true);
  });

  test('N7 a leader that is refused as the second of its term reports it and gains no lease', () => {
    const a = winner(2);
    const beat = a.requests('beat').at(-1)!;
    for (const to of [B, C]) a.failed(to, beat, 'CONFLICTING_LEADER', 2);
    expect(a.host.errors.map(({ code }) => code)).toEqual(['CONFLICTING_LEADER', 'CONFLICTING_LEADER']);
    expect(a.leads).toBe(false);
    a.wait(L);
    expect(a.view).toMatchObject({ state: 'FOLLOWER', term: 2, leader: null });
  });

  test.each<[string, (a: Solo) => unknown]>([
    ['beat', (a) => a.beat(A, 9)],
    ['vote', (a) => a.vote(A, 9)],
    ['pre-vote', (a) => a.preVote(A, 9)],
    ['transfer', (a) => a.transfer(A, 2)],
  ])('N7 a %s under the ip of this peer is refused and reported', (_what, act) => {
    const a = follower(2);
    const error = refusal(() => act(a));
    expect(error.code).toBe('DUPLICATE_PEER');
    expect(a.host.errors).toEqual([error]);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 2, voteFor: null, leader: null });
  });

  test('N8 the majority is one of the members, however few can be reached', () => {
    const a = asking(0, { members: ABCDE });
    for (const to of [C, D, E]) a.failed(to, a.requests('vote').at(-1)!, 'UNREACHABLE');
    a.preVoted(B);
    expect(a.view).toMatchObject({ state: 'FOLLOWER', term: 0 });
    expect(a.core.peers.majorityCount()).toBe(3);
  });

  test('N8 a leader that is taken from the list is lost', () => {
    const peers = new RaftPeerSet({ local: A, members: ABC });
    const lost: string[] = [];
    peers.on('leaderLost', ({ leader: former, term }) => lost.push(`${former.ip} ${term}`));
    peers.makeLeader(peer(B, { state: 'LEADER', term: 3 }));
    peers.changePeers([A, C]);
    expect(peers.leader).toBeNull();
    expect(lost).toEqual(['b:1 3']);
  });

  test('N9 a listener that throws is reported, and harms neither the others nor the peer', () => {
    const a = follower(1);
    const heard: string[] = [];
    a.core.peers.on('makeLeader', () => {
      throw new Error('oh');
    });
    a.core.peers.on('makeLeader', ({ leader: { ip } }) => heard.push(ip));
    expect(a.beat(B, 2)).toMatchObject({ term: 2, requestTerm: 2 });
    expect(heard).toEqual([B]);
    expect(a.host.errors).toMatchObject([{ code: 'LISTENER_FAILED', cause: new Error('oh') }]);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 2, voteFor: B, leader: B });
  });

  test('N9 a listener that rejects is reported', async () => {
    const a = follower(1);
    const reported = new Promise<RaftError>((resolve) => a.core.peers.on('error', resolve));
    a.core.peers.on('makeLeader', async () => Promise.reject(new Error('later')));
    a.beat(B, 2);
    const error = await reported;
    expect(error).toBeInstanceOf(RaftError);
    expect(error).toMatchObject({ code: 'LISTENER_FAILED', cause: new Error('later') });
  });

  test('N9 a listener that calls back sees the state whole, and its events come after those under way', () => {
    const a = winner(1);
    const heard: string[] = [];
    a.core.peers.on('makeLeader', () => {
      heard.push(`leads ${a.leads}`);
      a.core.resign(a.now, B);
      heard.push(`leads ${a.leads}`);
    });
    a.core.peers.on('makeLeader', () => heard.push('makeLeader'));
    a.core.peers.on('leaderLost', () => heard.push('leaderLost'));
    a.acked(B);
    expect(heard).toEqual(['leads true', 'leads false', 'makeLeader', 'leaderLost']);
    expect(a.requests('transfer').length).toBe(1);
  });

  test('N9 a leader lost and won again at once is told, for the term differs', () => {
    const a = follower(1);
    a.beat(B, 1);
    a.forget().beat(B, 2);
    expect(a.host.events).toEqual(['leaderLost b:1 1', 'makeLeader b:1 2']);
    a.beat(B, 2);
    expect(a.host.events.length).toBe(2);
  });

  test('N12 the first to claim a term is followed, without the vote; a second is refused, even the one voted for', () => {
    const a = follower(1);
    a.vote(C, 2);
    a.beat(B, 2);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 2, voteFor: C, leader: B });
    expect(refusal(() => a.beat(C, 2)).code).toBe('CONFLICTING_LEADER');
    expect(a.host.errors.length).toBe(1);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 2, voteFor: C, leader: B });
  });

  test('N12 a beat spends the vote of a term in which there was none', () => {
    const a = follower(2);
    a.beat(B, 2);
    a.now += L;
    expect(a.vote(C, 2)).toMatchObject({ granted: false, voteFor: B });
  });
});
