import { RaftError, type RaftErrorCode } from '../core/errors.js';
import type {
  Beat,
  BeatReply,
  DatumKey,
  PeerReply,
  RaftRequest,
  Revision,
  Transfer,
  Vote,
  VoteReply,
} from '../core/messages.js';
import type { PeerSnapshot, PeerState } from '../core/peer.js';
import { MAX_IP_LENGTH } from '../core/peer-set.js';
import { MAX_MS } from '../core/timing.js';

/** The most keys in one beat. */
export const MAX_DATUMS = 10_000;
/** The longest key, in characters. */
export const MAX_KEY_LENGTH = 1_024;
/** The longest text of an error that is taken over, in characters. */
const MAX_MESSAGE_LENGTH = 1_000;

/** A message while its fields are read, one by one: spreading what may be absent costs much more. */
type Draft<Message> = { -readonly [Name in keyof Message]: Message[Name] };

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
    throw this.#wrong(name, `an integer from 0 to ${max}`, value);
  }

  number(name: string, min: number, max: number): number {
    const value = this.#value(name);
    if (typeof value === 'number' && value >= min && value <= max) return value;
    throw this.#wrong(name, `a number from ${min} to ${max}`, value);
  }

  boolean(name: string): boolean {
    const value = this.#value(name);
    if (typeof value === 'boolean') return value;
    throw this.#wrong(name, 'true or false', value);
  }

  text(name: string, maxLength: number): string {
    const value = this.#value(name);
    if (typeof value === 'string' && value.length <= maxLength) return value;
    throw this.#wrong(name, `a text of at most ${maxLength} characters`, value);
  }

  ip(name: string): string {
    const value = this.#value(name);
    if (typeof value === 'string' && value.length <= MAX_IP_LENGTH && /^[^\s\p{Cc}]+$/u.test(value))
      return value;
    throw this.#wrong(
      name,
      `a text such as 'host:port' of 1 to ${MAX_IP_LENGTH} characters without blanks`,
      value,
    );
  }

  state(name: string): PeerState {
    const value = this.#value(name);
    if (isState(value)) return value;
    throw this.#wrong(name, `one of ${STATES}`, value);
  }

  object(name: string): Fields {
    return new Fields(this.#value(name), this.#at(name), this.#code);
  }

  list<T>(name: string, maxLength: number, read: (fields: Fields) => T): readonly T[] {
    const value = this.#value(name);
    if (!Array.isArray(value) || value.length > maxLength) {
      throw this.#wrong(name, `a list of at most ${maxLength}`, value);
    }
    if (value.length === 0) return [];
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

  #wrong(name: string, expected: string, came: unknown): RaftError {
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
  const reply: Draft<VoteReply> = { ...readPeer(fields), granted: fields.boolean('granted') };
  if (fields.has('round')) reply.round = fields.integer('round');
  if (fields.has('promiseMs')) reply.promiseMs = fields.number('promiseMs', 1, MAX_MS);
  return reply;
}

/**
 * Reads the answer to a beat.
 *
 * @throws the refusal that it is, or RaftError `BAD_REPLY` naming the field
 */
export function decodeBeatReply(raw: unknown): BeatReply {
  const fields = replyFields(raw);
  const reply: Draft<BeatReply> = { ...readPeer(fields), requestTerm: fields.integer('requestTerm') };
  if (fields.has('sentAt')) reply.sentAt = readSentAt(fields);
  return reply;
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
  'BUSY',
  'CONFLICTING_LEADER',
  'DUPLICATE_PEER',
  'INTERNAL',
  'INVALID_STATE',
  'NOT_A_VOTER',
  'NOT_RUNNING',
  'OUT_OF_DATE',
  'REFUSED_TRANSFER',
  'REJOINING',
  'STORE_FAILED',
  'TOO_LARGE',
  'UNAUTHORIZED',
  'UNKNOWN_PEER',
]);

function isState(value: unknown): value is PeerState {
  return (STATES as readonly unknown[]).includes(value);
}

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
  const vote: Draft<Vote> = { peer: readPeer(fields.object('peer')) };
  if (fields.has('preVote')) vote.preVote = fields.boolean('preVote');
  if (fields.has('round')) vote.round = fields.integer('round');
  if (fields.has('transfer')) vote.transfer = fields.boolean('transfer');
  if (fields.has('revision')) vote.revision = readRevision(fields.object('revision'));
  return vote;
}

function readRevision(fields: Fields): Revision {
  return { term: fields.integer('term'), seq: fields.integer('seq') };
}

function readBeat(fields: Fields): Beat {
  const peer = readPeer(fields.object('peer'));
  const beat: Draft<Beat> = { peer, datums: fields.list('datums', MAX_DATUMS, readDatumKey) };
  if (fields.has('leaderTimeoutMs')) beat.leaderTimeoutMs = fields.number('leaderTimeoutMs', 1, MAX_MS);
  if (fields.has('sentAt')) beat.sentAt = readSentAt(fields);
  return beat;
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
