/** Fencing in Redis: a script runs as a whole, so that nobody writes between its look at the token and its write. */
import { Redis } from 'ioredis';
import type { Guarded } from './guarded.js';

const WRITE = `
  local last = tonumber(redis.call('HGET', KEYS[1], 'token') or '0')
  if tonumber(ARGV[1]) < last then return 0 end
  redis.call('HSET', KEYS[1], 'token', ARGV[1], 'value', ARGV[2])
  return 1
`;

export async function inRedis(url: string, key = 'report'): Promise<Guarded> {
  const redis = new Redis(url);
  return {
    write: async (token, value) => (await redis.eval(WRITE, 1, key, token, value)) === 1,
    read: async () => {
      const { token, value } = await redis.hgetall(key);
      return token === undefined || value === undefined ? null : { token: Number(token), value };
    },
    close: async () => redis.disconnect(),
  };
}
