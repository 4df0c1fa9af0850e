import { beforeAll, describe, expect, test } from 'vitest';
import type { RaftCore, RaftCoreOptions } from '../../src/core/core.js';
import { REGISTRY_LIMITS } from '../../src/core/registry.js';
import { DEFECTS } from '../defects/list.js';
import { SMALL } from './bounds.js';
import { buildKernel, type Kernel } from './build.js';
import { explore } from './explore.js';
import { HashSet } from './hash-set.js';
import { Cores, FIELDS, NOW, UNIT } from './local.js';

let kernel: Kernel;

beforeAll(async () => {
  kernel = await buildKernel();
});

describe('the model checker', () => {
  test('knows every field of the core: a new one must be taken into the state, or named as left out', () => {
    const peers = new kernel.RaftPeerSet({ local: 'a', members: ['a', 'b'] });
    const core = new kernel.RaftCore({ peers, random: () => 0, stored: null });
    const inside = core as unknown as Record<'$lease' | '$timeouts' | '$rejoin', object>;
    const fields = (of: object): string[] => Object.keys(of).sort();
    expect(fields(core)).toEqual([...FIELDS.RaftCore].sort());
    expect(fields(peers).filter((name) => !name.startsWith('_events'))).toEqual(
      [...FIELDS.RaftPeerSet].sort(),
    );
    expect(fields(peers.self)).toEqual([...FIELDS.RaftPeer].sort());
    expect(fields(inside.$lease)).toEqual([...FIELDS.Lease].sort());
    expect(fields(inside.$timeouts)).toEqual([...FIELDS.ElectionTimeouts].sort());
    expect(fields(inside.$rejoin)).toEqual([...FIELDS.Rejoin].sort());
  });

  test('takes in no core that keeps data or only learns: that is no part of the state', () => {
    const peers = new kernel.RaftPeerSet({ local: 'a', members: ['a', 'b', 'c'] });
    const cores = new Cores(kernel, SMALL);
    const started = (more: Partial<RaftCoreOptions>): RaftCore => {
      const core = new kernel.RaftCore({
        peers,
        random: () => 0,
        timing: { leaderTimeoutMs: 2 * UNIT },
        ...more,
      });
      core.tick(NOW);
      return core;
    };
    expect(cores.local(started({}), 0)).toMatchObject({ term: 0 });
    expect(() => cores.local(started({ registry: REGISTRY_LIMITS }), 0)).toThrow('no room for data');
    const learner = { term: 1, voteFor: 'a', promisedMs: 0, learner: 7 };
    expect(() => cores.local(started({ stored: learner }), 0)).toThrow('who only learns');
  });

  test('takes no two states for one in a million', () => {
    const set = new HashSet();
    const words = new Int32Array(3);
    for (let at = 0; at < 1_000_000; at++) {
      words.set([at % 100, Math.floor(at / 100) % 100, Math.floor(at / 10_000)]);
      set.add(words);
    }
    expect(set.add(words)).toBe(false);
    expect(set.size).toBe(1_000_000);
  });
});

describe('three peers', () => {
  test('keep S1 to S4 in every state of one term with a crash and a transfer', () => {
    expect(explore(kernel, { ...SMALL, terms: 1, crashes: 1, transfers: 1 })).toMatchObject({
      violation: null,
      isExhausted: true,
    });
  });

  test('keep S1 to S4 in every state of two terms', () => {
    const { states, ...outcome } = explore(kernel, SMALL);
    expect(outcome).toMatchObject({ violation: null, isExhausted: true, trace: [] });
    expect(states).toBeGreaterThan(20_000);
  });

  test('keep S1 to S4 in every state of two terms with a transfer, L being one unit', () => {
    const bounds = { ...SMALL, timeout: 1, transfers: 1 };
    expect(explore(kernel, bounds)).toMatchObject({ violation: null, isExhausted: true });
  });

  test('keep S1 to S4 in every state of two terms when one loses its store, L being one unit', () => {
    const bounds = { ...SMALL, timeout: 1, wipes: 1 };
    expect(explore(kernel, bounds)).toMatchObject({ violation: null, isExhausted: true });
  });

  test('keep S1 to S4 in every state of two terms when one has a longer L', () => {
    const bounds = { ...SMALL, timeout: 1, longer: 1 };
    expect(explore(kernel, bounds)).toMatchObject({ violation: null, isExhausted: true });
  });

  test('keep S1 to S4 with saves that take time, as far as a hundred thousand states go', () => {
    const bounds = { ...SMALL, crashes: 1, transfers: 1, lateSaves: true, states: 100_000 };
    expect(explore(kernel, bounds)).toMatchObject({ violation: null });
  });

  test('keep S1 to S4 with slow clocks, as far as a hundred thousand states go', () => {
    const bounds = { ...SMALL, timeout: 3, slowClocks: 2, states: 100_000 };
    expect(explore(kernel, bounds)).toMatchObject({ violation: null });
  });
});

test('two voters and an observer keep S1 to S4 in every state of two terms', () => {
  const bounds = { ...SMALL, voters: 2, observers: 1 };
  expect(explore(kernel, bounds)).toMatchObject({ violation: null, isExhausted: true });
});

test('a violation is told as the shortest list of moves', async () => {
  const defect = DEFECTS.find(({ name }) => name.includes('counts as a lease'));
  const { violation, trace } = explore(await buildKernel(defect?.patches), SMALL);
  expect(violation).toBe('S2: two peers lead at one instant');
  expect(trace).toHaveLength(12);
  expect(trace[0]).toBe('1. a unit of time goes by');
  expect(trace[2]).toMatch(/^3\. t=2: \w does what is due: follower of term 0, no vote$/);
});
