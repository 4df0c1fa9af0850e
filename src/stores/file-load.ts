import { dirname } from 'node:path';
import { type Beginning, readBase } from './file-base.js';
import { baseOf, type DataFileNames, findDataFiles, tailOf } from './file-names.js';
import { mendTail, type ReadTail, readTail } from './file-tail.js';
import { corrupt, removeFiles, syncDirectory } from './files.js';
import { KeptData } from './kept-data.js';

/** The tail file that changes are appended to from then on. */
export interface LastTail {
  /** Its generation. */
  readonly last: number;
  /** Its length in bytes. */
  readonly lastLength: number;
  /** Of the tail files together. */
  readonly tailSize: number;
}

/** What the data files held, and how to go on. */
export interface LoadedData extends LastTail {
  readonly data: KeptData;
  /** The generation whose base holds what all others begin with. */
  readonly first: number;
  readonly nextSequence: number;
  readonly baseSize: number;
}

interface Tail extends ReadTail {
  readonly generation: number;
}

/**
 * Reads the newest base and all changes since. A torn end is left out, and files that are needed no more are removed; what
 * it returns is durable.
 *
 * @throws RaftError `STORE_CORRUPT`, `STORE_MISMATCH`
 */
export async function loadData(path: string, ip: string): Promise<LoadedData> {
  const names = await findDataFiles(path);
  const first = names.bases.at(-1) ?? 1;
  const generations = generationsSince(first, path, names);
  const beginning = names.bases.length === 0 ? nothing() : await readBase(path, first, ip);
  const tails = await readTails(path, ip, generations, beginning.nextSequence);
  for (const tail of tails) replay(beginning.data, tail, path);
  for (const { generation, whole } of tails) await mendTail(path, generation, whole);
  await syncDirectory(dirname(path));
  await removeFiles(voidNames(path, names, first));
  return {
    data: beginning.data,
    first,
    last: first + tails.length - 1,
    lastLength: tails.at(-1)?.whole.length ?? 0,
    nextSequence: tails.reduce((next, { records }) => next + records.length, beginning.nextSequence),
    baseSize: beginning.size,
    tailSize: tails.reduce((sum, { whole }) => sum + whole.length, 0),
  };
}

function nothing(): Beginning {
  return { data: new KeptData(), nextSequence: 1, size: 0 };
}

function generationsSince(first: number, path: string, { tails }: DataFileNames): readonly number[] {
  const last = Math.max(first, tails.at(-1) ?? 0);
  const generations = Array.from({ length: last - first + 1 }, (_, at) => first + at);
  const missing = generations.find((generation) => !tails.includes(generation));
  if (missing !== undefined) throw corrupt(tailOf(path, missing), 'it is missing');
  return generations;
}

async function readTails(
  path: string,
  ip: string,
  generations: readonly number[],
  sequence: number,
): Promise<readonly Tail[]> {
  const tails: Tail[] = [];
  let next = sequence;
  for (const generation of generations) {
    const tail = await readTail(path, generation, ip, next);
    const torn = tails.find(({ isTorn }) => isTorn);
    if (torn !== undefined && tail.records.length > 0) {
      throw corrupt(tailOf(path, torn.generation), 'it is cut short, and changes follow it');
    }
    tails.push({ generation, ...tail });
    next += tail.records.length;
  }
  return tails;
}

function replay(data: KeptData, { generation, records }: Tail, path: string): void {
  try {
    for (const record of records) {
      data.fold(record.committedSeq);
      data.check(record);
      data.change(record);
    }
  } catch (cause) {
    throw corrupt(tailOf(path, generation), 'its changes do not fit what they follow', cause);
  }
}

/** The files of earlier generations, and what was not finished. */
function voidNames(
  path: string,
  { bases, tails, unfinished }: DataFileNames,
  first: number,
): readonly string[] {
  const isVoid = (generation: number): boolean => generation < first;
  return [
    ...unfinished,
    ...bases.filter(isVoid).map((generation) => baseOf(path, generation)),
    ...tails.filter(isVoid).map((generation) => tailOf(path, generation)),
  ];
}

/**
 * Removes what a first save of data has left that did not come as far as the state file.
 *
 * @throws RaftError `STORE_CORRUPT` when there is more, `STORE_MISMATCH`
 */
export async function removeUnusedData(path: string, ip: string): Promise<void> {
  const { bases, tails, unfinished } = await findDataFiles(path);
  const isUnused = bases.length === 0 && tails.every((generation) => generation === 1);
  const tail = isUnused && tails.length > 0 ? await readTail(path, 1, ip, 1) : null;
  if (!isUnused || tail?.isTorn || (tail?.records.length ?? 0) > 0) {
    throw corrupt(path, 'data files lie beside it, of which it knows nothing');
  }
  await removeFiles([...unfinished, ...tails.map((generation) => tailOf(path, generation))]);
}
