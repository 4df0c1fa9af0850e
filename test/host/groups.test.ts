import { describe, expect, test } from 'vitest';
import { A, B, C, H, L, peer } from '../node/virtual.js';
import { checkHosts, HostLab } from './lab.js';

checkHosts();

describe('a group that is left and opened again', () => {
  test('keeps its term and its vote', async () => {
    const hosts = new HostLab();
    await hosts.elect();
    const { others } = hosts.rolesOf('g0');
    const before = hosts.group(others[0].ip).term;
    expect(before).toBeGreaterThan(0);
    await hosts.group(others[0].ip).leave();
    const again = hosts.group(others[0].ip);
    expect([again.term, again.state]).toEqual([before, 'FOLLOWER']);
    await hosts.until(() => again.leader !== null);
    expect(again.term).toBe(before);
  });

  test('keeps what was being saved as it was left', async () => {
    const hosts = new HostLab([A, B, C], { groups: 1 });
    const { raft, store } = hosts.site(A);
    await raft.start();
    await hosts.advance(L);
    store.hangs = true;
    const vote = { type: 'vote', peer: peer(B, { state: 'CANDIDATE', term: 7, voteFor: B }) } as const;
    const granted = hosts.ask(A, 'g0', vote);
    await hosts.advance(0);
    const left = raft.group('g0').leave();
    await hosts.advance(0);
    store.release();
    await left;
    expect(await granted).toMatchObject({ granted: true });
    expect(raft.group('g0').term).toBe(7);
  });

  test('takes part in nothing if it had not recovered from an empty store before', async () => {
    const hosts = new HostLab([A, B, C], { groups: 1, empty: true });
    await hosts.site(A).raft.start();
    await hosts.advance(H);
    await hosts.group(A).leave();
    hosts.group(A);
    await hosts.advance(3 * L);
    const vote = {
      type: 'vote',
      peer: { ip: B, state: 'CANDIDATE', term: 1, voteFor: B, leaderDueMs: 0, heartbeatDueMs: 0 },
    } as const;
    expect(await hosts.ask(A, 'g0', vote)).toMatchObject({ code: 'REJOINING' });
  });

  test('is not left by the object of the group that was left before', async () => {
    const hosts = new HostLab();
    await hosts.elect();
    const { others } = hosts.rolesOf('g0');
    const old = hosts.group(others[0].ip);
    await old.leave();
    const again = hosts.group(others[0].ip);
    expect(again).not.toBe(old);
    await old.leave();
    expect(await hosts.ask(others[0].ip, 'g0', { type: 'peer' })).toMatchObject({ ip: others[0].ip });
    await hosts.until(() => again.leader !== null);
  });

  test('is another object from the moment on at which the former has left, however often that was asked', async () => {
    const hosts = new HostLab();
    await hosts.elect();
    const { leader } = hosts.rolesOf('g0');
    const old = hosts.group(leader.ip);
    await Promise.all([old.leave(), old.leave()]);
    expect(leader.raft.groups).not.toContain(old);
    expect([old.isLeader(), old.state, old.term, old.leader]).toEqual([false, 'FOLLOWER', 0, null]);
    expect(hosts.group(leader.ip)).not.toBe(old);
  });

  test('that is left while the host starts takes no part, and can be opened again at once', async () => {
    const hosts = new HostLab();
    const site = hosts.site(A);
    let open = (): void => {};
    site.transport.startGate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const starting = site.raft.start();
    await hosts.advance(0);
    await hosts.group(A, 'g0').leave();
    await hosts.group(A, 'g1').leave();
    const again = hosts.group(A, 'g1');
    open();
    await starting;
    await Promise.all([hosts.site(B).raft.start(), hosts.site(C).raft.start()]);
    await hosts.until(() => again.leader !== null);
    expect(await hosts.ask(A, 'g0', { type: 'peer' })).toMatchObject({ code: 'UNKNOWN_GROUP' });
  });
});

describe('a group that only some hosts take part in', () => {
  test('elects if they are a majority', async () => {
    const hosts = new HostLab([A, B, C], { groups: 3 });
    await hosts.site(C).raft.group('g0').leave();
    await hosts.start();
    await hosts.until(() => hosts.isLed());
    await hosts.advance(5 * L);
    expect([A, B].filter((ip) => hosts.group(ip).isLeader()).length).toBe(1);
    expect(hosts.site(C).raft.groups.map(({ name }) => name)).toEqual(['g1', 'g2']);
  });

  test('never elects if they are none, and raises no term', async () => {
    const hosts = new HostLab([A, B, C], { groups: 3 });
    for (const ip of [B, C]) await hosts.group(ip).leave();
    await hosts.start();
    for (let time = 0; time < 10; time++) {
      await hosts.advance(L);
      expect(hosts.group(A)).toMatchObject({ leader: null, term: 0 });
    }
    expect(['g1', 'g2'].map((name) => hosts.leadersOf(name).length)).toEqual([1, 1]);
  });
});

describe('a host whose store was emptied', () => {
  test('takes part in nothing until it has recovered, and follows then', async () => {
    const hosts = new HostLab([A, B, C], { groups: 3 });
    await hosts.spread();
    const { leader, others } = hosts.rolesOf('g0');
    const [emptied, other] = others;
    await hosts.stop(emptied);
    emptied.store.states.clear();
    other.process.stall();
    const from = hosts.network.answered.length;
    await emptied.raft.start();
    await hosts.advance(L - 10);
    const answers = hosts.network.answered.slice(from).filter((reply) => reply.from === emptied.ip);
    expect(answers.length).toBeGreaterThan(0);
    for (const { request, reply } of answers) {
      if (request.type !== 'beats') continue;
      const { refused } = reply as { refused: readonly { code: string }[] };
      expect(refused.every(({ code }) => code === 'REJOINING')).toBe(true);
    }
    expect(hosts.group(leader.ip).isLeader()).toBe(false);
    other.process.resume();
    await hosts.until(() => hosts.isLed(), 10 * L);
    expect(emptied.store.states.size).toBe(3);
  });

  test('begins together with others that are empty if the operator says that they are new', async () => {
    const hosts = new HostLab([A, B, C], { groups: 5, empty: true, bootstrap: true });
    await Promise.all([A, B].map((ip) => hosts.site(ip).raft.start()));
    await hosts.until(() => hosts.isLed([hosts.site(A), hosts.site(B)]));
  });

  test('begins a single group of which the operator says so', async () => {
    const hosts = new HostLab([A, B, C], { groups: 0, empty: true });
    await Promise.all([A, B].map((ip) => hosts.site(ip).raft.start()));
    const groups = [A, B].map((ip) => hosts.site(ip).raft.group('new', { bootstrap: true }));
    const unsaid = [A, B].map((ip) => hosts.site(ip).raft.group('unsaid'));
    await hosts.until(() => groups.every(({ leader }) => leader !== null));
    expect(unsaid.map(({ leader }) => leader)).toEqual([null, null]);
  });
});

test('a group that is refused for a higher term steps down, while all others keep their leader', async () => {
  const hosts = new HostLab();
  await hosts.spread();
  const { leader, others } = hosts.rolesOf('g0');
  const { term } = hosts.group(leader.ip);
  const before = hosts.names.map((name) => hosts.leadersOf(name));
  const higher = { ...peer(others[1].ip, { state: 'CANDIDATE', voteFor: others[1].ip }), term: term + 5 };
  const events = leader.events.length;
  const { granted } = (await hosts.ask(others[0].ip, 'g0', {
    type: 'vote',
    peer: higher,
    transfer: true,
  })) as { granted: boolean };
  expect(granted).toBe(true);
  await hosts.until(() => hosts.leadersOf('g0').length === 1 && hosts.group(leader.ip).term > term);
  expect(leader.events.slice(events)[0]).toBe(`g0 leaderLost ${leader.ip} ${term}`);
  expect(hosts.names.slice(1).map((name) => hosts.leadersOf(name))).toEqual(before.slice(1));
  expect(leader.events.slice(events).every((event) => event.startsWith('g0 '))).toBe(true);
});
