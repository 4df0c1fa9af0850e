import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { Stryker } from '@stryker-mutator/core';
import { HARMLESS } from './harmless.js';

type MutantResult = Awaited<ReturnType<Stryker['runMutationTest']>>[number];

/** The least share of mutants, in percent, that the tests must kill. */
const THRESHOLD = 90;

/** The halves of the sources: the mutants of each are for its own tests to kill. */
const HALVES = ['core', 'node'] as const;

const { values } = parseArgs({
  options: { mutate: { type: 'string' }, sample: { type: 'string' }, seed: { type: 'string', default: '1' } },
});
const wanted = values.mutate?.split(',') ?? HALVES.map((half) => `src/${half}/**/*.ts`);

const mutants: MutantResult[] = [];
for (const half of HALVES) mutants.push(...(await runHalf(half)));
// What the types exclude no test needs to.
report(mutants.filter(({ status }) => status !== 'Ignored' && status !== 'CompileError'));

/** Breaks those of the wanted files that are in `half`, one place at a time, and runs its tests. */
async function runHalf(half: (typeof HALVES)[number]): Promise<readonly MutantResult[]> {
  const mutate = wanted.filter((path) => path.startsWith(`src/${half}/`));
  if (mutate.length === 0) return [];
  process.env['MUTATION_HALF'] = half;
  process.env['MUTATION_SAMPLE'] = values.sample ?? '';
  process.env['MUTATION_SEED'] = values.seed;
  const work = mkdtempSync(join(tmpdir(), 'raftbeat-mutation-'));
  try {
    const stryker = new Stryker({
      mutate,
      testRunner: 'vitest',
      vitest: { configFile: 'test/mutation/vitest.config.ts', related: false },
      plugins: [
        '@stryker-mutator/vitest-runner',
        '@stryker-mutator/typescript-checker',
        './test/mutation/texts.mjs',
        './test/mutation/sample.mjs',
      ],
      ignorers: ['texts'],
      checkers: values.sample === undefined ? ['typescript'] : ['sample', 'typescript'],
      tsconfigFile: 'test/mutation/tsconfig.json',
      typescriptChecker: { prioritizePerformanceOverAccuracy: true },
      ignorePatterns: ['/dist', '/coverage'],
      tempDirName: join(work, 'sandbox'),
      coverageAnalysis: 'perTest',
      concurrency: 1,
      // Generous: a mutant is to fail a test, not to run out of time on a machine that is busy.
      timeoutMS: 20_000,
      reporters: ['progress-append-only'],
      allowEmpty: false,
    });
    return await stryker.runMutationTest();
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Names who survived, then the share of each file, and last, in one line, that of all. */
function report(all: readonly MutantResult[]): void {
  const survivors = all.filter((mutant) => !isKilled(mutant));
  const unexplained = survivors.filter((mutant) => !HARMLESS.has(keyOf(mutant)));
  for (const mutant of unexplained) console.log(`survived: ${keyOf(mutant)}`);
  for (const file of new Set(all.map(fileOf))) {
    console.log(`${file}: ${shareOf(all.filter((mutant) => fileOf(mutant) === file))}`);
  }
  const estimate =
    values.sample === undefined ? '' : `, estimated by ${values.sample} a file, seed ${values.seed}`;
  const explained = survivors.length - unexplained.length;
  console.log(
    `mutation${estimate}: ${shareOf(all)}; survivors: ${explained} known to be harmless, ${unexplained.length} others`,
  );
  if (percentOf(all) < THRESHOLD) process.exitCode = 1;
}

function isKilled({ status }: MutantResult): boolean {
  return status === 'Killed' || status === 'Timeout';
}

function percentOf(all: readonly MutantResult[]): number {
  return (100 * all.filter(isKilled).length) / all.length;
}

function shareOf(all: readonly MutantResult[]): string {
  return `${percentOf(all).toFixed(1)} % of ${all.length} mutants killed`;
}

function fileOf({ fileName }: MutantResult): string {
  return relative(process.cwd(), fileName);
}

/** The line that was changed, and what it became: `src/core/a.ts: if (a < 0) return; => if (true) return;`. */
function keyOf(mutant: MutantResult): string {
  const { start, end } = mutant.location;
  const line = readFileSync(mutant.fileName, 'utf8').split('\n')[start.line - 1] ?? '';
  const rest = start.line === end.line ? line.slice(end.column - 1) : '';
  const mutated = `${line.slice(0, start.column - 1)}${mutant.replacement}${rest}`;
  return `${fileOf(mutant)}: ${line} => ${mutated}`.replace(/\s+/g, ' ');
}
