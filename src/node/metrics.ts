import type { Datums } from '../core/datums.js';
import { NO_REVISION } from '../core/messages.js';
import type { PeerMetrics, RaftMetrics } from '../core/metrics.js';
import type { RaftPeerSet } from '../core/peer-set.js';
import type { Counts } from './counts.js';
import type { Driver } from './driver.js';
import type { ResolvedOptions } from './options.js';

/** What a node is at this moment. */
export interface NodeNow {
  readonly options: ResolvedOptions;
  readonly counts: Counts;
  readonly peers: RaftPeerSet;
  /** Null while it does not run. */
  readonly driver: Driver | null;
  readonly datums: Datums | null;
  readonly isLeader: boolean;
  readonly leader: string | null;
}

/** What `RaftNode.metrics` tells. */
export function metricsOf({
  options,
  counts,
  peers,
  driver,
  datums,
  isLeader,
  leader,
}: NodeNow): RaftMetrics {
  const { changes } = counts;
  const leaseLeftMs = driver?.look((core, now) => core.leaseLeftMs(now)) ?? 0;
  return {
    ip: options.ip,
    isRunning: driver !== null,
    isLeader,
    state: peers.self.state,
    term: peers.self.term,
    leader,
    leaderSinceMs: leader === null ? null : (changes.at(-1)?.atMs ?? null),
    leaseLeftMs: leaseLeftMs === Number.POSITIVE_INFINITY ? null : leaseLeftMs,
    leaderTimeoutMs: options.timing.leaderTimeoutMs,
    rejoining: driver?.look((core) => core.rejoining) ?? false,
    learning: driver?.look((core) => core.isLearner) ?? false,
    queueLength: driver?.queueLength ?? 0,
    callsWaiting: driver?.callsWaiting ?? 0,
    last: datums?.last ?? NO_REVISION,
    committed: datums?.base ?? NO_REVISION,
    datums: datums?.all().size ?? driver?.look((core) => core.nacosDatums?.keys().length) ?? 0,
    writes: counts.writes.tally(),
    reads: counts.reads.tally(),
    ...counts.metrics(),
    peers: peers.others.map((ip) => peerMetrics(ip, { options, counts, peers, driver })),
    changes,
  };
}

function peerMetrics(
  ip: string,
  { options, counts, peers, driver }: Pick<NodeNow, 'options' | 'counts' | 'peers' | 'driver'>,
): PeerMetrics {
  const heard = peers.get(ip);
  const progress = driver?.look((core) => core.progressOf(ip));
  return {
    ...counts.traffic.linkTo(ip, options.clock.now()),
    state: heard?.state ?? 'FOLLOWER',
    term: heard?.term ?? 0,
    isVoter: peers.isVoter(ip),
    matchSeq: progress?.seq || null,
    isLearner: progress?.isLearner ?? false,
  };
}
