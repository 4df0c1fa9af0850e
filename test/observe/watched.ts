import type { HostMetrics, RaftMetrics } from 'raftbeat';

const COMMON = {
  ip: 'a:1',
  isRunning: true,
  leaderTimeoutMs: 500,
  leaderChanges: 3,
  electionsBegun: 2,
  electionsWon: 1,
  leadershipsLost: 1,
  sent: { beat: { answered: 40, refused: 1, timedOut: 2, failed: 3 } },
  received: { vote: { answered: 5, refused: 6 }, unknown: { answered: 0, refused: 7 } },
  saves: { count: 8, totalMs: 24, longestMs: 9 },
  errors: { LISTENER_FAILED: 4 },
};

/** What a leader of three tells, one of its followers being gone. */
export const LEADER: RaftMetrics = {
  ...COMMON,
  isLeader: true,
  state: 'LEADER',
  term: 6,
  leader: 'a:1',
  leaderSinceMs: 1_700_000_000_000,
  leaseLeftMs: 425,
  rejoining: false,
  learning: false,
  queueLength: 10,
  callsWaiting: 11,
  last: { term: 6, seq: 13 },
  committed: { term: 6, seq: 12 },
  datums: 14,
  writes: { ok: 15, CONFLICT: 16 },
  reads: { ok: 17 },
  peers: [
    {
      ip: 'b:1',
      state: 'FOLLOWER',
      term: 6,
      isVoter: true,
      roundTripMs: 2,
      smoothedRoundTripMs: 1.5,
      silentMs: 70,
      matchSeq: 13,
      isLearner: false,
    },
    {
      ip: 'c"\n\\:1',
      state: 'FOLLOWER',
      term: 5,
      isVoter: true,
      roundTripMs: null,
      smoothedRoundTripMs: null,
      silentMs: null,
      matchSeq: 4,
      isLearner: false,
    },
  ],
  changes: [],
};

/** What a follower tells. */
export const FOLLOWER: RaftMetrics = {
  ...LEADER,
  ip: 'b:1',
  isLeader: false,
  state: 'FOLLOWER',
  leaseLeftMs: 0,
};

/** What one that leads alone tells. */
export const ALONE: RaftMetrics = { ...LEADER, leaseLeftMs: null, peers: [] };

/** What a host of groups tells. */
export const HOST: HostMetrics = {
  ...COMMON,
  ip: 'h:1',
  groups: 20,
  leads: 7,
  peers: [{ ip: 'i:1', roundTripMs: 2, smoothedRoundTripMs: 1.5, silentMs: 70 }],
};

/** Something to be watched that tells `metrics`. */
export function telling<Metrics>(metrics: Metrics): { metrics(): Metrics } {
  return { metrics: () => metrics };
}
