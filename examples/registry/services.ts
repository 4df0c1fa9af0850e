import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Member } from 'raftbeat';
import type { Message, Order } from './service.js';

const SERVICE = fileURLToPath(new URL('service.ts', import.meta.url));

/** One service: its processes come and go, one at a time. */
export class Service {
  readonly ip: string;
  readonly #start: () => ChildProcess;
  readonly #failed: (error: Error) => void;
  readonly #acknowledged: (key: string) => void;
  #process: ChildProcess | null = null;
  #isToEnd = false;

  constructor(
    ip: string,
    hooks: {
      readonly start: () => ChildProcess;
      readonly failed: (error: Error) => void;
      readonly acknowledged: (key: string) => void;
    },
  ) {
    this.ip = ip;
    this.#start = hooks.start;
    this.#failed = hooks.failed;
    this.#acknowledged = hooks.acknowledged;
  }

  /** Returns the pid of its process. */
  start(): number | undefined {
    const started = this.#start();
    this.#process = started;
    this.#isToEnd = false;
    started.on('message', (message: Message) => {
      if (message.type === 'acknowledged') this.#acknowledged(message.key);
    });
    started.once('error', (error) => this.#failed(error));
    started.once('exit', (code, signal) => {
      if (this.#isToEnd) return;
      this.#failed(
        new Error(`the process of ${this.ip} ended unexpectedly: ${signal ?? `exit code ${code}`}`),
      );
    });
    return started.pid;
  }

  /** SIGKILL; what it had told before is heard. */
  async kill(): Promise<void> {
    const killed = this.#process;
    if (killed === null || killed.exitCode !== null || killed.signalCode !== null) return;
    this.#isToEnd = true;
    const closed = once(killed, 'close');
    killed.kill('SIGKILL');
    await closed;
  }

  /** Has it publish nothing more; resolves when the last write is over. */
  async stopWriting(): Promise<void> {
    await this.#ask('stop writing', 'stopped');
  }

  /** The orders that it knows of. */
  async keys(): Promise<readonly string[]> {
    const { keys } = await this.#ask('tell your keys', 'keys');
    return keys;
  }

  #ask<Type extends Message['type']>(order: Order, type: Type): Promise<Message & { readonly type: Type }> {
    return new Promise((resolve) => {
      const heard = (message: Message): void => {
        if (message.type !== type) return;
        this.#process?.off('message', heard);
        resolve(message as Message & { readonly type: Type });
      };
      this.#process?.on('message', heard);
      this.#process?.send(order);
    });
  }
}

/** The services, the directory of their stores, and what was acknowledged to them. */
export class Services {
  readonly all: readonly Service[];
  /** The keys of the orders that a service was told to be written. */
  readonly acknowledged = new Set<string>();
  /** Rejects when a process ends that should not. */
  readonly failure: Promise<never>;
  readonly #directory = mkdtempSync(join(tmpdir(), 'raftbeat-'));
  #isOver = false;

  constructor(ips: readonly string[], members: readonly Member[]) {
    // An exit that nobody planned leaves nothing behind either.
    process.once('exit', () => this.#removeAll());
    let failed: (error: Error) => void = () => {};
    this.failure = new Promise<never>((_, reject) => {
      failed = reject;
    });
    this.failure.catch(() => {}); // it may come when nobody waits any more
    this.all = ips.map((ip, index) => {
      const args = [ip, JSON.stringify(members), join(this.#directory, `service-${index + 1}`)];
      const start = (): ChildProcess => {
        if (this.#isOver) throw new Error('the example is over');
        return fork(SERVICE, args);
      };
      return new Service(ip, { start, failed, acknowledged: (key) => this.acknowledged.add(key) });
    });
  }

  /** Ends all processes, and removes the directory. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.all.map((service) => service.kill()));
    this.#removeAll();
  }

  #removeAll(): void {
    for (const service of this.all) void service.kill();
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 3 });
  }
}
