import {
  MemoryNetwork,
  MemoryStore,
  RaftError,
  RaftNode,
  type RaftNodeOptions,
  type RulesName,
  type Timing,
} from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/node/clock.js';
import { resolveOptions } from '../../src/node/options.js';

const IP = 'a:1';

/** What a node says of options that it does not take; they need not be of the right type. */
function refusal(options: unknown): RaftError {
  try {
    new RaftNode(options as RaftNodeOptions);
  } catch (error) {
    expect(error).toBeInstanceOf(RaftError);
    expect(error).toMatchObject({ code: 'BAD_OPTION' });
    return error as RaftError;
  }
  throw new Error(`these options were taken: ${Object.keys(options as object)}`);
}

/** An object that JSON cannot show. */
function circular(): object {
  const object: { self?: object } = {};
  object.self = object;
  return object;
}

const NO_OBJECTS = [null, 5, 'text', true, () => {}, [], {}, circular(), 5n, Symbol('a')] as const;

const TIMES = [
  'heartbeatMs',
  'leaderTimeoutMs',
  'randomMs',
  'staggerMs',
  'requestTimeoutMs',
  'clockDrift',
] as const satisfies readonly (keyof Timing)[];

describe('the defaults', () => {
  test('are a cluster of one, in memory, with the times of a LAN and the rules of raftbeat', () => {
    const options = resolveOptions({ ip: IP });
    expect(options).toMatchObject({
      ip: IP,
      members: [IP],
      rules: 'raftbeat',
      bootstrap: false,
      rejoin: 'majority',
      nacosDatums: null,
      registry: undefined,
      sendBeatOnly: false,
      releaseOnDisconnect: false,
      clock: systemClock,
      random: Math.random,
      timing: {
        leaderTimeoutMs: 500,
        heartbeatMs: 100,
        randomMs: 100,
        staggerMs: 50,
        requestTimeoutMs: 50,
        clockDrift: 0.05,
      },
    });
    expect(options.store).toBeInstanceOf(MemoryStore);
  });

  test('stand in for options that are given as undefined', () => {
    const names = [
      ...TIMES,
      'members',
      'transport',
      'store',
      'preset',
      'rules',
      'bootstrap',
      'rejoin',
      'nacosDatums',
      'registry',
      'sendBeatOnly',
      'releaseOnDisconnect',
      'clock',
      'random',
    ] as const;
    const given = Object.fromEntries(names.map((name) => [name, undefined]));
    const { store, transport, ...rest } = resolveOptions({ ip: IP, ...given });
    const { store: _store, transport: _transport, ...defaults } = resolveOptions({ ip: IP });
    expect(rest).toEqual(defaults);
    expect(store).toBeInstanceOf(MemoryStore);
    expect(transport).toHaveProperty('request');
  });

  test('are a store for each node, not one for all', () => {
    expect(resolveOptions({ ip: IP }).store).not.toBe(resolveOptions({ ip: IP }).store);
  });

  test('are a transport that reaches nobody, in a cluster of one', async () => {
    const { transport } = resolveOptions({ ip: IP });
    const { signal } = new AbortController();
    await expect(transport.request('b:1', { type: 'peer' }, { signal })).rejects.toMatchObject({
      code: 'UNREACHABLE',
      ip: 'b:1',
    });
  });
});

describe('a preset', () => {
  test.each([
    [undefined, 500, 100, 100, 50, 50, 'raftbeat'],
    ['lan', 500, 100, 100, 50, 50, 'raftbeat'],
    ['wan', 5_000, 1_000, 1_000, 500, 500, 'raftbeat'],
    ['nacos', 15_000, 5_000, 5_000, 1_500, 1_500, 'nacos'],
  ] as const)('%s sets the times and the rules', (preset, L, H, R, stagger, request, rules) => {
    const options = resolveOptions(preset === undefined ? { ip: IP } : { ip: IP, preset });
    expect(options.rules).toBe(rules);
    expect(options.timing).toEqual({
      leaderTimeoutMs: L,
      heartbeatMs: H,
      randomMs: R,
      staggerMs: stagger,
      requestTimeoutMs: request,
      clockDrift: 0.05,
    });
  });

  test('gives way to each time and to the rules that are given beside it', () => {
    const given = {
      leaderTimeoutMs: 8_000,
      heartbeatMs: 900,
      randomMs: 7,
      staggerMs: 8,
      requestTimeoutMs: 90,
      clockDrift: 0.01,
    };
    expect(resolveOptions({ ip: IP, preset: 'wan', ...given }).timing).toEqual(given);
    expect(resolveOptions({ ip: IP, preset: 'wan', rules: 'nacos' }).rules).toBe('nacos');
    expect(resolveOptions({ ip: IP, preset: 'nacos', rules: 'raftbeat' }).rules).toBe('raftbeat');
    expect(resolveOptions({ ip: IP, rules: 'nacos' }).timing.leaderTimeoutMs).toBe(500);
  });

  test('is scaled by a leader timeout of its own', () => {
    expect(resolveOptions({ ip: IP, leaderTimeoutMs: 2_000 }).timing).toEqual({
      leaderTimeoutMs: 2_000,
      heartbeatMs: 400,
      randomMs: 400,
      staggerMs: 200,
      requestTimeoutMs: 200,
      clockDrift: 0.05,
    });
  });

  test.each(['LAN', '', 'toString', '__proto__', 'constructor', null, 5, {}, circular(), 5n])(
    'is no other: %s',
    (preset) => {
      expect(refusal({ ip: IP, preset }).message).toMatch(/^preset must be one of lan,wan,nacos, not /);
    },
  );
});

describe('ip', () => {
  test.each(['a', 'a:1', '[::1]:7001', 'naïve-名前', 'x'.repeat(300)])('may be %s', (ip) => {
    expect(new RaftNode({ ip }).ip).toBe(ip);
  });

  test('must be a text without blanks, of 1 to 300 characters', () => {
    const texts = ['', ' ', 'a b', 'a\n', 'a\u0000', 'x'.repeat(301)];
    for (const ip of [...texts, undefined, ...NO_OBJECTS.filter((value) => typeof value !== 'string')])
      expect(refusal({ ip }).message).toMatch(/^ip must be/);
  });

  test('must be given', () => {
    expect(refusal({}).message).toMatch(/^ip must be/);
  });
});

describe('members', () => {
  const transport = new MemoryNetwork().transport();

  test('are ips, or members with a priority or the mark of an observer', () => {
    const members = [
      IP,
      { ip: 'b:1', priority: 0 },
      { ip: 'c:1', priority: 1_000 },
      { ip: 'd:1', observer: true },
    ];
    const node = new RaftNode({ ip: IP, members, transport });
    expect(node.peers.map(({ ip }) => ip)).toEqual([IP, 'b:1', 'c:1', 'd:1']);
  });

  test('may hold this peer as an object', () => {
    expect(new RaftNode({ ip: IP, members: [{ ip: IP, priority: 3 }] }).peers).toHaveLength(1);
  });

  test.each([
    ['nothing', []],
    ['not this peer', ['b:1']],
    ['not this peer, but its name', [{ name: IP }, 'b:1']],
    ['a text', 'a:1,b:1'],
    ['null', null],
    ['an object', { 0: IP, length: 1 }],
    ['one twice', [IP, 'b:1', 'b:1']],
    ['this peer twice', [IP, { ip: IP }]],
    ['null beside it', [IP, null]],
    ['null before it', [null, IP]],
    ['undefined', [IP, undefined]],
    ['a number', [IP, 5]],
    ['an empty ip', [IP, '']],
    ['an ip with a blank', [IP, 'b 1']],
    ['a member without ip', [IP, {}]],
    ['a bigint', [IP, 5n]],
    ['something circular', [IP, circular()]],
    ['nobody who votes', [{ ip: IP, observer: true }]],
    [
      'only observers',
      [
        { ip: IP, observer: true },
        { ip: 'b:1', observer: true },
      ],
    ],
  ])('must not be %s', (_, members) => {
    expect(refusal({ ip: IP, members, transport }).message).toMatch(/^members\b/);
  });

  test.each([-1, 1_001, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1', null, true])(
    'must not have the priority %s',
    (priority) => {
      const members = [IP, { ip: 'b:1', priority }];
      expect(refusal({ ip: IP, members, transport }).message).toMatch(/^members\[1\]\.priority must be/);
    },
  );

  test.each([0, 1, 'true', null, {}])('must not be an observer by %j', (observer) => {
    const members = [IP, { ip: 'b:1', observer }];
    expect(refusal({ ip: IP, members, transport }).message).toMatch(/^members\[1\]\.observer must be/);
  });
});

describe('a time', () => {
  test.each([
    ['leaderTimeoutMs', 9.9, { leaderTimeoutMs: 10 }],
    ['heartbeatMs', 0, { heartbeatMs: 0.001 }],
    ['randomMs', -0.001, { randomMs: 0 }],
    ['staggerMs', -0.001, { staggerMs: 0 }],
    ['requestTimeoutMs', 0, { requestTimeoutMs: 0.001 }],
    ['clockDrift', -0.001, { clockDrift: 0 }],
  ] as const)('%s has a lowest value, below which it is refused', (name, tooLow, lowest) => {
    expect(refusal({ ip: IP, [name]: tooLow }).message).toMatch(new RegExp(`^${name} must be a number`));
    expect(resolveOptions({ ip: IP, ...lowest }).timing).toMatchObject(lowest);
  });

  test.each([
    ['leaderTimeoutMs', 2 ** 31, { leaderTimeoutMs: 2 ** 31 - 1 }],
    ['heartbeatMs', 2 ** 31, { leaderTimeoutMs: 2 ** 31 - 1, heartbeatMs: 2 ** 29 }],
    ['randomMs', 2 ** 31, { randomMs: 2 ** 31 - 1 }],
    ['staggerMs', 2 ** 31, { staggerMs: 2 ** 31 - 1 }],
    ['requestTimeoutMs', 2 ** 31, { leaderTimeoutMs: 2 ** 31 - 1, requestTimeoutMs: 2 ** 27 }],
    ['clockDrift', 0.5, { clockDrift: 0.2 }],
  ] as const)('%s has a highest value, above which it is refused', (name, tooHigh, highest) => {
    expect(refusal({ ip: IP, [name]: tooHigh }).message).toMatch(new RegExp(`^${name} must be a number`));
    expect(resolveOptions({ ip: IP, ...highest }).timing).toMatchObject(highest);
  });

  test.each(TIMES)('%s must be a number, and null is none', (name) => {
    for (const value of ['500', null, Number.NaN, Number.POSITIVE_INFINITY, true, {}, [], 500n]) {
      expect(refusal({ ip: IP, [name]: value }).message).toMatch(new RegExp(`^${name} must be a number`));
    }
  });

  test.each([
    ['requestTimeoutMs', { leaderTimeoutMs: 1_000, requestTimeoutMs: 100.1 }],
    ['heartbeatMs', { leaderTimeoutMs: 1_000, heartbeatMs: 450 }],
    ['heartbeatMs', { leaderTimeoutMs: 1_000, heartbeatMs: 350, clockDrift: 0.2 }],
    ['heartbeatMs', { preset: 'nacos', leaderTimeoutMs: 5_000 }],
    ['clockDrift', { clockDrift: 0.45 }],
  ] as const)('must fit the others, %s for one', (name, times) => {
    expect(refusal({ ip: IP, ...times }).message).toContain(name);
  });

  test.each([
    { leaderTimeoutMs: 1_000, requestTimeoutMs: 100 },
    { leaderTimeoutMs: 1_000, heartbeatMs: 400, requestTimeoutMs: 100 },
    { leaderTimeoutMs: 1_000, heartbeatMs: 250, clockDrift: 0.2 },
  ])('that fits the others is taken: %j', (times) => {
    expect(resolveOptions({ ip: IP, ...times }).timing).toMatchObject(times);
  });

  test('of 2H and a round trip must stay below the lease, not merely reach it', () => {
    const times = { leaderTimeoutMs: 1_000, clockDrift: 0, requestTimeoutMs: 100 };
    expect(refusal({ ip: IP, ...times, heartbeatMs: 450 }).message).toContain('heartbeatMs');
    expect(resolveOptions({ ip: IP, ...times, heartbeatMs: 449 }).timing.heartbeatMs).toBe(449);
  });
});

describe('an option', () => {
  test.each([
    [circular(), 'an object'],
    [5n, '5'],
    [() => {}, 'a function'],
    [Symbol('odd'), 'Symbol(odd)'],
    [{ a: 1 }, '{"a":1}'],
    ['x'.repeat(1_000), `"${'x'.repeat(199)}`],
  ])('that is wrong is shown as it came, in short, whatever it is: %#', (bootstrap, shown) => {
    expect(refusal({ ip: IP, bootstrap }).message).toBe(`bootstrap must be true or false, not ${shown}`);
  });

  test.each([null, 'nacos1', 'toString', '__proto__', 5, {}, circular()])(
    'rules must be known: %s',
    (rules) => {
      expect(refusal({ ip: IP, rules }).message).toMatch(/^rules must be one of raftbeat,nacos, not /);
    },
  );

  test.each([null, 0, 1, 'true', {}, circular()])('bootstrap must be true or false, not %s', (bootstrap) => {
    expect(refusal({ ip: IP, bootstrap }).message).toMatch(/^bootstrap must be true or false/);
  });

  test.each([null, 'all', true, 5, {}, circular()])(
    "rejoin must be 'majority' or 'strict', not %s",
    (rejoin) => {
      expect(refusal({ ip: IP, rejoin }).message).toMatch(/^rejoin must be/);
    },
  );

  test.each([null, 0.5, 'random', {}, circular(), 5n])('random must be a function, not %s', (random) => {
    expect(refusal({ ip: IP, random }).message).toMatch(/^random must be a function/);
  });

  test.each([
    ['clock', systemClock, ['now', 'wallNow', 'setTimer', 'afterMail']],
    ['store', new MemoryStore(), ['open', 'save', 'close']],
    ['transport', new MemoryNetwork().transport(), ['start', 'request', 'stop']],
  ] as const)('%s must have all of its methods, its own or inherited', (name, whole, methods) => {
    expect(resolveOptions({ ip: IP, [name]: whole })[name]).toBe(whole);
    for (const missing of methods) {
      const half = Object.fromEntries(
        methods.filter((method) => method !== missing).map((method) => [method, () => {}]),
      );
      expect(refusal({ ip: IP, [name]: half }).message).toMatch(new RegExp(`^${name} must be`));
      expect(refusal({ ip: IP, [name]: { ...half, [missing]: 5 } }).message).toMatch(
        new RegExp(`^${name} must be`),
      );
      expect(refusal({ ip: IP, [name]: Object.assign(circular(), half) }).message).toMatch(
        new RegExp(`^${name} must be`),
      );
    }
    for (const value of NO_OBJECTS) {
      expect(refusal({ ip: IP, [name]: value }).message).toMatch(new RegExp(`^${name} must be`));
    }
  });

  test('transport must be given when there are other members', () => {
    expect(refusal({ ip: IP, members: [IP, 'b:1'] }).message).toMatch(/^transport must be given/);
  });

  test.each(['ips', 'leaderTimeout', 'heartbeat', 'Members', 'revision', 'toString'])(
    '%s does not exist, and what does is told',
    (name) => {
      const { message } = refusal({ ip: IP, [name]: 5 });
      expect(message).toContain(`there is no option ${name}`);
      for (const known of [
        ...TIMES,
        'ip',
        'members',
        'transport',
        'store',
        'preset',
        'rules',
        'bootstrap',
        'rejoin',
        'clock',
        'random',
      ])
        expect(message).toContain(known);
    },
  );

  test('of an unknown name is refused though it is undefined', () => {
    expect(refusal({ ip: IP, leaderTimeout: undefined }).message).toContain('leaderTimeout');
  });
});

test.each([undefined, null, 5, 'a:1', true, () => {}])('options must be an object, not %s', (options) => {
  expect(refusal(options).message).toMatch(/^options must be an object/);
});

test('all that is right is taken as it is', () => {
  const given = {
    ip: IP,
    members: [IP, 'b:1'],
    transport: new MemoryNetwork().transport(),
    store: new MemoryStore(),
    rules: 'nacos' as RulesName,
    bootstrap: true,
    rejoin: 'strict' as const,
    clock: { ...systemClock },
    random: () => 0.5,
  };
  const { timing: _, ...resolved } = resolveOptions({ preset: 'wan', ...given });
  for (const [name, value] of Object.entries(given))
    expect(resolved[name as keyof typeof resolved]).toBe(value);
});
