import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Registry } from 'prom-client';
import { exportToPrometheus } from 'raftbeat/prometheus';
import { expect, test } from 'vitest';
import { HOST, LEADER, telling } from '../observe/watched.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const [, section = ''] =
  /\n## Watching it\n([\s\S]*?)\n## /.exec(readFileSync(`${root}README.md`, 'utf8')) ?? [];
const sources = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(`${root}src/${name}`, 'utf8'));

/** All that `pattern` finds in the sources, each once and in order. */
function inSources(pattern: RegExp): readonly string[] {
  return [
    ...new Set(sources.flatMap((text) => [...text.matchAll(pattern)].map(([, found]) => found as string))),
  ].sort();
}

test('the README names every metric with its labels, and no other', async () => {
  const registry = new Registry();
  exportToPrometheus([telling(LEADER), telling(HOST)], registry);
  const exported = (await registry.getMetricsAsJSON()).map(({ name, values }) => [
    name,
    [...new Set(values.flatMap(({ labels }) => Object.keys(labels)))]
      .filter((label) => label !== 'ip')
      .sort(),
  ]);
  const named = [...section.matchAll(/^\| (`raftbeat_.*?) \| (.*?) \|/gm)].flatMap(
    ([, names = '', labels = '']) => quoted(names).map((name) => [name, quoted(labels).toSorted()]),
  );
  expect(new Map(named as [string, string[]][])).toEqual(new Map(exported as [string, string[]][]));
});

function quoted(text: string): readonly string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, word]) => word as string);
}

test('the README names every namespace of debug, and no other', () => {
  const [, paragraph = ''] = /\n`DEBUG` takes ([\s\S]*?)(?:\n\n|$)/.exec(section) ?? [];
  expect(quoted(paragraph).toSorted()).toEqual(inSources(/createDebug\('([^']+)'\)/g));
});

test('the README says what to do about every warning', () => {
  const warned = inSources(/#warn\(\s*'(\w+)'/g);
  expect(warned.length).toBeGreaterThan(0);
  const rows = [...section.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code);
  for (const code of warned) expect(rows).toContain(code);
});
