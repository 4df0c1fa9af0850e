import createDebug from 'debug';
import type { EventEmitter } from 'eventemitter3';
import { RaftCore } from '../core/core.js';
import type { StoredData } from '../core/datum.js';
import type { Datums } from '../core/datums.js';
import { Emitter } from '../core/emitter.js';
import { RaftError } from '../core/errors.js';
import type { MakeLeaderEvent, RaftEvents } from '../core/events.js';
import type { Member } from '../core/membership.js';
import type { RaftMetrics } from '../core/metrics.js';
import type { StoredState } from '../core/outputs.js';
import type { PeerSnapshot, PeerState } from '../core/peer.js';
import { type Dues, RaftPeerSet } from '../core/peer-set.js';
import type { Stored } from '../stores/store.js';
import { RaftController } from './controller.js';
import { Counts } from './counts.js';
import { Driver, type DriverHooks } from './driver.js';
import { ExitSignals } from './exit-signals.js';
import { type LeaderContext, Leading, type WaitOptions } from './leading.js';
import { closeAll, Lifecycle } from './lifecycle.js';
import { type Datum, type DatumListener, type KeyPattern, Listeners, matches, toDatum } from './listeners.js';
import { metricsOf } from './metrics.js';
import { type NacosChange, NacosData } from './nacos-data.js';
import { type RaftNodeOptions, type ResolvedOptions, resolveOptions } from './options.js';
import { type AddPeerOptions, type Published, RegistryClient, type WriteOptions } from './registry-client.js';

const debug = createDebug('raftbeat:node');

/** Something that an operator should know, and that harms nothing yet. */
export interface RaftWarning {
  /**
   * `EMPTY_STORE`: a durable store was found empty. `LEARNING`: it was, in a cluster that holds data, and this peer does not
   * vote. `NACOS_RULES`: the cluster has the original's guarantees only.
   */
  readonly code: 'EMPTY_STORE' | 'LEARNING' | 'NACOS_RULES';
  readonly message: string;
}

/** Event names of a `RaftNode`, and what their listeners get; see `RaftEvents` for the order. */
export interface RaftNodeEvents extends RaftEvents {
  warning: (warning: RaftWarning) => void;
  /** Under `rules: 'nacos'`: what changed in `node.nacos`, also when no majority has it yet. */
  nacosDatum: (change: NacosChange) => void;
}

/**
 * One peer of a cluster, inside your service.
 *
 * Exactly one peer at a time leads: `isLeader()` is never true in two processes at once, given clocks whose rates differ
 * from real time by less than `clockDrift` (protocol, section 3, lease).
 */
export class RaftNode extends Emitter<RaftNodeEvents> {
  /** The datums of original peers; for clusters with `rules: 'nacos'`. */
  readonly nacos: NacosData = new NacosData(() => {
    if (this.#driver === null) throw notRunning();
    return this.#driver.nacos;
  });
  readonly #options: ResolvedOptions;
  readonly #counts: Counts;
  readonly #leading = new Leading(this);
  #peers: RaftPeerSet;
  readonly #listeners = new Listeners((error) => this.emit('error', error));
  #driver: Driver | null = null;
  #registry: RegistryClient | null = null;
  /** What this peer holds, also while it is stopped. */
  #datums: Datums | null = null;
  #sendBeatOnly: boolean;
  #knownLeader: PeerSnapshot | null = null;
  readonly #lifecycle: Lifecycle;

  /** @throws RaftError `BAD_OPTION` naming the option, what was expected and what came */
  constructor(options: RaftNodeOptions) {
    super();
    this.#options = resolveOptions(options);
    this.#counts = new Counts(this.#options.ip, this.#options.clock);
    this.#sendBeatOnly = this.#options.sendBeatOnly;
    this.#peers = this.#newPeers();
    this.#lifecycle = new Lifecycle(new ExitSignals(this.#options.stopOnSignals, () => this.stop()));
  }

  /** This peer's ip. */
  get ip(): string {
    return this.#options.ip;
  }

  /** This peer's state. LEADER alone does not mean that it may act as one: ask `isLeader()`. */
  get state(): PeerState {
    return this.#peers.self.state;
  }

  /** This peer's term. */
  get term(): number {
    return this.#peers.self.term;
  }

  /** The leader that was announced last, or null when it is lost. */
  get leader(): PeerSnapshot | null {
    return this.#knownLeader?.ip === this.ip && !this.isLeader() ? null : this.#knownLeader;
  }

  /** What this peer last heard of each member. */
  get peers(): readonly PeerSnapshot[] {
    return this.#peers.allPeers().map((peer) => peer.snapshot());
  }

  /** Who the members are, and how, as this peer last heard of them. */
  get members(): readonly Required<Member>[] {
    return this.#peers.members;
  }

  /** The term of this peer's leadership while it leads, else null. Terms of leaders never repeat and never decrease. */
  get fencingToken(): number | null {
    return this.isLeader() ? this.term : null;
  }

  /**
   * Whether this peer leads, computed from the clock at the call: a process that was stopped is told false at its first
   * question, and the signal of `whileLeader` is aborted then. Cheap; ask it before each step that only a leader may do.
   */
  isLeader(): boolean {
    if (this.#driver?.isLeader() === true) return true;
    this.#leading.over();
    return false;
  }

  /**
   * For how many ms more this peer leads if it hears from nobody, computed from the clock at the call: 0 when it does not
   * lead; infinity for a cluster of one, and under the rules of Nacos. The next beats renew it.
   */
  get leaseLeftMs(): number {
    return this.#driver?.look((core, now) => core.leaseLeftMs(now)) ?? 0;
  }

  /**
   * Opens the store, serves requests, and takes part. Safe to call again while it runs.
   *
   * @throws RaftError of the store or the transport; everything is closed again then
   */
  start(): Promise<void> {
    return this.#lifecycle.start(() => this.#start());
  }

  /**
   * Hands over leadership if this peer leads, ends `whileLeader` and `waitForLeader`, and closes everything. Safe to call
   * again, and before the start; the node can be started again, also while it stops.
   *
   * @throws the first error of the transport or the store; both are closed all the same
   */
  stop(): Promise<void> {
    return this.#lifecycle.stop((started) => this.#stop(started));
  }

  /** Stops the node at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /**
   * Resolves with the leader, as soon as one is known.
   *
   * @throws RaftError `ABORTED` by the signal, `NOT_RUNNING` when the node is stopped meanwhile
   */
  async waitForLeader({ signal }: WaitOptions = {}): Promise<PeerSnapshot> {
    return this.leader ?? this.#leading.nextLeader(signal);
  }

  /**
   * Starts the node, if it does not run, and resolves as soon as this peer leads: `const { signal, fencingToken } = await
   * raft.elect()`. The signal is aborted the moment it leads no longer; ask again to lead again. Give it up with `resign`,
   * or `stop`.
   *
   * @throws RaftError `ABORTED` by the signal, `NOT_RUNNING` when the node is stopped meanwhile, or as `start`
   */
  async elect({ signal }: WaitOptions = {}): Promise<LeaderContext> {
    await this.start();
    return this.#leading.leadership(signal);
  }

  /**
   * Gives up leadership and orders another voter to take over: `to`, or the one that heard of this peer last.
   *
   * @returns the ip of the peer that took the order; it leads about two round trips later
   * @throws RaftError `NOT_LEADER`, `BAD_TARGET` (oneself, an unknown peer, an observer, one of priority 0, a cluster of
   * one), `UNSUPPORTED` (rules of Nacos), `NOT_RUNNING`: nothing changed; any other code: the order failed, leadership
   * is given up, and another peer is elected after the timeout
   */
  async resign(to?: string): Promise<string> {
    if (this.#driver === null) throw notRunning();
    return this.#driver.resign(to);
  }

  /**
   * Publishes `value` under `key`; resolves when a majority has it: from then on it survives the loss of any minority.
   * A follower forwards it to the leader. Safe to repeat only with `ifTimestamp`.
   *
   * @param value anything that has JSON
   * @throws RaftError `NO_LEADER`, `NOT_LEADER`, `BUSY`, `TOO_LARGE`, `CONFLICT` (the condition did not hold),
   * `BAD_REQUEST`, `NOT_RUNNING`, `UNSUPPORTED` (no registry): nothing was written; `OUTCOME_UNKNOWN`: it may still be
   * committed, whole
   */
  async publish(key: string, value: unknown, options: WriteOptions = {}): Promise<Published> {
    return this.#counts.writes.watched(this.#data().publish(key, value, options));
  }

  /**
   * Removes `key`; resolves when a majority has it so, with whether there was such a key.
   *
   * @throws RaftError as `publish`
   */
  async remove(key: string, options: WriteOptions = {}): Promise<boolean> {
    return this.#counts.writes.watched(this.#data().remove(key, options));
  }

  /**
   * Reads `key` so that every write that was acknowledged before the call is seen (linearizable); asks the leader.
   *
   * @returns null when there is no such key
   * @throws RaftError `NO_LEADER`, `NOT_LEADER`, `NOT_RUNNING`, `UNSUPPORTED`, `TIMEOUT`, `UNREACHABLE`
   */
  async readDatum(key: string): Promise<Datum | null> {
    return this.#counts.reads.watched(this.#data().read(key));
  }

  /** What this peer knows to be committed under `key`, at once; it may lag. Null when there is none. */
  getDatum(key: string): Datum | null {
    const datum = this.#datums?.get(key) ?? null;
    return datum === null ? null : toDatum(datum);
  }

  /** The keys that this peer knows of, in order; those that begin with `prefix`, if it is given. */
  keys(prefix = ''): readonly string[] {
    return [...(this.#datums?.all().keys() ?? [])].filter((key) => matches({ prefix }, key)).sort();
  }

  /**
   * Tells `listener` what is there, at once, and then each committed change, once and in order; null: removed. Listeners
   * outlast a stop. One that throws or rejects is reported by an `error` event and harms nothing.
   */
  listen(pattern: KeyPattern, listener: DatumListener): void {
    this.#listeners.add(pattern, listener);
  }

  /** Tells it nothing more; whether it listened. */
  unlisten(pattern: KeyPattern, listener: DatumListener): boolean {
    return this.#listeners.remove(pattern, listener);
  }

  /**
   * Whether this peer's beats bring no data along when it leads (the original's switch): followers then learn of writes
   * as they are made, and one that missed some is not told at the next beat.
   */
  get sendBeatOnly(): boolean {
    return this.#sendBeatOnly;
  }

  set sendBeatOnly(value: boolean) {
    this.#sendBeatOnly = value;
    this.#driver?.sendBeatOnly(value);
  }

  /**
   * Adds `ip`, which runs with `members: []`, as an observer; resolves when that is committed. `promote` it to have it vote.
   *
   * @throws RaftError `BAD_TARGET` (it is a member), `BUSY` (another change is under way), `UNREACHABLE`, `TIMEOUT` (it
   * does not run), or as `publish`
   */
  async addPeer(ip: string, options: AddPeerOptions = {}): Promise<void> {
    return this.#data().addPeer(ip, options);
  }

  /**
   * Has the observer `ip` vote; resolves when that is committed.
   *
   * @throws RaftError `BAD_TARGET` (no observer), `BUSY` (another change is under way, or it still catches up), or as
   * `publish`
   */
  async promote(ip: string): Promise<void> {
    return this.#data().promote(ip);
  }

  /**
   * Removes `ip`; resolves when that is committed. A leader that removes itself hands over then.
   *
   * @throws RaftError `BAD_TARGET` (no member, or the last that votes), `BUSY` (another change is under way), or as
   * `publish`
   */
  async removePeer(ip: string): Promise<void> {
    return this.#data().removePeer(ip);
  }

  #data(): RegistryClient {
    if (this.#registry !== null) return this.#registry;
    if (this.#driver === null) throw notRunning();
    throw new RaftError(
      'UNSUPPORTED',
      "this node has no registry: give it `registry: true`, or use `node.nacos` under `rules: 'nacos'`",
    );
  }

  /**
   * Runs `job` whenever this peer leads, once for each leadership and never twice at a time; its signal is aborted the
   * moment the lease is gone. Resolves when the node is stopped, or by `signal`.
   *
   * @throws what `job` throws while it leads; what it throws later is reported by an `error` event, unless it is the
   * reason of the signal
   */
  async whileLeader(job: (context: LeaderContext) => unknown, options: WaitOptions = {}): Promise<void> {
    return this.#leading.whileLeader(job, options);
  }

  /**
   * What an operator wants to know: what this peer is now, and what was counted since the node was made, through its starts
   * and stops. Plain data that has JSON; cheap, for nothing is kept for it but counters.
   */
  metrics(): RaftMetrics {
    return metricsOf({
      options: this.#options,
      counts: this.#counts,
      peers: this.#peers,
      driver: this.#driver,
      datums: this.#datums,
      isLeader: this.isLeader(),
      leader: this.leader?.ip ?? null,
    });
  }

  /** Counts each event as it is told; see the base class. */
  override emit<Name extends EventEmitter.EventNames<RaftNodeEvents>>(
    name: Name,
    ...args: Parameters<EventEmitter.EventListener<RaftNodeEvents, Name>>
  ): boolean {
    this.#counts.told(name, args[0]);
    return super.emit(name, ...args);
  }

  async #start(): Promise<void> {
    const { ip, store, transport, rules, timing, random, bootstrap, rejoin, registry, releaseOnDisconnect } =
      this.#options;
    const { stored, data } = withoutData(await store.open(ip));
    try {
      this.#peers = this.#newPeers();
      const nacosDatums = (await this.#options.nacosDatums?.open()) ?? [];
      const core = new RaftCore({
        peers: this.#peers,
        random,
        timing,
        stored,
        bootstrap,
        rejoin,
        registry,
        releaseOnDisconnect,
        data,
        nacosDatums,
      });
      core.sendBeatOnly = this.#sendBeatOnly;
      const hooks: DriverHooks = {
        emit: (name, event) => this.#tell(name, event),
        changed: (changes) => this.#listeners.changed(changes),
        nacosChanged: (change) => this.emit('nacosDatum', change),
        learns: () => this.#learns(),
        leadershipMayBeOver: () => this.isLeader(),
        failed: (error) => this.#failed(error),
      };
      const driver = new Driver(core, this.#options, hooks, this.#counts);
      // Before the first request can come: what it commits is told after what the store held.
      this.#datums = core.datums;
      this.#listeners.attach(core.datums);
      const controller = new RaftController((input) => driver.submit(input), driver, driver.nacos, {
        received: (type, isRefused) => this.#counts.traffic.received(type, isRefused),
        metrics: () => this.metrics(),
      });
      await transport.start(ip, (request, from, gone) => {
        debug('request from %s', from);
        return controller.receive(request, gone);
      });
      if (!driver.isRunning) throw notRunning();
      this.#driver = driver;
      if (registry !== undefined) {
        const deadlineMs = 2 * timing.leaderTimeoutMs;
        this.#registry = new RegistryClient(driver, this.#peers, registry, { random, deadlineMs });
      }
      driver.start();
    } catch (error) {
      await this.#close().catch(() => {});
      throw error;
    }
    if (stored === null && store.durable) this.#warn('EMPTY_STORE', emptyStore(ip, registry !== undefined));
    if (stored?.learner !== undefined) this.#learns();
    if (rules === 'nacos') this.#warn('NACOS_RULES', NACOS_RULES);
  }

  async #stop(started: Promise<void> | null): Promise<void> {
    await started?.catch(() => {});
    if (this.isLeader()) await this.#driver?.resign().catch(() => {});
    await this.#shutDown();
  }

  /** Ends everything at once, without handing over. */
  async #shutDown(): Promise<void> {
    this.#driver?.stop();
    this.#driver = null;
    this.#registry = null;
    this.#knownLeader = null;
    this.#leading.stopped();
    await this.#close();
  }

  async #close(): Promise<void> {
    const { transport, store, nacosDatums } = this.#options;
    await closeAll(
      () => transport.stop(),
      () => store.close(),
      () => nacosDatums?.close(),
    );
  }

  /** A save failed, or an assertion did: a peer that may have forgotten takes part no longer (D4). */
  #failed(error: RaftError): void {
    this.#lifecycle.stop(() => this.#shutDown()).catch((cause: unknown) => debug('while closing: %s', cause));
    this.emit('error', error);
  }

  #tell<Name extends keyof RaftEvents>(name: Name, event: Parameters<RaftEvents[Name]>[0]): void {
    if (name === 'leaderLost') this.#knownLeader = null;
    if (name === 'makeLeader') this.#leaderKnown(event as MakeLeaderEvent);
    (this.emit as (name: Name, event: unknown) => boolean).call(this, name, event);
  }

  #leaderKnown({ leader }: MakeLeaderEvent): void {
    this.#knownLeader = leader;
    this.#leading.made(leader, leader.ip === this.ip && this.isLeader());
  }

  /** Who was to join, or to observe, does what it is there for. */
  #learns(): void {
    const { ip, members } = this.#options;
    const isVoter = members.some(
      (each) => each === ip || (typeof each === 'object' && each.ip === ip && !each.observer),
    );
    if (isVoter) this.#warn('LEARNING', learning(ip));
  }

  #warn(code: RaftWarning['code'], message: string): void {
    debug('warning: %s %s', code, message);
    this.emit('warning', { code, message });
  }

  #newPeers(): RaftPeerSet {
    const { ip, members, rules, random, timing } = this.#options;
    if (rules === 'raftbeat') return new RaftPeerSet({ local: ip, members, rules });
    const freshDues = (): Dues => ({
      leaderDueMs: random() * timing.leaderTimeoutMs,
      heartbeatDueMs: random() * timing.heartbeatMs,
    });
    return new RaftPeerSet({ local: ip, members, rules, freshDues });
  }
}

const NACOS_RULES =
  'two leaders are possible for minutes, as in the original: when no original peer is left, stop all members, and start them ' +
  "without `rules: 'nacos'`";

function emptyStore(ip: string, hasData: boolean): string {
  const isNew = 'in a new cluster start all members, or give them `bootstrap: true`';
  const isLost = hasData
    ? 'a lost store is filled by the others: call removePeer, addPeer and promote to have this peer vote again'
    : 'a lost store is made good by the others: nothing is to be done while most of them kept theirs';
  return `the store of ${ip} is empty: ${isNew}; ${isLost}`;
}

function learning(ip: string): string {
  return `${ip} came with an empty store to a cluster that holds data: it learns, and neither votes nor counts, until removePeer, addPeer and promote have it vote again`;
}

/** The core keeps the state that it was given: the data that came with it would stay in memory beside its own. */
function withoutData(opened: Stored | null): {
  readonly stored: StoredState | null;
  readonly data?: StoredData;
} {
  if (opened === null) return { stored: null };
  const { data, ...stored } = opened;
  return data === undefined ? { stored } : { stored, data };
}

function notRunning(): RaftError {
  return new RaftError('NOT_RUNNING', 'this node is not running');
}
