import createDebug from 'debug';
import type { EventEmitter } from 'eventemitter3';
import { Emitter } from '../core/emitter.js';
import { RaftError } from '../core/errors.js';
import type { LeaderLostEvent, MakeLeaderEvent } from '../core/events.js';
import { GROUP_NAME, isGroupName } from '../core/group-name.js';
import type { HostMetrics } from '../core/metrics.js';
import type { StoredState } from '../core/outputs.js';
import { Counts } from '../node/counts.js';
import { ExitSignals } from '../node/exit-signals.js';
import { shortText } from '../node/fields.js';
import { closeAll, Lifecycle } from '../node/lifecycle.js';
import { type GroupHost, RaftGroup } from './group.js';
import { HostDriver, type HostHooks } from './host-driver.js';
import { type RaftHostOptions, type ResolvedHostOptions, resolveHostOptions } from './host-options.js';
import type { SeatEvent } from './seat.js';

export type { RaftGroup } from './group.js';
export type { RaftHostOptions } from './host-options.js';

const debug = createDebug('raftbeat:host');

/** Event names of a `RaftHost`, and what their listeners get. */
export interface RaftHostEvents {
  /** A group has a (new) leader. */
  makeLeader: (group: RaftGroup, event: MakeLeaderEvent) => void;
  /** A group lost the leader that was announced. */
  leaderLost: (group: RaftGroup, event: LeaderLostEvent) => void;
  /** Something that somebody should look at; `STORE_FAILED` and `INTERNAL` have stopped the host. */
  error: (error: RaftError) => void;
}

/** Options of a group. */
export interface GroupOptions {
  /** The operator's word that this is a new group: a majority of hosts that know nothing of it may begin. @default that of the host */
  readonly bootstrap?: boolean;
}

/**
 * Many groups in one process, each with a leader of its own: for shards, tenants or jobs. All of them share one transport,
 * one timer and one store; quiet groups cost next to nothing, for one beat between two hosts stands for those of all groups.
 */
export class RaftHost extends Emitter<RaftHostEvents> {
  readonly #options: ResolvedHostOptions;
  readonly #counts: Counts;
  readonly #groupHost: GroupHost;
  readonly #groups = new Map<string, RaftGroup>();
  /** What the store held of groups that were not opened yet, or were left. */
  #stored = new Map<string, StoredState>();
  #driver: HostDriver | null = null;
  readonly #lifecycle: Lifecycle;

  /** @throws RaftError `BAD_OPTION` naming the option, what was expected and what came */
  constructor(options: RaftHostOptions) {
    super();
    this.#options = resolveHostOptions(options);
    this.#lifecycle = new Lifecycle(new ExitSignals(this.#options.stopOnSignals, () => this.stop()));
    this.#counts = new Counts(this.#options.ip, this.#options.clock);
    this.#groupHost = {
      ip: this.#options.ip,
      leave: (group) => this.#leave(group),
      told: (group, told) => this.#told(group, told),
    };
  }

  /** This host's ip. */
  get ip(): string {
    return this.#options.ip;
  }

  /** The groups that this host takes part in. */
  get groups(): readonly RaftGroup[] {
    return [...this.#groups.values()];
  }

  /**
   * The group `name`, in which this host takes part from now on (from the start on, if it does not run yet). The same object
   * as long as the host has not left the group.
   *
   * @param name a text of 1 to 256 characters without control characters, the same on all hosts
   * @throws RaftError `BAD_OPTION`
   */
  group(name: string, options: GroupOptions = {}): RaftGroup {
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    if (!isGroupName(name))
      throw new RaftError('BAD_OPTION', `name must be ${GROUP_NAME}, not ${shortText(name)}`);
    const { bootstrap = this.#options.bootstrap } = options;
    if (typeof bootstrap !== 'boolean')
      throw new RaftError('BAD_OPTION', `bootstrap must be true or false, not ${shortText(bootstrap)}`);
    const group = new RaftGroup(name, bootstrap, this.#groupHost);
    this.#groups.set(name, group);
    if (this.#driver !== null) this.#open(this.#driver, group);
    return group;
  }

  /**
   * Opens the store, serves requests, and takes part in all groups. Safe to call again while it runs.
   *
   * @throws RaftError of the store or the transport; everything is closed again then
   */
  start(): Promise<void> {
    return this.#lifecycle.start(() => this.#start());
  }

  /**
   * Hands over what this host leads, ends `whileLeader` and `waitForLeader` of all groups, and closes everything. Safe to
   * call again, and before the start; the host can be started again, also while it stops.
   *
   * @throws the first error of the transport or the store; both are closed all the same
   */
  stop(): Promise<void> {
    return this.#lifecycle.stop(async (started) => {
      await started?.catch(() => {});
      await this.#driver?.resignAll();
      await this.#shutDown();
    });
  }

  /** Stops the host at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /**
   * What an operator wants to know of this host: what was counted since it was made, for all groups together. Plain data that
   * has JSON.
   */
  metrics(): HostMetrics {
    const { ip, members, timing, clock } = this.#options;
    const now = clock.now();
    return {
      ip,
      isRunning: this.#driver !== null,
      leaderTimeoutMs: timing.leaderTimeoutMs,
      groups: this.#groups.size,
      leads: this.#driver?.size.leads ?? 0,
      ...this.#counts.metrics(),
      peers: members.ips
        .filter((other) => other !== ip)
        .map((other) => this.#counts.traffic.linkTo(other, now)),
    };
  }

  /** Counts the errors as they are told; see the base class. */
  override emit<Name extends EventEmitter.EventNames<RaftHostEvents>>(
    name: Name,
    ...args: Parameters<EventEmitter.EventListener<RaftHostEvents, Name>>
  ): boolean {
    if (name === 'error') this.#counts.told('error', args[0]);
    return super.emit(name, ...args);
  }

  #open(driver: HostDriver, group: RaftGroup): void {
    const { name, bootstrap } = group;
    const stored = this.#stored.get(name) ?? null;
    this.#stored.delete(name);
    group.seated(driver.open({ name, stored, bootstrap, listener: group }));
  }

  async #leave(group: RaftGroup): Promise<void> {
    const isIn = (): boolean => this.#groups.get(group.name) === group;
    if (!isIn()) return;
    const driver = this.#driver;
    const stored = (await driver?.leave(group.name)) ?? null;
    if (!isIn()) return;
    this.#groups.delete(group.name);
    if (stored !== null && driver === this.#driver) this.#stored.set(group.name, stored);
    group.seated(null);
    group.stopped();
  }

  #told(group: RaftGroup, { name, event }: SeatEvent): void {
    if (name !== 'error') this.#counts.told(name, event);
    if (name === 'makeLeader') this.emit('makeLeader', group, event as MakeLeaderEvent);
    else if (name === 'leaderLost') this.emit('leaderLost', group, event as LeaderLostEvent);
    else if (name === 'error') this.emit('error', event as RaftError);
  }

  async #start(): Promise<void> {
    const { ip, store, transport } = this.#options;
    this.#stored = new Map(await store.open(ip));
    const hooks: HostHooks = {
      leadershipsMayBeOver: () => {
        for (const group of this.#groups.values()) group.checkLeadership();
      },
      metrics: () => this.metrics(),
      failed: (error) => this.#failed(error),
    };
    const driver = new HostDriver(this.#options, hooks, this.#counts);
    this.#driver = driver;
    try {
      for (const group of this.#groups.values()) this.#open(driver, group);
      await transport.start(ip, (request) => driver.receive(request));
      if (!driver.isRunning) throw new RaftError('NOT_RUNNING', 'this host is not running');
      driver.start();
    } catch (error) {
      this.#end(driver);
      await this.#close().catch(() => {});
      throw error;
    }
  }

  /** Ends everything at once, without handing over. */
  async #shutDown(): Promise<void> {
    if (this.#driver !== null) this.#end(this.#driver);
    for (const group of this.#groups.values()) group.stopped();
    await this.#close();
  }

  #end(driver: HostDriver): void {
    driver.stop();
    if (this.#driver !== driver) return;
    this.#driver = null;
    for (const group of this.#groups.values()) group.seated(null);
  }

  async #close(): Promise<void> {
    const { transport, store } = this.#options;
    await closeAll(
      () => transport.stop(),
      () => store.close(),
    );
  }

  /** A save failed, or an assertion did: a host that may have forgotten takes part no longer (D4). */
  #failed(error: RaftError): void {
    this.#lifecycle.stop(() => this.#shutDown()).catch((cause: unknown) => debug('while closing: %s', cause));
    this.emit('error', error);
  }
}
