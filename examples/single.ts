/**
 * The smallest use: a cluster of one, in memory, leads at once.
 *
 *     node --import tsx examples/single.ts
 */
import { RaftNode } from 'raftbeat';

const raft = new RaftNode({ ip: 'me' });
raft.on('makeLeader', ({ leader, term }) => console.log(`${leader.ip} leads term ${term}`));
await raft.start();

await raft.whileLeader(async ({ fencingToken }) => {
  console.log(`the job that only one may do, with fencing token ${fencingToken}`);
  await raft.stop();
});
console.log('stopped');
