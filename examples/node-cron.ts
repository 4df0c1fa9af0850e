/**
 * A schedule of node-cron that runs on one of several processes only. Each of them has the schedule; who leads when it is
 * time does the work. Start it three times:
 *
 *     M=127.0.0.1:3001,127.0.0.1:3002,127.0.0.1:3003
 *     node --import tsx examples/node-cron.ts 127.0.0.1:3001 $M
 */
import cron from 'node-cron';
import { RaftNode } from 'raftbeat';
import { HttpTransport } from 'raftbeat/http';

const [ip = '127.0.0.1:3001', members = ip] = process.argv.slice(2);
const raft = new RaftNode({
  ip,
  members: members.split(','),
  transport: new HttpTransport(),
  stopOnSignals: true,
});
await raft.start();

cron.schedule('* * * * * *', () => {
  // Null on all but the leader; whatever the job writes to should refuse a lower one.
  const { fencingToken } = raft;
  if (fencingToken !== null)
    console.log(`the job, at ${new Date().toISOString()}, with token ${fencingToken}`);
});
console.log(`${ip} runs`);
