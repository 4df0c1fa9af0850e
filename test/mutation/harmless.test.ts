import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { HARMLESS } from './harmless.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

test.each([...HARMLESS])('a mutant that makes no difference is one of a line that is there: %s', (mutant) => {
  const file = mutant.slice(0, mutant.indexOf(': '));
  const lines = readFileSync(`${root}${file}`, 'utf8').split('\n');
  const starts = lines.map((line) => `${file}: ${line} => `.replace(/\s+/g, ' '));
  expect(starts.some((start) => mutant.startsWith(start))).toBe(true);
});
