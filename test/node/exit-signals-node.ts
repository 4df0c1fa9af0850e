/** A node that is told to end by a signal: what it says goes to the standard output. */
import { RaftNode } from '../../src/index.js';

const [other = ''] = process.argv.slice(2);
const nodes = ['a', 'b'].map((ip) => new RaftNode({ ip, stopOnSignals: ['SIGUSR2'] }));
for (const node of nodes) {
  await node.start();
  await node.waitForLeader();
  void node.whileLeader(() => {}).then(() => console.log(`${node.ip} stopped`));
}
if (other === 'listens') process.on('SIGUSR2', () => console.log('somebody else heard it'));
if (other === 'stopped') await Promise.all(nodes.map((node) => node.stop()));
console.log('ready');
setInterval(() => {}, 1_000);
