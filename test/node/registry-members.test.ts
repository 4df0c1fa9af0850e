import { RaftError, type RaftErrorCode } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import {
  A,
  B,
  C,
  forbidUnhandledRejections,
  H,
  L,
  Lab,
  LOSE,
  outcome,
  peer,
  settle,
  type Treatment,
} from './virtual.js';

forbidUnhandledRejections();

const D = 'd:1';

/** A cluster that `d:1` wants to join: it tells `view` of itself, and answers nothing else. */
async function cluster(view: object = {}) {
  let draws = 0;
  const lab = new Lab([A, B, C], { registry: true, random: () => (++draws % 1_000) / 1_000_000 });
  const { leader, followers } = await lab.elect();
  await lab.advance(H);
  lab.network.treat((_from, to, request): Treatment | null => {
    if (to !== D) return null;
    return request.type === 'peer' ? { does: 'answer', reply: { ...peer(D), ...view } } : LOSE;
  });
  return { lab, leader, follower: followers[0] };
}

/** How `promise` ends: `done`, or the code of its error. */
async function came(lab: Lab, promise: Promise<unknown>): Promise<string> {
  let result: string | null = null;
  promise.then(
    () => {
      result = 'done';
    },
    (error: unknown) => {
      result = error instanceof RaftError ? error.code : String(error);
    },
  );
  await lab.until(() => result !== null);
  return result as unknown as string;
}

const ipsOf = (lab: Lab, ip: string): readonly string[] => lab.node(ip).peers.map((known) => known.ip);

/** What the list of members says of `d:1` in the batches that were sent. */
function listed(lab: Lab, leader: string): unknown {
  const ops = lab
    .sent(leader, 'beat')
    .flatMap(({ request }) => (request.type === 'beat' ? (request.data?.batches ?? []) : []))
    .flatMap((batch) => batch.ops);
  const newest = ops.findLast(({ key }) => key === 'raftbeat:members')?.value ?? '[]';
  return (JSON.parse(newest) as { ip: string }[]).find(({ ip }) => ip === D);
}

describe('addPeer', () => {
  test.each(['leader', 'follower'] as const)('at a %s adds an observer that all know', async (role) => {
    const { lab, leader, follower } = await cluster();
    const { node } = role === 'leader' ? leader : follower;
    expect(await came(lab, node.addPeer(D))).toBe('done');
    await lab.advance(H);
    for (const ip of [A, B, C]) expect(ipsOf(lab, ip)).toEqual([A, B, C, D]);
    expect(listed(lab, leader.ip)).toEqual({ ip: D, priority: 1, voter: false });
  });

  test('notes the priority, and what the peer drew when it found its store empty', async () => {
    for (const [view, learner] of [
      [{ learner: 5, rejoinId: 6 }, 5],
      [{ rejoinId: 6 }, 6],
    ] as const) {
      const { lab, leader } = await cluster(view);
      expect(await came(lab, leader.node.addPeer(D, { priority: 3 }))).toBe('done');
      expect(listed(lab, leader.ip)).toEqual({ ip: D, priority: 3, voter: false, learner });
    }
  });

  test('of a peer that does not answer fails, and adds nobody', async () => {
    const { lab, leader } = await cluster();
    lab.network.treat((_from, to) => (to === D ? LOSE : null));
    expect(await came(lab, leader.node.addPeer(D))).toBe('TIMEOUT');
    expect(ipsOf(lab, leader.ip)).toEqual([A, B, C]);
  });

  test('at a leader that loses its majority is of unknown outcome', async () => {
    const { lab, leader } = await cluster();
    lab.network.treat((from, _to, request) => (from === leader.ip && request.type === 'beat' ? LOSE : null));
    expect(await came(lab, leader.node.addPeer(D))).toBe('OUTCOME_UNKNOWN');
  });

  test('at a leader that can not save it is of unknown outcome', async () => {
    const { lab, leader } = await cluster();
    leader.store.saveFault = { how: 'reject', cause: new Error('full') };
    expect(await came(lab, leader.node.addPeer(D))).toBe('OUTCOME_UNKNOWN');
    expect(leader.errors).toMatchObject([{ code: 'STORE_FAILED' }]);
  });
});

describe('promote and removePeer', () => {
  test.each(['leader', 'follower'] as const)(
    'at a %s say for certain why nothing was changed',
    async (role) => {
      const { lab, leader, follower } = await cluster();
      const { node } = role === 'leader' ? leader : follower;
      expect(await came(lab, node.promote(B))).toBe('BAD_TARGET');
      expect(await came(lab, node.removePeer(D))).toBe('BAD_TARGET');
      expect(await came(lab, node.addPeer(D))).toBe('done');
      expect(await came(lab, node.promote(D))).toBe('BUSY');
    },
  );

  test('removes a peer for all that remain', async () => {
    const { lab, leader, follower } = await cluster();
    const others = [A, B, C].filter((ip) => ip !== follower.ip);
    expect(await came(lab, leader.node.removePeer(follower.ip))).toBe('done');
    await lab.advance(H);
    for (const ip of others) expect(ipsOf(lab, ip)).toEqual(others);
  });

  test('need an ip', async () => {
    const { lab, leader } = await cluster();
    for (const call of ['addPeer', 'promote', 'removePeer'] as const) {
      const refused = leader.node[call]('a b').catch((error: RaftError) => error.message);
      expect(await refused).toMatch(/^ip must be/);
    }
    expect(lab.sent(leader.ip, 'peer')).toEqual([]);
  });

  test('without a leader are NO_LEADER, and with none that runs NOT_RUNNING', async () => {
    const { lab, leader, follower } = await cluster();
    lab.network.isolate(follower.ip);
    await lab.advance(3 * L);
    expect(await came(lab, follower.node.promote(B))).toBe('NO_LEADER');
    expect(await came(lab, leader.node.stop())).toBe('done');
    expect(await came(lab, leader.node.promote(B))).toBe('NOT_RUNNING');
  });

  test('at a node without a registry are answered UNSUPPORTED', async () => {
    const lab = new Lab([A, B, C]);
    const { leader } = await lab.elect();
    const request = { type: 'member', process: 5, number: 6, term: 1, change: { action: 'promote', ip: B } };
    expect(await lab.network.receive(leader.ip, request)).toMatchObject({ code: 'UNSUPPORTED' });
  });
});

describe('what a leader answers to a forward', () => {
  const certain: readonly RaftErrorCode[] = [
    'BAD_REQUEST',
    'BAD_TARGET',
    'BUSY',
    'CONFLICT',
    'NOT_LEADER',
    'NO_LEADER',
    'TOO_LARGE',
    'UNAUTHORIZED',
    'UNSUPPORTED',
  ];

  test.each([
    ...certain.map((code) => ({ code, told: code })),
    ...(['NOT_RUNNING', 'STORE_FAILED', 'INTERNAL'] as const).map((code) => ({
      code,
      told: 'OUTCOME_UNKNOWN',
    })),
  ])('by $code is told as $told, be it of one write or of all', async ({ code, told }) => {
    for (const reply of [{ outcomes: [{ code, message: 'no' }] }, { code, message: 'no' }]) {
      const { lab, follower } = await cluster();
      lab.network.treat((_from, _to, { type }) => (type === 'writes' ? { does: 'answer', reply } : null));
      expect(await came(lab, follower.node.publish('k', 1))).toBe(told);
    }
  });

  test('a forward that the transport finds too long was not sent, for certain', async () => {
    const { lab, follower } = await cluster();
    const cause = new RaftError('TOO_LARGE', 'too long');
    lab.network.treat((_from, _to, request) =>
      request.type === 'writes' ? { does: 'reject', cause } : null,
    );
    await expect(
      (async () => {
        const published = follower.node.publish('k', 1);
        published.catch(() => {});
        await came(lab, published);
        return published;
      })(),
    ).rejects.toBe(cause);
  });
});

describe('a driver with many callers', () => {
  test('refuses the one beyond 10000 as BUSY, and takes others when these are answered', async () => {
    const { lab, leader } = await cluster();
    const release = lab.network.treat((from, to) => (from === leader.ip || to === leader.ip ? LOSE : null));
    const reads = Array.from({ length: 10_000 }, () => leader.node.publish('k', 1));
    for (const read of reads) read.catch(() => {});
    expect(await outcome(reads.at(-1) as Promise<unknown>)).toBe('pending');
    await expect(leader.node.publish('k', 1)).rejects.toMatchObject({ code: 'BUSY' });
    release();
    await lab.advance(2 * H);
    await settle();
    expect(await outcome(reads.at(-1) as Promise<unknown>)).toBe('resolved');
    expect(await came(lab, leader.node.publish('k', 1))).toBe('done');
  });
});
