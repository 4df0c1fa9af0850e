/**
 * What is checked after every event (protocol, section 3).
 *
 * S1: at most one peer wins a term, by the votes of a majority. S2: never two peers with `isLeader()` true at the same
 * real instant; a peer that leads has a majority bound to it, and who is bound votes for nobody else. S3: a peer's term
 * never decreases, nor stays below that of a leader whose beat it accepts. S4: one vote a term, and nothing is told before it is saved. L1: after the faults all know one leader
 * in time. L2: no peer raises its term without a transfer order or a majority of pre-votes, and no vote request unseats a
 * leader. ERROR: an assertion failed, or a rejection was not handled.
 */
export type CheckName = 'S1' | 'S2' | 'S3' | 'S4' | 'L1' | 'L2' | 'ERROR';

/** A rule that was seen broken. */
export interface Violation {
  readonly check: CheckName;
  /** Ms of virtual time. */
  readonly at: number;
  /** The peer that broke it. */
  readonly ip: string;
  readonly what: string;
}

/** Takes a violation down. */
export type Report = (check: CheckName, ip: string, what: string) => void;
