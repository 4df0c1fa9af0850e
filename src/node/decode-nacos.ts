import type { RaftErrorCode } from '../core/errors.js';
import { RaftError } from '../core/errors.js';
import type {
  NacosDatum,
  NacosDatumsReply,
  NacosDoneReply,
  NacosPublish,
  NacosRequest,
} from '../core/nacos-messages.js';
import { MAX_DATUMS, readDatumKey, readPeer } from './decode.js';
import { MAX_KEY_LENGTH } from './decode-data.js';
import { Fields } from './fields.js';
import { REFUSALS, replyFields } from './refusal.js';

/**
 * Reads a request to publish, whether it came from outside or from a caller who may give any value.
 *
 * @throws RaftError `BAD_REQUEST` naming the field
 */
export function decodePublish(raw: unknown): NacosPublish {
  const fields = new Fields(raw, 'publish', 'BAD_REQUEST');
  return { ...readKey(fields), value: fields.json('value') };
}

/**
 * Reads the answer to `nacosGet`. As in the original, what cannot be used is passed over: its key is asked for again.
 *
 * @throws the refusal that it is, or RaftError `BAD_REPLY` naming the field
 */
export function decodeNacosDatumsReply(raw: unknown): NacosDatumsReply {
  return { datums: replyFields(raw).maybe('datums', MAX_DATUMS, readDatum) };
}

/**
 * Reads the answer to a request that is only done, or not.
 *
 * @throws the refusal that it is, or RaftError `BAD_REPLY` naming the field
 */
export function decodeDoneReply(raw: unknown): NacosDoneReply {
  const fields = replyFields(raw, FORWARD_REFUSALS);
  if (!fields.boolean('done')) throw new RaftError('BAD_REPLY', 'reply.done must be true');
  return { done: true };
}

/** What a leader may answer besides to one that passed a request on to it: what befell it there. */
const FORWARD_REFUSALS: ReadonlySet<string> = new Set<RaftErrorCode>([...REFUSALS, 'TIMEOUT', 'UNREACHABLE']);

/** A request of a peer under the rules of Nacos. */
export function readNacosRequest(type: NacosRequest['type'], fields: Fields): NacosRequest {
  switch (type) {
    case 'nacosGet':
      return { type, keys: fields.texts('keys', MAX_DATUMS, MAX_KEY_LENGTH) };
    case 'nacosCommit':
      return { type, datum: readDatum(fields.object('datum')), source: readPeer(fields.object('source')) };
    case 'nacosDelete':
      return { type, key: fields.text('key', MAX_KEY_LENGTH), source: readPeer(fields.object('source')) };
    case 'nacosPublish':
      return { type, ...readKey(fields), value: fields.json('value') };
    case 'nacosRemove':
      return { type, ...readKey(fields) };
  }
}

function readKey(fields: Fields): { readonly key: string; readonly forwarded?: boolean } {
  const key = fields.text('key', MAX_KEY_LENGTH);
  return fields.has('forwarded') ? { key, forwarded: fields.boolean('forwarded') } : { key };
}

function readDatum(fields: Fields): NacosDatum {
  return { ...readDatumKey(fields), value: fields.json('value') };
}
