import type { DataChanges } from '../core/datum.js';
import type { StoredState } from '../core/outputs.js';
import { copyChanges, KeptData } from './kept-data.js';
import type { RaftStore, Stored } from './store.js';

/**
 * A store that lives as long as its object. A peer that starts with a new one has forgotten everything, and takes part
 * again only when the others have told it their terms (section 3, empty store).
 */
export class MemoryStore implements RaftStore {
  readonly durable = false;
  #state: StoredState | null = null;
  #data: KeptData | null = null;

  async open(): Promise<Stored | null> {
    if (this.#state === null) return null;
    return this.#data === null ? { ...this.#state } : { ...this.#state, data: this.#data.copy() };
  }

  /** @throws RaftError `INTERNAL` when `data` would cut what is committed, or leave a gap */
  async save(state: StoredState, data?: DataChanges): Promise<void> {
    if (data !== undefined) this.#change(data);
    this.#state = { ...state };
  }

  fold(seq: number): void {
    this.#data?.fold(seq);
  }

  async close(): Promise<void> {}

  #change(changes: DataChanges): void {
    const data = this.#data ?? new KeptData();
    data.check(changes);
    this.#data = data.change(copyChanges(changes));
  }
}
