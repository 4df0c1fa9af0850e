import type { DataChanges } from '../../core/datum.js';
import type { StoredState } from '../../core/outputs.js';
import type { GroupStore } from '../../stores/group-store.js';
import type { RaftStore, Stored } from '../../stores/store.js';
import { HeldData } from './held-data.js';
import type { SimHost } from './host.js';
import type { SimRandom } from './random.js';
import type { Scheduler } from './scheduler.js';

interface Write {
  /** Makes what is written durable. */
  readonly keep: () => void;
  /** Tells the process; over when all that follows from it at once is done. */
  readonly done: (error: Error | null) => Promise<void> | undefined;
  readonly over: Promise<void>;
}

/** The disk of one host; it outlives the processes. What it says is durable is so. */
export class SimDisk {
  /** What is durable of a node, under an empty name, or of each group of a host. */
  readonly #states = new Map<string, StoredState>();
  /** The data of the registry that is durable with it; its base lags. Null: there never was any. */
  data: HeldData | null;
  /** How likely the base follows, part of the way at least, when batches are committed. */
  foldShare = 0.2;
  /** The next write fails; what it leaves is the new state or the former one. */
  nextFails: 'keepsFormer' | 'keepsNew' | null = null;
  /** Told of each state as it becomes durable; `group` is empty for a node. */
  onDurable: (group: string, state: StoredState, changes?: DataChanges) => void = () => {};
  /** Told of each write as it begins. */
  onWrite: () => void = () => {};
  readonly #scheduler: Scheduler;
  readonly #random: SimRandom;
  #stalls = 0;
  #write: Write | null = null;

  /** @param groups the names under which it holds `content` */
  constructor(
    scheduler: Scheduler,
    random: SimRandom,
    content: Stored | null,
    groups: readonly string[] = [''],
  ) {
    this.#scheduler = scheduler;
    this.#random = random;
    const { data, ...state } = content ?? {};
    if (content !== null) for (const group of groups) this.#states.set(group, state as StoredState);
    this.data = data === undefined ? null : new HeldData(data);
  }

  /** What is durable of a node, or of a group. */
  stateOf(group: string): StoredState | null {
    return this.#states.get(group) ?? null;
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

  /** A store of many groups on this disk, for one process. */
  openGroups(host: SimHost): GroupStore {
    return {
      durable: true,
      open: async () => new Map(this.#states),
      save: (states) => this.#saveGroups(host, new Map(states)),
      close: () => this.#idle(),
    };
  }

  /** Ends the process that writes: what is not durable yet becomes so, or is lost. */
  crash(losesUnsaved: boolean): void {
    const write = this.#write;
    this.#write = null;
    if (!losesUnsaved) write?.keep();
  }

  /** Loses everything. */
  wipe(): void {
    this.#write = null;
    this.#states.clear();
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
    const state = this.stateOf('');
    if (state === null) return null;
    return this.data === null ? { ...state } : { ...state, data: this.data.copy() };
  }

  /** A store is not let go of under a write: it would become durable after the next process had read it. */
  async #idle(): Promise<void> {
    while (this.#write !== null) await this.#write.over;
  }

  #save(host: SimHost, state: StoredState, changes: DataChanges | undefined): Promise<void> {
    return this.#begin(host, () => {
      this.#states.set('', state);
      if (changes !== undefined) this.data = (this.data ?? new HeldData()).changed(changes);
      this.onDurable('', state, changes);
    });
  }

  #saveGroups(host: SimHost, states: ReadonlyMap<string, StoredState>): Promise<void> {
    return this.#begin(host, () => {
      for (const [group, state] of states) {
        this.#states.set(group, state);
        this.onDurable(group, state);
      }
    });
  }

  #begin(host: SimHost, keep: Write['keep']): Promise<void> {
    return new Promise((resolve, reject) => {
      let end = (): void => {};
      const over = new Promise<void>((ended) => {
        end = ended;
      });
      const done = (error: Error | null): Promise<void> | undefined => {
        end();
        return host.post(error === null ? resolve : () => reject(error));
      };
      this.#write = { keep, done, over };
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
    if (fails !== 'keepsFormer') write.keep();
    return write.done(fails === null ? null : new Error('the disk failed'));
  }
}
