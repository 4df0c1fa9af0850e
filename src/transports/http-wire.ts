import type { IncomingMessage } from 'node:http';
import { RaftError, type RaftErrorCode } from '../core/errors.js';
import type { RaftRequest } from '../core/messages.js';

/**
 * The type of all bodies between peers. It is not `application/json`, so that the body parsers of a host application
 * leave our requests alone (the signature is over the bytes), and so that a web page cannot send one across origins
 * without a preflight, which nobody answers.
 */
export const CONTENT_TYPE = 'application/vnd.raftbeat+json';

/** Whom a request is for: an address may have passed to another peer, whose vote must not count as that of two. */
export const TO_HEADER = 'x-raftbeat-to';

/** The status of the answer of another peer than a request is for (RFC 9110, section 15.5.20). */
export const MISDIRECTED = 421;

/** An ip as a header bears it. */
export function asHeader(ip: string): string {
  return encodeURIComponent(Buffer.from(ip).toString());
}

/** What each kind of request may be sent with. A `GET` is for people and health checks and changes nothing. */
export const METHODS: Readonly<Record<Exclude<RaftRequest['type'], 'metrics'>, readonly string[]>> = {
  vote: ['POST'],
  beat: ['POST'],
  transfer: ['POST'],
  writes: ['POST'],
  read: ['POST'],
  member: ['POST'],
  hold: ['POST'],
  beats: ['POST'],
  groups: ['POST'],
  keys: ['POST'],
  datums: ['POST'],
  peer: ['GET', 'HEAD', 'POST'],
  leader: ['GET', 'HEAD', 'POST'],
  state: ['GET', 'HEAD', 'POST'],
  resign: ['POST'],
  nacosGet: ['POST'],
  nacosCommit: ['POST'],
  nacosDelete: ['POST'],
  nacosPublish: ['POST'],
  nacosRemove: ['POST'],
};

/** Where nothing fits better it is 500. */
const STATUSES: Readonly<Partial<Record<string, number>>> = {
  BAD_REQUEST: 400,
  BAD_TARGET: 400,
  BUSY: 503,
  CONFLICT: 409,
  CONFLICTING_LEADER: 409,
  DUPLICATE_PEER: 409,
  GONE: 410,
  INVALID_STATE: 400,
  NOT_A_VOTER: 400,
  NOT_LEADER: 400,
  NOT_RUNNING: 503,
  NO_LEADER: 503,
  OUTCOME_UNKNOWN: 504,
  OUT_OF_DATE: 409,
  REFUSED_TRANSFER: 400,
  REJOINING: 503,
  TOO_LARGE: 413,
  UNAUTHORIZED: 401,
  UNKNOWN_GROUP: 404,
  UNKNOWN_PEER: 403,
  UNSUPPORTED: 400,
} satisfies Partial<Record<RaftErrorCode, number>>;

/** The HTTP status that a refusal travels with; for proxies and people, as peers read the code. */
export function statusOf(code: string): number {
  return (Object.hasOwn(STATUSES, code) && STATUSES[code]) || 500;
}

/** The media type of a message, without parameters; empty when it has none. */
export function mediaType(message: IncomingMessage): string {
  return (message.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** Where a peer is reached. */
export interface Endpoint {
  /** A name or an address; an IPv6 address without brackets. */
  readonly host: string;
  /** From 1 to 65535. */
  readonly port: number;
}

/** Reads `host:port` or `[v6]:port`; null when it is neither. */
export function parseEndpoint(address: string): Endpoint | null {
  const match = /^(?:\[([\da-f:.]+)\]|([^\s:/?#@[\]]+)):(\d{1,5})$/i.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host !== undefined && port >= 1 && port <= 65_535 ? { host, port } : null;
}

/**
 * Reads a whole body, and stops reading as soon as it is known to be too large.
 *
 * @throws RaftError `TOO_LARGE`; `UNREACHABLE` when the other side went away
 */
export function readBody(message: IncomingMessage, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const add = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes <= limitBytes) chunks.push(chunk);
      else refuse();
    };
    const refuse = (): void => {
      message.off('data', add).pause();
      reject(new RaftError('TOO_LARGE', `the body is larger than ${limitBytes} bytes`));
    };
    const lose = (cause?: Error): void => {
      reject(new RaftError('UNREACHABLE', 'the connection was lost within the body', { cause }));
    };
    message.on('error', lose).on('close', lose);
    if (Number(message.headers['content-length'] ?? 0) > limitBytes) return refuse();
    message.on('data', add).on('end', () => {
      message.off('close', lose);
      resolve(Buffer.concat(chunks, bytes));
    });
  });
}
