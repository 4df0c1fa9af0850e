import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const root = new URL('../../', import.meta.url);
const { exports, dependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(
  readFileSync(new URL('package.json', root), 'utf8'),
);

/** The packages that each import needs beyond the two of `dependencies`. */
const OPTIONAL: Readonly<Record<string, readonly string[]>> = {
  './lmdb': ['lmdb'],
  './opentelemetry': ['@opentelemetry/api'],
  './prometheus': ['prom-client'],
  './websocket': ['ws'],
};

const entries = Object.keys(exports).filter((name) => name !== './package.json');

test.each(entries)('the import of %s loads no other package than it needs', async (name) => {
  const source = exports[name].default.replace('./dist/', 'src/').replace(/\.js$/, '.ts');
  const { metafile } = await build({
    absWorkingDir: root.pathname,
    entryPoints: [source],
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
  });
  const imported = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
  const packages = new Set(imported.filter((path) => !isBuiltin(path)));
  const allowed = [...Object.keys(dependencies), ...(OPTIONAL[name] ?? [])];
  expect([...packages].filter((each) => !allowed.includes(each))).toEqual([]);
  for (const each of OPTIONAL[name] ?? []) expect(packages).toContain(each);
});

test('the import of ./broadcast loads nothing of Node: it is for browsers, too', async () => {
  const { outputFiles } = await build({
    absWorkingDir: root.pathname,
    entryPoints: ['src/transports/broadcast.ts'],
    bundle: true,
    write: false,
    platform: 'browser',
  });
  expect(outputFiles).toHaveLength(1);
});

test('a package that only some imports need is an optional peer dependency', () => {
  const optional = Object.values(OPTIONAL).flat().sort();
  expect(Object.keys(peerDependencies).sort()).toEqual(optional);
  expect(peerDependenciesMeta).toEqual(
    Object.fromEntries(optional.map((each) => [each, { optional: true }])),
  );
});
