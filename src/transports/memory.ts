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

/** Carries requests within one process, as copies. */
export class MemoryTransport implements Transport {
  readonly #network: MemoryNetwork;
  /** The ip that is served, what tells others of the stop, and what ends the requests that were sent from it. */
  #running: {
    readonly ip: string;
    readonly stopped: AbortController;
    readonly open: Set<() => void>;
  } | null = null;

  constructor(network: MemoryNetwork) {
    this.#network = network;
  }

  /** @throws RaftError `INVALID_STATE` when it was started before, `DUPLICATE_PEER` when the ip is taken */
  async start(local: string, receive: Receive): Promise<void> {
    if (this.#running !== null) throw new RaftError('INVALID_STATE', 'the transport was started before');
    this.#network.attach(local, receive);
    this.#running = { ip: local, stopped: new AbortController(), open: new Set() };
  }

  /** @throws RaftError `UNREACHABLE`, `ABORTED` (by the signal, or as the transport stopped), `NOT_RUNNING` */
  async request(to: string, request: RaftRequest, { signal }: RequestOptions): Promise<unknown> {
    if (this.#running === null) throw new RaftError('NOT_RUNNING', 'the transport does not run');
    const { ip, stopped, open } = this.#running;
    if (signal.aborted) throw aborted(to);
    const receive = this.#network.receiver(to);
    const answer = receive(structuredClone(request), ip, stopped.signal);
    return structuredClone(await unlessAborted(answer, signal, open, to));
  }

  /** Of who cannot be reached nothing is told, as by a medium that cannot know. */
  broadcast(to: readonly string[], request: RaftRequest, { signal, answered }: BroadcastOptions): void {
    for (const ip of to) {
      this.request(ip, request, { signal }).then(
        (reply) => answered(ip, reply),
        () => {},
      );
    }
  }

  async stop(): Promise<void> {
    if (this.#running === null) return;
    this.#network.detach(this.#running.ip);
    const { stopped, open } = this.#running;
    this.#running = null;
    stopped.abort();
    for (const abort of [...open]) abort();
  }
}

function unlessAborted<T>(
  answer: Promise<T>,
  signal: AbortSignal,
  open: Set<() => void>,
  to: string,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => {
      forget();
      reject(aborted(to));
    };
    const forget = (): void => {
      signal.removeEventListener('abort', abort);
      open.delete(abort);
    };
    signal.addEventListener('abort', abort);
    open.add(abort);
    answer.finally(forget).then(resolve, reject);
  });
}

function aborted(to: string): RaftError {
  return new RaftError('ABORTED', `nobody waits for the answer of ${to} any more`, { ip: to });
}
