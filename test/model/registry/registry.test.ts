import { beforeAll, describe, expect, test } from 'vitest';
import { buildKernel, type Kernel } from '../build.js';
import { Search } from '../search.js';
import { type RegistryBounds, SMALL_REGISTRY } from './bounds.js';
import { exploreRegistry } from './explore.js';
import type { Keeper } from './keeper.js';
import { FIELDS, Keepers, type OpenRegistry, opened } from './keepers.js';
import { RegistrySpace } from './space.js';

let kernel: Kernel;

beforeAll(async () => {
  kernel = await buildKernel();
});

const NOTHING: Keeper['stored'] = {
  base: { revision: { term: 0, seq: 0 }, stampFloor: 0, datums: [] },
  tail: [],
};

describe('the model checker of data', () => {
  test('knows every field of what keeps data: a new one must be taken into the state, or named as left out', () => {
    const keepers = new Keepers(kernel, SMALL_REGISTRY);
    const core = keepers.core(keepers.started(0, 0, -1, NOTHING));
    const registry = opened(core).$registry;
    const fields = (of: object): string[] => Object.keys(of).sort();
    const inside = registry as OpenRegistry & Record<'$writes' | '$replication' | '$pinned', object>;
    expect(fields(registry)).toEqual([...FIELDS.Registry].sort());
    expect(fields(registry.datums)).toEqual([...FIELDS.Datums].sort());
    expect(fields(inside.$writes)).toEqual([...FIELDS.Writes].sort());
    expect(fields(inside.$replication)).toEqual([...FIELDS.Replication].sort());
    expect(fields(registry.$replication.$of('b'))).toEqual([...FIELDS.Progress].sort());
    expect(fields(inside.$pinned)).toEqual([...FIELDS.PinnedBase].sort());
    expect(fields(registry.datums.pin())).toEqual([...FIELDS.Snapshot].sort());
    expect(fields(new kernel.CatchUp(1, 'b', registry.datums, new Map()))).toEqual(
      [...FIELDS.CatchUp].sort(),
    );
  });

  test('makes of every peer that it met a core that is that peer again', () => {
    const bounds = { ...SMALL_REGISTRY, terms: 1, history: 0, states: 4_000 };
    const space = new RegistrySpace(kernel, bounds);
    new Search(space, { ...bounds, waypoints: [] }).run();
    const keepers = new Keepers(kernel, bounds);
    const others = space.keepers.filter((keeper) => {
      const again = keepers.keeper(keepers.core(keeper), keeper.owner, keeper.stored);
      return JSON.stringify(again) !== JSON.stringify(keeper);
    });
    expect(others).toEqual([]);
    expect(space.keepers.some(({ leads }) => leads?.pinned != null)).toBe(true);
    expect(space.keepers.some(({ catchUp }) => (catchUp?.staged.length ?? 0) > 0)).toBe(true);
    expect(space.keepers.some(({ base }) => base.datums.some(({ key }) => key === 'x'))).toBe(true);
  });
});

describe('three peers with data', () => {
  const whole = (given: Partial<RegistryBounds>) => exploreRegistry(kernel, { ...SMALL_REGISTRY, ...given });

  test('keep all promises in every state of two terms', () => {
    const { states, ...outcome } = whole({ writes: [] });
    expect(outcome).toMatchObject({ violation: null, isExhausted: true, trace: [] });
    expect(states).toBeGreaterThan(3_000);
  });

  test('keep all promises as far as three thousand states go, with a crash and a base that lags', () => {
    expect(whole({ crashes: 1, lag: true, states: 3_000 })).toMatchObject({ violation: null });
  });

  test('keep all promises as far as three thousand states go, with no history but what is pinned', () => {
    expect(whole({ terms: 1, history: 0, states: 3_000 })).toMatchObject({ violation: null });
  });
});

/** The leader holds two batches and the third peer nothing; then the leader pins its base, for history is cut. */
const CAUGHT_UP: Partial<RegistryBounds> = {
  terms: 1,
  history: 150,
  messageSize: 1,
  writes: [{ key: 'x' }, { key: 'x' }],
  waypoints: [
    (peers) => {
      const isFar = peers.some(({ leads, base }) => leads !== null && base.revision.seq === 2);
      return (
        isFar && peers.some(({ term, since, batches }) => term === 1 && since.seq + batches.length === 0)
      );
    },
    (peers) => peers.some(({ leads }) => leads?.pinned?.revision.seq === 2),
  ],
};

/** Faults of the registry, and the least bounds within which each is found in short time. */
const PLANTED: readonly {
  readonly rule: string;
  readonly patch: readonly [file: string, find: string, replace: string];
  readonly bounds: Partial<RegistryBounds>;
  readonly violation: string;
  readonly depth: number;
}[] = [
  {
    rule: 'votes go only to a candidate whose last is not older',
    patch: [
      'core',
      'if (compareRevisions(revision, this.#newest) < 0) return this.#voteReply(false, now);',
      'if (revision.seq < 0) return this.#voteReply(false, now);',
    ],
    bounds: { writes: [] },
    violation: 'the leader of term 2 lacks what was committed: 1/1',
    depth: 8,
  },
  {
    rule: 'a follower folds only what its leader has committed',
    patch: ['registry', 'this.#fold(Math.min(data.committed.seq, match.seq))', 'this.#fold(match.seq)'],
    bounds: { writes: [], crashes: 1 },
    violation: 'what is committed, 1/1, is in the stores of no majority',
    depth: 4,
  },
  {
    rule: "a follower folds only what it knows to be its leader's",
    patch: [
      'registry',
      'this.#fold(Math.min(data.committed.seq, match.seq))',
      'this.#fold(Math.min(data.committed.seq, this.datums.last.seq))',
    ],
    bounds: { writes: [] },
    violation: 'a base differs from what is committed: 1/1',
    depth: 9,
  },
  {
    rule: 'prev is found by term and seq',
    patch: [
      'acceptance',
      'if (!datums.holds(from)) return null;',
      'if (datums.at(from.seq) === undefined) return null;',
    ],
    bounds: { writes: [], terms: 3 },
    violation: 'log matching: two histories meet again after they parted',
    depth: 10,
  },
  {
    rule: 'nothing is cut without a conflict',
    patch: ['acceptance', 'if (held === undefined || !sameRevision(held, revision)) {', '{'],
    bounds: { crashes: 1 },
    violation: 'what is committed, 1/2, is in the stores of no majority',
    depth: 7,
  },
  {
    rule: 'a batch is committed by a majority',
    patch: ['replication', 'matches[Math.floor(voters.length / 2)]', 'matches[0]'],
    bounds: { writes: [] },
    violation: 'what is committed, 1/1, is in the stores of no majority',
    depth: 3,
  },
  {
    rule: 'a write is answered once it is committed',
    patch: [
      'registry',
      'if (this.isCurrent) this.#writes.committed(this.datums.base.seq);',
      'this.#writes.committed(this.datums.last.seq);',
    ],
    bounds: {},
    violation: 'write 0 is told done, and is not committed',
    depth: 4,
  },
  {
    rule: 'a failed condition is answered once what it was judged on is committed',
    patch: [
      'writes',
      'ifTimestamp, known));\n      this.#wait(revision.seq, { id, result, isBatched: false });',
      "ifTimestamp, known));\n      this.#output({ type: 'answer', id, result });",
    ],
    bounds: { writes: [{ key: 'x' }, { key: 'x', ifTimestamp: 0 }] },
    violation: 'write 1 is told a conflict that is not committed',
    depth: 5,
  },
  {
    rule: 'conditions and timestamps are worked out on base plus whole tail',
    patch: ['writes', 'const present = this.#datums.newest(key);', 'const present = this.#datums.get(key);'],
    bounds: { terms: 1, writes: [{ key: 'x' }, { key: 'x' }] },
    violation: 'timestamp 1 of x comes back',
    depth: 7,
  },
  {
    rule: 'a timestamp never comes back',
    patch: ['writes', '?? this.#datums.stampFloor) + 1', '?? 0) + 1'],
    bounds: { terms: 1, writes: [{ key: 'x' }, { key: 'x', removes: true }, { key: 'x' }] },
    violation: 'timestamp 1 of x comes back',
    depth: 8,
  },
  {
    rule: 'the tail stays as it is while a catch-up runs',
    patch: [
      'registry',
      'this.#catchUp ??= new',
      'if (this.#catchUp === null && this.datums.last.seq > this.datums.base.seq) this.datums.cut(this.datums.base.seq + 1);\n    this.#catchUp ??= new',
    ],
    bounds: { history: 0 },
    violation: 'what is committed, 1/2, is in the stores of no majority',
    depth: 9,
  },
  {
    rule: 'a pinned base has the revision of its data',
    patch: [
      'datums',
      'this.#pinned = new Snapshot(this.#base,',
      'this.#pinned = new Snapshot(this.at(this.#base.seq - 1) ?? this.#base,',
    ],
    bounds: CAUGHT_UP,
    violation: 'a base differs from what is committed: 1/2',
    depth: 22,
  },
];

test.each(PLANTED)('a core that breaks this rule is found out: $rule', async (planted) => {
  const [name, find, replace] = planted.patch;
  const broken = await buildKernel([{ file: `core/${name}.ts`, find, replace }]);
  const bounds = { ...SMALL_REGISTRY, ...planted.bounds, states: 20_000 };
  const { violation, depth, trace } = exploreRegistry(broken, bounds);
  expect({ violation, depth }).toEqual({ violation: planted.violation, depth: planted.depth });
  expect(trace).toHaveLength(depth);
});
