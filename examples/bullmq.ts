/**
 * A queue of BullMQ that every process works off, and only the leader fills. Start it three times, beside a Redis:
 *
 *     M=127.0.0.1:3001,127.0.0.1:3002,127.0.0.1:3003
 *     node --import tsx examples/bullmq.ts 127.0.0.1:3001 $M redis://127.0.0.1:6379
 */
import { setInterval } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';
import { RaftNode } from 'raftbeat';
import { HttpTransport } from 'raftbeat/http';

const EVERY_MS = 200;

const [ip = '127.0.0.1:3001', members = ip, url = 'redis://127.0.0.1:6379'] = process.argv.slice(2);
const connection = { url, maxRetriesPerRequest: null };
const queue = new Queue('reports', { connection });
const worker = new Worker('reports', async ({ id }) => console.log(`worked off ${id}`), { connection });
const raft = new RaftNode({ ip, members: members.split(','), transport: new HttpTransport() });
await raft.start();
process.once('SIGTERM', () => raft.stop()); // hands over, and ends what follows

await raft.whileLeader(async ({ signal, fencingToken }) => {
  console.log(`fills the queue, with token ${fencingToken}`);
  let count = 0;
  for await (const _ of setInterval(EVERY_MS, undefined, { signal })) {
    if (!raft.isLeader()) break;
    // BullMQ takes an id once: if two leaders added the same report, it would be made once.
    const jobId = `report-${Math.floor(Date.now() / EVERY_MS)}`;
    await queue.add('report', { fencingToken, count: count++ }, { jobId, removeOnComplete: 1_000 });
  }
});
await worker.close();
await queue.close();
