import { RaftError, type RaftErrorCode } from '../core/errors.js';
import { Fields, shortText } from './fields.js';

/** The longest text of an error that is taken over, in characters. */
const MAX_MESSAGE_LENGTH = 1_000;

/** The fields of an answer; a refusal is thrown as the error that it is. */
export function replyFields(raw: unknown, refusals: ReadonlySet<string> = REFUSALS): Fields {
  const fields = new Fields(raw, 'reply', 'BAD_REPLY');
  const refusal = readRefusal(fields, refusals);
  if (refusal !== null) throw refusal;
  return fields;
}

/** The refusal that these fields are, or null. */
export function readRefusal(fields: Fields, refusals: ReadonlySet<string> = REFUSALS): RaftError | null {
  if (!fields.has('code')) return null;
  const message = fields.text('message', MAX_MESSAGE_LENGTH);
  const code = readRefusalCode(fields, refusals, message);
  return new RaftError(code, message, fields.has('term') ? { term: fields.integer('term') } : {});
}

/** The code of a refusal. */
export function readRefusalCode(
  fields: Fields,
  refusals: ReadonlySet<string> = REFUSALS,
  message?: string,
): RaftErrorCode {
  const code = fields.text('code', 50);
  if (isOneOf(refusals, code)) return code;
  throw new RaftError('BAD_REPLY', `unknown refusal ${shortText(code)}: ${message ?? ''}`);
}

/** What a peer may answer instead of a reply. */
export const REFUSALS: ReadonlySet<RaftErrorCode> = new Set<RaftErrorCode>([
  'BAD_REQUEST',
  'BAD_TARGET',
  'BUSY',
  'CONFLICT',
  'CONFLICTING_LEADER',
  'DUPLICATE_PEER',
  'GONE',
  'INTERNAL',
  'INVALID_STATE',
  'NOT_A_VOTER',
  'NOT_LEADER',
  'NOT_RUNNING',
  'NO_LEADER',
  'OUTCOME_UNKNOWN',
  'OUT_OF_DATE',
  'REFUSED_TRANSFER',
  'REJOINING',
  'STORE_FAILED',
  'TOO_LARGE',
  'UNAUTHORIZED',
  'UNKNOWN_GROUP',
  'UNKNOWN_PEER',
  'UNSUPPORTED',
]);

function isOneOf(codes: ReadonlySet<string>, code: string): code is RaftErrorCode {
  return codes.has(code);
}
