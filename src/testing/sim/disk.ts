import type { DataChanges } from '../../core/datum.js';
import type { StoredState } from '../../core/outputs.js';
import type { RaftStore, Stored } from '../../stores/store.js';
import { HeldData } from './held-data.js';
import type { SimHost } from './host.js';
import type { SimRandom } from './random.js';
import type { Scheduler } from './scheduler.js';

interface Write {
  readonly state: StoredState;
  readonly changes: DataChanges | undefined;
  /** Tells the process; over when all that follows from it at once is done. */
  readonly done: (error: Error | null) => Promise<void> | undefined;
  readonly over: Promise<void>;
}

/** The disk of one host; it outlives the processes. What it says is durable is so. */
export class SimDisk {
  /** What is durable. */
  content: StoredState | null;
  /** The data of the registry that is durable with it; its base lags. Null: there never was any. */
  data: HeldData | null;
  /** How likely the base follows, part of the way at least, when batches are committed. */
  foldShare = 0.2;
  /** The next write fails; what it leaves is the new state or the former one. */
  nextFails: 'keepsFormer' | 'keepsNew' | null = null;
  /** Told of each state as it becomes durable. */
  onDurable: (state: StoredState, changes: DataChanges | undefined) => void = () => {};
  /** Told of each write as it begins. */
  onWrite: () => void = () => {};
  readonly #scheduler: Scheduler;
  readonly #random: SimRandom;
  #stalls = 0;
  #write: Write | null = null;

  constructor(scheduler: Scheduler, random: SimRandom, content: Stored | null) {
    this.#scheduler = scheduler;
    this.#random = random;
    const { data, ...state } = content ?? {};
    this.content = content === null ? null : (state as StoredState);
    this.data = data === undefined ? null : new HeldData(data);
  }

  /** Whether something is being written. */
  get isWriting(): boolean {
    return this.#write !== null;
  }

  /** A store on this disk, for one process. */
  open(host: SimHost): RaftStore {
    return {
      durable: true,
      open: async () => this.#read(),
      save: (state, changes) => this.#save(host, { ...state }, changes),
      fold: (seq) => this.#fold(seq),
      close: () => this.#idle(),
    };
  }

  /** Ends the process that writes: what is not durable yet becomes so, or is lost. */
  crash(losesUnsaved: boolean): void {
    const write = this.#write;
    this.#write = null;
    if (write !== null && !losesUnsaved) this.#keep(write);
  }

  /** Loses everything. */
  wipe(): void {
    this.#write = null;
    this.content = null;
    this.data = null;
  }

  /** Nothing becomes durable until the matching `resume`. */
  stall(): void {
    this.#stalls++;
  }

  resume(): void {
    this.#stalls--;
    const write = this.#write;
    if (this.#stalls === 0 && write !== null) this.#later(write);
  }

  #read(): Stored | null {
    if (this.content === null) return null;
    return this.data === null ? { ...this.content } : { ...this.content, data: this.data.copy() };
  }

  /** A store is not let go of under a write: it would become durable after the next process had read it. */
  async #idle(): Promise<void> {
    while (this.#write !== null) await this.#write.over;
  }

  #save(host: SimHost, state: StoredState, changes: DataChanges | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      let end = (): void => {};
      const over = new Promise<void>((ended) => {
        end = ended;
      });
      const done = (error: Error | null): Promise<void> | undefined => {
        end();
        return host.post(error === null ? resolve : () => reject(error));
      };
      this.#write = { state, changes, done, over };
      this.onWrite();
      if (this.#stalls === 0) this.#later(this.#write);
    });
  }

  /** The durable base may follow at any time, and seldom does at once. */
  #fold(seq: number): void {
    const { data } = this;
    if (data === null || !this.#random.chance(this.foldShare)) return;
    data.fold(data.revision.seq + this.#random.below(seq - data.revision.seq + 1));
  }

  #later(write: Write): void {
    const slow = this.#random.chance(0.05);
    this.#scheduler.after(slow ? this.#random.skewed(1, 30) : this.#random.between(0.05, 1), () =>
      this.#write === write && this.#stalls === 0 ? this.#finish(write) : undefined,
    );
  }

  #finish(write: Write): Promise<void> | undefined {
    const fails = this.nextFails;
    this.#write = null;
    this.nextFails = null;
    if (fails !== 'keepsFormer') this.#keep(write);
    return write.done(fails === null ? null : new Error('the disk failed'));
  }

  #keep({ state, changes }: Write): void {
    this.content = state;
    if (changes !== undefined) this.data = (this.data ?? new HeldData()).changed(changes);
    this.onDurable(state, changes);
  }
}
