import { Membership, type Output, RaftCore, RaftPeerSet } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { A, B, C, L, peer } from './cluster.js';
import { candidate, leaderOf, refusal, winner } from './support.js';

describe('the pure classes on their own', () => {
  test('a peer set makes a leader, tells so, and asks the former one', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B, C] });
    const told: string[] = [];
    peers.on('makeLeader', ({ leader }) => told.push(leader.ip));
    expect(peers.makeLeader(leaderOf(B, 1))).toBe(peers.get(B));
    peers.makeLeader(leaderOf(B, 1));
    peers.makeLeader(leaderOf(C, 2));
    expect(told).toEqual([B, C]);
    expect(peers.isLeader(C)).toBe(true);
    expect(peers.takeOutputs()).toEqual([{ type: 'fetchPeer', from: B }]);
    expect(peers.takeOutputs()).toEqual([]);
  });

  test('a core accepts a beat with nothing but a peer and datums, and tells what is to be done', () => {
    const core = new RaftCore({
      peers: new RaftPeerSet({ local: A, members: [A, B, C] }),
      random: Math.random,
    });
    const reply = core.receivedBeat({ peer: leaderOf(B, 3), datums: [] }, 12_345);
    expect(reply).toMatchObject({ ip: A, state: 'FOLLOWER', term: 3, voteFor: B, requestTerm: 3 });
    const outputs: readonly Output[] = core.takeOutputs();
    expect(outputs).toEqual([{ type: 'save', state: { term: 3, voteFor: B, promisedMs: 500 } }]);
  });

  test('changePeers keeps the known, adds fresh ones, drops the rest, and with them a leader that left', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B, C] });
    const lost: string[] = [];
    peers.on('leaderLost', ({ leader }) => lost.push(leader.ip));
    peers.makeLeader(leaderOf(B, 7));
    const known = peers.get(B);
    peers.changePeers([A, B, 'd:1']);
    expect(peers.ips).toEqual([A, B, 'd:1']);
    expect(peers.isLeader(B)).toBe(true);
    expect(peers.get(B)).toBe(known);
    expect(peers.get('d:1')).toMatchObject({ term: 0, state: 'FOLLOWER' });
    expect(peers.contains(C)).toBe(false);
    peers.changePeers([A, C]);
    expect(peers.leader).toBeNull();
    expect(lost).toEqual([B]);
    expect(peers.majorityCount()).toBe(2);
  });

  test.each([
    ['no array', 'a:1' as unknown as string[]],
    ['twice the same', [A, A]],
    ['an empty ip', [A, '']],
    ['an ip with a blank', [A, 'b 1']],
    ['an ip that is too long', [A, 'b'.repeat(301)]],
    ['an ip with a tab', [A, 'b\t1']],
    ['an ip with a control character', [A, 'b\u0000']],
    ['a number for an ip', [A, 7 as unknown as string]],
    ['no ip', [A, {} as { ip: string }]],
    ['null', [A, null as unknown as string]],
    ['a negative priority', [{ ip: A, priority: -1 }]],
    ['a broken priority', [{ ip: A, priority: 1.5 }]],
    ['a priority above 1000', [{ ip: A, priority: 1001 }]],
    ['an observer that is no boolean', [{ ip: A, observer: 1 as unknown as boolean }]],
  ])('members with %s are refused, and the set stays as it was', (_name, members) => {
    const peers = new RaftPeerSet({ local: A, members: [A, B] });
    expect(() => peers.changePeers(members)).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }));
    expect(peers.ips).toEqual([A, B]);
  });

  test.each([
    ['the longest ip', { ip: 'b'.repeat(300) }],
    ['the shortest ip', { ip: 'b' }],
    ['the lowest priority', { ip: B, priority: 0 }],
    ['the highest priority', { ip: B, priority: 1_000 }],
    ['an observer', { ip: B, observer: true }],
  ])('a member with %s is taken as it is', (_name, member) => {
    const peers = new RaftPeerSet({ local: A, members: [A, member] });
    expect(peers.member(member.ip)).toEqual({ priority: 1, observer: false, ...member });
  });

  test('rules are those of raftbeat, unless they are named; others are refused', () => {
    expect(new RaftPeerSet({ local: A, members: [A] }).rules.leases).toBe(true);
    expect(new RaftPeerSet({ local: A, members: [A], rules: 'nacos' }).rules.leases).toBe(false);
    for (const rules of ['zookeeper', 'toString'])
      expect(refusal(() => new RaftPeerSet({ local: A, members: [A], rules: rules as 'nacos' })).code).toBe(
        'BAD_OPTION',
      );
    expect(refusal(() => new RaftPeerSet({ local: '', members: [''] })).message).toContain('local');
  });

  test('a peer set says who is a member, who votes, and who leads', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B, { ip: C, observer: true }] });
    expect([A, B, C, 'x:1'].map((ip) => peers.contains(ip))).toEqual([true, true, true, false]);
    expect([A, B, C, 'x:1'].map((ip) => peers.isVoter(ip))).toEqual([true, true, false, false]);
    expect([peers.get('x:1'), peers.member('x:1')]).toEqual([null, null]);
    expect([peers.others, peers.otherVoters]).toEqual([[B, C], [B]]);
    expect(peers.isLeader(B)).toBe(false);
    peers.makeLeader(leaderOf(B, 1));
    expect([peers.isLeader(B), peers.isLeader(A)]).toEqual([true, false]);
    expect(peers.lastLeader).toMatchObject({ ip: B, term: 1 });
  });

  test('only a voter is alone, and only without other voters', () => {
    const observer = { ip: B, observer: true };
    expect(new RaftPeerSet({ local: A, members: [A] }).isAlone).toBe(true);
    expect(new RaftPeerSet({ local: A, members: [A, observer] }).isAlone).toBe(true);
    expect(new RaftPeerSet({ local: A, members: [A, C] }).isAlone).toBe(false);
    expect(new RaftPeerSet({ local: B, members: [observer] }).isAlone).toBe(false);
    expect(new RaftPeerSet({ local: A, members: [observer] }).isAlone).toBe(false);
  });

  test('sets that share a membership know the same members, and each hears of them for itself', () => {
    const members = Membership.of([A, B, { ip: C, observer: true }]);
    const [a, b] = [new RaftPeerSet({ local: A, members }), new RaftPeerSet({ local: B, members })];
    expect([a.others, a.otherVoters, b.others, b.otherVoters]).toEqual([[B, C], [B], [A, C], [A]]);
    expect(a.members).toBe(b.members);
    a.update({ ...b.local().snapshot(), ip: C, term: 5 });
    expect([a.get(C)?.term, b.get(C)?.term]).toEqual([5, 0]);
    a.changePeers([A, B]);
    expect([a.ips, b.ips]).toEqual([
      [A, B],
      [A, B, C],
    ]);
  });

  test('members are fixed once the core has started', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B] });
    const core = new RaftCore({ peers, random: () => 0 });
    peers.changePeers([A, B, C]);
    core.tick(0);
    expect(refusal(() => peers.changePeers([A, B])).code).toBe('UNSUPPORTED');
    expect(peers.ips).toEqual([A, B, C]);
  });

  test('a member that left and came back is a fresh one, and is asked anew', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B, C] });
    peers.makeLeader(leaderOf(B, 1));
    peers.makeLeader(leaderOf(C, 2));
    expect(peers.takeOutputs()).toEqual([{ type: 'fetchPeer', from: B }]);
    peers.changePeers([A, C]);
    peers.changePeers([A, B, C]);
    expect(peers.get(B)).toMatchObject({ state: 'FOLLOWER', term: 0 });
    peers.makeLeader(leaderOf(B, 3));
    peers.makeLeader(leaderOf(C, 4));
    expect(peers.takeOutputs()).toEqual([C, B].map((from) => ({ type: 'fetchPeer', from })));
  });

  test('what a voter says of itself is stored, and what is heard of it in the same term after that', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B, C] });
    peers.campaign();
    peers.decideLeader(peer(B, { term: 1, voteFor: A, leaderDueMs: 7 }));
    expect(peers.get(B)).toMatchObject({ term: 1, voteFor: A, leaderDueMs: 7 });
    peers.update(peer(B, { term: 1, voteFor: A, leaderDueMs: 3 }));
    expect(peers.get(B)).toMatchObject({ leaderDueMs: 3 });
  });

  test('of itself a peer hears nothing, and of a stranger neither, whose ip the refusal tells', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B] });
    expect(peers.update(peer(A, { term: 9, state: 'LEADER' }))).toMatchObject({ term: 0, state: 'FOLLOWER' });
    expect(refusal(() => peers.update(peer('x:1', { term: 9 })))).toMatchObject({
      code: 'UNKNOWN_PEER',
      ip: 'x:1',
    });
  });

  test('a former leader that stays a member when others join is not asked twice', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B, C] });
    for (const leader of [leaderOf(B, 1), leaderOf(C, 2)]) peers.makeLeader(leader);
    peers.changePeers([A, B, C, 'd:1']);
    peers.makeLeader(leaderOf(C, 2));
    expect(peers.takeOutputs()).toEqual([{ type: 'fetchPeer', from: B }]);
  });

  test('a peer that led itself does not ask itself for its view', () => {
    const peers = new RaftPeerSet({ local: A, members: [A] });
    peers.campaign();
    peers.decideLeader(peers.self);
    peers.changePeers([A, B]);
    peers.makeLeader(leaderOf(B, 2));
    expect(peers.takeOutputs()).toEqual([]);
  });

  test('what was heard of one that is listened to, member or not, is kept when it is so again', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B] });
    for (const ip of [B, C]) {
      peers.admit(ip);
      peers.update(peer(ip, { term: 3 }));
      peers.admit(ip);
      expect(peers.get(ip)?.term).toBe(3);
    }
  });

  test('a vote of a member that left does not count when it comes back', () => {
    const five = [A, B, C, 'd:1', 'e:1'];
    const peers = new RaftPeerSet({ local: A, members: five });
    peers.campaign();
    const votes = (ip: string) => peers.decideLeader(peer(ip, { term: 1, voteFor: A }));
    expect([votes(A), votes(B)]).toEqual([null, null]);
    peers.changePeers([A, C, 'd:1', 'e:1']);
    peers.changePeers(five);
    expect(votes(C)).toBeNull();
    expect(votes('d:1')).toMatchObject({ ip: A, term: 1 });
  });

  test('outputs are handed over once, in order', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B] });
    expect(peers.takeOutputs()).toEqual([]);
    peers.output({ type: 'fetchPeer', from: B });
    peers.output({ type: 'fetchPeer', from: B, id: 1 });
    expect(peers.takeOutputs()).toEqual([
      { type: 'fetchPeer', from: B },
      { type: 'fetchPeer', from: B, id: 1 },
    ]);
    expect(peers.takeOutputs()).toEqual([]);
  });

  test('a state change is told with where from, where to, and the term; none is not told', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B] });
    const told: unknown[] = [];
    peers.on('stateChange', ({ from, to, term }) => told.push([from, to, term]));
    peers.become('FOLLOWER');
    peers.campaign();
    peers.campaign();
    peers.adopt(9);
    expect(told).toEqual([
      ['FOLLOWER', 'CANDIDATE', 1],
      ['CANDIDATE', 'CANDIDATE', 2],
      ['CANDIDATE', 'FOLLOWER', 9],
    ]);
  });

  test('resetting forgets the leader and who voted for whom', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B, C] });
    peers.makeLeader({ ...leaderOf(B, 1) });
    peers.update(peer(C, { term: 1, voteFor: B }));
    peers.reset();
    expect(peers.leader).toBeNull();
    expect(peers.allPeers().map(({ voteFor }) => voteFor)).toEqual([null, null, null]);
  });

  test('a peer that is not among its own members takes part in nothing', () => {
    const peers = new RaftPeerSet({ local: A, members: [B, C] });
    for (const call of [() => peers.local(), () => peers.makeLeader(leaderOf(B, 1))])
      expect(call).toThrow(`unable to find local peer: ${A}`);
    expect(peers.leader).toBeNull();
    const core = new RaftCore({ peers, random: Math.random });
    core.tick(0);
    core.tick(100 * L);
    expect(core.takeOutputs()).toEqual([]);
    expect(() => core.receivedVote({ peer: candidate(B, 1) }, 0)).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_PEER' }),
    );
    expect(core.getPeer(0)).toMatchObject({ ip: A, term: 0, state: 'FOLLOWER' });
  });

  test('events come when the state is whole, each listener is called, and what it causes comes afterwards', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B, C] });
    const told: string[] = [];
    peers.on('makeLeader', ({ leader }) => {
      told.push(`first ${leader.ip} ${peers.get(leader.ip)?.state}`);
      if (leader.ip === B) peers.makeLeader(leaderOf(C, 2));
      throw new Error('broken');
    });
    peers.on('makeLeader', ({ leader }) => told.push(`second ${leader.ip}`));
    peers.on('leaderLost', ({ leader }) => told.push(`lost ${leader.ip}`));
    peers.on('error', ({ code }) => told.push(code));
    peers.makeLeader(leaderOf(B, 1));
    expect(told).toEqual([
      'first b:1 LEADER',
      'LISTENER_FAILED',
      'second b:1',
      'lost b:1',
      'first c:1 LEADER',
      'LISTENER_FAILED',
      'second c:1',
    ]);
  });

  test('a peer equals another of the same ip', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B] });
    expect(peers.local().equals(peer(A, { term: 9 }))).toBe(true);
    expect(peers.local().equals(peer(B))).toBe(false);
  });

  test.each([
    ['a wrong time', { leaderTimeoutMs: 9 }],
    ['not a number', { heartbeatMs: Number.NaN }],
    ['beats too far apart for the lease', { leaderTimeoutMs: 1_000, heartbeatMs: 403 }],
    ['a round trip above a tenth of L', { leaderTimeoutMs: 1_000, requestTimeoutMs: 101 }],
    ['a drift that leaves no lease', { clockDrift: 0.5 }],
    ['a negative wait', { randomMs: -1 }],
    ['an endless wait', { staggerMs: Number.POSITIVE_INFINITY }],
  ])('times with %s are refused', (_name, timing) => {
    const peers = new RaftPeerSet({ local: A, members: [A] });
    expect(() => new RaftCore({ peers, random: Math.random, timing })).toThrow(
      expect.objectContaining({
        code: 'BAD_OPTION',
        message: expect.stringContaining(Object.keys(timing).at(-1) as string),
      }),
    );
  });

  test('the term of a leader can be noted where there is one; of one that was not heard since, as a member, too', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B, C], rules: 'nacos' });
    expect([peers.noteLeaderTerm(5), peers.freshLeader]).toEqual([false, null]);
    peers.makeLeader(leaderOf(B, 1));
    peers.update(peer(C, { term: 1 }));
    expect(peers.freshLeader).toMatchObject({ ip: B, term: 1 });
    expect(peers.noteLeaderTerm(5)).toBe(true);
    expect([peers.leader?.term, peers.get(B)?.term]).toEqual([5, 5]);
    peers.makeLeader(leaderOf(B, 6));
    expect(peers.freshLeader).toBeNull();
    peers.noteLeaderTerm(8);
    expect([peers.leader?.term, peers.get(B)?.term]).toEqual([8, 6]);
  });

  test('a peer that leads itself notes no term but its own, and is no leader to be heard of', () => {
    const peers = new RaftPeerSet({ local: A, members: [A], rules: 'nacos' });
    peers.campaign();
    peers.decideLeader(peers.self);
    expect([peers.noteLeaderTerm(9), peers.leader?.term, peers.freshLeader]).toEqual([true, 1, null]);
  });

  test('a peer that makes itself the leader is the one that leads', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B] });
    peers.makeLeader(leaderOf(A, 1));
    expect([peers.leader, peers.freshLeader]).toEqual([peers.self, null]);
    expect(peers.leader).toBe(peers.self);
  });

  test('what another member has left of its times is none, or as the caller draws it, until it is heard of', () => {
    expect(new RaftPeerSet({ local: A, members: [A, B] }).get(B)).toMatchObject({
      leaderDueMs: 0,
      heartbeatDueMs: 0,
    });
    const freshDues = () => ({ leaderDueMs: 7, heartbeatDueMs: 3 });
    const peers = new RaftPeerSet({ local: A, members: [A, B], freshDues });
    expect(peers.get(B)).toMatchObject({ leaderDueMs: 7, heartbeatDueMs: 3 });
  });

  test('a peer that is asked for and left meanwhile is not taken for anything', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B, C] });
    peers.makeLeader(leaderOf(B, 1));
    peers.makeLeader(leaderOf(C, 2));
    peers.changePeers([A, C]);
    peers.fetchFailed(B);
    peers.fetchFailed('x:1');
    expect(peers.get(C)).toMatchObject({ state: 'LEADER' });
  });

  test('an input that finds the term lower than it was saved is a bug', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B, C] });
    const core = new RaftCore({ peers, random: () => 0, stored: { term: 5, voteFor: B, promisedMs: 0 } });
    core.tick(0);
    peers.self.term = 4;
    expect(refusal(() => core.tick(1)).code).toBe('INTERNAL');
  });

  test('a leader whose store is told to hold an older term than its own is a bug', () => {
    const { core } = winner(2 * L);
    expect(refusal(() => core.saved({ term: 5, voteFor: B, promisedMs: 0 }, 2 * L)).code).toBe('INTERNAL');
  });

  test('an input that finds another vote than was saved in this term is a bug', () => {
    const peers = new RaftPeerSet({ local: A, members: [A, B, C] });
    const core = new RaftCore({ peers, random: () => 0, stored: { term: 5, voteFor: B, promisedMs: 0 } });
    core.tick(0);
    peers.self.voteFor = C;
    expect(refusal(() => core.tick(1)).code).toBe('INTERNAL');
  });
});
