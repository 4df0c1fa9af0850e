/**
 * A report that only the leader writes, guarded by its fencing token. Writing takes long, and a leader may be paused at any
 * moment of it: then another one leads, and what the first one writes when it wakes up is refused by the store.
 * Start it three times, stop the leader with SIGSTOP, and let it go on with SIGCONT:
 *
 *     M=127.0.0.1:3001,127.0.0.1:3002,127.0.0.1:3003
 *     node --import tsx examples/fencing.ts 127.0.0.1:3001 $M redis://127.0.0.1:6379
 *
 * or with `postgres://...`, or with the `http://...` of an object.
 */
import { setTimeout as work } from 'node:timers/promises';
import { RaftNode } from 'raftbeat';
import { HttpTransport } from 'raftbeat/http';
import type { Guarded } from './fencing/guarded.js';
import { inPostgres } from './fencing/postgres.js';
import { inRedis } from './fencing/redis.js';
import { inS3 } from './fencing/s3.js';

const WORK_MS = 500;

const [ip = '127.0.0.1:3001', members = ip, url = 'redis://127.0.0.1:6379'] = process.argv.slice(2);
const report = await open(url);
const raft = new RaftNode({
  ip,
  members: members.split(','),
  transport: new HttpTransport(),
  stopOnSignals: true,
});
await raft.start();
console.log(`${ip} runs`);

await raft.whileLeader(async ({ signal, fencingToken }) => {
  console.log(`leads with fencing token ${fencingToken}`);
  for (let line = 1; !signal.aborted; line++) {
    console.log(`works on line ${line}`);
    await work(WORK_MS);
    const isWritten = await report.write(fencingToken, `line ${line} of ${ip}`);
    console.log(isWritten ? `wrote line ${line}` : `refused: token ${fencingToken} is out of date`);
    if (!isWritten) return;
  }
});
await report.close();

function open(url: string): Promise<Guarded> {
  if (url.startsWith('redis:')) return inRedis(url);
  return url.startsWith('postgres:') ? inPostgres(url) : inS3(url);
}
