import type { StoredState } from '../core/outputs.js';
import { AppendedFile } from './appended-file.js';
import type { DataPlace } from './file-data.js';
import { withoutZeros } from './file-lines.js';
import {
  corrupt,
  putInPlace,
  readBeginning,
  readFileOrNull,
  temporaryOf,
  unsound,
  writeTemporary,
} from './files.js';
import { type GroupEntry, lineOfSave, linesOfLive, type ReadGroups, readGroups } from './group-lines.js';

interface Compaction {
  readonly stop: AbortController;
  readonly over: Promise<void>;
  /** The lines that were appended since it began. */
  readonly since: Buffer[];
}

/**
 * The log of many groups: first what was live when it was written anew, then a line for each save. When the saves have
 * grown longer than that, what is live is read back and written into a temporary file, beside other saves. These follow
 * there in the end, between two saves, and that file takes the place of the log. So one file or the other is whole at any
 * moment, and holds all that was acknowledged; and no state is kept in memory.
 */
export class GroupLog {
  readonly #place: DataPlace;
  #file: AppendedFile;
  #nextSequence: number;
  /** How long the log was when it was written anew. */
  #liveBytes: number;
  #last: Promise<unknown> = Promise.resolve();
  #compaction: Compaction | null = null;
  #failure: unknown = null;

  private constructor(place: DataPlace, file: AppendedFile, nextSequence: number) {
    this.#place = place;
    this.#file = file;
    this.#liveBytes = file.end;
    this.#nextSequence = nextSequence;
  }

  /**
   * Reads the log and writes it anew: the process may have been killed before all of it was durable. It is another file
   * then, which a process that has lost the lock, and still has the former one open, cannot write to.
   *
   * @throws RaftError `STORE_CORRUPT`, `STORE_MISMATCH`, and then it is as it was
   */
  static async open(place: DataPlace): Promise<[log: GroupLog, states: Map<string, StoredState>]> {
    const { path, ip } = place;
    const bytes = await readFileOrNull(path);
    const read =
      bytes === null
        ? { states: new Map<string, StoredState>(), nextSequence: 1 }
        : await readGroups(path, withoutZeros(bytes), ip);
    const size = await writeLive(place, read);
    await putInPlace(path);
    return [new GroupLog(place, await AppendedFile.open(path, size), read.nextSequence), read.states];
  }

  /** Resolved when all of `entries` are durable. */
  append(entries: readonly GroupEntry[]): Promise<void> {
    return this.#alone(async () => {
      const line = lineOfSave(this.#nextSequence, entries);
      await this.#file.append(line);
      this.#nextSequence += 1;
      this.#compaction?.since.push(line);
      const grown = this.#file.end - this.#liveBytes;
      if (grown > Math.max(this.#place.compactAfterBytes, this.#liveBytes)) this.#beginCompaction();
    });
  }

  async close(): Promise<void> {
    this.#compaction?.stop.abort();
    await this.#compaction?.over;
    await this.#file.close();
  }

  #beginCompaction(): void {
    if (this.#compaction !== null) return;
    const stop = new AbortController();
    const since: Buffer[] = [];
    this.#compaction = { stop, since, over: this.#compactUntil(stop.signal, since) };
  }

  async #compactUntil(stop: AbortSignal, since: readonly Buffer[]): Promise<void> {
    try {
      await this.#compact(stop, since);
      this.#compaction = null;
    } catch (cause) {
      if (!stop.aborted) this.#failure ??= cause;
    }
  }

  async #compact(stop: AbortSignal, since: readonly Buffer[]): Promise<void> {
    const live = await this.#readBack();
    const size = await writeLive(this.#place, live, stop);
    await this.#alone(() => this.#replace(size, since));
  }

  /** What is live at the moment of the call; saves may follow meanwhile. */
  async #readBack(): Promise<ReadGroups> {
    const { path, ip } = this.#place;
    const nextSequence = this.#nextSequence;
    const bytes = await readBeginning(path, this.#file.end);
    const live = await readGroups(path, bytes ?? Buffer.alloc(0), ip);
    if (live.nextSequence !== nextSequence) throw corrupt(path, 'saves have vanished from it');
    return live;
  }

  /** Lets the file that is written take the place of the log, with what was saved `since`. */
  async #replace(size: number, since: readonly Buffer[]): Promise<void> {
    const { path, checkLock } = this.#place;
    const next = await AppendedFile.open(temporaryOf(path), size);
    const former = this.#file;
    this.#file = next;
    this.#liveBytes = size;
    await former.close();
    await next.append(Buffer.concat(since));
    checkLock();
    await putInPlace(path);
  }

  /**
   * One thing at a time. After one that failed, none is done any more: what is on the disk is not known, and a sync that is
   * tried again may succeed for what was lost.
   */
  #alone(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(async () => {
      if (this.#failure !== null) throw unsound(this.#place.path, this.#failure);
      try {
        await work();
      } catch (cause) {
        this.#failure = cause;
        throw cause;
      }
    });
    this.#last = done.catch(() => {});
    return done;
  }
}

/** @returns its length in bytes */
async function writeLive({ path, ip }: DataPlace, live: ReadGroups, stop?: AbortSignal): Promise<number> {
  let size = 0;
  await writeTemporary(path, async (file) => {
    for (const line of linesOfLive(ip, live)) {
      await file.writeFile(line);
      size += line.length;
      stop?.throwIfAborted();
    }
  });
  return size;
}
