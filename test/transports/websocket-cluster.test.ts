import { RaftNode } from 'raftbeat';
import { WebSocketTransport } from 'raftbeat/websocket';
import { expect, test, vi } from 'vitest';
import { cleanups } from './http-kit.js';
import { freeAddress } from './ports.js';

/** Starts three nodes. */
async function cluster() {
  const members = [await freeAddress(), await freeAddress(), await freeAddress()];
  const nodes = members.map((ip) => {
    const transport = new WebSocketTransport({ secret: 'shared by all members' });
    return new RaftNode({ ip, members, transport, registry: true, releaseOnDisconnect: true, preset: 'lan' });
  });
  cleanups.push(() => Promise.all(nodes.map((node) => node.stop())));
  await Promise.all(nodes.map((node) => node.start()));
  await Promise.all(nodes.map((node) => node.waitForLeader()));
  return nodes;
}

async function leaderOf(nodes: readonly RaftNode[]): Promise<RaftNode> {
  return vi.waitUntil(() => nodes.find((node) => node.isLeader()), { timeout: 30_000 });
}

test('Nodes over websockets elect, replicate, hand over, and replace a leader that stops', async () => {
  const nodes = await cluster();
  const first = await leaderOf(nodes);
  await first.publish('key', 'one');
  const other = nodes.find((node) => node !== first) as RaftNode;
  await first.resign(other.ip);
  expect(await leaderOf(nodes.filter((node) => node !== first))).toBe(other);
  expect((await first.readDatum('key'))?.value).toBe('one');
  await other.stop();
  const rest = nodes.filter((node) => node !== other);
  const last = await leaderOf(rest);
  await last.publish('key', 'two');
  for (const node of rest) expect((await node.readDatum('key'))?.value).toBe('two');
});
