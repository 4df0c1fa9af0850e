import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A fresh directory, and what removes it. */
export async function makeDirectory(): Promise<[directory: string, remove: () => Promise<void>]> {
  const directory = await mkdtemp(join(tmpdir(), 'raftbeat-store-'));
  return [directory, () => rm(directory, { recursive: true, force: true })];
}
