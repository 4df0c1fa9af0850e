import type { NacosDatum, NacosDatumStore, PeerReply, RaftNodeOptions, RaftRequest } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { A, B, C, forbidUnhandledRejections, H, L, LATENCY, Lab, settle } from './virtual.js';

forbidUnhandledRejections();

const KEY = 'com.alibaba.nacos.naming.domains.meta.public##a';
const VALUE = { name: 'a' };

/** What the stores of all peers were given. */
class Stores implements NacosDatumStore {
  readonly calls: string[] = [];
  fault: Error | null = null;

  async open(): Promise<readonly NacosDatum[]> {
    return [];
  }

  async write({ key, timestamp }: NacosDatum): Promise<void> {
    this.calls.push(`write ${key} ${timestamp}`);
    if (this.fault !== null) throw this.fault;
  }

  async remove(key: string): Promise<void> {
    this.calls.push(`remove ${key}`);
  }

  async close(): Promise<void> {}
}

async function cluster(options: Partial<RaftNodeOptions> = {}) {
  let draws = 0;
  const nacosDatums = new Stores();
  const random = (): number => (++draws % 7) / 7;
  const lab = new Lab([A, B, C], { rules: 'nacos', random, nacosDatums, ...options });
  await lab.start();
  await lab.until(() => lab.peers.every(({ node }) => node.leader !== null));
  await lab.advance(2 * H);
  const leader = lab.peers.find(({ node }) => node.isLeader());
  const followers = lab.peers.filter((peer) => peer !== leader);
  if (leader === undefined) throw new Error('nobody leads');
  return { lab, leader, followers, nacosDatums };
}

/** What `ip` answers to `request`, when it does. */
async function ask(lab: Lab, ip: string, request: RaftRequest): Promise<unknown> {
  let reply: unknown;
  void lab.network.receive(ip, request).then((answer) => {
    reply = answer;
  });
  await lab.until(() => reply !== undefined, 10 * L);
  return reply;
}

const get = { type: 'nacosGet', keys: [KEY] } as const;
const publish = { type: 'nacosPublish', key: KEY, value: VALUE } as const;
const remove = { type: 'nacosRemove', key: KEY } as const;
const held = (timestamp: number) => ({ datums: [{ key: KEY, value: VALUE, timestamp }] });

describe('under the rules of Nacos', () => {
  test('the option sendBeatOnly holds from the start', async () => {
    const { lab, leader } = await cluster({ sendBeatOnly: true });
    await ask(lab, leader.ip, publish);
    await lab.advance(2 * H);
    const beats = lab.sent(leader.ip, 'beat').map(({ request }) => request);
    expect(beats.flatMap((beat) => ('datums' in beat ? beat.datums : []))).toEqual([]);
    expect(beats.length).toBeGreaterThan(2);
  });

  test('beats name no keys while sendBeatOnly is on, and all of them again when it is off', async () => {
    const { lab, leader } = await cluster();
    await ask(lab, leader.ip, publish);
    const named = async (): Promise<unknown> => {
      const { length } = lab.sent(leader.ip, 'beat');
      await lab.advance(2 * H);
      return lab
        .sent(leader.ip, 'beat')
        .slice(length)
        .map(({ request }) => 'datums' in request && request.datums.length);
    };
    expect(await named()).toContain(1);
    leader.node.sendBeatOnly = true;
    expect(new Set((await named()) as number[])).toEqual(new Set([0]));
    leader.node.sendBeatOnly = false;
    expect(await named()).toContain(1);
  });

  test.each(['leader', 'follower'])('what is published at a %s, all keep', async (role) => {
    const { lab, leader, followers, nacosDatums } = await cluster();
    const at = role === 'leader' ? leader.ip : (followers[0]?.ip as string);
    expect(await ask(lab, at, publish)).toEqual({ done: true });
    await lab.advance(2 * H);
    for (const { ip } of lab.peers) expect(await ask(lab, ip, get)).toEqual(held(1));
    expect(nacosDatums.calls).toEqual(Array(3).fill(`write ${KEY} 1`));
  });

  test.each(['leader', 'follower'])('what is removed at a %s, none keeps', async (role) => {
    const { lab, leader, followers, nacosDatums } = await cluster();
    const at = role === 'leader' ? leader.ip : (followers[0]?.ip as string);
    await ask(lab, leader.ip, publish);
    await lab.advance(2 * H);
    nacosDatums.calls.length = 0;
    expect(await ask(lab, at, remove)).toEqual({ done: true });
    await lab.advance(2 * H);
    for (const { ip } of lab.peers) expect(await ask(lab, ip, get)).toEqual({ datums: [null] });
    expect(new Set(nacosDatums.calls)).toEqual(new Set([`remove ${KEY}`]));
  });

  test('a removal reaches all without the help of a beat', async () => {
    const { lab, leader } = await cluster({ sendBeatOnly: true });
    await ask(lab, leader.ip, publish);
    await ask(lab, leader.ip, remove);
    await lab.advance(2 * H);
    for (const { ip } of lab.peers) expect(await ask(lab, ip, get)).toEqual({ datums: [null] });
  });

  test.each([
    ['is acknowledged puts the next election off, as in the original', { done: true }, LATENCY],
    ['is answered by what is no acknowledgement does not', { done: false }, 0],
  ])('a removal that %s', async (_what, reply, laterMs) => {
    let draws = 0;
    let isElecting = true;
    const { lab, leader } = await cluster({ random: () => (isElecting ? (++draws % 7) / 7 : 0) });
    isElecting = false;
    lab.network.treat((_from, _to, { type }) => (type === 'nacosDelete' ? { does: 'answer', reply } : null));
    const electionDue = async (): Promise<number> =>
      lab.now + ((await ask(lab, leader.ip, { type: 'peer' })) as PeerReply).leaderDueMs;
    await lab.until(() => lab.sent(leader.ip, 'beat').at(-1)?.at === lab.now);
    await lab.advance(H / 2);
    await ask(lab, leader.ip, remove);
    const due = await electionDue();
    await lab.advance(H / 4);
    expect((await electionDue()) - due).toBe(laterMs);
  });

  test('one that missed it fetches what a beat names', async () => {
    const { lab, leader, followers } = await cluster();
    const missed = followers[0]?.ip as string;
    const release = lab.network.treat((_from, to, request) =>
      to === missed && request.type === 'nacosCommit' ? { does: 'lose' } : null,
    );
    expect(await ask(lab, leader.ip, publish)).toEqual({ done: true });
    release();
    await lab.advance(3 * H);
    expect(lab.sent(missed, 'nacosGet')).not.toEqual([]);
    expect(await ask(lab, missed, get)).toEqual(held(1));
  });

  test('a publication that no majority takes fails', async () => {
    const { lab, leader } = await cluster();
    lab.network.treat((_from, _to, request) => (request.type === 'nacosCommit' ? { does: 'lose' } : null));
    expect(await ask(lab, leader.ip, publish)).toMatchObject({ code: 'TIMEOUT' });
  });

  test('acknowledgements that are none do not count', async () => {
    const { lab, leader } = await cluster();
    lab.network.treat((_from, _to, request) =>
      request.type === 'nacosCommit' ? { does: 'answer', reply: { done: false } } : null,
    );
    expect(await ask(lab, leader.ip, publish)).toMatchObject({ code: 'TIMEOUT' });
  });

  test('a store that can not keep a datum ends the node', async () => {
    const { lab, leader, nacosDatums } = await cluster();
    nacosDatums.fault = new Error('full');
    void lab.network.receive(leader.ip, publish);
    await lab.advance(H);
    await settle();
    expect(leader.errors.map(({ code }) => code)).toEqual(['STORE_FAILED']);
  });

  test('an open publication ends with the node', async () => {
    const { lab, leader } = await cluster();
    lab.network.treat((_from, _to, request) => (request.type === 'nacosCommit' ? { does: 'lose' } : null));
    const reply = lab.network.receive(leader.ip, publish);
    await lab.advance(1);
    await leader.node.stop();
    expect(await reply).toMatchObject({ code: 'NOT_RUNNING' });
  });
});

test.each([publish, remove, get])('a cluster under other rules refuses $type', async (request) => {
  const lab = new Lab();
  const { leader } = await lab.elect();
  const reply = await ask(lab, leader.ip, request);
  expect(reply).toMatchObject({ code: 'UNSUPPORTED' });
});
