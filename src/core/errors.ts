/**
 * What went wrong, as a literal. Texts may be reworded; codes are stable.
 *
 * Refusals of a peer: `UNKNOWN_PEER` (not a member, D6), `UNKNOWN_GROUP` (a host that does not take part in it), `DUPLICATE_PEER` (another process uses this ip),
 * `NOT_A_VOTER`, `GONE` (the list that a peer caught up by), `INVALID_STATE` and `OUT_OF_DATE` (section 1, beat), `CONFLICTING_LEADER` (D5), `REJOINING`
 * (section 3, empty store), `REFUSED_TRANSFER`, `BAD_REQUEST` (names the field), `BUSY`, `TOO_LARGE`, `UNAUTHORIZED`.
 *
 * Errors of a write or a read: `NO_LEADER`, `BUSY`, `TOO_LARGE` (it was not done), `CONFLICT` (the condition did not hold;
 * it was not done), `OUTCOME_UNKNOWN` (it may still be done, whole).
 *
 * Errors of a call: `BAD_OPTION`, `NOT_LEADER`, `BAD_TARGET`, `UNSUPPORTED`, `NOT_RUNNING`, `ABORTED`.
 *
 * Of the surroundings: `UNREACHABLE`, `TIMEOUT`, `BAD_REPLY`, `STORE_CORRUPT`, `STORE_IN_USE`, `STORE_MISMATCH`,
 * `STORE_FAILED`, `LISTENER_FAILED`, and `INTERNAL` (an assertion: a bug, please report it).
 */
export type RaftErrorCode =
  | 'ABORTED'
  | 'BAD_OPTION'
  | 'BAD_REPLY'
  | 'BAD_REQUEST'
  | 'BAD_TARGET'
  | 'BUSY'
  | 'CONFLICT'
  | 'CONFLICTING_LEADER'
  | 'DUPLICATE_PEER'
  | 'GONE'
  | 'INTERNAL'
  | 'INVALID_STATE'
  | 'LISTENER_FAILED'
  | 'NOT_A_VOTER'
  | 'NOT_LEADER'
  | 'NOT_RUNNING'
  | 'NO_LEADER'
  | 'OUTCOME_UNKNOWN'
  | 'OUT_OF_DATE'
  | 'REFUSED_TRANSFER'
  | 'REJOINING'
  | 'STORE_CORRUPT'
  | 'STORE_FAILED'
  | 'STORE_IN_USE'
  | 'STORE_MISMATCH'
  | 'TIMEOUT'
  | 'TOO_LARGE'
  | 'UNAUTHORIZED'
  | 'UNKNOWN_GROUP'
  | 'UNKNOWN_PEER'
  | 'UNREACHABLE'
  | 'UNSUPPORTED';

/** What an error carries besides its text. */
export interface RaftErrorDetails {
  /** The term of the peer that raised the error; a refused leader learns a higher term from it (D1). */
  readonly term?: number | undefined;
  /** The peer that the error is about. */
  readonly ip?: string | undefined;
  /** What caused it. */
  readonly cause?: unknown;
}

/** The one error class of this library. */
export class RaftError extends Error {
  override readonly name = 'RaftError';
  readonly code: RaftErrorCode;
  readonly term: number | undefined;
  readonly ip: string | undefined;

  constructor(code: RaftErrorCode, message: string, details: RaftErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.term = details.term;
    this.ip = details.ip;
  }
}

/** What was thrown, as a text; anything can be thrown, also what has no text. */
export function textOf(cause: unknown): string {
  try {
    return String(cause);
  } catch {
    return 'something that cannot be shown';
  }
}

/** Throws `INTERNAL` when something that can only be a bug of this library is seen. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw broken(message);
}

function broken(message: string): RaftError {
  return new RaftError('INTERNAL', `assertion failed: ${message}`);
}
