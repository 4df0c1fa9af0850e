import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { MemoryGroupStore, RaftNode } from 'raftbeat';
import { RaftHost } from 'raftbeat/host';
import { HttpTransport, type HttpTransportOptions } from 'raftbeat/http';
import { expect, test } from 'vitest';
import { freeAddresses } from '../../src/cli/demo/addresses.js';
import { cleanups, cluster, raftbeat } from './kit.js';

const pem = (name: string): string => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));

/** A cluster of one; stopped after the test. */
async function single(options: HttpTransportOptions = {}): Promise<string> {
  const [ip = ''] = await freeAddresses(1);
  const node = new RaftNode({ ip, transport: new HttpTransport(options), registry: true });
  cleanups.push(() => node.stop());
  await node.start();
  await node.waitForLeader();
  return ip;
}

/** A server that is no peer; closed after the test. */
async function server(answer: Parameters<typeof createServer>[1]): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  cleanups.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('state shows each peer in a row, and exits with 0 when all agree on one leader', async () => {
  const { members, leader, nodes } = await cluster();
  const { code, stdout, stderr } = await raftbeat(['state', ...members]);
  expect([code, stderr]).toEqual([0, '']);
  const [head, ...rows] = stdout.trim().split('\n');
  expect(head?.split(/ {2,}/)).toEqual([
    ...['peer', 'role', 'term', 'leader', 'lease left', 'revision', 'reachable'],
  ]);
  expect(rows).toHaveLength(4);
  for (const [at, node] of nodes.entries())
    expect(rows[at]?.split(/ {2,}/)).toEqual([
      node.ip,
      node.state,
      `${leader.term}`,
      leader.ip,
      node === leader ? expect.stringMatching(/^\d+ ms$/) : '-',
      '-',
      'yes',
    ]);
  expect(rows[3]).toBe(`${leader.ip} leads in term ${leader.term}`);
});

test('state exits with 1 when a peer is not reached, and says which and why', async () => {
  const { members, leader, followers } = await cluster();
  await followers[0].stop();
  const { code, stdout, stderr } = await raftbeat(['state', ...members]);
  expect(code).toBe(1);
  expect(stdout).toMatch(new RegExp(`^${followers[0].ip}( +-){5} +no$`, 'm'));
  expect(stdout).toMatch(new RegExp(`^${leader.ip} +LEADER `, 'm'));
  expect(stderr).toMatch(new RegExp(`^${followers[0].ip}: .*ECONNREFUSED.*\n$`));
});

test('state exits with 1 when nobody leads', async () => {
  const { leader, followers } = await cluster();
  await Promise.all([followers[0].stop(), followers[1].stop()]);
  const lost = leader.leader === null ? null : new Promise((resolve) => leader.once('leaderLost', resolve));
  await lost;
  const { code, stdout, stderr } = await raftbeat(['state', leader.ip]);
  expect([code, stderr]).toEqual([1, `${leader.ip} knows no leader\n`]);
  expect(stdout).toMatch(/ yes\n$/);
});

test('state exits with 1 when peers know different leaders', async () => {
  const ips = [await single(), await single()];
  const { code, stdout, stderr } = await raftbeat(['state', ...ips]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^they disagree on the leader: /);
  expect(stdout).not.toContain('leads in term');
});

test('state --json prints the same for machines', async () => {
  const ip = await single();
  const [gone = ''] = await freeAddresses(1);
  const { code, stdout } = await raftbeat(['state', '--json', `http://${ip}`, gone]);
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toEqual({
    ok: false,
    leader: ip,
    term: 1,
    problems: [expect.stringContaining(gone)],
    peers: [
      {
        ...{ url: `http://${ip}`, reachable: true, ip, state: 'LEADER', term: 1, leader: ip, isLeader: true },
        ...{ rejoining: false, revision: { term: 1, seq: 1 } },
      },
      { url: gone, reachable: false, problem: expect.stringContaining('ECONNREFUSED') },
    ],
  });
});

test('state finds a peer at the path that its URL has', async () => {
  const ip = await single({ path: '/deep/raft' });
  expect(await raftbeat(['state', `http://${ip}/deep/raft/`])).toMatchObject({ code: 0 });
  expect(await raftbeat(['state', `http://${ip}`])).toMatchObject({ code: 1 });
});

test('state speaks https, and shows a certificate where one is asked for', async () => {
  const [ca, cert, key] = ['ca.crt', 'client.crt', 'client.key'].map(pem) as [string, string, string];
  const own = { key: readFileSync(pem('server.key')), cert: readFileSync(pem('server.crt')) };
  const ip = await single({ tls: { ...own, ca: readFileSync(ca), requestCert: true } });
  const url = `https://${ip}`;
  expect(await raftbeat(['state', url, '--ca', ca, '--cert', cert, '--key', key])).toMatchObject({ code: 0 });
  expect(await raftbeat(['state', url, '--ca', ca])).toMatchObject({ code: 1 });
  expect(await raftbeat(['state', url, '--cert', cert, '--key', key])).toMatchObject({ code: 1 });
});

test.each<[string, string, Parameters<typeof createServer>[1]]>([
  ['what is not raftbeat', 'is not raftbeat: status 404', (_, res) => res.writeHead(404).end('<html>')],
  ['JSON of somebody else', 'reply.ip must be', (_, res) => res.end('{"status":"ok"}')],
  ['what hangs up', 'cannot be reached', (req) => req.socket.destroy()],
])('state says so of %s', async (_, problem, answer) => {
  const { code, stderr } = await raftbeat(['state', await server(answer)]);
  expect(code).toBe(1);
  expect(stderr).toContain(problem);
});

test('state hands nothing to the terminal that would steer it', async () => {
  const refusal = JSON.stringify({ code: 'BUSY', message: 'one\u001b[2J\ntwo' });
  const { stdout, stderr } = await raftbeat(['state', await server((_, res) => res.end(refusal))]);
  expect(stderr).toMatch(/: one \[2J two\n$/);
  expect(stdout + stderr).not.toContain('\u001b');
});

test('state waits for an answer no longer than --timeout', async () => {
  const { code, stderr } = await raftbeat(['state', '--timeout', '300', await server(() => {})]);
  expect(code).toBe(1);
  expect(stderr).toContain('did not answer within 300 ms');
});

test('state says of a host of groups that it has no one leader', async () => {
  const [ip = ''] = await freeAddresses(1);
  const host = new RaftHost({
    ip,
    members: [ip],
    transport: new HttpTransport(),
    store: new MemoryGroupStore(),
  });
  cleanups.push(() => host.stop());
  await host.start();
  const { code, stderr } = await raftbeat(['state', ip]);
  expect([code, stderr]).toEqual([1, expect.stringContaining('a host of groups')]);
});
