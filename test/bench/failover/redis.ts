import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freeAddresses } from '../../../examples/cluster/processes.js';

/** One server of redis, in memory. */
export class RedisServer {
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(port: number) {
    this.port = port;
    const args = ['--port', String(port), '--save', '', '--appendonly', 'no'];
    this.#process = spawn('redis-server', args, { stdio: 'ignore' });
  }

  /** Starts it; on Debian it is installed where it is missing. @throws Error where it can not be */
  static async start(): Promise<RedisServer> {
    if (!isThere()) spawnSync('apt-get', ['install', '-y', 'redis-server'], { stdio: 'ignore' });
    if (!isThere()) throw new Error('there is no redis: apt-get install redis-server');
    const [address = ''] = await freeAddresses(1);
    const server = new RedisServer(Number(address.split(':')[1]));
    const client = new Redis({ port: server.port, lazyConnect: true, maxRetriesPerRequest: null });
    client.on('error', () => {});
    while ((await client.ping().catch(() => null)) === null) await delay(20);
    client.disconnect();
    return server;
  }

  end(): void {
    this.#process.kill('SIGKILL');
  }
}

function isThere(): boolean {
  return spawnSync('redis-server', ['--version']).status === 0;
}
