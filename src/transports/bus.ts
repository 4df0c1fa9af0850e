import { RaftError } from '../core/errors.js';
import type { RaftRequest } from '../core/messages.js';
import { Conversation, type Frame } from './conversation.js';
import type { BroadcastOptions, Receive, RequestOptions, Transport } from './transport.js';

/** How often it is looked whether those who were asked are still there, in ms. */
const LOOK_MS = 250;

/** A message between the peers on a bus. */
export interface BusMessage {
  /** Who sent it. */
  readonly from: string;
  /** A number of its process, at random: one that was started again has another. */
  readonly process: string;
  /** Whom it is for; null: everybody. */
  readonly to: readonly string[] | null;
  /**
   * A question, an answer, or the end of one; `p`: whether somebody is there, `h`: that somebody is; `end`: that the sender
   * is gone.
   */
  readonly frame: Frame & { readonly p?: 1; readonly h?: 1; readonly end?: 1 };
}

/** What a bus tells. */
export interface BusListener {
  /** A message came, for this peer or for others. */
  heard(message: unknown): void;
  /** Nobody listens to what is for `ip`; never called within `send`. */
  unheard(ip: string): void;
}

/** Carries messages to all who listen, or at least to those that they are for. Messages may be lost. */
export interface Bus {
  /** Starts to listen for messages to `local`, or to everybody. */
  open(local: string, listener: BusListener): Promise<void>;
  /** Sends a copy, if that can be done. @throws RaftError `TOO_LARGE` */
  send(message: BusMessage): void;
  /** Listens no longer; resolved when what was sent is on its way. */
  close(): Promise<void>;
}

/** What runs between a start and a stop. */
interface Running {
  readonly local: string;
  readonly process: string;
  readonly receive: Receive;
  readonly peers: Map<string, BusPeer>;
  /** What is to be done with the answers to what was published. */
  readonly published: Map<number, (from: string, reply: unknown) => void>;
  readonly looker: ReturnType<typeof setInterval>;
}

/** Carries requests over a medium that knows only messages. */
export class BusTransport implements Transport {
  readonly #bus: Bus;
  readonly #tellsGone: boolean;
  #running: Running | null = null;
  /** The end of the last start or stop: they take turns. */
  #turn: Promise<void> = Promise.resolve();
  /** Questions that are published have numbers below 0. */
  #lastPublished = 0;

  /** @param tellsGone whether the bus sends `end` for a peer whose process is gone */
  constructor(bus: Bus, tellsGone = false) {
    this.#bus = bus;
    this.#tellsGone = tellsGone;
  }

  /** @throws RaftError `INVALID_STATE` when it was started before; `ABORTED` when it was stopped meanwhile; or what the bus throws */
  async start(local: string, receive: Receive): Promise<void> {
    if (this.#running !== null) throw new RaftError('INVALID_STATE', 'the transport was started before');
    const process = String(crypto.getRandomValues(new Uint32Array(2)));
    const looker = setInterval(() => this.#look(), LOOK_MS);
    const running: Running = { local, process, receive, peers: new Map(), published: new Map(), looker };
    this.#running = running;
    const listener = {
      heard: (message: unknown) => this.#received(message),
      unheard: (ip: string) => running.peers.get(ip)?.unheard(),
    };
    const opened = this.#turn.then(() => this.#bus.open(local, listener));
    this.#turn = opened.catch(() => {});
    try {
      await opened;
    } catch (error) {
      if (this.#running === running) this.#running = null;
      forsake(running);
      throw error;
    }
    if (this.#running !== running)
      throw new RaftError('ABORTED', 'the transport was stopped while it started');
    this.#send(running, null, { h: 1 });
  }

  /**
   * @throws RaftError `UNREACHABLE` when the peer is not there, or another process answers for it; `ABORTED` (by the
   *   signal, or as the transport stopped); `TOO_LARGE`; `NOT_RUNNING`
   */
  async request(to: string, request: RaftRequest, { signal }: RequestOptions): Promise<unknown> {
    if (this.#running === null) throw new RaftError('NOT_RUNNING', 'the transport does not run');
    return this.#peer(this.#running, to).conversation.ask(request, signal);
  }

  /** Publishes one message for all of them. */
  broadcast(to: readonly string[], request: RaftRequest, { signal, answered }: BroadcastOptions): void {
    const running = this.#running;
    if (running === null || signal.aborted) return;
    const id = --this.#lastPublished;
    running.published.set(id, answered);
    signal.addEventListener('abort', () => running.published.delete(id), { once: true });
    this.#send(running, to, { q: id, m: request });
  }

  stop(): Promise<void> {
    const running = this.#running;
    this.#running = null;
    if (running !== null) this.#turn = this.#turn.then(() => this.#shutDown(running));
    return this.#turn;
  }

  #shutDown(running: Running): Promise<void> {
    forsake(running);
    this.#send(running, null, { end: 1 });
    return this.#bus.close();
  }

  #send({ local, process }: Running, to: readonly string[] | null, frame: BusMessage['frame']): void {
    this.#bus.send({ from: local, process, to, frame });
  }

  #peer(running: Running, ip: string): BusPeer {
    const known = running.peers.get(ip);
    if (known !== undefined) return known;
    const peer = new BusPeer(ip, {
      receive: running.receive,
      tellsGone: this.#tellsGone,
      // What is answered after the stop reaches nobody.
      send: (frame) => this.#running === running && this.#send(running, [ip], frame),
    });
    running.peers.set(ip, peer);
    return peer;
  }

  #received(message: unknown): void {
    const running = this.#running;
    if (running === null || !isBusMessage(message)) return;
    const { from, process, to, frame } = message;
    if (from === running.local || !(to === null || to.includes(running.local))) return;
    const peer = this.#peer(running, from);
    if (frame.end !== undefined) peer.ended(process);
    else this.#heard(running, peer, message);
  }

  #heard(running: Running, peer: BusPeer, { from, process, frame }: BusMessage): void {
    peer.heard(process);
    const answered = frame.a === undefined ? undefined : running.published.get(frame.a);
    if (frame.p !== undefined) this.#send(running, [from], { h: 1 });
    else if (answered !== undefined) answered(from, frame.m);
    else peer.conversation.received(frame);
  }

  #look(): void {
    for (const peer of this.#running?.peers.values() ?? []) peer.look();
  }
}

/** Ends what is under way. */
function forsake({ looker, peers }: Running): void {
  clearInterval(looker);
  const stopped = new RaftError('ABORTED', 'the transport was stopped');
  for (const { conversation } of peers.values()) conversation.end(stopped);
}

/** Another peer on the bus. */
class BusPeer {
  readonly ip: string;
  readonly conversation: Conversation;
  readonly #send: (frame: BusMessage['frame']) => void;
  #process: string | null = null;
  /** How often it was looked since it was heard. */
  #silentLooks = 0;

  constructor(ip: string, { receive, send, tellsGone }: BusPeerOptions) {
    this.ip = ip;
    this.#send = send;
    this.conversation = new Conversation({ ip, receive, send, tellsGone });
  }

  /** It sent something; what another process of it was asked nobody answers any more. */
  heard(process: string): void {
    this.#silentLooks = 0;
    if (this.#process !== null && this.#process !== process) this.ended(this.#process);
    this.#process = process;
  }

  /** That process of it is gone; another one may have taken its place. */
  ended(process: string): void {
    if (this.#process === null || this.#process === process) this.conversation.end(unreachable(this.ip));
  }

  /** What it is asked does not reach it. */
  unheard(): void {
    this.conversation.forsake(unreachable(this.ip));
  }

  /** Who is asked and is silent for a look is asked whether it is there, and given up if it is silent till the next. */
  look(): void {
    this.#silentLooks = this.conversation.isWaiting ? this.#silentLooks + 1 : 0;
    if (this.#silentLooks === 2) this.#send({ p: 1 });
    if (this.#silentLooks > 2) this.unheard();
  }
}

interface BusPeerOptions {
  readonly receive: Receive;
  readonly send: (frame: BusMessage['frame']) => void;
  readonly tellsGone: boolean;
}

/** Whether it can be passed on, or heard. */
export function isBusMessage(message: unknown): message is BusMessage {
  if (typeof message !== 'object' || message === null) return false;
  const { from, process, to, frame } = message as Partial<Record<keyof BusMessage, unknown>>;
  const isFor = to === null || (Array.isArray(to) && to.every((ip) => typeof ip === 'string'));
  return (
    typeof from === 'string' &&
    typeof process === 'string' &&
    isFor &&
    typeof frame === 'object' &&
    frame !== null
  );
}

function unreachable(ip: string): RaftError {
  return new RaftError('UNREACHABLE', `${ip} is not there, or was started again`, { ip });
}
