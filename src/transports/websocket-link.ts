import type { RawData, WebSocket } from 'ws';
import { RaftError } from '../core/errors.js';
import type { RaftRequest } from '../core/messages.js';
import { Conversation, type Frame } from './conversation.js';
import type { Receive } from './transport.js';
import type { Seal } from './websocket-seal.js';

/** What is not taken by the other end, in largest messages: more means that it reads no longer. */
const MAX_UNTAKEN = 4;
/** What a frame and its seal add to the message in it, in bytes, at most. */
export const FRAME_BYTES = 128;
/** How long answers under way are waited for, and then a farewell, in ms. */
const GRACE_MS = 250;
/** The first frame of who dialed, for the proof that comes with it. */
const NOTHING: Frame = {};
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

/** A connection between two peers, over which each asks the other. */
export class Link {
  readonly peer: LinkPeer;
  readonly isDialed: boolean;
  /** Called when it is over. */
  onEnd: () => void = () => {};
  /** Called when the other end has proven to know the secret by more than its call, which may be a repeated one. */
  onProven: () => void = () => {};
  readonly #socket: WebSocket;
  readonly #options: LinkOptions;
  readonly #conversation: Conversation;
  readonly #looker: NodeJS.Timeout;
  /** How often it was looked since anything came. */
  #silentLooks = 0;
  #isProven: boolean;
  #isEnding = false;
  /** How often it was asked whether the other end has caught up. */
  #marks = 0;

  constructor(socket: WebSocket, options: LinkOptions) {
    this.#socket = socket;
    this.#options = options;
    this.peer = options.peer;
    this.isDialed = options.isDialed;
    this.#isProven = options.isDialed || options.seal === null;
    this.#conversation = new Conversation({
      ip: options.peer.ip,
      receive: options.receive,
      send: (frame) => this.#send(frame),
      tellsGone: true,
      idle: () => this.#isEnding && this.#endWhenIdle(),
    });
    socket.on('message', (data, isBinary) => this.#received(data, isBinary));
    socket.on('pong', () => {
      this.#silentLooks = 0;
    });
    // What is wrong with a connection ends it, and that is what counts.
    socket.on('error', () => {});
    socket.once('close', () => this.#ended());
    this.#looker = setInterval(() => this.#look(), options.pingMs);
    this.#looker.unref();
    if (options.isDialed && options.seal !== null) this.#send(NOTHING);
  }

  get isProven(): boolean {
    return this.#isProven;
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
    if (!this.isOpen) throw ended(this.peer.ip);
    return this.#conversation.ask(request, signal);
  }

  /** Rejects what was asked over it, with `error`. */
  forsake(error: RaftError): void {
    this.#conversation.forsake(error);
  }

  /** Ends it as soon as nothing is under way, nor on its way here: another connection took its place, at both ends. */
  retire(): void {
    this.whenCaughtUp(() => this.#endWhenIdle());
  }

  /** Calls `then` when all that was sent before has come to the other end, and all that it sent before that has come here. */
  whenCaughtUp(then: () => void): void {
    const mark = String(++this.#marks);
    const caughtUp = (bearing: Buffer): void => {
      if (bearing.toString() !== mark) return;
      this.#socket.off('pong', caughtUp);
      then();
    };
    this.#socket.on('pong', caughtUp).ping(mark);
  }

  /** Waits a little for the answers under way, and says farewell; resolved when the connection is gone. */
  async close(): Promise<void> {
    if (this.#socket.readyState === this.#socket.CLOSED) return;
    const gone = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
    const timers = [
      setTimeout(() => this.#socket.close(GOING_AWAY), GRACE_MS),
      setTimeout(() => this.cut(), 2 * GRACE_MS),
    ];
    this.#endWhenIdle();
    await gone;
    for (const timer of timers) clearTimeout(timer);
  }

  /** Ends it at once. */
  cut(): void {
    this.#socket.terminate();
  }

  #received(data: RawData, isBinary: boolean): void {
    // After a farewell nothing could be answered, and after a fault the next message is not the next one.
    if (!this.isOpen) return;
    this.#silentLooks = 0;
    const frame = isBinary ? null : this.#read(data);
    if (frame === null) {
      this.#socket.close(PROTOCOL_ERROR);
      return;
    }
    if (!this.#isProven) this.#prove();
    this.#conversation.received(frame);
  }

  #prove(): void {
    this.#isProven = true;
    this.onProven();
  }

  #read(data: RawData): object | null {
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

  #send(frame: Frame): void {
    const { seal, bodyLimitBytes, peer } = this.#options;
    const text = JSON.stringify(frame);
    if (Buffer.byteLength(text) > bodyLimitBytes + FRAME_BYTES / 2) {
      const what = `a message to ${peer.ip} is larger than ${bodyLimitBytes} bytes`;
      throw new RaftError('TOO_LARGE', what, { ip: peer.ip });
    }
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

  #endWhenIdle(): void {
    this.#isEnding = true;
    if (this.#conversation.isIdle) this.#socket.close(GOING_AWAY);
  }

  #ended(): void {
    clearInterval(this.#looker);
    this.#conversation.end(ended(this.peer.ip));
    this.onEnd();
  }
}

function ended(ip: string): RaftError {
  return new RaftError('UNREACHABLE', `the connection to ${ip} has ended`, { ip });
}
