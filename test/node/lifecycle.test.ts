import { RaftError, RaftNode } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import {
  A,
  B,
  beat,
  DEADLINE,
  forbidUnhandledRejections,
  gate,
  H,
  L,
  Lab,
  LOSE,
  outcome,
  settle,
} from './virtual.js';

forbidUnhandledRejections();

/** Everything that a node holds is let go of. */
function expectClosed(lab: Lab, ip: string): void {
  const { host, store, transport } = lab.peer(ip);
  expect({ isOpen: store.isOpen, isServing: transport.isServing, timers: host.timers }).toEqual({
    isOpen: false,
    isServing: false,
    timers: 0,
  });
}

describe('start', () => {
  test('opens the store and serves once, however often it is called', async () => {
    const lab = new Lab();
    const { node, store, transport } = lab.peer(A);
    await Promise.all([node.start(), node.start()]);
    await node.start();
    expect([store.opens, transport.starts]).toEqual([1, 1]);
  });

  test.each(['reject', 'throw'] as const)(
    'fails as the store does (%s), serves nothing, and can be tried again',
    async (how) => {
      const lab = new Lab([A]);
      const { node, store, transport } = lab.peer(A);
      const cause = new RaftError('STORE_CORRUPT', 'broken');
      store.openFault = { how, cause };
      await expect(node.start()).rejects.toBe(cause);
      expect(transport.starts).toBe(0);
      expectClosed(lab, A);
      await expect(node.resign()).rejects.toMatchObject({ code: 'NOT_RUNNING' });
      store.openFault = null;
      await node.start();
      await lab.until(() => node.isLeader());
    },
  );

  test.each(['reject', 'throw'] as const)(
    'fails as the transport does (%s), closes both again, and can be tried again',
    async (how) => {
      const lab = new Lab([A]);
      const { node, store, transport } = lab.peer(A);
      const cause = new Error('the port is taken');
      transport.startFault = { how, cause };
      await expect(node.start()).rejects.toBe(cause);
      expect([store.closes, transport.stops]).toEqual([1, 1]);
      expectClosed(lab, A);
      transport.startFault = null;
      await node.start();
      await lab.until(() => node.isLeader());
    },
  );

  test('fails with its own cause, whatever closing says', async () => {
    const { node, store, transport } = new Lab([A]).peer(A);
    transport.startFault = { how: 'reject', cause: new Error('the port is taken') };
    transport.stopFault = { how: 'throw', cause: new Error('never started') };
    store.closeFault = { how: 'reject', cause: new Error('stuck') };
    await expect(node.start()).rejects.toThrow('the port is taken');
    expect([store.closes, transport.stops]).toEqual([1, 1]);
  });

  test('takes no part before it is called', async () => {
    const lab = new Lab([A]);
    await lab.advance(10 * L);
    expect(lab.node(A).isLeader()).toBe(false);
    expect(lab.peer(A).store.opens).toBe(0);
  });

  test('during a stop waits for it, and then starts', async () => {
    const lab = new Lab([A]);
    const { node, store, transport } = lab.peer(A);
    const closing = gate();
    await node.start();
    store.closeGate = closing.shut;
    const stopped = node.stop();
    const started = node.start();
    expect(await outcome(started)).toBe('pending');
    expect(store.opens).toBe(1);
    closing.open();
    await Promise.all([stopped, started]);
    expect([store.opens, transport.starts, transport.isServing]).toEqual([2, 2, true]);
    await lab.until(() => node.isLeader());
  });

  test('during a stop starts once, however often it is called', async () => {
    const { node, store, transport } = new Lab([A]).peer(A);
    const serving = gate();
    transport.startGate = serving.shut;
    const calls = [node.stop(), node.start()];
    await settle();
    calls.push(node.start());
    await settle();
    serving.open();
    await Promise.all(calls);
    expect([store.opens, transport.starts]).toEqual([1, 1]);
  });

  test('between two stops changes nothing: the last word counts', async () => {
    const lab = new Lab([A]);
    const { node, store } = lab.peer(A);
    const closing = gate();
    await node.start();
    store.closeGate = closing.shut;
    const calls = [node.stop(), node.start(), node.stop()];
    await settle();
    closing.open();
    await Promise.all(calls);
    await lab.advance(L);
    expectClosed(lab, A);
    expect(node.isLeader()).toBe(false);
  });

  test('during a stop that fails starts all the same', async () => {
    const lab = new Lab([A]);
    const { node, transport } = lab.peer(A);
    transport.stopFault = { how: 'reject', cause: new Error('stuck') };
    const stopped = node.stop();
    const started = node.start();
    await expect(stopped).rejects.toThrow('stuck');
    await expect(started).resolves.toBe(undefined);
    await lab.until(() => node.isLeader());
  });

  test('fails when the node fails before the transport serves', async () => {
    const lab = new Lab();
    const { node, store, transport, errors } = lab.peer(A);
    const serving = gate();
    transport.startGate = serving.shut;
    store.saveFault = { how: 'reject', cause: new Error('full') };
    const started = node.start();
    started.catch(() => {});
    await settle();
    await lab.network.receive(A, beat(B, 1));
    serving.open();
    await expect(started).rejects.toBeInstanceOf(RaftError);
    await settle();
    expectClosed(lab, A);
    expect(errors.map(({ code }) => code)).toEqual(['STORE_FAILED']);
  });
});

describe('stop', () => {
  test('closes both once for all who call at the same time, and can be called again', async () => {
    const lab = new Lab();
    const { node, store, transport } = lab.peer(A);
    await node.start();
    await Promise.all([node.stop(), node.stop()]);
    expect([store.closes, transport.stops]).toEqual([1, 1]);
    await node.stop();
    expectClosed(lab, A);
  });

  test('before the start harms nothing', async () => {
    const lab = new Lab([A]);
    const { node } = lab.peer(A);
    await node.stop();
    await node.start();
    await lab.until(() => node.isLeader());
  });

  test('during the start waits for it, and closes all', async () => {
    const lab = new Lab();
    const { node, store, transport } = lab.peer(A);
    const opening = gate();
    store.openGate = opening.shut;
    const started = node.start();
    const stopped = node.stop();
    expect(await outcome(stopped)).toBe('pending');
    opening.open();
    await Promise.all([started, stopped]);
    expect([store.opens, store.closes, transport.starts, transport.stops]).toEqual([1, 1, 1, 1]);
    expectClosed(lab, A);
  });

  test('during a start that fails succeeds', async () => {
    const lab = new Lab();
    const { node, store } = lab.peer(A);
    store.openFault = { how: 'reject', cause: new Error('broken') };
    const started = node.start();
    const stopped = node.stop();
    await expect(started).rejects.toThrow('broken');
    await stopped;
    expectClosed(lab, A);
  });

  test('can be called again when it failed, and then closes again', async () => {
    const lab = new Lab([A]);
    const { node, transport } = lab.peer(A);
    await node.start();
    transport.stopFault = { how: 'reject', cause: new Error('stuck') };
    await expect(node.stop()).rejects.toThrow('stuck');
    transport.stopFault = null;
    await expect(node.stop()).resolves.toBe(undefined);
    expect(transport.stops).toBe(2);
  });

  test.each(['reject', 'throw'] as const)('closes both even if one fails (%s)', async (how) => {
    const lab = new Lab();
    const { node, store, transport } = lab.peer(A);
    const cause = new Error('stuck');
    await node.start();
    transport.stopFault = { how, cause };
    await expect(node.stop()).rejects.toBe(cause);
    expect(store.closes).toBe(1);
    transport.stopFault = null;

    await node.start();
    store.closeFault = { how, cause };
    await expect(node.stop()).rejects.toBe(cause);
    expect(transport.stops).toBe(2);
    store.closeFault = null;

    await node.start();
    expect(transport.isServing).toBe(true);
  });

  test('fails with the first error of the two', async () => {
    const { node, store, transport } = new Lab().peer(A);
    await node.start();
    transport.stopFault = { how: 'reject', cause: new Error('of the transport') };
    store.closeFault = { how: 'reject', cause: new Error('of the store') };
    await expect(node.stop()).rejects.toThrow('of the transport');
  });

  test('hands over leadership: another leads long before a timeout', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    await lab.advance(2 * H);
    const stopped = leader.node.stop();
    const took = await lab.until(() => followers.some(({ node }) => node.isLeader()));
    await stopped;
    expect(took).toBeLessThan(H);
    expectClosed(lab, leader.ip);
  });

  test('leads no longer from the moment at which it is called', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    void leader.node.stop();
    await settle();
    expect(leader.node.isLeader()).toBe(false);
  });

  test('ends within the deadline of a request when nobody answers', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    lab.network.treat((_from, _to, { type }) => (type === 'transfer' ? LOSE : null));
    const stopped = leader.node.stop();
    expect(await outcome(stopped)).toBe('pending');
    await lab.advance(DEADLINE);
    expect(await outcome(stopped)).toBe('resolved');
    expectClosed(lab, leader.ip);
  });

  test('of a follower needs no time, and the others go on', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    await followers[0].node.stop();
    expectClosed(lab, followers[0].ip);
    await lab.advance(10 * L);
    expect(lab.leaders).toEqual([leader.ip]);
  });

  test('aborts the requests that are open, and sends no more', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    lab.network.treat((_from, _to, { type }) => (type === 'beat' ? LOSE : null));
    await lab.advance(2 * H);
    const open = lab.sent(leader.ip, 'beat').filter(({ at }) => at > lab.now - 2 * H);
    expect(open.length).toBeGreaterThan(0);
    expect(open.map(({ signal }) => signal.aborted)).not.toContain(true);
    const stopped = leader.node.stop();
    await lab.until(() => !leader.transport.isServing);
    await stopped;
    expect(open.map(({ signal }) => signal.aborted)).not.toContain(false);
    const count = lab.network.sent.filter(({ from }) => from === leader.ip).length;
    await lab.advance(5 * L);
    expect(lab.network.sent.filter(({ from }) => from === leader.ip)).toHaveLength(count);
    expect(leader.host.timers).toBe(0);
  });

  test('leaves a node that knows nothing and refuses everything', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    for (const { ip, node, transport } of [leader, followers[0]]) {
      const stopped = node.stop();
      await lab.advance(DEADLINE);
      await stopped;
      expect([node.isLeader(), node.leader, node.fencingToken]).toEqual([false, null, null]);
      await expect(node.resign()).rejects.toMatchObject({ code: 'NOT_RUNNING' });
      expect(await transport.receive?.({ type: 'peer' }, 'test')).toMatchObject({ code: 'NOT_RUNNING' });
      expectClosed(lab, ip);
    }
  });

  test('is what an `await using` block ends with', async () => {
    const lab = new Lab();
    {
      await using node = lab.node(A);
      await node.start();
      expect(lab.peer(A).transport.isServing).toBe(true);
    }
    expectClosed(lab, A);
  });
});

describe('a restart', () => {
  test('goes on from the stored term, and leads with a higher token', async () => {
    const lab = new Lab([A]);
    const { node } = lab.peer(A);
    const tokens: (number | null)[] = [];
    for (let round = 0; round < 3; round++) {
      await node.start();
      await lab.until(() => node.isLeader());
      tokens.push(node.fencingToken);
      await node.stop();
    }
    expect(tokens).toEqual([1, 2, 3]);
  });

  test('of a member brings it back into the cluster', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    const { node } = followers[0];
    await node.stop();
    await lab.advance(2 * L);
    await node.start();
    expect(node.leader).toBe(null);
    await lab.advance(2 * H);
    expect(node.leader?.ip).toBe(leader.ip);
    expect(lab.tooEarly).toEqual([]);
  });
});

test('a node needs neither a transport nor a store to lead a cluster of one', async () => {
  const lab = new Lab([A]);
  const node = new RaftNode({ ip: 'me', clock: lab.world.host() });
  await node.start();
  await lab.until(() => node.isLeader());
  expect(node.leader?.ip).toBe('me');
  await node.stop();
  expect(node.isLeader()).toBe(false);
});
