import { readFileSync } from 'node:fs';
import { RaftNode } from 'raftbeat';
import { HttpTransport, type HttpTransportOptions } from 'raftbeat/http';
import { afterEach } from 'vitest';
import { freeAddresses } from '../../src/cli/demo/addresses.js';
import { Run } from '../runs.js';

const { bin, version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
export const VERSION: string = version;
export const SECRET = 'a secret of some length';

/** What is undone after the test, the last first. */
export const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Three running nodes that know their leader, which does not lose its lease for want of processor time; stopped after the test. */
export async function cluster(options: HttpTransportOptions = {}) {
  const members = await freeAddresses(3);
  const nodes = members.map(
    (ip) => new RaftNode({ ip, members, transport: new HttpTransport(options), leaderTimeoutMs: 2_000 }),
  );
  cleanups.push(() => Promise.all(nodes.map((node) => node.stop())));
  await Promise.all(nodes.map((node) => node.start()));
  await Promise.all(nodes.map((node) => node.waitForLeader()));
  const leader = nodes.find((node) => node.isLeader()) as RaftNode;
  const followers = nodes.filter((node) => node !== leader) as [RaftNode, RaftNode];
  return { members, nodes, leader, followers };
}

/** What the built command line says and answers. */
export async function raftbeat(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  await using run = new Run([bin.raftbeat, ...args], { RAFTBEAT_SECRET: '', ...env });
  const code = await run.ends();
  return { code, stdout: run.stdout, stderr: run.stderr };
}
