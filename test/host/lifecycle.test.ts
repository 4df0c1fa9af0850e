import { describe, expect, test } from 'vitest';
import { A, B, C, H, IN_USE, L, LOSE, outcome, settle } from '../node/virtual.js';
import { checkHosts, HostLab, leads, type Site } from './lab.js';

checkHosts();

/** The hosts that are not `site`. */
function others(hosts: HostLab, site: Site): readonly Site[] {
  return hosts.sites.filter((other) => other !== site);
}

describe('a stop', () => {
  test('hands over all that the host leads, to the others in turn, before the host is gone', async () => {
    const hosts = new HostLab([A, B, C], { groups: 30, balance: false });
    await hosts.elect();
    const site = hosts.sites.find(({ raft }) => leads(raft).length > 0)!;
    const rest = others(hosts, site);
    const before = rest.map(({ raft }) => leads(raft).length);
    const from = hosts.now;
    await hosts.stop(site);
    await hosts.until(() => rest.reduce((sum, { raft }) => sum + leads(raft).length, 0) === 30);
    expect(hosts.now - from).toBeLessThan(H);
    const [one = 0, two = 0] = rest.map(({ raft }, at) => leads(raft).length - before[at]!);
    expect(Math.abs(one - two)).toBeLessThanOrEqual(1);
    expect(rest.flatMap(({ errors }) => errors)).toEqual([]);
  });

  test('ends whileLeader and waitForLeader of all groups, and their signals', async () => {
    const hosts = new HostLab([A, B, C], { groups: 3 });
    await hosts.spread();
    const { leader } = hosts.rolesOf('g0');
    const signals: AbortSignal[] = [];
    const running = leader.raft.groups.map((group) =>
      group.whileLeader(({ signal }) => void signals.push(signal)),
    );
    const alone = leader.raft.group('alone');
    const waiting = alone.waitForLeader();
    waiting.catch(() => {});
    await hosts.advance(0);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    await hosts.stop(leader);
    expect(await outcome(Promise.all(running))).toBe('resolved');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    await expect(waiting).rejects.toMatchObject({ code: 'NOT_RUNNING' });
  });

  test('ends who waits to be elected; who leads already is told so at once', async () => {
    const hosts = new HostLab([A, B, C], { groups: 3 });
    await hosts.spread();
    const { leader, others } = hosts.rolesOf('g0');
    const group = leader.raft.group('g0');
    const { signal, fencingToken } = await group.elect();
    expect([signal.aborted, fencingToken]).toEqual([false, group.fencingToken]);
    const waiting = others[0].raft.group('g0').elect();
    expect(await outcome(waiting)).toBe('pending');
    await hosts.stop(others[0]);
    await expect(waiting).rejects.toMatchObject({ code: 'NOT_RUNNING' });
    await hosts.stop(leader);
    expect(signal.aborted).toBe(true);
  });

  test('leaves nothing behind: no timer, no open store, nobody who leads, no more messages', async () => {
    const hosts = new HostLab();
    await hosts.spread();
    const site = hosts.site(A);
    await hosts.stop(site);
    expect([site.process.timers, site.store.isOpen, site.transport.isServing]).toEqual([0, false, false]);
    expect(leads(site.raft)).toEqual([]);
    expect(site.raft.groups.map(({ term, state, leader }) => [term, state, leader])).toEqual(
      hosts.names.map(() => [0, 'FOLLOWER', null]),
    );
    const from = hosts.network.sent.length;
    await hosts.advance(2 * L);
    expect(hosts.network.sent.slice(from).filter((sent) => sent.from === A)).toEqual([]);
  });

  test('ends in time, whatever elections go on that nobody answers', async () => {
    const hosts = new HostLab([A, B, C], { groups: 3 });
    const site = hosts.site(A);
    for (let at = 0; at < 300; at++) site.raft.group(`only here ${at}`);
    for (let at = 0; at < 300; at++) site.store.states.set(`only here ${at}`, IN_USE);
    await hosts.start();
    await hosts.until(() => hosts.names.every((name) => hosts.leadersOf(name).length === 1));
    await hosts.until(() => leads(site.raft).length > 0, 20 * L);
    hosts.network.treat((_, __, { type }) => (type === 'groups' ? { does: 'carry', replyMs: L / 4 } : null));
    const from = hosts.now;
    await hosts.stop(site);
    expect(hosts.now - from).toBeLessThanOrEqual(L);
  });

  test('ends in time, however many groups recover from an empty store and ask a host that is gone', async () => {
    const hosts = new HostLab();
    await hosts.spread();
    const [site, gone] = [hosts.site(A), hosts.site(C)];
    await hosts.stop(gone);
    for (let at = 0; at < 2_000; at++) site.raft.group(`only here ${at}`);
    await hosts.advance(2 * L);
    expect(leads(site.raft)).not.toEqual([]);
    const from = hosts.now;
    await hosts.stop(site);
    expect(hosts.now - from).toBeLessThanOrEqual(L);
  });

  test('may be asked again, and before the start, and the host starts again and catches up', async () => {
    const hosts = new HostLab();
    await hosts.site(A).raft.stop();
    await hosts.spread();
    const site = hosts.site(A);
    await Promise.all([hosts.stop(site), hosts.stop(site)]);
    await site.raft.start();
    await site.raft.start();
    await hosts.until(() => hosts.isLed() && hosts.isEven(), 20 * L);
    expect(site.transport.starts).toBe(2);
  });
});

describe('a host that comes back', () => {
  test('is given its share again, as soon as it has been steady for 2 L', async () => {
    const hosts = new HostLab([A, B, C], { groups: 40 });
    await hosts.spread();
    const site = hosts.site(A);
    await hosts.stop(site);
    await hosts.until(() => hosts.isEven(others(hosts, site)), 20 * L);
    await site.raft.start();
    const from = hosts.now;
    await hosts.advance(1.9 * L);
    expect(leads(site.raft)).toEqual([]);
    await hosts.until(() => hosts.isEven(), 20 * L);
    expect(hosts.now - from).toBeLessThan(6 * L);
  });

  test('is given its share also by hosts that have groups of their own, which nobody can be elected in', async () => {
    const hosts = new HostLab([A, B, C], { groups: 40 });
    for (const { ip, raft, store } of hosts.sites) {
      for (let at = 0; at < 300; at++) {
        store.states.set(`only ${ip} ${at}`, IN_USE);
        raft.group(`only ${ip} ${at}`);
      }
    }
    await hosts.start();
    const site = hosts.site(A);
    await hosts.until(() => hosts.isEven(), 20 * L);
    await hosts.stop(site);
    await hosts.until(() => hosts.isEven(others(hosts, site)), 20 * L);
    await site.raft.start();
    const from = hosts.now;
    await hosts.until(() => hosts.isEven(), 20 * L);
    expect(hosts.now - from).toBeLessThan(8 * L);
  });

  test('moves nothing any more once all lead equally many', async () => {
    const hosts = new HostLab([A, B, C], { groups: 40 });
    await hosts.spread();
    const events = hosts.sites.map((site) => site.events.length);
    await hosts.advance(20 * L);
    expect(hosts.sites.map((site) => site.events.length)).toEqual(events);
  });
});

test('a host that is gone without a word loses all its groups to the others within 2 L', async () => {
  const hosts = new HostLab([A, B, C], { groups: 200 });
  await hosts.spread();
  const site = hosts.site(A);
  hosts.network.isolate(A);
  const rest = others(hosts, site);
  const took = await hosts.until(() => rest.reduce((sum, { raft }) => sum + leads(raft).length, 0) === 200);
  expect(took).toBeLessThan(2 * L);
  expect(leads(site.raft)).toEqual([]);
});

describe('a save that fails', () => {
  test('stops the host: nothing is led there any more, and the error is told once', async () => {
    const hosts = new HostLab([A, B, C], { groups: 30 });
    await hosts.spread();
    const { leader: site } = hosts.rolesOf('g0');
    const signals: AbortSignal[] = [];
    const running = site.raft.group('g0').whileLeader(({ signal }) => void signals.push(signal));
    await hosts.advance(0);
    site.store.saveFault = new Error('the disk is full');
    for (const other of others(hosts, site))
      for (const name of leads(other.raft)) void other.raft.group(name).resign(site.ip);
    await hosts.until(() => site.errors.length > 0);
    expect(leads(site.raft)).toEqual([]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    await hosts.advance(2 * L);
    expect(site.errors.map(({ code }) => code)).toEqual(['STORE_FAILED']);
    expect([site.store.isOpen, site.transport.isServing, site.process.timers]).toEqual([false, false, 0]);
    expect(await outcome(running)).toBe('resolved');
    await hosts.until(() => hosts.isLed(others(hosts, site)));
  });

  test('lets the host start again when the store is well', async () => {
    const hosts = new HostLab();
    await hosts.site(A).raft.start();
    hosts.site(A).store.saveFault = new Error('the disk is full');
    await Promise.all([hosts.site(B).raft.start(), hosts.site(C).raft.start()]);
    await hosts.until(() => hosts.site(A).errors.length > 0);
    await hosts.advance(0);
    hosts.site(A).store.saveFault = null;
    await hosts.site(A).raft.start();
    await hosts.until(() => hosts.isLed());
  });

  test('lets nothing leave afterwards that was on its way in the same turn', async () => {
    const hosts = new HostLab([A, B, C], { groups: 30 });
    await hosts.site(A).raft.start();
    const site = hosts.site(A);
    site.store.hangs = true;
    await Promise.all([hosts.site(B).raft.start(), hosts.site(C).raft.start()]);
    await hosts.until(() => site.store.writes.length > 0);
    const from = hosts.sent(A, 'groups').length + hosts.sent(A, 'beats').length;
    site.store.fail(new Error('gone'));
    await hosts.advance(3 * L);
    expect(hosts.sent(A, 'groups').length + hosts.sent(A, 'beats').length).toBe(from);
    expect(site.process.timers).toBe(0);
  });

  test('that waits for another when the host stops is not written any more', async () => {
    const hosts = new HostLab([A, B, C], { groups: 1 });
    hosts.site(A).store.hangs = true;
    const [site] = hosts.sites as [Site];
    site.raft.group('g1');
    site.store.states.set('g1', IN_USE);
    await site.raft.start();
    await hosts.advance(L);
    const vote = (name: string) =>
      hosts.ask(A, name, {
        type: 'vote',
        peer: { ip: B, state: 'CANDIDATE', term: 1, voteFor: B, leaderDueMs: 0, heartbeatDueMs: 0 },
      });
    const first = vote('g0');
    await settle();
    const second = vote('g1');
    await settle();
    await site.raft.stop();
    site.store.release();
    expect(await Promise.all([first, second])).toMatchObject([
      { code: 'NOT_RUNNING' },
      { code: 'NOT_RUNNING' },
    ]);
    expect(site.store.writes.map((states) => [...states.keys()])).toEqual([['g0']]);
  });
});

describe('a start that fails', () => {
  test.each(['store', 'transport'] as const)(
    'for its %s leaves nothing behind, and can be tried again',
    async (what) => {
      const hosts = new HostLab();
      const site = hosts.site(A);
      const cause = new Error('no');
      if (what === 'store') site.store.openFault = cause;
      else site.transport.startFault = { how: 'reject', cause };
      const waiting = site.raft.group('g0').waitForLeader();
      await expect(site.raft.start()).rejects.toBe(cause);
      expect([site.store.isOpen, site.process.timers, site.raft.group('g0').term]).toEqual([false, 0, 0]);
      await expect(site.raft.group('g0').resign()).rejects.toMatchObject({ code: 'NOT_RUNNING' });
      site.store.openFault = null;
      site.transport.startFault = null;
      await hosts.elect();
      expect((await waiting).ip).toBe(site.raft.group('g0').leader?.ip);
    },
  );
});

describe('resign', () => {
  test('hands over one group, to whom it names, and touches no other', async () => {
    const hosts = new HostLab([A, B, C], { balance: false });
    await hosts.elect();
    const { leader, others } = hosts.rolesOf('g0');
    const before = hosts.names.slice(1).map((name) => hosts.leadersOf(name));
    expect(await hosts.group(leader.ip).resign(others[1].ip)).toBe(others[1].ip);
    expect(hosts.group(leader.ip).isLeader()).toBe(false);
    await hosts.until(() => hosts.leadersOf('g0')[0] === others[1].ip, H);
    expect(hosts.names.slice(1).map((name) => hosts.leadersOf(name))).toEqual(before);
  });

  test('is refused where the group is not led, to whom cannot lead, and while the host is stopped', async () => {
    const hosts = new HostLab();
    await hosts.elect();
    const { leader, others } = hosts.rolesOf('g0');
    await expect(hosts.group(others[0].ip).resign()).rejects.toMatchObject({ code: 'NOT_LEADER' });
    await expect(hosts.group(leader.ip).resign('x:1')).rejects.toMatchObject({ code: 'BAD_TARGET' });
    expect(hosts.group(leader.ip).isLeader()).toBe(true);
    await hosts.stop(leader);
    await expect(hosts.group(leader.ip).resign()).rejects.toMatchObject({ code: 'NOT_RUNNING' });
  });
});

test('events are told by the host, with their group, and by the group', async () => {
  const hosts = new HostLab([A, B, C], { groups: 2 });
  const told: string[] = [];
  for (const group of hosts.site(A).raft.groups) {
    group.on(
      'makeLeader',
      ({ leader, term }) => void told.push(`${group.name} makeLeader ${leader.ip} ${term}`),
    );
    group.on(
      'leaderLost',
      ({ leader, term }) => void told.push(`${group.name} leaderLost ${leader.ip} ${term}`),
    );
  }
  await hosts.spread();
  hosts.network.treat(() => LOSE);
  await hosts.advance(2 * L);
  expect(told).toEqual(hosts.site(A).events);
  for (const name of hosts.names) {
    const own = told.filter((event) => event.startsWith(`${name} `)).map((event) => event.split(' ')[1]);
    expect(own).toEqual(own.map((_, at) => (at % 2 === 0 ? 'makeLeader' : 'leaderLost')));
    expect(own.length).toBeGreaterThan(0);
  }
});
