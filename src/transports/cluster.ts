import { EventEmitter } from 'node:events';
import { RaftError } from '../core/errors.js';
import { type Bus, type BusListener, type BusMessage, BusTransport, isBusMessage } from './bus.js';

/** As much of a `ChildProcess`, a `Worker` of `node:cluster`, or `process` as is needed. */
export interface IpcPort {
  send?(message: object, done?: (error: Error | null) => void): unknown;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  on(event: 'exit' | 'disconnect', listener: () => void): unknown;
  off(event: 'message', listener: (message: unknown) => void): unknown;
}

/** What a message between processes is wrapped in: others may use the channel, too. */
interface Wrapped {
  readonly raftbeat: BusMessage;
}

/** The options of a {@link ClusterTransport}. */
export interface ClusterTransportOptions {
  /**
   * What leads to the process that has the {@link ClusterHub}.
   *
   * @default `process`, the channel to the parent
   */
  readonly port?: IpcPort;
}

/**
 * Carries requests between the processes of `node:cluster`, or children of one process, over their channels to the parent,
 * where a {@link ClusterHub} passes them on. The identity of a peer is any name, as long as no two have the same. That a
 * process is gone is told at once, which `releaseOnDisconnect` lives on; while the parent is stuck nobody hears anybody.
 */
export class ClusterTransport extends BusTransport {
  /** @throws RaftError `BAD_OPTION` when there is no channel to a parent */
  constructor({ port = process }: ClusterTransportOptions = {}) {
    if (typeof port?.send !== 'function')
      throw new RaftError('BAD_OPTION', 'port: expected a channel; was this process forked?');
    super(new PortBus(port), true);
  }
}

class PortBus implements Bus {
  readonly #port: IpcPort;
  #listen: (message: unknown) => void = () => {};

  constructor(port: IpcPort) {
    this.#port = port;
  }

  async open(_local: string, { heard }: BusListener): Promise<void> {
    this.#listen = (message) => isWrapped(message) && heard(message.raftbeat);
    this.#port.on('message', this.#listen);
  }

  send(message: BusMessage): void {
    sendTo(this.#port, message);
  }

  async close(): Promise<void> {
    this.#port.off('message', this.#listen);
  }
}

/** Passes on what the processes that were added say to each other. */
export class ClusterHub {
  /** The peers in each process. */
  readonly #ports = new Map<IpcPort, Map<string, BusMessage>>();

  /** Takes a process in, until it ends. */
  add(port: IpcPort): void {
    if (this.#ports.has(port)) return;
    this.#ports.set(port, new Map());
    port.on('message', (message) => {
      if (isWrapped(message)) this.#pass(port, message.raftbeat);
    });
    port.on('disconnect', () => this.#remove(port));
    port.on('exit', () => this.#remove(port));
  }

  /** A channel for a node in this very process: `new ClusterTransport({ port: hub.ownPort() })`. */
  ownPort(): IpcPort {
    const [here, there] = [new OwnPort(), new OwnPort()];
    here.other = there;
    there.other = here;
    this.add(there);
    return here;
  }

  #pass(port: IpcPort, message: BusMessage): void {
    this.#ports.get(port)?.set(message.from, message);
    for (const [other, peers] of this.#ports) {
      const isFor = message.to === null || message.to.some((ip) => peers.has(ip));
      if (other !== port && isFor) sendTo(other, message);
    }
  }

  #remove(port: IpcPort): void {
    const peers = this.#ports.get(port);
    this.#ports.delete(port);
    for (const { from, process } of peers?.values() ?? [])
      for (const other of this.#ports.keys()) sendTo(other, { from, process, to: null, frame: { end: 1 } });
  }
}

/** One end of a channel within a process. */
class OwnPort extends EventEmitter implements IpcPort {
  other: OwnPort | null = null;

  send(message: object): void {
    const copy = structuredClone(message);
    setImmediate(() => this.other?.emit('message', copy));
  }
}

function isWrapped(message: unknown): message is Wrapped {
  return (
    typeof message === 'object' && message !== null && 'raftbeat' in message && isBusMessage(message.raftbeat)
  );
}

/** Its process may be gone at any time: then the message is lost. */
function sendTo(port: IpcPort, raftbeat: BusMessage): void {
  try {
    port.send?.({ raftbeat }, () => {});
  } catch {}
}
