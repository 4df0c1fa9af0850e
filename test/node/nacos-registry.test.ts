import { RaftCore, RaftError, RaftPeerSet, type RaftRequest, type RulesName } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { NacosRegistry } from '../../src/node/nacos-registry.js';
import { A, B, C, TIMING } from './virtual.js';

const key = 'com.alibaba.nacos.naming.domains.meta.a';
const value = { name: 'a' };

/** A registry before a core that carries out nothing, and what it asked. */
function registry(leader: string | null, rules: RulesName = 'nacos') {
  const peers = new RaftPeerSet({ local: A, members: [A, B, C], rules });
  const core = new RaftCore({ peers, timing: TIMING, random: () => 0.99 });
  const dues = { leaderDueMs: 1, heartbeatDueMs: 1 };
  if (leader !== null) peers.makeLeader({ ip: leader, state: 'LEADER', term: 1, voteFor: leader, ...dues });
  const asked: [string, RaftRequest][] = [];
  let answer: () => unknown = () => ({ done: true });
  const nacos = new NacosRegistry(
    core,
    async (input) => input(core, 0),
    async (to, request) => {
      asked.push([to, request]);
      return answer();
    },
  );
  const answerWith = (next: () => unknown): void => {
    answer = next;
  };
  return { nacos, asked, answerWith };
}

describe('a publish', () => {
  test('of a follower is forwarded to the leader, and says so; a forwarded one is not', async () => {
    const { nacos, asked } = registry(B);
    await nacos.publish({ key, value });
    expect(asked).toEqual([[B, { type: 'nacosPublish', key, value, forwarded: true }]]);
    await expect(nacos.publish({ key, value, forwarded: true })).rejects.toMatchObject({
      code: 'NOT_LEADER',
    });
    expect(asked).toHaveLength(1);
  });

  test.each([
    [{ code: 'TIMEOUT', message: 'no majority' }, 'TIMEOUT'],
    [{ code: 'NO_LEADER', message: 'no leader is known' }, 'NO_LEADER'],
    [{ code: 'BAD_OPTION', message: 'what no peer says' }, 'BAD_REPLY'],
    [{ done: false }, 'BAD_REPLY'],
    [null, 'BAD_REPLY'],
  ])('that the leader answers with %j fails with %s', async (answer, code) => {
    const { nacos, answerWith } = registry(B);
    answerWith(() => answer);
    await expect(nacos.publish({ key, value })).rejects.toMatchObject({ code });
  });

  test.each([[10n], [undefined], [new Map()], [Number.NaN], [() => {}], [new Date()]])(
    'of what JSON cannot bear is refused: %s',
    async (inner) => {
      const { nacos, asked } = registry(B);
      await expect(nacos.publish({ key, value: { inner } })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      expect(asked).toEqual([]);
    },
  );

  test('ends when its output says so, or when the node stops', async () => {
    const { nacos } = registry(A);
    const first = nacos.publish({ key, value });
    const second = nacos.publish({ key, value });
    const third = nacos.publish({ key, value });
    await new Promise((resolve) => setImmediate(resolve));
    nacos.ended({ write: 100, error: null });
    await first;
    nacos.ended({ write: 200, error: new RaftError('TIMEOUT', 'no majority') });
    await expect(second).rejects.toMatchObject({ code: 'TIMEOUT' });
    nacos.abortAll(new RaftError('NOT_RUNNING', 'stopped'));
    await expect(third).rejects.toMatchObject({ code: 'NOT_RUNNING' });
  });

  test('under the rules of raftbeat is UNSUPPORTED', async () => {
    const { nacos } = registry(null, 'raftbeat');
    await expect(nacos.publish({ key, value })).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    await expect(nacos.remove({ key })).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});

test('a removal is done here or at the leader, and fails without one', async () => {
  const { nacos, asked } = registry(C);
  await nacos.remove({ key });
  expect(asked).toEqual([[C, { type: 'nacosRemove', key, forwarded: true }]]);
  await expect(registry(null).nacos.remove({ key })).rejects.toMatchObject({ code: 'NO_LEADER' });
  const leading = registry(A);
  await leading.nacos.remove({ key });
  expect(leading.asked).toEqual([]);
});
