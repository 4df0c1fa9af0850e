import { RaftError } from '../core/errors.js';
import { MAX_GROUP_LENGTH } from '../core/group-name.js';
import type { Beats, BeatsReply, LedGroup, RefusedBeat } from '../core/messages.js';
import { MAX_MS } from '../core/timing.js';
import type { Fields } from './fields.js';
import { readRefusalCode, replyFields } from './refusal.js';

/** The most groups of one host. */
export const MAX_GROUPS = 100_000;

/** The most requests of groups that travel together. */
export const MAX_GROUP_REQUESTS = 1_000;

/** The beats of the groups that a host leads. */
export function readBeats(fields: Fields): Beats {
  return {
    ip: fields.ip('ip'),
    process: fields.integer('process'),
    leaderTimeoutMs: fields.number('leaderTimeoutMs', 1, MAX_MS),
    sentAt: readSentAt(fields),
    since: fields.integer('since'),
    version: fields.integer('version'),
    led: fields.list('led', MAX_GROUPS, readLedGroup),
    unled: fields.texts('unled', MAX_GROUPS, MAX_GROUP_LENGTH),
  };
}

/**
 * Reads the answer to the beats of a host.
 *
 * @throws the refusal that it is, or RaftError `BAD_REPLY` naming the field
 */
export function decodeBeatsReply(raw: unknown): BeatsReply {
  const fields = replyFields(raw);
  return {
    process: fields.integer('process'),
    sentAt: readSentAt(fields),
    version: fields.integer('version'),
    refused: fields.list('refused', MAX_GROUPS, readRefusedBeat),
  };
}

/**
 * Reads the answers to `count` requests of groups, each of which is still to be checked.
 *
 * @throws the refusal that it is, or RaftError `BAD_REPLY` naming the field
 */
export function decodeGroupReplies(raw: unknown, count: number): readonly unknown[] {
  const replies = replyFields(raw).items('replies', MAX_GROUP_REQUESTS);
  if (replies.length === count) return replies;
  throw new RaftError('BAD_REPLY', `reply.replies must be ${count}, not ${replies.length}`);
}

function readLedGroup(fields: Fields): LedGroup {
  return { group: fields.group('group'), term: fields.integer('term') };
}

function readRefusedBeat(fields: Fields): RefusedBeat {
  const code = readRefusalCode(fields);
  const group = fields.group('group');
  return fields.has('term') ? { group, code, term: fields.integer('term') } : { group, code };
}

function readSentAt(fields: Fields): number {
  return fields.number('sentAt', -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
}
