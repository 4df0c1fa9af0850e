import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Only so that a test fails at all: nothing here depends on how long anything takes. */
const PATIENCE_MS = 50_000;
const POLL_MS = 20;

/** A program, run as a user would run it: as a process of its own. */
export class Run implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  /** What it has written so far, also apart. */
  output = '';
  stdout = '';
  stderr = '';

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.#process = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#ended = once(this.#process, 'close');
    for (const name of ['stdout', 'stderr'] as const) {
      this.#process[name]?.setEncoding('utf8').on('data', (text: string) => {
        this[name] += text;
        this.output += text;
      });
    }
  }

  get lines(): string[] {
    return this.output.split('\n').filter((line) => line !== '');
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Waits until the output matches. */
  async says(what: RegExp): Promise<RegExpMatchArray> {
    return until(
      () => this.output.match(what),
      () => `${what} in\n${this.output}`,
    );
  }

  /** Waits for the end; resolves with the exit code, null when a signal ended it. */
  async ends(): Promise<number | null> {
    await this.#ended;
    return this.#process.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}

/** An example, as its first lines tell to run it. */
export function runExample(example: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Run {
  return new Run(['--import', 'tsx', `examples/${example}`, ...args], env);
}

/** Waits until `look` finds something. */
export async function until<T>(
  look: () => Promise<T | null | false> | T | null | false,
  what: () => string,
): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found !== null && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what()}`);
    await delay(POLL_MS);
  }
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
