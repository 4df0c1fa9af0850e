import { afterEach, describe, expect, test } from 'vitest';
import { freeAddresses } from '../../src/cli/demo/addresses.js';
import { REDIS, Server } from '../brokers/server.js';
import { isInstalled } from '../debian.js';
import { type Run, runExample, until } from '../runs.js';

const started: AsyncDisposable[] = [];

afterEach(async () => {
  for (const each of started.splice(0)) await each[Symbol.asyncDispose]();
});

/** Three processes of an example. */
async function three(example: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
  const ips = await freeAddresses(3);
  const runs = new Map(ips.map((ip) => [ip, runExample(example, [ip, ips.join(), ...args], env)]));
  started.push(...runs.values());
  return runs;
}

/** Waits until one of them says `what`; returns its address. */
function theOneThatSays(runs: ReadonlyMap<string, Run>, what: RegExp): Promise<string> {
  return until(
    () => [...runs].find(([, { output }]) => what.test(output))?.[0] ?? null,
    () => `${what} in\n${[...runs.values()].map(({ output }) => output).join('---\n')}`,
  );
}

test('A service with the plugin for Fastify sends who asks a follower to the leader, and hands over at its end', async () => {
  const runs = await three('fastify.ts');
  const leader = async (ips: readonly string[]): Promise<string> =>
    until(
      async () => {
        for (const ip of ips) {
          const answer = await fetch(`http://${ip}/`).catch(() => null);
          const status = (await answer?.json()) as { readonly leads: boolean } | undefined;
          if (status?.leads) return ip;
        }
        return null;
      },
      () => 'a leader',
    );
  const first = await leader([...runs.keys()]);
  for (const ip of runs.keys()) {
    const answer = await until(
      async () => {
        const response = await fetch(`http://${ip}/jobs`, { method: 'POST' });
        return response.ok && response.json();
      },
      () => `a job by ${ip}`,
    );
    expect(answer).toEqual({ doneBy: first, fencingToken: expect.any(Number) });
  }
  runs.get(first)?.signal('SIGTERM');
  expect(await runs.get(first)?.ends(), runs.get(first)?.output).toBe(0);
  runs.delete(first);
  expect(await leader([...runs.keys()])).not.toBe(first);
});

describe.each([
  ['node-cron', 'node-cron.ts', {}],
  ['NestJS', 'nestjs/main.ts', { TSX_TSCONFIG_PATH: 'examples/nestjs/tsconfig.json' }],
])('A schedule of %s', (_, example, env) => {
  test('runs on the leader only, and on the next one when it ends', async () => {
    const runs = await three(example, [], env);
    const first = await theOneThatSays(runs, /the job/);
    runs.get(first)?.signal('SIGTERM');
    await runs.get(first)?.ends();
    const rest = new Map([...runs].filter(([ip]) => ip !== first));
    expect([...rest.values()].filter(({ output }) => /the job/.test(output))).toEqual([]);
    await theOneThatSays(rest, /the job/);
  });
});

test.runIf(await isInstalled('redis-server'))(
  'A queue of BullMQ is filled by the leader, and worked off by all',
  async () => {
    const redis = await Server.start(REDIS);
    started.push({ [Symbol.asyncDispose]: () => redis.end() });
    const runs = await three('bullmq.ts', [`redis://${redis.address}`]);
    const first = await theOneThatSays(runs, /fills the queue, with token \d+/);
    for (const run of runs.values()) await run.says(/worked off report-\d+/);
    runs.get(first)?.signal('SIGTERM');
    expect(await runs.get(first)?.ends(), runs.get(first)?.output).toBe(0);
    runs.delete(first);
    await theOneThatSays(runs, /fills the queue/);
  },
);
