import fc from 'fast-check';
import { RaftController, RaftCore, RaftPeerSet, type RaftReply, type StoredState } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { H, IN_USE, L, peer, TIMING } from '../core/cluster.js';
import { arbitraryRequest } from '../node/messages.js';
import { anyJson, FUZZ, prototypes } from './hostile.js';

/** A peer in each role, as the members `a:1`, `b:1` and `c:1` of the arbitrary messages know it. */
const ROLES = ['starting', 'follower', 'following', 'candidate', 'leader', 'rejoining'] as const;
type Role = (typeof ROLES)[number];

const NOW = 2 * L;

/** A peer with its controller; `look` shows all that can be seen of it. */
function peerIn(role: Role) {
  const peers = new RaftPeerSet({ local: 'a:1', members: ['a:1', 'b:1', 'c:1'] });
  const stored: StoredState | null = role === 'rejoining' ? null : { ...IN_USE, term: 3 };
  const core = new RaftCore({ peers, random: () => 0, timing: TIMING, stored });
  const told: string[] = [];
  for (const name of ['stateChange', 'leaderLost', 'leaderElectFinished', 'makeLeader'] as const) {
    peers.on(name, () => told.push(name));
  }
  core.tick(role === 'starting' ? NOW : 0);
  if (role === 'following') {
    core.receivedBeat({ peer: peer('b:1', { state: 'LEADER', term: 3, voteFor: 'b:1' }), datums: [] }, NOW);
  }
  if (role === 'candidate' || role === 'leader')
    core.receivedTransfer({ peer: peer('b:1', { term: 3 }) }, NOW);
  if (role === 'leader') lead(core);
  settle(core);
  const look = (): unknown =>
    structuredClone({
      peers: peers.allPeers().map((known) => known.snapshot()),
      leader: peers.leader === null ? null : { ...peers.leader },
      lastLeader: peers.lastLeader,
      answer: core.getPeer(NOW),
      deadline: core.nextDeadline(),
      isLeader: core.isLeader(NOW),
      rejoining: core.rejoining,
      outputs: core.takeOutputs(),
      told,
      // How long this peer refuses another's pre-vote shows its promise; it changes nothing.
      promise: promiseOf(core),
    });
  // The first look brings the remaining times, which a peer works out when it is asked, up to date.
  look();
  const controller = new RaftController(async (input) => input(core, NOW));
  return { core, controller, look };
}

function promiseOf(core: RaftCore): unknown {
  if (core.rejoining) return null;
  return core.receivedVote({ peer: peer('c:1', { term: 2 ** 52 }), preVote: true, round: 1 }, NOW);
}

function settle(core: RaftCore): void {
  for (let outputs = core.takeOutputs(); outputs.length > 0; outputs = core.takeOutputs()) {
    for (const output of outputs) if (output.type === 'save') core.saved(output.state, NOW);
  }
}

function lead(core: RaftCore): void {
  settle(core);
  for (const ip of ['b:1', 'c:1']) {
    core.receivedVoteReply(ip, { ...peer(ip, { term: 4, voteFor: 'a:1' }), granted: true }, NOW - H);
    core.receivedBeatReply(ip, { ...peer(ip, { term: 4 }), requestTerm: 4, sentAt: NOW }, NOW);
  }
}

/** Whether the reply says that the request had no effect. */
function refuses(reply: RaftReply): boolean {
  return 'code' in reply || ('granted' in reply && !reply.granted);
}

const role = fc.constantFrom(...ROLES);

describe(`controller, seed ${FUZZ.seed}`, () => {
  test('the roles are what they are called', () => {
    expect(ROLES.map((name) => peerIn(name).core.peers.self.state)).toEqual([
      ...['FOLLOWER', 'FOLLOWER', 'FOLLOWER', 'CANDIDATE', 'LEADER', 'FOLLOWER'],
    ]);
    expect(peerIn('leader').core.isLeader(NOW)).toBe(true);
  });

  test('answers whatever comes, never by an internal error, and what it refuses changes nothing', async () => {
    const before = prototypes();
    const codes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(role, fc.oneof(anyJson, arbitraryRequest), async (name, raw) => {
        const { controller, look } = peerIn(name);
        const seen = look();
        const reply = await controller.receive(raw);
        if ('code' in reply) codes.add(reply.code);
        expect('code' in reply ? reply.code : '').not.toBe('INTERNAL');
        expect(JSON.stringify(reply).length).toBeLessThan(3_000);
        if (refuses(reply)) expect(look()).toEqual(seen);
      }),
      FUZZ,
    );
    expect(prototypes()).toBe(before);
    expect([...codes]).toContain('BAD_REQUEST');
  });

  test('stays in order under any series of requests: a term never decreases, and a vote of a term never changes', async () => {
    await fc.assert(
      fc.asyncProperty(
        role,
        fc.array(fc.oneof(arbitraryRequest, anyJson), { maxLength: 12 }),
        async (name, all) => {
          const { core, controller } = peerIn(name);
          for (const raw of all) {
            const { term, voteFor } = core.peers.self;
            await controller.receive(raw);
            settle(core);
            const { self } = core.peers;
            expect(self.term).toBeGreaterThanOrEqual(term);
            if (self.term === term && voteFor !== null) expect(self.voteFor).toBe(voteFor);
            expect(core.peers.ips).toEqual(['a:1', 'b:1', 'c:1']);
          }
        },
      ),
      { ...FUZZ, numRuns: Math.ceil(FUZZ.numRuns / 3) },
    );
  });

  test('takes what is not JSON at all, and answers by a refusal', async () => {
    const anything = fc.anything({
      ...{ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true },
      ...{ withNullPrototype: true, withObjectString: true, withSparseArray: true, withBoxedValues: true },
    });
    await fc.assert(
      fc.asyncProperty(role, anything, async (name, raw) => {
        const { controller, look } = peerIn(name);
        const seen = look();
        expect(await controller.receive(raw)).toMatchObject({ code: 'BAD_REQUEST' });
        expect(look()).toEqual(seen);
      }),
      FUZZ,
    );
  });
});
