import { describe, expect, test } from 'vitest';
import { A, B, C, DEADLINE, H, L, LATENCY, LEASE, LOSE } from '../node/virtual.js';
import { checkHosts, HostLab, leads, type Site } from './lab.js';

checkHosts();

/** Hosts of a few groups, spread, and one of them, that leads some. */
async function spread(
  groups = 6,
): Promise<{ readonly hosts: HostLab; readonly site: Site; readonly led: readonly string[] }> {
  const hosts = new HostLab([A, B, C], { groups });
  await hosts.spread();
  const site = hosts.site(B);
  return { hosts, site, led: leads(site.raft) };
}

/** Runs a job for each group while `site` leads it; the signals. */
async function signalsOf(
  hosts: HostLab,
  { raft }: Site,
  led: readonly string[],
): Promise<readonly AbortSignal[]> {
  const signals: AbortSignal[] = [];
  for (const name of led) void raft.group(name).whileLeader(({ signal }) => void signals.push(signal));
  await hosts.advance(0);
  expect(signals.length).toBe(led.length);
  return signals;
}

describe('the leader of no group any more', () => {
  test('is a host that was stalled beyond its lease, at the first question', async () => {
    const { hosts, site, led } = await spread();
    const signals = await signalsOf(hosts, site, led);
    site.process.stall();
    await hosts.advance(LEASE - H - 2);
    expect(leads(site.raft)).toEqual(led);
    await hosts.advance(H + 2);
    for (const name of led) {
      const group = site.raft.group(name);
      expect([group.isLeader(), group.leader, group.fencingToken]).toEqual([false, null, null]);
    }
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
  });

  test('is a host that was suspended, while its monotonic clock stood still, at the first question', async () => {
    const { hosts, site, led } = await spread();
    const signals = await signalsOf(hosts, site, led);
    site.process.suspend();
    await hosts.advance(LEASE);
    site.process.resume();
    expect(leads(site.raft)).toEqual([]);
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
  });

  test('is a host that nobody answers, when its lease ends: not earlier, and the signals are aborted by then', async () => {
    const { hosts, site, led } = await spread();
    const signals = await signalsOf(hosts, site, led);
    hosts.network.isolate(B);
    const from = hosts.now;
    await hosts.until(() => signals.every(({ aborted }) => aborted));
    expect(hosts.now - from).toBeGreaterThan(LEASE - H - 5);
    expect(hosts.now - from).toBeLessThanOrEqual(LEASE + 1);
    expect(leads(site.raft)).toEqual([]);
    expect(site.raft.groups.some(({ state }) => state === 'LEADER')).toBe(false);
  });

  test('is never led by two at a time meanwhile', async () => {
    const { hosts, site } = await spread(20);
    hosts.network.isolate(B);
    for (let time = 0; time < 3 * L; time += 7) {
      await hosts.advance(7);
      for (const name of hosts.names) expect(hosts.leadersOf(name).length).toBeLessThan(2);
    }
    expect(leads(site.raft)).toEqual([]);
    expect(hosts.names.every((name) => hosts.leadersOf(name).length === 1)).toBe(true);
  });
});

describe('answers that come after the lease has ended', () => {
  test.each(['stalled', 'suspended'] as const)('revive nothing, when the host was %s', async (how) => {
    const { hosts, site, led } = await spread();
    let isSlow = true;
    hosts.network.treat((from, _, { type }) =>
      from === B && type === 'beats' && isSlow ? { does: 'carry', replyMs: 20 } : null,
    );
    // Beats have just gone out, and their answers are under way.
    await hosts.until(() => hosts.sent(B, 'beats').at(-1)!.at === hosts.now);
    await hosts.advance(2);
    const terms = led.map((name) => site.raft.group(name).term);
    if (how === 'stalled') site.process.stall();
    else site.process.suspend();
    await hosts.advance(LEASE + 1);
    isSlow = false;
    site.process.resume();
    for (let time = 0; time < 50; time++) {
      await hosts.advance(1);
      for (const [at, name] of led.entries()) {
        const group = site.raft.group(name);
        expect(group.isLeader() && group.term === terms[at]).toBe(false);
      }
    }
  });

  test('revive nothing, when the clock on the wall was set ahead', async () => {
    const { hosts, site, led } = await spread();
    hosts.network.isolate(A);
    hosts.network.treat((from, to, { type }) =>
      from === B && to === C && type === 'beats' ? { does: 'carry', replyMs: 20 } : null,
    );
    await hosts.advance(50);
    const from = site.events.length;
    site.process.stepWall(2 * L);
    const sent = hosts.sent(B, 'beats').length;
    await hosts.advance(H);
    expect(leads(site.raft)).toEqual([]);
    const lost = site.events.slice(from).filter((event) => event.includes('leaderLost'));
    expect(lost.map((event) => event.split(' ')[0]).toSorted()).toEqual([...led].toSorted());
    for (const { request } of hosts.sent(B, 'beats').slice(sent))
      if (request.type === 'beats') expect(request.led).toEqual([]);
    expect(site.raft.groups.some(({ state }) => state === 'LEADER')).toBe(false);
  });
});

test('a new leader whose first answers come too late for a lease leads with the next one, the moment it comes', async () => {
  const clockDrift = 0.4;
  const leaseMs = (L * (1 - clockDrift)) / (1 + clockDrift);
  const hosts = new HostLab([A, B, C], { groups: 1, clockDrift });
  const asked = new Set<string>();
  const slow = hosts.network.treat((_, to, { type }) => {
    if (type !== 'beats') return null;
    if (asked.has(to)) return LOSE;
    asked.add(to);
    return { does: 'carry', replyMs: leaseMs };
  });
  await hosts.start();
  await hosts.until(() => asked.size === 2);
  await hosts.advance(leaseMs + 2 * LATENCY);
  slow();
  const elected = hosts.sites.filter(({ raft }) => raft.group('g0').state === 'LEADER');
  expect(elected.map(({ events }) => events)).toEqual([[]]);
  const [{ ip, events }] = elected as [Site];
  const beats = hosts.sent(ip, 'beats').length;
  await hosts.until(() => hosts.sent(ip, 'beats').length > beats);
  await hosts.advance(2 * LATENCY);
  expect(events).toEqual([`g0 makeLeader ${ip} 1`]);
});

test('a wall clock that is set back ends no lease', async () => {
  const { hosts, site, led } = await spread();
  site.process.stepWall(-10 * L);
  await hosts.advance(2 * L);
  expect(leads(site.raft)).toEqual(led);
});

test('a host whose wall clock was set ahead once leads groups that are opened later', async () => {
  const { hosts, site } = await spread();
  site.process.stepWall(10 * L);
  await hosts.advance(5 * L);
  await hosts.until(() => hosts.isLed() && hosts.isEven(), 20 * L);
  expect(leads(site.raft).length).toBe(2);
  for (const { raft } of hosts.sites) raft.group('late', { bootstrap: true });
  await hosts.until(() => hosts.sites.every(({ raft }) => raft.group('late').leader !== null));
  const { leader } = hosts.rolesOf('late');
  if (leader !== site) void leader.raft.group('late').resign(B);
  await hosts.until(() => site.raft.group('late').isLeader());
  await hosts.advance(L / 2);
  expect(site.raft.group('late').isLeader()).toBe(true);
});

test('a single lost beat, or a lost answer, costs no leadership', async () => {
  const { hosts } = await spread();
  const events = hosts.sites.map((site) => site.events.length);
  const counts = new Map<string, number>();
  hosts.network.treat((from, to, { type }) => {
    if (type !== 'beats') return null;
    const count = (counts.get(from + to) ?? 0) + 1;
    counts.set(from + to, count);
    if (count % 3 === 0) return LOSE;
    return count % 3 === 1 ? { does: 'loseReply' } : null;
  });
  await hosts.advance(5 * L);
  expect(hosts.sites.map((site) => site.events.length)).toEqual(events);
});

test('beats that are repeated, and that come late, do no harm', async () => {
  const { hosts, led } = await spread();
  let count = 0;
  hosts.network.treat((_, __, { type }) => {
    if (type !== 'beats') return null;
    count++;
    return { does: 'carry', times: 1 + (count % 3), replyMs: count % 2 === 0 ? 1 : H + 20 };
  });
  await hosts.advance(5 * L);
  expect(leads(hosts.site(B).raft)).toEqual(led);
});

test('a stall that is shorter than what is left of the lease costs no leadership, whenever it begins', async () => {
  const { hosts, site } = await spread();
  const events = hosts.sites.map((one) => one.events.length);
  for (let time = 0; time < 15; time++) {
    await hosts.advance(L + 37);
    // The answers to its newest beats wait for it; those to the former ones make the lease that it has.
    await hosts.until(() => hosts.sent(B, 'beats').at(-1)?.at === hosts.now);
    site.process.stall();
    await hosts.advance(DEADLINE - 20);
    site.process.resume();
  }
  await hosts.advance(L);
  expect(hosts.sites.map((one) => one.events.length)).toEqual(events);
});
