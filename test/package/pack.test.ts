import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const { exports, bin } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));

/** What `npm publish` would send; nothing is built anew, as other tests use what is built. */
const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
const [{ files }] = JSON.parse(execFileSync('npm', args, { cwd: root, encoding: 'utf8', stdio: 'pipe' }));
const paths: readonly string[] = files.map(({ path }: { path: string }) => path);

/** Everything that a user gets. */
const ALLOWED = [
  /^package\.json$/,
  /^README\.md$/,
  /^LICENSE$/,
  /^CHANGELOG\.md$/,
  /^dist\/(?:[\w-]+\/)*[\w-]+(?:\.js|\.d\.ts)$/,
  /^dist\/observe\/status-page\.html$/,
];

test('the package contains nothing but what is built, and what is to be read', () => {
  expect(paths.filter((path) => !ALLOWED.some((pattern) => pattern.test(path)))).toEqual([]);
  for (const pattern of ALLOWED) expect(paths.some((path) => pattern.test(path))).toBe(true);
});

test('each file of the package was built of a source that is there', () => {
  const built = paths.filter((path) => path.startsWith('dist/'));
  const sources = built.map((path) => path.replace('dist/', 'src/').replace(/(?:\.d\.ts|\.js)$/, '.ts'));
  expect(sources.filter((source) => !existsSync(root + source))).toEqual([]);
});

test('no file of the package points at a source map, for there are none', () => {
  const scripts = paths.filter((path) => path.endsWith('.js'));
  expect(scripts.filter((path) => readFileSync(root + path, 'utf8').includes('sourceMappingURL'))).toEqual(
    [],
  );
});

test('whatever the package exports is in it', () => {
  const targets = Object.values(exports).flatMap((target) =>
    typeof target === 'string' ? target : Object.values(target as Record<string, string>),
  );
  const wanted = [...targets, ...Object.values(bin as Record<string, string>)];
  expect(wanted.length).toBeGreaterThan(20);
  expect(wanted.filter((path) => !paths.includes(path.replace('./', '')))).toEqual([]);
});

test('the command of the package can be run by a shell', () => {
  for (const path of Object.values(bin as Record<string, string>))
    expect(readFileSync(root + path, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
});
