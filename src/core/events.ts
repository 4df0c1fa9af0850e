import type { RaftError } from './errors.js';
import type { PeerSnapshot, PeerState } from './peer.js';

abstract class LeaderEvent {
  /** The leader that the event is about. */
  readonly leader: PeerSnapshot;
  /** This peer at that moment. */
  readonly local: PeerSnapshot;

  constructor(leader: PeerSnapshot, local: PeerSnapshot) {
    this.leader = leader;
    this.local = local;
  }

  /** The term in which `leader` was elected: its fencing token. */
  get term(): number {
    return this.leader.term;
  }
}

/** This peer has a new leader, which may be itself (D8). */
export class MakeLeaderEvent extends LeaderEvent {}

/** This peer won an election. It does not lead before its first lease, which `MakeLeaderEvent` tells (section 3). */
export class LeaderElectFinishedEvent extends LeaderEvent {}

/** This peer lost the leader that it had announced (D9). */
export class LeaderLostEvent extends LeaderEvent {}

/** This peer changed its state or, as a candidate, went into a further term. */
export class StateChangeEvent {
  readonly from: PeerState;
  readonly to: PeerState;
  readonly term: number;

  constructor(from: PeerState, to: PeerState, term: number) {
    this.from = from;
    this.to = to;
    this.term = term;
  }
}

/** Event names and what their listeners get. Events come when the state is whole, in this order. */
export interface RaftEvents {
  /** The local peer's state changed. */
  stateChange: (event: StateChangeEvent) => void;
  /** The announced leader is gone; a new one may follow at once. */
  leaderLost: (event: LeaderLostEvent) => void;
  /** The local peer won an election. */
  leaderElectFinished: (event: LeaderElectFinishedEvent) => void;
  /** There is a (new) leader. */
  makeLeader: (event: MakeLeaderEvent) => void;
  /** Something that somebody should look at: two leaders in one term, or a listener that threw. */
  error: (error: RaftError) => void;
}
