import type { StoredState } from '../core/outputs.js';

/** Keeps what a peer must not forget. One store belongs to one peer. */
export interface RaftStore {
  /** Whether what was saved survives the end of the process. */
  readonly durable: boolean;

  /**
   * Opens the store for the peer `ip` and reads it.
   *
   * @returns the last saved state, or null when nothing was ever saved
   * @throws RaftError `STORE_CORRUPT`, `STORE_IN_USE`, `STORE_MISMATCH` (it belongs to another ip), `STORE_FAILED`
   */
  open(ip: string): Promise<StoredState | null>;

  /**
   * Replaces the saved state; resolved when it is durable. When it rejects, either the former state or the new one is
   * kept, whole. Calls do not overlap.
   *
   * @throws RaftError `STORE_FAILED`
   */
  save(state: StoredState): Promise<void>;

  /** Lets go of the store; it can be opened again. Safe to call more than once, also when it was never opened. */
  close(): Promise<void>;
}
