import { type FileHandle, open } from 'node:fs/promises';
import type { DataChanges } from '../core/datum.js';
import { encodeHeader, readHeader } from './file-header.js';
import { encodeLine, LineReader } from './file-lines.js';
import { tailOf } from './file-names.js';
import { corrupt, readFileOrNull, replaceFile } from './files.js';

/** One line of a tail file: what one save changed, and up to where batches were known to be committed then. */
export interface TailRecord extends Omit<DataChanges, 'base'> {
  readonly committedSeq: number;
}

/** The file that the changes of a generation are appended to. */
export class TailFile {
  readonly generation: number;
  /** How much was appended, in bytes. */
  size: number;
  readonly #file: FileHandle;

  private constructor(generation: number, file: FileHandle, size: number) {
    this.generation = generation;
    this.#file = file;
    this.size = size;
  }

  /** A new one, durable, in the place of any that is there. */
  static async create(path: string, generation: number, ip: string): Promise<TailFile> {
    const header = encodeHeader('tail', generation, ip);
    await replaceFile(tailOf(path, generation), (file) => file.writeFile(header));
    return TailFile.open(path, generation, 0);
  }

  static async open(path: string, generation: number, size: number): Promise<TailFile> {
    return new TailFile(generation, await open(tailOf(path, generation), 'a'), size);
  }

  /** Resolved when `record` is durable. When it rejects, nobody knows where the file ends. */
  async append(sequence: number, record: TailRecord): Promise<void> {
    const line = encodeLine({ generation: this.generation, sequence }, record);
    await this.#file.writeFile(line);
    await this.#file.datasync();
    this.size += line.length;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** What a tail file holds. */
export interface ReadTail {
  readonly records: readonly TailRecord[];
  /** The length of what is whole, in bytes. */
  readonly length: number;
  /** Whether a record that was never acknowledged, or a part of one, follows that. */
  readonly isTorn: boolean;
}

/**
 * @param sequence the number of the first record
 * @throws RaftError `STORE_CORRUPT`, `STORE_MISMATCH`
 */
export async function readTail(
  path: string,
  generation: number,
  ip: string,
  sequence: number,
): Promise<ReadTail> {
  const name = tailOf(path, generation);
  const bytes = await readFileOrNull(name);
  if (bytes === null) throw corrupt(name, 'it is missing');
  const reader = new LineReader(name, bytes);
  readHeader(reader, 'tail', generation, ip);
  const records: TailRecord[] = [];
  while (!reader.isAtEnd && !reader.isTorn()) {
    records.push(reader.next({ generation, sequence: sequence + records.length }) as TailRecord);
  }
  return { records, length: reader.position, isTorn: !reader.isAtEnd };
}

/** Cuts a tail file to what is whole, and makes that durable: the process may have been killed before it was. */
export async function mendTail(path: string, generation: number, length: number): Promise<void> {
  const file = await open(tailOf(path, generation), 'r+');
  try {
    await file.truncate(length);
    await file.sync();
  } finally {
    await file.close();
  }
}
