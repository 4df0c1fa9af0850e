import { describe, expect, test } from 'vitest';
import { scenario } from './defect.js';
import { build, find, runSeed } from './find.js';
import { DEFECTS } from './list.js';
import { patched } from './patches.js';

/** The run with a registry that stands for all of them: each takes as long as many others. */
const WITH_REGISTRY = 'a follower applies what it gets before it is committed';

/** What takes the model checker longer than the others together: `npm run defects` runs it. */
const SLOW = ['drift', 'late transfer order', 'D2', 'earlier term', 'votes again'];

describe('a defect that is put into the code on purpose is found', () => {
  const cases = DEFECTS.flatMap((defect) => defect.foundBy.map((finder) => ({ ...defect, ...finder })));
  const quick = cases.filter(({ name, ...finder }) => {
    if (finder.by === 'simulator') return finder.preset.registry !== true || name === WITH_REGISTRY;
    return finder.by !== 'model' || !SLOW.some((slow) => name.includes(slow));
  });

  test.each(quick)('by the $by: $name', async ({ patches, ...finder }) => {
    expect((await find(finder, patches)).what).not.toBeNull();
  });

  test.each(DEFECTS)('which fits the code as it is: $name', async ({ patches }) => {
    await expect(build(patches)).resolves.toMatchObject({ nodes: expect.any(Function) });
  });

  test('each by something', () => {
    expect(DEFECTS.filter(({ foundBy }) => foundBy.length === 0)).toEqual([]);
  });
});

describe('a build', () => {
  test('without patches runs as the source does', async () => {
    expect((await runSeed(3, {}, await build([]))).hash).toBe((await runSeed(3)).hash);
  });

  test('without patches is found to have no defect', async () => {
    const finders = DEFECTS.flatMap(({ foundBy }) => foundBy);
    const names = new Set(finders.flatMap((finder) => (finder.by === 'scenario' ? finder.name : [])));
    for (const name of names) expect(await find(scenario(name), [])).toMatchObject({ what: null });
  });

  test('is refused when a patch fits no place, more than one, or no file', async () => {
    const patch = { file: 'a.ts', find: 'x', replace: 'y' };
    expect(patched('a.ts', 'axa', [patch])).toBe('aya');
    expect(patched('b.ts', 'xx', [patch])).toBe('xx');
    expect(() => patched('a.ts', 'aaa', [patch])).toThrow('0 places');
    expect(() => patched('a.ts', 'xax', [patch])).toThrow('2 places');
    await expect(build([patch])).rejects.toThrow('no file a.ts');
  });
});
