import type { StoredState } from '../core/outputs.js';
import type { RaftStore } from './store.js';

/**
 * A store that lives as long as its object. A peer that starts with a new one has forgotten everything, and takes part
 * again only when the others have told it their terms (section 3, empty store).
 */
export class MemoryStore implements RaftStore {
  readonly durable = false;
  #state: StoredState | null = null;

  async open(): Promise<StoredState | null> {
    return this.#state === null ? null : { ...this.#state };
  }

  async save(state: StoredState): Promise<void> {
    this.#state = { ...state };
  }

  async close(): Promise<void> {}
}
