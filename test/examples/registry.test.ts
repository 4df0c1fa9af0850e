import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isAlive, type Run, runExample, until } from '../runs.js';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'raftbeat-test-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

test('each of three services is killed and comes back, and no acknowledged order is lost', async () => {
  await using run = runRegistry();
  expect(await run.ends(), run.output).toBe(0);
  const killed = [...run.output.matchAll(/s {2}(\S+) is killed, pid (\d+)/g)];
  expect(new Set(killed.map(([, ip]) => ip)).size).toBe(3);
  for (const [, ip, pid] of killed) {
    const ofService = run.lines.filter((line) => line.includes(`service/${ip} is `));
    expect(ofService.map((line) => line.replace(/.* is /, ''))).toEqual([
      `{"pid":${pid}}`,
      'removed',
      expect.stringMatching(/^\{"pid":\d+\}$/),
    ]);
  }
  expect(run.lines.slice(-2)).toEqual([
    expect.stringMatching(/^[1-9]\d* orders were acknowledged, 0 of them are lost$/),
    'ok',
  ]);
  await expectNothingLeft(run);
});

test('SIGINT ends the example, and leaves nothing behind', async () => {
  await using run = runRegistry();
  await run.says(/ starts again/);
  run.signal('SIGINT');
  expect(await run.ends(), run.output).toBe(130);
  await expectNothingLeft(run);
});

test('the example fails when a service dies that should not, and leaves nothing behind', async () => {
  await using run = runRegistry();
  const [, victim] = await run.says(/"pid":(\d+)/);
  process.kill(Number(victim), 'SIGKILL');
  expect(await run.ends(), run.output).toBe(1);
  expect(run.lines.at(-1)).toMatch(/^NOT OK: the process of 127\.0\.0\.1:\d+ ended unexpectedly: SIGKILL$/);
  await expectNothingLeft(run);
});

test('its services end with the example, also when that is killed', async () => {
  await using run = runRegistry();
  await run.says(/"pid":/);
  run.signal('SIGKILL');
  expect(await run.ends()).toBe(null);
  await until(
    () => !pidsOf(run).some(isAlive),
    () => `the end of ${pidsOf(run).filter(isAlive)}`,
  );
});

function runRegistry(): Run {
  return runExample('registry.ts', [], { TMPDIR: directory });
}

function pidsOf({ output }: Run): number[] {
  return [...output.matchAll(/pid"?:? ?(\d+)/g)].map(([, pid]) => Number(pid));
}

async function expectNothingLeft(run: Run): Promise<void> {
  expect(pidsOf(run).filter(isAlive)).toEqual([]);
  const files = await readdir(directory);
  expect(files.filter((name) => name.startsWith('raftbeat-'))).toEqual([]);
}
