import type { StoredState } from '../core/outputs.js';
import type { GroupStore } from './group-store.js';

/** A store of groups that lives as long as its object. */
export class MemoryGroupStore implements GroupStore {
  readonly durable = false;
  readonly #states = new Map<string, StoredState>();

  async open(): Promise<ReadonlyMap<string, StoredState>> {
    return new Map(this.#states);
  }

  async save(states: ReadonlyMap<string, StoredState>): Promise<void> {
    for (const [group, state] of states) this.#states.set(group, { ...state });
  }

  async close(): Promise<void> {}
}
