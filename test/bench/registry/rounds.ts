import { etcdWorker } from './etcd.js';
import { type Load, median } from './load.js';
import { RaftbeatCluster } from './raftbeat.js';

export const SIDES = ['leader', 'follower', 'etcd'] as const;
export const WRITERS = [1, 16, 256] as const;

/** Where writers write: in the process of raftbeat's leader, in that of a follower, or in that of etcd's client. */
export type Side = (typeof SIDES)[number];

/** One load of one round. */
export interface Sample extends Load {
  readonly round: number;
  readonly side: Side;
  readonly writers: number;
}

const ROUNDS = 3;
/** The share of the time that writers write; the rest is for starts and ends. */
const SHARE = 0.8;
const WARM_UP = { writers: 16, ms: 500 };

/** Loads each side with each number of writers, in turn, for about `seconds` in all. */
export async function rounds(
  directory: string,
  seconds: number,
  execArgv: readonly string[],
): Promise<readonly Sample[]> {
  const raftbeat = new RaftbeatCluster(directory, execArgv);
  const etcd = await etcdWorker(directory);
  const loads: Readonly<Record<Side, (order: { writers: number; ms: number }) => Promise<Load>>> = {
    leader: (order) => raftbeat.load('leader', order),
    follower: (order) => raftbeat.load('follower', order),
    etcd: (order) => etcd.ask('load', order),
  };
  try {
    await Promise.all([raftbeat.start(), etcd.ask('start')]);
    for (const side of SIDES) await loads[side](WARM_UP);
    const ms = (SHARE * seconds * 1_000) / (ROUNDS * SIDES.length * WRITERS.length);
    const samples: Sample[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      for (const writers of WRITERS) {
        for (const side of SIDES)
          samples.push({ round, side, writers, ...(await loads[side]({ writers, ms })) });
      }
    }
    return samples;
  } finally {
    await Promise.all([raftbeat.end(), etcd.end()]);
  }
}

/** The median of all rounds, and how it compares with etcd: above 1 is more throughput, below 1 is less time. */
export function summary(samples: readonly Sample[]): readonly Record<string, string | number>[] {
  return WRITERS.flatMap((writers) =>
    SIDES.map((side) => {
      const of = (one: Side, what: keyof Load): number =>
        median(samples.filter((it) => it.writers === writers && it.side === one).map((it) => it[what]));
      const errors = samples
        .filter((it) => it.writers === writers && it.side === side)
        .reduce((sum, it) => sum + it.errors, 0);
      return {
        writers,
        side: side === 'etcd' ? 'etcd' : `raftbeat, in the ${side}`,
        'ops/s': Math.round(of(side, 'opsPerSecond')),
        'p50 ms': of(side, 'p50').toFixed(2),
        'p99 ms': of(side, 'p99').toFixed(2),
        'ops/s : etcd': (of(side, 'opsPerSecond') / of('etcd', 'opsPerSecond')).toFixed(2),
        'p99 : etcd': (of(side, 'p99') / of('etcd', 'p99')).toFixed(2),
        errors,
      };
    }),
  );
}
