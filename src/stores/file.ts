import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { assert, RaftError } from '../core/errors.js';
import type { StoredState } from '../core/outputs.js';
import { FileLock } from './lock.js';
import type { RaftStore } from './store.js';

const FORMAT = 1;
const LAYOUT = /^\{"checksum":"([0-9a-f]{64})","content":(\{.*\})\}\n$/s;

/**
 * A store in one file, written whole at each save: a temporary file is synced, renamed over the former one, and the
 * directory is synced (D4). A crash at any moment leaves the former state or the new one; anything else that is found
 * in the file is an error, never an empty store.
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
  /** The absolute path of the state file. */
  readonly path: string;
  #opened: { readonly ip: string; readonly lock: FileLock } | null = null;
  #saving = false;
  #turn: Promise<unknown> = Promise.resolve();

  /**
   * @param path the state file, not a symbolic link; its directory is made at `open` if missing. `<path>.tmp` and names
   *   that begin with `<path>.lock` are used besides
   * @throws RaftError `BAD_OPTION` unless the path is a string that is not empty
   */
  constructor(path: string) {
    if (typeof path !== 'string' || path === '') {
      throw new RaftError('BAD_OPTION', `path: expected the path of a file, got ${JSON.stringify(path)}`);
    }
    this.path = resolve(path);
  }

  /**
   * Locks the file and reads it. What it returns is durable, also when the process that saved it was killed half-way.
   *
   * @returns the last saved state, or null when there is no file
   * @throws RaftError `STORE_IN_USE` naming the pid of the holder (also when this very store is open), `STORE_CORRUPT`,
   *   `STORE_MISMATCH`, `STORE_FAILED`
   */
  open(ip: string): Promise<StoredState | null> {
    return this.#inTurn('open', async () => {
      await makeDirectory(dirname(this.path));
      const lock = await FileLock.acquire(`${this.path}.lock`);
      try {
        const state = await load(this.path, ip);
        this.#opened = { ip, lock };
        return state;
      } catch (error) {
        await lock.release().catch(() => {});
        throw error;
      }
    });
  }

  /**
   * Replaces the file; resolved when that is durable.
   *
   * @throws RaftError `STORE_FAILED`, also when the store is not open or has lost its lock; `INTERNAL` when saves overlap
   *   or when `state` is out of bounds
   */
  async save(state: StoredState): Promise<void> {
    assert(!this.#saving, 'saves do not overlap');
    assert(isStoredState(state), 'a state to be saved is within its bounds');
    const { term, voteFor, promisedMs } = state;
    this.#saving = true;
    try {
      await this.#inTurn('save', async () => {
        if (this.#opened === null) throw new RaftError('STORE_FAILED', `${this.path} is not open`);
        const { ip, lock } = this.#opened;
        if (!(await lock.isHeld())) {
          throw new RaftError(
            'STORE_FAILED',
            `${this.path} was not saved: its lock was removed or taken over`,
          );
        }
        await replaceFile(this.path, encode({ format: FORMAT, ip, term, voteFor, promisedMs }));
      });
    } finally {
      this.#saving = false;
    }
  }

  /**
   * Removes the lock, after what was called before is done.
   *
   * @throws RaftError `STORE_FAILED` when the lock file could not be removed; the store is closed all the same
   */
  close(): Promise<void> {
    return this.#inTurn('close', async () => {
      const lock = this.#opened?.lock;
      this.#opened = null;
      await lock?.release();
    });
  }

  /** One thing at a time: a lock must not be released under a save that still runs. */
  #inTurn<T>(what: string, work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work).catch((cause: unknown) => {
      if (cause instanceof RaftError) throw cause;
      throw new RaftError('STORE_FAILED', `${what} of ${this.path} failed: ${String(cause)}`, { cause });
    });
    this.#turn = result.catch(() => {});
    return result;
  }
}

async function load(path: string, ip: string): Promise<StoredState | null> {
  await rm(temporaryOf(path), { force: true });
  const text = await readFileOrNull(path);
  const content = text === null ? null : decode(text, path);
  if (content !== null && content.ip !== ip) {
    throw new RaftError('STORE_MISMATCH', `${path} belongs to ${content.ip}, not to ${ip}`, {
      ip: content.ip,
    });
  }
  // A process killed between rename and sync has left a state that is seen but could still be lost: others may have
  // been told nothing of it yet, but after this call they will be.
  await syncDirectory(dirname(path));
  if (content === null) return null;
  return { term: content.term, voteFor: content.voteFor, promisedMs: content.promisedMs };
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
  if (content?.format !== FORMAT) {
    throw corrupt(
      path,
      `its format is not ${FORMAT}; if a newer version of raftbeat wrote it, use that version`,
    );
  }
  if (typeof content.ip !== 'string' || !isStoredState(content))
    throw corrupt(path, 'a field is out of bounds');
  return content as Content;
}

function corrupt(path: string, reason: string): RaftError {
  return new RaftError(
    'STORE_CORRUPT',
    `${path} cannot be trusted: ${reason}. Do not put an older copy in its place, which would forget votes. ` +
      'Move the file away, and the peer joins again like a new one, once enough of the others have answered it',
  );
}

function isStoredState(value: Partial<StoredState>): value is StoredState {
  const { term, voteFor, promisedMs } = value;
  return (
    Number.isSafeInteger(term) &&
    Number(term) >= 0 &&
    (voteFor === null || typeof voteFor === 'string') &&
    Number.isFinite(promisedMs) &&
    Number(promisedMs) >= 0
  );
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

function temporaryOf(path: string): string {
  return `${path}.tmp`;
}

async function readFileOrNull(path: string): Promise<string | null> {
  try {
    // A symbolic link would be replaced by the first save, and one that leads nowhere would look like an empty store.
    const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    try {
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const file = await open(temporaryOf(path), 'w');
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporaryOf(path), path);
  await syncDirectory(dirname(path));
}

async function syncDirectory(path: string): Promise<void> {
  // Windows has no such thing: there a directory cannot be opened as a file.
  if (process.platform === 'win32') return;
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  // The entry of each new directory must be durable in its parent, or all of it could vanish with the power.
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made));
}
