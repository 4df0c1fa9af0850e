import type { RawData, WebSocket } from 'ws';
import { RaftError, textOf } from '../core/errors.js';
import type { RaftReply, RaftRequest } from '../core/messages.js';
import type { Receive } from './transport.js';
import type { Seal } from './websocket-seal.js';

/** How many requests of the other end are handled at a time: a peer has a few under way. */
const MAX_SERVED = 1_000;
/** What is not taken by the other end, in largest messages: more means that it reads no longer. */
const MAX_UNTAKEN = 4;
/** What a frame adds to the message in it, in bytes, at most. */
export const FRAME_BYTES = 128;
/** How long answers under way are waited for, and then a farewell, in ms. */
const GRACE_MS = 250;
/** Why a connection is closed, by RFC 6455, section 7.4.1. */
const GOING_AWAY = 1001;
const PROTOCOL_ERROR = 1002;

/** Who is at the other end of a connection. */
export interface LinkPeer {
  readonly ip: string;
  /** A number of its process, at random: one that was started again has another. */
  readonly process: string;
}

/** What it takes to speak over a connection. */
export interface LinkOptions {
  readonly peer: LinkPeer;
  /** Whether this end dialed. */
  readonly isDialed: boolean;
  readonly bodyLimitBytes: number;
  /** How often it is looked whether the other end is still there, in ms. */
  readonly pingMs: number;
  readonly seal: Seal | null;
  readonly receive: Receive;
}

/** One of these in each frame: a question, the answer to one, or that nobody waits for an answer any more. */
interface Frame {
  readonly q?: unknown;
  readonly a?: unknown;
  readonly x?: unknown;
  /** The request, or the reply. */
  readonly m?: unknown;
}

interface Question {
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: RaftError) => void;
}

/** A connection between two peers, over which each asks the other. */
export class Link {
  readonly peer: LinkPeer;
  readonly isDialed: boolean;
  /** Called when it is over. */
  onEnd: () => void = () => {};
  readonly #socket: WebSocket;
  readonly #options: LinkOptions;
  readonly #asked = new Map<number, Question>();
  /** The requests that are handled here, and how to tell that their asker waits no more. */
  readonly #served = new Map<number, AbortController | null>();
  readonly #looker: NodeJS.Timeout;
  /** How often it was looked since anything came. */
  #silentLooks = 0;
  #isRetired = false;
  #nextId = 0;

  constructor(socket: WebSocket, options: LinkOptions) {
    this.#socket = socket;
    this.#options = options;
    this.peer = options.peer;
    this.isDialed = options.isDialed;
    socket.on('message', (data, isBinary) => this.#received(data, isBinary));
    socket.on('pong', () => {
      this.#silentLooks = 0;
    });
    // What is wrong with a connection ends it, and that is what counts.
    socket.on('error', () => {});
    socket.once('close', () => this.#ended());
    this.#looker = setInterval(() => this.#look(), options.pingMs);
    this.#looker.unref();
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  /**
   * Asks the other end, once.
   *
   * @throws RaftError `UNREACHABLE` when the connection ends before the answer; `ABORTED`; `TOO_LARGE`
   */
  async ask(request: RaftRequest, signal: AbortSignal): Promise<unknown> {
    const { ip } = this.peer;
    const id = this.#nextId++;
    const text = JSON.stringify({ q: id, m: request });
    if (!this.isOpen) throw ended(ip);
    if (this.#isTooLarge(text)) throw new RaftError('TOO_LARGE', `a request to ${ip} is too large`, { ip });
    let abort = (): void => {};
    try {
      return await new Promise((resolve, reject) => {
        abort = () => reject(aborted(ip, signal.reason));
        signal.addEventListener('abort', abort, { once: true });
        this.#asked.set(id, { resolve, reject });
        this.#send(text);
      });
    } finally {
      signal.removeEventListener('abort', abort);
      if (this.#asked.delete(id)) this.#send(JSON.stringify({ x: id }));
    }
  }

  /** Rejects what was asked over it, with `error`. */
  forsake(error: RaftError): void {
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
  }

  /** Ends it as soon as nothing is under way: another connection took its place. */
  retire(): void {
    this.#isRetired = true;
    this.#endIfIdle();
  }

  /** Waits a little for the answers under way, and says farewell; resolved when the connection is gone. */
  async close(): Promise<void> {
    if (this.#socket.readyState === this.#socket.CLOSED) return;
    const gone = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
    const timers = [
      setTimeout(() => this.#socket.close(GOING_AWAY), GRACE_MS),
      setTimeout(() => this.cut(), 2 * GRACE_MS),
    ];
    this.retire();
    await gone;
    for (const timer of timers) clearTimeout(timer);
  }

  /** Ends it at once. */
  cut(): void {
    this.#socket.terminate();
  }

  #received(data: RawData, isBinary: boolean): void {
    this.#silentLooks = 0;
    const frame = isBinary ? null : this.#read(data);
    if (frame === null) this.#socket.close(PROTOCOL_ERROR);
    else if (isId(frame.q)) this.#serve(frame.q, frame.m);
    else if (isId(frame.x)) this.#served.get(frame.x)?.abort();
    else if (isId(frame.a)) this.#heard(frame.a, frame.m);
  }

  #heard(id: number, reply: unknown): void {
    const question = this.#asked.get(id);
    this.#asked.delete(id);
    question?.resolve(reply);
    this.#endIfIdle();
  }

  #read(data: RawData): Frame | null {
    const { seal } = this.#options;
    const sent = data.toString();
    const text = seal === null ? sent : seal.open(sent);
    if (text === null) return null;
    try {
      const frame: unknown = JSON.parse(text);
      return typeof frame === 'object' ? frame : null;
    } catch {
      return null;
    }
  }

  #serve(id: number, request: unknown): void {
    if (this.#served.size >= MAX_SERVED || this.#served.has(id)) {
      const message = `${id} is being answered, or ${MAX_SERVED} others`;
      this.#send(JSON.stringify({ a: id, m: { code: 'BUSY', message } }));
      return;
    }
    // A signal costs much, and of all requests this one alone asks for it.
    const gone = isHold(request) ? new AbortController() : null;
    this.#served.set(id, gone);
    this.#options
      .receive(request, this.peer.ip, gone?.signal)
      .catch((cause: unknown) => ({ code: 'INTERNAL' as const, message: textOf(cause) }))
      .then((reply) => this.#answered(id, reply));
  }

  #answered(id: number, reply: RaftReply): void {
    if (!this.#served.delete(id)) return;
    const text = JSON.stringify({ a: id, m: reply });
    const message = `the answer is larger than ${this.#options.bodyLimitBytes} bytes`;
    const refusal = { a: id, m: { code: 'TOO_LARGE', message } };
    this.#send(this.#isTooLarge(text) ? JSON.stringify(refusal) : text);
    this.#endIfIdle();
  }

  #isTooLarge(text: string): boolean {
    return Buffer.byteLength(text) > this.#options.bodyLimitBytes + FRAME_BYTES / 2;
  }

  #send(text: string): void {
    const { seal, bodyLimitBytes } = this.#options;
    if (!this.isOpen) return;
    if (this.#socket.bufferedAmount > MAX_UNTAKEN * bodyLimitBytes) this.cut();
    else this.#socket.send(seal === null ? text : seal.close(text));
  }

  /** Who was silent for two looks is asked, and given up if it is silent till the next. */
  #look(): void {
    this.#silentLooks++;
    if (this.#silentLooks > 2) this.cut();
    else if (this.#silentLooks === 2 && this.isOpen) this.#socket.ping();
  }

  #endIfIdle(): void {
    if (this.#isRetired && this.#asked.size === 0 && this.#served.size === 0) this.#socket.close(GOING_AWAY);
  }

  #ended(): void {
    clearInterval(this.#looker);
    for (const gone of this.#served.values()) gone?.abort();
    this.#served.clear();
    this.forsake(ended(this.peer.ip));
    this.onEnd();
  }
}

function isId(id: unknown): id is number {
  return Number.isSafeInteger(id);
}

function isHold(request: unknown): boolean {
  return typeof request === 'object' && request !== null && 'type' in request && request.type === 'hold';
}

function ended(ip: string): RaftError {
  return new RaftError('UNREACHABLE', `the connection to ${ip} has ended`, { ip });
}

/** Nobody waits for the answer of `ip` any more. */
export function aborted(ip: string, cause: unknown): RaftError {
  return new RaftError('ABORTED', `nobody waits for the answer of ${ip} any more`, { ip, cause });
}
