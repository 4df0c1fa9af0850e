import type { PeerSnapshot } from 'raftbeat';
import type { RecordedState, Scenario, Step } from './format.js';
import { clean, stateBefore, type What, whatOf } from './outcome.js';

/** A peer that changes. */
export type WorldPeer = { -readonly [Name in keyof PeerSnapshot]: PeerSnapshot[Name] };

/** A request that waits for its answer. */
export interface Pending {
  readonly target: string;
  readonly what: What;
  /** The term of the beat, or 0. */
  readonly term: number;
  /** The object that was a member's entry when it was asked for its view. */
  readonly captured: WorldPeer | null;
  /** The sender of the beat that made this peer ask for datums, and this peer, as they were held then. */
  readonly beat: BeatParties | null;
  /** Whether `target` left the members since. */
  isForgotten: boolean;
}

/** Who had to do with a beat: the objects, which may have been replaced since. */
export interface BeatParties {
  readonly remote: WorldPeer;
  readonly local: WorldPeer;
}

/** What the original holds: a recorded state, with the identity of its objects, which the recording shows in part. */
export interface World {
  readonly local: string;
  readonly standalone: boolean;
  readonly version: string;
  peers: Map<string, WorldPeer>;
  leader: WorldPeer | null;
  /** By key; values are marks. */
  datums: Map<string, { timestamp: number; value: string | null }>;
  sendBeatOnly: boolean;
  /** The term that was found in the store. */
  localTerm: number;
  /** The members of the last membership event of 1.3.2. */
  oldMembers: readonly string[];
  readonly pending: Map<number, Pending>;
}

/** The world before the first step. */
export function firstWorld(scenario: Scenario): World {
  const { local, standalone, version, initialTerm, sendBeatOnly } = scenario;
  return {
    local,
    standalone,
    version,
    ...loadState(stateBefore(scenario, 0)),
    sendBeatOnly,
    localTerm: initialTerm,
    oldMembers: [],
    pending: new Map(),
  };
}

/** A state as objects of its own. */
export function loadState(state: RecordedState): Pick<World, 'peers' | 'leader' | 'datums'> {
  const peers = new Map<string, WorldPeer>();
  for (const [ip, fields] of Object.entries(state.peers)) peers.set(ip, clean({ ...fields, ip }));
  const datums = new Map(Object.entries(state.datums ?? {}).map(([key, datum]) => [key, { ...datum }]));
  const entry = state.leader === null ? undefined : peers.get(state.leader.ip);
  if (state.leader === null) return { peers, datums, leader: null };
  return {
    peers,
    datums,
    leader: state.leaderIsMapEntry === true && entry !== undefined ? entry : clean(state.leader),
  };
}

/**
 * Files the requests of `step` that are still to be answered. `asked` are the entries captured by fetches of peers,
 * `beat` what is captured by those of datums.
 */
export function filePending(
  world: World,
  step: Step,
  { asked, beat }: { readonly asked: ReadonlyMap<string, WorldPeer>; readonly beat: BeatParties | null },
): void {
  for (const request of step.outgoing ?? []) {
    const { id, target, body, sendThrows, inline } = request;
    if (id === undefined || sendThrows === true || inline !== undefined) continue;
    world.pending.set(id, {
      target,
      what: whatOf(request),
      term: body?.beat?.peer.term ?? 0,
      captured: asked.get(target) ?? null,
      beat,
      isForgotten: false,
    });
  }
}

/** Whether a former leader is being asked for its view. */
export function isBeingAsked(world: World, ip: string): boolean {
  return [...world.pending.values()].some(
    ({ target, what, isForgotten }) => what === 'peer' && target === ip && !isForgotten,
  );
}

/** Whether nothing was heard of the peer that `pending` asked since it was asked. */
export function isNewest(world: World, { target, captured, isForgotten }: Pending): boolean {
  return !isForgotten && captured !== null && world.peers.get(target) === captured;
}
