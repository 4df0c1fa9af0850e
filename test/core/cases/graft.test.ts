import { RaftPeerSet } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { A, B, C, Cluster, H, IN_USE, L, STAGGER, TIMING } from '../cluster.js';
import {
  ABC,
  ABCDE,
  agreed,
  asking,
  candidate,
  follower,
  IN_ROLE,
  leader,
  type Role,
  refusal,
  runSafely,
  Solo,
  viewOf,
  winner,
} from './support.js';

describe('elections', () => {
  test.each([0, 0.999])(
    'G3 a first election is due between L and one stagger a peer later (chance %d)',
    (draw) => {
      for (const local of ABCDE) {
        const { dueIn } = new Solo({ local, members: ABCDE, random: () => draw });
        expect(dueIn).toBeGreaterThanOrEqual(L);
        expect(dueIn).toBeLessThan(L + 4.25 * STAGGER);
      }
    },
  );

  // The source's lone peer of three is a candidate; here it asks, and stays in its term (L2).
  test('G4 one peer of three, alone, asks for pre-votes and stays a follower', () => {
    const a = new Solo();
    a.wait(3 * L);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 0, voteFor: null, leader: null });
    expect(a.preVotes.length).toBeGreaterThan(10);
    expect([a.votes, a.saves]).toEqual([[], []]);
  });

  test('G4 the only peer of a cluster is the leader', () => {
    const a = new Solo({ members: [A] });
    expect([a.leads, a.view.term]).toEqual([true, 1]);
  });

  test('G5 of five peers one leads and four follow', () => {
    const cluster = new Cluster(ABCDE);
    const elected = cluster.elect();
    cluster.run(H);
    expect(agreed(cluster)).toEqual({ leader: elected, term: 1 });
  });

  test('G6 of three peers started one after the other, one leads and two follow', () => {
    const cluster = new Cluster(ABC);
    cluster.kill(B);
    cluster.kill(C);
    runSafely(cluster, L + 4 * STAGGER);
    cluster.start(B, IN_USE);
    runSafely(cluster, L + 4 * STAGGER);
    cluster.start(C, IN_USE);
    runSafely(cluster, L + 4 * STAGGER);
    expect(agreed(cluster)).toEqual({ leader: expect.any(String), term: 1 });
  });

  // The source's survivor is a candidate; ours asks, and stays in its term (L2). Fresh peers recover first (empty store).
  test('G7 three peers, down to one and back, have a leader whenever two run', () => {
    const cluster = new Cluster(ABC);
    const kill = (ip: string): void => {
      cluster.kill(ip);
      runSafely(cluster, 3 * L);
    };
    kill(cluster.elect());
    const second = agreed(cluster).leader;
    cluster.start(ABC.find((ip) => !cluster.hosts.has(ip))!, null);
    runSafely(cluster, 2 * L);
    expect(agreed(cluster)).toEqual({ leader: second, term: 2 });
    cluster.kill(second);
    const survivor = [...cluster.hosts.keys()][0]!;
    kill([...cluster.hosts.keys()].find((ip) => ip !== survivor)!);
    expect(cluster.leaders).toEqual([]);
    const { term } = viewOf(cluster.host(survivor));
    for (const ip of ABC) if (ip !== survivor) cluster.start(ip, null);
    runSafely(cluster, 3 * L);
    expect(agreed(cluster).term).toBe(term + 1);
  });

  test('G8 when the leader of five dies, one of the four leads', () => {
    const cluster = new Cluster(ABCDE);
    cluster.kill(cluster.elect());
    runSafely(cluster, 2 * L);
    expect(agreed(cluster).term).toBe(2);
    expect(cluster.hosts.size).toBe(4);
  });

  // The source asserts two leaders during the split; here there are never two (D3).
  test('G9 a leader split off with a minority is gone before the majority elects another', () => {
    const cluster = new Cluster(ABCDE);
    const former = cluster.elect();
    cluster.run(L);
    const minority = new Set([former, ABCDE.find((ip) => ip !== former)]);
    for (const from of ABCDE) {
      for (const to of ABCDE) if (minority.has(from) !== minority.has(to)) cluster.cut(from, to);
    }
    runSafely(cluster, 3 * L);
    expect(cluster.leaders.length).toBe(1);
    expect(minority.has(cluster.leaders[0])).toBe(false);
    expect(viewOf(cluster.host(former))).toMatchObject({ state: 'FOLLOWER', term: 1, leader: null });
    cluster.heal();
    runSafely(cluster, 2 * H);
    expect(agreed(cluster).term).toBe(2);
  });
});

describe('beats', () => {
  test('G10 a follower takes over the leader of a beat, unless the term is over, and saves its term each time', () => {
    const a = follower(0);
    a.beat(B, 2);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 2, voteFor: B, leader: B });
    expect(refusal(() => a.beat(C, 1)).code).toBe('OUT_OF_DATE');
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 2, voteFor: B, leader: B });
    a.beat(C, 10);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 10, voteFor: C, leader: C });
    expect(a.done).toEqual(['save 2 b:1', 'save 10 c:1', 'fetchPeer b:1']);
    expect(a.host.events).toEqual(['makeLeader b:1 2', 'leaderLost b:1 2', 'makeLeader c:1 10']);
  });

  // The source clears the vote; here the vote of the new term goes to the sender (D5).
  test('G11 a candidate ignores a beat of a former term, and follows one of a higher', () => {
    const a = candidate(8);
    expect(refusal(() => a.beat(B, 2)).code).toBe('OUT_OF_DATE');
    expect(a.view).toEqual({ state: 'CANDIDATE', term: 8, voteFor: A, leader: null });
    a.beat(B, 9);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 9, voteFor: B, leader: B });
    expect(a.saves.at(-1)).toEqual({ term: 9, voteFor: B, promisedMs: L });
  });

  test('G12 a leader refuses a beat of a former term, and steps down at one of a higher', () => {
    const a = leader(8);
    expect(refusal(() => a.beat(B, 2)).code).toBe('OUT_OF_DATE');
    expect([a.leads, a.view.state]).toEqual([true, 'LEADER']);
    a.forget().beat(B, 20);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 20, voteFor: B, leader: B });
    expect(a.host.events).toEqual(['leaderLost a:1 8', 'makeLeader b:1 20']);
  });

  test('G13 a leader whose disk fails steps down at a higher term all the same', () => {
    const a = leader(8);
    a.diskStalls = true;
    a.beat(B, 9);
    expect([a.leads, a.view.state]).toEqual([false, 'FOLLOWER']);
    expect(a.saves.at(-1)).toMatchObject({ term: 9, voteFor: B });
  });
});

describe('votes', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9])(
    'G14 of %i voters a majority is half of them, rounded down, and one',
    (size) => {
      const members = Array.from({ length: size }, (_, at) => `${at}:1`);
      const observers = [{ ip: 'o:1', observer: true }];
      const majority = [0, 1, 2, 2, 3, 3, 4, 4, 5, 5][size];
      expect(new RaftPeerSet({ local: '0:1', members }).majorityCount()).toBe(majority);
      expect(new RaftPeerSet({ local: '0:1', members: [...members, ...observers] }).majorityCount()).toBe(
        majority,
      );
    },
  );

  test('G15 a follower denies a vote of a former term, unchanged, and grants and saves one of a higher', () => {
    const a = follower(8);
    expect(a.vote(B, 1)).toMatchObject({ granted: false, term: 8, voteFor: null });
    expect([a.view.term, a.saves]).toEqual([8, []]);
    expect(a.vote(B, 9)).toMatchObject({ granted: true, term: 9, voteFor: B });
    expect(a.saves).toEqual([{ term: 9, voteFor: B, promisedMs: L }]);
  });

  test.each<[string, Role, number, boolean]>([
    ['G17', 'candidate', 1, false],
    ['G17', 'candidate', 8, false],
    ['G17', 'candidate', 9, true],
    ['G18', 'winner', 1, false],
    ['G18', 'winner', 8, false],
    ['G18', 'winner', 9, true],
    ['G18', 'leader', 1, false],
    ['G18', 'leader', 8, false],
    // The source's leader steps down; here one within its lease refuses (section 3, promise 4).
    ['G18', 'leader', 9, false],
  ])('%s a %s of term 8 asked for a vote of term %i grants it: %s', (_id, role, term, granted) => {
    const a = IN_ROLE[role](8);
    const before = a.view;
    expect(a.vote(B, term)).toMatchObject({ granted, term: granted ? 9 : 8, voteFor: granted ? B : A });
    expect(a.view).toEqual(granted ? { state: 'FOLLOWER', term: 9, voteFor: B, leader: null } : before);
  });

  // The source denies when it cannot save; here the save stands before the reply, which then never leaves (D4).
  test('G19 a winner whose disk fails steps down at a vote of a higher term, and its grant waits for the save', () => {
    const a = winner(1);
    a.diskStalls = true;
    a.core.receivedVote({ peer: { ...a.core.getPeer(a.now), ip: B, term: 2 } }, a.now);
    expect(a.core.takeOutputs()).toEqual([{ type: 'save', state: { term: 2, voteFor: B, promisedMs: L } }]);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 2, voteFor: B, leader: null });
  });

  test('G-new a beat of its own term never frees the vote of a candidate', () => {
    const a = candidate(8);
    a.beat(B, 8);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 8, voteFor: A, leader: B });
    a.now += L;
    expect(a.vote(C, 8)).toMatchObject({ granted: false, term: 8, voteFor: A });
    expect(a.vote(B, 8)).toMatchObject({ granted: false, term: 8, voteFor: A });
  });
});

describe('the stored state', () => {
  test('G20 a peer starts with the term and vote that its store held', () => {
    const a = new Solo({ disk: { term: 8, voteFor: B, promisedMs: 0 } });
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 8, voteFor: B, leader: null });
    a.now = L;
    expect(a.vote(C, 8)).toMatchObject({ granted: false, voteFor: B });
    expect(a.vote(B, 8)).toMatchObject({ granted: true, voteFor: B });
  });

  test('G20 a candidate saves its term and vote before its vote request may leave', () => {
    const a = asking(8);
    a.diskStalls = true;
    a.preVoted(B);
    expect(a.saves).toEqual([{ term: 9, voteFor: A, promisedMs: L }]);
    expect(a.votes).toEqual([]);
    a.confirm();
    expect(a.votes).toMatchObject([{ peer: { ip: A, term: 9, voteFor: A } }]);
  });

  test('G21 what a peer saved, and nothing less, brings it back', () => {
    const a = follower(8);
    a.vote(B, 9);
    const again = new Solo({ disk: a.saves.at(-1)! });
    expect(again.view).toEqual(a.view);
  });

  test('G21 a peer whose store was lost takes part in nothing and saves nothing', () => {
    const a = new Solo({ disk: null });
    a.now = L;
    const attempts = [() => a.vote(B, 9), () => a.preVote(B, 9), () => a.beat(B, 9), () => a.transfer(B, 0)];
    expect(attempts.map((attempt) => refusal(attempt).code)).toEqual(Array(4).fill('REJOINING'));
    expect([a.view.term, a.saves]).toEqual([0, []]);
  });

  test('G21 a longer promise than any before is saved before its beat is acknowledged', () => {
    const a = follower(8);
    a.beat(B, 8, { leaderTimeoutMs: 3 * L });
    expect(a.saves).toEqual([{ term: 8, voteFor: B, promisedMs: 3 * L }]);
    a.beat(B, 8, { leaderTimeoutMs: 2 * L });
    expect(a.saves.length).toBe(1);
    const again = new Solo({ disk: a.saves[0]! });
    again.wait(3 * L - 1);
    expect(again.done).toEqual([]);
    again.wait(1 + 3 * STAGGER + TIMING.randomMs);
    expect(again.done).toContain('preVote');
  });
});
