import { dirname, resolve } from 'node:path';
import type { DataChanges } from '../core/datum.js';
import { assert, RaftError } from '../core/errors.js';
import type { StoredState } from '../core/outputs.js';
import { makeDirectory } from './files.js';
import { copyChanges, type OwnChanges } from './kept-data.js';
import { FileLock } from './lock.js';
import { isStoredState, stateOf } from './stored-state.js';

/** What an open store has in its hands. */
interface Held<Opened> {
  readonly lock: FileLock;
  readonly opened: Opened;
}

/**
 * A place on disk that one store of one process holds at a time, by the lock file `<path>.lock`, and at which one thing is
 * done at a time: the lock must not be released under a save that still runs.
 */
export class LockedPlace<Opened> {
  /** Absolute. */
  readonly path: string;
  #held: Held<Opened> | null = null;
  #saving = false;
  #last: Promise<unknown> = Promise.resolve();

  /** @throws RaftError `BAD_OPTION` unless `path` is a string that is not empty */
  constructor(path: string) {
    if (typeof path !== 'string' || path === '') {
      throw new RaftError('BAD_OPTION', `path: expected the path of a file, got ${JSON.stringify(path)}`);
    }
    this.path = resolve(path);
  }

  /** What is open, or null. */
  get opened(): Opened | null {
    return this.#held?.opened ?? null;
  }

  /**
   * Locks the place and loads it; makes its directory if that is missing.
   *
   * @throws RaftError `STORE_IN_USE` naming the pid of the holder, `STORE_FAILED`, or what `load` throws
   */
  open<T>(load: (checkLock: () => void) => Promise<readonly [Opened, T]>): Promise<T> {
    return this.#take('open', async () => {
      await makeDirectory(dirname(this.path));
      const lock = await FileLock.acquire(`${this.path}.lock`);
      try {
        const [opened, loaded] = await load(() => this.#check(lock));
        this.#held = { lock, opened };
        return loaded;
      } catch (error) {
        await lock.release().catch(() => {});
        throw error;
      }
    });
  }

  /**
   * Writes a state and data, as `write` does any work; `write` gets what belongs to it, whatever becomes of what was given.
   *
   * @throws RaftError `STORE_FAILED`, `INTERNAL` when saves overlap or when `state` is out of bounds, or what `write` throws
   */
  async save(
    state: StoredState,
    data: DataChanges | undefined,
    write: (opened: Opened, state: StoredState, changes: OwnChanges | null) => Promise<void>,
  ): Promise<void> {
    assert(!this.#saving, 'saves do not overlap');
    assert(isStoredState(state), 'a state to be saved is within its bounds');
    const kept = stateOf(state);
    const changes = data === undefined ? null : copyChanges(data);
    this.#saving = true;
    try {
      await this.write((opened) => write(opened, kept, changes));
    } finally {
      this.#saving = false;
    }
  }

  /**
   * Does `work`, when what was called before is done, if the place is open and the lock still held.
   *
   * @throws RaftError `STORE_FAILED`, or what `work` throws
   */
  write(work: (opened: Opened) => Promise<void>): Promise<void> {
    return this.#take('save', async () => {
      if (this.#held === null) throw new RaftError('STORE_FAILED', `${this.path} is not open`);
      this.#check(this.#held.lock);
      await work(this.#held.opened);
    });
  }

  /**
   * Lets go of what is open and removes the lock, after what was called before is done.
   *
   * @throws RaftError `STORE_FAILED`; the place is closed all the same
   */
  close(letGo: (opened: Opened) => Promise<void>): Promise<void> {
    return this.#take('close', async () => {
      const held = this.#held;
      this.#held = null;
      if (held === null) return;
      try {
        await letGo(held.opened);
      } finally {
        await held.lock.release();
      }
    });
  }

  #check(lock: FileLock): void {
    if (lock.isHeld()) return;
    throw new RaftError('STORE_FAILED', `${this.path} was not saved: its lock was removed or taken over`);
  }

  #take<T>(what: string, work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work).catch((cause: unknown) => {
      if (cause instanceof RaftError) throw cause;
      throw new RaftError('STORE_FAILED', `${what} of ${this.path} failed: ${String(cause)}`, { cause });
    });
    this.#last = result.catch(() => {});
    return result;
  }
}
