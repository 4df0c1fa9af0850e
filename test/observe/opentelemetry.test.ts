import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { exportToOpenTelemetry } from 'raftbeat/opentelemetry';
import { afterEach, expect, test } from 'vitest';
import { ALONE, FOLLOWER, HOST, LEADER, telling } from './watched.js';

afterEach(() => metrics.disable());

/** A provider, and what its meters have told when it is asked. */
function collecting() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 30 });
  const provider = new MeterProvider({ readers: [reader] });
  const collect = async () => {
    exporter.reset();
    await reader.forceFlush();
    return exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  };
  return { provider, collect };
}

async function collected(...watched: Parameters<typeof telling>[0][]) {
  const { provider, collect } = collecting();
  exportToOpenTelemetry(watched.map((each) => telling(each)) as never, provider.getMeter('test'));
  return collect();
}

type Collected = Awaited<ReturnType<typeof collected>>;

/** The numbers of the metric `name`. */
function points(all: Collected, name: string) {
  const found = all.find(({ descriptor }) => descriptor.name === `raftbeat.${name}`);
  return found?.dataPoints.map(({ attributes, value }) => ({ ...attributes, value }));
}

test('a leader is told by its numbers, each with who tells it', async () => {
  const all = await collected(LEADER);
  expect(points(all, 'leader')).toEqual([{ 'raftbeat.ip': 'a:1', value: 1 }]);
  expect(points(all, 'lease.left')).toEqual([{ 'raftbeat.ip': 'a:1', value: 0.425 }]);
  expect(points(all, 'round_trip')).toEqual([
    { 'raftbeat.ip': 'a:1', 'raftbeat.peer': 'b:1', value: 0.0015 },
  ]);
  expect(points(all, 'requests.sent')).toContainEqual({
    'raftbeat.ip': 'a:1',
    'raftbeat.type': 'beat',
    'raftbeat.outcome': 'answered',
    value: 40,
  });
});

test('what has no number is not told', async () => {
  expect(points(await collected(FOLLOWER), 'round_trip') ?? []).toEqual([]);
  expect(points(await collected(ALONE), 'lease.left') ?? []).toEqual([]);
  expect(points(await collected(HOST), 'leader') ?? []).toEqual([]);
  expect(points(await collected(HOST), 'groups_led')).toEqual([{ 'raftbeat.ip': 'h:1', value: 7 }]);
});

test('several are told apart by their ips', async () => {
  const all = await collected(LEADER, FOLLOWER, HOST);
  expect(points(all, 'running')?.map((point: Record<string, unknown>) => point['raftbeat.ip'])).toEqual([
    'a:1',
    'b:1',
    'h:1',
  ]);
});

test('names, units and kinds are as OpenTelemetry wants them', async () => {
  const all = await collected(LEADER, HOST);
  expect(all).toHaveLength(28);
  const names = all.map(({ descriptor }) => descriptor.name);
  for (const { descriptor } of all) {
    expect(descriptor.name).toMatch(/^raftbeat(\.[a-z]+(_[a-z]+)*){1,2}$/);
    expect(descriptor.unit).toMatch(/^(s|\{[a-z]+\})$/);
    expect(descriptor.description).toMatch(/^[A-Z].*\.$/);
    // What is the beginning of other names is no name itself.
    expect(names.filter((name) => name.startsWith(`${descriptor.name}.`))).toEqual([]);
  }
  expect(
    all.find(({ descriptor }) => descriptor.name === 'raftbeat.elections.won')?.descriptor,
  ).toMatchObject({
    unit: '{election}',
    type: 'OBSERVABLE_COUNTER',
  });
});

test('without a meter the global one is taken, and nothing is told any more once it is ended', async () => {
  const { provider, collect } = collecting();
  metrics.setGlobalMeterProvider(provider);
  let reads = 0;
  const end = exportToOpenTelemetry({ metrics: () => ({ ...LEADER, term: ++reads }) });
  expect(points(await collect(), 'term')).toEqual([{ 'raftbeat.ip': 'a:1', value: 1 }]);
  end();
  await collect();
  expect(reads).toBe(1);
});
