import type { Batch, StoredDatum } from '../../../src/core/datum.js';
import type { ListedKey, Revision, WriteReply } from '../../../src/core/messages.js';

/** A base, its datums in the order of their keys. */
export interface KeptBase {
  readonly revision: Revision;
  readonly stampFloor: number;
  readonly datums: readonly StoredDatum[];
}

/** A write that waits: what it will be told, a reply or the code of an error. */
export interface KeptWaiting {
  readonly seq: number;
  readonly id: number;
  readonly result: WriteReply | string;
  readonly isBatched: boolean;
}

/** The snapshot that a leader keeps for those who catch up. */
export interface KeptSnapshot {
  readonly revision: Revision;
  readonly stampFloor: number;
  readonly total: number;
  readonly former: readonly (readonly [string, StoredDatum | null])[];
  readonly listed: readonly StoredDatum[];
}

/** What only a leader knows. */
export interface KeptLeadership {
  readonly ownSince: number;
  readonly savedSeq: number;
  /** How far each peer is; null: nothing is known. */
  readonly progress: readonly ({ readonly match: number; readonly from: number } | null)[];
  readonly waiting: readonly KeptWaiting[];
  readonly pinned: KeptSnapshot | null;
}

/** A catch-up that is under way. */
export interface KeptCatchUp {
  readonly term: number;
  readonly leader: number;
  readonly fetched: readonly StoredDatum[];
  readonly at: Revision | null;
  readonly stampFloor: number;
  /** -1: not known. */
  readonly total: number;
  readonly listed: number;
  readonly isListing: boolean;
  readonly staged: readonly StoredDatum[];
  readonly missing: readonly ListedKey[];
  readonly open: readonly (readonly ListedKey[])[];
}

/**
 * All of one peer with data that can matter: its core and its store. Term and vote are in the store as they are in the
 * core, for no state lies within an input. Peers are numbers.
 *
 * There is no time: whoever does not lead may campaign at any moment, whoever leads may lose its lease, and no promise
 * holds, so that more can happen than in truth. Leases are never gained, so nobody reads by one. Members do not change.
 * Left out because safety does not rest on it: views of other peers, events, when batches that were sent are given up for
 * lost (they may be sent again, or not, at each beat), forwards, and what was told while leaders send beats alone.
 */
export interface Keeper {
  readonly owner: number;
  readonly state: 'FOLLOWER' | 'CANDIDATE' | 'LEADER';
  readonly term: number;
  /** -1: nobody. */
  readonly voteFor: number;
  /** Who granted the vote to this candidate. */
  readonly votes: readonly number[];
  /** What the store holds. */
  readonly stored: { readonly base: KeptBase; readonly tail: readonly Batch[] };
  readonly base: KeptBase;
  /** History, then tail. */
  readonly since: Revision;
  readonly batches: readonly Batch[];
  readonly leads: KeptLeadership | null;
  readonly catchUp: KeptCatchUp | null;
  readonly reusable: readonly StoredDatum[];
}

/** The same peer in a cluster whose peers are renamed. */
export function renamedKeeper(keeper: Keeper, to: readonly number[]): Keeper {
  const peer = (at: number): number => to[at] ?? at;
  const { leads, catchUp } = keeper;
  return {
    ...keeper,
    owner: peer(keeper.owner),
    voteFor: peer(keeper.voteFor),
    votes: keeper.votes.map(peer).sort(),
    leads:
      leads === null
        ? null
        : { ...leads, progress: to.map((_, at) => leads.progress[to.indexOf(at)] ?? null) },
    catchUp: catchUp === null ? null : { ...catchUp, leader: peer(catchUp.leader) },
  };
}

/** All of it that names no peer: the same for peers that differ in name alone. */
export function colourOf(keeper: Keeper): string {
  const { owner, voteFor, votes, leads, catchUp } = keeper;
  const progress = leads?.progress.map((of) => JSON.stringify(of)).sort();
  return JSON.stringify({
    ...keeper,
    owner: null,
    voteFor: voteFor === owner ? 'own' : voteFor < 0,
    votes: votes.length,
    leads: leads === null ? null : { ...leads, progress },
    catchUp: catchUp === null ? null : { ...catchUp, leader: null },
  });
}
