import type { NacosDatum } from '../core/nacos-messages.js';

/**
 * Keeps the datums of the original, under the rules of Nacos. One store belongs to one peer.
 *
 * The term stands for the freshness of data there: a peer that kept its term and lost its datums can win an election, and
 * its beats then delete the datums of all others. Term and datums must be kept together, or lost together.
 */
export interface NacosDatumStore {
  /**
   * Opens the store and reads it.
   *
   * @throws RaftError `STORE_CORRUPT`, `STORE_FAILED`
   */
  open(): Promise<readonly NacosDatum[]>;

  /**
   * Keeps `datum` in the place of what was kept under its key; calls do not overlap.
   *
   * @throws RaftError `STORE_FAILED`
   */
  write(datum: NacosDatum): Promise<void>;

  /**
   * Keeps nothing under `key` any more.
   *
   * @throws RaftError `STORE_FAILED`
   */
  remove(key: string): Promise<void>;

  /** Lets go of the store; it can be opened again. Safe to call more than once, also when it was never opened. */
  close(): Promise<void>;
}
