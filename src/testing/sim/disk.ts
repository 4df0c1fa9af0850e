import type { StoredState } from '../../core/outputs.js';
import type { RaftStore } from '../../stores/store.js';
import type { SimHost } from './host.js';
import type { SimRandom } from './random.js';
import type { Scheduler } from './scheduler.js';

interface Write {
  readonly state: StoredState;
  /** Tells the process; over when all that follows from it at once is done. */
  readonly done: (error: Error | null) => Promise<void> | undefined;
  readonly over: Promise<void>;
}

/** The disk of one host; it outlives the processes. What it says is durable is so. */
export class SimDisk {
  /** What is durable. */
  content: StoredState | null;
  /** The next write fails; what it leaves is the new state or the former one. */
  nextFails: 'keepsFormer' | 'keepsNew' | null = null;
  /** Told of each state as it becomes durable. */
  onDurable: (state: StoredState) => void = () => {};
  /** Told of each write as it begins. */
  onWrite: () => void = () => {};
  readonly #scheduler: Scheduler;
  readonly #random: SimRandom;
  #stalls = 0;
  #write: Write | null = null;

  constructor(scheduler: Scheduler, random: SimRandom, content: StoredState | null) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.content = content;
  }

  /** A store on this disk, for one process. */
  open(host: SimHost): RaftStore {
    return {
      durable: true,
      open: async () => (this.content === null ? null : { ...this.content }),
      save: (state) => this.#save(host, { ...state }),
      close: () => this.#idle(),
    };
  }

  /** Ends the process that writes: what is not durable yet becomes so, or is lost. */
  crash(losesUnsaved: boolean): void {
    const write = this.#write;
    this.#write = null;
    if (write !== null && !losesUnsaved) this.#keep(write.state);
  }

  /** Loses everything. */
  wipe(): void {
    this.#write = null;
    this.content = null;
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

  /** A store is not let go of under a write: it would become durable after the next process had read it. */
  async #idle(): Promise<void> {
    while (this.#write !== null) await this.#write.over;
  }

  #save(host: SimHost, state: StoredState): Promise<void> {
    return new Promise((resolve, reject) => {
      let end = (): void => {};
      const over = new Promise<void>((ended) => {
        end = ended;
      });
      const done = (error: Error | null): Promise<void> | undefined => {
        end();
        return host.post(error === null ? resolve : () => reject(error));
      };
      this.#write = { state, done, over };
      this.onWrite();
      if (this.#stalls === 0) this.#later(this.#write);
    });
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
    if (fails !== 'keepsFormer') this.#keep(write.state);
    return write.done(fails === null ? null : new Error('the disk failed'));
  }

  #keep(state: StoredState): void {
    this.content = state;
    this.onDurable(state);
  }
}
