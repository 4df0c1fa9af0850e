// What is bundled for browsers: three peers in one page elect a leader.
import { MemoryNetwork, RaftNode } from 'raftbeat';
import { BroadcastTransport } from 'raftbeat/broadcast';

async function main() {
  const network = new MemoryNetwork();
  const members = ['a', 'b', 'c'];
  const nodes = members.map((ip) => new RaftNode({ ip, members, transport: network.transport() }));
  await Promise.all(nodes.map((node) => node.start()));
  await Promise.all(nodes.map((node) => node.waitForLeader()));
  await Promise.all(nodes.map((node) => node.stop()));
  console.log(typeof BroadcastTransport === 'function' && 'elected');
}

main();
