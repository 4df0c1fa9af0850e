import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Time for a process to write its profile, in ms. */
const PATIENCE_MS = 5_000;

/** What a process can be asked for. */
export type Calls = Readonly<Record<string, (argument: never) => Promise<unknown>>>;

interface Question {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/**
 * Answers the questions of the parent, and ends when the parent does: by then nobody else may be left to remove
 * `directory`.
 */
export function serve(calls: Calls, directory: string): void {
  const answer = async ({ id, name, argument }: Question): Promise<Answer> => {
    try {
      return { id, result: await calls[name]?.(argument as never) };
    } catch (error) {
      return { id, error: `${name}: ${error}` };
    }
  };
  process.on('message', async (question: Question) => {
    const message = await answer(question);
    process.send?.(message, undefined, undefined, () => {});
  });
  process.on('disconnect', () => {
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
    process.exit();
  });
  process.on('SIGINT', () => {}); // Ctrl-C reaches all processes of a terminal; the parent decides what it means.
}

/** A process of its own that is asked for things. */
export class Worker<Asked extends Calls> {
  readonly #process: ChildProcess;
  readonly #open = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  #lastId = 0;

  constructor(file: string, args: readonly string[], execArgv: readonly string[] = []) {
    this.#process = fork(file, args, { execArgv: [...process.execArgv, ...execArgv] });
    this.#process.on('message', ({ id, result, error }: Answer) => {
      const open = this.#open.get(id);
      this.#open.delete(id);
      if (error === undefined) open?.resolve(result);
      else open?.reject(new Error(error));
    });
    this.#process.once('exit', (code, signal) => {
      for (const { reject } of this.#open.values()) reject(new Error(`${file} ended: ${signal ?? code}`));
      this.#open.clear();
    });
  }

  ask<Name extends keyof Asked & string>(
    name: Name,
    argument?: Parameters<Asked[Name]>[0],
  ): Promise<Awaited<ReturnType<Asked[Name]>>> {
    return new Promise((resolve, reject) => {
      this.#lastId++;
      this.#open.set(this.#lastId, { resolve: resolve as (result: unknown) => void, reject });
      this.#process.send({ id: this.#lastId, name, argument } satisfies Question, (error) => {
        if (error !== null) reject(error);
      });
    });
  }

  get pid(): number {
    return this.#process.pid ?? Number.NaN;
  }

  /** SIGKILL. */
  kill(): void {
    this.#process.kill('SIGKILL');
  }

  /** SIGKILL; resolves when it is dead. */
  async killed(): Promise<void> {
    this.kill();
    await this.#ended();
  }

  /** Lets it end by itself, so that it can write its profile. */
  async end(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    await Promise.race([this.#ended(), delay(PATIENCE_MS, undefined, { ref: false })]);
    this.kill();
  }

  async #ended(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null)
      await once(this.#process, 'exit');
  }
}
