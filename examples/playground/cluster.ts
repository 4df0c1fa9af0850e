import { RaftNode } from 'raftbeat';
import { type Place, World } from '../../src/testing/sim/world.js';
import { LinkFaults } from './link-faults.js';
import { Messages } from './messages.js';
import type { Mode, PeerView, Picture } from './picture.js';
import { type Action, IPS, type Run, type Verb } from './run.js';

/** L in ms: the library's default. */
const L = 500;
const CLOCK_DRIFT = 0.05;
/** A message takes from this to four times this, in ms. */
const LATENCY_MS = 5;
/** By how much a message is put off. */
const DELAY_MS = 100;
/** So often all peers are looked at, in ms. */
const LOOK_MS = 1;

/** For how long a peer was the same. */
export interface Span extends Pick<PeerView, 'mode' | 'isStopped' | 'term'> {
  readonly from: number;
}

/** A cluster of real nodes in the simulator, as one sees and treats it who sees everything. */
export class Cluster {
  readonly world: World;
  /** What each peer was, oldest first. */
  readonly spans: ReadonlyMap<string, Span[]>;
  readonly #messages = new Messages();
  readonly #faults: LinkFaults;
  #views: readonly PeerView[] = [];

  constructor({ seed, peers }: Run) {
    const ips = IPS.slice(0, peers);
    this.world = newWorld(seed, ips);
    this.world.onFlight = (flight) => this.#messages.add(flight);
    this.#faults = new LinkFaults(this.world.network, ips);
    this.spans = new Map(ips.map((ip) => [ip, []]));
    const { scheduler, places } = this.world;
    for (const place of places)
      scheduler.after(place.random.between(0, LATENCY_MS), () => this.world.start(place));
    this.#look();
  }

  get now(): number {
    return this.world.scheduler.now;
  }

  /** Eight digits over all that happened so far. */
  get fingerprint(): string {
    return this.world.timeline.hash;
  }

  get picture(): Picture {
    return {
      now: this.now,
      leaderTimeoutMs: L,
      leaseMs: (L * (1 - CLOCK_DRIFT)) / (1 + CLOCK_DRIFT),
      peers: this.#views,
      messages: this.#messages.views,
      faults: this.#faults.active,
      hasFault: (fault, from, to) => this.#faults.has(fault, from, to),
    };
  }

  runUntil(end: number): Promise<void> {
    return this.world.runUntil(end);
  }

  /** Has that be the next thing that happens. */
  do({ verb, target }: Action): void {
    this.world.scheduler.after(0, async () => {
      await this.#do(verb, target);
      this.#see();
    });
  }

  #do(verb: Verb, target: string): Promise<void> | undefined {
    if (verb === 'drop' || verb === 'delay') {
      const ms = verb === 'drop' ? Number.POSITIVE_INFINITY : DELAY_MS;
      const isPutOff = this.#messages.putOff(Number(target), ms, this.now);
      if (isPutOff) this.world.timeline.add('', `message ${target} is ${ms === DELAY_MS ? 'late' : 'lost'}`);
      return undefined;
    }
    const place = this.world.places.find(({ ip }) => ip === target);
    const follows = place === undefined ? undefined : this.#treat(verb, place);
    if (this.#faults.change(verb, target)) this.world.timeline.add(target, `links: ${verb}`);
    return follows;
  }

  #treat(verb: Verb, place: Place): Promise<void> | undefined {
    const { process } = place;
    const host = process?.host;
    if (verb === 'kill') this.world.crash(place, true);
    if (verb === 'start') return this.world.start(place);
    if (verb === 'stop' && host?.isStalled === false) {
      this.world.timeline.add(place.ip, 'stands still');
      host.stall();
    }
    if (verb === 'go' && host?.isStalled === true) {
      this.world.timeline.add(place.ip, 'goes on');
      return host.resume();
    }
    if (verb === 'resign' && process !== null) {
      this.world.timeline.add(place.ip, 'is asked to resign');
      process.node?.resign().catch(() => {});
    }
    return undefined;
  }

  /** Asks at fixed moments, for each answer of `isLeader` is part of the run. */
  #look(): void {
    this.#see();
    this.world.scheduler.after(LOOK_MS, () => this.#look());
  }

  #see(): void {
    this.#views = this.world.places.map((place) => this.#viewOf(place));
    for (const view of this.#views) this.#note(view);
  }

  #note({ ip, mode, isStopped, term }: PeerView): void {
    const spans = this.spans.get(ip) ?? [];
    const last = spans.at(-1);
    if (last?.mode === mode && last.isStopped === isStopped && last.term === term) return;
    spans.push({ from: this.now, mode, isStopped, term });
  }

  #viewOf({ ip, process }: Place): PeerView {
    const node = (process?.node ?? null) as RaftNode | null;
    const bond = this.world.watches[0]?.bondOf(ip) ?? null;
    const boundMs = Math.max(0, (bond?.until ?? 0) - this.now);
    const isLeader = node?.isLeader() ?? false;
    return {
      ip,
      mode: node === null ? 'down' : isLeader ? 'leads' : modeOf(node),
      isStopped: process?.host.isStalled ?? false,
      term: node?.term ?? 0,
      voteFor: node?.peers.find((peer) => peer.ip === ip)?.voteFor ?? null,
      leader: node?.leader?.ip ?? null,
      isLeader,
      leaseLeftMs: node?.leaseLeftMs ?? 0,
      boundTo: boundMs > 0 ? (bond?.holder ?? null) : null,
      boundMs,
    };
  }
}

/** What one is that does not lead. */
export function modeOf({ state }: Pick<RaftNode, 'state'>): Mode {
  if (state === 'LEADER') return 'elected';
  return state === 'CANDIDATE' ? 'candidate' : 'follower';
}

function newWorld(seed: number, ips: readonly string[]): World {
  return new World({
    seed,
    nodes: RaftNode,
    groups: null,
    members: ips.map((ip) => ({ ip, observer: false, priority: 1 })),
    joiners: 0,
    leaderTimeoutsMs: ips.map(() => L),
    clockDrift: CLOCK_DRIFT,
    rates: ips.map(() => ({ monotonic: 1, wall: 1 })),
    stored: ips.map(() => ({ term: 0, voteFor: null, promisedMs: 0 })),
    registry: null,
    releaseOnDisconnect: false,
    broadcasts: false,
    foldShare: 1,
    bootstrap: false,
    latencyMs: LATENCY_MS,
    maxAgeMs: Number.POSITIVE_INFINITY,
    asksAlways: true,
    allowed: new Set(),
    timelineLimit: 200,
    traces: false,
  });
}
