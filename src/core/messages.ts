import type { Batch, StoredDatum } from './datum.js';
import type { RaftErrorCode } from './errors.js';
import type { MemberChange } from './members.js';
import type { HostMetrics, RaftMetrics } from './metrics.js';
import type { NacosDatumsReply, NacosDoneReply, NacosRequest } from './nacos-messages.js';
import type { PeerSnapshot } from './peer.js';

/** A message while it is written, field by field: what is spread costs much more, and lives until a full garbage collection. */
export type Draft<Message> = { -readonly [Name in keyof Message]: Message[Name] };

/** How fresh a peer's data is; compared in votes, by term, then by seq (section 4). */
export interface Revision {
  /** Integer from 0 to 2^53 - 1. */
  readonly term: number;
  /** Integer from 0 to 2^53 - 1. */
  readonly seq: number;
}

/** The revision of a peer that holds no data. */
export const NO_REVISION: Revision = { term: 0, seq: 0 };

/** Less than 0 when `a` is older than `b`, 0 when they are as fresh, more than 0 when `a` is newer. */
export function compareRevisions(a: Revision, b: Revision): number {
  return a.term - b.term || a.seq - b.seq;
}

/** A request for a vote, or for a pre-vote (section 3). */
export interface Vote {
  /** The candidate. In a pre-vote its `term` is the term that it would campaign for. */
  readonly peer: PeerSnapshot;
  /** Whether this only asks if a vote would be granted. */
  readonly preVote?: boolean;
  /** The round of a pre-vote; the reply bears it again. */
  readonly round?: number;
  /** Whether the leader itself ordered this election: voters' promises are skipped. */
  readonly transfer?: boolean;
  /** How fresh the candidate's data is; `{ term: 0, seq: 0 }` when absent. */
  readonly revision?: Revision;
  /** The batch that last changed the members, as far as the candidate knows. */
  readonly membersRevision?: Revision;
}

/** A key that the leader holds, and the number of its newest change. */
export interface DatumKey {
  readonly key: string;
  readonly timestamp: number;
}

/** The data that a beat brings along (section 4, message); a beat without batches is the steady one. */
export interface BeatData {
  /** What the batches go on from. */
  readonly prev: Revision;
  /** Without a gap, behind `prev`. */
  readonly batches: readonly Batch[];
  /** Up to where the leader has folded. */
  readonly committed: Revision;
  /** The batch that last changed the members, as far as the leader knows (section 4, members). */
  readonly membersRevision: Revision;
  /** The leader's base, for a follower that its history does not reach (section 4, catching up). */
  readonly catchUp?: Revision;
}

/** How far a follower is (section 4, message). */
export interface BeatDataReply {
  /** Whether `prev` was found. */
  readonly ok: boolean;
  /** Up to where the follower holds what the leader holds, if `ok`. */
  readonly match: Revision;
  /** The follower's base, and its newest batch. */
  readonly base: Revision;
  readonly last: Revision;
}

/** A leader's beat (section 1). */
export interface Beat {
  /** The leader. */
  readonly peer: PeerSnapshot;
  /** The keys that the leader holds. */
  readonly datums: readonly DatumKey[];
  /** The leader's own timeout L in ms; the follower promises for at least as long (section 3, promise). */
  readonly leaderTimeoutMs?: number;
  /** When it was sent, in ms of the leader's clock; the reply bears it again, and the lease counts from it. */
  readonly sentAt?: number;
  /** Absent without a registry, and while the leader sends beats only. */
  readonly data?: BeatData;
}

/** The order of a leader that resigned: campaign now (section 3, transfer). */
export interface Transfer {
  /** The former leader; its `term` is the term in which it led. */
  readonly peer: PeerSnapshot;
}

/** The reply to a vote: the local peer as in the original, and what became of the request. */
export interface VoteReply extends PeerSnapshot {
  readonly granted: boolean;
  /** The round of the pre-vote that this answers. */
  readonly round?: number;
  /** How many ms the promise (or the lease) that refused it still lasts. */
  readonly promiseMs?: number;
}

/** The reply to a beat: the local peer as in the original, and which beat it acknowledges. */
export interface BeatReply extends PeerSnapshot {
  /** The term of the beat. */
  readonly requestTerm: number;
  /** `sentAt` of the beat. */
  readonly sentAt?: number;
  /** The answer to what the beat brought along. */
  readonly data?: BeatDataReply;
  /** Present while this peer learns only (section 4, members): its answer counts for nothing but its own progress. */
  readonly learner?: number;
}

/** Writes that one process forwards to the leader together; the order counts. */
export interface WritesRequest {
  /** Tells the process that sent them apart from all others. */
  readonly process: number;
  /** The term of the leader that they are meant for; no other takes them. */
  readonly term: number;
  readonly writes: readonly ForwardedWrite[];
}

/** One write of them: `value` null removes the key. */
export interface ForwardedWrite {
  /** Tells it apart from all others of its process: from 1 on. */
  readonly number: number;
  readonly key: string;
  /** JSON text. */
  readonly value: string | null;
  /** Write only if the key's timestamp is this one; 0: only if there is no such key. */
  readonly ifTimestamp?: number;
}

/** A change of the members that a process forwards to the leader. */
export interface MemberRequest
  extends Pick<WritesRequest, 'process' | 'term'>,
    Pick<ForwardedWrite, 'number'> {
  readonly change: MemberChange;
}

/** The reply to a write that is committed. */
export interface WriteReply {
  /** Of what was published, or of what was removed; null when there was nothing to remove. */
  readonly timestamp: number | null;
  /** The batch that the write is in. */
  readonly revision: Revision;
}

/** The reply to forwarded writes: what became of each, in their order. */
export interface WritesReply {
  readonly outcomes: readonly (WriteReply | ErrorReply)[];
}

/** The reply to a linearizable read. */
export interface ReadReply {
  readonly datum: StoredDatum | null;
}

/** A follower asks its leader to keep this request open: its end is the signal that one of the two is gone (D17). */
export interface HoldRequest {
  /** The follower. */
  readonly ip: string;
  /** False: to be answered at once, by one that would hold it. */
  readonly wait: boolean;
}

/** The reply to a request that is not held, or not held any longer. */
export interface HoldReply {
  readonly held: true;
}

/** A group, and the term in which the sender of its name leads it. */
export interface LedGroup {
  readonly group: string;
  readonly term: number;
}

/**
 * One beat for each of the groups that a host leads. Their list has a version; what changed since an earlier one travels,
 * and the rest is as it was.
 */
export interface Beats {
  /** The leader of them all. */
  readonly ip: string;
  /** Tells the process that sent it apart from others of its ip: each has a list of its own. */
  readonly process: number;
  /** L of the sender, in ms. */
  readonly leaderTimeoutMs: number;
  /** When it was sent, in ms of the sender's clock; the reply bears it again. */
  readonly sentAt: number;
  /** The version that the changes go on from; 0: the list is new, and whole. */
  readonly since: number;
  readonly version: number;
  /** What is led now, and was not at `since`, or in another term. */
  readonly led: readonly LedGroup[];
  /** What is led no longer. */
  readonly unled: readonly string[];
}

/** A group for which a beat was refused, and why. */
export interface RefusedBeat {
  readonly group: string;
  readonly code: RaftErrorCode;
  readonly term?: number;
}

/** The reply to the beats of a host: they were accepted for all groups of its list but those that are named. */
export interface BeatsReply {
  /** Tells the process that answers apart from others of its ip. */
  readonly process: number;
  readonly sentAt: number;
  /** The version of the list that the receiver holds now; if it is not that of the beats, nothing was accepted. */
  readonly version: number;
  readonly refused: readonly RefusedBeat[];
}

/** What the peers of one group ask of each other, besides beats. */
export type GroupRequest = Extract<RaftRequest, { readonly type: 'vote' | 'transfer' | 'peer' }>;

/** Requests of many groups on their way between the same two hosts. */
export interface GroupRequests {
  readonly requests: readonly { readonly group: string; readonly request: GroupRequest }[];
}

/** What became of each of them, in their order. */
export interface GroupReplies {
  readonly replies: readonly (VoteReply | PeerSnapshot | PeerReply | ErrorReply)[];
}

/** The reply of a host to `state`. */
export interface HostStateReply {
  readonly ip: string;
  /** How many groups it takes part in, and how many of them it leads. */
  readonly groups: number;
  readonly leads: number;
}

/** A key of the list that a peer catches up by, and the batch that set it. */
export interface ListedKey {
  readonly key: string;
  readonly revision: Revision;
}

/** One page of the keys of the base that the leader keeps for those who catch up. */
export interface KeysReply {
  /** The revision of that base. */
  readonly at: Revision;
  readonly stampFloor: number;
  readonly keys: readonly ListedKey[];
  /** How many keys there are in all. */
  readonly total: number;
}

/** Datums of that base; fewer than were asked for when they were too many for one reply. */
export interface DatumsReply {
  readonly at: Revision;
  readonly datums: readonly StoredDatum[];
}

/** The reply to a peer fetch: the local peer as in the original. */
export interface PeerReply extends PeerSnapshot {
  /** The id of the request, where it had one. */
  readonly id?: number;
  /**
   * Whether this peer's store was empty and it has not recovered yet (section 3, empty store); also true for one that
   * began a new cluster together with the asking process, until the first election.
   */
  readonly empty?: boolean;
  /** The id with which this peer itself asks, while it has not recovered. */
  readonly rejoinId?: number;
  /** Whether this peer began a new cluster together with the asking process, however long ago. */
  readonly founder?: boolean;
  /** Present while this peer learns only (section 4, members). */
  readonly learner?: number;
  /** The longest time in ms for which this peer ever promised, or asks others to promise (its L). */
  readonly promisedMs?: number;
}

/** The reply to `leader`: who leads, as far as this peer knows. */
export interface LeaderReply {
  readonly leader: PeerSnapshot | null;
}

/** The reply to `state`: what a person or a health check asks a peer for. */
export interface StateReply {
  readonly ip: string;
  readonly state: PeerSnapshot['state'];
  readonly term: number;
  /** The ip of the leader, or null. */
  readonly leader: string | null;
  /** What `isLeader()` answered when this reply was made. */
  readonly isLeader: boolean;
  /** How many ms of its lease were left then; absent without a lease, and for a cluster of one, whose lease has no end. */
  readonly leaseMs?: number;
  /** The newest batch of data that it holds; absent without a registry. */
  readonly revision?: Revision;
  /** Whether the peer takes part, or still recovers from an empty store. */
  readonly rejoining: boolean;
  /** All members, as this peer last heard of them. */
  readonly peers: readonly PeerSnapshot[];
}

/** Asks a leader to hand over: what an operator orders, and no peer. */
export interface ResignRequest {
  /** The peer that is to lead; the leader chooses when absent. */
  readonly to?: string;
}

/** The reply to `resign`. */
export interface ResignReply {
  /** The ip of the peer that took the order to take over. */
  readonly successor: string;
}

/** A refusal. */
export interface ErrorReply {
  readonly code: RaftErrorCode;
  readonly message: string;
  readonly term?: number;
}

/** Everything that peers, and their operators, ask of a peer. */
export type RaftRequest =
  | ({ readonly type: 'vote' } & Vote)
  | ({ readonly type: 'beat' } & Beat)
  | ({ readonly type: 'transfer' } & Transfer)
  | { readonly type: 'peer'; readonly id?: number }
  | ({ readonly type: 'writes' } & WritesRequest)
  | { readonly type: 'read'; readonly key: string }
  | ({ readonly type: 'member' } & MemberRequest)
  | ({ readonly type: 'hold' } & HoldRequest)
  | ({ readonly type: 'beats' } & Beats)
  | ({ readonly type: 'groups' } & GroupRequests)
  | { readonly type: 'keys'; readonly at?: Revision; readonly from: number }
  | { readonly type: 'datums'; readonly at: Revision; readonly keys: readonly ListedKey[] }
  | { readonly type: 'leader' }
  | { readonly type: 'state' }
  | ({ readonly type: 'resign' } & ResignRequest)
  | { readonly type: 'metrics' }
  | NacosRequest;

/** Everything that a peer answers. */
export type RaftReply =
  | VoteReply
  | BeatReply
  | PeerSnapshot
  | PeerReply
  | WriteReply
  | WritesReply
  | ReadReply
  | HoldReply
  | BeatsReply
  | GroupReplies
  | HostStateReply
  | KeysReply
  | DatumsReply
  | LeaderReply
  | StateReply
  | ResignReply
  | RaftMetrics
  | HostMetrics
  | NacosDatumsReply
  | NacosDoneReply
  | ErrorReply;
