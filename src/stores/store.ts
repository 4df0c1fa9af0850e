import type { DataChanges, StoredData } from '../core/datum.js';
import type { StoredState } from '../core/outputs.js';

/** What a store gives back: the state, and the data of the registry if it ever held any. */
export interface Stored extends StoredState {
  readonly data?: StoredData;
}

/** Keeps what a peer must not forget. One store belongs to one peer. */
export interface RaftStore {
  /** Whether what was saved survives the end of the process. */
  readonly durable: boolean;

  /**
   * Opens the store for the peer `ip` and reads it.
   *
   * @returns what was saved last, or null when nothing was ever saved. The base may lag behind what was folded; the tail
   * goes on from there
   * @throws RaftError `STORE_CORRUPT`, `STORE_IN_USE`, `STORE_MISMATCH` (it belongs to another ip), `STORE_FAILED`
   */
  open(ip: string): Promise<Stored | null>;

  /**
   * Replaces the saved state and changes the data; resolved when all of it is durable. When it rejects, or the process
   * dies meanwhile, the state is the former or the new one, and so is the data, which is never newer than the state.
   * Calls do not overlap. `data` is given only to a store that has `fold`.
   *
   * @throws RaftError `STORE_FAILED`
   */
  save(state: StoredState, data?: DataChanges): Promise<void>;

  /**
   * Tells that all batches up to `seq` are committed: the store may move them from the tail into the base, at its leisure
   * and without a sync, as long as a batch leaves the durable tail only once a base that contains it is durable. Never
   * throws; what goes wrong then is told by the next `save`. A store without it keeps no data.
   */
  fold?(seq: number): void;

  /** Lets go of the store; it can be opened again. Safe to call more than once, also when it was never opened. */
  close(): Promise<void>;
}
