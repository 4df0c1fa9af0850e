import type { CatchUp } from '../../../src/core/catch-up.js';
import type { RaftCore } from '../../../src/core/core.js';
import type { Batch, StoredDatum } from '../../../src/core/datum.js';
import type { Datums } from '../../../src/core/datums.js';
import type { Lease } from '../../../src/core/lease.js';
import type { ListedKey, Revision, WriteReply } from '../../../src/core/messages.js';
import type { StoredState } from '../../../src/core/outputs.js';
import type { PeerSnapshot, PeerState, RaftPeer } from '../../../src/core/peer.js';
import { REGISTRY_LIMITS } from '../../../src/core/registry.js';
import type { Snapshot } from '../../../src/core/snapshot.js';
import type { Kernel } from '../build.js';
import type { RegistryBounds } from './bounds.js';
import type { Keeper, KeptBase, KeptCatchUp, KeptLeadership, KeptSnapshot } from './keeper.js';

/** The clock of each core: it stands still. */
export const NOW = 1_000_000;
/** The number of the round of pre-votes that a core made of a keeper may open. */
export const ROUND = 1;

/** The fields of the core's classes that keep data, as they were when this was written: each is in `Keeper`, or left out. */
export const FIELDS = {
  Registry: [
    ...[
      'datums',
      'sendBeatOnly',
      '$limits',
      '$output',
      '$writes',
      '$forwards',
      '$replication',
      '$pinned',
      '$reads',
    ],
    ...['$ownSince', '$savedSeq', '$toldSeq', '$afterSave', '$catchUp', '$reusable'],
  ],
  Datums: [
    ...[
      '$datums',
      '$base',
      '$stampFloor',
      '$batches',
      '$since',
      '$historySize',
      '$tailSize',
      '$maxHistorySize',
    ],
    ...['$tailOps', '$tailFloor', '$pinned', '$changes'],
  ],
  Replication: ['$datums', '$maxMessageSize', '$roundTripMs', '$progress'],
  Progress: ['match', 'from', 'busyUntil', 'isLearner'],
  Writes: ['$datums', '$output', '$maxBatchSize', '$waiting'],
  PinnedBase: ['$datums', '$maxReplySize', '$idleMs', '$pinned', '$askedAt'],
  Snapshot: ['revision', 'stampFloor', 'total', '$datums', '$former', '$listed', '$seen', '$keys'],
  CatchUp: [
    ...[
      'term',
      'leader',
      '$datums',
      '$fetched',
      '$at',
      '$stampFloor',
      '$total',
      '$listed',
      '$isListing',
      '$staged',
    ],
    ...['$missing', '$open'],
  ],
} as const;

interface Progress {
  match: number;
  from: number;
  busyUntil: number;
  isLearner: boolean;
}

interface Waiting {
  readonly id: number;
  readonly result: WriteReply | { readonly code: string };
  readonly isBatched: boolean;
}

export interface OpenDatums {
  $base: Revision;
  $since: Revision;
  $batches: Batch[];
  $historySize: number;
  $tailSize: number;
  $tailFloor: number;
  $tailOps: ReadonlyMap<string, unknown>;
  $pinned: Snapshot | null;
}

interface OpenSnapshot {
  total: number;
  $former: Map<string, StoredDatum | null>;
  $listed: StoredDatum[];
  $seen: Set<string>;
}

export interface OpenCatchUp {
  $fetched: ReadonlyMap<string, StoredDatum>;
  $at: Revision | null;
  $stampFloor: number;
  $total: number;
  $listed: number;
  $isListing: boolean;
  $staged: Map<string, StoredDatum>;
  $missing: ListedKey[];
  $open: Set<readonly ListedKey[]>;
}

export interface OpenRegistry {
  readonly datums: Datums;
  readonly $writes: { readonly $waiting: Map<number, Waiting[]> };
  readonly $replication: { readonly $progress: Map<string, Progress>; $of(ip: string): Progress };
  readonly $pinned: { $pinned: Snapshot | null; $askedAt: number };
  $ownSince: number;
  $savedSeq: number;
  $catchUp: CatchUp | null;
  $reusable: ReadonlyMap<string, StoredDatum>;
}

export interface OpenCore {
  readonly $registry: OpenRegistry;
  $lease: Lease & { $electedAt: number };
  $newLease(): Lease & { $electedAt: number };
  readonly $promise: { holder: string | null; until: number };
  readonly $learner: number | undefined;
  $now: number;
  $saving: StoredState;
  $durable: StoredState;
  $electionDue: number;
  $heartbeatDue: number;
  $noCampaignBefore: number;
  $roundNumber: number;
  $round: object | null;
  $needed(): number;
  $applyMembers(): void;
}

interface OpenPeerSet {
  $votes: Set<string> | null;
  $leader: RaftPeer | null;
}

const NONE = -1;
const TIMING = { heartbeatMs: 1, requestTimeoutMs: 1, staggerMs: 0, randomMs: 0, leaderTimeoutMs: 1_000 };

/** A core with its private fields within reach. */
export const opened = (core: RaftCore): OpenCore => core as unknown as OpenCore;

/** Makes cores of keepers, and keepers of cores. */
export class Keepers {
  readonly names: readonly string[];
  readonly #kernel: Kernel;
  readonly #limits;

  constructor(kernel: Kernel, { voters, history, messageSize }: RegistryBounds) {
    this.#kernel = kernel;
    this.names = Array.from({ length: voters }, (_, at) => String.fromCharCode(97 + at));
    this.#limits = { ...REGISTRY_LIMITS, maxHistorySize: history, maxMessageSize: messageSize };
  }

  /** A peer that starts with that in its store. */
  started(owner: number, term: number, voteFor: number, stored: Keeper['stored']): Keeper {
    const core = this.#newCore(owner, term, voteFor, stored.base, stored.tail);
    core.tick(NOW);
    return this.keeper(core, owner, stored);
  }

  /** The core that `keeper` tells of; its elections and beats are due, and no promise holds. */
  core(keeper: Keeper): RaftCore {
    const { owner, term, voteFor, base, since, batches } = keeper;
    const tail = batches.slice(base.revision.seq - since.seq);
    const core = this.#newCore(owner, term, voteFor, base, tail);
    const open = opened(core);
    const peers = core.peers as unknown as OpenPeerSet;
    const { self } = core.peers;
    core.peers.fixMembers();
    open.$applyMembers();
    self.state = keeper.state as PeerState;
    open.$now = open.$electionDue = open.$heartbeatDue = NOW;
    open.$roundNumber = ROUND - 1;
    peers.$votes = new Set(keeper.votes.map((at) => this.#name(at)));
    this.#openDatums(open.$registry, keeper);
    if (keeper.leads !== null) {
      peers.$leader = self;
      open.$lease = open.$newLease();
      open.$lease.begin(NOW, core.peers.others, core.peers.otherVoters, open.$needed());
      this.#openLeadership(open.$registry, keeper.leads);
    }
    open.$registry.$reusable = mapOf(keeper.reusable);
    if (keeper.catchUp !== null)
      open.$registry.$catchUp = this.#newCatchUp(open.$registry.datums, keeper.catchUp);
    return core;
  }

  /** What `core` is, once all that it wanted to be saved is saved. @throws Error when that cannot be told */
  keeper(core: RaftCore, owner: number, stored: Keeper['stored']): Keeper {
    const open = opened(core);
    const { self } = core.peers;
    const { $registry: registry } = open;
    if (open.$saving !== open.$durable || open.$learner !== undefined)
      throw new Error('the state has no room for a save under way, nor for one who only learns');
    const datums = registry.datums as unknown as OpenDatums;
    this.#checkDerived(registry.datums, datums);
    return {
      owner,
      state: self.state,
      term: self.term,
      voteFor: this.#at(self.voteFor),
      votes: self.state === 'CANDIDATE' ? this.#ats((core.peers as unknown as OpenPeerSet).$votes ?? []) : [],
      stored,
      base: keptBase(registry.datums),
      since: datums.$since,
      batches: [...datums.$batches],
      leads: self.state === 'LEADER' ? this.#leadershipOf(registry) : null,
      catchUp: registry.$catchUp === null ? null : this.#catchUpOf(registry.$catchUp),
      reusable: sorted(registry.$reusable.values()),
    };
  }

  /** The peer as messages bear it. */
  snapshot(at: number, state: PeerState, term: number, voteFor: number): PeerSnapshot {
    const vote = voteFor === NONE ? null : this.#name(voteFor);
    return { ip: this.#name(at), state, term, voteFor: vote, leaderDueMs: 0, heartbeatDueMs: 0 };
  }

  #newCore(owner: number, term: number, vote: number, base: KeptBase, tail: readonly Batch[]): RaftCore {
    const { RaftCore, RaftPeerSet } = this.#kernel;
    const peers = new RaftPeerSet({ local: this.#name(owner), members: this.names });
    const voteFor = vote === NONE ? null : this.#name(vote);
    return new RaftCore({
      peers,
      random: () => 0,
      timing: TIMING,
      stored: { term, voteFor, promisedMs: TIMING.leaderTimeoutMs },
      registry: this.#limits,
      data: { base: { ...base, datums: mapOf(base.datums) }, tail },
    });
  }

  #openDatums({ datums }: OpenRegistry, { base, since, batches }: Keeper): void {
    const open = datums as unknown as OpenDatums;
    const history = batches.slice(0, base.revision.seq - since.seq);
    open.$since = since;
    open.$batches = [...batches];
    open.$historySize = this.#sizeOf(history);
  }

  #openLeadership(registry: OpenRegistry, leads: KeptLeadership): void {
    registry.$ownSince = leads.ownSince;
    registry.$savedSeq = leads.savedSeq;
    for (const [at, progress] of leads.progress.entries())
      if (progress !== null)
        registry.$replication.$progress.set(this.#name(at), {
          ...progress,
          busyUntil: Number.NEGATIVE_INFINITY,
          isLearner: false,
        });
    const { $waiting } = registry.$writes;
    for (const { seq, id, result: kept, isBatched } of leads.waiting) {
      const result = typeof kept === 'string' ? new this.#kernel.RaftError(kept as 'CONFLICT', kept) : kept;
      $waiting.set(seq, [...($waiting.get(seq) ?? []), { id, result, isBatched }]);
    }
    if (leads.pinned === null) return;
    registry.$pinned.$askedAt = NOW;
    registry.$pinned.$pinned = (registry.datums as unknown as OpenDatums).$pinned = this.#newSnapshot(
      registry.datums,
      leads.pinned,
    );
  }

  #newSnapshot(datums: Datums, { revision, stampFloor, total, former, listed }: KeptSnapshot): Snapshot {
    const snapshot = new this.#kernel.Snapshot(revision, stampFloor, datums.all());
    const open = snapshot as unknown as OpenSnapshot;
    open.total = total;
    for (const [key, datum] of former) open.$former.set(key, datum);
    open.$listed.push(...listed);
    for (const { key } of listed) open.$seen.add(key);
    return snapshot;
  }

  #newCatchUp(datums: Datums, kept: KeptCatchUp): CatchUp {
    const catchUp = new this.#kernel.CatchUp(kept.term, this.#name(kept.leader), datums, mapOf(kept.fetched));
    const open = catchUp as unknown as OpenCatchUp;
    open.$at = kept.at;
    open.$stampFloor = kept.stampFloor;
    open.$total = kept.total === NONE ? Number.POSITIVE_INFINITY : kept.total;
    open.$listed = kept.listed;
    open.$isListing = kept.isListing;
    for (const datum of kept.staged) open.$staged.set(datum.key, datum);
    open.$missing.push(...kept.missing);
    for (const keys of kept.open) open.$open.add(keys);
    return catchUp;
  }

  #leadershipOf({ $ownSince, $savedSeq, $replication, $writes, $pinned }: OpenRegistry): KeptLeadership {
    const progress = this.names.map((ip) => {
      const known = $replication.$progress.get(ip);
      return known === undefined ? null : { match: known.match, from: known.from };
    });
    const waiting = [...$writes.$waiting].flatMap(([seq, list]) =>
      list.map(({ id, result, isBatched }) => {
        return { seq, id, result: 'code' in result ? result.code : result, isBatched };
      }),
    );
    const pinned = $pinned.$pinned === null ? null : keptSnapshot($pinned.$pinned);
    return { ownSince: $ownSince, savedSeq: $savedSeq, progress, waiting, pinned };
  }

  #catchUpOf(catchUp: CatchUp): KeptCatchUp {
    const open = catchUp as unknown as OpenCatchUp;
    return {
      term: catchUp.term,
      leader: this.#at(catchUp.leader),
      fetched: sorted(open.$fetched.values()),
      at: open.$at,
      stampFloor: open.$stampFloor,
      total: open.$total === Number.POSITIVE_INFINITY ? NONE : open.$total,
      listed: open.$listed,
      isListing: open.$isListing,
      staged: sorted(open.$staged.values()),
      missing: [...open.$missing],
      open: [...open.$open],
    };
  }

  /** What a core works out for speed must be what it would work out anew: a keeper does not bear it. */
  #checkDerived(datums: Datums, open: OpenDatums): void {
    const history = open.$base.seq - open.$since.seq;
    const anew = new this.#kernel.Datums({ base: datums.view(), tail: open.$batches.slice(history) }, 0);
    const fresh = anew as unknown as OpenDatums;
    const isSame =
      open.$tailSize === fresh.$tailSize &&
      open.$tailFloor === fresh.$tailFloor &&
      open.$historySize === this.#sizeOf(open.$batches.slice(0, history)) &&
      JSON.stringify([...open.$tailOps].sort()) === JSON.stringify([...fresh.$tailOps].sort());
    if (!isSame) throw new Error('what is derived from the batches differs from them');
  }

  #sizeOf(batches: readonly Batch[]): number {
    const none = { revision: { term: 0, seq: 0 }, stampFloor: 0, datums: new Map() };
    return new this.#kernel.Datums({ base: none, tail: batches }, 0).tailSize;
  }

  #name(at: number): string {
    return this.names[at] as string;
  }

  #at(ip: string | null): number {
    return ip === null ? NONE : this.names.indexOf(ip);
  }

  #ats(ips: Iterable<string>): readonly number[] {
    return [...ips].map((ip) => this.#at(ip)).sort();
  }
}

/** The base as it stands in `datums`. */
function keptBase(datums: Datums): KeptBase {
  const { revision, stampFloor, datums: map } = datums.view();
  return { revision, stampFloor, datums: sorted(map.values()) };
}

function keptSnapshot(snapshot: Snapshot): KeptSnapshot {
  const { revision, stampFloor, total } = snapshot;
  const { $former, $listed } = snapshot as unknown as OpenSnapshot;
  return { revision, stampFloor, total, former: [...$former], listed: [...$listed] };
}

function sorted(datums: Iterable<StoredDatum>): readonly StoredDatum[] {
  return [...datums].sort((a, b) => (a.key < b.key ? -1 : 1));
}

function mapOf(datums: readonly StoredDatum[]): Map<string, StoredDatum> {
  return new Map(datums.map((datum) => [datum.key, datum]));
}
