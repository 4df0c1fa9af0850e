/** What a peer is at the moment. */
export type PeerState = 'FOLLOWER' | 'CANDIDATE' | 'LEADER';

/** A peer as it travels: the original's JSON. */
export interface PeerSnapshot {
  /** The identity, `host:port`, or any other name that the transport knows. */
  readonly ip: string;
  readonly state: PeerState;
  /** The number of elections that this peer knows of: an integer from 0 to 2^53 - 1. */
  readonly term: number;
  /** Whom it voted for in that term. */
  readonly voteFor: string | null;
  /** Milliseconds left until it starts an election. */
  readonly leaderDueMs: number;
  /** Milliseconds left until it sends the next beat, if it leads. */
  readonly heartbeatDueMs: number;
}

/** One member of the cluster, as this process knows it (section 1). */
export class RaftPeer implements PeerSnapshot {
  readonly ip: string;
  state: PeerState = 'FOLLOWER';
  term = 0;
  voteFor: string | null = null;
  leaderDueMs = 0;
  heartbeatDueMs = 0;

  constructor(ip: string) {
    this.ip = ip;
  }

  /** A peer of its own with the contents of `snapshot`. */
  static from(snapshot: PeerSnapshot): RaftPeer {
    return new RaftPeer(snapshot.ip).assign(snapshot);
  }

  /** Takes over everything but the ip. */
  assign(snapshot: PeerSnapshot): this {
    this.state = snapshot.state;
    this.term = snapshot.term;
    this.voteFor = snapshot.voteFor;
    this.leaderDueMs = snapshot.leaderDueMs;
    this.heartbeatDueMs = snapshot.heartbeatDueMs;
    return this;
  }

  /** Whether both are the same member. */
  equals(other: PeerSnapshot): boolean {
    return this.ip === other.ip;
  }

  /** A copy that does not change any more. */
  snapshot(): PeerSnapshot {
    return {
      ip: this.ip,
      voteFor: this.voteFor,
      term: this.term,
      leaderDueMs: this.leaderDueMs,
      heartbeatDueMs: this.heartbeatDueMs,
      state: this.state,
    };
  }
}
