import { RaftCore, RaftPeerSet } from 'raftbeat';
import { expect, test } from 'vitest';
import { encodeMembers, MEMBERS_KEY } from '../../src/core/members.js';
import type { BeatData, BeatReply, Revision } from '../../src/core/messages.js';
import { REGISTRY_LIMITS } from '../../src/core/registry.js';

const WITHOUT_C = { term: 1, seq: 1 };
const MIDWAY = { term: 1, seq: 2 };
const WITH_C = { term: 1, seq: 3 };

const members = (...ips: string[]): string =>
  encodeMembers(ips.map((ip) => ({ ip, priority: 1, observer: ip === 'c' })));

/** The peer c, which has read the history up to a list of members that it is not on. */
function onItsWay(): RaftCore {
  const value = members('a', 'b');
  const base = {
    revision: WITHOUT_C,
    stampFloor: 0,
    datums: new Map([[MEMBERS_KEY, { key: MEMBERS_KEY, value, timestamp: 1, revision: WITHOUT_C }]]),
  };
  return new RaftCore({
    peers: new RaftPeerSet({ local: 'c', members: [{ ip: 'c', observer: true }] }),
    random: () => 0.5,
    stored: { term: 1, voteFor: 'a', promisedMs: 500 },
    registry: REGISTRY_LIMITS,
    data: { base, tail: [] },
  });
}

function beatOf(core: RaftCore, membersRevision: Revision, data: Partial<BeatData> = {}): BeatReply {
  const peer = {
    ip: 'a',
    state: 'LEADER',
    term: 1,
    voteFor: 'a',
    leaderDueMs: 500,
    heartbeatDueMs: 100,
  } as const;
  const steady = { prev: WITHOUT_C, batches: [], committed: WITHOUT_C, membersRevision };
  return core.receivedBeat({ peer, datums: [], data: { ...steady, ...data } }, 1_000);
}

test('a peer that is on no list that it has read follows a leader that knows of a newer one', () => {
  const core = onItsWay();
  const batch = { revision: MIDWAY, ops: [{ key: 'k', value: '1', timestamp: 1 }] };
  expect(beatOf(core, WITH_C, { batches: [batch] }).data).toMatchObject({ ok: true, match: MIDWAY });

  const op = { key: MEMBERS_KEY, value: members('a', 'b', 'c'), timestamp: 2 };
  const rest = { prev: MIDWAY, batches: [{ revision: WITH_C, ops: [op] }] };
  expect(beatOf(core, WITH_C, rest).data).toMatchObject({ ok: true, match: WITH_C });
  expect(core.peers.allPeers().map(({ ip }) => ip)).toEqual(['a', 'b', 'c']);
});

test('a peer that is not on the newest list that it has read follows nobody who knows of no newer one', () => {
  expect(() => beatOf(onItsWay(), WITHOUT_C)).toThrow(expect.objectContaining({ code: 'UNKNOWN_PEER' }));
});
