import { type RaftError, RaftNode, type RaftNodeEvents } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import {
  A,
  B,
  beat,
  C,
  forbidUnhandledRejections,
  H,
  L,
  Lab,
  outcome,
  peer,
  settle,
  TIMING,
} from './virtual.js';

forbidUnhandledRejections();

describe('the order of events', () => {
  test('of an election: state by state, the win, and the leader with its first lease', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    expect(leader.events).toEqual([
      'stateChange FOLLOWER>CANDIDATE 1',
      'stateChange CANDIDATE>LEADER 1',
      'leaderElectFinished 1',
      `makeLeader ${leader.ip} 1`,
    ]);
    for (const { events } of followers) expect(events).toEqual([`makeLeader ${leader.ip} 1`]);
  });

  test('of a lost lease: the state, and then the leader that is lost', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    lab.network.isolate(leader.ip);
    leader.events.length = 0;
    await lab.advance(L);
    expect(leader.events).toEqual(['stateChange LEADER>FOLLOWER 1', `leaderLost ${leader.ip} 1`]);
  });

  test('of a new leader in a higher term: the former is lost first', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    const { ip, events } = followers[0];
    events.length = 0;
    await lab.network.receive(ip, beat(followers[1].ip, 5));
    expect(events).toEqual([`leaderLost ${leader.ip} 1`, `makeLeader ${followers[1].ip} 5`]);
  });

  test('of a leader that learns of another: its state, its loss, the other', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    leader.events.length = 0;
    await lab.network.receive(leader.ip, beat(followers[0].ip, 5));
    expect(leader.events).toEqual([
      'stateChange LEADER>FOLLOWER 5',
      `leaderLost ${leader.ip} 1`,
      `makeLeader ${followers[0].ip} 5`,
    ]);
  });

  test('of state changes is a chain: each begins where the last one ended', async () => {
    const lab = new Lab();
    await lab.elect();
    for (let round = 0; round < 5; round++) {
      const heal = lab.network.isolate(lab.leaders[0]!);
      await lab.advance(3 * L);
      heal();
      await lab.until(() => lab.leaders.length === 1);
      await lab.advance(L);
    }
    for (const { events, node } of lab.peers) {
      const changes = events.filter((event) => event.startsWith('stateChange'));
      const pairs = changes.map((event) => event.split(' ')[1]!.split('>'));
      const terms = changes.map((event) => Number(event.split(' ')[2]));
      expect(pairs.map(([from]) => from)).toEqual(
        ['FOLLOWER', ...pairs.slice(0, -1).map(([, to]) => to)].slice(0, pairs.length),
      );
      expect(terms).toEqual(terms.toSorted((a, b) => a - b));
      expect(pairs.at(-1)?.[1] ?? 'FOLLOWER').toBe(node.state);
    }
    expect(lab.tooEarly).toEqual([]);
  });

  test('tells each leader once, and each loss between two of them', async () => {
    const lab = new Lab();
    await lab.elect();
    for (let round = 0; round < 5; round++) {
      const heal = lab.network.isolate(lab.leaders[0]!);
      await lab.advance(3 * L);
      heal();
      await lab.until(() => lab.leaders.length === 1);
    }
    for (const { events } of lab.peers) {
      const told = events.filter((event) => /^(makeLeader|leaderLost)/.test(event));
      told.forEach((event, at) => {
        const [name, ip, term] = event.split(' ');
        if (at % 2 === 0) expect(name).toBe('makeLeader');
        else expect([name, ip, term]).toEqual(['leaderLost', ...told[at - 1]!.split(' ').slice(1)]);
      });
    }
  });

  test('is the same whether the state is asked inside or after: an event comes when the state is whole', async () => {
    const lab = new Lab();
    const seen: unknown[] = [];
    for (const { node } of lab.peers) {
      node.on('makeLeader', ({ leader, local, term }) => {
        seen.push([
          node.leader?.ip === leader.ip,
          node.term === term,
          local.ip === node.ip,
          node.isLeader() === (leader.ip === node.ip),
        ]);
      });
      node.on('leaderLost', ({ leader }) => {
        seen.push([node.leader === null, leader.ip !== node.ip || !node.isLeader()]);
      });
    }
    const { leader } = await lab.elect();
    lab.network.isolate(leader.ip);
    await lab.advance(3 * L);
    expect(seen.length).toBeGreaterThan(5);
    expect(seen.flat()).not.toContain(false);
  });
});

describe('a warning', () => {
  test('EMPTY_STORE comes for a durable store that is empty, and for no other', async () => {
    for (const [durable, stored, expected] of [
      [true, null, ['warning EMPTY_STORE']],
      [true, { term: 0, voteFor: null, promisedMs: 0 }, []],
      [false, null, []],
    ] as const) {
      const lab = new Lab([A, B, C], { durable, stored });
      await lab.node(A).start();
      expect(lab.peer(A).events).toEqual(expected);
    }
  });

  test('NACOS_RULES comes at each start under the rules of Nacos', async () => {
    const lab = new Lab([A, B, C], { rules: 'nacos' });
    const { node, events } = lab.peer(A);
    await node.start();
    expect(events).toEqual(['warning NACOS_RULES']);
    await node.stop();
    await node.start();
    expect(events).toEqual(['warning NACOS_RULES', 'warning NACOS_RULES']);
  });

  test('under the rules of Nacos a member shows drawn dues until it is heard of', async () => {
    const { node } = new Lab([A, B, C], { rules: 'nacos', random: () => 0.5 }).peer(A);
    expect(node.peers[1]).toMatchObject({ ip: B, leaderDueMs: 0.5 * L, heartbeatDueMs: 0.5 * H });
    expect(new Lab([A, B, C], { random: () => 0.5 }).peer(A).node.peers[1]).toMatchObject({
      leaderDueMs: 0,
      heartbeatDueMs: 0,
    });
  });

  test('that a listener cannot take does not fail the start', async () => {
    const lab = new Lab([A, B, C], { durable: true, stored: null });
    const { node, errors } = lab.peer(A);
    node.on('warning', () => {
      throw new Error('a listener');
    });
    await node.start();
    expect(errors).toMatchObject([{ code: 'LISTENER_FAILED' }]);
  });
});

describe('an error event', () => {
  test('tells of a second leader in one term, on the peer that sees it', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    const reply = await lab.network.receive(followers[0].ip, beat(followers[1].ip, 1));
    expect(reply).toMatchObject({ code: 'CONFLICTING_LEADER', term: 1 });
    expect(followers[0].errors).toMatchObject([{ code: 'CONFLICTING_LEADER' }]);
    expect(followers[0].node.leader?.ip).toBe(leader.ip);
  });

  test('tells of it on the leader that is refused, too', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    lab.network.treat((from, to, { type }) =>
      from === leader.ip && type === 'beat' && to === lab.peers.find((p) => p !== leader)!.ip
        ? { does: 'answer', reply: { code: 'CONFLICTING_LEADER', message: 'two leaders', term: 1 } }
        : null,
    );
    await lab.advance(H + 5);
    expect(leader.errors).toMatchObject([{ code: 'CONFLICTING_LEADER' }]);
  });

  test.each(['beat', 'vote', 'transfer'] as const)(
    'tells of another process with the ip of this peer (%s)',
    async (type) => {
      const lab = new Lab();
      await lab.elect();
      const { errors } = lab.peer(A);
      const reply = await lab.network.receive(A, { ...beat(A, 3), type });
      expect(reply).toMatchObject({ code: 'DUPLICATE_PEER' });
      expect(errors).toMatchObject([{ code: 'DUPLICATE_PEER' }]);
      expect(lab.node(A).term).toBe(1);
    },
  );

  test('without a listener harms nothing', async () => {
    const lab = new Lab([A, B, C], { listens: false });
    for (const { node } of lab.peers) {
      node.on('makeLeader', () => {
        throw new Error('a listener');
      });
      node.on('makeLeader', async () => {
        throw new Error('a listener');
      });
    }
    const { leader, followers } = await lab.elect();
    await lab.network.receive(followers[0].ip, beat(followers[1].ip, 1));
    await lab.network.receive(followers[0].ip, beat(followers[0].ip, 1));
    await lab.advance(5 * L);
    expect(lab.leaders).toEqual([leader.ip]);
    leader.store.saveFault = { how: 'reject', cause: new Error('full') };
    await lab.network.receive(leader.ip, beat(followers[0].ip, 9));
    expect(leader.transport.isServing).toBe(false);
  });
});

type Listener = (node: RaftNode) => unknown;

const NAMES = [
  'stateChange',
  'leaderLost',
  'leaderElectFinished',
  'makeLeader',
] as const satisfies readonly (keyof RaftNodeEvents)[];

const BAD_LISTENERS: readonly (readonly [string, Listener])[] = [
  [
    'throws an error',
    () => {
      throw new Error('a listener');
    },
  ],
  [
    'throws undefined',
    () => {
      throw undefined;
    },
  ],
  [
    'throws what cannot be shown',
    () => {
      throw Object.create(null);
    },
  ],
  [
    'rejects',
    async () => {
      throw new Error('a listener');
    },
  ],
  [
    'rejects with what cannot be shown',
    async () => {
      throw Object.create(null);
    },
  ],
  [
    'returns a thenable that throws',
    () => ({
      // biome-ignore lint/suspicious/noThenProperty: that is the point
      then() {
        throw new Error('a listener');
      },
    }),
  ],
];

describe.each(BAD_LISTENERS)('a listener that %s', (_, fail) => {
  test.each(NAMES)('of %s harms nothing, is reported, and keeps no other from being called', async (name) => {
    const lab = new Lab();
    const after: string[] = [];
    for (const { node } of lab.peers) {
      node.on(name, () => fail(node) as undefined);
      node.on(name, () => void after.push(node.ip));
    }
    const { leader } = await lab.elect();
    const heal = lab.network.isolate(leader.ip);
    await lab.advance(3 * L);
    heal();
    await lab.advance(L);
    expect(lab.leaders).toHaveLength(1);
    expect(new Set(lab.peers.map(({ node }) => node.leader?.ip))).toEqual(new Set(lab.leaders));
    for (const { ip, events, errors } of lab.peers) {
      const told = events.filter((event) => event.startsWith(name)).length;
      expect(errors.map(({ code }) => code)).toEqual(Array(told).fill('LISTENER_FAILED'));
      expect(after.filter((other) => other === ip)).toHaveLength(told);
    }
    expect(after.length).toBeGreaterThan(0);
  });

  test('of error is told to nobody, and harms nothing', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    followers[0].node.on('error', () => fail(followers[0].node) as undefined);
    await lab.network.receive(followers[0].ip, beat(followers[1].ip, 1));
    expect(followers[0].errors).toHaveLength(1);
    await lab.advance(2 * L);
    expect(lab.leaders).toEqual([leader.ip]);
  });
});

describe('a listener', () => {
  test('that fails is reported with its cause and the event', async () => {
    const lab = new Lab([A]);
    const { node, errors } = lab.peer(A);
    const cause = new Error('a listener');
    node.on('makeLeader', () => {
      throw cause;
    });
    await lab.elect();
    expect(errors).toMatchObject([{ code: 'LISTENER_FAILED', cause }]);
    expect(errors[0]?.message).toContain('makeLeader');
  });

  test('given to `once` is called once, also when it fails', async () => {
    const lab = new Lab();
    let calls = 0;
    const { node } = lab.peer(A);
    node.once('makeLeader', () => {
      calls++;
      throw new Error('a listener');
    });
    const { leader } = await lab.elect();
    lab.network.isolate(leader.ip);
    await lab.until(() => lab.leaders.length === 1 && lab.leaders[0] !== leader.ip);
    expect(calls).toBe(1);
  });

  test('that never returns a settled promise blocks nothing', async () => {
    const lab = new Lab();
    for (const { node } of lab.peers)
      for (const name of NAMES) node.on(name, () => new Promise<void>(() => {}) as unknown as undefined);
    const { leader } = await lab.elect();
    await lab.advance(5 * L);
    expect(lab.leaders).toEqual([leader.ip]);
  });

  test('that blocks the event loop beyond the lease ends the leadership, and the next question is answered so', async () => {
    const lab = new Lab();
    const answers: boolean[] = [];
    for (const { node } of lab.peers) {
      node.on('makeLeader', ({ leader }) => {
        if (leader.ip !== node.ip || answers.length > 0) return;
        answers.push(node.isLeader());
        lab.world.now += 2 * L;
        answers.push(node.isLeader());
      });
    }
    await lab.elect().catch(() => {});
    expect(answers).toEqual([true, false]);
    await lab.until(() => lab.leaders.length === 1);
  });

  test.each(NAMES)('of %s that asks the node is answered, and asks in vain for nothing', async (name) => {
    const lab = new Lab();
    const answers: unknown[] = [];
    for (const { node } of lab.peers) {
      node.on(name, () => {
        answers.push([node.isLeader(), node.leader, node.term, node.peers.length]);
        node.resign('nobody:1').catch((error: RaftError) => answers.push(error.code));
        node.start().catch((error: RaftError) => answers.push(error.code));
      });
    }
    const { leader } = await lab.elect();
    lab.network.isolate(leader.ip);
    await lab.until(() => lab.leaders.length === 1 && lab.leaders[0] !== leader.ip);
    expect(answers.length).toBeGreaterThan(0);
    expect(lab.peers.flatMap(({ errors }) => errors)).toEqual([]);
    expect(lab.peers.map(({ store }) => store.opens)).toEqual([1, 1, 1]);
  });

  test.each(NAMES)('of %s that stops its node stops it, and no other', async (name) => {
    const lab = new Lab();
    const stopped = new Set<string>();
    const stops: Promise<void>[] = [];
    for (const { node, ip } of lab.peers) {
      node.on(name, () => {
        if (stopped.size > 0 && !stopped.has(ip)) return;
        stopped.add(ip);
        stops.push(node.stop());
      });
    }
    await lab.start();
    await lab.until(() => lab.leaders.length === 1);
    const [first] = lab.leaders;
    if (stopped.size === 0) lab.network.isolate(first!);
    await lab.until(() => stopped.size === 1);
    await lab.advance(5 * L);
    await Promise.all(stops);
    const [ip] = stopped;
    const { node, transport, store, host } = lab.peer(ip!);
    expect([node.leader, node.isLeader(), transport.isServing, store.isOpen, host.timers]).toEqual([
      null,
      false,
      false,
      false,
      0,
    ]);
    expect(lab.peers.flatMap(({ errors }) => errors)).toEqual([]);
    if (first !== undefined && name !== 'leaderLost') expect(lab.leaders).toHaveLength(1);
  });

  test('of makeLeader that resigns at once hands over, again and again', async () => {
    const lab = new Lab();
    let resigns = 0;
    for (const { node } of lab.peers) {
      node.on('makeLeader', ({ leader }) => {
        if (leader.ip === node.ip && resigns++ < 5) void node.resign();
      });
    }
    await lab.start();
    await lab.until(() => resigns > 5, 3 * L);
    expect(lab.leaders).toHaveLength(1);
    expect(lab.tooEarly).toEqual([]);
    expect(lab.peers.flatMap(({ errors }) => errors)).toEqual([]);
  });

  test('that causes an event while one is told sees the first told to all before', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    const { node } = followers[0];
    const order: string[] = [];
    node.on('makeLeader', ({ term }) => {
      order.push(`first ${term}`);
      if (term === 5) void lab.network.receive(node.ip, beat(leader.ip, 6));
    });
    node.on('makeLeader', ({ term }) => void order.push(`second ${term}`));
    await lab.network.receive(node.ip, beat(followers[1].ip, 5));
    await settle();
    expect(order).toEqual(['first 5', 'second 5', 'first 6', 'second 6']);
  });

  test('that fails in a cluster of one does not keep waitForLeader or whileLeader from their turn', async () => {
    const lab = new Lab([A]);
    const { node } = lab.peer(A);
    node.on('makeLeader', () => {
      throw new Error('a listener');
    });
    let ran = 0;
    void node.whileLeader(() => {
      ran++;
    });
    const waiting = node.waitForLeader();
    await lab.elect();
    expect([await outcome(waiting), ran]).toEqual(['resolved', 1]);
  });
});

test('events carry copies: what a listener does to them harms nothing', async () => {
  const lab = new Lab();
  for (const { node } of lab.peers)
    for (const name of ['leaderLost', 'leaderElectFinished', 'makeLeader'] as const)
      node.on(
        name,
        ({ leader, local }) =>
          Object.assign(leader, peer('x:1')) && Object.assign(local, peer('y:1')) && undefined,
      );
  await lab.start();
  await lab.until(() => lab.leaders.length === 1);
  await lab.advance(5 * L);
  expect(lab.leaders).toHaveLength(1);
  expect(lab.peers.map(({ node }) => node.ip)).toEqual([A, B, C]);
  expect(lab.peers.map(({ node }) => node.peers.map(({ ip }) => ip))).toEqual(Array(3).fill([A, B, C]));
});

test('two nodes of one process do not hear of each other', async () => {
  const lab = new Lab([A]);
  const other = new RaftNode({ ...TIMING, ip: A, clock: lab.world.host(), random: () => 0 });
  await lab.elect();
  expect(other.isLeader()).toBe(false);
  await other.start();
  await lab.until(() => other.isLeader());
  await other.stop();
  expect(lab.node(A).isLeader()).toBe(true);
});
