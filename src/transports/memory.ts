import { RaftError } from '../core/errors.js';
import type { RaftRequest } from '../core/messages.js';
import type { BroadcastOptions, Receive, RequestOptions, Transport } from './transport.js';

/** Connects the memory transports of one process. */
export class MemoryNetwork {
  readonly #receivers = new Map<string, Receive>();

  /** A transport on this network, for one node. */
  transport(): MemoryTransport {
    return new MemoryTransport(this);
  }

  /** @internal */
  attach(ip: string, receive: Receive): void {
    if (this.#receivers.has(ip))
      throw new RaftError('DUPLICATE_PEER', `${ip} is already on this network`, { ip });
    this.#receivers.set(ip, receive);
  }

  /** @internal */
  detach(ip: string): void {
    this.#receivers.delete(ip);
  }

  /** @internal */
  receiver(ip: string): Receive {
    const receive = this.#receivers.get(ip);
    if (receive === undefined) throw new RaftError('UNREACHABLE', `nobody listens at ${ip}`, { ip });
    return receive;
  }
}

/** What a transport is while it runs. */
interface Running {
  /** Whom it serves. */
  readonly ip: string;
  /** Aborted at the stop. */
  readonly stopped: AbortController;
  /** End the requests under way. They do not listen to `stopped`: platforms warn of a signal with many listeners. */
  readonly ends: Set<() => void>;
}

/** Carries requests within one process, as copies. */
export class MemoryTransport implements Transport {
  readonly #network: MemoryNetwork;
  #running: Running | null = null;

  constructor(network: MemoryNetwork) {
    this.#network = network;
  }

  /** @throws RaftError `INVALID_STATE` when it was started before, `DUPLICATE_PEER` when the ip is taken */
  async start(local: string, receive: Receive): Promise<void> {
    if (this.#running !== null) throw new RaftError('INVALID_STATE', 'the transport was started before');
    this.#network.attach(local, receive);
    this.#running = { ip: local, stopped: new AbortController(), ends: new Set() };
  }

  /** @throws RaftError `UNREACHABLE`, `ABORTED` (by the signal, or as the transport stopped), `NOT_RUNNING` */
  async request(to: string, request: RaftRequest, { signal }: RequestOptions): Promise<unknown> {
    return this.#carry(to, request, signal);
  }

  /** Of who cannot be reached nothing is told, as by a medium that cannot know; what is published is not taken back. */
  broadcast(to: readonly string[], request: RaftRequest, { answered }: BroadcastOptions): void {
    for (const ip of to) {
      this.#carry(ip, request, null).then(
        (reply) => answered(ip, reply),
        () => {},
      );
    }
  }

  async stop(): Promise<void> {
    if (this.#running === null) return;
    const { ip, stopped, ends } = this.#running;
    this.#running = null;
    this.#network.detach(ip);
    stopped.abort();
    for (const end of ends) end();
  }

  async #carry(to: string, request: RaftRequest, signal: AbortSignal | null): Promise<unknown> {
    if (this.#running === null) throw new RaftError('NOT_RUNNING', 'the transport does not run');
    const { ip, stopped, ends } = this.#running;
    if (signal?.aborted === true) throw aborted(to);
    const receive = this.#network.receiver(to);
    return new Promise((resolve, reject) => {
      const end = (): void => {
        forget();
        reject(aborted(to));
      };
      const forget = (): void => {
        ends.delete(end);
        signal?.removeEventListener('abort', end);
      };
      ends.add(end);
      signal?.addEventListener('abort', end);
      receive(structuredClone(request), ip, stopped.signal)
        .then((reply) => structuredClone(reply))
        .finally(forget)
        .then(resolve, reject);
    });
  }
}

function aborted(to: string): RaftError {
  return new RaftError('ABORTED', `nobody waits for the answer of ${to} any more`, { ip: to });
}
