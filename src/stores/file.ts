import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DataChanges } from '../core/datum.js';
import type { StoredState } from '../core/outputs.js';
import { COMPACT_AFTER_BYTES, checkCompactAfter } from './compact-after.js';
import { DataFiles, type DataPlace } from './file-data.js';
import { removeUnusedData } from './file-load.js';
import { corrupt, readFileOrNull, replaceFile, syncDirectory, temporaryOf } from './files.js';
import { KeptData, type OwnChanges } from './kept-data.js';
import { LockedPlace } from './locked-place.js';
import type { RaftStore, Stored } from './store.js';
import { checkOwner, isStoredState, stateOf } from './stored-state.js';

/** The format of a state file. The second says that data files belong to it, which no older version knows of. */
const FORMATS = { withoutData: 1, withData: 2 };
const LAYOUT = /^\{"checksum":"([0-9a-f]{64})","content":(\{.*\})\}\n$/s;

export { FileGroupStore, type FileGroupStoreOptions } from './file-groups.js';

export interface FileStoreOptions {
  /**
   * How far the changes of the registry may grow, in bytes, before what is committed is written anew without them; they
   * may always grow as far as that itself has. 0 or more.
   *
   * @default 4 MiB
   */
  readonly compactAfterBytes?: number;
}

interface Opened {
  readonly place: DataPlace;
  /** Null until data is saved. */
  data: DataFiles | null;
  /** What the state file is known to hold. */
  saved: StoredState | null;
}

/**
 * A store in one file, written whole at each save: a temporary file is synced, renamed over the former one, and the
 * directory is synced (D4). A crash at any moment leaves the former state or the new one; anything else that is found
 * in the file is an error, never an empty store.
 *
 * The data of the registry, if any is saved, is kept in files beside it: `<path>.tail.<n>`, to which each save appends a
 * line (one sync), and `<path>.base.<n>`, what was committed when that tail began. While the store is open, zeros follow
 * the last line: room for the next. The state file is then written only when the state has changed, before the data. All
 * these files belong together: none may be removed, or put in from a copy.
 *
 * While open, it holds the lock file `<path>.lock`; the lock of a process that has died is taken over. The lock tells
 * processes apart within one pid namespace of one host. A lock that was made elsewhere (in another container, on another
 * host, before a reboot) is taken over, since nobody here can tell whether its holder lives: that no two containers or
 * hosts use one volume at the same time is for the operator to ensure. A store whose lock was taken over or removed
 * refuses to save. A worker thread that was terminated with an open store keeps it locked until its process ends.
 *
 * The file system must have hard links.
 */
export class FileStore implements RaftStore {
  readonly durable = true;
  readonly #compactAfterBytes: number;
  readonly #place: LockedPlace<Opened>;

  /**
   * @param path the state file, not a symbolic link; its directory is made at `open` if missing. `<path>.tmp` and names
   *   that begin with `<path>.lock`, `<path>.tail.` or `<path>.base.` are used besides
   * @throws RaftError `BAD_OPTION` unless the path is a string that is not empty, and the options are in range
   */
  constructor(path: string, { compactAfterBytes = COMPACT_AFTER_BYTES }: FileStoreOptions = {}) {
    this.#compactAfterBytes = checkCompactAfter(compactAfterBytes);
    this.#place = new LockedPlace(path);
  }

  /** The absolute path of the state file. */
  get path(): string {
    return this.#place.path;
  }

  /**
   * Locks the file and reads it. What it returns is durable, also when the process that saved it was killed half-way.
   *
   * @returns the last saved state, or null when there is no file
   * @throws RaftError `STORE_IN_USE` naming the pid of the holder (also when this very store is open), `STORE_CORRUPT`,
   *   `STORE_MISMATCH`, `STORE_FAILED`
   */
  open(ip: string): Promise<Stored | null> {
    return this.#place.open(async (checkLock) => {
      const content = await load(this.path, ip);
      const saved = content === null ? null : stateOf(content);
      const { path } = this;
      const place = { path, ip, compactAfterBytes: this.#compactAfterBytes, checkLock };
      const opened: Opened = { place, data: null, saved };
      if (content?.format === FORMATS.withData) opened.data = await DataFiles.load(place);
      else await removeUnusedData(this.path, ip);
      const stored = saved && (opened.data === null ? { ...saved } : { ...saved, data: opened.data.copy() });
      return [opened, stored];
    });
  }

  /**
   * Replaces the state file, unless only data changes; then appends the change of the data. Resolved when that is durable.
   *
   * @throws RaftError `STORE_FAILED`, also when the store is not open or has lost its lock, and always after a change of
   *   the data has failed; `INTERNAL` when saves overlap, when `state` is out of bounds, or when `data` would cut what is
   *   committed or leave a gap
   */
  save(state: StoredState, data?: DataChanges): Promise<void> {
    return this.#place.save(state, data, (opened, kept, changes) => this.#save(opened, kept, changes));
  }

  /** Tells what is committed; now and then, that is written anew, beside other saves. */
  fold(seq: number): void {
    this.#place.opened?.data?.fold(seq);
  }

  /**
   * Removes the lock, after what was called before is done.
   *
   * @throws RaftError `STORE_FAILED` when the lock file could not be removed; the store is closed all the same
   */
  close(): Promise<void> {
    return this.#place.close(async ({ data }) => data?.close());
  }

  async #save(opened: Opened, state: StoredState, changes: OwnChanges | null): Promise<void> {
    opened.data?.checkSound();
    if (changes !== null) {
      // Before anything is written: what does not fit must not change the state either.
      if (opened.data === null) new KeptData().check(changes);
      else opened.data.check(changes);
      opened.data ??= await this.#firstData(opened);
    }
    if (changes === null || !isSame(opened.saved, state)) await this.#saveState(opened, state);
    if (changes !== null) await opened.data?.save(changes);
  }

  /** The first data file is there before a state file that tells of it. */
  async #firstData(opened: Opened): Promise<DataFiles> {
    const data = await DataFiles.create(opened.place);
    opened.saved = null;
    return data;
  }

  async #saveState(opened: Opened, state: StoredState): Promise<void> {
    const format = opened.data === null ? FORMATS.withoutData : FORMATS.withData;
    const text = encode({ format, ip: opened.place.ip, ...state });
    opened.saved = null;
    await replaceFile(this.path, (file) => file.writeFile(text));
    opened.saved = state;
  }
}

async function load(path: string, ip: string): Promise<Content | null> {
  await rm(temporaryOf(path), { force: true });
  const bytes = await readFileOrNull(path);
  const content = bytes === null ? null : decode(bytes.toString(), path);
  if (content !== null) checkOwner(path, content.ip, ip);
  // A process killed between rename and sync has left a state that is seen but could still be lost: others may have
  // been told nothing of it yet, but after this call they will be.
  await syncDirectory(dirname(path));
  return content;
}

function isSame(saved: StoredState | null, { term, voteFor, promisedMs, learner }: StoredState): boolean {
  return (
    saved?.term === term &&
    saved.voteFor === voteFor &&
    saved.promisedMs === promisedMs &&
    saved.learner === learner
  );
}

interface Content extends StoredState {
  readonly format: number;
  readonly ip: string;
}

function encode(content: Content): string {
  const text = JSON.stringify(content);
  return `{"checksum":"${sha256(text)}","content":${text}}\n`;
}

function decode(text: string, path: string): Content {
  const [, checksum, sealed] = LAYOUT.exec(text) ?? [];
  if (sealed === undefined) throw corrupt(path, text === '' ? 'it is empty' : 'it is torn or no state file');
  if (sha256(sealed) !== checksum) throw corrupt(path, 'its checksum is wrong');
  const content = parse(sealed);
  if (content === null || !Object.values(FORMATS).includes(content.format ?? 0)) {
    throw corrupt(
      path,
      `its format is not ${Object.values(FORMATS).join(' or ')}; if a newer version of raftbeat wrote it, use that version`,
    );
  }
  if (typeof content.ip !== 'string' || !isStoredState(content))
    throw corrupt(path, 'a field is out of bounds');
  return content as Content;
}

function parse(text: string): Partial<Content> | null {
  try {
    return JSON.parse(text) as Partial<Content>;
  } catch {
    return null;
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
