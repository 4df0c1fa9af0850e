import { RaftError } from '../core/errors.js';
import type { StoredState } from '../core/outputs.js';

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
