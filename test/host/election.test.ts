import { describe, expect, test } from 'vitest';
import type { Beats } from '../../src/core/messages.js';
import { A, B, C, H, L } from '../node/virtual.js';
import { checkHosts, HostLab, leads } from './lab.js';

checkHosts();

describe('hosts that start', () => {
  test('elect exactly one leader for each group, which all of them know', async () => {
    const hosts = new HostLab();
    await hosts.elect();
    for (const name of hosts.names) {
      const [leader, ...more] = hosts.leadersOf(name);
      expect(more).toEqual([]);
      for (const { raft } of hosts.sites) expect(raft.group(name).leader?.ip).toBe(leader);
    }
  });

  test('are done with it in L and a few round trips', async () => {
    const hosts = new HostLab([A, B, C], { groups: 300 });
    await hosts.start();
    expect(await hosts.until(() => hosts.isLed())).toBeLessThan(2 * L);
  });

  test('come to lead equally many groups, at most one apart', async () => {
    const hosts = new HostLab([A, B, C], { groups: 40 });
    await hosts.spread();
    expect(hosts.sites.map(({ raft }) => leads(raft).length).toSorted()).toEqual([13, 13, 14]);
  });
});

test('one message to each other host and heartbeat stands for all groups, however many', async () => {
  for (const groups of [3, 300]) {
    const hosts = new HostLab([A, B, C], { groups });
    await hosts.spread();
    const from = hosts.network.sent.length;
    await hosts.advance(10 * H);
    const sent = hosts.network.sent.slice(from);
    expect(sent.every(({ request }) => request.type === 'beats')).toBe(true);
    expect(sent.length).toBe(10 * 3 * 2);
    for (const { request } of sent) expect((request as Beats).led).toEqual([]);
  }
});

test('what many groups save in one turn goes along in one write', async () => {
  const hosts = new HostLab([A, B, C], { groups: 100 });
  await hosts.elect();
  for (const { store } of hosts.sites) {
    expect(store.writes.reduce((sum, states) => sum + states.size, 0)).toBeGreaterThanOrEqual(100);
    expect(store.writes.length).toBeLessThan(20);
  }
});

describe('nothing leaves before what it depends on is durable (D4)', () => {
  test('no vote request, and no vote', async () => {
    const hosts = new HostLab([A, B, C], { groups: 30 });
    for (const { store } of hosts.sites) store.hangs = true;
    await hosts.start();
    await hosts.advance(3 * L);
    expect(hosts.sites.some(({ store }) => store.writes.length > 0)).toBe(true);
    expect(hosts.isLed()).toBe(false);
    for (const { store } of hosts.sites) store.release();
    await hosts.until(() => hosts.isLed());
  });

  test('no acknowledgement of a first beat', async () => {
    const hosts = new HostLab([A, B, C], { groups: 30 });
    await hosts.elect();
    const { leader, others } = hosts.rolesOf('g0');
    for (const { store } of others) store.hangs = true;
    leader.process.stall();
    await hosts.advance(3 * L);
    leader.process.resume();
    await hosts.advance(H);
    for (const { store } of others) store.release();
    await hosts.until(() => hosts.isLed(), 10 * L);
  });
});
