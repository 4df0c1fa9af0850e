/** A service that uses safe-redis-leader. */
import { createRequire } from 'node:module';
import { Redis } from 'ioredis';
import { memberArguments, serveMember } from './member.js';

interface SafeLeader {
  on(event: 'elected' | 'demoted' | 'error', listener: () => void): void;
  elect(): Promise<void>;
}
const { createSafeRedisLeader } = createRequire(import.meta.url)('safe-redis-leader') as {
  createSafeRedisLeader(options: object): Promise<SafeLeader>;
};

const RETRY_MS = 50;
const { directory, options } = memberArguments();
const asyncRedis = new Redis(options.port);
asyncRedis.on('error', () => {});
let leads = false;

serveMember(
  {
    start: async () => {
      const leader = await createSafeRedisLeader({
        asyncRedis,
        ttl: options.leaseMs,
        wait: RETRY_MS,
        key: 'bench',
      });
      leader.on('elected', () => {
        leads = true;
      });
      leader.on('demoted', () => {
        leads = false;
      });
      leader.on('error', () => {});
      await leader.elect();
    },
    leads: () => leads,
  },
  directory,
);
