import type { Beat, BeatReply, Membership } from 'raftbeat';
import type { Draft } from '../../../src/core/messages.js';
import { resolveTiming } from '../../../src/core/timing.js';
import { decodeBeat, decodeBeatReply } from '../../../src/node/decode.js';
import { acknowledgement, follower, leader, membersOf, READY_AT, snapshot, started } from './cores.js';
import type { Case } from './rounds.js';

/** How far the clock goes on between two calls, in ms. */
const STEP_MS = 0.125;
const HEARTBEAT_MS = 100.125;

/** The inputs of a steady cluster of `count` members. */
export function inputs(count: number): readonly [beat: Case, vote: Case, ...Case[]] {
  const members = membersOf(count);
  return [beats(members), votes(members), acknowledgements(members), beatTicks(members), idleTicks(members)];
}

/** What does not depend on the members. */
export function others(): readonly Case[] {
  const beat = JSON.parse(JSON.stringify(beatOf(membersOf(3))));
  const text = JSON.stringify(beat);
  const reply = JSON.parse(JSON.stringify(acknowledgement(membersOf(3).ips[1] as string, READY_AT)));
  return [
    leads(),
    { name: 'decode of a beat', run: repeat(() => decodeBeat(beat)) },
    { name: 'decode of a beat from its JSON', run: repeat(() => decodeBeat(JSON.parse(text))) },
    { name: "decode of a beat's reply", run: repeat(() => decodeBeatReply(reply)) },
  ];
}

function beatOf(members: Membership): Beat {
  const peer = snapshot(members.ips[1] as string, 'LEADER');
  return { peer, datums: [], leaderTimeoutMs: 500, sentAt: READY_AT };
}

function beats(members: Membership): Case {
  const core = follower(members);
  const beat = beatOf(members);
  let now = READY_AT;
  const run = (times: number): void => {
    for (let i = 0; i < times; i++) {
      now += STEP_MS;
      core.receivedBeat(beat, now);
    }
  };
  return { name: 'receivedBeat', run };
}

/** The candidate asks again, and is granted again. */
function votes(members: Membership): Case {
  const candidate = members.ips[1] as string;
  const core = started(members, candidate);
  const vote = { peer: snapshot(candidate, 'CANDIDATE'), revision: { term: 0, seq: 0 } };
  let now = READY_AT;
  if (!core.receivedVote(vote, now).granted) throw new Error('the vote is not granted');
  const run = (times: number): void => {
    for (let i = 0; i < times; i++) {
      now += STEP_MS;
      core.receivedVote(vote, now);
    }
  };
  return { name: 'receivedVote', run };
}

/** The followers acknowledge in turn, each a newer beat. */
function acknowledgements(members: Membership): Case {
  const core = leader(members);
  const replies = members.ips.slice(1).map((ip): Draft<BeatReply> => acknowledgement(ip, READY_AT));
  let now = READY_AT;
  let turn = 0;
  const run = (times: number): void => {
    for (let i = 0; i < times; i++) {
      const reply = replies[turn] as Draft<BeatReply>;
      turn = turn + 1 === replies.length ? 0 : turn + 1;
      now += STEP_MS;
      reply.sentAt = now;
      core.receivedBeatReply(reply.ip, reply, now);
    }
  };
  return { name: 'receivedBeatReply', run };
}

/** Each tick comes when a beat is due; the lease outlasts a round. */
function beatTicks(members: Membership): Case {
  const timing = resolveTiming({
    heartbeatMs: HEARTBEAT_MS,
    leaderTimeoutMs: READY_AT / 2,
    requestTimeoutMs: 50,
  });
  const core = leader(members, timing);
  let now = READY_AT;
  const prepare = (): void => {
    for (const ip of members.ips.slice(1)) core.receivedBeatReply(ip, acknowledgement(ip, now), now);
  };
  const run = (times: number): void => {
    for (let i = 0; i < times; i++) {
      now += HEARTBEAT_MS;
      core.tick(now);
      core.takeOutputs();
    }
    if (!core.isLeader(now)) throw new Error('it does not lead any more');
  };
  return { name: 'tick of a leader, a beat', prepare, run };
}

function idleTicks(members: Membership): Case {
  const core = follower(members);
  const run = (times: number): void => {
    for (let i = 0; i < times; i++) core.tick(READY_AT);
  };
  return { name: 'tick of a follower, nothing due', run };
}

function leads(): Case {
  const core = leader(membersOf(3));
  const run = (times: number): void => {
    let count = 0;
    for (let i = 0; i < times; i++) if (core.isLeader(READY_AT + (i & 1))) count++;
    if (count < times) throw new Error('it does not lead any more');
  };
  return { name: 'isLeader', run };
}

function repeat(call: () => unknown): (times: number) => void {
  return (times) => {
    for (let i = 0; i < times; i++) call();
  };
}
