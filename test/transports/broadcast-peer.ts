/** A thread with a node: tells who leads. */
import { parentPort, workerData } from 'node:worker_threads';
import { RaftNode } from '../../src/index.js';
import { BroadcastTransport } from '../../src/transports/broadcast.js';

const { ip, members } = workerData;
const raft = new RaftNode({ ip, members, transport: new BroadcastTransport(), preset: 'lan' });
raft.on('makeLeader', ({ leader }) => parentPort?.postMessage({ knows: leader.ip }));
void raft.start();
