import createDebug from 'debug';
import { RaftError, textOf } from '../core/errors.js';
import type { LeaderContext, WaitOptions } from '../node/leading.js';
import type { RaftNode } from '../node/node.js';
import type { Discovery } from './discovery.js';

const debug = createDebug('raftbeat:discovery');

/** The options of {@link follow}. */
export interface FollowOptions extends WaitOptions {
  /**
   * How long a member must not have been found to be removed, in ms. That nobody finds a peer does not prove that it is gone:
   * choose it longer than any restart takes.
   *
   * @default none is ever removed
   */
  readonly removeAfterMs?: number;
}

/**
 * Has the members of a cluster with a registry follow what is found, for as long as the node runs, or until `signal`: whoever
 * leads adds those that appear (they run with `members: []`), has them vote when they have caught up, and removes those that
 * are away for too long, one change at a time. What fails is tried again after the next look.
 *
 * @throws RaftError `BAD_OPTION`; `NOT_RUNNING` when the discovery is closed while this peer leads
 */
export async function follow(
  raft: RaftNode,
  discovery: Discovery,
  { signal, removeAfterMs = Number.POSITIVE_INFINITY }: FollowOptions = {},
): Promise<void> {
  if (!(removeAfterMs > 0))
    throw new RaftError('BAD_OPTION', `removeAfterMs: expected more than 0, got ${String(removeAfterMs)}`);
  const lead = async ({ signal: over }: LeaderContext): Promise<void> => {
    const lastFound = new Map<string, number>();
    while (!over.aborted) {
      const changes = wanted(raft, discovery, lastFound, removeAfterMs);
      if (!(await changeOne(raft, changes))) await nextLook(discovery, over);
    }
  };
  await raft.whileLeader(lead, signal === undefined ? {} : { signal });
}

/** A change of the members, which a method of the node carries out. */
interface Change {
  readonly action: 'addPeer' | 'promote' | 'removePeer';
  readonly ip: string;
}

/** The changes that remain, the most urgent first. A member counts as found when this leadership began. */
function wanted(
  { ip: self, members }: RaftNode,
  { peers }: Discovery,
  lastFound: Map<string, number>,
  removeAfterMs: number,
): readonly Change[] {
  const now = performance.now();
  const voters = new Set(peers.flatMap(({ ip, observer }) => (observer === true ? [] : [ip])));
  const found = new Set(peers.map(({ ip }) => ip));
  for (const { ip } of members) if (found.has(ip) || !lastFound.has(ip)) lastFound.set(ip, now);
  const isAway = (ip: string): boolean => ip !== self && now - (lastFound.get(ip) ?? now) >= removeAfterMs;
  const ready = members.filter(({ ip, observer }) => observer && voters.has(ip));
  const fresh = peers.filter(({ ip }) => !members.some((member) => member.ip === ip));
  const gone = members.filter(({ ip }) => isAway(ip));
  return [
    ...ready.map(({ ip }) => ({ action: 'promote', ip }) as const),
    ...fresh.map(({ ip }) => ({ action: 'addPeer', ip }) as const),
    ...gone.map(({ ip }) => ({ action: 'removePeer', ip }) as const),
  ];
}

/** Whether one of them was made; those that fail are left. */
async function changeOne(raft: RaftNode, changes: readonly Change[]): Promise<boolean> {
  for (const { action, ip } of changes) {
    try {
      await raft[action](ip);
      debug('%s %s', action, ip);
      return true;
    } catch (error) {
      debug('%s %s: %s', action, ip, textOf(error));
    }
  }
  return false;
}

async function nextLook(discovery: Discovery, over: AbortSignal): Promise<void> {
  try {
    await discovery.nextLook({ signal: over });
  } catch (error) {
    if (!over.aborted) throw error;
  }
}
