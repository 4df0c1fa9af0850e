import { type BeatReply, Membership, type PeerSnapshot, RaftCore, RaftPeerSet, type Timing } from 'raftbeat';
import { resolveTiming } from '../../../src/core/timing.js';

export const TERM = 7;
/** When a core that is made here is ready to be measured, in ms of its clock; clocks of processes show fractions, too. */
export const READY_AT = 200_000_000.125;

/** `count` members; the first is the one that is measured. */
export function membersOf(count: number): Membership {
  return Membership.of(Array.from({ length: count }, (_, at) => `10.0.0.${at + 1}:7001`));
}

/** Worked out once, as by a process with many cores. */
const TIMING = resolveTiming();

/** A peer as it travels. */
export function snapshot(ip: string, state: PeerSnapshot['state'], term: number = TERM): PeerSnapshot {
  const voteFor = state === 'FOLLOWER' ? null : ip;
  return { ip, voteFor, term, leaderDueMs: 540.5, heartbeatDueMs: 100.25, state };
}

/** The first of `members`, started, with `voteFor` in its store: it may vote at `READY_AT`. */
export function started(members: Membership, voteFor: string | null, timing: Timing = TIMING): RaftCore {
  const peers = new RaftPeerSet({ local: members.ips[0] as string, members });
  const stored = { term: TERM, voteFor, promisedMs: 0 };
  const core = new RaftCore({ peers, random: Math.random, stored, timing });
  core.tick(0);
  return core;
}

/** The first of `members`, which accepted the beat of the second. */
export function follower(members: Membership): RaftCore {
  const core = started(members, null);
  core.receivedBeat({ peer: snapshot(members.ips[1] as string, 'LEADER'), datums: [], sentAt: 1 }, READY_AT);
  carryOut(core);
  return core;
}

/** The first of `members`, which leads, with a lease. */
export function leader(members: Membership, timing: Timing = TIMING): RaftCore {
  const core = started(members, null, timing);
  const others = members.ips.slice(1);
  core.tick(READY_AT);
  const [round] = core.takeOutputs().flatMap((output) => {
    const vote = output.type === 'send' && output.request.type === 'vote' ? output.request : undefined;
    return vote?.round === undefined ? [] : [vote.round];
  });
  if (round === undefined) throw new Error('nobody was asked for a pre-vote');
  for (const ip of others)
    core.receivedVoteReply(ip, { ...snapshot(ip, 'FOLLOWER'), granted: true, round }, READY_AT);
  carryOut(core);
  const { ip: voteFor } = core.peers.self;
  for (const ip of others)
    core.receivedVoteReply(ip, { ...snapshot(ip, 'FOLLOWER', TERM + 1), voteFor, granted: true }, READY_AT);
  for (const ip of others) core.receivedBeatReply(ip, acknowledgement(ip, READY_AT), READY_AT);
  carryOut(core);
  if (!core.isLeader(READY_AT)) throw new Error('it does not lead');
  return core;
}

/** What `ip` answers to the beat that `leader` sent at `sentAt`. */
export function acknowledgement(ip: string, sentAt: number): BeatReply {
  return { ...snapshot(ip, 'FOLLOWER', TERM + 1), requestTerm: TERM + 1, sentAt };
}

/** Carries out what waits: only saves matter here. */
function carryOut(core: RaftCore): void {
  for (const output of core.takeOutputs()) if (output.type === 'save') core.saved(output.state, READY_AT);
}
