import { RaftError, type RaftErrorCode } from '../core/errors.js';
import type { LeaderLostEvent, MakeLeaderEvent, RaftEvents, StateChangeEvent } from '../core/events.js';
import type { CommonMetrics, LeaderChange, Tally } from '../core/metrics.js';
import type { Clock } from './clock.js';
import { Traffic } from './traffic.js';

/** How many changes of leader are kept. */
const MAX_CHANGES = 20;

/** Counts how calls end. */
export class Outcomes {
  readonly #tally: Partial<Record<RaftErrorCode | 'ok', number>> = {};

  /** Counts how `call` ends; returns it. */
  watched<T>(call: Promise<T>): Promise<T> {
    call.then(this.#ok, this.#failed);
    return call;
  }

  tally(): Tally<RaftErrorCode | 'ok'> {
    return { ...this.#tally };
  }

  readonly #ok = (): void => this.#add('ok');

  readonly #failed = (cause: unknown): void =>
    this.#add(cause instanceof RaftError ? cause.code : 'INTERNAL');

  #add(outcome: RaftErrorCode | 'ok'): void {
    this.#tally[outcome] = (this.#tally[outcome] ?? 0) + 1;
  }
}

/** Counts what operators want to know of a node, or of a host, from when it is made, through all its starts and stops. */
export class Counts {
  readonly traffic: Traffic = new Traffic();
  readonly writes: Outcomes = new Outcomes();
  readonly reads: Outcomes = new Outcomes();
  readonly #ip: string;
  readonly #clock: Clock;
  readonly #errors: Partial<Record<RaftErrorCode, number>> = {};
  readonly #saves = { count: 0, totalMs: 0, longestMs: 0 };
  readonly #changes: LeaderChange[] = [];
  #leaderChanges = 0;
  #electionsBegun = 0;
  #electionsWon = 0;
  #leadershipsLost = 0;

  constructor(ip: string, clock: Clock) {
    this.#ip = ip;
    this.#clock = clock;
  }

  /** An event is told. */
  told(name: string, event: unknown): void {
    switch (name as keyof RaftEvents) {
      case 'stateChange':
        if ((event as StateChangeEvent).to === 'CANDIDATE') this.#electionsBegun++;
        break;
      case 'leaderElectFinished':
        this.#electionsWon++;
        break;
      case 'makeLeader':
        this.#leaderChanges++;
        this.#changed(event as MakeLeaderEvent, true);
        break;
      case 'leaderLost':
        if ((event as LeaderLostEvent).leader.ip === this.#ip) this.#leadershipsLost++;
        this.#changed(event as LeaderLostEvent, false);
        break;
      case 'error':
        this.#failed((event as RaftError).code);
        break;
    }
  }

  /** Does `save`, and counts it. */
  async saving(save: () => Promise<void>): Promise<void> {
    const begunAt = this.#clock.now();
    await save();
    const ms = this.#clock.now() - begunAt;
    this.#saves.count++;
    this.#saves.totalMs += ms;
    this.#saves.longestMs = Math.max(this.#saves.longestMs, ms);
  }

  /** The last changes of leader, the newest last. */
  get changes(): readonly LeaderChange[] {
    return [...this.#changes];
  }

  /** What is counted for nodes and hosts alike. */
  metrics(): Omit<CommonMetrics, 'ip' | 'isRunning' | 'leaderTimeoutMs'> {
    return {
      leaderChanges: this.#leaderChanges,
      electionsBegun: this.#electionsBegun,
      electionsWon: this.#electionsWon,
      leadershipsLost: this.#leadershipsLost,
      ...this.traffic.metrics(),
      saves: { ...this.#saves },
      errors: { ...this.#errors },
    };
  }

  #changed({ leader, term }: MakeLeaderEvent | LeaderLostEvent, leads: boolean): void {
    this.#changes.push({ atMs: this.#clock.wallNow(), leader: leads ? leader.ip : null, term });
    if (this.#changes.length > MAX_CHANGES) this.#changes.shift();
  }

  #failed(code: RaftErrorCode): void {
    this.#errors[code] = (this.#errors[code] ?? 0) + 1;
  }
}
