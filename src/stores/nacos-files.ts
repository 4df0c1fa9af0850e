import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { RaftError, textOf } from '../core/errors.js';
import type { NacosDatum } from '../core/nacos-messages.js';
import type { NacosDatumStore } from './nacos-datums.js';

const SUFFIX = '.datum.json';

/**
 * One file a datum, as the original keeps them; its name is a hash of the key. A file is written beside its place, synced
 * and renamed, so that a crash leaves the former datum or the new one. One peer a directory: nothing locks it, as the
 * `FileStore` beside it does that.
 */
export class NacosDatumFiles implements NacosDatumStore {
  /** The absolute path of the directory. */
  readonly path: string;

  /**
   * @param path a directory for nothing else; made at `open` if missing
   * @throws RaftError `BAD_OPTION` unless the path is a string that is not empty
   */
  constructor(path: string) {
    if (typeof path !== 'string' || path === '') {
      throw new RaftError(
        'BAD_OPTION',
        `path: expected the path of a directory, got ${JSON.stringify(path)}`,
      );
    }
    this.path = resolve(path);
  }

  open(): Promise<readonly NacosDatum[]> {
    return this.#attempt('open', async () => {
      await mkdir(this.path, { recursive: true });
      const files = (await readdir(this.path)).filter((file) => file.endsWith(SUFFIX));
      return Promise.all(files.map((file) => this.#read(file)));
    });
  }

  write(datum: NacosDatum): Promise<void> {
    return this.#attempt('write', async () => {
      const path = this.#placeOf(datum.key);
      const file = await open(`${path}.tmp`, 'w');
      try {
        await file.writeFile(JSON.stringify(datum));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(`${path}.tmp`, path);
    });
  }

  remove(key: string): Promise<void> {
    return this.#attempt('remove', () => rm(this.#placeOf(key), { force: true }));
  }

  async close(): Promise<void> {}

  #placeOf(key: string): string {
    return join(this.path, createHash('sha256').update(key).digest('hex') + SUFFIX);
  }

  async #read(file: string): Promise<NacosDatum> {
    const path = join(this.path, file);
    const datum = parse(await readFile(path, 'utf8'));
    if (datum !== null && this.#placeOf(datum.key) === path) return datum;
    throw new RaftError(
      'STORE_CORRUPT',
      `${path} cannot be trusted: it is no datum, or not that of its name`,
    );
  }

  async #attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof RaftError) throw cause;
      throw new RaftError('STORE_FAILED', `${what} in ${this.path} failed: ${textOf(cause)}`, { cause });
    }
  }
}

function parse(text: string): NacosDatum | null {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return null;
  }
  const { key, value, timestamp } = (raw ?? {}) as Partial<NacosDatum>;
  if (typeof key !== 'string' || typeof value !== 'object' || value === null) return null;
  if (!Number.isSafeInteger(timestamp)) return null;
  return { key, value, timestamp: Number(timestamp) };
}
