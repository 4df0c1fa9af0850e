import { RaftError, textOf } from '../core/errors.js';
import type { StoredState } from '../core/outputs.js';
import type { GroupStore } from '../stores/group-store.js';

/** One write of the store: what is in it, and who waits for it. */
class Write {
  readonly states = new Map<string, StoredState>();
  resolve: () => void = () => {};
  reject: (error: RaftError) => void = () => {};
  readonly done = new Promise<void>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}

/** Saves the states of many groups: one write at a time, in which all go along that came during the former one. */
export class Saver {
  readonly #store: Pick<GroupStore, 'save'>;
  #next: Write | null = null;
  #isWriting = false;

  constructor(store: Pick<GroupStore, 'save'>) {
    this.#store = store;
  }

  /**
   * Saves what `group` must not forget; a group waits for its last save before the next.
   *
   * @throws RaftError `STORE_FAILED`, or what the store throws if a RaftError
   */
  save(group: string, state: StoredState): Promise<void> {
    this.#next ??= new Write();
    this.#next.states.set(group, state);
    const { done } = this.#next;
    // After this turn: all groups that are dealt with in it go along.
    if (!this.#isWriting) {
      this.#isWriting = true;
      queueMicrotask(() => void this.#writeAll());
    }
    return done;
  }

  /** Begins no further write; who waits for one is told `error`: the store is about to be closed. */
  stop(error: RaftError): void {
    this.#next?.reject(error);
    this.#next = null;
  }

  async #writeAll(): Promise<void> {
    for (let write = this.#next; write !== null; write = this.#next) {
      this.#next = null;
      await this.#write(write);
    }
    this.#isWriting = false;
  }

  async #write(write: Write): Promise<void> {
    try {
      await this.#store.save(write.states);
      write.resolve();
    } catch (cause) {
      write.reject(asRaftError(cause));
    }
  }
}

function asRaftError(cause: unknown): RaftError {
  if (cause instanceof RaftError) return cause;
  return new RaftError('STORE_FAILED', `the store could not save: ${textOf(cause)}`, { cause });
}
