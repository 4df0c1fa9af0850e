import { MemoryNetwork, RaftNode } from 'raftbeat';
import { Discovery, follow } from 'raftbeat/discovery';
import { expect, test, vi } from 'vitest';
import { cleanups, rejection } from '../transports/http-kit.js';

const PATIENCE = { timeout: 30_000 };

/** A cluster whose members follow what the test says is found. */
async function cluster(seeds: readonly string[], removeAfterMs?: number) {
  const network = new MemoryNetwork();
  const nodes = new Map<string, RaftNode>();
  const place = { peers: [...seeds] as (string | { ip: string; address: string; observer: boolean })[] };
  const start = async (ip: string, members: readonly string[]): Promise<RaftNode> => {
    const transport = network.transport();
    const node = new RaftNode({ ip, members, transport, registry: true, preset: 'lan' });
    const discovery = new Discovery({ find: async () => place.peers, refreshMs: 20 });
    nodes.set(ip, node);
    await node.start();
    const followed = follow(node, discovery, removeAfterMs === undefined ? {} : { removeAfterMs });
    cleanups.push(async () => {
      await node.stop();
      await followed;
      discovery.close();
    });
    return node;
  };
  await Promise.all(seeds.map((ip) => start(ip, seeds)));
  const voters = (of: string): string =>
    (nodes.get(of)?.members ?? [])
      .filter(({ observer }) => !observer)
      .map(({ ip }) => ip)
      .sort()
      .join();
  return { nodes, place, start, voters };
}

test('A peer that is found becomes a member, and votes; one that is to observe does not', async () => {
  const { nodes, place, start, voters } = await cluster(['a', 'b', 'c']);
  await start('d', []);
  await start('e', []);
  place.peers = ['a', 'b', 'c', 'd', { ip: 'e', address: 'e', observer: true }, 'nobody'];
  await vi.waitUntil(() => voters('e') === 'a,b,c,d', PATIENCE);
  expect(nodes.get('a')?.members.map(({ ip }) => ip)).not.toContain('nobody');
});

test('A member that is not found stays one, unless it is away for as long as it is said', async () => {
  const { nodes, place, voters } = await cluster(['a', 'b', 'c', 'd'], 300);
  const leader = await vi.waitUntil(() => [...nodes.values()].find((node) => node.isLeader()), PATIENCE);
  const away = [...nodes.keys()].find((ip) => ip !== leader.ip) as string;
  place.peers = place.peers.filter((ip) => ip !== away && ip !== leader.ip);
  await vi.waitUntil(() => !voters(leader.ip).split(',').includes(away), PATIENCE);
  expect(voters(leader.ip).split(',')).toContain(leader.ip);
});

test('Nobody is removed where that was not asked for', async () => {
  const { nodes, place, start, voters } = await cluster(['a', 'b', 'c']);
  await start('d', []);
  place.peers = ['d'];
  await vi.waitUntil(() => voters('d') === 'a,b,c,d', PATIENCE);
  expect(nodes.get('a')?.members).toHaveLength(4);
});

test('A discovery that is closed while this peer leads ends it with an error', async () => {
  const node = new RaftNode({ ip: 'a', registry: true });
  const discovery = new Discovery({ find: async () => ['a'], refreshMs: 20 });
  cleanups.push(() => node.stop());
  await node.start();
  const followed = rejection(follow(node, discovery));
  await vi.waitUntil(() => node.isLeader(), PATIENCE);
  discovery.close();
  expect((await followed).code).toBe('NOT_RUNNING');
});

test('A time that cannot be is refused', async () => {
  const discovery = new Discovery({ find: async () => ['a'] });
  cleanups.push(() => discovery.close());
  const error = await rejection(follow(new RaftNode({ ip: 'a' }), discovery, { removeAfterMs: 0 }));
  expect(error.code).toBe('BAD_OPTION');
});
