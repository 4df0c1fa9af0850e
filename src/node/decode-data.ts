import type { Batch, Op, StoredDatum } from '../core/datum.js';
import type { RaftError } from '../core/errors.js';
import { type MemberChange, RESERVED_PREFIX } from '../core/members.js';
import { MAX_PRIORITY } from '../core/membership.js';
import type {
  BeatData,
  BeatDataReply,
  DatumsReply,
  ForwardedWrite,
  KeysReply,
  ListedKey,
  MemberRequest,
  ReadReply,
  Revision,
  WriteReply,
  WritesRequest,
} from '../core/messages.js';
import type { Fields } from './fields.js';
import { readRefusal, replyFields } from './refusal.js';

/** The longest key, in characters. */
export const MAX_KEY_LENGTH = 1_024;
/** The longest value, as JSON text, in characters. */
export const MAX_VALUE_LENGTH = 1_048_576;
/** The most batches in a message, ops in a batch, writes in a forward, keys on a page, and datums in a reply. */
export const MAX_ITEMS = 100_000;

/**
 * Reads the answer to a write.
 *
 * @throws the refusal that it is, or RaftError `BAD_REPLY` naming the field
 */
export function decodeWriteReply(raw: unknown): WriteReply {
  return readWriteReply(replyFields(raw));
}

/**
 * Reads the answer to `count` forwarded writes: what became of each.
 *
 * @throws the refusal that it is, or RaftError `BAD_REPLY` naming the field
 */
export function decodeWritesReply(raw: unknown, count: number): readonly (WriteReply | RaftError)[] {
  const fields = replyFields(raw);
  const outcomes = fields.list('outcomes', count, (each) => readRefusal(each) ?? readWriteReply(each));
  if (outcomes.length === count) return outcomes;
  throw fields.wrong('outcomes', `a list of ${count}`, outcomes);
}

function readWriteReply(fields: Fields): WriteReply {
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

/** The data of a beat. Batches follow `prev` and each other without a gap, and their terms never decrease. */
export function readBeatData(fields: Fields): BeatData {
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

/** How far a follower is. */
export function readDataReply(fields: Fields): BeatDataReply {
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

/** A key of a list. */
export function readListedKey(fields: Fields): ListedKey {
  return { key: fields.text('key', MAX_KEY_LENGTH), revision: readRevision(fields.object('revision')) };
}

/** Forwarded writes. */
export function readWrites(fields: Fields): WritesRequest {
  return {
    process: fields.integer('process'),
    term: fields.integer('term'),
    writes: fields.list('writes', MAX_ITEMS, readWrite),
  };
}

function readWrite(fields: Fields): ForwardedWrite {
  return {
    number: fields.integer('number'),
    key: readOwnKey(fields),
    value: fields.has('value') ? readJson(fields) : null,
    ...(fields.has('ifTimestamp') ? { ifTimestamp: fields.integer('ifTimestamp') } : {}),
  };
}

/** A key that callers may write. */
function readOwnKey(fields: Fields): string {
  const key = fields.text('key', MAX_KEY_LENGTH);
  if (key !== '' && !key.startsWith(RESERVED_PREFIX)) return key;
  throw fields.wrong('key', `a text that is not empty and does not begin with ${RESERVED_PREFIX}`, key);
}

/** A forwarded change of the members. */
export function readMember(fields: Fields): MemberRequest {
  return {
    process: fields.integer('process'),
    number: fields.integer('number'),
    term: fields.integer('term'),
    change: readChange(fields.object('change')),
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

/** A revision: its term and its place. */
export function readRevision(fields: Fields): Revision {
  return { term: fields.integer('term'), seq: fields.integer('seq') };
}
