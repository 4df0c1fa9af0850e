import type { StoredState } from '../core/outputs.js';
import type { GroupStore } from './group-store.js';

/** A store of many groups that lives as long as its object, as `MemoryStore` does for one. */
export class MemoryGroupStore implements GroupStore {
  readonly durable = false;
  readonly #states = new Map<string, StoredState>();

  async open(): Promise<ReadonlyMap<string, StoredState>> {
    return new Map([...this.#states].map(([name, state]) => [name, { ...state }]));
  }

  async save(states: ReadonlyMap<string, StoredState>): Promise<void> {
    for (const [name, state] of states) this.#states.set(name, { ...state });
  }

  async close(): Promise<void> {}
}
