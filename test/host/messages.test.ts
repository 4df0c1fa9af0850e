import type { Member, RaftRequest } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import type { Beats, BeatsReply, GroupRequests } from '../../src/core/messages.js';
import { A, B, beat, C, H, IN_USE, L, Lab, LOSE, peer } from '../node/virtual.js';
import { checkHosts, HostLab, leads } from './lab.js';

checkHosts();

const beats = (fields: Partial<Beats> = {}): RaftRequest => ({
  type: 'beats',
  ip: B,
  process: 1,
  leaderTimeoutMs: L,
  sentAt: 0,
  since: 0,
  version: 1,
  led: [{ group: 'g0', term: 1 }],
  unled: [],
  ...fields,
});

const vote = (ip: string, term: number) =>
  ({ type: 'vote', peer: peer(ip, { term, state: 'CANDIDATE', voteFor: ip }) }) as const;

describe('a host refuses', () => {
  test('beats of a stranger, and of its own ip', async () => {
    const hosts = new HostLab();
    await hosts.start();
    expect(await hosts.network.receive(A, beats({ ip: 'x:1' }))).toMatchObject({ code: 'UNKNOWN_PEER' });
    expect(await hosts.network.receive(A, beats({ ip: A }))).toMatchObject({ code: 'DUPLICATE_PEER' });
  });

  test('requests of strangers, and of its own ip, for each group', async () => {
    const hosts = new HostLab();
    await hosts.start();
    expect(await hosts.ask(A, 'g0', vote('x:1', 1))).toMatchObject({ code: 'UNKNOWN_PEER' });
    expect(await hosts.ask(A, 'g0', vote(A, 1))).toMatchObject({ code: 'DUPLICATE_PEER' });
    expect(hosts.site(A).errors.map(({ code }) => code)).toEqual(['DUPLICATE_PEER']);
  });

  test('requests of groups that it does not take part in, and answers those of the others', async () => {
    const hosts = new HostLab();
    await hosts.start();
    const requests = ['x', 'g0', 'y'].map((group) => ({ group, request: { type: 'peer' } as const }));
    expect(await hosts.network.receive(A, { type: 'groups', requests })).toMatchObject({
      replies: [{ code: 'UNKNOWN_GROUP' }, { ip: A, term: 0 }, { code: 'UNKNOWN_GROUP' }],
    });
  });

  test('what only nodes take', async () => {
    const hosts = new HostLab();
    await hosts.start();
    const requests: readonly RaftRequest[] = [
      vote(B, 1),
      beat(B, 1),
      { type: 'peer' },
      { type: 'leader' },
      { type: 'transfer', peer: peer(B) },
      { type: 'read', key: 'k' },
    ];
    for (const request of requests) {
      const reply = (await hosts.network.receive(A, request)) as { code: string; message: string };
      expect(reply.code).toBe('UNSUPPORTED');
      expect(reply.message).toContain(request.type);
    }
  });

  test('all while it is stopped, and what cannot be read', async () => {
    const hosts = new HostLab();
    await hosts.start();
    expect(await hosts.network.receive(A, { ...beats(), version: 'x' })).toMatchObject({
      code: 'BAD_REQUEST',
    });
    const { receive } = hosts.site(A).transport;
    await hosts.stop(hosts.site(A));
    expect(await receive?.({ type: 'state' }, 'test')).toMatchObject({ code: 'NOT_RUNNING' });
  });
});

test('a node refuses what only hosts take', async () => {
  const nodes = new Lab();
  await nodes.start();
  for (const request of [beats(), { type: 'groups', requests: [] }])
    expect(await nodes.network.receive(A, request)).toMatchObject({ code: 'UNSUPPORTED' });
});

test('a host tells how many groups it takes part in, and how many of them it leads', async () => {
  const hosts = new HostLab([A, B, C], { groups: 30 });
  await hosts.spread();
  expect(await hosts.network.receive(A, { type: 'state' })).toEqual({ ip: A, groups: 30, leads: 10 });
});

describe('beats', () => {
  test('are answered with the version that is held, and with what was refused, and why', async () => {
    const hosts = new HostLab();
    await hosts.start();
    const led = [
      { group: 'g0', term: 3 },
      { group: 'x', term: 1 },
    ];
    const reply = (await hosts.network.receive(A, beats({ version: 7, led, sentAt: 5.5 }))) as BeatsReply;
    expect(reply).toMatchObject({
      sentAt: 5.5,
      version: 7,
      refused: [{ group: 'x', code: 'UNKNOWN_GROUP' }],
    });
    expect(hosts.group(A, 'g0').leader).toMatchObject({ ip: B, term: 3 });
    const gap = await hosts.network.receive(A, beats({ since: 9, version: 10, led: [] }));
    expect(gap).toMatchObject({ version: 7, refused: [] });
  });

  test('of a lower term are refused with the higher one', async () => {
    const hosts = new HostLab([A, B, C], { groups: 1 });
    hosts.site(A).store.states.set('g0', { ...IN_USE, term: 9 });
    await hosts.start();
    expect(await hosts.network.receive(A, beats())).toMatchObject({
      refused: [{ group: 'g0', code: 'OUT_OF_DATE', term: 9 }],
    });
  });

  test('bring the whole list to a host that came back, at once', async () => {
    const hosts = new HostLab([A, B, C], { groups: 9, balance: false });
    await hosts.elect();
    const [first] = hosts.sites.filter(({ raft }) => leads(raft).length > 0);
    const other = hosts.sites.find((site) => site !== first)!;
    await hosts.stop(other);
    await hosts.advance(L);
    await other.raft.start();
    await hosts.advance(H + 5);
    for (const name of leads(first!.raft)) expect(other.raft.group(name).leader?.ip).toBe(first!.ip);
  });
});

describe('groups that come up all at once', () => {
  const GROUPS = 4_500;

  /** The most letters without an answer of one host, at each of the others. */
  function watch(hosts: HostLab): Map<string, number> {
    const open = new Map<string, number>();
    const most = new Map<string, number>();
    const { onLeaving } = hosts.network;
    hosts.network.onLeaving = (ip, request, reply) => {
      onLeaving(ip, request, reply);
      if (request.type !== 'groups' || reply !== undefined) return;
      const { to } = hosts.network.sent.at(-1)!;
      const way = `${ip} ${to}`;
      open.set(way, (open.get(way) ?? 0) + (request as GroupRequests).requests.length);
      most.set(way, Math.max(most.get(way) ?? 0, open.get(way)!));
    };
    hosts.network.treat((from, to, request) => {
      if (request.type !== 'groups') return null;
      const closed = (reply: unknown): unknown => {
        open.set(`${from} ${to}`, open.get(`${from} ${to}`)! - request.requests.length);
        return reply;
      };
      return { does: 'carry', replyMs: 20, alter: closed };
    });
    return most;
  }

  test.each<readonly [string, readonly (string | Member)[]]>([
    ['three hosts', [A, B, C]],
    [
      'three hosts and two that observe',
      [A, B, C, { ip: 'd:1', observer: true }, { ip: 'e:1', observer: true }],
    ],
  ])('do so in portions, so that their rounds are over in time: %s', async (_, members) => {
    const hosts = new HostLab(members, { groups: GROUPS });
    const most = watch(hosts);
    await hosts.start();
    await hosts.until(() => hosts.isLed(), 20 * L);
    expect(most.size).toBeGreaterThan(0);
    for (const letters of most.values()) expect(letters).toBeLessThan(1_300);
  });

  test('are not kept waiting by one host that answers nothing', async () => {
    const hosts = new HostLab([A, B, C], { groups: 1_500 });
    hosts.network.treat((from, to) => (from === C || to === C ? LOSE : null));
    await hosts.start();
    await hosts.until(() => hosts.isLed([hosts.site(A), hosts.site(B)]), 10 * L);
  });
});
