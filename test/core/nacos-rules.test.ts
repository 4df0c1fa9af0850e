import { RaftPeerSet } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { A, B, C, H, type Host, IN_USE, L, peer, TIMING } from './cluster.js';
import { beat, candidate, leaderOf, one, refusal, requests } from './support.js';

const KEY = 'com.alibaba.nacos.naming.domains.meta.public##G@@a';

describe('the rules of Nacos', () => {
  const nacos = { rules: 'nacos', random: () => 0.5 } as const;

  /** The leader of term 6, elected at 2 L. */
  function leading(): Host {
    const host = one(nacos);
    host.core.tick(2 * L);
    host.core.saved({ ...IN_USE, term: 6, voteFor: A }, 2 * L);
    host.core.receivedVoteReply(B, { ...peer(B, { term: 6, voteFor: A }), granted: true }, 2 * L);
    return host;
  }

  test('neither lease nor promise nor pre-vote: the state says who leads, and makeLeader comes at the win', () => {
    const host = one(nacos);
    host.core.tick(0.5 * L);
    const asked = requests(host);
    expect(asked).toMatchObject([{ type: 'vote', peer: { term: 6, state: 'CANDIDATE' } }]);
    expect(asked[0]).not.toHaveProperty('transfer');
    host.core.saved({ ...IN_USE, term: 6, voteFor: A }, 0.5 * L);
    host.core.receivedVoteReply(B, { ...peer(B, { term: 6, voteFor: A }), granted: true }, 0.5 * L);
    expect(host.core.isLeader(0.5 * L)).toBe(true);
    expect(host.events).toEqual(['leaderElectFinished 6', 'makeLeader a:1 6']);
    host.core.tick(100 * L);
    expect(host.core.isLeader(100 * L)).toBe(true);
    expect(host.core.leaseLeftMs(100 * L)).toBe(Number.POSITIVE_INFINITY);
  });

  test('the election due is L + random [0, R) after a beat', () => {
    const host = one(nacos);
    host.core.receivedBeat(beat(B, 5), 10);
    expect(host.core.nextDeadline()).toBe(10 + L + 0.5 * TIMING.randomMs);
  });

  test('both first dues are random from 0, and a follower only renews that of its beat', () => {
    const host = one(nacos);
    expect(host.core.getPeer(0)).toMatchObject({ leaderDueMs: 0.5 * L, heartbeatDueMs: 0.5 * H });
    expect(host.core.nextDeadline()).toBe(0.5 * L);
    host.core.tick(0.5 * H - 1);
    expect(host.core.getPeer(0.5 * H - 1).heartbeatDueMs).toBe(1);
    host.core.tick(0.5 * H);
    expect(host.core.getPeer(0.5 * H)).toMatchObject({ leaderDueMs: 0.5 * (L - H), heartbeatDueMs: H });
    expect(host.core.takeOutputs()).toEqual([]);
  });

  test('a leader beats every H, which renews its own election due', () => {
    const host = one(nacos);
    host.core.tick(L);
    host.core.saved({ ...IN_USE, term: 6, voteFor: A }, L);
    host.core.receivedVoteReply(B, { ...peer(B, { term: 6, voteFor: A }), granted: true }, L);
    host.core.takeOutputs();
    host.core.tick(L + H - 1);
    expect(requests(host)).toEqual([]);
    host.core.tick(L + H);
    expect(requests(host)).toMatchObject([{ type: 'beat', peer: { ip: A, term: 6 } }]);
    expect(host.core.getPeer(L + H).leaderDueMs).toBe(L + 0.5 * TIMING.randomMs);
    expect(
      host.core.receivedBeatReply(B, { ...peer(B, { term: 6 }), requestTerm: 6 }, L + H),
    ).toBeUndefined();
    expect(host.events.filter((event) => event.startsWith('makeLeader'))).toEqual(['makeLeader a:1 6']);
  });

  test('a beat promises nothing: nothing is saved for it', () => {
    const host = one(nacos);
    host.core.receivedBeat(beat(B, 5, { leaderTimeoutMs: 4 * L }), 1);
    expect(host.core.takeOutputs()).toEqual([]);
    expect(host.core.receivedVote({ peer: candidate(C, 6) }, 2).granted).toBe(true);
  });

  test('an empty store changes nothing', () => {
    const host = one(nacos, null);
    expect(host.core.rejoining).toBe(false);
    expect(host.core.receivedVote({ peer: candidate(C, 6) }, 2).granted).toBe(true);
  });

  test('a beat does not raise the term, and rewrites the vote of a candidate', () => {
    const host = one(nacos);
    host.core.receivedBeat(beat(B, 9), 1);
    expect(host.self).toMatchObject({ term: 5, voteFor: null });
    host.core.tick(2 * L);
    expect(host.self).toMatchObject({ state: 'CANDIDATE', term: 6, voteFor: A });
    host.core.receivedBeat(beat(C, 6), 2 * L);
    expect(host.self).toMatchObject({ state: 'FOLLOWER', term: 6, voteFor: C });
  });

  test('an equal-term vote is refused, and burns an unspent vote', () => {
    const host = one(nacos);
    expect(host.core.receivedVote({ peer: candidate(B, 5) }, 1)).toMatchObject({
      granted: false,
      voteFor: A,
      term: 5,
    });
    expect(host.core.receivedVote({ peer: candidate(B, 6) }, 1)).toMatchObject({
      granted: true,
      voteFor: B,
      term: 6,
    });
  });

  test('a higher term in a reply is only stored', () => {
    const host = one(nacos);
    host.core.receivedBeatReply(B, { ...peer(B, { term: 9 }), requestTerm: 5 }, 1);
    expect(host.self.term).toBe(5);
    expect(host.core.peers.get(B)?.term).toBe(9);
  });

  test('a change of leader is a change of ip alone', () => {
    const host = one(nacos);
    for (const term of [5, 105, 205]) host.core.receivedBeat(beat(B, term), term);
    expect(host.events).toEqual(['makeLeader b:1 5']);
  });

  test('D4 and D6 stay: votes are saved, strangers refused', () => {
    const host = one(nacos);
    host.core.receivedVote({ peer: candidate(B, 6) }, 1);
    expect(host.core.takeOutputs()).toEqual([
      { type: 'save', state: { term: 6, voteFor: B, promisedMs: 0 } },
    ]);
    expect(refusal(() => host.core.receivedBeat(beat('x:1', 9), 1)).code).toBe('UNKNOWN_PEER');
  });

  test('there is no transfer of leadership', () => {
    const host = leading();
    expect(refusal(() => host.core.resign(2 * L)).code).toBe('UNSUPPORTED');
    expect(host.core.isLeader(2 * L)).toBe(true);
  });

  test('what the leader publishes renews the election due', () => {
    const host = one(nacos);
    host.core.receivedBeat(beat(B, 5), 10);
    const datum = { key: KEY, value: {}, timestamp: 1 };
    host.core.nacosDatums?.receivedCommit({ datum, source: leaderOf(B, 5) }, 50);
    expect(host.core.nextDeadline()).toBe(50 + L + 0.5 * TIMING.randomMs);
  });

  test('a leader whose term grew by what it published obeys no order to take over', () => {
    const host = leading();
    host.core.nacosDatums?.publish(KEY, {}, 2 * L);
    const { term } = host.self;
    expect(term).toBe(106);
    expect(refusal(() => host.core.receivedTransfer({ peer: leaderOf(B, term) }, 2 * L)).code).toBe(
      'REFUSED_TRANSFER',
    );
  });

  test('an input that finds a leader without its own vote is a bug', () => {
    const host = leading();
    host.self.voteFor = B;
    expect(refusal(() => host.core.tick(2 * L)).code).toBe('INTERNAL');
  });

  test('a member that joins shows the dues that are drawn for it, in the order of the members', () => {
    let draws = 0;
    const freshDues = () => ({ leaderDueMs: ++draws, heartbeatDueMs: ++draws });
    const peers = new RaftPeerSet({ local: A, members: [A, B], rules: 'nacos', freshDues });
    peers.changePeers([C, B, A]);
    expect(peers.get(C)).toMatchObject({ leaderDueMs: 3, heartbeatDueMs: 4 });
    expect(peers.get(B)).toMatchObject({ leaderDueMs: 1, heartbeatDueMs: 2 });
    expect(draws).toBe(4);
  });
});
