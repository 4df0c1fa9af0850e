import { type RaftErrorCode, RaftPeerSet, type RulesName } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { A, B, C, Cluster, H, L, peer } from '../cluster.js';
import {
  ABC,
  ABCDE,
  candidate,
  follower,
  inFront,
  leader,
  refusal,
  runSafely,
  Solo,
  winner,
} from './support.js';

const BOTH: readonly RulesName[] = ['raftbeat', 'nacos'];
const nacos = { rules: 'nacos' } as const;

describe.each(BOTH)('under the rules %s', (rules) => {
  test.each([1, 4])(
    'K1 a vote of term %i is refused by a peer of term 5, and the reply is that peer',
    (term) => {
      const a = follower(5, { rules, voteFor: C });
      expect(a.vote(B, term)).toMatchObject({
        ip: A,
        state: 'FOLLOWER',
        term: 5,
        voteFor: C,
        granted: false,
      });
      expect(a.view).toEqual({ state: 'FOLLOWER', term: 5, voteFor: C, leader: null });
      expect(a.saves).toEqual([]);
    },
  );

  test('K2 granting a vote resets the leader due, and sets state, vote and term', () => {
    const a = candidate(5, { rules });
    a.now += H / 2;
    expect(a.vote(B, 6)).toMatchObject({ ip: A, state: 'FOLLOWER', term: 6, voteFor: B, granted: true });
    expect(a.view).toMatchObject({ state: 'FOLLOWER', term: 6, voteFor: B });
    expect(a.dueIn).toBeGreaterThanOrEqual(L);
    expect(a.saves.at(-1)).toMatchObject({ term: 6, voteFor: B });
  });

  test.each(['FOLLOWER', 'CANDIDATE'] as const)(
    'K3 a beat of a %s is refused with the text of the original',
    (state) => {
      const a = follower(5, { rules });
      const error = refusal(() => a.beat(B, 6, { peer: peer(B, { state, term: 6 }) }));
      expect(error).toMatchObject({
        code: 'INVALID_STATE',
        message: `invalid state from master, state: ${state}`,
      });
      expect(a.view).toEqual({ state: 'FOLLOWER', term: 5, voteFor: null, leader: null });
    },
  );

  test('K3 a beat of a lower term is refused with the text of the original', () => {
    const a = follower(5, { rules });
    const error = refusal(() => a.beat(B, 4));
    expect(error.code).toBe('OUT_OF_DATE');
    expect(error.message).toBe('out of date beat, beat-from-term: 4, beat-to-term: 5');
    expect([a.view.leader, a.host.events]).toEqual([null, []]);
  });

  test('K3 an accepted beat makes its sender the leader, resets both dues, and is answered with the local peer', () => {
    const a = follower(5, { rules });
    const reply = a.beat(B, 5);
    expect(reply).toMatchObject({ ip: A, state: 'FOLLOWER', term: 5, requestTerm: 5, heartbeatDueMs: H });
    expect(reply.leaderDueMs).toBeGreaterThanOrEqual(L);
    expect(a.view).toMatchObject({ leader: B });
    expect(a.host.events).toEqual(['makeLeader b:1 5']);
  });

  test.each<[string, (a: Solo) => void, string]>([
    ['its answer is taken over', (a) => a.told(B, peer(B, { state: 'CANDIDATE', term: 6 })), 'CANDIDATE'],
    ['an error makes it a FOLLOWER', (a) => a.failed(B, { type: 'peer' }, 'INTERNAL'), 'FOLLOWER'],
    ['silence makes it a FOLLOWER', (a) => a.failed(B, { type: 'peer' }, 'UNREACHABLE'), 'FOLLOWER'],
  ])('K4 a former leader still marked so is asked for its own view: %s', (_rule, answers, state) => {
    const a = follower(5, { rules });
    a.beat(B, 5);
    expect(a.fetched).toEqual([]);
    a.beat(C, 6);
    expect(a.fetched).toEqual([B]);
    expect(a.core.peers.get(B)?.state).toBe('LEADER');
    answers(a);
    expect(a.core.peers.get(B)?.state).toBe(state);
    a.beat(C, 6);
    expect(a.fetched).toEqual([B]);
  });

  // The original asks at every beat, and lets a late answer overwrite what it knows (D14).
  test('K4 a former leader is asked once at a time, and its late answer overwrites nothing newer', () => {
    const a = follower(5, { rules });
    a.beat(B, 5);
    a.beat(C, 6);
    a.beat(C, 6);
    expect(a.fetched).toEqual([B]);
    a.beat(B, 7);
    a.told(B, peer(B, { state: 'CANDIDATE', term: 5 }));
    expect(a.core.peers.get(B)).toMatchObject({ state: 'LEADER', term: 7 });
  });

  test('C1 a refusal whose voteFor names the candidate is no vote, nor is one of a former term', () => {
    const a = candidate(5, { rules });
    a.voted(B, { granted: false, voteFor: A });
    a.voted(C, { term: 4, voteFor: A });
    expect(a.view).toMatchObject({ state: 'CANDIDATE', term: 5 });
  });

  test('C2 a candidate elects only itself: votes for another make nobody the leader', () => {
    const a = candidate(5, { rules, members: ABCDE });
    for (const from of ABCDE.slice(1)) a.voted(from, { voteFor: B });
    expect(a.view).toEqual({ state: 'CANDIDATE', term: 5, voteFor: A, leader: null });
  });

  test('C2 a follower elects nobody: votes that lie around make no leader', () => {
    const peers = new RaftPeerSet({ local: A, members: ABC, rules });
    for (const from of [B, C]) expect(peers.decideLeader(peer(from, { term: 0, voteFor: A }))).toBeNull();
    expect(peers.self.state).toBe('FOLLOWER');
  });

  test('C3 a vote is saved before its reply, a candidacy before its requests, and neither is given twice', () => {
    const voter = follower(5, { rules });
    voter.vote(B, 6);
    expect(voter.done).toEqual(['save 6 b:1']);
    const again = follower(6, { rules, voteFor: voter.saves[0]?.voteFor ?? '' });
    expect(again.vote(C, 6)).toMatchObject({ granted: false, term: 6, voteFor: B });
    const asker = candidate(6, { rules });
    const requests = asker.done.filter((it) => it !== 'preVote');
    expect(requests).toEqual(['save 6 a:1', 'vote']);
  });

  test.each<[string, (a: Solo) => unknown, RaftErrorCode]>([
    ['beat', (a) => a.beat('x:1', 9), 'UNKNOWN_PEER'],
    ['vote', (a) => a.vote('x:1', 9), 'UNKNOWN_PEER'],
    ['transfer', (a) => a.transfer('x:1', 5), 'UNKNOWN_PEER'],
  ])('D6 a %s of a stranger is refused, and it does not become a member', (_what, act, code) => {
    const a = follower(5, { rules });
    const error = refusal(() => act(a));
    expect([error.code, error.message]).toEqual([code, 'can not find peer: x:1']);
    expect(a.core.peers.ips).toEqual(ABC);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 5, voteFor: null, leader: null });
  });

  test('D6 replies of strangers, and under the ip of one, count for nobody else than the peer asked', () => {
    const a = candidate(5, { rules });
    a.voted('x:1');
    expect(a.view.state).toBe('CANDIDATE');
    a.voted(B, { ip: 'x:1' });
    expect(a.view.state).toBe('LEADER');
    expect(a.core.peers.contains('x:1')).toBe(false);
  });

  test('C7 a leader that left the list is lost, and told', () => {
    const peers = new RaftPeerSet({ local: A, members: ABC, rules });
    const lost: string[] = [];
    peers.on('leaderLost', ({ leader: former }) => lost.push(former.ip));
    peers.makeLeader(peer(B, { state: 'LEADER', term: 5 }));
    peers.changePeers([A, C]);
    expect([peers.leader, lost]).toEqual([null, [B]]);
  });

  test('C7 a peer that is not in the list says so, and follows nobody', () => {
    const a = follower(5, { rules, members: [B, C] });
    const error = refusal(() => a.beat(B, 6));
    expect(error.code).toBe('UNKNOWN_PEER');
    expect(error.message).toBe('unable to find local peer: a:1, all peers: [b:1,c:1]');
    expect(refusal(() => a.core.peers.local()).code).toBe('UNKNOWN_PEER');
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 5, voteFor: null, leader: null });
  });

  test('C7 changePeers keeps the known peers, adds fresh ones and drops the rest', () => {
    const peers = new RaftPeerSet({ local: A, members: ABC, rules });
    peers.update(peer(B, { term: 7 }));
    peers.changePeers([A, B, 'd:1']);
    expect(peers.ips).toEqual([A, B, 'd:1']);
    expect([peers.get(B)?.term, peers.get('d:1')?.term, peers.get(C)]).toEqual([7, 0, null]);
  });

  // The original handles these on several threads; here each input ends before the next begins.
  test('C8 of two candidates of one term, asking in the middle of an event, one is granted', () => {
    const a = leader(5, { rules });
    const granted: string[] = [];
    a.core.peers.once('leaderLost', () => {
      for (const from of [C, B]) if (a.vote(from, 7).granted) granted.push(from);
    });
    a.beat(B, 6);
    // By our rules `b:1` has this peer's promise; the original's first come is first served.
    expect(granted).toEqual([rules === 'nacos' ? C : B]);
    expect(a.view).toMatchObject({ state: 'FOLLOWER', term: 7, voteFor: granted[0] });
  });

  test('D9 losing the leader is told, and leaves none', () => {
    const a = follower(5, { rules });
    a.beat(B, 5);
    a.waitUntil(() => a.view.leader === null);
    expect(a.host.events).toEqual(['makeLeader b:1 5', 'leaderLost b:1 5']);
  });

  test('D18 the only peer of a cluster elects itself', () => {
    const a = new Solo({ members: [A], rules });
    a.wait(L);
    expect(a.view).toEqual({ state: 'LEADER', term: 1, voteFor: A, leader: A });
    expect(a.leads).toBe(true);
  });
});

describe('under the rules raftbeat alone', () => {
  test('C4 a flapping peer with a high term neither unseats a leader nor votes for one with old data', () => {
    const a = leader(5, { revision: { term: 5, seq: 1 } });
    expect(a.vote(B, 500).granted).toBe(false);
    expect(a.leads).toBe(true);
    const voter = follower(5, { revision: { term: 5, seq: 1 } });
    expect(voter.vote(B, 500, { revision: { term: 4, seq: 99 } }).granted).toBe(false);
    expect(voter.vote(C, 500, { revision: { term: 5, seq: 1 } }).granted).toBe(true);
  });

  test('C5 a leader in a minority is gone before another leads', () => {
    const cluster = new Cluster(inFront(A, ABC));
    cluster.elect();
    cluster.isolate(A);
    runSafely(cluster, 3 * L);
    expect(cluster.leaders.length).toBe(1);
    expect(cluster.leaders).not.toContain(A);
  });

  test('D5 a beat of an equal term leaves the vote of a candidate as it is', () => {
    const a = candidate(5);
    a.beat(B, 5);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 5, voteFor: A, leader: B });
  });

  test('D7 an unspent vote is granted in an equal term, and a refusal spends none', () => {
    const a = follower(5);
    expect(a.vote(B, 4)).toMatchObject({ granted: false, voteFor: null });
    expect(a.vote(B, 5)).toMatchObject({ granted: true, voteFor: B });
  });

  test('D8 the same leader in another term is a change', () => {
    const peers = new RaftPeerSet({ local: A, members: ABC });
    const made: string[] = [];
    peers.on('makeLeader', ({ leader: { ip }, term }) => made.push(`${ip} ${term}`));
    for (const term of [5, 5, 6]) peers.makeLeader(peer(B, { state: 'LEADER', term }));
    expect(made).toEqual(['b:1 5', 'b:1 6']);
  });

  test('D8 the winner announces itself with its first lease', () => {
    const a = winner(5);
    expect(a.host.events).toEqual(['leaderElectFinished 5']);
    a.acked(B);
    expect(a.host.events).toEqual(['leaderElectFinished 5', 'makeLeader a:1 5']);
  });
});

describe('under the rules nacos alone: as original peers expect it (section 5)', () => {
  test('D1 off: a higher term in a beat or a reply is not taken over', () => {
    const a = candidate(5, nacos);
    a.denied(B, { term: 9 });
    expect(a.view).toMatchObject({ state: 'CANDIDATE', term: 5 });
    a.failed(C, { type: 'beat', peer: peer(A), datums: [] }, 'OUT_OF_DATE', 9);
    expect(a.view).toMatchObject({ state: 'CANDIDATE', term: 5 });
    a.beat(B, 9);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 5, voteFor: B, leader: B });
  });

  test('D3 off: a leader that nobody answers stays one, and beats on', () => {
    const a = leader(5, nacos).forget();
    a.wait(10 * L);
    expect(a.leads).toBe(true);
    expect(a.requests('beat').length).toBe((10 * L) / H);
  });

  test('D3 off: two leaders coexist in a partition, until the one of the lower term hears the other', () => {
    const cluster = new Cluster(ABC, { rules: 'nacos', random: () => 0.5 });
    cluster.start(A, null, { random: () => 0.1 });
    cluster.start(B, null, { random: () => 0.2 });
    expect(cluster.elect()).toBe(A);
    cluster.isolate(A);
    cluster.run(3 * L);
    expect(cluster.leaders.toSorted()).toEqual([A, B]);
    cluster.heal();
    cluster.run(H + 10);
    expect(cluster.leaders).toEqual([B]);
  });

  test('D5 off: a beat of an equal term rewrites the vote of a candidate or leader, not of a follower', () => {
    for (const role of [candidate, leader]) {
      const a = role(5, nacos);
      a.beat(B, 5);
      expect(a.view).toEqual({ state: 'FOLLOWER', term: 5, voteFor: B, leader: B });
    }
    const a = follower(5, { ...nacos, voteFor: C });
    a.beat(B, 5);
    expect(a.view).toEqual({ state: 'FOLLOWER', term: 5, voteFor: C, leader: B });
  });

  test('D5 off: any leader of an equal term is followed, and none is reported', () => {
    const a = follower(5, nacos);
    a.beat(B, 5);
    a.beat(C, 5);
    expect(a.view.leader).toBe(C);
    expect(a.host.events).toEqual(['makeLeader b:1 5', 'leaderLost b:1 5', 'makeLeader c:1 5']);
    expect(a.host.errors).toEqual([]);
  });

  test('D7 off: a vote of an equal term is refused, and a free vote goes to oneself', () => {
    const a = follower(5, nacos);
    expect(a.vote(B, 5)).toMatchObject({ granted: false, term: 5, voteFor: A });
    expect(a.saves).toEqual([{ term: 5, voteFor: A, promisedMs: L }]);
  });

  test('D8: a leader change is a change of the ip alone, and the winner announces itself at the win', () => {
    const a = follower(5, nacos);
    a.beat(B, 5);
    a.beat(B, 106);
    expect(a.host.events).toEqual(['makeLeader b:1 5']);
    expect(winner(5, nacos).host.events).toEqual(['leaderElectFinished 5', 'makeLeader a:1 5']);
  });

  test('D10 off: a peer campaigns without pre-vote, and a follower of a live leader votes for a higher term', () => {
    const asker = candidate(1, nacos);
    expect(asker.done).toEqual(['save 1 a:1', 'vote']);
    const voter = follower(5, nacos);
    voter.beat(B, 5);
    expect(voter.vote(C, 6)).toMatchObject({ granted: true, term: 6, voteFor: C });
  });

  test('D10 off: a leader steps down at a vote of a higher term', () => {
    const a = leader(5, nacos);
    expect(a.vote(B, 6)).toMatchObject({ granted: true, term: 6 });
    expect([a.leads, a.view.state]).toEqual([false, 'FOLLOWER']);
  });

  test.each([0.25, 0.5, 0.99])(
    'D15 off: a first election is due at a random moment from 0 (chance %d)',
    (draw) => {
      const a = new Solo({ ...nacos, random: () => draw });
      a.wait(draw * L);
      expect(a.votes.length).toBe(1);
      expect(a.now).toBe(draw * L);
    },
  );

  test('D15 off: an empty store keeps nobody from taking part', () => {
    const a = new Solo({ ...nacos, disk: null });
    expect(a.core.rejoining).toBe(false);
    expect(a.vote(B, 1).granted).toBe(true);
  });

  test.each([0, 0.5, 0.99])('D16 off: later elections are due at L + a random time (chance %d)', (draw) => {
    const a = new Solo({ ...nacos, random: () => draw });
    a.beat(B, 5);
    expect(a.dueIn).toBeCloseTo(L + draw * 100);
  });

  test('a candidacy forgets the leader and all votes, and is tried again in the next term', () => {
    const a = candidate(5, nacos);
    a.voted(B, { granted: false, voteFor: C });
    expect(a.core.peers.get(B)?.voteFor).toBe(C);
    a.waitUntil(() => a.votes.length > 1);
    expect(a.view).toEqual({ state: 'CANDIDATE', term: 6, voteFor: A, leader: null });
    expect(a.core.peers.get(B)?.voteFor).toBeNull();
  });

  test('a candidate, too, resets its leader due to L + a random time', () => {
    const a = follower(5, nacos);
    a.tick();
    expect(a.view).toMatchObject({ state: 'CANDIDATE', term: 6 });
    expect(a.dueIn).toBe(L + 50);
  });

  test('a leader cannot hand over: original peers know no transfer', () => {
    const a = leader(5, nacos);
    expect(refusal(() => a.resign(B)).code).toBe('UNSUPPORTED');
    expect(a.leads).toBe(true);
  });
});
