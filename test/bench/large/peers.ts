/** Some peers of one cluster, in one process. */
import { type Member, RaftNode } from 'raftbeat';
import { HttpTransport } from 'raftbeat/http';
import { serve } from '../worker.js';

const [ips = '', members = '[]', directory = ''] = process.argv.slice(2);
let beats = 0;

/** Counts the beats that were answered. */
class CountingTransport extends HttpTransport {
  override async request(...args: Parameters<HttpTransport['request']>): Promise<unknown> {
    const answer = await super.request(...args);
    if (args[1].type === 'beat') beats++;
    return answer;
  }
}

// New ones, with stores in memory: they may begin at once.
const nodes = ips.split(',').map(
  (ip) =>
    new RaftNode({
      ip,
      members: JSON.parse(members) as readonly Member[],
      transport: new CountingTransport(),
      bootstrap: true,
    }),
);

const calls = {
  start: async () => {
    await Promise.all(nodes.map((node) => node.start()));
  },
  knowsLeader: async () => {
    await Promise.all(nodes.map((node) => node.waitForLeader()));
  },
  leads: async () => nodes.some((node) => node.isLeader()),
  beats: async () => beats,
};

export type PeersCalls = typeof calls;
serve(calls, directory);
