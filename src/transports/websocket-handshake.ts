import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { RaftError } from '../core/errors.js';
import { AUTH_HEADER, type HttpAuth } from './http-auth.js';
import { asHeader, TO_HEADER } from './http-wire.js';
import type { LinkPeer } from './websocket-link.js';
import { Seal } from './websocket-seal.js';

/** Who sends the headers; browsers cannot send them, so that no web page can be a peer. */
const IP_HEADER = 'x-raftbeat-ip';
const PROCESS_HEADER = 'x-raftbeat-process';
/** What the signature of the answer is over, beside the signed request: that the call was taken. */
const TAKEN_STATUS = 101;

/** The other end, as far as it is known; what it proves depends on the secret. */
export interface Introduced {
  readonly peer: LinkPeer;
  /** For all that follows; null without a secret. */
  readonly seal: Seal | null;
}

/** A call to a peer. */
export interface Call {
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Reads the answer.
   *
   * @throws RaftError `BAD_REPLY` when another peer answers, or none; `UNAUTHORIZED` when the answer is not signed
   */
  taken(answer: IncomingMessage): Introduced;
}

/** How two peers introduce themselves when one connects to the other. */
export class Handshake {
  readonly #path: string;
  readonly #local: LinkPeer;
  readonly #auth: HttpAuth | null;

  constructor(path: string, local: LinkPeer, auth: HttpAuth | null) {
    this.#path = path;
    this.#local = local;
    this.#auth = auth;
  }

  /** Begins a call to `to`. */
  call(to: string): Call {
    const headers = { ...introducing(this.#local), [TO_HEADER]: asHeader(to) };
    const signature = this.#auth?.sign(signable(this.#path, to, this.#local)) ?? null;
    return {
      headers: signature === null ? headers : { ...headers, [AUTH_HEADER]: signature.header },
      taken: (answer) => this.#taken(to, answer, signature?.digest ?? null),
    };
  }

  /**
   * Takes a call; returns who it is, and the headers of the answer.
   *
   * @throws RaftError `BAD_REQUEST` when the caller is no peer; `UNAUTHORIZED` when it does not know the secret, or calls
   *   a second time with the same signature; `UNKNOWN_PEER` when it wants somebody else
   */
  take(request: IncomingMessage): Introduced & { readonly headers: Readonly<Record<string, string>> } {
    const peer = introducedBy(request.headers);
    const to = textIn(request.headers, TO_HEADER);
    if (peer === null || to === null) throw new RaftError('BAD_REQUEST', 'peers tell who and whom they call');
    const { ip } = this.#local;
    if (to !== ip) throw new RaftError('UNKNOWN_PEER', `this is ${ip}, and not ${to}`, { ip });
    const headers = introducing(this.#local);
    if (this.#auth === null) return { peer, seal: null, headers };
    const given = String(request.headers[AUTH_HEADER] ?? '');
    const verified = this.#auth.verify(signable(this.#path, ip, peer), given);
    if (verified === null) throw new RaftError('UNAUTHORIZED', 'not signed with the secret');
    this.#auth.admit(verified);
    const signature = this.#auth.signReply(verified.digest, TAKEN_STATUS, bytesOf(this.#local));
    const seal = new Seal(this.#auth.keyFor(verified.digest, this.#local.process), 'taker');
    return { peer, seal, headers: { ...headers, [AUTH_HEADER]: signature } };
  }

  #taken(to: string, { headers }: IncomingMessage, digest: string | null): Introduced {
    const peer = introducedBy(headers);
    if (peer?.ip !== to)
      throw new RaftError('BAD_REPLY', `what answers for ${to} is not this peer`, { ip: to });
    if (this.#auth === null || digest === null) return { peer, seal: null };
    const given = String(headers[AUTH_HEADER] ?? '');
    if (!this.#auth.verifyReply(digest, TAKEN_STATUS, bytesOf(peer), given))
      throw new RaftError('UNAUTHORIZED', `the answer of ${to} is not signed with the secret`, { ip: to });
    return { peer, seal: new Seal(this.#auth.keyFor(digest, peer.process), 'dialer') };
  }
}

function introducing({ ip, process }: LinkPeer): Record<string, string> {
  return { [IP_HEADER]: asHeader(ip), [PROCESS_HEADER]: process };
}

function introducedBy(headers: IncomingHttpHeaders): LinkPeer | null {
  const ip = textIn(headers, IP_HEADER);
  const process = textIn(headers, PROCESS_HEADER);
  return ip === null || process === null ? null : { ip, process };
}

/** What was encoded in a header; null when there is none, or none that can be read. */
function textIn(headers: IncomingHttpHeaders, name: string): string | null {
  const header = headers[name];
  if (typeof header !== 'string' || header === '') return null;
  try {
    return decodeURIComponent(header);
  } catch {
    return null;
  }
}

function signable(path: string, to: string, dialer: LinkPeer) {
  return { method: 'GET', path, to, body: bytesOf(dialer) };
}

function bytesOf({ ip, process }: LinkPeer): Buffer {
  return Buffer.from(JSON.stringify([ip, process]));
}
