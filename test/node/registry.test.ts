import { RaftError } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import {
  A,
  B,
  C,
  CARRY,
  forbidUnhandledRejections,
  H,
  HOLD,
  L,
  Lab,
  type LabOptions,
  LOSE,
  outcome,
  type Peer,
  settle,
} from './virtual.js';

forbidUnhandledRejections();

/** Draws that differ, and are the same in each run: processes tell themselves apart by them. */
function draws(): () => number {
  let count = 0;
  return () => (++count % 1_000) / 1_000_000;
}

async function cluster(options: LabOptions = {}) {
  const lab = new Lab([A, B, C], { registry: true, random: draws(), ...options });
  const { leader, followers } = await lab.elect();
  await lab.advance(H);
  return { lab, leader, followers };
}

/** Lets time go by until `promise` has settled; what it came to: its value, or the code of its error. */
async function came<T>(lab: Lab, promise: Promise<T>, ms = 5 * L): Promise<T | string> {
  let result: { readonly value: T | string } | null = null;
  promise.then(
    (value) => {
      result = { value };
    },
    (error: unknown) => {
      result = { value: error instanceof RaftError ? error.code : String(error) };
    },
  );
  await lab.until(() => result !== null, ms);
  return (result as unknown as { readonly value: T | string }).value;
}

/** Every request of `type` meets with `treatment`. */
function treat(lab: Lab, type: string, treatment: Parameters<Lab['network']['treat']>[0]) {
  return lab.network.treat((from, to, request) =>
    request.type === type ? treatment(from, to, request) : null,
  );
}

describe('publish', () => {
  test.each(['leader', 'follower'])(
    'at the %s resolves when a majority has it, and all show it soon',
    async (role) => {
      const { lab, leader, followers } = await cluster();
      const { node } = role === 'leader' ? leader : followers[0];
      expect(await came(lab, node.publish('k', { a: [1, null] }))).toEqual({
        key: 'k',
        timestamp: 1,
        revision: { term: 1, seq: 2 },
      });
      await lab.advance(H);
      for (const peer of lab.peers) {
        expect(peer.node.getDatum('k')).toEqual({
          key: 'k',
          value: { a: [1, null] },
          timestamp: 1,
          revision: { term: 1, seq: 2 },
        });
      }
      expect(lab.tooEarly).toEqual([]);
    },
  );

  test.each([
    { who: 'followers', hang: [false, true, true] },
    { who: 'leader and a follower', hang: [true, true, false] },
  ])('does not resolve, and shows nowhere, while the stores of $who have not saved it', async ({ hang }) => {
    const { lab, leader, followers } = await cluster();
    const hanging = [leader, ...followers].filter((_, at) => hang[at]);
    for (const { store } of hanging) store.hangs = true;
    const published = leader.node.publish('k', 1);
    await lab.advance(H / 2);
    expect(await outcome(published)).toBe('pending');
    expect(lab.peers.map(({ node }) => node.getDatum('k'))).toEqual([null, null, null]);
    for (const { store } of hanging) store.release();
    expect(await came(lab, published)).toMatchObject({ timestamp: 1 });
  });

  test('writes that are made at once are saved as one', async () => {
    const { lab, leader } = await cluster();
    const { length } = leader.store.asked;
    const all = Promise.all(Array.from({ length: 20 }, (_, at) => leader.node.publish(`k${at}`, at)));
    await came(lab, all);
    expect(leader.store.asked.length - length).toBe(1);
  });

  test.each(['', 'raftbeat:members', undefined, 7])('refuses the key %j as BAD_REQUEST', async (key) => {
    const { lab, leader } = await cluster();
    expect(await came(lab, leader.node.publish(key as string, 1))).toBe('BAD_REQUEST');
    expect(await came(lab, leader.node.remove(key as string))).toBe('BAD_REQUEST');
  });

  test('takes a key that ends as the keys of the library begin', async () => {
    const { lab, leader } = await cluster();
    expect(await came(lab, leader.node.publish('of-raftbeat:', 1))).toMatchObject({ timestamp: 1 });
  });

  test('a leader refuses the keys of the library, and the empty key, from other peers too', async () => {
    const { lab, leader } = await cluster();
    for (const key of ['raftbeat:members', '']) {
      const request = { type: 'writes', process: 1, term: 1, writes: [{ number: 1, key, value: '1' }] };
      expect(await came(lab, lab.network.receive(leader.ip, request))).toMatchObject({ code: 'BAD_REQUEST' });
    }
  });

  test.each([
    { what: 'undefined', value: undefined },
    { what: 'a function', value: () => 1 },
    { what: 'a bigint', value: 1n },
  ])('refuses $what as BAD_REQUEST, for it has no JSON', async ({ value }) => {
    const { lab, leader } = await cluster();
    expect(await came(lab, leader.node.publish('k', value))).toBe('BAD_REQUEST');
  });

  test('tells why a value has no JSON', async () => {
    const { leader } = await cluster();
    const cause = new Error('no text');
    const value = {
      toJSON: () => {
        throw cause;
      },
    };
    await expect(leader.node.publish('k', value)).rejects.toMatchObject({ code: 'BAD_REQUEST', cause });
  });

  test.each([-1, 1.5, Number.NaN, '1'])('refuses ifTimestamp %j as BAD_REQUEST', async (ifTimestamp) => {
    const { lab, leader } = await cluster();
    expect(await came(lab, leader.node.publish('k', 1, { ifTimestamp: ifTimestamp as number }))).toBe(
      'BAD_REQUEST',
    );
  });

  test('refuses what is too long as TOO_LARGE, here and at the leader', async () => {
    const { lab, leader, followers } = await cluster({ registry: { maxKeyLength: 5, maxValueLength: 10 } });
    for (const { node } of [leader, followers[0]]) {
      expect(await came(lab, node.publish('123456', 1))).toBe('TOO_LARGE');
      expect(await came(lab, node.publish('k', '123456789'))).toBe('TOO_LARGE');
      expect(await came(lab, node.publish('12345', '12345678'))).toMatchObject({ key: '12345' });
    }
    // What is too long is not sent anywhere.
    expect(lab.sent(followers[0].ip, 'writes')).toHaveLength(1);
    const writes = ['123456', 'k'].map((key, at) => ({ number: at + 1, key, value: '1' }));
    const request = { type: 'writes', process: 1, term: 1, writes };
    expect(await came(lab, lab.network.receive(leader.ip, request))).toMatchObject({
      outcomes: [{ code: 'TOO_LARGE' }, { timestamp: 1 }],
    });
  });

  test.each(['leader', 'follower'])(
    'with a condition that does not hold is a CONFLICT at the %s',
    async (role) => {
      const { lab, leader, followers } = await cluster();
      const { node } = role === 'leader' ? leader : followers[0];
      await came(lab, node.publish('k', 1, { ifTimestamp: 0 }));
      expect(await came(lab, node.publish('k', 2, { ifTimestamp: 0 }))).toBe('CONFLICT');
      expect(await came(lab, node.publish('k', 2, { ifTimestamp: 1 }))).toMatchObject({ timestamp: 2 });
      expect(await came(lab, node.remove('k', { ifTimestamp: 1 }))).toBe('CONFLICT');
    },
  );

  test('is refused as BUSY when too much waits to be committed', async () => {
    const { lab, leader } = await cluster({ registry: { maxTailSize: 500 } });
    treat(lab, 'beat', () => LOSE);
    const outcomes = Array.from({ length: 10 }, (_, at) => leader.node.publish(`k${at}`, 'x'.repeat(100)));
    const codes = await Promise.all(outcomes.map((promise) => came(lab, promise)));
    expect(new Set(codes)).toEqual(new Set(['OUTCOME_UNKNOWN', 'BUSY']));
  });

  test('without a leader is NO_LEADER', async () => {
    const { lab, followers } = await cluster();
    const [follower] = followers;
    lab.network.isolate(follower.ip);
    await lab.until(() => follower.node.leader === null);
    expect(await came(lab, follower.node.publish('k', 1))).toBe('NO_LEADER');
    expect(await came(lab, follower.node.readDatum('k'))).toBe('NO_LEADER');
  });

  test('at a leader that loses its majority is of unknown outcome', async () => {
    const { lab, leader } = await cluster();
    lab.network.isolate(leader.ip);
    expect(await came(lab, leader.node.publish('k', 1))).toBe('OUTCOME_UNKNOWN');
  });

  test('at a leader that is stopped is of unknown outcome', async () => {
    const { lab, leader } = await cluster();
    treat(lab, 'beat', () => LOSE);
    const published = leader.node.publish('k', 1);
    await settle();
    const stopped = leader.node.stop();
    expect(await came(lab, published)).toBe('OUTCOME_UNKNOWN');
    await came(lab, stopped);
  });

  test('at a leader is saved at once, however many others wait to be committed', async () => {
    const { lab, leader } = await cluster();
    const release = treat(lab, 'beat', () => HOLD);
    const { length } = leader.store.asked;
    const writes: Promise<unknown>[] = [];
    for (const key of ['a', 'b', 'c', 'd']) {
      writes.push(leader.node.publish(key, 1));
      await settle();
    }
    expect(leader.store.asked.length - length).toBe(4);
    release();
    lab.network.release();
    for (const write of writes) expect(await came(lab, write)).toMatchObject({ timestamp: 1 });
  });

  test('at a node that does not run is NOT_RUNNING', async () => {
    const lab = new Lab([A, B, C], { registry: true });
    const { node } = lab.peer(A);
    expect(await came(lab, node.publish('k', 1))).toBe('NOT_RUNNING');
    expect(await came(lab, node.remove('k'))).toBe('NOT_RUNNING');
    expect(await came(lab, node.readDatum('k'))).toBe('NOT_RUNNING');
    expect([node.getDatum('k'), node.keys()]).toEqual([null, []]);
  });

  test('at a node without a registry is UNSUPPORTED', async () => {
    const { lab, leader } = await cluster({ registry: false });
    expect(await came(lab, leader.node.publish('k', 1))).toBe('UNSUPPORTED');
    expect(await came(lab, leader.node.readDatum('k'))).toBe('UNSUPPORTED');
  });

  test('of another peer at a node without a registry is answered UNSUPPORTED, not left open', async () => {
    const { lab, leader } = await cluster({ registry: false });
    const writes = [{ number: 1, key: 'k', value: '1' }];
    const refusal = { code: 'UNSUPPORTED' };
    expect(
      await came(lab, lab.network.receive(leader.ip, { type: 'writes', process: 1, term: 1, writes })),
    ).toMatchObject({ outcomes: [refusal] });
    for (const request of [
      { type: 'read', key: 'k' },
      { type: 'keys', from: 0 },
    ])
      expect(await came(lab, lab.network.receive(leader.ip, request))).toMatchObject(refusal);
  });

  test('a save that fails ends the node: a write is of unknown outcome, a read was not done', async () => {
    // With this option a read waits for an answer of others.
    const { lab, leader } = await cluster({ releaseOnDisconnect: true });
    const read = leader.node.readDatum('k');
    read.catch(() => {});
    leader.store.saveFault = { how: 'reject', cause: new Error('full') };
    expect(await came(lab, leader.node.publish('k', 1))).toBe('OUTCOME_UNKNOWN');
    expect(await came(lab, read)).toBe('NOT_RUNNING');
    await settle();
    expect(leader.errors.map(({ code }) => code)).toEqual(['STORE_FAILED']);
  });
});

describe('forwards', () => {
  /** The keys of each request with writes that `peer` has sent. */
  const sentBy = (lab: Lab, { ip }: Peer): readonly (readonly string[])[] =>
    lab.sent(ip, 'writes').map(({ request }) => {
      return request.type === 'writes' ? request.writes.map(({ key }) => key) : [];
    });

  test('of writes that are made at once go in one request, each with an outcome of its own', async () => {
    const { lab, leader, followers } = await cluster();
    const [follower] = followers;
    await came(lab, leader.node.publish('b', 0));
    const { length } = leader.store.asked;
    const writes: readonly Promise<unknown>[] = [
      follower.node.publish('a', 1),
      follower.node.publish('b', 1, { ifTimestamp: 7 }),
      follower.node.publish('c', 1),
      follower.node.remove('b'),
    ];
    expect(await Promise.all(writes.map((write) => came(lab, write)))).toEqual([
      expect.objectContaining({ key: 'a', timestamp: 1 }),
      'CONFLICT',
      expect.objectContaining({ key: 'c', timestamp: 1 }),
      true,
    ]);
    expect(sentBy(lab, follower)).toEqual([['a', 'b', 'c', 'b']]);
    expect(leader.store.asked.length - length).toBe(1);
  });

  test('are at most two at a time: what is written meanwhile goes together in the next', async () => {
    const { lab, followers } = await cluster();
    const [follower] = followers;
    const release = treat(lab, 'writes', () => HOLD);
    const writes: Promise<unknown>[] = [];
    for (const key of ['a', 'b', 'c', 'd']) {
      writes.push(follower.node.publish(key, 1));
      await settle();
    }
    expect(sentBy(lab, follower)).toEqual([['a'], ['b']]);
    release();
    lab.network.release();
    for (const write of writes) expect(await came(lab, write)).toMatchObject({ timestamp: 1 });
    expect(sentBy(lab, follower)).toEqual([['a'], ['b'], ['c', 'd']]);
  });

  test('of writers that one answer has told go together again', async () => {
    const { lab, followers } = await cluster();
    const [follower] = followers;
    const writer = async (key: string): Promise<void> => {
      for (let count = 0; count < 3; count++) await follower.node.publish(key, count);
    };
    await came(lab, Promise.all(['a', 'b', 'c'].map(writer)));
    expect(sentBy(lab, follower)).toEqual(Array(3).fill(['a', 'b', 'c']));
  });

  test('are split when they are long: into requests of 65536 characters at most, or of one write', async () => {
    const { lab, followers } = await cluster({ registry: { maxValueLength: 100_000 } });
    const [follower] = followers;
    const MAX = 65_536;
    // Each is longer than its text by its key and two quotes; the last one is longer than any request is to be.
    const lengths = [MAX / 2, MAX / 2, 4, MAX, 10, MAX + 10];
    const writes = lengths.map((length, at) => follower.node.publish(`${at}`, 'x'.repeat(length - 3)));
    for (const write of writes) expect(await came(lab, write)).toMatchObject({ timestamp: 1 });
    expect(sentBy(lab, follower)).toEqual([['0', '1'], ['2'], ['3'], ['4'], ['5']]);
  });

  test('that wait when the leader is lost are not sent, for certain', async () => {
    const { lab, followers } = await cluster();
    const [follower] = followers;
    treat(lab, 'writes', () => LOSE);
    const writes: Promise<unknown>[] = [];
    for (const key of ['a', 'b', 'c']) {
      writes.push(follower.node.publish(key, 1));
      await settle();
    }
    lab.network.isolate(follower.ip);
    const codes = await Promise.all(writes.map((write) => came(lab, write)));
    expect(codes).toEqual(['OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN', 'NO_LEADER']);
    expect(sentBy(lab, follower)).toEqual([['a'], ['b']]);
  });

  test('that wait when their own peer comes to lead are written there', async () => {
    const { lab, leader, followers } = await cluster();
    const [follower] = followers;
    treat(lab, 'writes', () => LOSE);
    const lost = ['a', 'b'].map(async (key, at) => {
      for (let turns = 0; turns < at; turns++) await settle();
      return came(lab, follower.node.publish(key, 1));
    });
    await settle();
    await settle();
    const waiting = came(lab, follower.node.publish('c', 1));
    await came(lab, leader.node.resign(follower.ip));
    expect(await Promise.all(lost)).toEqual(['OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN']);
    expect(await waiting).toMatchObject({ key: 'c', revision: { term: 2 } });
    expect(sentBy(lab, follower)).toEqual([['a'], ['b']]);
  });

  test('that wait when their own node stops were not sent, for certain', async () => {
    const { lab, followers } = await cluster();
    const [follower] = followers;
    treat(lab, 'writes', () => LOSE);
    const writes: Promise<unknown>[] = [];
    for (const key of ['a', 'b', 'c']) {
      writes.push(came(lab, follower.node.publish(key, 1)));
      await settle();
    }
    await came(lab, follower.node.stop());
    expect(await Promise.all(writes)).toEqual(['OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN', 'NOT_RUNNING']);
  });

  test('are refused as BUSY when 10000 wait', async () => {
    const { lab, followers } = await cluster();
    const [follower] = followers;
    treat(lab, 'writes', () => HOLD);
    for (let open = 0; open < 2; open++) {
      follower.node.publish('k', 1).catch(() => {});
      await settle();
    }
    const writes = Array.from({ length: 10_001 }, () => follower.node.publish('k', 1));
    for (const write of writes) write.catch(() => {});
    expect(await outcome(writes[9_999] as Promise<unknown>)).toBe('pending');
    await expect(writes[10_000]).rejects.toMatchObject({ code: 'BUSY' });
  });
});

describe('a forward', () => {
  test('that the network delivers twice counts once', async () => {
    const { lab, followers } = await cluster();
    treat(lab, 'writes', () => ({ ...CARRY, times: 3 }));
    expect(await came(lab, followers[0].node.publish('k', 1))).toMatchObject({ timestamp: 1 });
    await lab.advance(H);
    expect(followers[0].node.getDatum('k')).toMatchObject({ timestamp: 1 });
  });

  test.each([
    { what: 'is lost', treatment: LOSE },
    { what: 'loses its answer', treatment: { does: 'loseReply' } as const },
    { what: 'is answered by nonsense', treatment: { does: 'answer', reply: 7 } as const },
    { what: 'fails in the transport', treatment: { does: 'reject', cause: new Error('reset') } as const },
  ])('that $what is sent once, and is of unknown outcome', async ({ treatment }) => {
    const { lab, followers } = await cluster();
    treat(lab, 'writes', () => treatment);
    expect(await came(lab, followers[0].node.publish('k', 1))).toBe('OUTCOME_UNKNOWN');
    await lab.advance(3 * L);
    expect(lab.sent(followers[0].ip, 'writes')).toHaveLength(1);
  });

  test('of unknown outcome names who was asked, and why there is no answer', async () => {
    const { lab, leader, followers } = await cluster();
    const cause = new Error('reset');
    treat(lab, 'writes', () => ({ does: 'reject', cause }));
    const published = followers[0].node.publish('k', 1);
    await came(lab, published);
    await expect(published).rejects.toMatchObject({ ip: leader.ip, cause: { code: 'UNREACHABLE', cause } });
  });

  test('that is under way while its own node stops is of unknown outcome', async () => {
    const { lab, leader, followers } = await cluster();
    treat(lab, 'writes', () => ({ ...CARRY, replyMs: L }));
    const published = followers[0].node.publish('k', 1);
    await lab.advance(H);
    expect(leader.node.getDatum('k')).toMatchObject({ value: 1 });
    const stopped = followers[0].node.stop();
    expect(await came(lab, published)).toBe('OUTCOME_UNKNOWN');
    await came(lab, stopped);
  });

  test('that reaches one who leads no longer is refused for certain', async () => {
    const { lab, leader, followers } = await cluster();
    const release = treat(lab, 'writes', () => HOLD);
    const published = followers[0].node.publish('k', 1);
    await settle();
    await came(lab, leader.node.resign());
    await lab.until(() => lab.leaders.length > 0);
    release();
    lab.network.release();
    expect(await came(lab, published)).toBe('NO_LEADER');
    await lab.advance(L);
    expect(leader.node.getDatum('k')).toBeNull();
  });

  test('of two processes with the same number count each', async () => {
    const { lab, followers } = await cluster();
    const [one, other] = followers as readonly [Peer, Peer];
    const both = Promise.all([one.node.publish('k', 1), other.node.publish('k', 2)]);
    const timestamps = ((await came(lab, both)) as readonly { timestamp: number }[]).map(
      ({ timestamp }) => timestamp,
    );
    expect(timestamps.sort()).toEqual([1, 2]);
  });
});

describe('remove', () => {
  test('tells whether there was such a key', async () => {
    const { lab, leader, followers } = await cluster();
    await came(lab, leader.node.publish('k', 1));
    expect(await came(lab, followers[0].node.remove('k'))).toBe(true);
    expect(await came(lab, leader.node.remove('k'))).toBe(false);
    await lab.advance(H);
    expect(lab.peers.map(({ node }) => node.keys())).toEqual([[], [], []]);
  });
});

describe('reads', () => {
  test('readDatum sees, at any peer, what was acknowledged before, though getDatum may lag there', async () => {
    const { lab, leader, followers } = await cluster();
    const [follower] = followers;
    const heal = treat(lab, 'beat', (_from, to) => (to === follower.ip ? LOSE : null));
    await came(lab, leader.node.publish('k', 'v'));
    expect(follower.node.getDatum('k')).toBeNull();
    expect(await came(lab, follower.node.readDatum('k'))).toMatchObject({
      key: 'k',
      value: 'v',
      timestamp: 1,
    });
    expect(await came(lab, follower.node.readDatum('none'))).toBeNull();
    heal();
    await lab.advance(2 * H);
    expect(follower.node.getDatum('k')).toMatchObject({ value: 'v' });
  });

  test('readDatum at a leader whose lease is over is refused', async () => {
    const { lab, leader } = await cluster();
    leader.host.stall();
    await lab.advance(2 * L);
    leader.host.resume();
    expect(['NOT_LEADER', 'NO_LEADER']).toContain(await came(lab, leader.node.readDatum('k')));
  });

  test('readDatum that is not answered is a TIMEOUT', async () => {
    const { lab, followers } = await cluster();
    treat(lab, 'read', () => LOSE);
    expect(await came(lab, followers[0].node.readDatum('k'))).toBe('TIMEOUT');
  });

  test('keys are told in order, by prefix if wanted', async () => {
    const { lab, leader } = await cluster();
    for (const key of ['b/2', 'a/1', 'b/1']) await came(lab, leader.node.publish(key, 1));
    expect([leader.node.keys(), leader.node.keys('b/')]).toEqual([
      ['a/1', 'b/1', 'b/2'],
      ['b/1', 'b/2'],
    ]);
  });

  test('each caller gets a value of its own', async () => {
    const { lab, leader } = await cluster();
    const value = { list: [1] };
    await came(lab, leader.node.publish('k', value));
    value.list.push(2);
    const seen = leader.node.getDatum('k')?.value as typeof value;
    seen.list.push(3);
    expect(leader.node.getDatum('k')?.value).toEqual({ list: [1] });
  });
});

describe('restarts', () => {
  test('all that was acknowledged is there when all peers were stopped and started again', async () => {
    const { lab, leader } = await cluster();
    for (let at = 0; at < 5; at++) await came(lab, leader.node.publish(`k${at}`, at));
    await came(lab, Promise.all(lab.peers.map(({ node }) => node.stop())));
    expect(leader.node.getDatum('k1')).toMatchObject({ value: 1 });
    await lab.elect();
    await lab.advance(L);
    for (const { node } of lab.peers) expect(node.keys()).toHaveLength(5);
  });
});

describe('sendBeatOnly', () => {
  test('writes resolve and reads are answered while beats bring no data', async () => {
    const { lab, leader, followers } = await cluster({ sendBeatOnly: true });
    await lab.advance(L);
    expect(await came(lab, followers[0].node.readDatum('k'))).toBeNull();
    expect(await came(lab, followers[0].node.publish('k', 1))).toMatchObject({ timestamp: 1 });
    await lab.advance(H);
    const { length } = lab.sent(leader.ip, 'beat');
    await lab.advance(L);
    const beats = lab.sent(leader.ip, 'beat').slice(length);
    expect(beats.filter(({ request }) => 'data' in request)).toEqual([]);
  });

  test('is for nothing at a peer that keeps no data, and refused nowhere', async () => {
    const { leader } = await cluster({ registry: false });
    leader.node.sendBeatOnly = true;
    expect(leader.node.sendBeatOnly).toBe(true);
  });

  test('can be read and set at any time', async () => {
    const { lab, leader } = await cluster();
    leader.node.sendBeatOnly = true;
    expect(leader.node.sendBeatOnly).toBe(true);
    const { length } = lab.sent(leader.ip, 'beat');
    await lab.advance(L);
    const beats = lab.sent(leader.ip, 'beat').slice(length);
    expect(beats.filter(({ request }) => 'data' in request)).toEqual([]);
  });
});
