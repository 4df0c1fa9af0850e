import { RaftCore, RaftPeerSet, type StoredState } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { encodeMembers, MEMBERS_KEY, type StoredMember } from '../../../src/core/members.js';
import { refusal } from '../cases/support.js';
import { A, B, C, L, peer, TIMING } from '../cluster.js';
import { beat, candidate, leaderOf } from '../support.js';
import { LIMITS, put, rev } from './support.js';

const voter = (ip: string): StoredMember => ({ ip, priority: 1, observer: false });

/** The peer a:1 of a cluster with data, as it starts with what its store holds: nothing, unless said otherwise. */
function start(stored: StoredState | null = null, hasRegistry = true): RaftCore {
  const core = new RaftCore({
    peers: new RaftPeerSet({ local: A, members: [A, B, C] }),
    random: () => 0.25,
    timing: TIMING,
    stored,
    ...(hasRegistry ? { registry: LIMITS } : {}),
  });
  core.tick(0);
  core.takeOutputs();
  return core;
}

const ID = 2 ** 46;

const data = (members?: readonly StoredMember[]) => ({
  prev: rev('0/0'),
  batches:
    members === undefined
      ? []
      : [
          {
            revision: rev('7/1'),
            ops: [{ ...put('', 0, 1), key: MEMBERS_KEY, value: encodeMembers(members) }],
          },
        ],
  committed: rev('0/0'),
  membersRevision: rev('0/0'),
});

/** It has heard from b:1 that there is data, and only learns from now on. */
function learner(): RaftCore {
  const core = start();
  core.receivedPeer(B, { ...peer(B, { term: 7 }), id: ID, empty: false }, 10);
  return core;
}

const saved = (core: RaftCore): readonly StoredState[] =>
  core.takeOutputs().flatMap((output) => (output.type === 'save' ? [output.state] : []));

describe('a peer whose store is empty, in a cluster that holds data', () => {
  test('asks a leader that beats for its view, for it may know no other that runs', () => {
    const core = start();
    expect(refusal(() => core.receivedBeat(beat(C, 7, { data: data() }), 5)).code).toBe('REJOINING');
    expect(core.takeOutputs()).toEqual([{ type: 'fetchPeer', from: C, id: ID }]);
    expect(refusal(() => core.receivedBeat(beat(C, 7), 6)).code).toBe('REJOINING');
    expect(core.takeOutputs()).toEqual([]);
  });

  test('without a registry asks nobody before its start wait is over', () => {
    const core = start(null, false);
    expect(refusal(() => core.receivedBeat(beat(C, 7, { data: data() }), 5)).code).toBe('REJOINING');
    expect(core.takeOutputs()).toEqual([]);
  });

  test('only learns as soon as one tells of a store that holds something', () => {
    const core = learner();
    expect([core.rejoining, core.isLearner]).toEqual([false, true]);
    expect(saved(core)).toEqual([{ term: 7, voteFor: A, promisedMs: 0, learner: ID }]);
  });

  test('goes on as before if another that is as empty answers', () => {
    const core = start();
    core.receivedPeer(B, { ...peer(B), id: ID, empty: true }, 10);
    expect([core.rejoining, core.isLearner]).toEqual([true, false]);
  });

  test('does not take one that began the new cluster with it for a witness of data', () => {
    const core = start();
    core.receivedPeer(B, { ...peer(B), id: ID, empty: false, founder: true }, 10);
    expect([core.rejoining, core.isLearner]).toEqual([true, false]);
  });

  test('adopts no term meanwhile, from whatever reply', () => {
    const core = start();
    core.receivedVoteReply(B, { ...peer(B, { term: 9 }), granted: false }, 10);
    core.receivedBeatReply(B, { ...peer(B, { term: 9 }), requestTerm: 1 }, 10);
    expect([core.peers.self.term, core.rejoining]).toEqual([0, true]);
  });

  test('only learns if it joins, for it knows nobody who votes', () => {
    const joining = new RaftCore({
      peers: new RaftPeerSet({ local: A, members: [{ ip: A, observer: true }] }),
      random: () => 0.25,
      timing: TIMING,
      stored: null,
      registry: LIMITS,
    });
    joining.tick(0);
    joining.tick(2 * L);
    expect([joining.rejoining, joining.isLearner]).toEqual([false, true]);
  });

  test('that only learns takes no forward for new: an earlier process may have had it', () => {
    const core = learner();
    core.write([{ id: 3, key: 'k', value: '1', forward: { process: 1, number: 1, term: 7 } }], 20);
    const answers = core.takeOutputs().flatMap((output) => (output.type === 'answer' ? [output] : []));
    expect(answers).toMatchObject([{ id: 3, result: { code: 'OUTCOME_UNKNOWN' } }]);
  });

  test('votes when all others were empty as well, for then the cluster is new', () => {
    const core = start();
    for (const ip of [B, C]) core.receivedPeer(ip, { ...peer(ip), id: ID, empty: true, rejoinId: 5 }, L);
    expect([core.rejoining, core.isLearner]).toEqual([false, false]);
    expect(saved(core)).toEqual([{ term: 0, voteFor: A, promisedMs: 0 }]);
  });

  test('tells those that began with it that they are founders, until there is a term', () => {
    const core = start();
    for (const [ip, rejoinId] of [
      [B, 5],
      [C, 6],
    ] as const)
      core.receivedPeer(ip, { ...peer(ip), id: ID, empty: true, rejoinId }, L);
    expect(core.getPeer(L, 5)).toMatchObject({ id: 5, empty: true, founder: true });
    expect(core.getPeer(L, 9)).toMatchObject({ id: 9, empty: false });
    expect(core.getPeer(L, 9)).not.toHaveProperty('founder');
    core.receivedBeat(beat(B, 1), L);
    expect(core.getPeer(L, 5)).toMatchObject({ empty: false, founder: true });
  });
});

describe('a learner', () => {
  test('tells so when it is asked, and when it answers for data', () => {
    const core = learner();
    expect(core.getPeer(10)).toMatchObject({ learner: ID });
    expect(core.receivedBeat(beat(B, 7, { data: data() }), 20)).toMatchObject({
      learner: ID,
      data: { ok: true },
    });
  });

  test('neither votes nor campaigns', () => {
    const core = learner();
    const vote = { peer: candidate(B, 9), revision: rev('9/9') };
    expect(core.receivedVote({ ...vote, preVote: true, round: 1 }, 3 * L).granted).toBe(false);
    expect(core.receivedVote(vote, 3 * L).granted).toBe(false);
    expect(core.receivedVote({ ...vote, membersRevision: rev('9/9') }, 3 * L).granted).toBe(false);
    core.takeOutputs();
    for (let at = 3 * L; at < 20 * L; at += L / 2) core.tick(at);
    expect(core.takeOutputs()).toEqual([]);
    expect(refusal(() => core.receivedTransfer({ peer: leaderOf(B, 7) }, 20 * L)).code).toBe(
      'REFUSED_TRANSFER',
    );
  });

  test('that is left out by a change that is not committed does not campaign, though it voted before', () => {
    const core = learner();
    const list = (seq: number, members: readonly StoredMember[]) => ({
      revision: rev(`7/${seq}`),
      ops: [{ ...put('', 0, seq), key: MEMBERS_KEY, value: encodeMembers(members) }],
    });
    const batches = [list(1, [voter(A), voter(B), voter(C)]), list(2, [voter(B), voter(C)])];
    core.receivedBeat(beat(B, 7, { data: { ...data(), batches } }), 20);
    core.takeOutputs();
    core.tick(3 * L);
    core.tick(6 * L);
    expect(core.takeOutputs()).toEqual([]);
  });

  test('is one after a restart, too', () => {
    const core = start({ term: 7, voteFor: A, promisedMs: 0, learner: ID });
    expect([core.rejoining, core.isLearner]).toEqual([false, true]);
  });

  test('votes again once it was removed, and added as the process that it is', () => {
    const core = learner();
    core.takeOutputs();
    const added = [voter(B), voter(C), { ...voter(A), learner: ID }];
    core.receivedBeat(beat(B, 7, { data: data(added) }), 20);
    expect(core.isLearner).toBe(false);
    const last = saved(core).at(-1);
    expect([last?.term, 'learner' in (last ?? {})]).toEqual([7, false]);
  });

  test.each([undefined, 3])('stays one if the list means another process: %s', (drawn) => {
    const core = learner();
    const added = [voter(B), voter(C), { ...voter(A), ...(drawn === undefined ? {} : { learner: drawn }) }];
    core.receivedBeat(beat(B, 7, { data: data(added) }), 20);
    expect(core.isLearner).toBe(true);
  });
});
