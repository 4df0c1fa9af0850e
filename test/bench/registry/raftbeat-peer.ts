/** One peer of raftbeat, in a process of its own: over http, with a store in files. Writers run inside of it. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { RaftNode } from 'raftbeat';
import { FileStore } from 'raftbeat/file';
import { serve } from '../worker.js';
import { type Load, load, type Order, VALUE_BYTES } from './load.js';
import { WatchedTransport } from './watched-transport.js';

const RESOLUTION_MS = 1;
/** Writers that fill the registry. */
const FILLERS = 256;
/** After a write that failed, in ms. */
const PAUSE_MS = 250;

const [ip = '', members = '', directory = ''] = process.argv.slice(2);
const transport = new WatchedTransport();
const raft = new RaftNode({
  ip,
  members: members === '' ? [] : members.split(','),
  transport,
  store: new FileStore(`${directory}/${ip.replace(':', '-')}`),
  registry: true,
});
raft.on('error', (error) => {
  console.error(`${ip}: ${error.message}`);
  process.exit(1);
});
const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
const value = 'x'.repeat(VALUE_BYTES - 2);

const calls = {
  start: async () => raft.start(),
  leads: async () => raft.isLeader(),
  knowsLeader: async () => raft.leader !== null,
  load: async (order: Order): Promise<Load> => load((key) => raft.publish(key, value), order),
  /** Publishes `count` datums, also when the leader changes meanwhile; returns how often that had to be repeated. */
  fill: async (count: number) => {
    let next = 0;
    let repeated = 0;
    const publish = async (key: string): Promise<unknown> => {
      try {
        return await raft.publish(key, value);
      } catch {
        repeated++;
        await delay(PAUSE_MS);
        return publish(key);
      }
    };
    const filler = async (): Promise<void> => {
      while (next < count) await publish(`service/${next++}`);
    };
    await Promise.all(Array.from({ length: FILLERS }, filler));
    return repeated;
  },
  publish: async (key: string) => raft.publish(key, value),
  addPeer: async (other: string) => raft.addPeer(other),
  has: async (key: string) => raft.getDatum(key) !== null,
  /** What came in since the last call. */
  traffic: async () => transport.takeTraffic(),
  /** The longest time, in ms, that the event loop was held up since the last call. */
  loopBlocked: async () => {
    const longestMs = loop.max / 1e6 - RESOLUTION_MS;
    loop.reset();
    loop.enable();
    return Math.max(0, longestMs);
  },
};

export type PeerCalls = typeof calls;
serve(calls, directory);
