import { RaftError } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { MAX_MS } from '../../src/core/timing.js';
import { A, B, C, H, Host, IN_USE, L, LEASE, peer, TIMING } from './cluster.js';
import { ack, beat, candidate, one, refusal, requests, winner } from './support.js';

describe('the frame of each input', () => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY])('a clock that shows %s is a bug', (now) => {
    expect(refusal(() => one().core.tick(now)).code).toBe('INTERNAL');
  });

  test('a wall clock gains at least nothing', () => {
    const host = winner(2 * L);
    host.core.receivedBeatReply(B, ack(2 * L), 2 * L);
    expect(refusal(() => host.core.wallClockGained(-1)).code).toBe('INTERNAL');
    host.core.wallClockGained(0);
    expect(host.core.isLeader(2 * L + LEASE - 0.01)).toBe(true);
  });

  test('a clock that goes backwards stands still', () => {
    const { core } = one();
    core.tick(L / 2);
    expect(core.getPeer(0).leaderDueMs).toBe(core.getPeer(L / 2).leaderDueMs);
    expect(core.getPeer(L / 2 + 1).leaderDueMs).toBe(core.getPeer(L / 2).leaderDueMs - 1);
    core.receivedBeat(beat(B, 5), 0);
    expect(core.receivedVote({ peer: candidate(C, 9) }, 1.5 * L - 1).granted).toBe(false);
    expect(core.receivedVote({ peer: candidate(C, 9) }, 1.5 * L).granted).toBe(true);
  });

  test('a due that is over shows as 0, and one that is far away as the most that travels', () => {
    const late = one();
    expect(late.core.getPeer(100 * L)).toMatchObject({ leaderDueMs: 0, heartbeatDueMs: 0 });
    const far = one({ timing: { ...TIMING, leaderTimeoutMs: MAX_MS } });
    expect(far.core.receivedBeat(beat(B, 5), 2 * MAX_MS)).toMatchObject({ leaderDueMs: MAX_MS });
  });

  test('a due shows in whole ms, the nearest', () => {
    const { core } = one();
    const due = core.getPeer(0).leaderDueMs;
    expect(Number.isInteger(due)).toBe(true);
    expect(core.getPeer(0.75).leaderDueMs).toBe(due - 1);
    expect(core.getPeer(1.25).leaderDueMs).toBe(due - 1);
  });

  test('rounds, and the ids of peers that recover, are whole numbers', () => {
    const random = () => 0.123456789;
    const asking = one({ random });
    asking.core.tick(2 * L);
    const [request] = requests(asking);
    expect(request).toMatchObject({ type: 'vote', preVote: true, round: Math.floor(random() * 2 ** 31) + 1 });
    const empty = new Host(A, [A, B, C], null, { random });
    expect(empty.core.getPeer(0).rejoinId).toBe(Math.floor(random() * 2 ** 48));
  });

  test('a peer tells the longest time for which it promises, or asks others to', () => {
    expect(one().core.getPeer(1).promisedMs).toBe(L);
    expect(one({}, { ...IN_USE, promisedMs: 4 * L }).core.getPeer(1).promisedMs).toBe(4 * L);
    expect(one({}, { ...IN_USE, promisedMs: L / 4 }).core.getPeer(1).promisedMs).toBe(L);
  });

  test('a peer tells of an id only where it was asked with one, and of its own only while it recovers', () => {
    const settled = one().core.getPeer(1);
    expect(settled).not.toHaveProperty('id');
    expect(settled).not.toHaveProperty('rejoinId');
    expect(one().core.getPeer(1, 7)).toMatchObject({ id: 7, empty: false });
  });

  test('what is being saved already is not saved again', () => {
    const host = one();
    host.core.receivedBeat(beat(B, 5), L);
    expect(host.core.takeOutputs()).toMatchObject([{ type: 'save' }]);
    for (const input of [
      () => host.core.receivedBeat(beat(B, 5), L + H),
      () => host.core.receivedVote({ peer: candidate(B, 4) }, L + H),
      () => host.core.receivedPeer(B, peer(B, { term: 5 }), L + H),
      () => host.core.tick(L + H),
    ]) {
      input();
      expect(host.core.takeOutputs()).toEqual([]);
    }
  });
});

describe('what a core tells', () => {
  test('a request that failed is reported only if two lead one term', () => {
    const { core } = one();
    core.tick(0);
    const reported: string[] = [];
    core.peers.on('error', ({ code }) => reported.push(code));
    for (const code of ['TIMEOUT', 'OUT_OF_DATE', 'CONFLICTING_LEADER'] as const)
      core.requestFailed(B, { type: 'beat', ...beat(A, 5) }, new RaftError(code, 'refused'), 1);
    expect(reported).toEqual(['CONFLICTING_LEADER']);
  });

  test('a resignation that nobody can take says who is wanted', () => {
    const host = winner(2 * L);
    expect(refusal(() => host.core.resign(2 * L, 'x:1')).message).toBe(
      'no other voter of priority above 0 is x:1',
    );
    const alone = one({}, IN_USE, [A]);
    for (const at of [0, 1]) {
      alone.core.tick(at);
      for (const output of alone.core.takeOutputs())
        if (output.type === 'save') alone.core.saved(output.state, at);
    }
    expect(refusal(() => alone.core.resign(2)).message).toBe('no other voter of priority above 0 exists');
  });

  test('one that does not learn has no word of it in its replies', () => {
    expect('learner' in one().core.getPeer(0, 7)).toBe(false);
  });

  test('the beats of one that keeps no data bring none along, whatever it is told', () => {
    const { core } = one();
    core.sendBeatOnly = false;
    expect(core.sendBeatOnly).toBe(true);
  });

  test('a registry under the rules of Nacos is an option that cannot be', () => {
    const registry = {
      maxKeyLength: 1,
      maxValueLength: 1,
      maxTailSize: 1,
      maxHistorySize: 1,
      maxMessageSize: 1,
    };
    expect(refusal(() => one({ rules: 'nacos', registry })).code).toBe('BAD_OPTION');
  });
});
