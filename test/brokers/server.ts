import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { freeAddress } from '../transports/ports.js';

/** How a server is started. */
export interface Program {
  readonly name: string;
  readonly args: (port: string) => readonly string[];
  /** Whom it runs as. @default this very user */
  readonly uid?: number;
}

/** Redis, which keeps nothing on the disk. */
export const REDIS: Program = {
  name: 'redis-server',
  args: (port) => ['--port', port, '--save', '', '--appendonly', 'no'],
};

export const NATS: Program = { name: 'nats-server', args: (port) => ['-a', '127.0.0.1', '-p', port] };

/** A server that runs until it is ended. */
export class Server {
  /** `127.0.0.1:port`. */
  readonly address: string;
  readonly #program: Program;
  #process: ChildProcess;

  private constructor(address: string, program: Program) {
    this.address = address;
    this.#program = program;
    this.#process = this.#spawn();
  }

  /** Resolves when it takes connections. */
  static async start(program: Program): Promise<Server> {
    const server = new Server(await freeAddress(), program);
    await server.#listens();
    return server;
  }

  get port(): number {
    return Number(this.address.split(':')[1]);
  }

  /** Kills it, and starts it anew. */
  async restart(): Promise<void> {
    await this.end();
    this.#process = this.#spawn();
    await this.#listens();
  }

  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }

  #spawn(): ChildProcess {
    const { name, args, uid } = this.#program;
    return spawn(name, args(String(this.port)), { stdio: 'ignore', ...(uid === undefined ? {} : { uid }) });
  }

  async #listens(): Promise<void> {
    while (!(await takesConnections(this.port))) await delay(20);
  }
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
