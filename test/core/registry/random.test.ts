import { checkLinearizable, type RegistryOperation } from 'raftbeat/testing';
import { describe, expect, test } from 'vitest';
import { A, B, C, D, E } from '../cluster.js';
import { Chaos } from './chaos.js';

/** How many runs, and the first of them; set them to look further. */
const SEEDS = Number(process.env['SEEDS'] ?? 6);
const FIRST = Number(process.env['SEED'] ?? 1);

describe.each([
  { of: 'three', ips: [A, B, C] },
  { of: 'five', ips: [A, B, C, D, E] },
])('whatever happens to a registry of $of peers', ({ ips }) => {
  test.each(Array.from({ length: SEEDS }, (_, at) => FIRST + at))(
    'the same revision is the same base, what was acknowledged stays, what was refused never shows, and each key is linearizable: seed %i',
    (seed) => {
      const chaos = new Chaos(seed, ips);
      chaos.run(20_000);
      expect(chaos.ends.size).toBe(1);
      expect(checkLinearizable(chaos.operations as RegistryOperation[])).toEqual({ ok: true });
      expect(chaos.outcomes.get('publish done')).toBeGreaterThan(20);
    },
  );
});
