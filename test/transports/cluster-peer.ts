/** A child process with a node: tells who leads. */
import { RaftNode } from 'raftbeat';
import { ClusterTransport } from 'raftbeat/cluster';

const [ip = '', members = ''] = process.argv.slice(2);
const raft = new RaftNode({
  ip,
  members: members.split(','),
  transport: new ClusterTransport(),
  releaseOnDisconnect: true,
  leaderTimeoutMs: 5_000,
});
raft.on('makeLeader', ({ leader }) => process.send?.({ knows: leader.ip }));
process.on('disconnect', () => process.exit());
await raft.start();
