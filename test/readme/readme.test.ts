import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** Inside the package, so that `raftbeat` means this very package. */
const folder = `${root}test/readme/.snippets/`;
const readme = readFileSync(`${root}README.md`, 'utf8');
const snippets = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code as string);

/** Free ports instead of 7001, 7002 and 7003. */
async function write(name: string, code: string): Promise<string> {
  const ports = await Promise.all([1, 2, 3].map(freePort));
  mkdirSync(folder, { recursive: true });
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

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('README', () => {
  test('its snippets compile', async () => {
    for (const [at, code] of snippets.entries()) await write(`snippet-${at}`, code);
    writeFileSync(
      `${folder}tsconfig.json`,
      JSON.stringify({
        extends: '../../../tsconfig.json',
        compilerOptions: { lib: ['ES2023', 'ESNext.Disposable'], noUnusedLocals: false, paths: {} },
        include: ['./*.ts'],
      }),
    );
    const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url));
    const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
    expect(status, stdout).toBe(0);
  });

  test('its first program elects one leader of three processes, and only that one does the job', async () => {
    const file = await write('first', snippets[0] as string);
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

  const others = snippets.slice(1).map((code, at) => [at + 1, code] as const);
  test.each(others)('its snippet %i runs to its end', async (at, code) => {
    const { exit, text } = run(await write(`snippet-${at}`, code));
    const exitCode = await exit;
    expect(exitCode, text()).toBe(0);
    expect(text()).not.toBe('');
  });

  test('every local link of it leads somewhere', () => {
    for (const [, path] of readme.matchAll(/\]\((?!#|https?:)([^)]+)\)/g))
      expect(() => readFileSync(root + path)).not.toThrow();
    const headings = [...readme.matchAll(/^#+ (.*)$/gm)].map(([, text]) =>
      (text as string)
        .toLowerCase()
        .replaceAll(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    );
    for (const [, anchor] of readme.matchAll(/\]\(#([^)]+)\)/g)) expect(headings).toContain(anchor);
  });
});
