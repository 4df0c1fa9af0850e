// What is run in each runtime: three peers over HTTP, each with a store in a file, elect a leader, which hands over.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RaftNode } from 'raftbeat';
import { FileStore } from 'raftbeat/file';
import { HttpTransport } from 'raftbeat/http';

const folder = mkdtempSync(join(tmpdir(), 'raftbeat-'));
const members = process.argv.slice(2);

function newNode(ip, at) {
  const store = new FileStore(join(folder, `${at}`));
  return new RaftNode({
    ip,
    members,
    transport: new HttpTransport({ secret: 'shared by all of them' }),
    store,
  });
}

async function main() {
  const nodes = members.map(newNode);
  await Promise.all(nodes.map((node) => node.start()));
  await Promise.all(nodes.map((node) => node.waitForLeader()));
  const leader = nodes.find((node) => node.isLeader());
  const next = await leader.resign();
  const follower = nodes.find(({ ip }) => ip === next);
  await follower.waitForLeader();
  if (!follower.isLeader() || leader.isLeader()) throw new Error('it did not hand over');
  await Promise.all(nodes.map((node) => node.stop()));
  rmSync(folder, { recursive: true });
  console.log('elected');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
