import { MemoryStore, RaftNode, type Transport } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { NO_REVISION } from '../../src/core/messages.js';
import { A, B, C, forbidUnhandledRejections, H, L, Lab, type LabOptions, LOSE, settle } from './virtual.js';

forbidUnhandledRejections();

type Pattern = Parameters<RaftNode['listen']>[0];
type Listener = Parameters<RaftNode['listen']>[1];

/** Listens at `node`, and gives what it is told: `k=1@1`, `k gone`. */
function listen(node: RaftNode, pattern: Pattern = { prefix: '' }): string[] {
  const heard: string[] = [];
  node.listen(pattern, noting(heard));
  return heard;
}

function noting(heard: string[]): Listener {
  return (datum, key) => {
    heard.push(datum === null ? `${key} gone` : `${key}=${datum.value}@${datum.timestamp}`);
  };
}

async function cluster(options: LabOptions = {}) {
  let count = 0;
  const random = (): number => (++count % 1_000) / 1_000_000;
  const lab = new Lab([A, B, C], { registry: true, random, ...options });
  const { leader, followers } = await lab.elect();
  await lab.advance(H);
  return { lab, leader, followers };
}

async function done(lab: Lab, promise: Promise<unknown>): Promise<void> {
  let isDone = false;
  promise.then(() => {
    isDone = true;
  });
  await lab.until(() => isDone);
}

/** A beat of b:1 that brings `k`, committed already. */
function committing(): unknown {
  const peer = { ip: B, state: 'LEADER', term: 1, voteFor: B, leaderDueMs: 0, heartbeatDueMs: 0 };
  const batch = { revision: { term: 1, seq: 1 }, ops: [{ key: 'k', value: '1', timestamp: 1 }] };
  const data = {
    prev: { term: 0, seq: 0 },
    batches: [batch],
    committed: batch.revision,
    membersRevision: NO_REVISION,
  };
  return { type: 'beat', peer, datums: [], data };
}

describe('a listener', () => {
  test('is told at once what is there, and then each change, once and in order', async () => {
    const { lab, leader, followers } = await cluster();
    await done(lab, leader.node.publish('a', 1));
    await done(lab, leader.node.publish('b', 1));
    await lab.advance(H);
    const all = [leader, ...followers].map(({ node }) => listen(node));
    for (const heard of all) expect(heard).toEqual(['a=1@1', 'b=1@1']);
    await done(lab, leader.node.publish('a', 2));
    await done(lab, followers[0].node.remove('b'));
    await done(lab, Promise.all([1, 2, 3].map((value) => leader.node.publish('c', value))));
    await lab.advance(2 * H);
    const changes = ['a=2@2', 'b gone', 'c=1@2', 'c=2@3', 'c=3@4'];
    for (const heard of all) expect(heard.slice(2)).toEqual(changes);
  });

  test('hears of one key, or of all that begin with a prefix, and of no others', async () => {
    const { lab, leader } = await cluster();
    const one = listen(leader.node, 'a/1');
    const some = listen(leader.node, { prefix: 'a/' });
    for (const key of ['a/1', 'a/2', 'b/1', 'a/11']) await done(lab, leader.node.publish(key, 1));
    expect([one, some]).toEqual([['a/1=1@1'], ['a/1=1@1', 'a/2=1@1', 'a/11=1@1']]);
  });

  test('has heard of a write when its caller at the leader is answered', async () => {
    const { lab, leader } = await cluster();
    const heard = listen(leader.node);
    const seen: number[] = [];
    await done(
      lab,
      leader.node.publish('k', 1).then(() => seen.push(heard.length)),
    );
    expect(seen).toEqual([1]);
  });

  test('is not told of what is not committed', async () => {
    const { lab, leader, followers } = await cluster();
    const all = [leader, ...followers].map(({ node }) => listen(node));
    lab.network.treat((from, _to, request) => (from === leader.ip && request.type === 'beat' ? LOSE : null));
    leader.node.publish('k', 1).catch(() => {});
    await lab.advance(3 * L);
    expect(all.slice(1)).toEqual([[], []]);
    expect(all[0]).toEqual([]);
  });

  test('that begins during a pending save is told once what that save holds, and is committed', async () => {
    const lab = new Lab([A, B, C], { registry: true });
    const { node, store, transport } = lab.peer(A);
    const early = listen(node);
    await done(lab, node.start());
    store.hangs = true;
    void transport.receive?.(committing(), B);
    await settle();
    const late = listen(node);
    expect([early, late]).toEqual([[], ['k=1@1']]);
    store.release();
    await settle();
    expect([early, late]).toEqual([['k=1@1'], ['k=1@1']]);
    await done(lab, node.stop());
  });

  test('that throws or rejects harms nothing, and is reported', async () => {
    const { lab, leader } = await cluster();
    leader.node.listen('k', () => {
      throw new Error('no');
    });
    leader.node.listen('k', () => Promise.reject(new Error('never')));
    const heard = listen(leader.node);
    await done(lab, leader.node.publish('k', 1));
    await done(lab, leader.node.publish('k', 2));
    await settle();
    expect(heard).toEqual(['k=1@1', 'k=2@2']);
    expect(leader.errors.map(({ code }) => code)).toEqual(Array(4).fill('LISTENER_FAILED'));
    expect(leader.node.isLeader()).toBe(true);
  });

  test('may publish, listen and stop listening itself', async () => {
    const { lab, leader } = await cluster();
    const inner: string[][] = [];
    const once: Listener = () => {
      leader.node.unlisten('k', once);
      inner.push(listen(leader.node));
      void leader.node.publish('echo', 1);
    };
    leader.node.listen('k', once);
    await done(lab, leader.node.publish('k', 1));
    await done(lab, leader.node.publish('k', 2));
    await lab.advance(H);
    expect(inner).toEqual([['k=1@1', expect.any(String), expect.any(String)]]);
    expect(inner[0]?.slice(1).sort()).toEqual(['echo=1@1', 'k=2@2']);
  });

  test('that is taken away hears nothing more; taking away tells whether it listened', async () => {
    const { lab, leader } = await cluster();
    const heard: string[] = [];
    const listener = noting(heard);
    leader.node.listen({ prefix: 'k' }, listener);
    expect(leader.node.unlisten('k', listener)).toBe(false);
    expect(leader.node.unlisten({ prefix: 'k' }, listener)).toBe(true);
    expect(leader.node.unlisten({ prefix: 'k' }, listener)).toBe(false);
    await done(lab, leader.node.publish('k', 1));
    expect(heard).toEqual([]);
  });

  test('gets a value of its own', async () => {
    const { lab, leader } = await cluster();
    leader.node.listen('k', (datum) => {
      const value = datum?.value as number[];
      value.push(0);
    });
    const values: unknown[] = [];
    leader.node.listen('k', (datum) => values.push(datum?.value));
    await done(lab, leader.node.publish('k', [1]));
    expect([values, leader.node.getDatum('k')?.value]).toEqual([[[1]], [1]]);
  });
});

describe('across restarts, a listener', () => {
  test('is told what the store held before what comes while the transport starts', async () => {
    const datum = { key: 'old', value: '1', timestamp: 1, revision: NO_REVISION };
    const base = { revision: NO_REVISION, stampFloor: 0, datums: new Map([['old', datum]]) };
    const store = new MemoryStore();
    await store.save({ term: 1, voteFor: B, promisedMs: L }, { base });
    const transport: Transport = {
      start: async (_, receive) => void (await receive(committing(), B)),
      request: () => new Promise(() => {}),
      stop: async () => {},
    };
    const node = new RaftNode({ ip: A, members: [A, B, C], registry: true, store, transport });
    const heard = listen(node);
    await node.start();
    expect(heard).toEqual(['old=1@1', 'k=1@1']);
    await node.stop();
  });

  test('that was there before the start is told what the store held', async () => {
    const { lab, leader } = await cluster();
    await done(lab, leader.node.publish('k', 1));
    await done(lab, leader.node.stop());
    const heard = listen(leader.node);
    await done(lab, leader.node.start());
    await lab.advance(2 * L);
    expect(heard).toEqual(['k=1@1']);
  });

  test('is told what changed while its node was stopped, and nothing twice', async () => {
    const { lab, leader, followers } = await cluster();
    const [follower] = followers;
    await done(lab, leader.node.publish('old', 1));
    await done(lab, leader.node.publish('gone', 1));
    await lab.advance(H);
    const heard = listen(follower.node);
    await done(lab, follower.node.stop());
    await done(lab, leader.node.publish('new', 1));
    await done(lab, leader.node.remove('gone'));
    await done(lab, follower.node.start());
    await lab.advance(2 * L);
    expect(heard).toEqual(['old=1@1', 'gone=1@1', 'new=1@1', 'gone gone']);
  });

  test('is told nothing twice when the store lags behind what it was told', async () => {
    const { lab, leader, followers } = await cluster();
    const [follower] = followers;
    follower.store.fold = () => {};
    const heard = listen(follower.node);
    for (const value of [1, 2, 3]) await done(lab, leader.node.publish('k', value));
    await done(lab, leader.node.remove('k'));
    await lab.advance(H);
    await done(lab, follower.node.stop());
    await done(lab, follower.node.start());
    expect(follower.node.getDatum('k')).toBeNull();
    await lab.advance(2 * L);
    await done(lab, leader.node.publish('k', 4));
    await lab.advance(H);
    expect(heard).toEqual(['k=1@1', 'k=2@2', 'k=3@3', 'k gone', 'k=4@4']);
  });

  test('is told after a failed save what that save would have shown', async () => {
    const { lab, leader, followers } = await cluster();
    const [follower] = followers;
    const heard = listen(follower.node);
    await done(lab, leader.node.publish('k', 1));
    await lab.advance(H);
    follower.store.saveFault = { how: 'reject', cause: new Error('full') };
    await done(lab, leader.node.publish('k', 2));
    await lab.advance(H);
    follower.store.saveFault = null;
    await done(lab, follower.node.start());
    await lab.advance(2 * L);
    expect(heard).toEqual(['k=1@1', 'k=2@2']);
  });

  test('misses nothing that the store has kept, at whichever step of a message its node is stopped', async () => {
    for (let steps = 0; steps < 25; steps++) {
      const lab = new Lab([A, B, C], { registry: true });
      const { node, transport } = lab.peer(A);
      const heard = listen(node);
      await done(lab, node.start());
      void transport.receive?.(committing(), B);
      for (let step = 0; step < steps; step++) await null;
      await done(lab, node.stop());
      await done(lab, node.start());
      void transport.receive?.(committing(), B);
      await lab.advance(1);
      expect([steps, ...heard]).toEqual([steps, 'k=1@1']);
      await done(lab, node.stop());
    }
  });

  test('is told the differences when its node has caught up by the key list', async () => {
    const { lab, leader, followers } = await cluster({ registry: { maxHistorySize: 500 } });
    const [follower] = followers;
    const heard = listen(follower.node);
    await done(lab, leader.node.publish('gone', 1));
    await lab.advance(H);
    await done(lab, follower.node.stop());
    await done(lab, leader.node.remove('gone'));
    for (let number = 0; number < 20; number++) await done(lab, leader.node.publish('k', number));
    await done(lab, follower.node.start());
    await lab.advance(2 * L);
    expect(lab.sent(follower.ip, 'keys').length).toBeGreaterThan(0);
    expect(heard).toEqual(['gone=1@1', 'gone gone', 'k=19@21']);
  });
});
