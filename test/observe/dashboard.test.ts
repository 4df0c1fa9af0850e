import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { exportToPrometheus } from 'raftbeat/prometheus';
import { expect, test } from 'vitest';
import { HOST, LEADER, telling } from './watched.js';

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const file = new URL('../../examples/grafana/raftbeat.json', import.meta.url);
const dashboard: {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
} = JSON.parse(readFileSync(file, 'utf8'));

const queries = [
  ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...dashboard.templating.list.flatMap(({ definition = [] }) => definition),
];

/** The metrics that there are, and their labels. */
async function exported(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const registry = new Registry();
  exportToPrometheus([telling(LEADER), telling(HOST)], registry);
  const metrics = await registry.getMetricsAsJSON();
  return new Map(
    metrics.map(({ name, values }) => [name, new Set(values.flatMap(({ labels }) => Object.keys(labels)))]),
  );
}

test('the dashboard asks for metrics that are exported, and for all of them', async () => {
  const asked = new Set(queries.flatMap((query) => query.match(/raftbeat_\w+/g) ?? []));
  expect([...asked].sort()).toEqual([...(await exported()).keys()].sort());
});

test('the dashboard tells series apart by labels that their metrics have', async () => {
  const labels = await exported();
  for (const { targets = [] } of dashboard.panels) {
    for (const { expr, legendFormat } of targets) {
      const [metric = ''] = expr.match(/raftbeat_\w+/) ?? [];
      const grouped = /by \(([^)]*)\)/.exec(expr)?.[1]?.split(', ');
      for (const label of grouped ?? []) expect(labels.get(metric), expr).toContain(label);
      for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
        expect(grouped ?? [...(labels.get(metric) ?? [])], `${expr} ${legendFormat}`).toContain(label);
    }
  }
});

test('counters are asked for by how they grow, and gauges as they are', () => {
  for (const query of queries)
    for (const [, before = '', metric = ''] of query.matchAll(/(\w+\()?(raftbeat_\w+)/g))
      expect(/^(rate|increase)\($/.test(before), query).toBe(metric.endsWith('_total'));
});

test('each variable that the queries name is one of the dashboard, or of Grafana', () => {
  const known = [...dashboard.templating.list.map(({ name }) => name), '__rate_interval'];
  for (const query of queries)
    for (const [, name] of query.matchAll(/\$(\w+)/g)) expect(known).toContain(name);
});

test('no panel lies over another, nor beyond the edge', () => {
  const taken = new Map<string, string>();
  for (const { title, gridPos } of dashboard.panels) {
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(taken.get(`${x} ${y}`), title).toBeUndefined();
        taken.set(`${x} ${y}`, title);
      }
    }
  }
});
