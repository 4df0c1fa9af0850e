import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Guarded } from '../../examples/fencing/guarded.js';
import { inPostgres } from '../../examples/fencing/postgres.js';
import { inRedis } from '../../examples/fencing/redis.js';
import { inS3 } from '../../examples/fencing/s3.js';
import { freeAddresses } from '../../src/cli/demo/addresses.js';
import { hasPostgres, startPostgres } from '../brokers/postgres.js';
import { REDIS, Server } from '../brokers/server.js';
import { isInstalled } from '../debian.js';
import { type Run, runExample, until } from '../runs.js';

interface Store {
  readonly url: string;
  end(): Promise<void>;
}

/** One object, with the conditional writes of S3. */
async function startS3(): Promise<Store> {
  let object: { readonly etag: string; readonly body: string } | null = null;
  let writes = 0;
  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const chunks = await req.toArray();
    if (req.method === 'GET' && object === null) res.writeHead(404).end();
    else if (req.method === 'GET') res.writeHead(200, { etag: object?.etag ?? '' }).end(object?.body);
    else if (req.headers['if-none-match'] === '*' && object !== null) res.writeHead(412).end();
    else if (req.headers['if-match'] !== object?.etag) res.writeHead(412).end();
    else {
      object = { etag: `"${++writes}"`, body: Buffer.concat(chunks).toString() };
      res.writeHead(200).end();
    }
  };
  const server = createServer((req, res) => void answer(req, res)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/report`, end: async () => void server.close() };
}

async function startRedis(): Promise<Store> {
  const server = await Server.start(REDIS);
  return { url: `redis://${server.address}`, end: () => server.end() };
}

const KINDS = [
  { name: 'Redis', isThere: await isInstalled('redis-server'), start: startRedis, open: inRedis },
  { name: 'PostgreSQL', isThere: await hasPostgres(), start: startPostgres, open: inPostgres },
  { name: 'an object store', isThere: true, start: startS3, open: inS3 },
];

for (const kind of KINDS) describe.skipIf(!kind.isThere)(`A report in ${kind.name}`, () => fences(kind));

/** What holds for a store of any kind. */
function fences({ start, open }: (typeof KINDS)[number]): void {
  let store: Store;
  const opened: Guarded[] = [];
  const runs: Run[] = [];

  beforeEach(async () => {
    store = await start();
  });
  afterEach(async () => {
    for (const run of runs.splice(0)) await run[Symbol.asyncDispose]();
    for (const each of opened.splice(0)) await each.close();
    await store.end();
  });

  async function newReport(): Promise<Guarded> {
    const report = await open(store.url);
    opened.push(report);
    return report;
  }

  test('is not written with a token below that of the last write, and keeps what it is', async () => {
    const report = await newReport();
    expect(await report.read()).toBeNull();
    expect(await report.write(3, 'a')).toBe(true);
    expect(await report.write(3, 'b')).toBe(true);
    expect(await report.write(2, 'late')).toBe(false);
    expect(await report.read()).toEqual({ token: 3, value: 'b' });
    expect(await report.write(4, 'c')).toBe(true);
    expect(await report.read()).toEqual({ token: 4, value: 'c' });
  });

  test('of many writers at the same time ends with one of the highest token', async () => {
    const reports = await Promise.all([newReport(), newReport(), newReport()]);
    const tokens = [10, 11, 12, 13, 14, 15];
    const writes = reports.flatMap((report, at) =>
      tokens.map((token) => report.write(token, `${token} by ${at}`)),
    );
    await Promise.all(writes);
    expect(await reports[0].read()).toMatchObject({ token: 15, value: expect.stringMatching(/^15 by/) });
  });

  test('refuses what a leader writes that was paused while another one led', async () => {
    const ips = await freeAddresses(3);
    runs.push(...ips.map((ip) => runExample('fencing.ts', [ip, ips.join(), store.url])));
    const writer = (others: readonly Run[]): Promise<Run> =>
      until(
        () => others.find(({ output }) => output.includes('wrote line 1')) ?? null,
        () => `a report in\n${others.map(({ output }) => output).join('---\n')}`,
      );
    const first = await writer(runs);
    await until(
      () => /works on line \d+\n$/.test(first.output),
      () => `work in\n${first.output}`,
    );
    first.signal('SIGSTOP');
    await writer(runs.filter((run) => run !== first));
    first.signal('SIGCONT');
    const [, refused] = await first.says(/refused: token (\d+) is out of date/);
    const { token } = (await (await newReport()).read()) ?? { token: 0 };
    expect(token).toBeGreaterThan(Number(refused));
  });
}
