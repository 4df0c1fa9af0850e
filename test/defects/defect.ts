import type { SimOptions } from 'raftbeat/testing';
import type { Bounds } from '../model/bounds.js';
import type { Patch } from './patches.js';

/** A fault put into the code on purpose. */
export interface Defect {
  readonly name: string;
  readonly patches: readonly Patch[];
  /** What finds it: each of these does, by itself. */
  readonly foundBy: readonly Finder[];
}

/** What a seed leaves open. */
export type Preset = Pick<SimOptions, 'leaderTimeoutMs' | 'latencyMs' | 'registry' | 'groups'>;

/**
 * `simulator`: the run of a seed, the first from 1 on that finds it, or one of the `further` that follow it. `model`: all
 * states within bounds. `scenario`: a case of `test/scenarios`, which then happens otherwise than it is written.
 */
export type Finder =
  | { readonly by: 'simulator'; readonly seed: number; readonly preset: Preset; readonly further?: number }
  | { readonly by: 'model'; readonly bounds: Partial<Bounds> }
  | { readonly by: 'scenario'; readonly name: string };

export const simulator = (seed: number, preset: Preset = {}): Finder => ({ by: 'simulator', seed, preset });
/** With the registry. */
export const registry = (seed: number): Finder => simulator(seed, { registry: true });
/** With groups, by one of the first seeds: which of them it is changes with each change of `src/host`. */
export const groups = (): Finder => ({ by: 'simulator', seed: 1, preset: { groups: 3 }, further: 99 });
export const model = (bounds: Partial<Bounds> = {}): Finder => ({ by: 'model', bounds });
export const scenario = (name: string): Finder => ({ by: 'scenario', name });

export const ACCEPTANCE = 'core/acceptance.ts';
export const CATCH_UP = 'core/catch-up.ts';
export const CORE = 'core/core.ts';
export const DATUMS = 'core/datums.ts';
export const FORWARDS = 'core/forwards.ts';
export const LEASE = 'core/lease.ts';
export const PEER_SET = 'core/peer-set.ts';
export const RANKING = 'core/ranking.ts';
export const REGISTRY = 'core/registry.ts';
export const REJOIN = 'core/rejoin.ts';
export const REPLICATION = 'core/replication.ts';
export const RULES = 'core/rules.ts';
export const SNAPSHOT = 'core/snapshot.ts';
export const TIMING = 'core/timing.ts';
export const WRITES = 'core/writes.ts';
export const DRIVER = 'node/driver.ts';
export const BEATS = 'host/beats.ts';
export const FOLLOWER_HOST = 'host/follower-host.ts';
export const HOST_DRIVER = 'host/host-driver.ts';
export const LEADER_HOST = 'host/leader-host.ts';
export const SEAT = 'host/seat.ts';
export const FORWARDER = 'node/forwarder.ts';

export const patch = (file: string, find: string, replace: string): Patch => ({ file, find, replace });

/** Without it an assertion would find at once what is to be found from outside. */
export const NO_VOTE_ASSERTION: Patch = patch(
  CORE,
  'term > last.term ||\n        last.voteFor === null ||',
  'true ||',
);
