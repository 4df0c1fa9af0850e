import { RaftNode, type RaftReply, type RaftRequest } from 'raftbeat';
import type { Arrival, Station } from '../../../src/testing/sim/network.js';
import { World } from '../../../src/testing/sim/world.js';

/** A cluster to be looked at. */
export interface Cluster {
  readonly voters: number;
  readonly observers: number;
  /** Whether transports have a broadcast. */
  readonly broadcasts: boolean;
}

/** The library's defaults; a message takes from 0.2 to 0.8 ms. */
export const L_MS = 500;
const LATENCY_MS = 0.2;

/** A simulated cluster without faults, whose messages are counted: a publication is one, as is each answer. */
export class CountedWorld extends World {
  messages = 0;
  readonly #broadcasts: boolean;
  #last: RaftRequest | null = null;

  constructor({ voters, observers, broadcasts }: Cluster, seed: number) {
    const members = Array.from({ length: voters + observers }, (_, at) => ({
      ip: `10.0.0.${at}:1`,
      priority: 1,
      observer: at >= voters,
    }));
    super({
      seed,
      nodes: RaftNode,
      groups: null,
      members,
      joiners: 0,
      leaderTimeoutsMs: members.map(() => L_MS),
      clockDrift: 0.05,
      rates: members.map(() => ({ monotonic: 1, wall: 1 })),
      stored: members.map(() => ({ term: 0, voteFor: null, promisedMs: 0 })),
      registry: null,
      releaseOnDisconnect: false,
      broadcasts,
      foldShare: 1,
      bootstrap: false,
      latencyMs: LATENCY_MS,
      maxAgeMs: Number.POSITIVE_INFINITY,
      asksAlways: false,
      allowed: new Set(),
      timelineLimit: 0,
      traces: false,
    });
    this.#broadcasts = broadcasts;
  }

  override leaves(from: Station, to: string, request: RaftRequest): void {
    const isPublished = this.#broadcasts && request.type === 'beat' && request === this.#last;
    if (!isPublished) this.messages++;
    this.#last = request;
    super.leaves(from, to, request);
  }

  override answers(from: Station, request: RaftRequest, reply: RaftReply, arrival: Arrival): void {
    this.messages++;
    super.answers(from, request, reply, arrival);
  }

  /** Goes on until `holds`, at most `ms`; tells how long it took. @throws Error where it took longer, or a rule was broken */
  async until(holds: () => boolean, ms: number): Promise<number> {
    const { scheduler } = this;
    const begin = scheduler.now;
    while (!holds()) {
      if (scheduler.next > begin + ms) throw new Error(`not within ${ms} ms`);
      await this.step();
      if (this.isOver) throw new Error(JSON.stringify(this.violations));
    }
    return scheduler.now - begin;
  }

  /** Lets `ms` go by. */
  async advance(ms: number): Promise<void> {
    const end = this.scheduler.now + ms;
    await this.until(() => this.scheduler.next > end, 2 * ms);
    this.scheduler.now = end;
  }

  /** Whether all that run know one leader, of a term above `term`, who leads. */
  isLedAfter(term: number): boolean {
    const leader = this.leaderPlace?.process?.node?.leader ?? null;
    if (leader === null || leader.term <= term) return false;
    for (const { process } of this.places)
      if (process !== null && process.node?.leader?.term !== leader.term) return false;
    return true;
  }
}
