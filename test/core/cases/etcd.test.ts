import { type Member, RaftPeerSet } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { A, B, C, Cluster, D, E, H, IN_USE, L, LEASE, peer, STAGGER, TIMING } from '../cluster.js';
import {
  ABC,
  ABCDE,
  agreed,
  asking,
  candidate,
  chance,
  follower,
  handOver,
  IN_ROLE,
  inFront,
  leader,
  type Role,
  refusal,
  runSafely,
  Solo,
  type View,
  viewOf,
} from './support.js';

const F: readonly string[] = ['f:1', 'g:1'];
const IPS = [...ABCDE, ...F];

describe('raft_paper_test.go', () => {
  test.each<[string, Role]>([
    ['P1', 'follower'],
    ['P2', 'candidate'],
    ['P3', 'leader'],
  ])('%s a %s takes over a higher term from a beat and follows its sender', (_id, role) => {
    const a = IN_ROLE[role](1);
    a.beat(B, 2);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 2, voteFor: B, leader: B });
    expect(a.saves.at(-1)).toEqual({ term: 2, voteFor: B, promisedMs: L });
    expect(a.leads).toBe(false);
  });

  test('P4 a beat of a former term is refused and changes nothing', () => {
    const a = follower(2, { voteFor: C });
    const error = refusal(() => a.beat(B, 1));
    expect(error).toMatchObject({ code: 'OUT_OF_DATE', term: 2 });
    expect(error.message).toBe('out of date beat, beat-from-term: 1, beat-to-term: 2');
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 2, voteFor: C, leader: null });
    expect([a.saves, a.host.events]).toEqual([[], []]);
  });

  test('P5 a peer starts as a follower of term 0 that voted for nobody', () => {
    const a = new Solo();
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 0, voteFor: null, leader: null });
    expect(a.done).toEqual([]);
  });

  test('P6 a leader sends each other peer one beat an interval, of its term and without data', () => {
    const a = leader(3).forget();
    a.wait(H);
    expect(a.sent).toMatchObject([
      { to: [B, C], request: { type: 'beat', peer: { ip: A, state: 'LEADER', term: 3 }, datums: [] } },
    ]);
  });

  // The source's follower goes to the next term at once; here a pre-vote comes first (D10).
  test('P7 a follower that hears nothing asks for pre-votes, and with these for votes of the next term', () => {
    const a = follower(1);
    a.beat(B, 1);
    a.forget().wait(L - 1);
    expect(a.done).toEqual([]);
    a.waitUntil(() => a.preVotes.length > 0);
    expect(a.now - 2 * L).toBeLessThanOrEqual(1.25 * STAGGER);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 1, voteFor: B, leader: null });
    a.preVoted(C);
    expect(a.view).toEqual({ state: 'CANDIDATE', term: 2, voteFor: A, leader: null });
    expect(a.sent.at(-1)).toMatchObject({ to: [B, C], request: { type: 'vote', peer: { ip: A, term: 2 } } });
    expect(a.done).toEqual(['preVote', 'save 2 a:1', 'vote']);
  });

  test('P8 a candidate without a majority starts a new election by a pre-vote', () => {
    const a = candidate(1).forget();
    a.wait(TIMING.requestTimeoutMs);
    expect(a.done).toEqual(['preVote']);
    expect(a.preVotes[0]?.peer).toMatchObject({ state: 'CANDIDATE', term: 2 });
    expect(a.view).toMatchObject({ state: 'CANDIDATE', term: 1 });
    a.preVoted(B);
    expect(a.view).toEqual({ state: 'CANDIDATE', term: 2, voteFor: A, leader: null });
    expect(a.votes.at(-1)?.peer.term).toBe(2);
  });

  test.each([
    ['P9', 1, '', 'LEADER'],
    ['P9', 3, 'yy', 'LEADER'],
    ['P9', 3, 'y', 'LEADER'],
    ['P9', 5, 'yyyy', 'LEADER'],
    ['P9', 5, 'yyy', 'LEADER'],
    ['P9', 5, 'yy', 'LEADER'],
    // The source's candidate follows once a majority denied; here it stays one, and asks anew (section 3, vote).
    ['P9b', 3, 'nn', 'CANDIDATE'],
    ['P9b', 5, 'nnnn', 'CANDIDATE'],
    ['P9b', 5, 'ynnn', 'CANDIDATE'],
    ['P9c', 3, '', 'CANDIDATE'],
    ['P9c', 5, 'y', 'CANDIDATE'],
    ['P9c', 5, 'nn', 'CANDIDATE'],
    ['P9c', 5, '', 'CANDIDATE'],
  ])(
    '%s of %i peers, of which the others vote "%s", a candidate becomes or stays %s',
    (_id, size, votes, state) => {
      const a = candidate(1, { members: IPS.slice(0, size) });
      for (const [at, vote] of [...votes].entries()) {
        const from = IPS[at + 1]!;
        if (vote === 'y') a.voted(from);
        else a.denied(from);
      }
      expect(a.view).toMatchObject({ state, term: 1, voteFor: A });
      expect(a.view.leader).toBe(state === 'LEADER' ? A : null);
    },
  );

  test.each([
    [null, B, true],
    [null, C, true],
    [B, B, true],
    [C, C, true],
    [B, C, false],
    [C, B, false],
  ])('P10 a follower that voted for %s answers %s in the same term: granted %s', (voteFor, from, granted) => {
    const a = follower(1, voteFor === null ? {} : { voteFor });
    expect(a.vote(from, 1)).toMatchObject({ granted, term: 1, voteFor: voteFor ?? from });
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 1, voteFor: voteFor ?? from, leader: null });
    expect(a.saves).toEqual(voteFor === null ? [{ term: 1, voteFor: from, promisedMs: L }] : []);
  });

  test.each([
    [1, A],
    [2, B],
  ])(
    'P11 a candidate of term 1 follows a leader of term %i; its vote of that term is for %s',
    (term, voteFor) => {
      const a = candidate(1);
      a.beat(B, term);
      expect(a.view).toEqual({ state: 'FOLLOWER', term, voteFor, leader: B });
    },
  );

  // The sources draw each timeout from one wide range; here they are ranked, with a small jitter (D16).
  test('P12 a follower comes up at its rank, with a jitter of up to a quarter of a stagger', () => {
    const rank = rankOf(A, 1, B, ABC) * STAGGER;
    const random = chance(12);
    const dues = Array.from({ length: 500 }, () => {
      const a = follower(1, { random });
      a.beat(B, 1);
      return Math.floor(a.dueIn - L);
    });
    expect(new Set(dues)).toEqual(new Set(Array.from({ length: 13 }, (_, ms) => rank + ms)));
  });

  test('P13 a candidate tries again after the bound of a round trip and a random time', () => {
    const random = chance(13);
    const dues = Array.from({ length: 1_000 }, () => {
      const a = candidate(1, { random });
      return a.dueIn - TIMING.requestTimeoutMs;
    });
    expect(new Set(dues)).toEqual(new Set(Array.from({ length: TIMING.randomMs + 1 }, (_, ms) => ms)));
  });

  test('P14 no two followers of one leader come up within the same stagger', () => {
    for (let term = 1; term <= 100; term++) {
      const ranks = [A, B, D, E].map((local) => rankOf(local, term, C, ABCDE));
      expect(ranks.toSorted()).toEqual([0, 1, 2, 3]);
    }
  });

  test('P14 the last leader comes up after all others', () => {
    const a = leader(1, { members: ABCDE });
    a.waitUntil(() => a.view.state === 'FOLLOWER');
    expect(Math.ceil(a.dueIn / STAGGER)).toBe(4);
  });

  test('P15 candidates that lost together seldom try again in the same ms', () => {
    const random = chance(15);
    const clashes = Array.from({ length: 100 }, () => {
      const dues = ABCDE.map((local) => {
        const one = candidate(1, { members: ABCDE, local, random });
        return Math.floor(one.dueIn);
      });
      return new Set(dues).size < 5;
    });
    expect(clashes.filter((clash) => clash).length).toBeLessThanOrEqual(30);
  });
});

/** At which place `local` comes up, having followed `last` in `term`. */
function rankOf(local: string, term: number, last: string, members: readonly string[]): number {
  const one = new Solo({ local, members });
  one.beat(last, term);
  return (one.dueIn - L) / STAGGER;
}

describe('raft_test.go', () => {
  test.each([
    ['3 that live', ABC, [], 1],
    ['3, one dead', ABC, [C], 1],
    ['5, two dead', ABCDE, [D, E], 1],
    // The sources' candidate without a majority has gone to term 1; R2's stays at term 0, and so does ours (D10).
    ['3, two dead', ABC, [B, C], 0],
    ['4, two dead', [A, B, C, D], [C, D], 0],
  ])(
    'R1 R2 of %s a peer that comes up is elected if it has a majority, or else stays as it was',
    (_name, ips, dead, term) => {
      const cluster = new Cluster(inFront(A, ips));
      for (const ip of dead) cluster.kill(ip);
      cluster.run(5 * L);
      const elected = { state: 'LEADER', term, voteFor: A, leader: A };
      const stayed = { state: 'FOLLOWER', term: 0, voteFor: null, leader: null };
      expect(viewOf(cluster.host(A))).toEqual(term === 1 ? elected : stayed);
      expect(cluster.leaders).toEqual(term === 1 ? [A] : []);
    },
  );

  test('R3 each peer in turn becomes the leader, and the others follow it', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.runUntil(() => cluster.leaders.includes(A));
    cluster.run(10);
    expect(agreed(cluster)).toEqual({ leader: A, term: 1 });
    handOver(cluster, B);
    expect(agreed(cluster)).toEqual({ leader: B, term: 2 });
    handOver(cluster, C);
    expect(agreed(cluster)).toEqual({ leader: C, term: 3 });
  });

  // The source's leader steps down, too; here one within its lease refuses (section 3, promise 4).
  test.each<[Role, boolean]>([
    ['follower', true],
    ['asking', true],
    ['candidate', true],
    ['winner', true],
    ['leader', false],
  ])('R5 a %s asked for a vote of the next term grants it: %s', (role, granted) => {
    const a = IN_ROLE[role](2);
    const before = a.view;
    expect(a.vote(B, 3).granted).toBe(granted);
    const after = { state: 'FOLLOWER', term: 3, voteFor: B, leader: null };
    expect(a.view).toEqual(granted ? after : before);
    expect(a.leads).toBe(!granted);
  });

  test.each<[Role, boolean]>([
    ['follower', true],
    ['asking', true],
    ['candidate', true],
    ['winner', true],
    ['leader', false],
  ])('R6 a %s asked for a pre-vote grants it (%s) and changes nothing', (role, granted) => {
    const a = IN_ROLE[role](2);
    const before = { ...a.view, due: a.dueIn };
    a.forget();
    expect(a.preVote(B, 3)).toMatchObject({ granted, term: 2, round: 7 });
    expect({ ...a.view, due: a.dueIn }).toEqual(before);
    expect([a.done, a.states]).toEqual([[], []]);
  });

  // The source's isolated peer campaigns; here it stays in its term (L2).
  test('R9 a peer that was cut off follows the leader elected meanwhile, in its term', () => {
    const cluster = new Cluster(inFront(C, ABC));
    cluster.isolate(A);
    cluster.run(3 * L);
    expect(viewOf(cluster.host(A))).toEqual({ state: 'FOLLOWER', term: 0, voteFor: null, leader: null });
    cluster.heal();
    cluster.run(2 * H);
    expect(agreed(cluster)).toEqual({ leader: C, term: 1 });
  });

  test('R10 the only peer of a cluster leads at once', () => {
    const a = new Solo({ members: [A] });
    expect(a.view).toEqual({ state: 'LEADER', term: 1, voteFor: A, leader: A });
    expect([a.now, a.leads]).toEqual([0, true]);
    expect(a.host.events).toEqual(['leaderElectFinished 1', 'makeLeader a:1 1']);
  });

  test('R11 a beat of a leader of a former term is refused by all, whoever led since', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    handOver(cluster, B);
    handOver(cluster, A);
    const beat = { peer: peer(B, { state: 'LEADER', term: 2, voteFor: B }), datums: [] };
    for (const ip of [A, C]) {
      expect(refusal(() => cluster.core(ip).receivedBeat(beat, cluster.now)).code).toBe('OUT_OF_DATE');
    }
    expect(agreed(cluster)).toEqual({ leader: A, term: 3 });
  });

  test.each<Role>(['follower', 'candidate', 'winner'])(
    'R13 a %s ignores requests and replies of former terms',
    (role) => {
      const a = IN_ROLE[role](2);
      const before = a.view;
      a.forget();
      expect(a.vote(B, 1)).toMatchObject({ granted: false, term: 2 });
      expect(a.preVote(B, 1)).toMatchObject({ granted: false, term: 2 });
      expect(refusal(() => a.transfer(B, 1)).code).toBe('REFUSED_TRANSFER');
      for (const from of [B, C]) a.voted(from, { term: 1 });
      expect(a.view).toEqual(before);
      expect([a.done, a.states]).toEqual([[], []]);
    },
  );

  test.each<[string, Role, (a: Solo) => void, readonly string[], View]>([
    [
      'a follower asks for pre-votes without a change',
      'follower',
      (a) => a.waitUntil(() => a.preVotes.length > 0),
      [],
      { state: 'FOLLOWER', term: 2, voteFor: null, leader: null },
    ],
    [
      'a follower with pre-votes is a candidate, a term further',
      'asking',
      (a) => a.preVoted(B),
      ['FOLLOWER CANDIDATE 3'],
      { state: 'CANDIDATE', term: 3, voteFor: A, leader: null },
    ],
    [
      'a follower wins by no votes',
      'follower',
      (a) =>
        [B, C].forEach((ip) => {
          a.voted(ip, { voteFor: A });
        }),
      [],
      { state: 'FOLLOWER', term: 2, voteFor: null, leader: null },
    ],
    [
      'a candidate goes into the next term',
      'candidate',
      (a) => {
        a.wait(TIMING.requestTimeoutMs);
        a.preVoted(B);
      },
      ['CANDIDATE CANDIDATE 3'],
      { state: 'CANDIDATE', term: 3, voteFor: A, leader: null },
    ],
    [
      'a candidate with a majority leads, itself its leader',
      'candidate',
      (a) => a.voted(C),
      ['CANDIDATE LEADER 2'],
      { state: 'LEADER', term: 2, voteFor: A, leader: A },
    ],
    [
      'a candidate follows a leader of its term',
      'candidate',
      (a) => {
        a.beat(B, 2);
      },
      ['CANDIDATE FOLLOWER 2'],
      { state: 'FOLLOWER', term: 2, voteFor: A, leader: B },
    ],
    [
      'a leader follows a leader of a higher term',
      'leader',
      (a) => {
        a.beat(B, 3);
      },
      ['LEADER FOLLOWER 3'],
      { state: 'FOLLOWER', term: 3, voteFor: B, leader: B },
    ],
    [
      'a leader whose lease ended follows nobody',
      'leader',
      (a) => a.wait(LEASE),
      ['LEADER FOLLOWER 2'],
      { state: 'FOLLOWER', term: 2, voteFor: A, leader: null },
    ],
  ])('R15 %s', (_rule, role, act, states, view) => {
    const a = IN_ROLE[role](2);
    a.forget();
    act(a);
    expect(a.states).toEqual(states);
    expect(a.view).toEqual(view);
  });

  test.each<Role>(['follower', 'asking', 'candidate', 'winner', 'leader'])(
    'R16 a %s follows the sender of a beat of a higher term',
    (role) => {
      const a = IN_ROLE[role](1);
      a.beat(B, 3);
      expect(a.view).toEqual({ state: 'FOLLOWER', term: 3, voteFor: B, leader: B });
    },
  );

  // A leader within its lease refuses the vote: R5.
  test.each<Role>(['follower', 'asking', 'candidate', 'winner'])(
    'R16 a %s that grants a vote of a higher term knows no leader',
    (role) => {
      const a = IN_ROLE[role](1);
      expect(a.vote(B, 3)).toMatchObject({ granted: true, term: 3 });
      expect(a.view).toEqual({ state: 'FOLLOWER', term: 3, voteFor: B, leader: null });
    },
  );

  // The source's cut off peer has campaigned to a term of its own; here it never raises one (L2).
  test('R17 a peer that was cut off while others led takes over the term of the leader of now', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.isolate(C);
    cluster.run(3 * L);
    handOver(cluster, B);
    expect(viewOf(cluster.host(C))).toMatchObject({ state: 'FOLLOWER', term: 1, leader: null });
    cluster.heal();
    cluster.run(2 * H);
    expect(agreed(cluster)).toEqual({ leader: B, term: 2 });
  });

  test('R18 a peer that does not answer gets the same beats as the others', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.cut(C, A);
    cluster.sent.length = 0;
    cluster.run(5 * H);
    const beats = cluster.sent.filter(({ request }) => request.type === 'beat');
    expect(beats.filter(({ to }) => to === B).length).toBe(5);
    expect(beats.filter(({ to }) => to === C).length).toBe(5);
    expect(beats.every(({ request }) => request.type === 'beat' && request.datums.length === 0)).toBe(true);
  });

  test.each<[Role, number]>([
    ['leader', 1],
    ['winner', 1],
    ['candidate', 0],
    ['follower', 0],
  ])('R19 when a beat is due, a %s sends %i to all others', (role, beats) => {
    const a = IN_ROLE[role](1).forget();
    a.now += H;
    a.tick();
    expect(a.sent.filter(({ request }) => request.type === 'beat').map(({ to }) => to)).toEqual(
      Array.from({ length: beats }, () => [B, C]),
    );
  });

  test.each<[readonly string[], boolean]>([
    [[A], true],
    [ABC, true],
    [[], false],
    [[B, C], false],
  ])('R20 a:1 among the members %j may campaign: %s', (members, may) => {
    const a = new Solo({ members });
    a.wait(3 * L);
    expect(a.done.length > 0).toBe(may);
    expect(a.core.nextDeadline() < Number.POSITIVE_INFINITY).toBe(may);
  });

  test('R21 a leader never campaigns, neither by its timer nor by an order', () => {
    const a = leader(1).forget();
    for (let beats = 0; beats < 30; beats++) {
      a.wait(H);
      a.acked(B);
    }
    expect(refusal(() => a.transfer(B, 1)).code).toBe('REFUSED_TRANSFER');
    expect(new Set(a.done)).toEqual(new Set(['beat']));
    expect(a.view).toEqual({ state: 'LEADER', term: 1, voteFor: A, leader: A });
  });
});

describe('raft_test.go, storage that takes its time', () => {
  test('R22 an own vote that becomes durable after the election was lost does not count', () => {
    const a = asking(0);
    a.diskStalls = true;
    a.preVoted(B);
    expect(a.saves).toEqual([{ term: 1, voteFor: A, promisedMs: L }]);
    expect(a.votes).toEqual([]);
    a.beat(C, 1);
    a.confirm();
    a.voted(B);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 1, voteFor: A, leader: C });
    expect(a.host.events).toEqual(['makeLeader c:1 1']);
  });

  // A pre-vote is not stored, so one's own counts at once; only the real vote waits for the disk.
  test('R23 a candidate leads only once its own vote is durable, and pre-votes are no votes', () => {
    const a = asking(0, { members: ABCDE });
    a.preVoted(B);
    expect(a.view.state).toBe('FOLLOWER');
    a.diskStalls = true;
    a.preVoted(C);
    expect(a.view).toMatchObject({ state: 'CANDIDATE', term: 1 });
    a.preVoted(D);
    a.preVoted(E);
    a.voted(B);
    expect(a.view.state).toBe('CANDIDATE');
    for (const ip of [C, D, E]) a.voted(ip);
    expect(a.view.state).toBe('CANDIDATE');
    a.confirm();
    expect(a.view).toEqual({ state: 'LEADER', term: 1, voteFor: A, leader: A });
  });

  test('R24 a save of a term that is over makes nobody lead', () => {
    const a = asking(0);
    a.diskStalls = true;
    a.preVoted(B);
    a.voted(B);
    a.beat(C, 2);
    a.confirm();
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 2, voteFor: C, leader: C });
    a.confirm();
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 2, voteFor: C, leader: C });
    expect(a.saves.map(({ term, voteFor }) => [term, voteFor])).toEqual([
      [1, A],
      [2, C],
    ]);
  });
});

describe('raft_test.go, check-quorum: leases and promises', () => {
  test('R25 a leader that a majority answers stays, though one peer never does', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.isolate(C);
    cluster.run(20 * L);
    expect(cluster.leaders).toEqual([A]);
    expect(cluster.host(A).events).toEqual(['leaderElectFinished 1', 'makeLeader a:1 1']);
  });

  test('R26 a leader that no majority answers steps down when its lease ends', () => {
    const a = leader(1);
    const gained = a.now;
    a.wait(H);
    a.acked(B);
    a.forget().wait(LEASE - 1);
    expect(a.leads).toBe(true);
    a.wait(1.001);
    expect(a.now).toBeCloseTo(gained + H + LEASE, 1);
    expect(a.leads).toBe(false);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 1, voteFor: A, leader: null });
    expect(a.host.events).toEqual(['leaderLost a:1 1']);
  });

  test('R27 a vote is refused while the leader was heard of within L, and granted after that', () => {
    const b = follower(1, { local: B });
    b.beat(A, 1);
    b.now += L - 1;
    expect(b.vote(C, 2)).toMatchObject({ granted: false, term: 1, promiseMs: 1 });
    expect(b.view).toEqual({ state: 'FOLLOWER', term: 1, voteFor: A, leader: A });
    b.now += 1;
    expect(b.vote(C, 2)).toMatchObject({ granted: true, term: 2 });
    expect(b.view).toEqual({ state: 'FOLLOWER', term: 2, voteFor: C, leader: null });
  });

  test('R27 an election that a promise refused is tried again when that ends, if that is earlier', () => {
    const a = asking(1);
    a.preVoted(B, { granted: false, promiseMs: 30 });
    expect(a.dueIn).toBe(30);
    a.preVoted(C, { granted: false, promiseMs: 5 * L });
    expect(a.dueIn).toBe(30);
    a.forget().wait(30);
    expect(a.done).toEqual(['preVote']);
  });

  // The source's fresh peers vote at once; here a start is a promise to nobody in particular (D15).
  test('R28 a fresh peer neither votes nor campaigns before it has waited L', () => {
    const a = new Solo();
    a.wait(L - 1);
    expect(a.done).toEqual([]);
    expect(a.preVote(B, 1)).toMatchObject({ granted: false, promiseMs: 1 });
    expect(a.vote(B, 1)).toMatchObject({ granted: false, term: 0, promiseMs: 1 });
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 0, voteFor: null, leader: null });
    a.now = L;
    expect(a.vote(B, 1)).toMatchObject({ granted: true, term: 1 });
  });

  test('R28 when the leader falls silent another is elected, which the former one follows', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.isolate(A);
    cluster.runUntil(() => cluster.leaders.some((ip) => ip !== A));
    cluster.heal();
    cluster.run(2 * H);
    expect(agreed(cluster).term).toBe(2);
    expect(viewOf(cluster.host(A)).state).toBe('FOLLOWER');
  });

  // The source documents how a delayed beat unseats the leader; promises and pre-votes prevent it (D10).
  test('R31 a follower that comes up before a delayed beat raises no term and unseats nobody', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.run(L);
    cluster.cut(A, C);
    cluster.runUntil(() => cluster.sent.some(({ from, request }) => from === C && request.type === 'vote'));
    cluster.run(10);
    expect(viewOf(cluster.host(C))).toEqual({ state: 'FOLLOWER', term: 1, voteFor: A, leader: null });
    cluster.heal();
    cluster.run(2 * H);
    expect(agreed(cluster)).toEqual({ leader: A, term: 1 });
    expect(cluster.host(A).events).toEqual(['leaderElectFinished 1', 'makeLeader a:1 1']);
  });
});

describe('raft_test.go, learners: observers', () => {
  const members: readonly Member[] = [{ ip: A, observer: true }, { ip: B }, { ip: C }];

  test('R34 an observer does not campaign, however long it hears nothing', () => {
    const a = new Solo({ members });
    a.beat(B, 1);
    a.wait(10 * L);
    expect(a.done).toEqual(['save 1 b:1']);
    expect(a.view).toMatchObject({ state: 'FOLLOWER', term: 1, leader: null });
  });

  // The source's learner votes, for it may be a voter without knowing; here observers never vote (section 3).
  test('R36 an observer refuses votes and pre-votes, and nothing changes', () => {
    const a = follower(1, { members });
    expect(a.vote(B, 2)).toMatchObject({ granted: false, term: 1, voteFor: null });
    expect(a.preVote(B, 2)).toMatchObject({ granted: false, term: 1 });
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 1, voteFor: null, leader: null });
    expect(a.saves).toEqual([]);
  });

  test('R37 an observer refuses to take over', () => {
    const a = follower(1, { members });
    expect(refusal(() => a.transfer(B, 1)).code).toBe('REFUSED_TRANSFER');
    expect([a.view.term, a.done]).toEqual([1, []]);
  });
});

describe('raft_test.go, pre-vote and transfer', () => {
  test('R41 after a split vote the next election is won, one term further', () => {
    const cluster = new Cluster(ABC, { timing: { ...TIMING, staggerMs: 0 } });
    cluster.kill(A);
    cluster.restart(B);
    cluster.start(C, IN_USE, { random: () => 0.5, timing: { ...TIMING, staggerMs: 0 } });
    cluster.run(L + 5);
    expect([B, C].map((ip) => viewOf(cluster.host(ip)))).toEqual([
      { state: 'CANDIDATE', term: 1, voteFor: B, leader: null },
      { state: 'CANDIDATE', term: 1, voteFor: C, leader: null },
    ]);
    cluster.run(TIMING.requestTimeoutMs + 10);
    expect(agreed(cluster)).toEqual({ leader: B, term: 2 });
  });

  test('R45 leadership is handed over, and back', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.run(H);
    handOver(cluster, B);
    expect(agreed(cluster)).toEqual({ leader: B, term: 2 });
    handOver(cluster, A);
    expect(agreed(cluster)).toEqual({ leader: A, term: 3 });
    expect(cluster.host(A).events).toEqual([
      'leaderElectFinished 1',
      'makeLeader a:1 1',
      'leaderLost a:1 1',
      'makeLeader b:1 2',
      'leaderLost b:1 2',
      'leaderElectFinished 3',
      'makeLeader a:1 3',
    ]);
  });

  // The source's follower forwards the request to its leader.
  test('R46 a follower cannot hand over what it has not', () => {
    const b = follower(1, { local: B });
    b.beat(A, 1);
    expect(refusal(() => b.resign(C)).code).toBe('NOT_LEADER');
    expect(b.view).toEqual({ state: 'FOLLOWER', term: 1, voteFor: A, leader: A });
  });

  test('R47 votes that the leader ordered skip promises, and only those', () => {
    const c = follower(1, { local: C });
    c.beat(A, 1);
    expect(c.vote(B, 2)).toMatchObject({ granted: false, term: 1 });
    expect(c.vote(B, 2, { transfer: true })).toMatchObject({ granted: true, term: 2, voteFor: B });
    expect(c.view).toEqual({ state: 'FOLLOWER', term: 2, voteFor: B, leader: null });
  });

  test('R47 who is ordered to take over campaigns within its promise, without pre-vote, once', () => {
    const b = follower(1, { local: B });
    b.beat(A, 1);
    b.forget();
    expect(b.transfer(A, 1)).toMatchObject({ ip: B, state: 'CANDIDATE', term: 2, voteFor: B });
    expect(b.done).toEqual(['save 2 b:1', 'vote']);
    expect(b.votes[0]).toMatchObject({ transfer: true, peer: { term: 2 } });
    expect(refusal(() => b.transfer(A, 1)).code).toBe('REFUSED_TRANSFER');
    b.wait(TIMING.requestTimeoutMs);
    expect(b.preVotes).toEqual([]);
    b.wait(L);
    expect(b.preVotes[0]?.transfer).toBeUndefined();
  });

  test.each([
    ['itself', A],
    ['a stranger', 'x:1'],
  ])('R49 a leader does not hand over to %s, and leads on', (_who, to) => {
    const a = leader(1).forget();
    expect(refusal(() => a.resign(to)).code).toBe('BAD_TARGET');
    expect([a.leads, a.done]).toEqual([true, []]);
  });

  // The source's leader keeps leading while it waits for the target; ours gave up first (section 3, transfer).
  test('R50 when the target is cut off the others elect one as soon as promises allow; the old leader waits 2 L', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.run(H);
    cluster.isolate(C);
    cluster.core(A).resign(cluster.now, C);
    cluster.carryOut(A);
    expect(cluster.leaders).toEqual([]);
    const took = cluster.runUntil(() => cluster.leaders.length > 0);
    expect(cluster.leaders).toEqual([B]);
    expect(took).toBeGreaterThan(L - H - 10);
    expect(took).toBeLessThan(L + 3 * STAGGER);
    expect(viewOf(cluster.host(B)).term).toBe(2);
  });

  test('R50 a leader that resigned does not campaign for 2 L', () => {
    const a = leader(1);
    a.resign(B);
    a.forget().wait(2 * L - 1);
    expect(a.done).toEqual([]);
    a.waitUntil(() => a.preVotes.length > 0);
    expect(a.view).toMatchObject({ state: 'FOLLOWER', term: 1 });
  });

  // The sources' pending transfer can be called off or redirected; ours is over for the leader once it is sent.
  test.each([
    ['R54', A],
    ['R55', B],
  ])('%s a transfer to c:1 cannot be followed by another to %s', (_id, to) => {
    const a = leader(1).forget();
    expect(a.resign(C)).toBe(C);
    expect(a.leads).toBe(false);
    expect(refusal(() => a.resign(to)).code).toBe('NOT_LEADER');
    expect(a.sent).toMatchObject([{ to: [C], request: { type: 'transfer', peer: { ip: A, term: 1 } } }]);
  });
});

describe('rafttest', () => {
  /** Loses a tenth of the messages. */
  function lossy(seed: number): Cluster {
    const cluster = new Cluster(ABCDE, { random: chance(seed) });
    const draw = chance(seed + 1);
    cluster.loses = () => draw() < 0.1;
    return cluster;
  }

  test('BasicProgress five peers that lose a tenth of their messages have one leader, and keep it', () => {
    const cluster = lossy(1);
    const elected = cluster.elect();
    runSafely(cluster, 20 * L);
    expect(agreed(cluster)).toEqual({ leader: elected, term: viewOf(cluster.host(elected)).term });
    expect(cluster.host(elected).events.filter((event) => event.startsWith('leaderLost'))).toEqual([]);
  });

  test('Restart peers that are restarted again and again agree on one leader when they are left alone', () => {
    const cluster = lossy(2);
    const draw = chance(3);
    for (let restarts = 0; restarts < 20; restarts++) {
      runSafely(cluster, draw() * L);
      cluster.restart(ABCDE[Math.floor(draw() * 5)]!);
    }
    runSafely(cluster, 4 * L);
    expect(ABCDE).toContain(agreed(cluster).leader);
  });

  test('Pause peers that are cut off again and again agree on one leader when they are left alone', () => {
    const cluster = lossy(4);
    const draw = chance(5);
    for (let pauses = 0; pauses < 20; pauses++) {
      cluster.isolate(ABCDE[Math.floor(draw() * 5)]!);
      runSafely(cluster, draw() * 2 * L);
      cluster.heal();
      runSafely(cluster, draw() * L);
    }
    runSafely(cluster, 4 * L);
    expect(ABCDE).toContain(agreed(cluster).leader);
  });
});

describe('interaction files', () => {
  test('I1 an election: the candidate saves, asks, wins by the second vote, beats; the third vote changes nothing', () => {
    const a = asking(0);
    a.preVoted(B);
    a.voted(B);
    expect(a.done).toEqual(['preVote', 'save 1 a:1', 'vote', 'beat']);
    expect(a.states).toEqual(['FOLLOWER CANDIDATE 1', 'CANDIDATE LEADER 1']);
    a.forget().voted(C);
    expect([a.done, a.states, a.host.events]).toEqual([[], [], []]);
    const b = follower(0, { local: B });
    expect(b.vote(A, 1)).toMatchObject({ granted: true, term: 1, voteFor: A });
    expect(b.saves).toEqual([{ term: 1, voteFor: A, promisedMs: L }]);
  });

  test('I2 a single voter is the leader of term 1', () => {
    const cluster = new Cluster([A]);
    cluster.run(1);
    expect(agreed(cluster)).toEqual({ leader: A, term: 1 });
  });

  // The source's learner votes and so saves the cluster; here observers never do (section 3).
  test('I3 an observer does not stand in for a dead voter', () => {
    const cluster = new Cluster([A, B, { ip: C, observer: true }]);
    const elected = cluster.elect();
    cluster.kill(elected);
    cluster.run(10 * L);
    expect(cluster.leaders).toEqual([]);
    for (const host of cluster.hosts.values())
      expect(viewOf(host)).toMatchObject({ state: 'FOLLOWER', term: 1 });
  });

  test('I4 votes are refused while the lease holds; after it the leader steps down, and late beats are refused', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    const ask = () =>
      cluster
        .core(C)
        .receivedVote({ peer: peer(B, { state: 'CANDIDATE', term: 2, voteFor: B }) }, cluster.now);
    expect(ask()).toMatchObject({ granted: false, term: 1 });
    cluster.loses = (from) => from === A;
    cluster.run(LEASE + 2);
    expect(viewOf(cluster.host(A))).toMatchObject({ state: 'FOLLOWER', term: 1, leader: null });
    cluster.runUntil(() => cluster.leaders.length > 0);
    const { term } = viewOf(cluster.host(cluster.leaders[0]!));
    expect(term).toBe(2);
    const late = { peer: peer(A, { state: 'LEADER', term: 1, voteFor: A }), datums: [] };
    expect(refusal(() => cluster.core(C).receivedBeat(late, cluster.now))).toMatchObject({
      code: 'OUT_OF_DATE',
      term: 2,
    });
  });

  // The source's forget-leader frees a follower at once, and is refused with leases (I9). We have no such call: a
  // follower loses its leader by a higher term, and its promise stands (section 3, promise 3).
  test('I7 I9 a follower that lost its leader keeps its promise, and follows again at a beat', () => {
    const b = follower(1, { local: B });
    b.beat(A, 1);
    b.told(C, peer(C, { term: 2 }));
    expect(b.view).toEqual({ state: 'FOLLOWER', term: 2, voteFor: null, leader: null });
    b.forget().wait(L - 1);
    expect(b.preVote(C, 3)).toMatchObject({ granted: false, promiseMs: 1 });
    expect(b.done).toEqual([]);
    b.beat(A, 2);
    expect(b.view).toEqual({ state: 'FOLLOWER', term: 2, voteFor: A, leader: A });
    expect(b.host.events).toEqual(['makeLeader a:1 2']);
  });
});

describe('quorum', () => {
  // Here there is no "lost": a candidate tries again. Its own vote, saved, is among any majority (section 3, vote).
  test.each([1, 2, 3, 4, 5, 6, 7])(
    'of %i voters a candidate wins exactly with its own and a majority of votes',
    (n) => {
      for (let code = 0; code < 3 ** n; code++) {
        const votes = Array.from({ length: n }, (_, at) => Math.floor(code / 3 ** at) % 3);
        // Independent of any count: of the sorted votes the middle one, or the one above it, must be a yes.
        const sorted = votes.map((vote) => vote === 1).toSorted((a, b) => Number(b) - Number(a));
        const wins = votes[0] === 1 && sorted[Math.floor(n / 2)] === true;
        expect([code, tally(votes, IPS.slice(0, n))]).toEqual([code, wins]);
      }
    },
  );

  /** Whether a candidate wins with `votes` of `ips`: 0 missing, 1 for itself, 2 for another. */
  function tally(votes: readonly number[], ips: readonly string[]): boolean {
    const peers = new RaftPeerSet({ local: A, members: [...ips, { ip: 'o:1', observer: true }] });
    peers.campaign();
    peers.decideLeader(peer('o:1', { term: 1, voteFor: A }));
    for (const [at, vote] of votes.entries()) {
      const ip = ips[at]!;
      if (vote > 0) peers.decideLeader(peer(ip, { term: 1, voteFor: vote === 1 ? A : 'o:1' }));
    }
    return peers.self.state === 'LEADER' && peers.leader?.ip === A;
  }
});
