/** A service that takes a lock by redlock, extends it, and takes it again when it is lost. */
import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { memberArguments, serveMember } from './member.js';

interface Lock {
  extend(ms: number): Promise<Lock>;
  unlock(): Promise<void>;
}
const Redlock = createRequire(import.meta.url)('redlock') as new (
  clients: readonly object[],
  options: object,
) => { lock(name: string, ms: number): Promise<Lock> };

const RETRY_MS = 50;
const { directory, options } = memberArguments();
const redis = new Redis(options.port);
redis.on('error', () => {});
const redlock = new Redlock([redis], { retryCount: 0 });
let leads = false;

async function campaign(): Promise<never> {
  for (;;) {
    let lock = await redlock.lock('bench', options.leaseMs).catch(() => null);
    leads = lock !== null;
    while (lock !== null) {
      await delay(options.leaseMs / 2);
      lock = await lock.extend(options.leaseMs).catch(() => null);
    }
    leads = false;
    await delay(RETRY_MS);
  }
}

serveMember(
  {
    start: async () => {
      void campaign();
    },
    leads: () => leads,
  },
  directory,
);
