import type { CommonMetrics, HostMetrics, LinkMetrics, RaftMetrics, Tally } from '../core/metrics.js';

/** What tells the numbers of one metric apart. The label `ip`, of the node itself, comes on top. */
export type Label = 'peer' | 'type' | 'outcome' | 'code';

/** One number of a metric. */
export interface Sample {
  readonly labels: Readonly<Partial<Record<Label, string>>>;
  readonly value: number;
}

/** The numbers of one metric. */
export type Read = (metrics: RaftMetrics | HostMetrics) => readonly Sample[];

const NO_LABELS = {};

/** Of nodes and hosts alike. */
export function ofBoth(read: (metrics: CommonMetrics) => number): Read {
  return (metrics) => [{ labels: NO_LABELS, value: read(metrics) }];
}

/** Of nodes only; no number where `read` has none. */
export function ofNode(read: (metrics: RaftMetrics) => number | null): Read {
  return (metrics) => {
    const value = isNode(metrics) ? read(metrics) : null;
    return value === null ? [] : [{ labels: NO_LABELS, value }];
  };
}

/** Of hosts only. */
export function ofHost(read: (metrics: HostMetrics) => number): Read {
  return (metrics) => (isNode(metrics) ? [] : [{ labels: NO_LABELS, value: read(metrics) }]);
}

/** Of the others, as a leader knows them: who does not lead asks nobody. */
export function ofFollowers(read: (peer: LinkMetrics) => number | null): Read {
  return (metrics) => (isNode(metrics) && !metrics.isLeader ? [] : ofEach(metrics.peers, read));
}

/** How many batches of a leader each follower lacks. */
export function behind(metrics: RaftMetrics | HostMetrics): readonly Sample[] {
  if (!isNode(metrics) || !metrics.isLeader) return [];
  const { last, peers } = metrics;
  return ofEach(peers, ({ matchSeq }) => (matchSeq === null ? null : last.seq - matchSeq));
}

/** What was called at a node, by its outcome. */
export function ofCalls(kind: 'writes' | 'reads'): Read {
  return (metrics) => (isNode(metrics) ? byName('outcome', metrics[kind]) : []);
}

/** A tally, each name in a label. */
export function byName(label: Label, tally: Tally<string>): readonly Sample[] {
  return Object.entries(tally).map(([name, value = 0]) => ({ labels: { [label]: name }, value }));
}

/** Requests, by their type and outcome. */
export function byType(requests: CommonMetrics['sent' | 'received']): readonly Sample[] {
  return Object.entries(requests).flatMap(([type, outcomes]) =>
    Object.entries(outcomes).map(([outcome, value]) => ({
      labels: { type, outcome: wordsOf(outcome) },
      value,
    })),
  );
}

/** Exporters count time in seconds. */
export function seconds(ms: number): number;
export function seconds(ms: number | null): number | null;
export function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1_000;
}

function ofEach<Peer extends LinkMetrics>(
  peers: readonly Peer[],
  read: (peer: Peer) => number | null,
): readonly Sample[] {
  return peers.flatMap((peer) => {
    const value = read(peer);
    return value === null ? [] : [{ labels: { peer: peer.ip }, value }];
  });
}

function isNode(metrics: RaftMetrics | HostMetrics): metrics is RaftMetrics {
  return 'isLeader' in metrics;
}

/** `timed_out` for `timedOut`. */
function wordsOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
