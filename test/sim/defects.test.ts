import { describe, expect, test } from 'vitest';
import { DEFECTS } from './defects.js';
import { findDefect, runSeed } from './find.js';
import { buildPatched, patched } from './patched.js';

/** What is found within so many seeds is found here, too; the rest by `find.ts`, which takes longer. */
const QUICK_SEEDS = 12;

describe('a defect that is put into the code on purpose', () => {
  const quick = DEFECTS.filter(({ foundBy }) => foundBy.by === 'simulator' && foundBy.seed <= QUICK_SEEDS);

  test.each(quick)('is found: $name', async (defect) => {
    const { report } = await findDefect(defect, { maxSeeds: 4 * QUICK_SEEDS, maxMs: 50_000 });
    expect(report?.violations.length).toBeGreaterThan(0);
  });
});

describe('a patched build', () => {
  test('without patches runs as the source does', async () => {
    const nodes = await buildPatched([]);
    expect((await runSeed(3, nodes)).hash).toBe((await runSeed(3)).hash);
  });

  test('is possible for every defect', async () => {
    for (const { patches } of DEFECTS) await buildPatched(patches);
  });

  test('is refused when a patch fits no place, or more than one', () => {
    const patch = { file: 'a.ts', find: 'x', replace: 'y' };
    expect(patched('a.ts', 'axa', [patch])).toBe('aya');
    expect(patched('b.ts', 'xx', [patch])).toBe('xx');
    expect(() => patched('a.ts', 'aaa', [patch])).toThrow('0 places');
    expect(() => patched('a.ts', 'xax', [patch])).toThrow('2 places');
  });
});
