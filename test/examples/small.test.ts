import { expect, test } from 'vitest';
import { runExample } from '../runs.js';

test('a cluster of one leads at once, does its job and stops', async () => {
  await using run = runExample('single.ts');
  expect(await run.ends()).toBe(0);
  expect(run.lines).toEqual([
    'me leads term 1',
    'the job that only one may do, with fencing token 1',
    'stopped',
  ]);
});

test('three processes elect leaders over a transport of twenty lines', async () => {
  await using run = runExample('custom-transport.ts');
  expect(await run.ends(), run.output).toBe(0);
  const [, second, first] = await run.says(/^parent: (\w+) took over, I killed (\w+)$/m);
  expect(second).not.toBe(first);
  expect(run.output).toMatch(new RegExp(`^${first}: I lead term \\d+$`, 'm'));
  expect(run.output).toMatch(new RegExp(`^${second}: I lead term \\d+$`, 'm'));
});
