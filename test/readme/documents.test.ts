import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anchorsOf, DOCUMENTS, linksOf, ROOT, type Snippet } from './documents.js';

/** Inside the package, so that `raftbeat` means this very package. */
const folder = `${ROOT}test/readme/.snippets/`;

/** Writes it down, with free ports instead of 7001, 7002 and 7003. */
async function write({ name, code }: Snippet): Promise<string> {
  const ports = await Promise.all([1, 2, 3].map(freePort));
  const file = `${folder}${name}.ts`;
  writeFileSync(
    file,
    code.replaceAll(/\b700([123])\b/g, (_, at) => String(ports[Number(at) - 1])),
  );
  return file;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

interface Run {
  readonly child: ChildProcess;
  /** What it printed until now. */
  text(): string;
  readonly exit: Promise<number | null>;
}

/** Runs `file`; tells `printed` whenever it prints. */
function run(file: string, args: readonly string[] = [], printed: () => void = () => {}): Run {
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...args], { cwd: folder });
  let text = '';
  const read = (chunk: Buffer): void => {
    text += chunk.toString();
    printed();
  };
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  return { child, text: () => text, exit: new Promise((resolve) => child.on('close', resolve)) };
}

beforeAll(() => mkdirSync(folder, { recursive: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const snippets = DOCUMENTS.flatMap((document) => document.snippets);
const first = snippets[0] as Snippet;

test('The snippets of all documents compile', async () => {
  for (const snippet of snippets) await write(snippet);
  writeFileSync(
    `${folder}tsconfig.json`,
    JSON.stringify({
      extends: '../../../tsconfig.json',
      compilerOptions: { lib: ['ES2023', 'ESNext.Disposable'], noUnusedLocals: false, paths: {} },
      include: ['./*.ts', '../untyped.d.ts'],
    }),
  );
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
  expect(status, stdout).toBe(0);
});

test('The first program of the README elects one leader of three processes, and only that one does the job', async () => {
  const file = await write(first);
  const members = [...readFileSync(file, 'utf8').matchAll(/'(127\.0\.0\.1:\d+)'/g)].map(
    ([, ip]) => ip as string,
  );
  const ips = [...new Set(members)];
  expect(ips).toHaveLength(3);
  const job = /the job that only one may do, (\d+)/g;
  const runs: Run[] = [];
  const allKnow = (): boolean =>
    runs.length === 3 && runs.every(({ text }) => text().includes('leads in term'));
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (allKnow() && runs.some(({ text }) => text().includes('the job'))) resolve();
    };
    for (const ip of ips) runs.push(run(file, [ip], look));
  });
  for (const { child } of runs) child.kill('SIGKILL');
  await Promise.all(runs.map(({ exit }) => exit));
  const tokens = runs.flatMap(({ text }) => [...text().matchAll(job)].map(([, token]) => token));
  expect(new Set(tokens).size).toBe(tokens.length);
});

test.each(snippets.filter((snippet) => snippet.runs && snippet !== first))(
  'The snippet $name runs to its end',
  async (snippet) => {
    const { exit, text } = run(await write(snippet));
    const exitCode = await exit;
    expect(exitCode, text()).toBe(0);
    expect(text()).not.toBe('');
  },
);

describe.each(DOCUMENTS)('$path', (document) => {
  test('every local link of it leads somewhere', () => {
    for (const { to, anchor } of linksOf(document)) {
      const target = readFileSync(join(ROOT, to), 'utf8');
      if (anchor !== '') expect(anchorsOf(target), to).toContain(anchor);
    }
  });
});
