import fc from 'fast-check';
import {
  type ErrorReply,
  type LeaderReply,
  type PeerReply,
  type PeerSnapshot,
  RaftController,
  RaftCore,
  RaftError,
  RaftPeerSet,
  type RaftReply,
  type StateReply,
} from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { decodeBeatReply, decodePeerReply, decodeVoteReply } from '../../src/node/decode.js';
import { decodeWritesReply } from '../../src/node/decode-data.js';
import { arbitraryRequest, SEED } from './messages.js';
import {
  A,
  B,
  beat,
  C,
  forbidUnhandledRejections,
  H,
  IN_USE,
  L,
  Lab,
  peer,
  settle,
  TIMING,
} from './virtual.js';

forbidUnhandledRejections();

/** A controller over a core alone, whose start wait is over; `inputs` counts what reached the core. */
function bare() {
  const peers = new RaftPeerSet({ local: A, members: [{ ip: A, priority: 0 }, B, C] });
  const core = new RaftCore({ peers, random: () => 0, timing: TIMING, stored: IN_USE });
  core.tick(0);
  core.takeOutputs();
  let inputs = 0;
  const controller = new RaftController(async (input) => {
    inputs++;
    return input(core, 2 * L);
  });
  const look = (): unknown =>
    structuredClone({
      peers: peers.allPeers().map((known) => known.snapshot()),
      leader: peers.leader,
      lastLeader: peers.lastLeader,
      deadline: core.nextDeadline(),
      rejoining: core.rejoining,
    });
  return { core, controller, look, inputs: () => inputs };
}

function isRefusal(reply: RaftReply): reply is ErrorReply {
  return 'code' in reply;
}

describe('getPeer', () => {
  test('tells this peer as it sees itself, and bears the id of the request', async () => {
    const { controller } = bare();
    const own = { ip: A, state: 'FOLLOWER', term: 0, voteFor: null, empty: false };
    expect(await controller.getPeer()).toMatchObject(own);
    expect(await controller.getPeer()).not.toHaveProperty('id');
    expect(await controller.getPeer(7)).toMatchObject({ ...own, id: 7 });
    expect(await controller.receive({ type: 'peer', id: 0 })).toMatchObject({ ...own, id: 0 });
    expect(await controller.receive({ type: 'peer' })).not.toHaveProperty('id');
  });

  test('tells how many ms are left, as a later look tells fewer', async () => {
    const lab = new Lab();
    await lab.elect();
    await lab.advance(H / 2);
    const first = (await lab.network.receive(lab.leaders[0]!, { type: 'peer' })) as PeerReply;
    await lab.advance(10);
    const second = (await lab.network.receive(lab.leaders[0]!, { type: 'peer' })) as PeerReply;
    expect(first.heartbeatDueMs - second.heartbeatDueMs).toBe(10);
  });

  test('tells that the store was empty', async () => {
    const lab = new Lab([A, B, C], { stored: null });
    await lab.node(A).start();
    expect(await lab.network.receive(A, { type: 'peer', id: 3 })).toMatchObject({
      ip: A,
      empty: true,
      id: 3,
    });
  });
});

describe('getLeader', () => {
  test('tells nobody before there is one, and then the same on all', async () => {
    const lab = new Lab();
    await lab.node(A).start();
    expect(await lab.network.receive(A, { type: 'leader' })).toEqual({ leader: null });
    const { leader } = await lab.elect();
    await lab.advance(H);
    for (const { ip } of lab.peers) {
      expect(await lab.network.receive(ip, { type: 'leader' })).toMatchObject({
        leader: { ip: leader.ip, state: 'LEADER', term: 1 },
      });
    }
  });

  test('tells nobody on a winner without a lease, and on a leader whose lease is over', async () => {
    const lab = new Lab();
    const heal = lab.network.treat((_from, _to, { type }) => (type === 'beat' ? { does: 'lose' } : null));
    await lab.start();
    await lab.until(() => lab.peers.some(({ node }) => node.state === 'LEADER'));
    const winner = lab.peers.find(({ node }) => node.state === 'LEADER')!;
    expect(await lab.network.receive(winner.ip, { type: 'leader' })).toEqual({ leader: null });
    heal();
    await lab.until(() => winner.node.isLeader());
    winner.host.stall();
    await lab.advance(2 * L);
    expect(await lab.network.receive(winner.ip, { type: 'leader' })).toEqual({ leader: null });
  });

  test('tells a copy: plain data that does not change any more', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    const reply = (await leader.transport.receive?.({ type: 'leader' }, 'test')) as LeaderReply;
    const told = reply.leader as PeerSnapshot;
    expect(Object.getPrototypeOf(told)).toBe(Object.prototype);
    Object.assign(told, { term: 99, state: 'CANDIDATE' });
    expect([leader.node.term, leader.node.state]).toEqual([1, 'LEADER']);
    await lab.advance(H);
    expect(lab.leaders).toEqual([leader.ip]);
  });
});

describe('getState', () => {
  test('tells what a person asks for, as this peer sees it', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    await lab.advance(2 * H);
    for (const { ip, node } of lab.peers) {
      const reply = (await lab.network.receive(ip, { type: 'state' })) as StateReply;
      expect(reply).toMatchObject({
        ip,
        state: node.state,
        term: 1,
        leader: leader.ip,
        isLeader: ip === leader.ip,
        rejoining: false,
      });
      expect(reply.peers).toEqual(node.peers);
      expect(reply.peers.map((known) => known.ip)).toEqual([A, B, C]);
    }
  });

  test('tells what is left of the lease, of the leader alone', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    for (const { ip } of lab.peers) {
      const { leaseMs } = (await lab.network.receive(ip, { type: 'state' })) as StateReply;
      if (ip !== leader.ip) expect(leaseMs).toBeUndefined();
      else expect(leaseMs).toSatisfy((ms: number) => ms > 0 && ms < L);
    }
  });

  test('tells no end of the lease of a cluster of one, which has none', async () => {
    const lab = new Lab([A]);
    await lab.elect();
    const reply = await lab.network.receive(A, { type: 'state' });
    expect(reply).toMatchObject({ isLeader: true });
    expect(reply).not.toHaveProperty('leaseMs');
  });

  test('tells which data this peer holds, if it holds any', async () => {
    const lab = new Lab([A, B, C], { registry: true });
    await lab.elect();
    await lab.advance(2 * H);
    for (const { ip } of lab.peers)
      expect(await lab.network.receive(ip, { type: 'state' })).toMatchObject({
        revision: { term: 1, seq: 1 },
      });
    const bare = new Lab();
    await bare.elect();
    expect(await bare.network.receive(A, { type: 'state' })).not.toHaveProperty('revision');
  });

  test('does not call one the leader whose lease is over', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    leader.host.stall();
    await lab.advance(2 * L);
    expect(await lab.network.receive(leader.ip, { type: 'state' })).toMatchObject({
      isLeader: false,
      leader: null,
    });
  });

  test('tells that this peer recovers from an empty store', async () => {
    const lab = new Lab([A, B, C], { stored: null });
    await lab.node(A).start();
    expect(await lab.network.receive(A, { type: 'state' })).toMatchObject({ rejoining: true, leader: null });
  });
});

describe('receive', () => {
  test('answers what a core throws with its code, message and term', async () => {
    const { controller } = bare();
    await controller.receive(beat(B, 5));
    const reply = await controller.receive(beat(B, 4));
    expect(reply).toEqual({
      code: 'OUT_OF_DATE',
      message: 'out of date beat, beat-from-term: 4, beat-to-term: 5',
      term: 5,
    });
    expect(await controller.receive({ ...beat(B, 5), peer: peer(B, { term: 5 }) })).toMatchObject({
      code: 'INVALID_STATE',
      message: 'invalid state from master, state: FOLLOWER',
    });
  });

  test('answers what is no RaftError with INTERNAL, and what has no term without one', async () => {
    for (const [cause, expected] of [
      [new TypeError('a bug'), { code: 'INTERNAL', message: 'TypeError: a bug' }],
      [undefined, { code: 'INTERNAL', message: 'undefined' }],
      [new RaftError('BUSY', 'later'), { code: 'BUSY', message: 'later' }],
      [new RaftError('BUSY', 'later', { term: 0 }), { code: 'BUSY', message: 'later', term: 0 }],
    ] as const) {
      const controller = new RaftController(() => Promise.reject(cause));
      expect(await controller.receive({ type: 'state' })).toStrictEqual(expected);
    }
  });

  test('never rejects, also for what cannot be shown', async () => {
    const controller = new RaftController(() => Promise.reject(Object.create(null)));
    expect(await controller.receive({ type: 'state' })).toMatchObject({ code: 'INTERNAL' });
  });

  test('hands to the core what each type stands for', async () => {
    const { controller, core } = bare();
    expect(
      await controller.receive({ type: 'vote', peer: peer(B, { term: 2, state: 'CANDIDATE', voteFor: B }) }),
    ).toMatchObject({
      granted: true,
      term: 2,
    });
    expect(
      await controller.receive({ type: 'vote', peer: peer(C, { term: 3 }), preVote: true, round: 9 }),
    ).toMatchObject({
      granted: true,
      round: 9,
      term: 2,
    });
    expect(await controller.receive(beat(B, 2))).toMatchObject({ requestTerm: 2, sentAt: 0 });
    expect(await controller.receive({ type: 'transfer', peer: peer(B, { term: 2 }) })).toMatchObject({
      code: 'REFUSED_TRANSFER',
    });
    expect(core.peers.leader?.ip).toBe(B);
  });

  test('answers within the bounds that replies have, also after the longest promise that a request can ask for', async () => {
    const { controller } = bare();
    const request = { ...beat(B, 2), leaderTimeoutMs: 2 ** 31 - 1 };
    expect(decodeBeatReply(await controller.receive(request))).toMatchObject({ requestTerm: 2 });
    expect(decodePeerReply(await controller.receive({ type: 'peer' }))).toMatchObject({ ip: A });
    const refused = await controller.receive({ type: 'vote', peer: peer(C, { term: 3 }) });
    expect(decodeVoteReply(refused)).toMatchObject({ granted: false, promiseMs: 2 ** 31 - 1 });
  });

  test('of a transfer makes a peer that may lead a candidate, with the vote of the order', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    const [{ ip }] = followers;
    const order = { type: 'transfer', peer: leader.node.leader };
    expect(await lab.network.receive(ip, order)).toMatchObject({
      ip,
      state: 'CANDIDATE',
      term: 2,
      voteFor: ip,
    });
    expect(lab.sent(ip, 'vote').map(({ request }) => request)).toMatchObject([
      { transfer: true },
      { transfer: true },
    ]);
  });
});

test('a controller that is not told who publishes refuses what is to be published, and removed', async () => {
  const { controller } = bare();
  const key = 'com.alibaba.nacos.naming.domains.meta.a';
  for (const request of [
    { type: 'nacosPublish', key, value: {} },
    { type: 'nacosRemove', key },
  ])
    expect(await controller.receive(request)).toMatchObject({ code: 'UNSUPPORTED' });
});

describe('vote and beat', () => {
  test('answer what they are given, or throw the refusal', async () => {
    const { controller } = bare();
    expect(
      await controller.vote({ peer: peer(B, { term: 2, state: 'CANDIDATE', voteFor: B }) }),
    ).toMatchObject({
      granted: true,
    });
    expect(await controller.beat({ ...beat(B, 2) })).toMatchObject({ requestTerm: 2 });
    await expect(controller.beat({ ...beat(B, 1) })).rejects.toMatchObject({ code: 'OUT_OF_DATE' });
    await expect(controller.vote({ peer: peer('x:1') })).rejects.toMatchObject({ code: 'UNKNOWN_PEER' });
    await expect(controller.vote({})).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await expect(controller.beat(null)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });
});

describe('whatever comes from outside', () => {
  /** Requests with something wrong in them, some only a little. */
  const raw = fc.oneof(
    fc.anything({ withBigInt: true, withNullPrototype: true, withSparseArray: true }),
    fc.json().map((text) => JSON.parse(text) as unknown),
    arbitraryRequest,
    fc
      .tuple(
        arbitraryRequest,
        fc.constantFrom('type', 'peer', 'datums', 'round', 'revision', 'sentAt', 'id'),
        fc.anything(),
      )
      .map(([request, key, value]) => ({ ...request, [key]: value })),
    fc
      .tuple(
        arbitraryRequest,
        fc.constantFrom('ip', 'state', 'term', 'voteFor', 'leaderDueMs', 'heartbeatDueMs'),
        fc.anything(),
      )
      .map(([request, key, value]) => ({
        ...request,
        peer: { ...('peer' in request ? request.peer : {}), [key]: value },
      })),
  );

  test('is answered by a refusal or by a valid reply, and a BAD_REQUEST changes nothing', async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(raw, { maxLength: 8 }), async (requests) => {
        const { controller, look, inputs, core } = bare();
        for (const request of requests) {
          const before = look();
          const asked = inputs();
          const reply = await controller.receive(request);
          seen.add(isRefusal(reply) ? reply.code : (request as { type: string }).type);
          if (isRefusal(reply) && reply.code === 'BAD_REQUEST') {
            expect(look()).toEqual(before);
            expect(inputs()).toBe(asked);
            expect(core.takeOutputs()).toEqual([]);
          }
          expectValid(request, reply);
          for (const output of core.takeOutputs())
            if (output.type === 'save') core.saved(output.state, 2 * L);
        }
      }),
      { seed: SEED, numRuns: 1_000 },
    );
    expect([...seen]).toEqual(
      expect.arrayContaining(['BAD_REQUEST', 'UNKNOWN_PEER', 'vote', 'beat', 'peer', 'state']),
    );
    expect([...seen]).not.toContain('INTERNAL');
  });

  test('does not stop a node, and costs no leadership when it is no valid request of a member', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(raw, { minLength: 5, maxLength: 20 }), async (requests) => {
        const lab = new Lab();
        const { leader } = await lab.elect();
        for (const request of requests) {
          const reply = (await leader.transport.receive?.(request, 'test')) as RaftReply;
          expectValid(request, reply);
          const isBad = isRefusal(reply) && reply.code === 'BAD_REQUEST';
          if (isBad && leader.node.term === 1) expect(leader.node.isLeader()).toBe(true);
        }
        await settle();
        expect(leader.transport.isServing).toBe(true);
        expect(
          leader.errors
            .map(({ code }) => code)
            .filter((code) => code !== 'DUPLICATE_PEER' && code !== 'CONFLICTING_LEADER'),
        ).toEqual([]);
      }),
      { seed: SEED, numRuns: 50 },
    );
  });
});

function expectValid(request: unknown, reply: RaftReply): void {
  const sent = JSON.parse(JSON.stringify(reply)) as RaftReply;
  expect(sent).toEqual(reply);
  if (isRefusal(reply)) {
    expect(reply).toEqual({
      code: expect.any(String),
      message: expect.any(String),
      ...('term' in reply ? { term: expect.any(Number) } : {}),
    });
    expect(() => decodePeerReply(sent)).toThrow(expect.objectContaining({ code: reply.code }));
    return;
  }
  const { type } = request as { type: string };
  if (type === 'vote') decodeVoteReply(sent);
  else if (type === 'beat') decodeBeatReply(sent);
  else if (type === 'transfer' || type === 'peer') decodePeerReply(sent);
  else if (type === 'writes') decodeWritesReply(sent, (request as { writes: [] }).writes.length);
  else if (type === 'leader') expect(Object.keys(sent)).toEqual(['leader']);
  else if (type === 'metrics') expect(sent).toMatchObject({ isRunning: true, received: expect.any(Object) });
  else
    expect(Object.keys(sent).filter((key) => key !== 'leaseMs')).toEqual([
      ...['ip', 'state', 'term', 'leader', 'isLeader', 'rejoining', 'peers'],
    ]);
}
