import { RaftError, type RaftRequest } from 'raftbeat';
import type { DataChanges, Op } from '../../src/core/datum.js';
import { type DatumChange, type Datums, sameRevision } from '../../src/core/datums.js';
import { decodeMembers, MEMBERS_KEY } from '../../src/core/members.js';
import type { BeatData, BeatDataReply, Revision } from '../../src/core/messages.js';
import type { AnswerOutput } from '../../src/core/outputs.js';

/** `2/7`. */
function revisionText({ term, seq }: Revision): string {
  return `${term}/${seq}`;
}

/** `k=v@1`, `-k@1`, `members a b (c)`: those in brackets do not vote. */
function opText({ key, value, timestamp }: Op): string {
  if (value === null) return `-${key}@${timestamp}`;
  return key === MEMBERS_KEY ? `members ${membersText(value)}` : `${key}=${JSON.parse(value)}@${timestamp}`;
}

function membersText(value: string): string {
  return decodeMembers(value)
    .map(({ ip, observer }) => (observer ? `(${ip})` : ip))
    .join(' ');
}

/** What a beat brings: ` 1/3 + 2/4 2/5, committed 1/3`, or ` catch up with 1/9`. */
export function beatText({ prev, batches, committed, catchUp }: BeatData): string {
  const brought = batches.map(({ revision }) => ` ${revisionText(revision)}`).join('');
  if (catchUp !== undefined) return ` catch up with ${revisionText(catchUp)}`;
  return ` ${revisionText(prev)}${brought === '' ? '' : ` +${brought}`}, committed ${revisionText(committed)}`;
}

/** What became of that: ` 2/5`, or ` not; base 1/2, last 1/4`. */
export function beatAnswerText({ ok, match, base, last }: BeatDataReply): string {
  return ok ? ` ${revisionText(match)}` : ` not; base ${revisionText(base)}, last ${revisionText(last)}`;
}

/** What is asked of the leader: `write k=v t1`, `keys from 2`, `datums k 1/2`; null for all else. */
export function askedText(request: RaftRequest): string | null {
  switch (request.type) {
    case 'writes':
      return `write ${request.writes.map(writeText).join(', ')} t${request.term}`;
    case 'keys':
      return `keys from ${request.from}`;
    case 'datums':
      return `datums ${request.keys.map(({ key, revision }) => `${key} ${revisionText(revision)}`).join(', ')}`;
    default:
      return null;
  }
}

/** `k=v if 3`, `-k`. */
export function writeText(write: {
  readonly key: string;
  readonly value: string | null;
  readonly ifTimestamp?: number | undefined;
}): string {
  const { key, value, ifTimestamp } = write;
  const text = value === null ? `-${key}` : `${key}=${JSON.parse(value)}`;
  return ifTimestamp === undefined ? text : `${text} if ${ifTimestamp}`;
}

/** What comes back for that: `2 of 3 at 1/9`, `k at 1/9`, `done @3`; null for all else. */
export function givenText(answer: object): string | null {
  if ('keys' in answer) {
    const { at, keys, total } = answer as { at: Revision; keys: readonly unknown[]; total: number };
    return `${keys.length} of ${total} at ${revisionText(at)}`;
  }
  if ('datums' in answer) {
    const { at, datums } = answer as { at: Revision; datums: readonly { key: string }[] };
    return `${datums.map(({ key }) => key).join(' ')} at ${revisionText(at)}`;
  }
  return 'timestamp' in answer || 'datum' in answer ? resultText(answer as AnswerOutput['result']) : null;
}

/** An outcome: `done @3`, `nothing there`, `CONFLICT`, `k=v@1`. */
export function resultText(result: AnswerOutput['result']): string {
  if (result instanceof RaftError) return result.code;
  if ('timestamp' in result) return result.timestamp === null ? 'nothing there' : `done @${result.timestamp}`;
  return result.datum === null ? 'nothing there' : opText(result.datum);
}

/** What listeners are told: `k=v@1`, `-k`. */
export function changesText(changes: readonly DatumChange[]): string {
  return changes.map(({ key, datum }) => (datum === null ? `-${key}` : opText(datum))).join(' ');
}

/** What a save changes: `base 2/9, cut from 4, 2/4 k=v@1`. */
export function savedText({ base, cutFrom, append = [] }: DataChanges): string {
  const parts = [
    ...(base === undefined ? [] : [`base ${revisionText(base.revision)}`]),
    ...(cutFrom === undefined ? [] : [`cut from ${cutFrom}`]),
    ...append.map(({ revision, ops }) => [revisionText(revision), ...ops.map(opText)].join(' ')),
  ];
  return parts.join(', ');
}

/** What a peer holds: `base 1/3 k=v@1; tail 2/4 2/5`. */
export function heldText(datums: Datums): string {
  const held = [...datums.all().values()].map((datum) => ` ${opText(datum)}`).toSorted();
  const tail = datums.after(datums.base.seq, Number.POSITIVE_INFINITY);
  const end = sameRevision(datums.base, datums.last)
    ? ''
    : `; tail${tail.map(({ revision }) => ` ${revisionText(revision)}`).join('')}`;
  return `base ${revisionText(datums.base)}${held.join('')}${end}`;
}
