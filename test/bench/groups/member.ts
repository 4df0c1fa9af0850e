/** A host of many groups, over http, with a store in a file. */
import { FileGroupStore } from 'raftbeat/file';
import { RaftHost } from 'raftbeat/host';
import { HttpTransport } from 'raftbeat/http';
import { nowMs } from '../failover/watch.js';
import { serve } from '../worker.js';

const [ip = '', ips = '', directory = '', count = '0'] = process.argv.slice(2);
let messages = 0;

class CountingTransport extends HttpTransport {
  override request(...args: Parameters<HttpTransport['request']>): Promise<unknown> {
    messages++;
    return super.request(...args);
  }
}

const host = new RaftHost({
  ip,
  members: ips.split(','),
  transport: new CountingTransport(),
  store: new FileGroupStore(`${directory}/${ip.replace(':', '-')}`),
});
host.on('error', (error) => {
  console.error(`${ip}: ${error.message}`);
  process.exit(1);
});
/** The groups without a leader, and when the last of them came to have one. */
const leaderless = new Set<string>();
let allLedAt = Number.NaN;
host.on('leaderLost', ({ name }) => leaderless.add(name));
host.on('makeLeader', ({ name }) => {
  if (leaderless.delete(name) && leaderless.size === 0) allLedAt = nowMs();
});

const calls = {
  /** Takes part in all groups; returns what each takes of the heap, in bytes. */
  start: async (): Promise<void> => {
    for (let at = 0; at < Number(count); at++) leaderless.add(host.group(`tenant-${at}`).name);
    await host.start();
  },
  /** How many groups are led here, how many follow whom, and since when all have a leader; null while some have none. */
  look: async () => {
    const led: Record<string, number> = {};
    for (const { leader } of host.groups) if (leader !== null) led[leader.ip] = (led[leader.ip] ?? 0) + 1;
    return { led, allLedAt: leaderless.size === 0 ? allLedAt : null };
  },
  /** How many of the groups it leads by its own word, one after the other: each is asked. */
  leads: async () => host.groups.filter((group) => group.isLeader()).length,
  atRest: async () => {
    globalThis.gc?.();
    return { heapBytes: process.memoryUsage().heapUsed, messages };
  },
};

export type HostCalls = typeof calls;

serve(calls, directory);
