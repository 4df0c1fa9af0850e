import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { RaftError } from '../core/errors.js';
import type { RaftRequest } from '../core/messages.js';
import type { HttpOutgoing } from './http-exchange.js';
import { peerFields, urlProofJson, wirePeer } from './nacos-json.js';

const gzip = promisify(zlib.gzip);
const gunzip: (body: Buffer, options: zlib.ZlibOptions) => Promise<Buffer> = promisify(zlib.gunzip);

/** Tells a raftbeat peer that what it is asked was passed on before; original peers do not look at it. */
export const FORWARDED_HEADER = 'raftbeat-forwarded';

/** Original peers answer 503 to others while they start; they tell each other by the beginning of this. */
const USER_AGENT = 'Nacos-Server:1.2.1';
const JSON_TYPE = 'application/json; charset=UTF-8';
const NO_BODY = Buffer.alloc(0);

/** A request as it came in. */
export interface NacosIncoming {
  readonly query: URLSearchParams;
  readonly body: Buffer;
  readonly isForm: boolean;
  readonly isForwarded: boolean;
  readonly bodyLimitBytes: number;
}

/** Makes the request of raftbeat, unchecked, of what came in. */
type Read = (incoming: NacosIncoming) => Promise<unknown>;

/** What is served, by method and the end of the path. */
const READERS: Readonly<Record<string, Read>> = {
  'POST vote': async (incoming) => ({
    type: 'vote',
    peer: peerFields(parse('vote', required('vote', incoming))),
  }),
  'POST beat': readBeat,
  'GET peer': async () => ({ type: 'peer' }),
  'GET leader': async () => ({ type: 'leader' }),
  'GET state': async () => ({ type: 'state' }),
  'GET datum': async (incoming) => ({
    type: 'nacosGet',
    keys: fullyDecoded(required('keys', incoming)).split(','),
  }),
  'POST datum/commit': async (incoming) => {
    const { datum, source } = fieldsOf('body', await json(incoming));
    return { type: 'nacosCommit', datum, source: peerFields(source) };
  },
  'DELETE datum/commit': async (incoming) => {
    const { datum, source } = fieldsOf('body', await json(incoming));
    return { type: 'nacosDelete', key: fieldsOf('datum', datum)['key'], source: peerFields(source) };
  },
  'POST datum': async (incoming) => {
    const { key, value } = fieldsOf('body', await json(incoming));
    return { type: 'nacosPublish', key, value, forwarded: incoming.isForwarded };
  },
  'DELETE datum': async (incoming) => ({
    type: 'nacosRemove',
    key: fullyDecoded(required('key', incoming)),
    forwarded: incoming.isForwarded,
  }),
};

/** Which methods `path`, the end of a path, takes. */
export function methodsOf(path: string): readonly string[] {
  const ends = Object.keys(READERS).map((known) => known.split(' ') as [string, string]);
  return ends.filter(([, end]) => end === path).map(([method]) => method);
}

/**
 * Reads what an original peer asks; the fields are checked by who handles it.
 *
 * @throws RaftError `BAD_REQUEST`, `TOO_LARGE`
 */
export async function readRequest(method: string, path: string, incoming: NacosIncoming): Promise<unknown> {
  const read = Object.hasOwn(READERS, `${method} ${path}`) ? READERS[`${method} ${path}`] : undefined;
  if (read === undefined) throw new RaftError('BAD_REQUEST', `there is no ${method} ${path}`);
  return read(incoming);
}

/**
 * Writes `request` as the original does, for below the path `base`.
 *
 * @throws RaftError `UNSUPPORTED` for what original peers know nothing of
 */
export async function writeRequest(base: string, request: RaftRequest): Promise<HttpOutgoing> {
  switch (request.type) {
    case 'vote': {
      const vote = encoded(JSON.stringify(wirePeer(request.peer)));
      return write('POST', `${base}/vote?encoding=UTF-8&vote=${vote}&nofix=1&`);
    }
    case 'beat': {
      const beat = urlProofJson({ peer: wirePeer(request.peer), datums: request.datums });
      const body = await gzip(JSON.stringify({ beat }));
      return write('POST', `${base}/beat`, body, { 'content-encoding': 'gzip' });
    }
    case 'peer':
    case 'leader':
    case 'state':
      return write('GET', `${base}/${request.type}`);
    case 'nacosGet':
      return write('GET', `${base}/datum?keys=${encoded(request.keys.join(','))}`);
    case 'nacosCommit': {
      const { datum, source } = request;
      const body = urlProofJson({ datum, source: wirePeer(source) });
      return write('POST', `${base}/datum/commit`, Buffer.from(body), { key: datum.key });
    }
    case 'nacosDelete': {
      const { key, source } = request;
      const body = urlProofJson({ datum: { key, timestamp: 0 }, source: wirePeer(source) });
      return write('DELETE', `${base}/datum/commit`, Buffer.from(body));
    }
    case 'nacosPublish': {
      const { key, value, forwarded = false } = request;
      return write('POST', `${base}/datum`, Buffer.from(urlProofJson({ key, value })), {
        key,
        ...(forwarded ? { [FORWARDED_HEADER]: '1' } : {}),
      });
    }
    case 'nacosRemove': {
      const { key, forwarded = false } = request;
      const twice = encoded(encoded(key));
      const path = `${base}/datum?encoding=UTF-8&key=${twice}&nofix=1&`;
      return write('DELETE', path, NO_BODY, forwarded ? { [FORWARDED_HEADER]: '1' } : {});
    }
    default:
      throw new RaftError('UNSUPPORTED', `original peers know no ${request.type}`);
  }
}

/** As Java's encoder: half a character becomes a question mark. */
function encoded(text: string): string {
  return encodeURIComponent(text.replaceAll(/\p{Surrogate}/gu, '?'));
}

function write(
  method: string,
  path: string,
  body: Buffer = NO_BODY,
  headers: HttpOutgoing['headers'] = {},
): HttpOutgoing {
  const common = { 'user-agent': USER_AGENT, 'accept-charset': 'UTF-8' };
  const type = body.length > 0 ? { 'content-type': JSON_TYPE } : {};
  return { method, path, headers: { ...common, ...type, ...headers }, body };
}

async function readBeat(incoming: NacosIncoming): Promise<unknown> {
  if (!isGzip(incoming.body)) throw new RaftError('BAD_REQUEST', 'the body must be gzip');
  const { beat } = fieldsOf('body', await json(incoming));
  if (typeof beat !== 'string') throw new RaftError('BAD_REQUEST', 'beat must be a text');
  const { peer, datums } = fieldsOf('beat', parse('beat', beat));
  return { type: 'beat', peer: peerFields(peer), datums };
}

/** A parameter, be it in the query or in a form. */
function required(name: string, { query, body, isForm }: NacosIncoming): string {
  const value = query.get(name) ?? (isForm ? new URLSearchParams(body.toString()).get(name) : null);
  if (value !== null && value !== '') return value;
  throw new RaftError('BAD_REQUEST', `Param '${name}' is required.`);
}

/** The most often that anybody encodes a parameter. */
const MAX_ENCODED = 3;

/** Some peers encode twice, some once: as 1.3.2, until nothing changes. */
function fullyDecoded(text: string): string {
  let decoded = text;
  try {
    for (let round = 0; round < MAX_ENCODED; round++) decoded = decodeURIComponent(decoded);
  } catch {
    return decoded;
  }
  return decoded;
}

/** The body, whatever the header says of it: original peers say gzip of what is plain. */
async function json({ body, bodyLimitBytes }: NacosIncoming): Promise<unknown> {
  const plain = isGzip(body) ? await inflate(body, bodyLimitBytes) : body;
  return parse('body', plain.toString());
}

function isGzip(body: Buffer): boolean {
  return body[0] === 0x1f && body[1] === 0x8b;
}

async function inflate(body: Buffer, maxOutputLength: number): Promise<Buffer> {
  try {
    return await gunzip(body, { maxOutputLength });
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE') {
      throw new RaftError('TOO_LARGE', `the body is larger than ${maxOutputLength} bytes`, { cause });
    }
    throw new RaftError('BAD_REQUEST', 'the body is not whole gzip', { cause });
  }
}

function parse(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RaftError('BAD_REQUEST', `${name} is not JSON`);
  }
}

function fieldsOf(name: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  throw new RaftError('BAD_REQUEST', `${name} must be an object`);
}
