import { RaftError } from '../core/errors.js';
import { type Bus, type BusListener, type BusMessage, BusTransport } from './bus.js';

/** The options of a {@link BroadcastTransport}. */
export interface BroadcastTransportOptions {
  /**
   * What all messages go by: a `BroadcastChannel`, or a `MessagePort` (of two peers, or of one and a hub that passes each
   * message on to all others). It is not closed.
   *
   * @default a `BroadcastChannel` named `raftbeat`, opened at the start and closed at the stop
   */
  readonly channel?: BroadcastTransportChannel;
}

/** As much of a `BroadcastChannel` or a `MessagePort` as is needed, in browsers and in Node. */
export interface BroadcastTransportChannel {
  postMessage(message: unknown): void;
  addEventListener(type: 'message', listener: (event: object) => void): void;
  removeEventListener(type: 'message', listener: (event: object) => void): void;
  /** Of a `MessagePort`, which listens only then. */
  start?(): void;
}

/**
 * Carries requests between the threads of a process, or the tabs of a browser: the identity of a peer is any name. Beats are
 * published once for all. That a tab or a thread is gone is noticed only by its silence.
 */
export class BroadcastTransport extends BusTransport {
  /** @throws RaftError `BAD_OPTION` */
  constructor({ channel }: BroadcastTransportOptions = {}) {
    if (channel !== undefined && typeof channel?.postMessage !== 'function')
      throw new RaftError('BAD_OPTION', 'channel: expected a BroadcastChannel or a MessagePort');
    super(new ChannelBus(channel ?? null));
  }
}

class ChannelBus implements Bus {
  readonly #given: BroadcastTransportChannel | null;
  #channel: (BroadcastTransportChannel & { close?(): void }) | null = null;
  #listen: (event: object) => void = () => {};

  constructor(given: BroadcastTransportChannel | null) {
    this.#given = given;
  }

  async open(_local: string, { heard }: BusListener): Promise<void> {
    const channel: BroadcastTransportChannel = this.#given ?? new BroadcastChannel('raftbeat');
    this.#listen = (event) => heard('data' in event ? event.data : null);
    channel.addEventListener('message', this.#listen);
    channel.start?.();
    this.#channel = channel;
  }

  send(message: BusMessage): void {
    this.#channel?.postMessage(message);
  }

  async close(): Promise<void> {
    this.#channel?.removeEventListener('message', this.#listen);
    if (this.#given === null) this.#channel?.close?.();
    this.#channel = null;
  }
}
