import type { NacosChange, NacosDatumStore } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { A, B, C, forbidUnhandledRejections, H, L, Lab, type Peer } from './virtual.js';

forbidUnhandledRejections();

const KEY = 'com.alibaba.nacos.naming.domains.meta.public##a';
const LIST = 'com.alibaba.nacos.naming.iplist.public##a';
const VALUE = { name: 'a' };

async function cluster() {
  let draws = 0;
  const lab = new Lab([A, B, C], { rules: 'nacos', random: () => (++draws % 7) / 7 });
  await lab.start();
  await lab.until(() => lab.peers.every(({ node }) => node.leader !== null));
  const leader = lab.peers.find(({ node }) => node.isLeader());
  const follower = lab.peers.find((peer) => peer !== leader);
  if (leader === undefined || follower === undefined) throw new Error('nobody leads');
  return { lab, leader, follower };
}

/** What changes at `node` from now on. */
function changesOf({ node }: Peer): readonly NacosChange[] {
  const changes: NacosChange[] = [];
  node.on('nacosDatum', (change) => changes.push(change));
  return changes;
}

/** Lets `call` end, in virtual time. */
async function done<T>(lab: Lab, call: Promise<T>): Promise<T> {
  let isOver = false;
  const ended = (): void => {
    isOver = true;
  };
  call.then(ended, ended);
  await lab.until(() => isOver, 10 * L);
  return call;
}

describe('the datums of original peers at a node', () => {
  test.each(['leader', 'follower'] as const)(
    'are set, told in order, and removed by its %s',
    async (role) => {
      const { lab, ...peers } = await cluster();
      const { node } = peers[role];
      await done(lab, node.nacos.publish(LIST, VALUE));
      await done(lab, node.nacos.publish(KEY, VALUE));
      await lab.advance(2 * H);
      for (const { node: each } of lab.peers) {
        expect(each.nacos.get(KEY)).toEqual({ key: KEY, value: VALUE, timestamp: 1 });
        expect(each.nacos.keys()).toEqual([KEY, LIST]);
      }
      await done(lab, node.nacos.remove(KEY));
      await lab.advance(2 * H);
      for (const { node: each } of lab.peers) expect(each.nacos.keys()).toEqual([LIST]);
      expect(node.nacos.get(KEY)).toBeNull();
    },
  );

  test('are told as they change, and not when nothing was there to be removed', async () => {
    const { lab, leader, follower } = await cluster();
    const told = [leader, follower].map(changesOf);
    const datum = { key: KEY, value: VALUE, timestamp: 1 };
    await done(lab, leader.node.nacos.publish(KEY, VALUE));
    await done(lab, leader.node.nacos.remove(LIST));
    await done(lab, leader.node.nacos.remove(KEY));
    await lab.advance(2 * H);
    const expected = [
      { key: KEY, datum },
      { key: KEY, datum: null },
    ];
    expect(told).toEqual([expected, expected]);
  });

  test('are told also if they are of the kind that no peer stores', async () => {
    const { lab, leader, follower } = await cluster();
    const told = [leader, follower].map(changesOf);
    const key = 'com.alibaba.nacos.naming.iplist.ephemeral.public##a';
    await done(lab, leader.node.nacos.publish(key, VALUE));
    await lab.advance(2 * H);
    const expected = [{ key, datum: { key, value: VALUE, timestamp: 1 } }];
    expect(told).toEqual([expected, expected]);
  });

  test('that its store held are there from the start, and the store is closed with the node', async () => {
    const datum = { key: KEY, value: VALUE, timestamp: 7 };
    let isOpen = false;
    const nacosDatums: NacosDatumStore = {
      open: async () => {
        isOpen = true;
        return [datum];
      },
      write: async () => {},
      remove: async () => {},
      close: async () => {
        isOpen = false;
      },
    };
    const lab = new Lab([A], { rules: 'nacos', nacosDatums });
    await lab.start();
    expect([lab.node(A).nacos.get(KEY), isOpen]).toEqual([datum, true]);
    await lab.node(A).stop();
    expect(isOpen).toBe(false);
  });

  test.each([
    ['a key of no kind', 'a', VALUE],
    ['a value that is no object', KEY, 'text'],
    ['a value without JSON', KEY, { at: new Date() }],
  ])('are refused with %s', async (_what, key, value) => {
    const { lab, leader } = await cluster();
    const publish = leader.node.nacos.publish(key, value as never);
    await expect(done(lab, publish)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    expect(leader.node.nacos.keys()).toEqual([]);
  });

  test('stay out of reach while it does not run', async () => {
    const { lab, leader } = await cluster();
    await done(lab, leader.node.stop());
    const { nacos } = leader.node;
    expect(() => nacos.get(KEY)).toThrow(expect.objectContaining({ code: 'NOT_RUNNING' }));
    expect(() => nacos.keys()).toThrow(expect.objectContaining({ code: 'NOT_RUNNING' }));
    await expect(nacos.publish(KEY, VALUE)).rejects.toMatchObject({ code: 'NOT_RUNNING' });
    await expect(nacos.remove(KEY)).rejects.toMatchObject({ code: 'NOT_RUNNING' });
  });

  test('are not to be had under other rules, and the registry not under theirs', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    const { nacos } = leader.node;
    expect(() => nacos.get(KEY)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }));
    expect(() => nacos.keys()).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }));
    await expect(done(lab, nacos.publish(KEY, VALUE))).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    const original = await cluster();
    await expect(original.leader.node.publish('a', 1)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});
