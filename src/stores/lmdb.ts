import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { type Database, open as openDatabase, type RootDatabase } from 'lmdb';
import {
  type Base,
  type Batch,
  type DataChanges,
  datumAfter,
  floorAfter,
  NO_DATA,
  type StoredData,
  type StoredDatum,
} from '../core/datum.js';
import { RaftError, textOf } from '../core/errors.js';
import type { StoredState } from '../core/outputs.js';
import { corrupt, readBeginning, syncDirectory } from './files.js';
import { checkChanges, type OwnChanges } from './kept-data.js';
import { LockedPlace } from './locked-place.js';
import type { RaftStore, Stored } from './store.js';
import { checkOwner, isStoredState, stateOf } from './stored-state.js';

const FORMAT = 1;
const HEAD = 'store';
const MAGIC = { at: 24, bytes: Buffer.from([0xde, 0xc0, 0xef, 0xbe]) };

/** The entry that tells of all others. */
interface Head extends StoredState {
  readonly format: number;
  readonly ip: string;
  /** The base without its datums; null until data is saved. */
  readonly base: Omit<Base, 'datums'> | null;
}

/** An open database: its head, the datums of the base by a hash of their key, and the batches of the tail by their seq. */
interface Opened {
  readonly ip: string;
  readonly root: RootDatabase<string, string>;
  readonly datums: Database<string, string>;
  readonly tail: Database<string, number>;
  base: Head['base'];
  lastSeq: number;
  committedSeq: number;
  failure: unknown;
}

/** What one save writes; worked out before, so that nothing but the database can fail in its transaction. */
interface Writes {
  readonly head: Head;
  /** Whether all former entries go first. */
  readonly isAnew: boolean;
  readonly datums: ReadonlyMap<string, string | null>;
  readonly batches: ReadonlyMap<number, string | null>;
  readonly lastSeq: number;
}

/**
 * A store in an LMDB database of its own, in one file; needs the package `lmdb`. Each save is one transaction, durable
 * when it resolves. What is committed moves from the tail into the base with the save after it.
 *
 * LMDB guards its file against crashes, not against damage: it has no checksums, and a damaged file can end the process.
 * Where that matters, use the file store.
 *
 * While open, it holds the lock file `<path>.lock`, with the rules and limits of the file store.
 */
export class LmdbStore implements RaftStore {
  readonly durable = true;
  readonly #place: LockedPlace<Opened>;

  /**
   * @param path the database file; its directory is made at `open` if missing. `<path>-lock` and names that begin with
   *   `<path>.lock` are used besides
   * @throws RaftError `BAD_OPTION` unless the path is a string that is not empty
   */
  constructor(path: string) {
    this.#place = new LockedPlace(path);
  }

  /** The absolute path of the database file. */
  get path(): string {
    return this.#place.path;
  }

  /**
   * Locks the database and reads it. What it returns is durable.
   *
   * @returns what was saved last, or null when nothing was
   * @throws RaftError `STORE_IN_USE` naming the pid of the holder (also when this very store is open), `STORE_CORRUPT`,
   *   `STORE_MISMATCH`, `STORE_FAILED`
   */
  open(ip: string): Promise<Stored | null> {
    return this.#place.open(() => this.#load(ip));
  }

  /**
   * Writes state and data in one transaction; resolved when that is durable.
   *
   * @throws RaftError `STORE_FAILED`, also when the store is not open or has lost its lock, and always after a save has
   *   failed; `INTERNAL` when saves overlap, when `state` is out of bounds, or when `data` would cut what is committed or
   *   leave a gap
   */
  save(state: StoredState, data?: DataChanges): Promise<void> {
    return this.#place.save(state, data, (opened, kept, changes) => this.#save(opened, kept, changes));
  }

  /** Tells what is committed; it moves into the base with the next save. */
  fold(seq: number): void {
    const { opened } = this.#place;
    if (opened !== null) opened.committedSeq = Math.max(opened.committedSeq, Math.min(seq, opened.lastSeq));
  }

  /**
   * Closes the database and removes the lock, after what was called before is done.
   *
   * @throws RaftError `STORE_FAILED`; the store is closed all the same
   */
  close(): Promise<void> {
    return this.#place.close(({ root }) => root.close());
  }

  async #load(ip: string): Promise<readonly [Opened, Stored | null]> {
    await refuseOtherFiles(this.path);
    // Without `overlappingSync` a commit is durable before anybody can see it.
    const root = openDatabase<string, string>(this.path, {
      noSubdir: true,
      encoding: 'string',
      overlappingSync: false,
    });
    try {
      const datums = root.openDB<string, string>('datums', { encoding: 'string' });
      const tail = root.openDB<string, number>('tail', { encoding: 'string' });
      await syncDirectory(dirname(this.path));
      const opened = { ip, root, datums, tail, base: null, lastSeq: 0, committedSeq: 0, failure: null };
      return [opened, await this.#read(opened)];
    } catch (error) {
      await root.close();
      throw error;
    }
  }

  async #read(opened: Opened): Promise<Stored | null> {
    const { root, ip } = opened;
    const text = root.get(HEAD);
    if (text === undefined) return null;
    const head = decodeHead(text, this.path);
    checkOwner(this.path, head.ip, ip);
    // The last commit of a process that was killed may be seen, and not yet be durable: the next one makes it so.
    await root.put(HEAD, text);
    if (head.base === null) return stateOf(head);
    const data = readData(opened, head.base, this.path);
    opened.base = head.base;
    opened.committedSeq = head.base.revision.seq;
    opened.lastSeq = opened.committedSeq + data.tail.length;
    return { ...stateOf(head), data };
  }

  async #save(opened: Opened, state: StoredState, changes: OwnChanges | null): Promise<void> {
    if (opened.failure !== null) {
      const reason = `an earlier save failed (${textOf(opened.failure)}); open it again`;
      throw new RaftError('STORE_FAILED', `${this.path} was not saved: ${reason}`, { cause: opened.failure });
    }
    if (changes !== null) checkChanges(changes, opened.committedSeq, opened.lastSeq);
    const writes = plan(opened, state, changes);
    try {
      await commit(opened, writes);
    } catch (cause) {
      opened.failure = cause;
      throw cause;
    }
    const { base } = writes.head;
    opened.base = base;
    opened.lastSeq = writes.lastSeq;
    opened.committedSeq = Math.max(
      changes?.base === undefined ? opened.committedSeq : 0,
      base?.revision.seq ?? 0,
    );
  }
}

/** LMDB ends the process over a file that is none of its own, or whose making was cut short. */
async function refuseOtherFiles(path: string): Promise<void> {
  const beginning = await readBeginning(path, MAGIC.at + MAGIC.bytes.length);
  if (beginning === null || beginning.subarray(MAGIC.at).equals(MAGIC.bytes)) return;
  throw corrupt(path, 'it is no LMDB database, or not all of one');
}

function decodeHead(text: string, path: string): Head {
  const head = JSON.parse(text) as Partial<Head>;
  if (head.format !== FORMAT) {
    throw corrupt(
      path,
      `its format is not ${FORMAT}; if a newer version of raftbeat wrote it, use that version`,
    );
  }
  if (typeof head.ip !== 'string' || !isStoredState(head)) throw corrupt(path, 'a field is out of bounds');
  return head as Head;
}

function readData({ datums, tail }: Opened, base: NonNullable<Head['base']>, path: string): StoredData {
  const map = new Map<string, StoredDatum>();
  for (const { value } of datums.getRange()) {
    const datum = JSON.parse(value) as StoredDatum;
    map.set(datum.key, datum);
  }
  const batches = [...tail.getRange()].map(({ value }) => JSON.parse(value) as Batch);
  const { seq } = base.revision;
  const isGapless = batches.every(({ revision }, at) => revision.seq === seq + 1 + at);
  if (!isGapless) throw corrupt(path, 'its tail has a gap');
  return { base: { ...base, datums: map }, tail: batches };
}

function plan(opened: Opened, state: StoredState, changes: OwnChanges | null): Writes {
  const { ip, lastSeq } = opened;
  const { base, cutFrom = Number.POSITIVE_INFINITY, append = [] } = changes ?? {};
  const folded = base === undefined ? fold(opened) : anew(base);
  const end = Math.min(base?.revision.seq ?? lastSeq, cutFrom - 1);
  const batches = new Map<number, string | null>(folded.batches);
  for (let seq = end + 1; seq <= lastSeq; seq += 1) batches.set(seq, null);
  for (const batch of append) batches.set(batch.revision.seq, JSON.stringify(batch));
  const head = {
    format: FORMAT,
    ip,
    ...state,
    base: changes === null && opened.base === null ? null : folded.base,
  };
  return { head, isAnew: base !== undefined, datums: folded.datums, batches, lastSeq: end + append.length };
}

type Folded = Pick<Writes, 'datums' | 'batches'> & { readonly base: NonNullable<Head['base']> };

/** What moves the committed batches of the tail into the base. */
function fold({ base, tail, committedSeq }: Opened): Folded {
  let { revision, stampFloor } = base ?? NO_DATA.base;
  const datums = new Map<string, string | null>();
  const batches = new Map<number, null>();
  for (let seq = revision.seq + 1; seq <= committedSeq; seq += 1) {
    const batch = JSON.parse(tail.get(seq) ?? 'null') as Batch;
    revision = batch.revision;
    batches.set(seq, null);
    for (const op of batch.ops) {
      const datum = datumAfter(op, revision);
      stampFloor = floorAfter(stampFloor, op);
      datums.set(hashOf(op.key), datum === null ? null : JSON.stringify(datum));
    }
  }
  return { base: { revision, stampFloor }, datums, batches };
}

function anew({ revision, stampFloor, datums }: Base): Folded {
  const entries = new Map<string, string>();
  for (const datum of datums.values()) entries.set(hashOf(datum.key), JSON.stringify(datum));
  return { base: { revision, stampFloor }, datums: entries, batches: new Map() };
}

/** Keys of LMDB are short, and in UTF-8; those of datums need not be. */
function hashOf(key: string): string {
  return createHash('sha256').update(JSON.stringify(key)).digest('base64url');
}

/** A child transaction: unlike others it is undone when something is thrown in it. */
async function commit({ root, datums, tail }: Opened, writes: Writes): Promise<void> {
  await root.childTransaction(() => {
    if (writes.isAnew) {
      datums.clearSync();
      tail.clearSync();
    }
    writeAll(datums, writes.datums);
    writeAll(tail, writes.batches);
    root.putSync(HEAD, JSON.stringify(writes.head));
  });
}

function writeAll<K extends string | number>(
  database: Database<string, K>,
  entries: ReadonlyMap<K, string | null>,
): void {
  for (const [key, text] of entries) {
    if (text === null) database.removeSync(key);
    else database.putSync(key, text);
  }
}
