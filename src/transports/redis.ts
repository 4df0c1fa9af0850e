import { RaftError } from '../core/errors.js';
import { parsed, soleOf, subscribed, wellFormed } from './broker.js';
import { type Bus, type BusListener, type BusMessage, BusTransport } from './bus.js';

/** The options of a {@link RedisTransport}. */
export interface RedisTransportOptions {
  /** What is published by: a client of `ioredis`, which others may use, too. It is never closed. */
  readonly client: RedisTransportClient;

  /** What is listened by, such as `client.duplicate()`; for this transport alone. It is never closed. */
  readonly subscriber: RedisTransportSubscriber;

  /**
   * What the names of all channels begin with: the same for all members, and another for each cluster.
   *
   * @default 'raftbeat'
   */
  readonly channel?: string;
}

/** As much of a client of `ioredis` as is needed to publish. */
export interface RedisTransportClient {
  readonly status: string;
  publish(channel: string, message: string): Promise<number>;
}

/** As much of a client of `ioredis` as is needed to listen. */
export interface RedisTransportSubscriber {
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(...channels: string[]): Promise<unknown>;
  on(event: 'message', listener: (channel: string, message: string) => void): unknown;
  off(event: 'message', listener: (channel: string, message: string) => void): unknown;
}

/**
 * Carries requests over Redis, by publish and subscribe: the identity of a peer is any name. A beat is published once for all
 * members and observers, and that nobody listens as a peer is told at once. Redis keeps nothing of it: its loss of data
 * harms nobody. Who may publish to these channels is trusted: that is up to the users of the server.
 */
export class RedisTransport extends BusTransport {
  /** @throws RaftError `BAD_OPTION` */
  constructor({ client, subscriber, channel = 'raftbeat' }: RedisTransportOptions) {
    if (typeof client?.publish !== 'function')
      throw new RaftError('BAD_OPTION', 'client: expected a client of ioredis');
    if (typeof subscriber?.subscribe !== 'function' || (subscriber as unknown) === client)
      throw new RaftError('BAD_OPTION', 'subscriber: expected another client of ioredis');
    if (typeof channel !== 'string' || channel === '')
      throw new RaftError('BAD_OPTION', `channel: expected a name, got ${channel}`);
    super(new RedisBus(client, subscriber, channel));
  }
}

class RedisBus implements Bus {
  readonly #client: RedisTransportClient;
  readonly #subscriber: RedisTransportSubscriber;
  readonly #channel: string;
  #channels: readonly string[] = [];
  #unheard: (ip: string) => void = () => {};
  #listen: (channel: string, message: string) => void = () => {};

  constructor(client: RedisTransportClient, subscriber: RedisTransportSubscriber, channel: string) {
    this.#client = client;
    this.#subscriber = subscriber;
    this.#channel = channel;
  }

  async open(local: string, { heard, unheard }: BusListener): Promise<void> {
    this.#unheard = unheard;
    this.#channels = [`${this.#channel}:all`, this.#channelOf(local)];
    this.#listen = (channel, message) => this.#channels.includes(channel) && heard(parsed(message));
    this.#subscriber.on('message', this.#listen);
    await subscribed(
      () => this.#subscriber.subscribe(...this.#channels),
      () => this.close(),
    );
  }

  send(message: BusMessage): void {
    const text = JSON.stringify(message);
    const sole = soleOf(message);
    if (sole === null) void this.#publish(`${this.#channel}:all`, text);
    else void this.#publish(this.#channelOf(sole), text).then((count) => count === 0 && this.#unheard(sole));
  }

  async close(): Promise<void> {
    this.#subscriber.off('message', this.#listen);
    // A broker that does not answer is not waited for.
    this.#subscriber.unsubscribe(...this.#channels).catch(() => {});
  }

  #channelOf(ip: string): string {
    return `${this.#channel}:to:${wellFormed(ip)}`;
  }

  /** How many heard it. While there is no connection nothing is kept for later: it would be out of date. */
  async #publish(channel: string, text: string): Promise<number> {
    if (this.#client.status !== 'ready') return 0;
    return this.#client.publish(channel, text).catch(() => 0);
  }
}
