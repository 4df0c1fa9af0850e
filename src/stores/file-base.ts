import type { Batch, StoredData, StoredDatum } from '../core/datum.js';
import type { Revision } from '../core/messages.js';
import { encodeHeader, readHeader } from './file-header.js';
import { encodeLine, LineReader, portions } from './file-lines.js';
import { baseOf } from './file-names.js';
import { corrupt, readFileOrNull, replaceFile } from './files.js';
import { KeptData } from './kept-data.js';

const FIELDS_CHARACTERS = 64;

/** What the first line of a base file tells besides. */
interface BaseHeader {
  readonly revision: Revision;
  readonly stampFloor: number;
  readonly datums: number;
  readonly batches: number;
  /** The number of the first record in the tail file of this generation. */
  readonly nextSequence: number;
}

/** What is written into a base file. */
export interface BaseContent {
  readonly data: StoredData;
  readonly nextSequence: number;
}

/** What a generation begins with, as read. */
export interface Beginning {
  readonly data: KeptData;
  readonly nextSequence: number;
  /** The size of its file in bytes. */
  readonly size: number;
}

/**
 * Writes the base file of a generation, line by line between other work; its map must stay as it is meanwhile. Of the
 * tail it holds what is not yet committed, so that the generations before it are needed no more.
 *
 * @returns its size in bytes
 * @throws what `signal` was aborted with, and then the generation has no base file
 */
export async function writeBase(
  path: string,
  generation: number,
  ip: string,
  content: BaseContent,
  signal?: AbortSignal,
): Promise<number> {
  let size = 0;
  await replaceFile(baseOf(path, generation), async (file) => {
    for (const line of linesOf(generation, ip, content)) {
      await file.writeFile(line);
      size += line.length;
      signal?.throwIfAborted();
    }
  });
  return size;
}

function* linesOf(generation: number, ip: string, { data, nextSequence }: BaseContent): Generator<Buffer> {
  const { revision, stampFloor, datums } = data.base;
  const header: BaseHeader = {
    revision,
    stampFloor,
    datums: datums.size,
    batches: data.tail.length,
    nextSequence,
  };
  yield encodeHeader('base', generation, ip, header);
  let sequence = 0;
  for (const datumsOfLine of portions(datums.values(), sizeOfDatum)) {
    yield encodeLine({ generation, sequence: ++sequence }, datumsOfLine);
  }
  for (const batchesOfLine of portions(data.tail, sizeOfBatch)) {
    yield encodeLine({ generation, sequence: ++sequence }, batchesOfLine);
  }
}

function sizeOfDatum({ key, value }: { readonly key: string; readonly value: string | null }): number {
  return FIELDS_CHARACTERS + key.length + (value?.length ?? 0);
}

function sizeOfBatch({ ops }: Batch): number {
  return ops.reduce((size, op) => size + sizeOfDatum(op), FIELDS_CHARACTERS);
}

/** @throws RaftError `STORE_CORRUPT`, `STORE_MISMATCH` */
export async function readBase(path: string, generation: number, ip: string): Promise<Beginning> {
  const name = baseOf(path, generation);
  const bytes = await readFileOrNull(name);
  if (bytes === null) throw corrupt(name, 'it is missing');
  const reader = new LineReader(name, bytes);
  const header = readHeader(reader, 'base', generation, ip) as BaseHeader;
  const items: unknown[] = [];
  for (let sequence = 1; items.length < header.datums + header.batches; sequence += 1) {
    for (const item of reader.next({ generation, sequence }) as unknown[]) items.push(item);
  }
  if (!reader.isAtEnd) throw reader.corrupt('something follows its last line');
  return { data: dataOf(header, items), nextSequence: header.nextSequence, size: bytes.length };
}

function dataOf({ revision, stampFloor, datums: count }: BaseHeader, items: readonly unknown[]): KeptData {
  const datums = new Map<string, StoredDatum>();
  for (const item of items.slice(0, count)) {
    const datum = item as StoredDatum;
    datums.set(datum.key, datum);
  }
  const data = new KeptData({ revision, stampFloor, datums });
  return data.change({ append: items.slice(count) as Batch[] });
}
