import { Resolver } from 'node:dns/promises';
import { userInfo } from 'node:os';
import { byAddress, bySrv } from 'raftbeat/discovery';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Program, Server } from '../brokers/server.js';
import { isInstalled } from '../debian.js';

const ZONE = 'billing.default.svc.cluster.local';

const DNS: Program = {
  name: 'dnsmasq',
  args: (port) => [
    '--keep-in-foreground',
    '--no-resolv',
    '--no-hosts',
    '--conf-file=/dev/null',
    '--pid-file',
    `--port=${port}`,
    '--listen-address=127.0.0.1',
    '--bind-interfaces',
    `--user=${userInfo().username}`,
    `--host-record=${ZONE},10.0.0.1`,
    `--host-record=${ZONE},10.0.0.2`,
    `--host-record=${ZONE},fd00::1`,
    '--host-record=four.test,10.0.0.4',
    `--srv-host=_raft._tcp.${ZONE},billing-0.${ZONE},7001`,
    `--srv-host=_raft._tcp.${ZONE},billing-1.${ZONE},7002`,
  ],
};

describe.skipIf(!(await isInstalled('dnsmasq', 'dnsmasq-base')))('By the DNS', () => {
  let server: Server;
  const resolver = new Resolver({ timeout: 1_000, tries: 3 });

  beforeAll(async () => {
    server = await Server.start(DNS);
    resolver.setServers([server.address]);
  });
  afterAll(() => server.end());

  test('a peer is found at each address of a name', async () => {
    const found = await byAddress(ZONE, 7_001, { resolver })();
    expect([...found].sort()).toEqual(['10.0.0.1:7001', '10.0.0.2:7001', '[fd00::1]:7001']);
    expect(await byAddress('four.test', 1, { resolver })()).toEqual(['10.0.0.4:1']);
  });

  test('a peer is found for each service record, with its own name and port', async () => {
    const found = await bySrv(`_raft._tcp.${ZONE}`, { resolver })();
    expect(found).toHaveLength(2);
    expect(found).toContainEqual({ ip: 'billing-0', address: `billing-0.${ZONE}:7001` });
    expect(found).toContainEqual({ ip: 'billing-1', address: `billing-1.${ZONE}:7002` });
  });

  test('that there is no such name is an error', async () => {
    await expect(byAddress('nobody.test', 1, { resolver })()).rejects.toThrow('nobody.test');
    await expect(bySrv('_raft._tcp.nobody.test', { resolver })()).rejects.toThrow('nobody.test');
  });
});
