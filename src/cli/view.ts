import { RaftError } from '../core/errors.js';
import type { StateReply } from '../core/messages.js';
import { readRevision } from '../node/decode-data.js';
import { replyFields } from '../node/refusal.js';

/** What a peer says of itself. */
export type View = Omit<StateReply, 'peers'>;

/** Reads the answer to `state`. @throws RaftError the refusal that it is, `UNSUPPORTED`, or `BAD_REPLY` */
export function readView(raw: unknown): View {
  const fields = replyFields(raw);
  if (fields.has('groups'))
    throw new RaftError('UNSUPPORTED', 'it is a host of groups, each of which has a leader of its own');
  return {
    ip: fields.ip('ip'),
    state: fields.state('state'),
    term: fields.integer('term'),
    leader: fields.has('leader') ? fields.ip('leader') : null,
    isLeader: fields.boolean('isLeader'),
    rejoining: fields.boolean('rejoining'),
    ...(fields.has('leaseMs') ? { leaseMs: fields.number('leaseMs', 0, Number.MAX_VALUE) } : {}),
    ...(fields.has('revision') ? { revision: readRevision(fields.object('revision')) } : {}),
  };
}
