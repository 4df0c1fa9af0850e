import type { NacosDatum, NacosValue } from '../core/nacos-messages.js';
import type { NacosRegistry } from './nacos-registry.js';

/** A datum of original peers was set here, or removed: null. */
export interface NacosChange {
  readonly key: string;
  readonly datum: NacosDatum | null;
}

/**
 * The datums that a node shares with original peers, under `rules: 'nacos'` and with the original's guarantees only: a
 * value is applied before a majority has it, and a leader that lacks it may take it back (D11).
 */
export class NacosData {
  readonly #registry: () => NacosRegistry;

  /** @param registry that of the node's present run; throws while there is none */
  constructor(registry: () => NacosRegistry) {
    this.#registry = registry;
  }

  /**
   * Sets `key`; resolves when a majority has confirmed it. A follower forwards it to the leader.
   *
   * @param key one of the original's two kinds: service metadata, or a list of instances
   * @param value a JSON object
   * @throws RaftError `BAD_REQUEST`, `NO_LEADER`, `NOT_LEADER`, `BUSY`, `UNKNOWN_PEER`, `NOT_RUNNING`, `UNSUPPORTED`:
   * nothing was written; `TIMEOUT` (no majority in time), `UNREACHABLE`: it may stay, or not
   */
  async publish(key: string, value: NacosValue): Promise<void> {
    await this.#registry().publish({ key, value });
  }

  /**
   * Removes `key`; resolves when the leader has done so, before the others hear of it.
   *
   * @throws RaftError as `publish`
   */
  async remove(key: string): Promise<void> {
    await this.#registry().remove({ key });
  }

  /**
   * What this peer keeps under `key`, at once; null when there is nothing.
   *
   * @throws RaftError `NOT_RUNNING`, `UNSUPPORTED`
   */
  get(key: string): NacosDatum | null {
    return this.#registry().datums.get(key);
  }

  /**
   * The keys of all that this peer keeps, in order.
   *
   * @throws RaftError `NOT_RUNNING`, `UNSUPPORTED`
   */
  keys(): readonly string[] {
    return [...this.#registry().datums.keys()].sort();
  }
}
