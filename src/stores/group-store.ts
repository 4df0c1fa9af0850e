import type { StoredState } from '../core/outputs.js';

/** Keeps what the peers of many groups must not forget, for the one process that they all live in. */
export interface GroupStore {
  /** Whether what was saved survives the end of the process. */
  readonly durable: boolean;

  /**
   * Opens the store for the peers of `ip` and reads it.
   *
   * @returns what each group saved last, by its name; empty when nothing was ever saved. The map is the caller's own
   * @throws RaftError `STORE_CORRUPT`, `STORE_IN_USE`, `STORE_MISMATCH` (it belongs to another ip), `STORE_FAILED`
   */
  open(ip: string): Promise<ReadonlyMap<string, StoredState>>;

  /**
   * Replaces the states of these groups, and of no others; resolved when all of them are durable, together. When it
   * rejects, or the process dies meanwhile, either all of these groups have their new state, or all have the former one.
   * Saves that overlap are done in the order of the calls.
   *
   * @param states by the names of the groups: any text of 1 to 256 characters without control characters
   * @throws RaftError `STORE_FAILED`
   */
  save(states: ReadonlyMap<string, StoredState>): Promise<void>;

  /** Lets go of the store; it can be opened again. Safe to call more than once, also when it was never opened. */
  close(): Promise<void>;
}
