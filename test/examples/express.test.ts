import { afterEach, expect, test } from 'vitest';
import { freeAddresses } from '../../src/cli/demo/addresses.js';
import { type Run, runExample, until } from '../runs.js';

interface Status {
  readonly ip: string;
  readonly leads: boolean;
  readonly leader: string | null;
  readonly cronRuns: number;
}

const runs = new Map<string, Run>();

afterEach(async () => {
  for (const run of runs.values()) await run[Symbol.asyncDispose]();
});

test('one Express process does the cron work, and hands it over at SIGTERM', async () => {
  const ips = await freeAddresses(3);
  for (const ip of ips) runs.set(ip, runExample('express.ts', [ip, ips.join(',')]));

  const first = await theOneAtWork(ips);
  const run = runs.get(first);
  run?.signal('SIGTERM');
  expect(await run?.ends(), run?.output).toBe(0);

  const rest = ips.filter((ip) => ip !== first);
  const second = await theOneAtWork(rest);
  expect(rest).toContain(second);
  expect(runs.get(second)?.output).toMatch(/cron run 1 with fencing token \d+/);

  for (const ip of rest) runs.get(ip)?.signal('SIGTERM');
  for (const ip of rest) expect(await runs.get(ip)?.ends(), runs.get(ip)?.output).toBe(0);
});

/** Waits until one of them leads, it has worked, and all know it. */
function theOneAtWork(ips: readonly string[]): Promise<string> {
  let last: unknown = null;
  return until(
    async () => {
      const all = await Promise.all(ips.map(status));
      last = all;
      const [leader, ...others] = all.filter((it) => it?.leads);
      if (leader === undefined || leader === null || others.length > 0 || leader.cronRuns === 0) return false;
      return all.every((it) => it?.leader === leader.ip) && leader.ip;
    },
    () => `one at work: ${JSON.stringify(last)}`,
  );
}

async function status(ip: string): Promise<Status | null> {
  try {
    return (await (await fetch(`http://${ip}/`)).json()) as Status;
  } catch {
    return null;
  }
}
