import type { StoredState } from '../core/outputs.js';
import type { GroupStore } from './group-store.js';

<<<<<<< HEAD
/** A store of groups that lives as long as its object. */
=======
/** A store of many groups that lives as long as its object, as `MemoryStore` does for one. */
>>>>>>> 3dd675f (Add stores for the states of many groups: in memory, and one log on disk; and the contract that they keep)
export class MemoryGroupStore implements GroupStore {
  readonly durable = false;
  readonly #states = new Map<string, StoredState>();

  async open(): Promise<ReadonlyMap<string, StoredState>> {
<<<<<<< HEAD
    return new Map(this.#states);
  }

  async save(states: ReadonlyMap<string, StoredState>): Promise<void> {
    for (const [group, state] of states) this.#states.set(group, { ...state });
=======
    return new Map([...this.#states].map(([name, state]) => [name, { ...state }]));
  }

  async save(states: ReadonlyMap<string, StoredState>): Promise<void> {
    for (const [name, state] of states) this.#states.set(name, { ...state });
>>>>>>> 3dd675f (Add stores for the states of many groups: in memory, and one log on disk; and the contract that they keep)
  }

  async close(): Promise<void> {}
}
