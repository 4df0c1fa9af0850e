import createDebug from 'debug';
import { textOf } from '../core/errors.js';

const debug = createDebug('raftbeat:node');

/** As much of Node's `process` as is needed; in a browser there is none. */
interface Process {
  readonly pid: number;
  kill(pid: number, signal: string): unknown;
  on(signal: string, listener: (signal: string) => void): unknown;
  off(signal: string, listener: (signal: string) => void): unknown;
  listenerCount(signal: string): number;
}

/** The process that this runs in, or null. */
export function ownProcess(): Process | null {
  const { process } = globalThis as { readonly process?: Process };
  return typeof process?.kill === 'function' ? process : null;
}

/** Stops something when the process is told to end, and only then lets it end. */
export class ExitSignals {
  readonly #names: readonly string[];
  readonly #process: Process | null = ownProcess();
  readonly #end: (name: string) => void;

  /** @param stop called on each signal; what is to be stopped then calls `unlisten` */
  constructor(names: readonly string[], stop: () => Promise<void>) {
    this.#names = names;
    this.#end = (name) => {
      stop()
        .catch((cause: unknown) => debug('while stopping: %s', textOf(cause)))
        .then(() => this.#endProcess(name));
    };
  }

  listen(): void {
    for (const name of this.#names) this.#process?.on(name, this.#end);
  }

  unlisten(): void {
    for (const name of this.#names) this.#process?.off(name, this.#end);
  }

  /** As it would have ended by the signal, if nobody else who listens to it sees to that. */
  #endProcess(name: string): void {
    if (this.#process?.listenerCount(name) === 0) this.#process.kill(this.#process.pid, name);
  }
}
