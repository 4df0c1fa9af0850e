import { Counter, Gauge, type Registry } from 'prom-client';
import type { HostMetrics, RaftMetrics } from '../core/metrics.js';
import { INSTRUMENTS, type Instrument, type Watched } from './instruments.js';

export type { Watched } from './instruments.js';

/**
 * Registers the metrics of `watched` with `registry` (of `prom-client`, an optional peer dependency), by the conventions of
 * Prometheus: `raftbeat_...`, seconds, `_total` for counters; each with the label `ip`, of the node or the host itself. They
 * are read when the registry is asked for them, and cost nothing otherwise.
 *
 * @param watched nodes and hosts; all that one registry is to tell of go into one call
 * @returns how to take them out of the registry again
 * @throws Error of prom-client: the registry has metrics of these names already
 */
export function exportToPrometheus(watched: Watched | readonly Watched[], registry: Registry): () => void {
  const all = oncePerTurn(() => [watched].flat().map((one) => one.metrics()));
  const names = INSTRUMENTS.map((instrument) => register(instrument, registry, all));
  return () => {
    for (const name of names) registry.removeSingleMetric(name);
  };
}

function register(
  instrument: Instrument,
  registry: Registry,
  all: () => readonly (RaftMetrics | HostMetrics)[],
): string {
  const { kind, help, labels, read } = instrument;
  const name = nameOf(instrument);
  const options = { name, help: `${help}.`, labelNames: ['ip', ...labels], registers: [registry] };
  const each = function* () {
    for (const metrics of all())
      for (const sample of read(metrics))
        yield { labels: { ip: metrics.ip, ...sample.labels }, value: sample.value };
  };
  if (kind === 'counter') {
    new Counter({
      ...options,
      collect() {
        this.reset();
        for (const { labels, value } of each()) this.inc(labels, value);
      },
    });
  } else {
    new Gauge({
      ...options,
      collect() {
        this.reset();
        for (const { labels, value } of each()) this.set(labels, value);
      },
    });
  }
  return name;
}

function nameOf({ name, unit, kind }: Instrument): string {
  const parts = ['raftbeat', name.replaceAll('.', '_')];
  if (unit === 's') parts.push('seconds');
  if (kind === 'counter') parts.push('total');
  return parts.join('_');
}

/** All metrics of one answer are of the same moment, and read once. */
function oncePerTurn<T>(read: () => T): () => T {
  let kept: { readonly value: T } | null = null;
  return () => {
    if (kept === null) {
      kept = { value: read() };
      queueMicrotask(() => {
        kept = null;
      });
    }
    return kept.value;
  };
}
