/** What one loss of a leader cost, in ms. */
export interface Failover {
  /** Until every survivor knew the next leader; null where followers do not learn who leads. */
  readonly knownMs: number | null;
  /** Until the next leader believed that it leads. */
  readonly ledMs: number;
  /** How many terms were gone through; null where there are none. */
  readonly terms: number | null;
}

/** Something that elects a leader among processes, and is put to the test. */
export interface Candidate {
  readonly name: string;
  /** Its failure timeout in ms: what its figures are measured by. */
  readonly timeoutMs: number;
  /** Starts its processes; resolved when one of them leads. */
  start(): Promise<void>;
  /** Kills the leader's process at a random moment, waits for the next one, and has the killed process back. */
  kill(): Promise<Failover>;
  /** Has the leader hand over; absent where there is no such thing. */
  resign?(): Promise<Failover>;
  /** Stops the leader's process, lets it go on once another leads; for how many ms both believed that they lead. */
  pause?(): Promise<number>;
  /** Ends its processes. */
  end(): Promise<void>;
}
