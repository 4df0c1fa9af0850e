import { RaftError } from '../core/errors.js';
import type {
  Beat,
  BeatReply,
  DatumKey,
  Draft,
  GroupRequest,
  GroupRequests,
  HoldReply,
  PeerReply,
  RaftRequest,
  Transfer,
  Vote,
  VoteReply,
} from '../core/messages.js';
import type { PeerSnapshot } from '../core/peer.js';
import { MAX_MS } from '../core/timing.js';
import {
  MAX_ITEMS,
  MAX_KEY_LENGTH,
  readBeatData,
  readDataReply,
  readListedKey,
  readMember,
  readRevision,
  readWrites,
} from './decode-data.js';
import { MAX_GROUP_REQUESTS, readBeats } from './decode-groups.js';
import { readNacosRequest } from './decode-nacos.js';
import { Fields, shortText } from './fields.js';
import { replyFields } from './refusal.js';

/** The most keys in one beat: original peers name all that they hold, two a service. */
export const MAX_DATUMS = 100_000;

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
      return readPeerRequest(fields);
    case 'writes':
      return { type, ...readWrites(fields) };
    case 'read':
      return { type, key: fields.text('key', MAX_KEY_LENGTH) };
    case 'member':
      return { type, ...readMember(fields) };
    case 'hold':
      return { type, ip: fields.ip('ip'), wait: fields.boolean('wait') };
    case 'beats':
      return { type, ...readBeats(fields) };
    case 'groups':
      return { type, requests: fields.list('requests', MAX_GROUP_REQUESTS, readOfGroup) };
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
    case 'metrics':
      return { type };
    case 'resign':
      return fields.has('to') ? { type, to: fields.ip('to') } : { type };
    case 'nacosGet':
    case 'nacosCommit':
    case 'nacosDelete':
    case 'nacosPublish':
    case 'nacosRemove':
      return readNacosRequest(type, fields);
    default:
      throw new RaftError('BAD_REQUEST', `request.type must be a known type, not ${shortText(type)}`);
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
  const reply = readPeer(fields) as Draft<VoteReply>;
  reply.granted = fields.boolean('granted');
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
  const reply = readPeer(fields) as Draft<BeatReply>;
  reply.requestTerm = fields.integer('requestTerm');
  if (fields.has('sentAt')) reply.sentAt = readSentAt(fields);
  if (fields.has('data')) reply.data = readDataReply(fields.object('data'));
  if (fields.has('learner')) reply.learner = fields.integer('learner');
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
    ...(fields.has('founder') ? { founder: fields.boolean('founder') } : {}),
    ...(fields.has('learner') ? { learner: fields.integer('learner') } : {}),
    ...(fields.has('promisedMs') ? { promisedMs: fields.number('promisedMs', 0, MAX_MS) } : {}),
  };
}

/**
 * Reads the answer to a request to be held.
 *
 * @throws the refusal that it is, or RaftError `BAD_REPLY` naming the field
 */
export function decodeHoldReply(raw: unknown): HoldReply {
  if (!replyFields(raw).boolean('held')) throw new RaftError('BAD_REPLY', 'reply.held must be true');
  return { held: true };
}

/** A peer as it travels. */
export function readPeer(fields: Fields): PeerSnapshot {
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
  if (fields.has('membersRevision')) vote.membersRevision = readRevision(fields.object('membersRevision'));
  return vote;
}

function readBeat(fields: Fields): Beat {
  const peer = readPeer(fields.object('peer'));
  const beat: Draft<Beat> = { peer, datums: fields.list('datums', MAX_DATUMS, readDatumKey) };
  if (fields.has('leaderTimeoutMs')) beat.leaderTimeoutMs = fields.number('leaderTimeoutMs', 1, MAX_MS);
  if (fields.has('sentAt')) beat.sentAt = readSentAt(fields);
  if (fields.has('data')) beat.data = readBeatData(fields.object('data'));
  return beat;
}

function readSentAt(fields: Fields): number {
  return fields.number('sentAt', -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
}

/** A key as a beat names it. */
export function readDatumKey(fields: Fields): DatumKey {
  return { key: fields.text('key', MAX_KEY_LENGTH), timestamp: fields.integer('timestamp') };
}

function readPeerRequest(fields: Fields): { readonly type: 'peer'; readonly id?: number } {
  return fields.has('id') ? { type: 'peer', id: fields.integer('id') } : { type: 'peer' };
}

function readOfGroup(fields: Fields): GroupRequests['requests'][number] {
  return { group: fields.group('group'), request: readGroupRequest(fields.object('request')) };
}

function readGroupRequest(fields: Fields): GroupRequest {
  const type = fields.text('type', 20);
  switch (type) {
    case 'vote':
      return { type, ...readVote(fields) };
    case 'transfer':
      return { type, ...readTransfer(fields) };
    case 'peer':
      return readPeerRequest(fields);
    default:
      throw fields.wrong('type', 'vote, transfer or peer', type);
  }
}

function readTransfer(fields: Fields): Transfer {
  return { peer: readPeer(fields.object('peer')) };
}
