import type { StoredDatum } from '../../core/datum.js';
import type { RegistryLimits } from '../../core/registry.js';
import type { Stored } from '../../stores/store.js';
import { type ClientOptions, Clients } from './clients.js';
import { nameOf } from './held-data.js';
import type { Ledger } from './ledger.js';
import { Operator } from './operator.js';
import { SimRandom } from './random.js';
import type { World } from './world.js';

/** How a registry is made and used in one run. */
export interface DataPlan {
  readonly limits: Partial<RegistryLimits>;
  /** How likely durable bases follow a commit. */
  readonly foldShare: number;
  readonly clients: ClientOptions;
  /** How many keys the cluster begins with, and how many peers hold none of them. */
  readonly preloaded: number;
  readonly lagging: number;
  /** How many join later: with one of them, members come and go. */
  readonly joiners: number;
}

/** What clients did to the registry. */
export interface DataReport {
  /** How many calls ended, by what: `ok`, or the code of the error. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** How many batches were committed. */
  readonly batches: number;
  /** How often a peer took over a whole base. */
  readonly catchUps: number;
  /** The keys for which the search of the history gave up. */
  readonly unknown: readonly string[];
}

/** Draws the plan of a run; `voters` of the peers vote. */
export function drawData(seed: number, voters: number, bootstrap: boolean): DataPlan {
  const random = new SimRandom(seed, 'data');
  const isSmall = random.chance(0.75);
  const limits = {
    maxHistorySize: Math.round(random.skewed(200, 20_000)),
    maxMessageSize: Math.round(random.skewed(100, 5_000)),
    maxTailSize: Math.round(random.skewed(500, 20_000)),
  };
  const isPreloaded = random.chance(0.2) && !bootstrap;
  return {
    limits: isSmall ? limits : {},
    foldShare: random.pick([1, 0.2, 0.05, 0]),
    clients: {
      clients: 1 + random.below(5),
      keys: 1 + random.below(6),
      thinkMs: random.skewed(20, 500),
      padding: random.pick([0, 20, 400]),
      burst: random.pick([1, 3, 20]),
    },
    preloaded: isPreloaded ? random.pick([3, 120, 1_100]) : 0,
    lagging: random.below(Math.ceil(voters / 2)),
    joiners: random.chance(0.5) && !bootstrap ? 1 : 0,
  };
}

/** What the disks of a preloaded cluster hold: all the same, but those at the end lag. */
export function preload({ preloaded, lagging }: DataPlan, peers: number, stored: Stored): readonly Stored[] {
  if (preloaded === 0) return Array.from({ length: peers }, () => stored);
  const datums = new Map<string, StoredDatum>();
  for (let seq = 1; seq <= preloaded; seq++) {
    const key = `p${seq}`;
    datums.set(key, { key, value: JSON.stringify(key), timestamp: 1, revision: { term: 1, seq } });
  }
  const base = { revision: { term: 1, seq: preloaded }, stampFloor: 0, datums };
  const full = { ...stored, term: 1, data: { base, tail: [] } };
  return Array.from({ length: peers }, (_, at) => (at < peers - lagging ? full : stored));
}

/** Describes a plan in a line. */
export function describeData({ limits, foldShare, clients, preloaded, lagging, joiners }: DataPlan): string {
  const each = { ...limits, foldShare, ...clients, preloaded, lagging, joiners };
  return Object.entries(each)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(3))}`)
    .join(', ');
}

/** The clients of a run, and what must hold when faults are over. */
export class DataRun {
  readonly #world: World;
  readonly #ledger: Ledger;
  readonly #clients: Clients;
  readonly #operator: Operator | null;

  constructor(world: World, ledger: Ledger, seed: number, { clients, joiners }: DataPlan) {
    this.#world = world;
    this.#ledger = ledger;
    this.#clients = new Clients(world, ledger, seed, clients);
    this.#operator = joiners === 0 ? null : new Operator(world, ledger, seed);
  }

  /** Clients begin to call, and members to change. */
  begin(): void {
    this.#clients.open();
    this.#operator?.open();
  }

  /** Members change no longer. */
  calm(): void {
    this.#operator?.close();
  }

  /** Clients end; from now on a write at each member succeeds, and all come to hold the same. Returns the check of that. */
  settle(): () => void {
    this.#clients.close();
    const waiting = new Set<string>();
    for (const place of this.#world.members) {
      waiting.add(place.ip);
      this.#clients.probe(place, () => void waiting.delete(place.ip));
    }
    return () => {
      if (waiting.size > 0) this.#world.report('L3', [...waiting].join(), 'does not write after the faults');
      for (const { ip, process } of this.#world.members) {
        const revision = process?.mirror?.held.revision ?? { term: 0, seq: 0 };
        const { end } = this.#ledger;
        if (nameOf(revision) !== nameOf(end))
          this.#world.report('L3', ip, `holds ${nameOf(revision)} after the faults, not ${nameOf(end)}`);
      }
    };
  }

  /** LINEAR, and what happened. */
  report(): DataReport {
    const found = this.#clients.check();
    if (found.ok === false) this.#world.report('LINEAR', found.key, found.explanation);
    return {
      outcomes: Object.fromEntries(this.#clients.outcomes),
      batches: this.#ledger.count,
      catchUps: this.#ledger.catchUps,
      unknown: found.ok === 'unknown' ? found.keys : [],
    };
  }
}
