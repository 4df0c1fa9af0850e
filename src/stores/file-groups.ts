import { join } from 'node:path';
import { assert, RaftError } from '../core/errors.js';
import { isGroupName } from '../core/group-name.js';
import type { StoredState } from '../core/outputs.js';
import { COMPACT_AFTER_BYTES, checkCompactAfter } from './compact-after.js';
import { entryOf, type GroupEntry } from './group-lines.js';
import { GroupLog } from './group-log.js';
import type { GroupStore } from './group-store.js';
import { LockedPlace } from './locked-place.js';
import { isStoredState } from './stored-state.js';

export interface FileGroupStoreOptions {
  /**
   * How far the log may grow by saves, in bytes, before what is live is written anew without them; it may always grow by
   * as much as that itself takes. 0 or more.
   *
   * @default 4 MiB
   */
  readonly compactAfterBytes?: number;
}

/**
 * A store of many groups in one log, `groups` in its directory. Each save appends one line with all its states, by one
 * write that is durable at once (D4). A crash at any moment leaves all that was acknowledged; of the save under way then,
 * all states or none. Anything else that is found in the log is an error, never an empty store, and nothing is changed.
 *
 * After a write that failed, it saves no more until it is opened again.
 *
 * While open, it holds the lock file `groups.lock`, by the rules that `FileStore` tells. `groups.tmp`, and names that begin
 * with `groups.lock`, are used besides.
 */
export class FileGroupStore implements GroupStore {
  readonly durable = true;
  readonly #compactAfterBytes: number;
  readonly #place: LockedPlace<GroupLog>;

  /**
   * @param directory made at `open` if missing; it may hold other files
   * @throws RaftError `BAD_OPTION` unless it is a string that is not empty, and the options are in range
   */
  constructor(directory: string, { compactAfterBytes = COMPACT_AFTER_BYTES }: FileGroupStoreOptions = {}) {
    if (typeof directory !== 'string' || directory === '') {
      const got = JSON.stringify(directory);
      throw new RaftError('BAD_OPTION', `directory: expected the path of a directory, got ${got}`);
    }
    this.#compactAfterBytes = checkCompactAfter(compactAfterBytes);
    this.#place = new LockedPlace(join(directory, 'groups'));
  }

  /** The absolute path of the log. */
  get path(): string {
    return this.#place.path;
  }

  /**
   * Locks the log, reads it, and writes it anew. What it returns is durable, also when the process that saved it was
   * killed half-way. From then on the log belongs to `ip`.
   *
   * @throws RaftError `STORE_IN_USE` naming the pid of the holder (also when this very store is open), `STORE_CORRUPT`,
   *   `STORE_MISMATCH`, `STORE_FAILED`
   */
  open(ip: string): Promise<ReadonlyMap<string, StoredState>> {
    const { path } = this;
    return this.#place.open((checkLock) =>
      GroupLog.open({ path, ip, compactAfterBytes: this.#compactAfterBytes, checkLock }),
    );
  }

  /**
   * @throws RaftError `STORE_FAILED`, also when the store is not open or has lost its lock, and always after a write has
   *   failed; `INTERNAL` when a name or a state is out of bounds, and then nothing was saved
   */
  async save(states: ReadonlyMap<string, StoredState>): Promise<void> {
    const entries = [...states].map(checkedEntry);
    await this.#place.write((log) => log.append(entries));
  }

  /**
   * Removes the lock, after what was called before is done.
   *
   * @throws RaftError `STORE_FAILED` when the lock file could not be removed; the store is closed all the same
   */
  close(): Promise<void> {
    return this.#place.close((log) => log.close());
  }
}

function checkedEntry([name, state]: readonly [string, StoredState]): GroupEntry {
  assert(isGroupName(name), 'the name of a group is a text of 1 to 256 characters, none of which controls');
  assert(isStoredState(state), 'a state to be saved is within its bounds');
  return entryOf(name, state);
}
