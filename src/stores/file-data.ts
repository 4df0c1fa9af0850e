import type { StoredData } from '../core/datum.js';
import { type BaseContent, writeBase } from './file-base.js';
import { type LastTail, type LoadedData, loadData } from './file-load.js';
import { baseOf, tailOf } from './file-names.js';
import { TailFile } from './file-tail.js';
import { removeFiles, unsound } from './files.js';
import { KeptData, type OwnChanges } from './kept-data.js';

/** Where data files are, and whose. */
export interface DataPlace {
  readonly path: string;
  readonly ip: string;
  /** Tail files are replaced by a base file when they have grown beyond this, and beyond the base. */
  readonly compactAfterBytes: number;
  /** Throws when the lock is lost. */
  readonly checkLock: () => void;
}

interface Compaction {
  readonly stop: AbortController;
  readonly over: Promise<void>;
}

/**
 * The data files of a file store. Each save appends one line to the tail file. When that has grown, a new generation
 * begins: changes go to its tail file from then on, while its base file is written; once that is durable, the files of
 * the generations before are removed.
 */
export class DataFiles {
  readonly #place: DataPlace;
  #data: KeptData;
  #tail: TailFile;
  #first: number;
  #nextSequence: number;
  #baseSize: number;
  #appending: Promise<void> | null = null;
  #compaction: Compaction | null = null;
  #mayCompact = true;
  #failure: unknown = null;

  private constructor(place: DataPlace, loaded: Omit<LoadedData, keyof LastTail>, tail: TailFile) {
    this.#place = place;
    this.#data = loaded.data;
    this.#tail = tail;
    this.#first = loaded.first;
    this.#nextSequence = loaded.nextSequence;
    this.#baseSize = loaded.baseSize;
  }

  /** Makes the first file, empty. */
  static async create(place: DataPlace): Promise<DataFiles> {
    const tail = await TailFile.create(place.path, 1, place.ip);
    return new DataFiles(place, { data: new KeptData(), first: 1, nextSequence: 1, baseSize: 0 }, tail);
  }

  /** @throws RaftError `STORE_CORRUPT`, `STORE_MISMATCH` */
  static async load(place: DataPlace): Promise<DataFiles> {
    const loaded = await loadData(place.path, place.ip);
    const { last, lastLength, tailSize } = loaded;
    return new DataFiles(place, loaded, await TailFile.open(place.path, last, lastLength, tailSize));
  }

  copy(): StoredData {
    return this.#data.copy();
  }

  /** @throws RaftError `INTERNAL` when `changes` do not fit */
  check(changes: OwnChanges): void {
    this.#data.check(changes);
  }

  /** @throws RaftError `STORE_FAILED` when an earlier change failed: where the files end is not known any more */
  checkSound(): void {
    if (this.#failure !== null) throw unsound(this.#place.path, this.#failure);
  }

  /** Resolved when `changes`, which have passed `check`, are durable: all of them, or none after a crash. */
  async save(changes: OwnChanges): Promise<void> {
    try {
      await (changes.base === undefined ? this.#append(changes) : this.#replace(changes));
    } catch (cause) {
      this.#failure = cause;
      throw cause;
    }
  }

  fold(seq: number): void {
    this.#data.fold(seq);
    const { compactAfterBytes } = this.#place;
    if (!this.#mayCompact || this.#tail.size < Math.max(compactAfterBytes, this.#baseSize)) return;
    this.#mayCompact = false;
    const stop = new AbortController();
    this.#compaction = { stop, over: this.#compactUntil(stop.signal) };
  }

  async close(): Promise<void> {
    await this.#stopCompaction();
    await this.#tail.close();
  }

  async #append(changes: OwnChanges): Promise<void> {
    this.#appending = this.#appendNow(changes);
    try {
      await this.#appending;
    } finally {
      this.#appending = null;
    }
  }

  async #appendNow(changes: OwnChanges): Promise<void> {
    const { committedSeq } = this.#data;
    await this.#tail.append(this.#nextSequence, { committedSeq, ...changes });
    this.#nextSequence += 1;
    this.#data.change(changes);
  }

  /** Begins a generation with another base. Its tail file comes first, so that a base file never lacks one. */
  async #replace(changes: OwnChanges): Promise<void> {
    await this.#stopCompaction();
    this.checkSound();
    const data = this.#data.change(changes);
    const former = this.#tail;
    this.#tail = await this.#nextTail();
    await former.close();
    await this.#writeBase({ data: data.freeze(), nextSequence: this.#nextSequence });
    data.thaw();
    this.#data = data;
    this.#mayCompact = true;
  }

  async #compactUntil(stop: AbortSignal): Promise<void> {
    try {
      await this.#compact(stop);
      this.#mayCompact = true;
    } catch (cause) {
      if (!stop.aborted) this.#failure = cause;
    }
  }

  async #compact(stop: AbortSignal): Promise<void> {
    this.#place.checkLock();
    const tail = await this.#nextTail();
    while (this.#appending !== null) await this.#appending.catch(() => {});
    const former = this.#tail;
    this.#tail = tail;
    const content = { data: this.#data.freeze(), nextSequence: this.#nextSequence };
    try {
      await former.close();
      await this.#writeBase(content, stop);
    } finally {
      this.#data.thaw();
    }
  }

  #nextTail(): Promise<TailFile> {
    const { path, ip } = this.#place;
    return TailFile.create(path, this.#tail.generation + 1, ip);
  }

  /** Writes the base file of the newest generation, and removes the files of those before. */
  async #writeBase(content: BaseContent, stop?: AbortSignal): Promise<void> {
    const { path, ip } = this.#place;
    const { generation } = this.#tail;
    this.#baseSize = await writeBase(path, generation, ip, content, stop);
    const former = Array.from({ length: generation - this.#first }, (_, at) => this.#first + at);
    await removeFiles([baseOf(path, this.#first), ...former.map((each) => tailOf(path, each))]);
    this.#first = generation;
  }

  async #stopCompaction(): Promise<void> {
    this.#mayCompact = false;
    this.#compaction?.stop.abort();
    await this.#compaction?.over;
    this.#compaction = null;
  }
}
