import { type BatchObservableResult, type Meter, metrics, type Observable } from '@opentelemetry/api';
import { INSTRUMENTS, type Instrument, type Watched } from './instruments.js';

export type { Watched } from './instruments.js';

/**
 * Creates observable instruments for the metrics of `watched` (by `@opentelemetry/api`, an optional peer dependency):
 * `raftbeat.leader` and so on, units by UCUM, with the attribute `raftbeat.ip`, of the node or the host itself. They are
 * read when the meter collects them, and cost nothing otherwise.
 *
 * @param watched nodes and hosts
 * @param meter by default one of the global provider, named `raftbeat`
 * @returns how to have them observed no longer
 */
export function exportToOpenTelemetry(
  watched: Watched | readonly Watched[],
  meter: Meter = metrics.getMeter('raftbeat'),
): () => void {
  const observables = new Map(INSTRUMENTS.map((instrument) => [instrument, create(instrument, meter)]));
  const observe = (result: BatchObservableResult): void => {
    for (const one of [watched].flat()) {
      const snapshot = one.metrics();
      for (const [{ read }, observable] of observables)
        for (const { labels, value } of read(snapshot))
          result.observe(observable, value, attributesOf({ ip: snapshot.ip, ...labels }));
    }
  };
  meter.addBatchObservableCallback(observe, [...observables.values()]);
  return () => meter.removeBatchObservableCallback(observe, [...observables.values()]);
}

function create({ name, kind, unit, help }: Instrument, meter: Meter): Observable {
  const options = { unit, description: `${help}.` };
  if (kind === 'counter') return meter.createObservableCounter(`raftbeat.${name}`, options);
  return meter.createObservableGauge(`raftbeat.${name}`, options);
}

function attributesOf(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [`raftbeat.${name}`, value]));
}
