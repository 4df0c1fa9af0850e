import type { Batch, Op, StoredDatum } from '../core/datum.js';
import { RaftError, type RaftErrorCode } from '../core/errors.js';
import type { MemberChange } from '../core/members.js';
import type {
  Beat,
  BeatData,
  BeatDataReply,
  BeatReply,
  DatumKey,
  DatumsReply,
  KeysReply,
  ListedKey,
  PeerReply,
  RaftRequest,
  ReadReply,
  Revision,
  Transfer,
  Vote,
  VoteReply,
  WriteReply,
  WriteRequest,
} from '../core/messages.js';
import type { PeerSnapshot, PeerState } from '../core/peer.js';
import { MAX_IP_LENGTH, MAX_PRIORITY } from '../core/peer-set.js';
import { MAX_MS } from '../core/timing.js';

/** The most keys in one beat. */
export const MAX_DATUMS = 10_000;
/** The longest key, in characters. */
export const MAX_KEY_LENGTH = 1_024;
/** The longest value, as JSON text, in characters. */
export const MAX_VALUE_LENGTH = 1_048_576;
/** The most batches in a message, ops in a batch, keys on a page, and datums in a reply. */
export const MAX_ITEMS = 100_000;
/** The longest text of an error that is taken over, in characters. */
const MAX_MESSAGE_LENGTH = 1_000;

const STATES: readonly PeerState[] = ['FOLLOWER', 'CANDIDATE', 'LEADER'];

/**
 * Reads the fields of an object that came from outside: own fields only, each with its type and bounds. What is not
 * asked for is ignored.
 */
class Fields {
  readonly #source: object;
  readonly #path: string;
  readonly #code: RaftErrorCode;

  constructor(source: unknown, path: string, code: RaftErrorCode) {
    if (typeof source !== 'object' || source === null || Array.isArray(source)) {
      throw new RaftError(code, `${path} must be an object, not ${show(source)}`);
    }
    this.#source = source;
    this.#path = path;
    this.#code = code;
  }

  /** Whether the field is there; null counts as absent, as in the original's JSON. */
  has(name: string): boolean {
    return this.#value(name) !== undefined;
  }

  integer(name: string, max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#value(name);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max) return value;
    throw this.wrong(name, `an integer from 0 to ${max}`, value);
  }

  number(name: string, min: number, max: number): number {
    const value = this.#value(name);
    if (typeof value === 'number' && value >= min && value <= max) return value;
    throw this.wrong(name, `a number from ${min} to ${max}`, value);
  }

  boolean(name: string): boolean {
    const value = this.#value(name);
    if (typeof value === 'boolean') return value;
    throw this.wrong(name, 'true or false', value);
  }

  text(name: string, maxLength: number): string {
    const value = this.#value(name);
    if (typeof value === 'string' && value.length <= maxLength) return value;
    throw this.wrong(name, `a text of at most ${maxLength} characters`, value);
  }

  ip(name: string): string {
    const value = this.#value(name);
    if (typeof value === 'string' && value.length <= MAX_IP_LENGTH && /^[^\s\p{Cc}]+$/u.test(value))
      return value;
    throw this.wrong(
      name,
      `a text such as 'host:port' of 1 to ${MAX_IP_LENGTH} characters without blanks`,
      value,
    );
  }

  state(name: string): PeerState {
    const value = this.#value(name);
    const state = STATES.find((known) => known === value);
    if (state !== undefined) return state;
    throw this.wrong(name, `one of ${STATES}`, value);
  }

  object(name: string): Fields {
    return new Fields(this.#value(name), this.#at(name), this.#code);
  }

  list<T>(name: string, maxLength: number, read: (fields: Fields) => T): readonly T[] {
    const value = this.#value(name);
    if (!Array.isArray(value) || value.length > maxLength) {
      throw this.wrong(name, `a list of at most ${maxLength}`, value);
    }
    // Not `map`: it would skip the holes of a sparse list.
    return Array.from(value, (item: unknown, at) =>
      read(new Fields(item, `${this.#at(name)}[${at}]`, this.#code)),
    );
  }

  #value(name: string): unknown {
    if (!Object.hasOwn(this.#source, name)) return undefined;
    return (this.#source as Record<string, unknown>)[name] ?? undefined;
  }

  #at(name: string): string {
    return `${this.#path}.${name}`;
  }

  /** The error for a field that is not as it must be. */
  wrong(name: string, expected: string, came: unknown): RaftError {
    return new RaftError(this.#code, `${this.#at(name)} must be ${expected}, not ${show(came)}`);
  }
}

/**
 * Reads a request that came from outside.
 *
 * @throws RaftError `BAD_REQUEST` naming the field
 */
export function decodeRequest(raw: unknown): RaftRequest {
  const fields = new Fields(raw, 'request', 'BAD_REQUEST');
  const type = fields.text('type', 20);
  switch (type) {
    case 'vote':
      return { type, ...readVote(fields) };
    case 'beat':
      return { type, ...readBeat(fields) };
    case 'transfer':
      return { type, ...readTransfer(fields) };
    case 'peer':
      return fields.has('id') ? { type, id: fields.integer('id') } : { type };
    case 'write':
      return { type, ...readWrite(fields) };
    case 'read':
      return { type, key: fields.text('key', MAX_KEY_LENGTH) };
    case 'member':
      return { type, change: readChange(fields.object('change')), term: fields.integer('term') };
    case 'keys':
      return {
        type,
        from: fields.integer('from'),
        ...(fields.has('at') ? { at: readRevision(fields.object('at')) } : {}),
      };
    case 'datums':
      return {
        type,
        at: readRevision(fields.object('at')),
        keys: fields.list('keys', MAX_ITEMS, readListedKey),
      };
    case 'leader':
    case 'state':
      return { type };
    default:
      throw new RaftError('BAD_REQUEST', `request.type must be a known type, not ${show(type)}`);
  }
}

/**
 * Reads a vote request.
 *
 * @throws RaftError `BAD_REQUEST` naming the field
 */
export function decodeVote(raw: unknown): Vote {
  return readVote(new Fields(raw, 'vote', 'BAD_REQUEST'));
}

/**
 * Reads a beat.
 *
 * @throws RaftError `BAD_REQUEST` naming the field
 */
export function decodeBeat(raw: unknown): Beat {
  return readBeat(new Fields(raw, 'beat', 'BAD_REQUEST'));
}

/**
 * Reads the answer to a vote request.
 *
 * @throws the refusal that it is, or RaftError `BAD_REPLY` naming the field
 */
export function decodeVoteReply(raw: unknown): VoteReply {
  const fields = replyFields(raw);
  return {
    ...readPeer(fields),
    granted: fields.boolean('granted'),
    ...(fields.has('round') ? { round: fields.integer('round') } : {}),
    ...(fields.has('promiseMs') ? { promiseMs: fields.number('promiseMs', 1, MAX_MS) } : {}),
  };
}

/**
 * Reads the answer to a beat.
 *
 * @throws the refusal that it is, or RaftError `BAD_REPLY` naming the field
 */
export function decodeBeatReply(raw: unknown): BeatReply {
  const fields = replyFields(raw);
  return {
    ...readPeer(fields),
    requestTerm: fields.integer('requestTerm'),
    ...(fields.has('sentAt') ? { sentAt: readSentAt(fields) } : {}),
    ...(fields.has('data') ? { data: readDataReply(fields.object('data')) } : {}),
    ...(fields.has('learner') ? { learner: fields.integer('learner') } : {}),
  };
}

/**
 * Reads the answer to a write.
 *
 * @throws the refusal that it is, or RaftError `BAD_REPLY` naming the field
 */
export function decodeWriteReply(raw: unknown): WriteReply {
  const fields = replyFields(raw);
  return {
    timestamp: fields.has('timestamp') ? fields.integer('timestamp') : null,
    revision: readRevision(fields.object('revision')),
  };
}

/**
 * Reads the answer to a read.
 *
 * @throws the refusal that it is, or RaftError `BAD_REPLY` naming the field
 */
export function decodeReadReply(raw: unknown): ReadReply {
  const fields = replyFields(raw);
  return { datum: fields.has('datum') ? readDatum(fields.object('datum')) : null };
}

/**
 * Reads a page of keys.
 *
 * @throws the refusal that it is, or RaftError `BAD_REPLY` naming the field
 */
export function decodeKeysReply(raw: unknown): KeysReply {
  const fields = replyFields(raw);
  return {
    at: readRevision(fields.object('at')),
    stampFloor: fields.integer('stampFloor'),
    keys: fields.list('keys', MAX_ITEMS, readListedKey),
    total: fields.integer('total'),
  };
}

/**
 * Reads the values of listed keys.
 *
 * @throws the refusal that it is, or RaftError `BAD_REPLY` naming the field
 */
export function decodeDatumsReply(raw: unknown): DatumsReply {
  const fields = replyFields(raw);
  return { at: readRevision(fields.object('at')), datums: fields.list('datums', MAX_ITEMS, readDatum) };
}

/**
 * Reads the answer to a peer fetch.
 *
 * @throws the refusal that it is, or RaftError `BAD_REPLY` naming the field
 */
export function decodePeerReply(raw: unknown): PeerReply {
  const fields = replyFields(raw);
  return {
    ...readPeer(fields),
    ...(fields.has('id') ? { id: fields.integer('id') } : {}),
    ...(fields.has('empty') ? { empty: fields.boolean('empty') } : {}),
    ...(fields.has('rejoinId') ? { rejoinId: fields.integer('rejoinId') } : {}),
    ...(fields.has('founder') ? { founder: fields.boolean('founder') } : {}),
    ...(fields.has('learner') ? { learner: fields.integer('learner') } : {}),
    ...(fields.has('promisedMs') ? { promisedMs: fields.number('promisedMs', 0, MAX_MS) } : {}),
  };
}

/** The fields of an answer; a refusal is thrown as the error that it is. */
function replyFields(raw: unknown): Fields {
  const fields = new Fields(raw, 'reply', 'BAD_REPLY');
  if (!fields.has('code')) return fields;
  const code = fields.text('code', 50);
  const message = fields.text('message', MAX_MESSAGE_LENGTH);
  if (!isRefusal(code)) throw new RaftError('BAD_REPLY', `unknown refusal ${show(code)}: ${message}`);
  throw new RaftError(code, message, fields.has('term') ? { term: fields.integer('term') } : {});
}

/** What a peer may answer instead of a reply. */
const REFUSALS: ReadonlySet<RaftErrorCode> = new Set<RaftErrorCode>([
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
  'UNKNOWN_PEER',
  'UNSUPPORTED',
]);

function isRefusal(code: string): code is RaftErrorCode {
  return (REFUSALS as ReadonlySet<string>).has(code);
}

function readPeer(fields: Fields): PeerSnapshot {
  return {
    ip: fields.ip('ip'),
    voteFor: fields.has('voteFor') ? fields.ip('voteFor') : null,
    term: fields.integer('term'),
    leaderDueMs: fields.number('leaderDueMs', -MAX_MS, MAX_MS),
    heartbeatDueMs: fields.number('heartbeatDueMs', -MAX_MS, MAX_MS),
    state: fields.state('state'),
  };
}

function readVote(fields: Fields): Vote {
  return {
    peer: readPeer(fields.object('peer')),
    ...(fields.has('preVote') ? { preVote: fields.boolean('preVote') } : {}),
    ...(fields.has('round') ? { round: fields.integer('round') } : {}),
    ...(fields.has('transfer') ? { transfer: fields.boolean('transfer') } : {}),
    ...(fields.has('revision') ? { revision: readRevision(fields.object('revision')) } : {}),
    ...(fields.has('membersRevision')
      ? { membersRevision: readRevision(fields.object('membersRevision')) }
      : {}),
  };
}

function readRevision(fields: Fields): Revision {
  return { term: fields.integer('term'), seq: fields.integer('seq') };
}

function readBeat(fields: Fields): Beat {
  return {
    peer: readPeer(fields.object('peer')),
    datums: fields.list('datums', MAX_DATUMS, readDatumKey),
    ...(fields.has('leaderTimeoutMs')
      ? { leaderTimeoutMs: fields.number('leaderTimeoutMs', 1, MAX_MS) }
      : {}),
    ...(fields.has('sentAt') ? { sentAt: readSentAt(fields) } : {}),
    ...(fields.has('data') ? { data: readBeatData(fields.object('data')) } : {}),
  };
}

/** Batches follow `prev` and each other without a gap, and their terms never decrease. */
function readBeatData(fields: Fields): BeatData {
  const prev = readRevision(fields.object('prev'));
  const batches = fields.list('batches', MAX_ITEMS, readBatch);
  let last = prev;
  for (const { revision } of batches) {
    if (revision.seq !== last.seq + 1 || revision.term < last.term)
      throw fields.wrong('batches', 'without a gap', revision);
    last = revision;
  }
  return {
    prev,
    batches,
    committed: readRevision(fields.object('committed')),
    membersRevision: readRevision(fields.object('membersRevision')),
    ...(fields.has('catchUp') ? { catchUp: readRevision(fields.object('catchUp')) } : {}),
  };
}

function readBatch(fields: Fields): Batch {
  return { revision: readRevision(fields.object('revision')), ops: fields.list('ops', MAX_ITEMS, readOp) };
}

function readOp(fields: Fields): Op {
  return {
    key: fields.text('key', MAX_KEY_LENGTH),
    value: fields.has('value') ? fields.text('value', MAX_VALUE_LENGTH) : null,
    timestamp: fields.integer('timestamp'),
  };
}

function readDataReply(fields: Fields): BeatDataReply {
  return {
    ok: fields.boolean('ok'),
    match: readRevision(fields.object('match')),
    base: readRevision(fields.object('base')),
    last: readRevision(fields.object('last')),
  };
}

function readDatum(fields: Fields): StoredDatum {
  return {
    key: fields.text('key', MAX_KEY_LENGTH),
    value: fields.text('value', MAX_VALUE_LENGTH),
    timestamp: fields.integer('timestamp'),
    revision: readRevision(fields.object('revision')),
  };
}

function readListedKey(fields: Fields): ListedKey {
  return { key: fields.text('key', MAX_KEY_LENGTH), revision: readRevision(fields.object('revision')) };
}

function readWrite(fields: Fields): WriteRequest {
  return {
    process: fields.integer('process'),
    number: fields.integer('number'),
    term: fields.integer('term'),
    key: fields.text('key', MAX_KEY_LENGTH),
    value: fields.has('value') ? readJson(fields) : null,
    ...(fields.has('ifTimestamp') ? { ifTimestamp: fields.integer('ifTimestamp') } : {}),
  };
}

function readChange(fields: Fields): MemberChange {
  const action = fields.text('action', 20);
  const ip = fields.ip('ip');
  if (action === 'promote' || action === 'remove') return { action, ip };
  if (action !== 'add') throw fields.wrong('action', 'add, promote or remove', action);
  return {
    action,
    ip,
    ...(fields.has('priority') ? { priority: fields.integer('priority', MAX_PRIORITY) } : {}),
    ...(fields.has('learner') ? { learner: fields.integer('learner') } : {}),
  };
}

/** A value is checked where it comes in: what is no JSON could not be read by anybody later. */
function readJson(fields: Fields): string {
  const text = fields.text('value', MAX_VALUE_LENGTH);
  try {
    JSON.parse(text);
    return text;
  } catch {
    throw fields.wrong('value', 'JSON', text);
  }
}

function readSentAt(fields: Fields): number {
  return fields.number('sentAt', -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
}

function readDatumKey(fields: Fields): DatumKey {
  return { key: fields.text('key', MAX_KEY_LENGTH), timestamp: fields.integer('timestamp') };
}

function readTransfer(fields: Fields): Transfer {
  return { peer: readPeer(fields.object('peer')) };
}

/** A value as it stands in a message: short, whatever it is. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 50));
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return String(value);
}
