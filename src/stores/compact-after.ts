import { RaftError } from '../core/errors.js';

export const COMPACT_AFTER_BYTES: number = 4 * 1024 * 1024;

/** @throws RaftError `BAD_OPTION` */
export function checkCompactAfter(compactAfterBytes: number): number {
  if (compactAfterBytes >= 0) return compactAfterBytes;
  throw new RaftError('BAD_OPTION', `compactAfterBytes: expected 0 or more, got ${compactAfterBytes}`);
}
