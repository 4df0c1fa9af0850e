/**
 * An Express service with a job that only one of its processes may do. The peers talk on the service's own port.
 * Start it three times:
 *
 *     M=127.0.0.1:3001,127.0.0.1:3002,127.0.0.1:3003
 *     node --import tsx examples/express.ts 127.0.0.1:3001 $M
 *     node --import tsx examples/express.ts 127.0.0.1:3002 $M
 *     node --import tsx examples/express.ts 127.0.0.1:3003 $M
 *
 * then ask any of them, `curl 127.0.0.1:3001`, and end the leader with SIGTERM: it hands over before it goes.
 */
import { once } from 'node:events';
import { setInterval } from 'node:timers/promises';
import express from 'express';
import { RaftNode } from 'raftbeat';
import { HttpTransport } from 'raftbeat/http';

const CRON_MS = 200;

const [ip = '127.0.0.1:3001', members = ip] = process.argv.slice(2);
const { hostname, port } = new URL(`http://${ip}`);
const transport = new HttpTransport({ listen: false });
const raft = new RaftNode({ ip, members: members.split(','), transport });
raft.on('makeLeader', ({ leader, term }) => console.log(`${leader.ip} leads term ${term}`));
let cronRuns = 0;

const app = express();
app.use(transport.handler); // before anything that reads bodies
app.use(express.json());
app.get('/', (_req, res) => {
  res.json({ ip, leads: raft.isLeader(), leader: raft.leader?.ip ?? null, cronRuns });
});

const server = app.listen(Number(port), hostname);
await once(server, 'listening');
await raft.start();
process.once('SIGTERM', () => raft.stop()); // hands over, and ends the loop below
console.log(`http://${ip}`);

await raft.whileLeader(async ({ signal, fencingToken }) => {
  for await (const _ of setInterval(CRON_MS, undefined, { signal })) {
    // The signal ends the loop as soon as the process notices; after a long pause only isLeader() is there in time.
    if (!raft.isLeader()) break;
    cronRuns += 1;
    console.log(`cron run ${cronRuns} with fencing token ${fencingToken}`);
  }
});
server.close();
