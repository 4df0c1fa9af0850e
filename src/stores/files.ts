import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RaftError, textOf } from '../core/errors.js';

export function temporaryOf(path: string): string {
  return `${path}.tmp`;
}

export function readFileOrNull(path: string): Promise<Buffer | null> {
  return readOrNull(path, (file) => file.readFile());
}

/** The first `length` bytes of a file, or all that there are. */
export function readBeginning(path: string, length: number): Promise<Buffer | null> {
  return readOrNull(path, async (file) => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
    return buffer.subarray(0, bytesRead);
  });
}

async function readOrNull(path: string, read: (file: FileHandle) => Promise<Buffer>): Promise<Buffer | null> {
  try {
    // A symbolic link would be replaced by the first save, and one that leads nowhere would look like an empty store.
    const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    try {
      return await read(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** Writes a file whole, and durably: whoever sees it sees all of it. A crash leaves the former file or the new one. */
export async function replaceFile(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  await writeTemporary(path, write);
  await putInPlace(path);
}

/** The first half of it: nothing is seen of the new file yet. */
export async function writeTemporary(
  path: string,
  write: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await open(temporaryOf(path), 'w');
  try {
    await write(file);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The second half: the new file takes the place of the former. */
export async function putInPlace(path: string): Promise<void> {
  await rename(temporaryOf(path), path);
  await syncDirectory(dirname(path));
}

export async function removeFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) await rm(path, { force: true });
  if (paths[0] !== undefined) await syncDirectory(dirname(paths[0]));
}

export async function syncDirectory(path: string): Promise<void> {
  // Windows has no such thing: there a directory cannot be opened as a file.
  if (process.platform === 'win32') return;
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

export async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  // The entry of each new directory must be durable in its parent, or all of it could vanish with the power.
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made));
}

/** What a save gets after a write has failed: where the files end is not known any more. */
export function unsound(path: string, cause: unknown): RaftError {
  const reason = `a write of its data failed (${textOf(cause)}), and what came of it shows when it is opened again`;
  return new RaftError('STORE_FAILED', `${path} was not saved: ${reason}`, { cause });
}

export function corrupt(path: string, reason: string, cause?: unknown): RaftError {
  return new RaftError(
    'STORE_CORRUPT',
    `${path} cannot be trusted: ${reason}. Do not put an older copy in its place, which would forget votes. ` +
      'Move all files of this store away, and the peer joins again like a new one, once enough of the others have answered it',
    { cause },
  );
}
