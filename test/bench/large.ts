// What becomes of a cluster that is large: voters and observers in the simulator, and observers over http.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { directoryOfRun, limitRun } from './bounds.js';
import { type Connected, connected } from './large/connected.js';
import type { Cluster } from './large/counted-world.js';
import { simulated, type Trial } from './large/simulated.js';
import { median, quantile } from './registry/load.js';
import { Machine } from './report.js';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    observers: { type: 'string', default: '1000' },
    json: { type: 'string', default: join(tmpdir(), 'raftbeat-bench-large.json') },
  },
});
const seconds = Number(values.seconds);
const observers = Number(values.observers);
/** Past it the run has failed. */
const LIMIT_MS = 2_000 * seconds + 60_000;
const PROCESSES = 4;
/** More would not tell more. */
const MOST_SEEDS = 20;

const directory = directoryOfRun();
limitRun(LIMIT_MS);

const CLUSTERS: readonly Cluster[] = [
  ...[5, 21, 101].map((voters) => ({ voters, observers: 0, broadcasts: false })),
  { voters: 101, observers: 0, broadcasts: true },
  { voters: 3, observers, broadcasts: false },
  { voters: 3, observers, broadcasts: true },
];

interface Simulated {
  readonly cluster: Cluster;
  readonly trials: readonly Trial[];
}

const machine = new Machine();
const live: Connected[] = [];
for (const count of [0, observers / 10])
  live.push(await connected(directory, count, PROCESSES, 100 * seconds));
console.table(live.map(asLiveRow));
const virtual: Simulated[] = [];
const until = performance.now() + 500 * seconds;
for (const [at, cluster] of CLUSTERS.entries())
  virtual.push(await repeated(cluster, (until - performance.now()) / (CLUSTERS.length - at)));
console.table(virtual.map(asVirtualRow));
machine.report(values.json, { connected: live, simulated: virtual });
process.exit();

/** One seed after the other, at least one, for about `ms`. */
async function repeated(cluster: Cluster, ms: number): Promise<Simulated> {
  const trials: Trial[] = [];
  const end = performance.now() + ms;
  // Refusals and timeouts are what a simulation consists of: their stacks would take a good part of its time.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  do trials.push(await simulated(cluster, trials.length + 1));
  while (trials.length < MOST_SEEDS && performance.now() < end);
  Error.stackTraceLimit = stackTraceLimit;
  return { cluster, trials };
}

function asVirtualRow({ cluster, trials }: Simulated): object {
  const sorted = (of: (trial: Trial) => readonly number[]): number[] =>
    trials.flatMap(of).sort((a, b) => a - b);
  const failovers = sorted(({ failoversL }) => failoversL);
  const elected = sorted(({ electedL }) => [electedL]);
  const messagesPerSecond = median(trials.map((trial) => trial.messagesPerSecond));
  return {
    voters: cluster.voters,
    observers: cluster.observers,
    broadcast: cluster.broadcasts,
    seeds: trials.length,
    'messages/s': Math.round(messagesPerSecond),
    'a peer': (messagesPerSecond / (cluster.voters + cluster.observers)).toFixed(1),
    'elected: p50 L': quantile(elected, 0.5).toFixed(2),
    'p95 L': quantile(elected, 0.95).toFixed(2),
    'failover: p50 L': quantile(failovers, 0.5).toFixed(2),
    'its p95 L': quantile(failovers, 0.95).toFixed(2),
    'its messages': median(trials.flatMap(({ messagesAFailover }) => messagesAFailover)),
  };
}

function asLiveRow(row: Connected): object {
  return {
    voters: row.voters,
    observers: row.observers,
    'beats/s': Math.round(row.beatsPerSecond),
    'CPU % of the leader': row.leaderCpuPercent.toFixed(1),
    'of all observers': row.observersCpuPercent.toFixed(1),
    'leader: resident MB': Math.round(row.leaderResidentBytes / 1e6),
    'bytes/s': Math.round(row.bytesPerSecond),
    'bytes a beat': Math.round(row.bytesPerSecond / row.beatsPerSecond),
  };
}
