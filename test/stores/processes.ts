import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Answer, Order } from './opener.js';

/** A child process that holds stores, see `opener.ts`. */
export class Opener {
  readonly child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.child = child;
  }

  static async start(): Promise<Opener> {
    const child = fork(fileURLToPath(new URL('opener.ts', import.meta.url)), {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      execArgv: ['--import', 'tsx'],
    });
    await once(child, 'message');
    return new Opener(child);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  async bid(order: Order): Promise<Answer> {
    const answered = once(this.child, 'message');
    this.child.send(order);
    const [answer] = await answered;
    return answer as Answer;
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}

/** Runs `body` with `count` child processes, which are gone afterwards. */
export async function withOpeners<T>(
  count: number,
  body: (openers: readonly Opener[]) => Promise<T>,
): Promise<T> {
  const openers = await Promise.all(Array.from({ length: count }, () => Opener.start()));
  try {
    return await body(openers);
  } finally {
    await Promise.all(openers.map((opener) => opener.kill()));
  }
}
