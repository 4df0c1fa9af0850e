import { describe, expect, test } from 'vitest';
import { A, B, C, Host, IN_USE, L, LEASE, peer, TIMING } from './cluster.js';
import { ack, beat, candidate, leaderOf, one, refusal, requests, winner } from './support.js';

describe('promise', () => {
  test('1. accepting a beat promises L to its sender: nobody else is granted anything', () => {
    const { core } = one();
    core.receivedBeat(beat(B, 5), 2 * L);
    expect(core.receivedVote({ peer: candidate(C, 9) }, 3 * L - 1)).toMatchObject({
      granted: false,
      promiseMs: 1,
      term: 5,
    });
    expect(core.receivedVote({ peer: candidate(C, 9), preVote: true, round: 1 }, 3 * L - 1)).toMatchObject({
      granted: false,
      promiseMs: 1,
    });
    expect(core.receivedVote({ peer: candidate(B, 9), preVote: true, round: 1 }, 3 * L - 1).granted).toBe(
      true,
    );
    expect(core.receivedVote({ peer: candidate(B, 9) }, 3 * L - 1).granted).toBe(true);
  });

  test('1. it lasts for the greater of the own L and the L that the beat carries', () => {
    for (const [theirs, lasts] of [
      [4 * L, 4 * L],
      [L / 4, L],
    ] as const) {
      const { core } = one();
      core.receivedBeat(beat(B, 5, { leaderTimeoutMs: theirs }), 2 * L);
      expect(core.receivedVote({ peer: candidate(C, 9) }, 2 * L + lasts - 1).granted).toBe(false);
      expect(core.receivedVote({ peer: candidate(C, 9) }, 2 * L + lasts).granted).toBe(true);
    }
  });

  test('1. nothing else makes one: a vote given does not keep another candidate of a later term waiting', () => {
    const { core } = one();
    expect(core.receivedVote({ peer: candidate(B, 6) }, L).granted).toBe(true);
    expect(core.receivedVote({ peer: candidate(C, 7) }, L).granted).toBe(true);
  });

  test('1. a refused beat makes none', () => {
    const { core } = one();
    refusal(() => core.receivedBeat(beat(B, 4), L));
    expect(core.receivedVote({ peer: candidate(C, 6) }, L).granted).toBe(true);
  });

  test('1. the newest replaces the former', () => {
    const { core } = one();
    core.receivedBeat(beat(B, 5), 2 * L);
    core.receivedBeat(beat(C, 6), 2 * L + 1);
    expect(core.receivedVote({ peer: candidate(B, 9) }, 2 * L + 2).granted).toBe(false);
    expect(core.receivedVote({ peer: candidate(C, 9) }, 2 * L + 2).granted).toBe(true);
  });

  test('2. while it runs the peer does not campaign', () => {
    const host = one();
    host.core.receivedBeat(beat(B, 5), 2 * L);
    host.core.tick(3 * L - 0.5);
    expect(requests(host)).toEqual([]);
    host.core.tick(3 * L + 2 * TIMING.staggerMs);
    expect(requests(host)).toMatchObject([{ type: 'vote', preVote: true }]);
  });

  test('2. a voter whose own promise outlasts a granted vote does not campaign before it ends', () => {
    const host = one();
    host.core.receivedBeat(beat(B, 5, { leaderTimeoutMs: 5 * L }), 2 * L);
    host.core.receivedVote({ peer: candidate(B, 6) }, 2 * L + 1);
    host.core.tick(3 * L + 4 * TIMING.staggerMs);
    expect(requests(host)).toEqual([]);
  });

  test('3. adopting a term, losing the leader and stepping down leave it standing', () => {
    const { core, self } = one();
    core.receivedBeat(beat(B, 5), 2 * L);
    core.receivedPeer(C, peer(C, { term: 9 }), 2 * L + 1);
    expect(self.term).toBe(9);
    expect(core.peers.leader).toBeNull();
    expect(core.receivedVote({ peer: candidate(C, 10) }, 3 * L - 1).granted).toBe(false);

    const leader = one();
    leader.core.receivedBeat(beat(B, 5), 2 * L);
    leader.core.receivedTransfer({ peer: leaderOf(B, 5) }, 2 * L + 1);
    leader.core.saved({ ...IN_USE, term: 6, voteFor: A }, 2 * L + 1);
    leader.core.receivedVoteReply(B, { ...peer(B, { term: 6, voteFor: A }), granted: true }, 2 * L + 1);
    expect(leader.self.state).toBe('LEADER');
    leader.core.receivedPeer(C, peer(C, { term: 9 }), 2 * L + 2);
    expect(leader.self.state).toBe('FOLLOWER');
    expect(leader.core.receivedVote({ peer: candidate(C, 10) }, 3 * L - 1).granted).toBe(false);
  });

  test('3. resigning leaves it standing, too', () => {
    const { core, self } = one();
    core.receivedBeat(beat(B, 5), 2 * L);
    core.receivedTransfer({ peer: leaderOf(B, 5) }, 2 * L + 1);
    core.saved({ ...IN_USE, term: 6, voteFor: A }, 2 * L + 1);
    core.receivedVoteReply(B, { ...peer(B, { term: 6, voteFor: A }), granted: true }, 2 * L + 1);
    core.resign(2 * L + 2, B);
    expect(self.state).toBe('FOLLOWER');
    expect(core.receivedVote({ peer: candidate(C, 9) }, 3 * L - 1).granted).toBe(false);
    expect(core.receivedVote({ peer: candidate(C, 9) }, 3 * L).granted).toBe(true);
  });

  test('4. a leader that holds its lease refuses every vote and pre-vote, a transfer too, and keeps its term', () => {
    const host = winner(2 * L);
    host.core.receivedBeatReply(B, ack(2 * L), 2 * L);
    for (const more of [{}, { transfer: true }, { preVote: true, round: 1 }]) {
      const reply = host.core.receivedVote({ peer: candidate(C, 9), ...more }, 2 * L + 1);
      expect(reply).toMatchObject({ granted: false, term: 6, promiseMs: Math.ceil(LEASE - 1) });
    }
    expect(host.self).toMatchObject({ state: 'LEADER', term: 6 });
  });

  test('4. a leader without a lease does not refuse', () => {
    const host = winner(2 * L);
    expect(host.core.receivedVote({ peer: candidate(C, 9) }, 2 * L + 1).granted).toBe(true);
    expect(host.self).toMatchObject({ state: 'FOLLOWER', term: 9 });
  });

  test('5. after a start nobody in particular is promised: also the last leader is refused', () => {
    const { core } = one();
    for (const ip of [B, C]) expect(core.receivedVote({ peer: candidate(ip, 6) }, L - 1).granted).toBe(false);
    for (const ip of [B, C])
      expect(core.receivedVote({ peer: candidate(ip, 6), preVote: true, round: 1 }, L).granted).toBe(true);
  });

  test('5. the start counts from the first input, whatever the clock shows', () => {
    const host = new Host(A, [A, B, C], IN_USE, {});
    expect(host.core.nextDeadline()).toBe(Number.NEGATIVE_INFINITY);
    host.core.tick(1e9);
    expect(host.core.receivedVote({ peer: candidate(B, 6) }, 1e9 + L - 1).granted).toBe(false);
    expect(host.core.receivedVote({ peer: candidate(B, 6) }, 1e9 + L).granted).toBe(true);
  });

  test('5. a larger L is saved before the beat that carries it is acknowledged, and never forgotten', () => {
    const host = one();
    host.core.receivedBeat(beat(B, 5, { leaderTimeoutMs: 4 * L }), 1);
    expect(host.core.takeOutputs()).toEqual([
      { type: 'save', state: { term: 5, voteFor: B, promisedMs: 4 * L } },
    ]);
    host.core.receivedBeat(beat(B, 5, { leaderTimeoutMs: L }), 2);
    expect(host.core.takeOutputs()).toEqual([]);
    host.core.receivedBeat(beat(B, 5, { leaderTimeoutMs: 5 * L }), 2);
    expect(host.core.takeOutputs()).toMatchObject([{ type: 'save', state: { promisedMs: 5 * L } }]);
    host.core.receivedBeat(beat(C, 6, { leaderTimeoutMs: 2 * L }), 3);
    expect(host.core.takeOutputs()).toContainEqual({
      type: 'save',
      state: { term: 6, voteFor: C, promisedMs: 5 * L },
    });
  });

  test('6. a wall clock that jumps does not end a promise', () => {
    const { core } = one();
    core.receivedBeat(beat(B, 5), 2 * L);
    core.wallClockGained(100 * L);
    expect(core.receivedVote({ peer: candidate(C, 9) }, 3 * L - 1).granted).toBe(false);
    const starting = one();
    starting.core.wallClockGained(100 * L);
    expect(starting.core.receivedVote({ peer: candidate(C, 9) }, L - 1).granted).toBe(false);
  });
});
