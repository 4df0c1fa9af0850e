import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isAlive, Run, until } from '../runs.js';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'raftbeat-test-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

test('the demo shows what it promises, and leaves nothing behind', async () => {
  await using demo = runDemo();
  const startedAt = performance.now();
  expect(await demo.ends(), demo.output).toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(30_000);

  const story = demo.lines.map((line) => line.replace(/^ *[\d.]+ s {2}(127\.0\.0\.1:\d+)?/, ''));
  const chapters = story.filter((line) => /^ (is|starts again|goes on)/.test(line));
  expect(chapters).toEqual([
    ' is elected',
    ' is killed: SIGKILL',
    ' is elected',
    ' starts again',
    ' is back, as a follower',
    ' is stopped: SIGSTOP',
    ' is elected',
    ' goes on: SIGCONT',
    ' is awake, and follows',
  ]);
  expect(demo.lines.slice(-5)).toEqual([
    expect.stringMatching(/^kill -9 -> new leader +\d+ ms$/),
    expect.stringMatching(/^SIGSTOP -> new leader +\d+ ms$/),
    expect.stringMatching(/^woke up after \d+ ms: isLeader\(\) === false at its first statement$/),
    expect.stringMatching(/^longest overlap of two leaders +0 ms$/),
    'ok',
  ]);
  expect(new Set(pidsOf(demo)).size).toBe(4);
  await expectNothingLeft(demo);
});

test.each([
  ['SIGINT', 'while one of its processes is stopped', / is stopped: SIGSTOP/, 130],
  ['SIGINT', 'while its processes start', /(pid \d+[\s\S]*){3}/, 130],
  ['SIGTERM', 'while all is well', / is elected/, 143],
] as const)('%s %s ends the demo, and leaves nothing behind', async (signal, _, when, exitCode) => {
  await using demo = runDemo();
  await demo.says(when);
  demo.signal(signal);
  expect(await demo.ends(), demo.output).toBe(exitCode);
  await expectNothingLeft(demo);
});

test('the demo fails when a process dies that should not, and leaves nothing behind', async () => {
  await using demo = runDemo();
  await demo.says(/ is elected/);
  const [victim = Number.NaN] = pidsOf(demo);
  process.kill(victim, 'SIGKILL');
  expect(await demo.ends(), demo.output).toBe(1);
  expect(demo.lines.at(-1)).toMatch(/^NOT OK: the process of 127\.0\.0\.1:\d+ ended unexpectedly: SIGKILL$/);
  await expectNothingLeft(demo);
});

test('its processes end with the demo, also when that is killed', async () => {
  await using demo = runDemo();
  await demo.says(/ is elected/);
  demo.signal('SIGKILL');
  expect(await demo.ends()).toBe(null);
  await until(
    () => !pidsOf(demo).some(isAlive),
    () => `the end of ${pidsOf(demo).filter(isAlive)}`,
  );
});

function runDemo(): Run {
  return new Run(['dist/cli/main.js', 'demo'], { TMPDIR: directory });
}

function pidsOf({ output }: Run): number[] {
  return [...output.matchAll(/ pid (\d+) /g)].map(([, pid]) => Number(pid));
}

async function expectNothingLeft(demo: Run): Promise<void> {
  expect(pidsOf(demo).filter(isAlive)).toEqual([]);
  const files = await readdir(directory);
  expect(files.filter((name) => name.startsWith('raftbeat-'))).toEqual([]);
}
