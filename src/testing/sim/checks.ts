/**
 * What is checked after every event (protocol, section 3).
 *
 * S1: at most one peer wins a term, by the votes of a majority. S2: never two peers with `isLeader()` true at the same
 * real instant; a peer that leads has a majority bound to it, and who is bound votes for nobody else. S3: a peer's term
 * never decreases, nor stays below that of a leader whose beat it accepts. S4: one vote a term, and nothing is told before it is saved. L1: after the faults all know one leader
 * in time. L2: no peer raises its term without a transfer order or a majority of pre-votes, and no vote request unseats a
 * leader. ERROR: an assertion failed, or a rejection was not handled.
 *
 * With a registry (protocol, section 4), too. COMMIT: a revision is one batch, behind one other; all commit the same batches
 * in one order, none before a majority has saved it; each later leader has them, and nobody cuts what it committed. BASE:
 * equal revisions are equal bases, a base never goes backwards, and a peer shows what it saved and committed. OUTCOME: what
 * was acknowledged is committed, what failed for certain never stood in a batch, and nothing stands in two. LISTEN: listeners hear what is there,
 * then each committed change, once and in order. LINEAR: the history of each key is linearizable. L3: after the faults
 * writes succeed, and all peers come to hold the same.
 */
export type CheckName =
  | 'S1'
  | 'S2'
  | 'S3'
  | 'S4'
  | 'L1'
  | 'L2'
  | 'L3'
  | 'COMMIT'
  | 'BASE'
  | 'OUTCOME'
  | 'LISTEN'
  | 'LINEAR'
  | 'ERROR';

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
