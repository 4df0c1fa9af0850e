/**
 * Installs the package as its users do, from what `npm pack` makes, and uses it as they do: by `import` and `require`, in Bun and
 * Deno, from bundles, by its command.
 *
 *     npm run installed
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build } from 'esbuild';
import { freeAddresses } from '../../../src/cli/demo/addresses.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** Runtimes that npm provides. */
const RUNTIMES = {
  bun: { version: '1.4.5', args: [] },
  deno: { version: '2.9.6', args: ['run', '--allow-all'] },
} as const;
const INSTALL = ['install', '--no-audit', '--no-fund', '--silent'] as const;
const PATIENCE_MS = 300_000;

const { exports, peerDependencies, version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const entries = Object.keys(exports)
  .filter((name) => name !== './package.json')
  .map((name) => name.replace('.', 'raftbeat'));
const folder = mkdtempSync(join(tmpdir(), 'raftbeat-installed-'));
const tools = mkdtempSync(join(tmpdir(), 'raftbeat-tools-'));
let failures = 0;

/** Runs a command in the project of the user; returns what it printed. @throws when it fails */
function run(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: PATIENCE_MS,
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error ?? `${stdout}\n${stderr}`}`);
  return stdout;
}

/** Does what must succeed, and tells whether it did. */
async function check(name: string, does: () => Promise<string> | string, expected: string): Promise<void> {
  try {
    const printed = (await does()).trim();
    if (printed !== expected) throw new Error(`it printed '${printed}', and not '${expected}'`);
    console.log(`ok       ${name}`);
  } catch (error) {
    failures++;
    console.log(`NOT OK   ${name}\n${error instanceof Error ? error.message : error}`);
  }
}

/** What a user's project is made of. */
function install(): void {
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  run('npm', ['pack', ROOT, '--pack-destination', folder, '--silent']);
  const [tarball = ''] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  run('npm', [...INSTALL, `./${tarball}`]);
  // What is optional for the package. No npm may follow: it would clean up what it finds at the other end of the links.
  for (const name of [...Object.keys(peerDependencies), '@types/node', '@types/ws']) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), link);
  }
  for (const name of ['program.mjs', 'page.mjs'])
    copyFileSync(fileURLToPath(new URL(name, import.meta.url)), join(folder, name));
}

/** A program that gets each of the entries by `get`. */
function getting(get: string): string {
  return `async function main() {
    for (const name of ${JSON.stringify(entries)})
      if (Object.keys(await ${get}(name)).length === 0) throw new Error(name + ' is empty');
    console.log('imported');
  }
  main();`;
}

async function bundled(entry: string, options: BuildOptions): Promise<string> {
  const outfile = join(folder, `bundle-of-${entry}.cjs`);
  const entryPoints = [join(folder, entry)];
  await build({ entryPoints, outfile, bundle: true, format: 'cjs', logLevel: 'error', ...options });
  return outfile;
}

/** The program of a runtime; null when npm does not provide it here. */
function provided(name: keyof typeof RUNTIMES): string | null {
  const program = join(tools, 'node_modules/.bin', name);
  try {
    run('npm', [...INSTALL, '--prefix', tools, `${name}@${RUNTIMES[name].version}`]);
    run(program, ['--version']);
    return program;
  } catch (error) {
    console.log(`skipped  ${name}: npm does not provide it here: ${String(error).split('\n', 1)}`);
    return null;
  }
}

async function checkRuntime(name: keyof typeof RUNTIMES): Promise<void> {
  const program = provided(name);
  if (program === null) return;
  const { args } = RUNTIMES[name];
  await check(`${name}, imports`, () => run(program, [...args, 'imports.mjs']), 'imported');
  const ips = await freeAddresses(3);
  await check(`${name}, an election`, () => run(program, [...args, 'program.mjs', ...ips]), 'elected');
}

async function checkAll(): Promise<void> {
  install();
  writeFileSync(join(folder, 'imports.mjs'), getting('import'));
  writeFileSync(join(folder, 'requires.cjs'), getting('require'));
  writeFileSync(
    join(folder, 'types.ts'),
    entries.map((name, at) => `export * as e${at} from '${name}';\n`).join(''),
  );
  await check('node, import', () => run(process.execPath, ['imports.mjs']), 'imported');
  await check('node, require', () => run(process.execPath, ['--no-warnings', 'requires.cjs']), 'imported');
  const ips = await freeAddresses(3);
  await check('node, an election', () => run(process.execPath, ['program.mjs', ...ips]), 'elected');
  await check('the command', () => run('npx', ['raftbeat', '--version']), version);
  const tsc = [join(ROOT, 'node_modules/typescript/bin/tsc'), '--noEmit', '--strict', '--target', 'es2023'];
  for (const module of [['NodeNext'], ['ESNext', '--moduleResolution', 'bundler']])
    await check(
      `types, ${module.at(-1)}, libraries checked as well`,
      () => run(process.execPath, [...tsc, '--types', 'node', '--module', ...module, 'types.ts']),
      '',
    );
  await check(
    'bundled for node',
    async () => run(process.execPath, [await bundled('program.mjs', { platform: 'node' }), ...ips]),
    'elected',
  );
  await check(
    'bundled for browsers',
    async () => run(process.execPath, [await bundled('page.mjs', { platform: 'browser', minify: true })]),
    'elected',
  );
  await checkRuntime('bun');
  await checkRuntime('deno');
}

try {
  await checkAll();
} finally {
  for (const made of [folder, tools]) rmSync(made, { recursive: true, force: true });
}
process.exitCode = failures === 0 ? 0 : 1;
