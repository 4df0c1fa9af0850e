import { createHash } from 'node:crypto';
import { CheckStatus } from '@stryker-mutator/api/check';
import { declareValuePlugin, PluginKind } from '@stryker-mutator/api/plugin';

const { MUTATION_SAMPLE: size, MUTATION_SEED: seed } = process.env;

/** Lets through so many mutants of each file, drawn by the seed; the same seed draws the same ones. */
const sample = {
  async init() {},

  async group(mutants) {
    return [mutants.map(({ id }) => id)];
  },

  async check(mutants) {
    const drawn = new Set();
    for (const file of new Set(mutants.map(({ fileName }) => fileName))) {
      const all = mutants.filter(({ fileName }) => fileName === file);
      for (const { id } of all.toSorted(byLot).slice(0, Number(size))) drawn.add(id);
    }
    return Object.fromEntries(mutants.map(({ id }) => [id, drawn.has(id) ? PASSED : LEFT_OUT]));
  },
};

const PASSED = { status: CheckStatus.Passed };
/** A check can let a mutant pass, or say that it does not compile: `run.ts` counts none of those. */
const LEFT_OUT = { status: CheckStatus.CompileError, reason: 'not in the sample' };

const byLot = (a, b) => (lotOf(a) < lotOf(b) ? -1 : 1);

function lotOf({ location, replacement }) {
  return createHash('sha256')
    .update(JSON.stringify([seed, location, replacement]))
    .digest('hex');
}

export const strykerPlugins = [declareValuePlugin(PluginKind.Checker, 'sample', sample)];
