import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import base from '../vitest.config.js';

/** Small rules first, recorded cases after them: most mutants fall early. */
class SmallFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const depth = ({ moduleId }: TestSpecification): number => moduleId.split('/').length;
    return files.toSorted((a, b) => depth(a) - depth(b));
  }
}

const TESTS: Readonly<Record<string, string[]>> = {
  core: ['test/core/**/*.test.ts'],
  node: ['test/node/**/*.test.ts', 'test/fuzz/{controller,decode}.test.ts'],
};

/** The tests that are quick, and know the sources as they stand: no sockets, no builds, no second copy of the core. */
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: TESTS[process.env['MUTATION_HALF'] ?? 'core'] ?? [],
    exclude: ['test/core/pure.test.ts'],
    sequence: { sequencer: SmallFirst },
    isolate: false,
    typecheck: { enabled: false },
    testTimeout: 5_000,
  },
});
