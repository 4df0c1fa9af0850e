import type { RaftErrorCode } from './errors.js';
import type { RaftRequest, Revision } from './messages.js';
import type { PeerState } from './peer.js';

/** How often each of some things happened; one that never did is not named. */
export type Tally<Name extends string> = Readonly<Partial<Record<Name, number>>>;

/** How requests of one kind ended that this process sent. */
export interface SentMetrics {
  readonly answered: number;
  /** The other peer answered that it would not. */
  readonly refused: number;
  readonly timedOut: number;
  /** The other peer could not be reached, or this one stopped meanwhile. */
  readonly failed: number;
}

/** How requests of one kind ended that came to this process. */
export interface ReceivedMetrics {
  readonly answered: number;
  readonly refused: number;
}

/** What is known of the way to another peer from the requests that it was sent: by one that leads most of all. */
export interface LinkMetrics {
  readonly ip: string;
  /** From the newest beat to its answer, with what had to be saved in between; null before the first one. */
  readonly roundTripMs: number | null;
  /** The same, smoothed: each new one counts for an eighth. */
  readonly smoothedRoundTripMs: number | null;
  /** Since it answered anything; null if it never did. */
  readonly silentMs: number | null;
}

/** Another member of the cluster of a node. */
export interface PeerMetrics extends LinkMetrics {
  /** As this peer last heard of it. */
  readonly state: PeerState;
  readonly term: number;
  readonly isVoter: boolean;
  /**
   * Up to which seq it is known to hold what this leader holds; null while nothing is known: before its first answer, if this
   * peer does not lead, or keeps no registry.
   */
  readonly matchSeq: number | null;
  /** Whether it has told this leader that it learns only (see `RaftMetrics.learning`). */
  readonly isLearner: boolean;
}

/** What became of the saves of a store; one that failed is an error. */
export interface SaveMetrics {
  readonly count: number;
  readonly totalMs: number;
  readonly longestMs: number;
}

/** A leader that was announced, or lost. */
export interface LeaderChange {
  /** When this peer noticed it: ms since 1970, by the wall clock. */
  readonly atMs: number;
  /** Null: it was lost. */
  readonly leader: string | null;
  readonly term: number;
}

/** What a node and a host of groups count alike, since they were made. A host counts for all groups together. */
export interface CommonMetrics {
  readonly ip: string;
  readonly isRunning: boolean;
  /** L. */
  readonly leaderTimeoutMs: number;
  /** How many leaders were announced. */
  readonly leaderChanges: number;
  /** How often this peer raised its term to be elected, and how often it was. */
  readonly electionsBegun: number;
  readonly electionsWon: number;
  /** How often it led, and then no longer: it lost its lease, or handed over. */
  readonly leadershipsLost: number;
  /** By kind; `beat` is the beats of a leader, `beats` those of a host. */
  readonly sent: Readonly<Partial<Record<RaftRequest['type'], SentMetrics>>>;
  /** The same; `unknown` is what could not be read. */
  readonly received: Readonly<Partial<Record<RaftRequest['type'] | 'unknown', ReceivedMetrics>>>;
  readonly saves: SaveMetrics;
  /** The `error` events: `STORE_FAILED`, `LISTENER_FAILED`, `CONFLICTING_LEADER`, ... */
  readonly errors: Tally<RaftErrorCode>;
}

/** What `RaftNode.metrics` tells: as it is now, and what was counted since the node was made. It has JSON. */
export interface RaftMetrics extends CommonMetrics {
  /** What `isLeader()` says. */
  readonly isLeader: boolean;
  readonly state: PeerState;
  readonly term: number;
  /** Who leads, as far as this peer knows. */
  readonly leader: string | null;
  /** When this peer learned of that leader: ms since 1970, by the wall clock; null while there is none. */
  readonly leaderSinceMs: number | null;
  /** How long the lease still lasts; 0 while it does not lead, null where none is needed (alone; rules of Nacos). */
  readonly leaseLeftMs: number | null;
  /** Whether it recovers from an empty store, and takes part in nothing. */
  readonly rejoining: boolean;
  /**
   * Whether it found its store empty in a cluster that holds data: it is sent all of that, but neither votes nor counts for a
   * majority until it is removed, added again and promoted.
   */
  readonly learning: boolean;
  /** How many requests and answers wait for their turn, or for a save. */
  readonly queueLength: number;
  /** How many writes and reads at this leader have no outcome yet. */
  readonly callsWaiting: number;
  /** The newest batch of the registry here, committed or not, and the newest that is. */
  readonly last: Revision;
  readonly committed: Revision;
  /** How many keys there are. */
  readonly datums: number;
  /** What became of `publish` and `remove`, and of `readDatum`, called at this peer: `ok`, or the code of the error. */
  readonly writes: Tally<RaftErrorCode | 'ok'>;
  readonly reads: Tally<RaftErrorCode | 'ok'>;
  /** The other members. */
  readonly peers: readonly PeerMetrics[];
  /** The last changes of leader, the newest last. */
  readonly changes: readonly LeaderChange[];
}

/** What `RaftHost.metrics` tells: of all its groups together. */
export interface HostMetrics extends CommonMetrics {
  /** How many groups it takes part in, and how many of them it leads. */
  readonly groups: number;
  readonly leads: number;
  /** The other hosts. */
  readonly peers: readonly LinkMetrics[];
}
