import type { DataChanges } from '../core/datum.js';
import { AppendedFile } from './appended-file.js';
import { encodeHeader, readHeader } from './file-header.js';
import { encodeLine, LineReader, withoutZeros } from './file-lines.js';
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
  readonly #file: AppendedFile;

  private constructor(generation: number, file: AppendedFile, size: number) {
    this.generation = generation;
    this.#file = file;
    this.size = size;
  }

  /** A new one, durable, in the place of any that is there. */
  static async create(path: string, generation: number, ip: string): Promise<TailFile> {
    const header = encodeHeader('tail', generation, ip);
    await replaceFile(tailOf(path, generation), (file) => file.writeFile(header));
    return TailFile.open(path, generation, header.length, 0);
  }

  /** @param end the length of the file */
  static async open(path: string, generation: number, end: number, size: number): Promise<TailFile> {
    return new TailFile(generation, await AppendedFile.open(tailOf(path, generation), end), size);
  }

  /** Resolved when `record` is durable. When it rejects, nobody knows where the file ends. */
  async append(sequence: number, record: TailRecord): Promise<void> {
    const line = encodeLine({ generation: this.generation, sequence }, record);
    await this.#file.append(line);
    this.size += line.length;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** What a tail file holds. */
export interface ReadTail {
  readonly records: readonly TailRecord[];
  /** The header and the records, as they stand there. */
  readonly whole: Buffer;
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
  const reader = new LineReader(name, withoutZeros(bytes));
  readHeader(reader, 'tail', generation, ip);
  const records: TailRecord[] = [];
  while (!reader.isAtEnd && !reader.isTorn()) {
    records.push(reader.next({ generation, sequence: sequence + records.length }) as TailRecord);
  }
  return { records, whole: bytes.subarray(0, reader.position), isTorn: !reader.isAtEnd };
}

/**
 * Writes what is whole of a tail file anew, durably: the process may have been killed before it was. It is another file
 * then, which a process that has lost the lock, and still has the former one open, cannot write to.
 */
export async function mendTail(path: string, generation: number, whole: Buffer): Promise<void> {
  await replaceFile(tailOf(path, generation), (file) => file.writeFile(whole));
}
