import type { StoredState } from '../core/outputs.js';

/** What a host keeps for all of its groups. */
export interface GroupStore {
  /** Whether it survives a restart of the process. */
  readonly durable: boolean;
  /** Opens what `ip` saved; what each group saved last, by its name. Empty for a new store. */
  open(ip: string): Promise<ReadonlyMap<string, StoredState>>;
  /** Resolves when all of these are durable, together in one synced write; whatever was saved before of other groups stays. */
  save(states: ReadonlyMap<string, StoredState>): Promise<void>;
  close(): Promise<void>;
}
