import type { HostMetrics, RaftMetrics } from '../core/metrics.js';
import {
  behind,
  byName,
  byType,
  type Label,
  ofBoth,
  ofCalls,
  ofFollowers,
  ofHost,
  ofNode,
  type Read,
  seconds,
} from './samples.js';

/** What can be watched: a `RaftNode`, or a `RaftHost`. */
export interface Watched {
  metrics(): RaftMetrics | HostMetrics;
}

/** One metric, whatever collects it. */
export interface Instrument {
  /** With a dot between a thing and what is said of it, and without the prefix `raftbeat`. */
  readonly name: string;
  /** A counter only grows, as long as the process lives. */
  readonly kind: 'counter' | 'gauge';
  /** By UCUM: `s` is seconds, and what is counted stands in braces. */
  readonly unit: string;
  readonly help: string;
  readonly labels: readonly Label[];
  readonly read: Read;
}

const gauge = instrument('gauge');
const counter = instrument('counter');

/** Whatever is exported. */
export const INSTRUMENTS: readonly Instrument[] = [
  gauge(
    'running',
    '{peer}',
    'Whether it runs: 1 or 0',
    ofBoth(({ isRunning }) => Number(isRunning)),
  ),
  gauge(
    'leader',
    '{leader}',
    'Whether this peer leads, by its lease: 1 or 0',
    ofNode(({ isLeader }) => Number(isLeader)),
  ),
  gauge(
    'leader_known',
    '{leader}',
    'Whether this peer knows a leader: 1 or 0',
    ofNode(({ leader }) => Number(leader !== null)),
  ),
  gauge(
    'term',
    '{term}',
    'The term of this peer',
    ofNode(({ term }) => term),
  ),
  gauge(
    'lease.left',
    's',
    'What is left of the lease of this leader; 0 without one',
    ofNode(({ leaseLeftMs }) => seconds(leaseLeftMs)),
  ),
  gauge(
    'rejoining',
    '{peer}',
    'Whether this peer recovers from an empty store: 1 or 0',
    ofNode(({ rejoining }) => Number(rejoining)),
  ),
  gauge(
    'learning',
    '{peer}',
    'Whether this peer lost its data, and learns without a vote: 1 or 0',
    ofNode(({ learning }) => Number(learning)),
  ),
  gauge(
    'groups',
    '{group}',
    'Groups that this host takes part in',
    ofHost(({ groups }) => groups),
  ),
  gauge(
    'groups_led',
    '{group}',
    'Groups that this host leads',
    ofHost(({ leads }) => leads),
  ),
  counter(
    'leader_changes',
    '{change}',
    'Leaders that were announced',
    ofBoth(({ leaderChanges }) => leaderChanges),
  ),
  counter(
    'elections.begun',
    '{election}',
    'Elections that this peer began',
    ofBoth(({ electionsBegun }) => electionsBegun),
  ),
  counter(
    'elections.won',
    '{election}',
    'Elections that this peer won',
    ofBoth(({ electionsWon }) => electionsWon),
  ),
  counter(
    'leaderships.lost',
    '{leadership}',
    'Leaderships of this peer that ended',
    ofBoth(({ leadershipsLost }) => leadershipsLost),
  ),
  counter(
    'requests.sent',
    '{request}',
    'Requests to other peers, by how they ended',
    ({ sent }) => byType(sent),
    ['type', 'outcome'],
  ),
  counter(
    'requests.received',
    '{request}',
    'Requests of other peers, by how they ended',
    ({ received }) => byType(received),
    ['type', 'outcome'],
  ),
  gauge(
    'round_trip',
    's',
    'From a beat of this leader to its answer, smoothed',
    ofFollowers(({ smoothedRoundTripMs }) => seconds(smoothedRoundTripMs)),
    ['peer'],
  ),
  gauge(
    'peer.silence',
    's',
    'Since a follower last answered this leader',
    ofFollowers(({ silentMs }) => seconds(silentMs)),
    ['peer'],
  ),
  gauge('peer.behind', '{batch}', 'Batches of this leader that a follower lacks', behind, ['peer']),
  gauge(
    'revision',
    '{batch}',
    'The newest committed batch of the registry here',
    ofNode(({ committed }) => committed.seq),
  ),
  gauge(
    'datums',
    '{datum}',
    'Keys of the registry here',
    ofNode(({ datums }) => datums),
  ),
  counter('writes', '{write}', 'Writes called at this peer, by how they ended', ofCalls('writes'), [
    'outcome',
  ]),
  counter('reads', '{read}', 'Linearizable reads called at this peer, by how they ended', ofCalls('reads'), [
    'outcome',
  ]),
  gauge(
    'calls.waiting',
    '{call}',
    'Writes and reads at this leader without an outcome yet',
    ofNode(({ callsWaiting }) => callsWaiting),
  ),
  gauge(
    'queue.length',
    '{request}',
    'Requests and answers that wait for their turn, or for a save',
    ofNode(({ queueLength }) => queueLength),
  ),
  counter(
    'saves',
    '{save}',
    'Saves of the store',
    ofBoth(({ saves }) => saves.count),
  ),
  counter(
    'save.time',
    's',
    'Time that the saves of the store took',
    ofBoth(({ saves }) => seconds(saves.totalMs)),
  ),
  gauge(
    'save.longest',
    's',
    'Time that the longest of them took',
    ofBoth(({ saves }) => seconds(saves.longestMs)),
  ),
  counter('errors', '{error}', 'Error events, by their code', ({ errors }) => byName('code', errors), [
    'code',
  ]),
];

function instrument(kind: Instrument['kind']) {
  return (
    name: string,
    unit: string,
    help: string,
    read: Read,
    labels: readonly Label[] = [],
  ): Instrument => ({ name, kind, unit, help, labels, read });
}
