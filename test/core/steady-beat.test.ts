import { expect, test } from 'vitest';
import { A, B, C, L, peer } from './cluster.js';
import { ack, beat, leaderOf, one, refusal, winner } from './support.js';

/** One of three that follows B in term 5, and has carried out what came of that. */
function following() {
  const host = one();
  host.core.receivedBeat(beat(B, 5), 2 * L);
  for (const output of host.core.takeOutputs())
    if (output.type === 'save') host.core.saved(output.state, 2 * L);
  return host;
}

test('a beat of the leader that is followed renews the promise and the dues, and asks for nothing', () => {
  const { core } = following();
  const reply = core.receivedBeat(beat(B, 5, { sentAt: 7, leaderTimeoutMs: L }), 2.5 * L);
  expect(reply).toMatchObject({ ip: A, state: 'FOLLOWER', term: 5, voteFor: B, requestTerm: 5, sentAt: 7 });
  expect(reply.leaderDueMs).toBe(core.getPeer(2.5 * L).leaderDueMs);
  expect(core.nextDeadline()).toBe(3.5 * L);
  expect(core.takeOutputs()).toEqual([]);
});

test('a beat that comes late by a clock that went back renews nothing', () => {
  const { core } = following();
  core.receivedBeat(beat(B, 5), 2 * L - 100);
  expect(core.nextDeadline()).toBe(3 * L);
  expect(() => core.receivedBeat(beat(B, 5), Number.NaN)).toThrow('now is a number of ms');
});

test('what the leader says of itself is stored with each of its beats', () => {
  const { core } = following();
  core.receivedBeat({ ...beat(B, 5), peer: { ...leaderOf(B, 5), leaderDueMs: 321 } }, 2.5 * L);
  expect(core.peers.get(B)?.leaderDueMs).toBe(321);
});

test('a beat that asks for a longer promise than ever has that saved', () => {
  const { core } = following();
  core.receivedBeat(beat(B, 5, { leaderTimeoutMs: 3 * L }), 2.5 * L);
  expect(core.takeOutputs()).toMatchObject([{ type: 'save', state: { promisedMs: 3 * L } }]);
});

test('a beat of the leader that is followed finds out who else is marked so', () => {
  const { core } = following();
  core.peers.update(leaderOf(C, 5));
  core.receivedBeat(beat(B, 5), 2.5 * L);
  expect(core.takeOutputs()).toEqual([{ type: 'fetchPeer', from: C }]);
});

test('the leader that is followed may not beat as a FOLLOWER, in a former term, nor another in its own', () => {
  const { core } = following();
  const refused = (claim: ReturnType<typeof leaderOf>) =>
    refusal(() => core.receivedBeat({ peer: claim, datums: [] }, 2.5 * L)).code;
  expect(refused(peer(B, { state: 'FOLLOWER', term: 5 }) as ReturnType<typeof leaderOf>)).toBe(
    'INVALID_STATE',
  );
  expect(refused(leaderOf(B, 4))).toBe('OUT_OF_DATE');
  expect(refused(leaderOf(C, 5))).toBe('CONFLICTING_LEADER');
  expect(core.nextDeadline()).toBe(3 * L);
});

test('a beat of the followed leader in a later term is a new leadership', () => {
  const { core } = following();
  core.receivedBeat(beat(B, 6), 2.5 * L);
  expect(core.takeOutputs()).toMatchObject([{ type: 'save', state: { term: 6, voteFor: B } }]);
  expect(core.peers.leader).toMatchObject({ ip: B, term: 6 });
});

test('one that leads does not take a beat of its own ip for one of the leader that it follows', () => {
  const { core } = winner(2 * L);
  core.receivedBeatReply(B, ack(2 * L), 2 * L + 1);
  const error = refusal(() => core.receivedBeat(beat(A, 6), 2 * L + 2));
  expect(error.code).toBe('DUPLICATE_PEER');
});
