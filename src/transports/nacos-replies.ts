import { RaftError, type RaftErrorCode } from '../core/errors.js';
import type { ErrorReply, LeaderReply, RaftReply, RaftRequest, StateReply } from '../core/messages.js';
import type { NacosDatumsReply } from '../core/nacos-messages.js';
import type { PeerSnapshot } from '../core/peer.js';
import type { HttpReply } from './http-answers.js';
import { peerFields, wirePeer } from './nacos-json.js';

const JSON_TYPE = 'application/json;charset=UTF-8';
const TEXT_TYPE = 'text/plain;charset=UTF-8';

/** What an original peer answered. */
export interface NacosAnswer {
  readonly status: number;
  /** Its content-type, as it came. */
  readonly type: string;
  readonly body: string;
}

/** Writes the reply to a request of `type` as the original does. */
export function writeReply(type: RaftRequest['type'], reply: RaftReply): HttpReply {
  if ('code' in reply) return writeRefusal(reply);
  switch (type) {
    case 'leader': {
      const { leader } = reply as LeaderReply;
      return written({ leader: leader === null ? 'null' : JSON.stringify(wirePeer(leader)) });
    }
    case 'state':
      // raftbeat knows keys, and no services.
      return written({ services: 0, peers: (reply as StateReply).peers.map(wirePeer) });
    case 'nacosGet':
      return written((reply as NacosDatumsReply).datums);
    case 'vote':
    case 'beat':
    case 'peer':
      return written(wirePeer(reply as PeerSnapshot));
    default:
      return { status: 200, type: JSON_TYPE, body: Buffer.from('ok') };
  }
}

/** Writes a refusal: 400 and its text for what was wrong with the request, else 500 and what caused it. */
export function writeRefusal({ code, message }: Pick<ErrorReply, 'code' | 'message'>): HttpReply {
  const status = STATUSES[code] ?? 500;
  const body = Buffer.from(status === 500 ? `caused: ${message};` : message);
  return { status, type: TEXT_TYPE, body };
}

const STATUSES: Readonly<Partial<Record<RaftErrorCode, number>>> = {
  BAD_REQUEST: 400,
  BUSY: 503,
  INVALID_STATE: 400,
  NOT_RUNNING: 503,
  OUT_OF_DATE: 400,
  TOO_LARGE: 413,
};

/**
 * Reads the answer to `request`; its fields are checked by who asked. A refusal becomes an `ErrorReply`.
 *
 * @throws RaftError `BAD_REPLY`
 */
export function readReply(request: RaftRequest, answer: NacosAnswer): unknown {
  const { status, body, type } = answer;
  if (status !== 200) return refusalOf(answer);
  switch (request.type) {
    case 'vote': {
      const peer = peerFields(parse(body));
      // The original refuses by a reply that shows another vote.
      const granted = peer['voteFor'] === request.peer.ip && peer['term'] === request.peer.term;
      return { ...peer, granted };
    }
    case 'beat':
      return { ...peerFields(parse(body)), requestTerm: request.peer.term };
    case 'peer':
      return peerFields(parse(body));
    case 'nacosGet':
      return { datums: parse(body) };
    case 'nacosPublish':
    case 'nacosRemove':
      // As in the original: what answers 200 without a charset is no peer.
      if (!/charset=/i.test(type)) throw new RaftError('BAD_REPLY', `not an answer of Nacos: '${type}'`);
      return { done: true };
    case 'leader': {
      const { leader } = fields(parse(body));
      if (typeof leader !== 'string') throw new RaftError('BAD_REPLY', 'leader must be a text');
      const peer = parse(leader);
      return { leader: peer === null ? null : peerFields(peer) };
    }
    case 'state':
      return parse(body);
    default:
      return { done: true };
  }
}

/** Which refusal a text is: original peers have no codes. */
const TEXTS: readonly (readonly [RegExp, RaftErrorCode])[] = [
  [/can not find peer/, 'UNKNOWN_PEER'],
  [/invalid state from master/, 'INVALID_STATE'],
  [/out of date (beat|publish)/, 'OUT_OF_DATE'],
  [/but wasn't leader/, 'NOT_LEADER'],
  [/failed to notify majority/, 'TIMEOUT'],
  [/no leader is known/, 'NO_LEADER'],
];

/** The longest text of a refusal that is taken over, in characters. */
const MAX_TEXT_LENGTH = 1_000;

/** Original peers write `caused: <text>;`, or the name of a class before the text. */
function refusalOf({ status, body }: NacosAnswer): ErrorReply {
  const text = body.slice(0, MAX_TEXT_LENGTH);
  const message =
    /^caused: (.*);$/s.exec(text)?.[1] ?? text.replace(/^[\w.]+\.[A-Z]\w*(Exception|Error): /, '');
  const byText = TEXTS.find(([pattern]) => pattern.test(message))?.[1];
  return { code: byText ?? BY_STATUS[status] ?? 'INTERNAL', message: message || `status ${status}` };
}

const BY_STATUS: Readonly<Partial<Record<number, RaftErrorCode>>> = {
  400: 'BAD_REQUEST',
  413: 'TOO_LARGE',
  503: 'NOT_RUNNING',
};

function written(value: unknown): HttpReply {
  return { status: 200, type: JSON_TYPE, body: Buffer.from(JSON.stringify(value)) };
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new RaftError('BAD_REPLY', 'the answer is not JSON', { cause });
  }
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  throw new RaftError('BAD_REPLY', 'the answer must be an object');
}
