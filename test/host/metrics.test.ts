import type { HostMetrics } from 'raftbeat';
import { expect, test } from 'vitest';
import { A, B, C, H, L, LATENCY } from '../node/virtual.js';
import { checkHosts, HostLab } from './lab.js';

checkHosts();

test('metrics of a host are of all its groups together', async () => {
  const hosts = new HostLab();
  await hosts.elect();
  await hosts.advance(2 * H);
  const all = hosts.sites.map(({ raft }) => raft.metrics());
  const sum = (read: (metrics: HostMetrics) => number) => all.reduce((total, one) => total + read(one), 0);
  expect(sum(({ leads }) => leads)).toBe(12);
  expect(sum(({ electionsWon }) => electionsWon)).toBeGreaterThanOrEqual(12);
  for (const [at, { raft, store, events }] of hosts.sites.entries()) {
    const { ip, isRunning, groups, leads, leaderChanges, saves, peers, sent, received } = all[
      at
    ] as HostMetrics;
    expect([ip, isRunning, groups]).toEqual([raft.ip, true, 12]);
    expect(leads).toBe(raft.groups.filter((group) => group.isLeader()).length);
    expect(leaderChanges).toBe(events.filter((event) => event.includes(' makeLeader ')).length);
    expect(saves.count).toBe(store.writes.length);
    expect([sent.beats?.answered ?? 0, received.beats?.answered ?? 0].every((count) => count > 0)).toBe(true);
    for (const peer of peers) expect(peer).toMatchObject({ roundTripMs: 2 * LATENCY });
    expect(peers.map((peer) => peer.ip)).toEqual([A, B, C].filter((other) => other !== ip));
  }
  expect(JSON.parse(JSON.stringify(all))).toEqual(all);
});

test('metrics of a host tell of leaderships that are lost, and of who is silent', async () => {
  const hosts = new HostLab();
  await hosts.elect();
  const before = hosts.site(A).raft.metrics();
  expect(before.leads).toBeGreaterThan(0);
  hosts.network.isolate(A);
  await hosts.advance(2 * L);
  const after = hosts.site(A).raft.metrics();
  expect([after.leads, after.leadershipsLost - before.leadershipsLost]).toEqual([0, before.leads]);
  expect(after.peers.every(({ silentMs }) => (silentMs ?? 0) > L)).toBe(true);
  expect(after.sent.beats?.timedOut).toBeGreaterThan(0);
});

test('metrics of a host count its errors, and outlast its stop', async () => {
  const hosts = new HostLab();
  const { raft, store } = hosts.site(A);
  raft.on('makeLeader', () => {
    throw new Error('a listener');
  });
  await hosts.elect();
  const { errors, leaderChanges } = raft.metrics();
  expect(errors).toEqual({ LISTENER_FAILED: leaderChanges });
  store.saveFault = new Error('full');
  hosts.network.isolate(B);
  await hosts.until(() => raft.metrics().errors.STORE_FAILED === 1);
  expect(raft.metrics()).toMatchObject({ isRunning: false, leads: 0, groups: 12 });
});

test('a host answers the request for its metrics', async () => {
  const hosts = new HostLab();
  await hosts.elect();
  const reply = (await hosts.network.receive(A, { type: 'metrics' })) as HostMetrics;
  const { received, ...rest } = hosts.site(A).raft.metrics();
  expect(reply).toMatchObject(rest);
  expect(received.metrics).toEqual({ answered: 1, refused: 0 });
  await hosts.network.receive(A, { type: 'x' });
  expect(hosts.site(A).raft.metrics().received.unknown).toEqual({ answered: 0, refused: 1 });
});
