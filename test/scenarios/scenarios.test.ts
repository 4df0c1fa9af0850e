import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { rerun } from './runner.js';

const CASES = new URL('cases/', import.meta.url);

/** `UPDATE=1` writes down what happens now, for review. */
const UPDATES = process.env['UPDATE'] === '1';

describe('scenarios', () => {
  const names = readdirSync(CASES).filter((name) => name.endsWith('.txt'));

  test.each(names)('%s happens as it is written', (name) => {
    const file = new URL(name, CASES);
    const text = readFileSync(file, 'utf8');
    const happened = rerun(text);
    if (UPDATES) writeFileSync(file, happened);
    else expect(happened).toBe(text);
  });

  test.each(names)('%s says in its first line what it shows', (name) => {
    expect(readFileSync(new URL(name, CASES), 'utf8').split('\n', 1)[0]).toMatch(/^# [A-Z].*\.$/);
  });
});
