import { RaftError } from '../core/errors.js';
import { parsed, soleOf, subscribed, wellFormed } from './broker.js';
import { type Bus, type BusListener, type BusMessage, BusTransport } from './bus.js';

/** The options of a {@link NatsTransport}. */
export interface NatsTransportOptions {
  /** A connection to NATS, as that of `@nats-io/transport-node`. It is never closed. */
  readonly connection: NatsTransportConnection;

  /**
   * What the subjects of all messages begin with: the same for all members, and another for each cluster.
   *
   * @default 'raftbeat'
   */
  readonly subject?: string;
}

/** As much of a `NatsConnection` as is needed. */
export interface NatsTransportConnection {
  readonly info?: { readonly max_payload: number } | undefined;
  publish(subject: string, payload: string, options?: { reply: string }): void;
  subscribe(
    subject: string,
    options: { callback(error: Error | null, message: NatsTransportMessage): void },
  ): { unsubscribe(): void };
  flush(): Promise<void>;
}

/** As much of its messages. */
export interface NatsTransportMessage {
  readonly subject: string;
  string(): string;
}

/**
 * Carries requests over NATS: the identity of a peer is any name. A question and its answer go from one peer to the other, a
 * beat is published once for all members and observers, and that nobody listens as a peer is told at once. Who may publish
 * to these subjects is trusted: that is up to the accounts of the broker.
 */
export class NatsTransport extends BusTransport {
  /** @throws RaftError `BAD_OPTION` */
  constructor({ connection, subject = 'raftbeat' }: NatsTransportOptions) {
    if (typeof connection?.publish !== 'function')
      throw new RaftError('BAD_OPTION', 'connection: expected a connection to NATS');
    if (typeof subject !== 'string' || !/^[^\s.*>]+(\.[^\s.*>]+)*$/.test(subject))
      throw new RaftError('BAD_OPTION', `subject: expected a subject without wildcards, got ${subject}`);
    super(new NatsBus(connection, subject));
  }
}

class NatsBus implements Bus {
  readonly #connection: NatsTransportConnection;
  readonly #subject: string;
  /** The peers that were sent to, by their tokens. */
  readonly #ips = new Map<string, string>();
  #local = '';
  #unheard: (ip: string) => void = () => {};
  #subscriptions: readonly { unsubscribe(): void }[] = [];

  constructor(connection: NatsTransportConnection, subject: string) {
    this.#connection = connection;
    this.#subject = subject;
  }

  async open(local: string, { heard, unheard }: BusListener): Promise<void> {
    this.#local = tokenOf(local);
    this.#unheard = unheard;
    const hear = (message: NatsTransportMessage): void => heard(parsed(message.string()));
    const subscribe = async (): Promise<void> => {
      this.#subscriptions = [
        this.#subscribe('all', hear),
        this.#subscribe(`to.${this.#local}`, hear),
        this.#subscribe(`unheard.${this.#local}.*`, ({ subject }) => this.#isUnheard(subject)),
      ];
      await this.#connection.flush();
    };
    await subscribed(subscribe, () => this.close());
  }

  send(message: BusMessage): void {
    const text = JSON.stringify(message);
    const sole = soleOf(message);
    if (Buffer.byteLength(text) > (this.#connection.info?.max_payload ?? Number.POSITIVE_INFINITY))
      throw new RaftError('TOO_LARGE', 'the message is larger than what the broker accepts');
    try {
      if (sole === null) this.#connection.publish(`${this.#subject}.all`, text);
      else this.#sendTo(sole, text);
    } catch {
      // The connection was closed.
      if (sole !== null) queueMicrotask(() => this.#unheard(sole));
    }
  }

  async close(): Promise<void> {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#subscriptions = [];
  }

  #subscribe(subject: string, listen: (message: NatsTransportMessage) => void): { unsubscribe(): void } {
    return this.#connection.subscribe(`${this.#subject}.${subject}`, {
      callback: (error, message) => error === null && listen(message),
    });
  }

  /** The broker answers to `reply` that nobody listens. */
  #sendTo(ip: string, text: string): void {
    const token = tokenOf(ip);
    this.#ips.set(token, ip);
    const reply = `${this.#subject}.unheard.${this.#local}.${token}`;
    this.#connection.publish(`${this.#subject}.to.${token}`, text, { reply });
  }

  #isUnheard(subject: string): void {
    const ip = this.#ips.get(subject.slice(subject.lastIndexOf('.') + 1));
    if (ip !== undefined) this.#unheard(ip);
  }
}

/** A name as one token of a subject, which has no dots, spaces and wildcards. */
function tokenOf(ip: string): string {
  return encodeURIComponent(wellFormed(ip)).replace(/[.*]/g, (it) => (it === '.' ? '%2E' : '%2A'));
}
