import type { Member } from '../../core/membership.js';
import type { PeerSnapshot } from '../../core/peer.js';
import { RaftHost } from '../../host/host.js';
import { RaftNode } from '../../node/node.js';
import type { Stored } from '../../stores/store.js';
import type { CheckName, Violation } from './checks.js';
import { type DataPlan, type DataReport, DataRun, describeData, drawData, preload } from './data.js';
import { drawFaults, FAULT_KINDS, type Fault, type FaultKind } from './faults.js';
import type { ClockRates } from './host.js';
import { Injector } from './inject.js';
import { SimRandom } from './random.js';
import { breathe } from './scheduler.js';
import { formatTimeline, type TimelineEntry } from './timeline.js';
import type { Watch } from './watch.js';
import { type SimHostClass, type SimNodeClass, World } from './world.js';

/** What is simulated. All times are in ms unless they say otherwise. */
export interface SimOptions {
  /** An integer: equal options and seeds are equal runs, event for event. */
  readonly seed: number;
  /** How many peers vote. From 2 on. @default 3 */
  readonly peers?: number;
  /** How many observers there are besides. @default drawn: 0, or sometimes 1 */
  readonly observers?: number;
  /** Virtual hours; in turn there are faults for 60 L, and none for 12 L. @default 0.01 */
  readonly hours?: number;
  /** L in ms; in some clusters the peers have different ones, from 0.6 to 1.5 times this. @default 500 */
  readonly leaderTimeoutMs?: number;
  /** In fair weather a message takes from this to four times this, in ms. @default drawn: from 0.2 to 3 */
  readonly latencyMs?: number;
  /** Which kinds of faults there are. @default all */
  readonly faults?: readonly FaultKind[];
  /** The schedule to run instead of one drawn from the seed: that of a report, or a part of it. */
  readonly schedule?: readonly Fault[];
  /** The class of the nodes: `RaftNode`, one made from it, or another build. @default RaftNode */
  readonly nodes?: SimNodeClass;
  /** Makes each process a host of so many groups, each of them a cluster of its own. @default 0: each is a node */
  readonly groups?: number;
  /** The class of the hosts: `RaftHost`, one made from it, or another build. @default RaftHost */
  readonly hosts?: SimHostClass;
  /** The rate error of clocks that there is; the peers count on at most 0.05. From 0 to below 1. @default 0.05 */
  readonly clockError?: number;
  /** Whether the peers keep data, and clients write and read it. @default false */
  readonly registry?: boolean;
  /** Whether the peers release on disconnect (D17); connections end with processes, and only then. @default false */
  readonly releaseOnDisconnect?: boolean;
  /** Whether the transports have a broadcast, by which steady beats go. @default false */
  readonly broadcasts?: boolean;
  /** Checks whose violations are reported, and do not end the run. @default none */
  readonly allowed?: readonly CheckName[];
  /** Whether each message is in the timeline. @default false */
  readonly traces?: boolean;
}

/** How a run went. */
export interface SimReport {
  readonly seed: number;
  /** How the cluster was made, in a line. */
  readonly cluster: string;
  /** How many events there were. */
  readonly events: number;
  /** Virtual ms. */
  readonly virtualMs: number;
  /** How many terms were won. */
  readonly elections: number;
  /** Empty, unless something was seen broken; the run ended then. */
  readonly violations: readonly Violation[];
  /** For each phase without faults, after how many ms all knew one leader. */
  readonly healedAfterMs: readonly number[];
  /** What became of the data; null without a registry. */
  readonly data: DataReport | null;
  /** The faults of the run. */
  readonly schedule: readonly Fault[];
  /** What happened; of long runs, the end. */
  readonly timeline: readonly TimelineEntry[];
  /** Over all that happened: equal for equal runs. */
  readonly hash: string;
}

/** What the peers count on: the library's default. */
const CLOCK_DRIFT = 0.05;
/** How long there are faults, and how long there are none, in L. */
const FAULTS_L = 60;
const HEAL_L = 12;
/** After the faults all know one leader within so many times the longest L, and then none is elected any more. */
const HEALS_WITHIN_L = 6;
/** Where leaderships are evened out, that is over within so many times the longest L. */
const BALANCES_WITHIN_L = 11;
const TIMELINE_LIMIT = 2_000;

interface Cluster {
  readonly members: readonly Required<Member>[];
  /** L, and that of each. */
  readonly leaderTimeoutMs: number;
  readonly leaderTimeoutsMs: readonly number[];
  readonly rates: readonly ClockRates[];
  readonly bootstrap: boolean;
  readonly hasWipes: boolean;
  readonly latencyMs: number;
  readonly asksAlways: boolean;
  readonly data: DataPlan | null;
  readonly groups: GroupsPlan | null;
}

/** How the groups of hosts are made. */
interface GroupsPlan {
  readonly names: readonly string[];
  /** Whether leaderships are evened out. */
  readonly balance: boolean;
  readonly staggerMs: number | undefined;
}

/**
 * Runs a cluster of real nodes through faults, on virtual time and in one process, and checks after every event what
 * must hold (see `CheckName`). The same options give the same run, on any machine.
 *
 * Nothing of the host is used but promises and, where they are, `setImmediate` and `process.nextTick`. Runs do not share anything, but do
 * one after the other: each waits for its own microtasks.
 */
export async function simulate(options: SimOptions): Promise<SimReport> {
  const { seed, hours = 0.01, traces = false, clockError = CLOCK_DRIFT } = options;
  const cluster = drawCluster(options, clockError);
  const phases = Math.max(1, Math.round((hours * 3_600_000) / phaseMs(cluster)));
  const schedule = options.schedule ?? drawSchedule(options, cluster, phases);
  const shortestMs = Math.min(...cluster.leaderTimeoutsMs);
  const world = new World({
    ...cluster,
    seed,
    nodes: options.nodes ?? RaftNode,
    groups: cluster.groups === null ? null : { ...cluster.groups, hosts: options.hosts ?? RaftHost },
    clockDrift: CLOCK_DRIFT,
    stored: drawDisks(cluster),
    joiners: cluster.data?.joiners ?? 0,
    registry: cluster.data?.limits ?? null,
    releaseOnDisconnect: options.releaseOnDisconnect ?? false,
    broadcasts: options.broadcasts ?? false,
    foldShare: cluster.data?.foldShare ?? 1,
    maxAgeMs: cluster.hasWipes ? shortestMs / (1 + clockError) : Number.POSITIVE_INFINITY,
    allowed: new Set(options.allowed ?? []),
    timelineLimit: TIMELINE_LIMIT,
    traces,
  });
  const injector = new Injector(world, clockError);
  for (const fault of schedule) injector.schedule(fault);
  for (const place of world.places)
    world.scheduler.after(place.random.between(0, 5), () => world.start(place));
  const { ledger } = world;
  const data =
    cluster.data === null || ledger === null ? null : new DataRun(world, ledger, seed, cluster.data);
  const healedAfterMs = await watched(world, traces, () => runPhases(world, data, phases, cluster));
  const dataReport = data?.report() ?? null;
  return {
    seed,
    cluster: describeCluster(cluster),
    events: world.events,
    virtualMs: world.scheduler.now,
    elections: world.elections,
    violations: world.violations,
    healedAfterMs,
    data: dataReport,
    schedule,
    timeline: world.timeline.entries,
    hash: world.timeline.hash,
  };
}

/** A report as text: the seed, what was seen broken, the schedule and what happened last. */
export function formatReport(report: SimReport, entries: number = 200): string {
  const { seed, cluster, violations, virtualMs, schedule, timeline } = report;
  const lines = violations.map(
    ({ check, at, ip, what }) => `${check} at ${(at / 1_000).toFixed(4)} s: ${ip} ${what}`,
  );
  return [
    `seed ${seed}: ${lines.length === 0 ? 'no violation' : lines.join('; ')}`,
    `cluster: ${cluster}; ${schedule.length} faults; ${(virtualMs / 1_000).toFixed(1)} s`,
    formatTimeline(timeline.slice(-entries)),
  ].join('\n');
}

async function runPhases(
  world: World,
  data: DataRun | null,
  phases: number,
  cluster: Cluster,
): Promise<readonly number[]> {
  const healedAfterMs: number[] = [];
  for (let phase = 0; phase < phases && !world.isOver; phase++) {
    const end = phase * phaseMs(cluster) + FAULTS_L * cluster.leaderTimeoutMs;
    data?.begin();
    await world.runUntil(end);
    if (world.isOver) break;
    world.timeline.add('', 'all faults end');
    data?.calm();
    for (const place of world.places) await world.start(place);
    if (!world.canElect) {
      world.timeline.add('', 'too many voters have lost their disks: nobody can lead any more');
      break;
    }
    const healed = await heal(world, data, end, cluster);
    if (healed !== null) healedAfterMs.push(healed);
  }
  return healedAfterMs;
}

/** L1: after how many ms all knew one leader of each cluster, for good; null when they did not. */
async function heal(
  world: World,
  data: DataRun | null,
  from: number,
  cluster: Cluster,
): Promise<number | null> {
  const longestMs = Math.max(...cluster.leaderTimeoutsMs);
  const bound = from + HEALS_WITHIN_L * longestMs;
  const settled = from + (cluster.groups?.balance === true ? BALANCES_WITHIN_L : HEALS_WITHIN_L) * longestMs;
  const end = Math.max(from + HEAL_L * cluster.leaderTimeoutMs, settled);
  const views = world.watches.map((watch) => new Agreement(world, watch, settled));
  const look = (): void => {
    for (const view of views) view.look();
  };
  await world.runUntil(bound, look);
  if (!world.isOver) for (const view of views) view.check();
  const check = data?.settle();
  await world.runUntil(end, look);
  if (!world.isOver) check?.();
  const agreedAt = views.map(({ since }) => since ?? Number.NaN);
  const lastAt = Math.max(...agreedAt);
  return Number.isNaN(lastAt) ? null : lastAt - from;
}

/** The leader of one cluster whom all know, as it comes and changes after the faults. */
class Agreement {
  /** Since when all know the same leader; null while they do not. */
  since: number | null = null;
  readonly #world: World;
  readonly #watch: Watch;
  readonly #settled: number;
  #leader: Leader | null = null;
  #wasKnown = false;

  /** @param settled from when on it must not change */
  constructor(world: World, watch: Watch, settled: number) {
    this.#world = world;
    this.#watch = watch;
    this.#settled = settled;
  }

  look(): void {
    const leader = commonLeader(this.#world, this.#watch);
    if (isSame(leader, this.#leader)) return;
    const { scheduler } = this.#world;
    // A copy: what a node shows may change.
    this.#leader = leader === null ? null : { ip: leader.ip, term: leader.term };
    this.since = leader === null ? null : scheduler.now;
    if (leader !== null) this.#wasKnown = true;
    if (scheduler.now > this.#settled) this.#report(`the leader changed ${this.#views()}`);
  }

  /** All must have known one by now; where leaderships are handed over, it may be between two. */
  check(): void {
    const isMoving = this.#world.scheduler.now < this.#settled;
    if (isMoving ? this.#wasKnown : this.#leader !== null) return;
    this.#report(`no common leader ${HEALS_WITHIN_L} L after the faults: ${this.#views()}`);
  }

  #report(what: string): void {
    const { group } = this.#watch;
    this.#world.report('L1', '', group === '' ? what : `in ${group} ${what}`);
  }

  #views(): string {
    return this.#world.members
      .map(({ ip, process }) => {
        const leader = process?.parts.get(this.#watch.group)?.peer.leader ?? null;
        return `${ip} knows ${leader === null ? 'none' : `${leader.ip} in term ${leader.term}`}`;
      })
      .join(', ');
  }
}

type Leader = Pick<PeerSnapshot, 'ip' | 'term'>;

/** The leader whom all know, and who leads; null when there is none. */
function commonLeader(world: World, { group }: Watch): Leader | null {
  const views = world.members.map(({ process }) => process?.parts.get(group)?.peer.leader ?? null);
  const [first = null] = views;
  return views.every((view) => isSame(view, first)) ? first : null;
}

function isSame(a: Leader | null, b: Leader | null): boolean {
  return a === b || (a !== null && b !== null && a.ip === b.ip && a.term === b.term);
}

/** How long it is from one phase of faults to the next. */
function phaseMs({ leaderTimeoutMs }: Cluster): number {
  return (FAULTS_L + HEAL_L) * leaderTimeoutMs;
}

function drawCluster(
  {
    seed,
    peers = 3,
    observers,
    leaderTimeoutMs = 500,
    latencyMs,
    schedule,
    faults,
    registry = false,
    groups = 0,
  }: SimOptions,
  clockError: number,
): Cluster {
  const random = new SimRandom(seed, 'cluster');
  const isUneven = random.chance(0.25);
  const hasPriorities = random.chance(0.25);
  const bootstrap = random.chance(0.15);
  const mayWipe = random.chance(0.3);
  const asksAlways = random.chance(0.5);
  // One that never campaigns may hold what nobody else does: with data, too many of them can keep all others from leading.
  const priorities = registry ? [1, 2, 3] : [0, 1, 2];
  const drawn = random.chance(0.15) ? 1 : 0;
  const data = registry ? drawData(seed, peers, bootstrap) : null;
  const others = (observers ?? drawn) + (data?.joiners ?? 0);
  const places = Array.from({ length: peers + others }, (_, at) => at);
  const members = places.map((at) => ({
    ip: `${String.fromCharCode(97 + at)}:1`,
    observer: at >= peers,
    priority: hasPriorities && at > 0 ? (priorities[random.below(3)] ?? 1) : 1,
  }));
  const rate = (): number => 1 + clockError * random.pick([-1, -0.5, 0, 0.5, 1]);
  const rates = places.map(() => ({ monotonic: rate(), wall: rate() }));
  const leaderTimeoutsMs = places.map(() =>
    isUneven ? leaderTimeoutMs * random.pick([0.6, 1, 1.5]) : leaderTimeoutMs,
  );
  const drawnLatencyMs = random.pick([0.2, 0.2, 1, 3]);
  const hasWipes =
    schedule === undefined
      ? mayWipe && (faults ?? FAULT_KINDS).includes('wipe')
      : schedule.some(({ kind }) => kind === 'wipe');
  return {
    members,
    leaderTimeoutMs,
    leaderTimeoutsMs,
    rates,
    bootstrap,
    hasWipes,
    latencyMs: latencyMs ?? drawnLatencyMs,
    asksAlways,
    data,
    groups: groups === 0 ? null : drawGroups(seed, groups, leaderTimeoutMs),
  };
}

function drawGroups(seed: number, count: number, leaderTimeoutMs: number): GroupsPlan {
  const random = new SimRandom(seed, 'groups');
  return {
    names: Array.from({ length: count }, (_, at) => `g${at}`),
    balance: random.chance(0.5),
    staggerMs: random.chance(0.5) ? leaderTimeoutMs / 10 : undefined,
  };
}

/** Some hosts take part in some groups only later. */
function drawLate({ seed }: SimOptions, { members, groups, leaderTimeoutMs }: Cluster): readonly Fault[] {
  const random = new SimRandom(seed, 'late');
  return (groups?.names ?? []).flatMap((_, at, { length }) => {
    if (!random.chance(0.2)) return [];
    const ms = random.skewed(0.1, 20) * leaderTimeoutMs;
    const peer = random.below(members.length);
    return { kind: 'leave', at: 0, ms, peer, other: peer, choice: (at + 0.5) / length } as const;
  });
}

function drawDisks({ members, bootstrap, data }: Cluster): readonly (Stored | null)[] {
  if (bootstrap) return members.map(() => null);
  const stored = { term: 0, voteFor: null, promisedMs: 0 };
  if (data === null) return members.map(() => stored);
  const joiners = Array.from({ length: data.joiners }, () => null);
  return [...preload(data, members.length - data.joiners, stored), ...joiners];
}

function drawSchedule(options: SimOptions, cluster: Cluster, phases: number): readonly Fault[] {
  const { seed, faults = FAULT_KINDS } = options;
  const kinds = faults
    .filter((kind) => kind !== 'wipe' || cluster.hasWipes)
    .filter((kind) => kind !== 'leave' || cluster.groups !== null)
    // Hosts that are of two minds about priorities would hand leaderships to each other for ever.
    .filter((kind) => kind !== 'priority' || cluster.groups?.balance !== true);
  const drawn = Array.from({ length: phases }, (_, phase) => {
    const from = phase * phaseMs(cluster);
    return drawFaults({
      seed,
      peers: cluster.members.length,
      from,
      to: from + FAULTS_L * cluster.leaderTimeoutMs,
      kinds,
      leaderTimeoutMs: cluster.leaderTimeoutMs,
    });
  }).flat();
  return kinds.includes('leave') ? [...drawLate(options, cluster), ...drawn] : drawn;
}

function describeCluster({
  members,
  leaderTimeoutsMs,
  rates,
  bootstrap,
  hasWipes,
  latencyMs,
  data,
  groups,
}: Cluster): string {
  const each = members.map(({ ip, observer, priority }, at) => {
    const { monotonic = 1, wall = 1 } = rates[at] ?? {};
    const role = observer ? 'observer' : `priority ${priority}`;
    return `${ip} (${role}, L ${leaderTimeoutsMs[at]} ms, clocks ${monotonic.toFixed(3)} ${wall.toFixed(3)})`;
  });
  return `${each.join(', ')}; latency from ${latencyMs} ms${bootstrap ? ', from empty disks' : ''}${hasWipes ? ', disks may be lost' : ''}${data === null ? '' : `; data: ${describeData(data)}`}${groups === null ? '' : `; ${describeGroups(groups)}`}`;
}

function describeGroups({ names, balance, staggerMs }: GroupsPlan): string {
  const stagger = staggerMs === undefined ? '' : `, one after the other by ${staggerMs} ms`;
  return `${names.length} groups${balance ? ', balanced' : ''}${stagger}`;
}

interface ProcessLike {
  on(event: 'unhandledRejection', listener: (cause: unknown) => void): void;
  off(event: 'unhandledRejection', listener: (cause: unknown) => void): void;
}

/** Takes a rejection that nobody handled for a violation, where the platform tells of it. */
async function watched<T>(world: World, keepsStacks: boolean, run: () => Promise<T>): Promise<T> {
  const host = (globalThis as { process?: Partial<ProcessLike> }).process;
  const note = (cause: unknown): void =>
    world.report(
      'ERROR',
      '',
      `a rejection was not handled: ${cause instanceof Error ? cause.stack : String(cause)}`,
    );
  const traced = Error as { stackTraceLimit?: number };
  const { stackTraceLimit } = traced;
  host?.on?.('unhandledRejection', note);
  // Refusals and timeouts are what a simulation consists of: their stacks would take a good part of its time.
  if (!keepsStacks && stackTraceLimit !== undefined) traced.stackTraceLimit = 0;
  try {
    await breathe();
    const result = await run();
    await breathe();
    return result;
  } finally {
    host?.off?.('unhandledRejection', note);
    if (stackTraceLimit !== undefined) traced.stackTraceLimit = stackTraceLimit;
  }
}
