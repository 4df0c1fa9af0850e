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
/** How many groups each host leads, as far as it is known here, and when the last group came to have a leader. */
const led = new Map<string, number>();
let leaderless = Number(count);
let allLedAt = Number.NaN;
/** Counted as it happens: a host that is asked for each of its groups has no quiet ones. */
const counts = (ip: string, by: number): void => {
  led.set(ip, (led.get(ip) ?? 0) + by);
  leaderless -= by;
  if (leaderless === 0) allLedAt = nowMs();
};
host.on('leaderLost', (_, { leader }) => counts(leader.ip, -1));
host.on('makeLeader', (_, { leader }) => counts(leader.ip, 1));

const calls = {
  /** Takes part in all groups; returns what each takes of the heap, in bytes. */
  start: async (): Promise<void> => {
    for (let at = 0; at < Number(count); at++) host.group(`tenant-${at}`);
    await host.start();
  },
  /** How many groups follow whom, and since when all have a leader; null while some have none. */
  look: async () => ({ led: Object.fromEntries(led), allLedAt: leaderless === 0 ? allLedAt : null }),
  /** How many of the groups it leads by its own word, one after the other: each is asked. */
  leads: async () => host.groups.filter((group) => group.isLeader()).length,
  atRest: async () => {
    globalThis.gc?.();
    return { heapBytes: process.memoryUsage().heapUsed, messages };
  },
};

export type HostCalls = typeof calls;

serve(calls, directory);
