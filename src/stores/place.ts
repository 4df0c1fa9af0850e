import { resolve } from 'node:path';
import { RaftError } from '../core/errors.js';
import type { StoredState } from '../core/outputs.js';
import type { FileLock } from './lock.js';

/** @throws RaftError `BAD_OPTION` unless `path` is a string that is not empty */
export function absolutePath(path: string): string {
  if (typeof path === 'string' && path !== '') return resolve(path);
  throw new RaftError('BAD_OPTION', `path: expected the path of a file, got ${JSON.stringify(path)}`);
}

/** @throws RaftError `STORE_FAILED` when the lock of the store at `path` is lost */
export async function checkLock(path: string, lock: FileLock): Promise<void> {
  if (await lock.isHeld()) return;
  throw new RaftError('STORE_FAILED', `${path} was not saved: its lock was removed or taken over`);
}

/** @throws RaftError `STORE_MISMATCH` unless the store at `path` belongs to `ip` */
export function checkOwner(path: string, owner: string, ip: string): void {
  if (owner === ip) return;
  throw new RaftError('STORE_MISMATCH', `${path} belongs to ${owner}, not to ${ip}`, { ip: owner });
}

/** Whether it is a state within its bounds. */
export function isStoredState(value: Partial<StoredState>): value is StoredState {
  const { term, voteFor, promisedMs, learner } = value;
  return (
    Number.isSafeInteger(term) &&
    Number(term) >= 0 &&
    (voteFor === null || typeof voteFor === 'string') &&
    Number.isFinite(promisedMs) &&
    Number(promisedMs) >= 0 &&
    (learner === undefined || Number.isSafeInteger(learner))
  );
}

/** The state alone, in an object of its own. */
export function stateOf({ term, voteFor, promisedMs, learner }: StoredState): StoredState {
  return { term, voteFor, promisedMs, ...(learner === undefined ? {} : { learner }) };
}
