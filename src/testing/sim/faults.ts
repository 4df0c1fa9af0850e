import type { LinkWeather } from './network.js';
import { SimRandom } from './random.js';

/** The kinds of faults. */
export const FAULT_KINDS: readonly FaultKind[] = [
  'weather',
  'isolate',
  'mute',
  'deafen',
  'cut',
  'split',
  'crash',
  'crashAll',
  'restart',
  'wipe',
  'diskError',
  'diskStall',
  'stall',
  'suspend',
  'wallStep',
  'drift',
  'clone',
  'forge',
  'transfer',
  'priority',
  'leave',
];

/**
 * `weather`: loss, duplicates, jitter, heavy-tailed delays. `isolate`, `mute` (its messages are lost), `deafen` (those to
 * it are), `cut` (one pair), `split` (two groups). `crash`, `crashAll`, `restart` (orderly), `wipe` (a crash that
 * empties the disk), `diskError`, `diskStall`. `stall`: the event loop blocks. `suspend`: the host stops, and one of its
 * clocks stands still. `wallStep`, `drift`: what clocks do. `clone`: a second process of the same ip, for less than a
 * start wait. `forge`: a peer hears a message in its own name, or a stranger's. `transfer`: whoever leads resigns;
 * when it waits for that, each winner does, for as long as it lasts. `priority`: a peer
 * restarts with another one. `leave`: a host takes no part in one of its groups; nodes have no such fault.
 */
export type FaultKind =
  | 'weather'
  | 'isolate'
  | 'mute'
  | 'deafen'
  | 'cut'
  | 'split'
  | 'crash'
  | 'crashAll'
  | 'restart'
  | 'wipe'
  | 'diskError'
  | 'diskStall'
  | 'stall'
  | 'suspend'
  | 'wallStep'
  | 'drift'
  | 'clone'
  | 'forge'
  | 'transfer'
  | 'priority'
  | 'leave';

/** What a peer does when a fault that waits for it strikes. */
export type FaultTrigger = 'votes' | 'campaigns' | 'acknowledges' | 'wins' | 'saves' | 'resigns';

/** One fault of a schedule. A schedule is plain data: a run can be repeated with any part of it. */
export interface Fault {
  readonly kind: FaultKind;
  /** Ms of virtual time at which it begins. */
  readonly at: number;
  /** How many ms it lasts. */
  readonly ms: number;
  /** Whom it strikes: a place among the peers, or whoever leads then. */
  readonly peer: number | 'leader';
  /** A second peer: the other end of a cut, the target of a transfer. */
  readonly other: number;
  /** While it lasts it waits for the peer to do this; then it strikes, for the rest of its time. */
  readonly when?: FaultTrigger;
  /** A number from [0, 1) for what the kind leaves open: which side, which clock, how much. */
  readonly choice: number;
  readonly weather?: LinkWeather;
}

/** What a schedule is drawn from. */
export interface ScheduleOptions {
  readonly seed: number;
  readonly peers: number;
  /** When the first fault may begin, and when all have ended. */
  readonly from: number;
  readonly to: number;
  readonly kinds: readonly FaultKind[];
  /** L in ms: the measure of all times. */
  readonly leaderTimeoutMs: number;
}

const TRIGGERS: readonly [FaultTrigger, ...FaultTrigger[]] = [
  'votes',
  'campaigns',
  'acknowledges',
  'wins',
  'saves',
  'resigns',
];

/** Kinds that can wait for their moment. */
const TRIGGERED: ReadonlySet<FaultKind> = new Set([
  'crash',
  'wipe',
  'isolate',
  'mute',
  'deafen',
  'stall',
  'suspend',
  'diskStall',
  'transfer',
  'leave',
]);

/** Draws the faults of one phase. */
export function drawFaults(options: ScheduleOptions): readonly Fault[] {
  const { seed, peers, from, to, kinds, leaderTimeoutMs } = options;
  const random = new SimRandom(seed, `faults from ${from}`);
  const [first, ...rest] = kinds;
  if (first === undefined) return [];
  const gapMs = random.skewed(0.3, 6) * leaderTimeoutMs;
  const leaderShare = random.pick([0.2, 0.5, 0.8]);
  const faults: Fault[] = [];
  for (let at = from + random.next() * gapMs; at < to; at += random.skewed(0.02, 2) * gapMs) {
    const kind = random.pick([first, ...rest]);
    const ms = Math.min(to - at, random.skewed(0.02, 8) * leaderTimeoutMs);
    const peer = random.chance(leaderShare) ? 'leader' : random.below(peers);
    const other = random.below(peers);
    const fault: Fault = { kind, at, ms, peer, other, choice: random.next() };
    const when = random.pick(TRIGGERS);
    if (kind === 'weather')
      faults.push({ ...fault, ms: Math.min(to - at, ms * 4), weather: drawWeather(random) });
    else if (TRIGGERED.has(kind) && random.chance(0.4))
      faults.push({ ...fault, ms: Math.min(to - at, ms * 2), when });
    else faults.push(fault);
  }
  return faults;
}

function drawWeather(random: SimRandom): LinkWeather {
  return {
    ...(random.chance(0.5) ? { loss: random.skewed(0.02, 0.6) } : {}),
    ...(random.chance(0.5) ? { duplicate: random.skewed(0.02, 0.5) } : {}),
    ...(random.chance(0.5) ? { late: random.skewed(0.02, 0.5) } : {}),
    ...(random.chance(0.5) ? { jitterMs: random.skewed(1, 200) } : {}),
  };
}

/** A fault as a line of a timeline. */
export function describeFault({ kind, ms, other, choice, when, weather }: Fault): string {
  const details = weather === undefined ? '' : ` ${JSON.stringify(weather, rounded)}`;
  const second = kind === 'cut' || kind === 'transfer' ? ` with peer ${other}` : '';
  const wait = when === undefined ? '' : `, when it ${when}`;
  return `fault: ${kind}${second}${details} for ${Math.round(ms)} ms (${choice.toFixed(2)})${wait}`;
}

function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toFixed(3)) : value;
}
