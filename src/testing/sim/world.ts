import type { DataChanges } from '../../core/datum.js';
import type { MakeLeaderEvent } from '../../core/events.js';
import type { Member } from '../../core/membership.js';
import type { RaftReply, RaftRequest, VoteReply } from '../../core/messages.js';
import type { StoredState } from '../../core/outputs.js';
import type { PeerSnapshot, PeerState } from '../../core/peer.js';
import type { RegistryLimits } from '../../core/registry.js';
import type { Datum, DatumListener, KeyPattern } from '../../node/listeners.js';
import type { RaftNodeOptions } from '../../node/options.js';
import type { Published, WriteOptions } from '../../node/registry-client.js';
import type { Stored } from '../../stores/store.js';
import { Ballots } from './ballots.js';
import type { CheckName, Violation } from './checks.js';
import { SimDisk } from './disk.js';
import type { FaultTrigger } from './faults.js';
import { type ClockRates, SimHost } from './host.js';
import { Ledger } from './ledger.js';
import { Mirror } from './mirror.js';
import { type Arrival, SimNetwork, type Station, type Wiretap } from './network.js';
import { Promises } from './promises.js';
import { SimRandom } from './random.js';
import { Records } from './records.js';
import { breathe, Scheduler, settle } from './scheduler.js';
import { Timeline } from './timeline.js';

/** What the simulator asks of a node: `RaftNode`, one made from it, or another build of it. */
export interface SimNode {
  readonly state: PeerState;
  readonly term: number;
  readonly leader: PeerSnapshot | null;
  isLeader(): boolean;
  start(): Promise<void>;
  stop(): Promise<void>;
  resign(to?: string): Promise<string>;
  publish(key: string, value: unknown, options?: WriteOptions): Promise<Published>;
  remove(key: string, options?: WriteOptions): Promise<boolean>;
  readDatum(key: string): Promise<Datum | null>;
  getDatum(key: string): Datum | null;
  keys(prefix?: string): readonly string[];
  listen(pattern: KeyPattern, listener: DatumListener): void;
  addPeer(ip: string): Promise<void>;
  promote(ip: string): Promise<void>;
  removePeer(ip: string): Promise<void>;
  // biome-ignore lint/suspicious/noExplicitAny: the events of RaftNode, whichever build it comes from
  on(name: any, listener: (event: any) => void): unknown;
}

/** The class of the nodes. */
export type SimNodeClass = new (options: RaftNodeOptions) => SimNode;

/** One process of a peer. */
export interface Process extends Station {
  readonly host: SimHost;
  readonly node: SimNode;
  readonly disk: SimDisk;
  /** The last term in which it said that it leads, and the last one in which that was over. */
  ledTerm: number;
  overTerm: number;
  /** The last term that it won. */
  wonTerm: number;
  /** What it should hold; null without a registry. */
  readonly mirror: Mirror | null;
  /** Whether it stops, or has failed: what it then shows is not checked. */
  isEnding: boolean;
}

/** A place in the cluster: its disk and its clocks outlive the processes. */
export interface Place {
  readonly ip: string;
  readonly disk: SimDisk;
  readonly leaderTimeoutMs: number;
  readonly random: SimRandom;
  member: Required<Member>;
  rates: ClockRates;
  process: Process | null;
  /** Whether it joins later, and knows no member. */
  readonly isJoiner: boolean;
  /** Whether what is durable there says that it only learns. */
  isLearner: boolean;
  /** How often it was started: who restarts it later must find the same number. */
  starts: number;
}

/** How a cluster is made. */
export interface WorldOptions {
  readonly seed: number;
  readonly nodes: SimNodeClass;
  readonly members: readonly Required<Member>[];
  /** How many of them, the last ones, are no members at first. */
  readonly joiners: number;
  /** L of each member, in ms. */
  readonly leaderTimeoutsMs: readonly number[];
  readonly clockDrift: number;
  readonly rates: readonly ClockRates[];
  /** What each disk holds. */
  readonly stored: readonly (Stored | null)[];
  /** Bounds of the registry; null: there is none. */
  readonly registry: Partial<RegistryLimits> | null;
  readonly releaseOnDisconnect: boolean;
  /** Whether the transports have a broadcast. */
  readonly broadcasts: boolean;
  /** How likely durable bases follow a commit. */
  readonly foldShare: number;
  readonly bootstrap: boolean;
  readonly latencyMs: number;
  readonly maxAgeMs: number;
  /** Whether every process is asked if it leads after every event, and not only when two may. */
  readonly asksAlways: boolean;
  readonly allowed: ReadonlySet<CheckName>;
  readonly timelineLimit: number;
  /** Whether messages are in the timeline. */
  readonly traces: boolean;
}

/** After so many events the platform takes a turn: always the same ones, so that what it tells of comes at the same. */
const BREATHES_EVERY = 16;

/** The cluster and all that surrounds it, and what an observer sees who sees everything. */
export class World implements Wiretap {
  readonly scheduler: Scheduler = new Scheduler();
  readonly timeline: Timeline;
  readonly network: SimNetwork;
  readonly places: readonly Place[];
  readonly ballots: Ballots;
  /** What was committed; null without a registry. */
  readonly ledger: Ledger | null;
  readonly violations: Violation[] = [];
  /** How many events there were. */
  events = 0;
  /** Told of what a peer does that a fault may wait for. */
  onTrigger: (place: Place, trigger: FaultTrigger) => void = () => {};
  readonly #options: WorldOptions;
  readonly #records: Records;
  /** Who votes at first. */
  readonly #voters: ReadonlySet<string>;
  readonly #promises: Promises;
  #clones: Process[] = [];

  constructor(options: WorldOptions) {
    const { seed, members, leaderTimeoutsMs, rates, stored, clockDrift, registry, joiners } = options;
    this.#options = options;
    this.timeline = new Timeline(() => this.scheduler.now, options.timelineLimit);
    this.network = new SimNetwork(this.scheduler, seed, options.latencyMs, options.maxAgeMs, this);
    const report = this.report.bind(this);
    const voters = new Set(members.filter((m) => !m.observer).map(({ ip }) => ip));
    this.#voters = voters;
    this.ballots = new Ballots(report, (name) => this.#votersOf(name));
    for (const disk of stored) this.ballots.existed(disk?.term ?? 0);
    this.ledger = registry === null ? null : new Ledger(report, voters, stored[0]?.data);
    this.#records = new Records(report);
    this.#promises = new Promises(report, clockDrift);
    this.places = members.map((member, at) => {
      const random = new SimRandom(seed, `host of ${member.ip}`);
      const disk = new SimDisk(this.scheduler, random, stored[at] ?? null);
      disk.foldShare = options.foldShare;
      const place: Place = {
        ip: member.ip,
        disk,
        leaderTimeoutMs: leaderTimeoutsMs[at] ?? 500,
        random,
        member,
        rates: rates[at] ?? { monotonic: 1, wall: 1 },
        process: null,
        isJoiner: at >= members.length - joiners,
        isLearner: false,
        starts: 0,
      };
      disk.onDurable = (state, changes) => this.#saved(place, state, changes);
      disk.onWrite = () => this.onTrigger(place, 'saves');
      return place;
    });
  }

  /** Whether a change of the members is under way, as far as its caller knows. */
  isChangingMembers = false;

  /** Whether the run is over: a rule was seen broken that is not allowed to be. */
  isOver = false;

  /** The place of whoever says that it leads, or null. */
  get leaderPlace(): Place | null {
    return this.places.find(({ process }) => process?.node.state === 'LEADER') ?? null;
  }

  /** The places of those that are members, as far as that is committed. */
  get members(): readonly Place[] {
    const ips = this.ledger?.members ?? null;
    return this.places.filter(({ ip, isJoiner }) => ips?.has(ip) ?? !isJoiner);
  }

  /** Whether a place still knows how it voted: one that only learns, or lost its disk, does not. */
  remembers({ disk: { content } }: Place): boolean {
    return content !== null && content.learner === undefined;
  }

  /** Whether enough of `voters` remember to elect one of them. */
  isSound(voters: ReadonlySet<string>): boolean {
    const whole = this.places.filter((place) => voters.has(place.ip) && this.remembers(place));
    return whole.length > voters.size / 2;
  }

  /** Whether a leader can be elected still, by whatever list of members may be in force. */
  get canElect(): boolean {
    return this.ledger === null || this.#lists().every((voters) => this.isSound(voters));
  }

  /** Whether the place may lose its disk. */
  mayLose(place: Place): boolean {
    return !this.isChangingMembers && this.mayBeEmpty(place);
  }

  /**
   * Whether the place may be found empty: never a majority of stores at a time (protocol, section 3, empty store). One
   * that answers with the empty disk of a second process counts as one that lost its own.
   */
  mayBeEmpty(place: Place): boolean {
    const isKept = (ip: string): boolean => {
      const kept = this.places.find((one) => one.ip === ip);
      const hasClone = this.#clones.some((clone) => clone.ip === ip);
      return kept !== undefined && kept !== place && !hasClone && this.remembers(kept);
    };
    return this.#lists().every((voters) => [...voters].filter(isKept).length > voters.size / 2);
  }

  /** Who votes, by the list that is committed, and by those that may come to be. */
  #lists(): readonly ReadonlySet<string>[] {
    const waiting = this.places.flatMap(({ disk, process }) => [
      disk.data?.voters ?? null,
      process?.mirror?.held.voters ?? null,
    ]);
    return [this.ledger?.voters ?? this.#voters, ...waiting.filter((voters) => voters !== null)];
  }

  /** Who votes, as far as the process `name` knows. */
  #votersOf(name: string): ReadonlySet<string> {
    const processes = [...this.places.map(({ process }) => process), ...this.#clones];
    return processes.find((process) => process?.name === name)?.mirror?.held.voters ?? this.#voters;
  }

  /** Takes a violation down, once for each check. */
  report(check: CheckName, ip: string, what: string): void {
    if (this.violations.some((violation) => violation.check === check)) return;
    this.timeline.add(ip, `VIOLATION of ${check}: ${what}`);
    this.violations.push({ check, at: this.scheduler.now, ip, what });
    if (!this.#options.allowed.has(check)) this.isOver = true;
  }

  /** Does the next event; returns what must be waited for: all that follows at once. */
  step(): Promise<void> | undefined {
    const work = this.scheduler.take()();
    this.events++;
    const follows = work instanceof Promise ? work : undefined;
    return this.events % BREATHES_EVERY === 0 ? breatheAfter(follows) : follows;
  }

  /** Starts the process of a place, unless one runs. */
  async start(place: Place): Promise<void> {
    if (place.process !== null) return;
    place.starts++;
    this.ballots.began(place.ip);
    place.process = this.#begin(place, place.ip, place.disk);
    this.timeline.add(place.ip, 'starts');
    await this.#launch(place.process);
  }

  /** Ends the process of a place at once. */
  crash(place: Place, losesUnsaved: boolean): void {
    if (place.process === null) return;
    this.timeline.add(place.ip, losesUnsaved ? 'crashes, and loses what was not durable' : 'crashes');
    this.#end(place.process);
    place.process = null;
    place.disk.crash(losesUnsaved);
  }

  /** Ends the process of a place in good order. */
  async stop(place: Place): Promise<void> {
    const { process } = place;
    if (process === null) return;
    this.timeline.add(place.ip, 'stops');
    process.isEnding = true;
    const stopped = process.node.stop().catch(() => {});
    void stopped.then(() => {
      if (place.process !== process) return;
      this.#end(process);
      place.process = null;
    });
    await settle();
  }

  /** Empties the disk of a place whose process has ended. */
  wipe(place: Place): void {
    this.timeline.add(place.ip, 'loses its disk');
    place.disk.wipe();
    this.#records.forget(place.ip);
  }

  /** Starts a second process of the same ip, with an empty disk; returns how to end it. */
  async clone(place: Place): Promise<() => void> {
    const disk = new SimDisk(this.scheduler, place.random, null);
    const process = this.#begin(place, `${place.ip}'`, disk);
    this.#records.forget(process.name);
    this.ballots.began(process.name);
    this.timeline.add(process.name, 'starts as a second process of this ip');
    this.#clones.push(process);
    await this.#launch(process);
    return () => {
      this.timeline.add(process.name, 'ends');
      this.#end(process);
      this.#clones = this.#clones.filter((clone) => clone !== process);
    };
  }

  // ---- What the observer sees

  leaves(from: Station, to: string, request: RaftRequest): void {
    this.#trace(from.name, 'sends', to, request);
    if (request.type === 'vote') this.#seeVoteRequest(from as Process, request);
    else if (request.type === 'beat') this.#seeBeat(from as Process, request.peer);
    else if (request.type === 'transfer') this.#seeOrder(from as Process);
  }

  answers(from: Station, request: RaftRequest, reply: RaftReply, arrival: Arrival): void {
    this.#trace(from.name, 'answers', request.type, reply);
    const { ip, name, disk } = from as Process;
    if ('code' in reply) {
      if (reply.code === 'INTERNAL') this.report('ERROR', ip, reply.message);
      return;
    }
    if (!('voteFor' in reply)) return;
    this.#records.told(name, reply, disk.content);
    this.ballots.isIn(name, reply.term);
    const now = this.scheduler.now;
    if (request.type === 'beat') {
      const place = this.#place(ip);
      const promisedMs = Math.max(place.leaderTimeoutMs, request.leaderTimeoutMs ?? 0);
      if (!('learner' in reply)) this.#promises.acknowledged(ip, request.peer.ip, arrival, promisedMs);
      this.ballots.closes(name, now);
      if (reply.term !== request.peer.term)
        this.report('S3', ip, `accepts a beat of term ${request.peer.term}, and stays in term ${reply.term}`);
      this.onTrigger(place, 'acknowledges');
    } else if (request.type === 'vote' && (reply as VoteReply).granted) {
      const what = request.preVote === true ? 'grants its pre-vote to' : 'votes for';
      if (request.transfer !== true) this.#promises.granted(ip, request.peer.ip, what, now);
      if (request.preVote === true) return;
      this.ballots.closes(name, now);
      this.onTrigger(this.#place(ip), 'votes');
    }
  }

  answered(by: string, to: Station, request: RaftRequest, reply: RaftReply): void {
    this.#trace(to.name, 'hears the answer of', by, reply);
    if (request.type === 'vote' && !('code' in reply)) this.ballots.answered(to.name, by, reply as VoteReply);
  }

  /** No vote request may unseat a leader: it has a majority bound to it. */
  arrives(at: Station, request: RaftRequest): (() => void) | null {
    this.#trace(at.name, 'gets', '', request);
    if (request.type === 'transfer') this.ballots.ordered(at.name, request.peer.term);
    if (request.type !== 'vote') return null;
    const { node, host } = at as Process;
    if (node.state !== 'LEADER' || !node.isLeader()) return null;
    return () => {
      if (host.isAlive && node.state !== 'LEADER')
        this.report('L2', at.ip, `is unseated by a vote request of ${request.peer.ip} while it leads`);
    };
  }

  #seeVoteRequest(from: Process, request: RaftRequest & { type: 'vote' }): void {
    const { ip, name, disk } = from;
    const { peer, preVote = false, round = 0, transfer = false } = request;
    const term = preVote ? peer.term - 1 : peer.term;
    this.#records.told(name, { term, voteFor: peer.voteFor }, disk.content);
    if (preVote) {
      this.ballots.asks(name, round, peer.term, this.scheduler.now);
      if (from.host.hasUnreadMail)
        this.report('L2', ip, 'asks for pre-votes before it has read the mail that waits');
      return;
    }
    this.ballots.campaigns(name, peer.term, transfer);
    if (!transfer) this.#promises.granted(ip, ip, 'campaigns for', this.scheduler.now);
    this.onTrigger(this.#place(ip), 'campaigns');
  }

  #seeBeat(from: Process, peer: PeerSnapshot): void {
    this.#records.told(from.name, peer, from.disk.content);
    this.ballots.won(from.name, peer.term);
    if (from.ledTerm === peer.term && !from.node.isLeader())
      this.report('S2', from.ip, `sends a beat of term ${peer.term} after its lease`);
  }

  #seeOrder(from: Process): void {
    if (from.node.isLeader()) this.report('S2', from.ip, 'orders a transfer while it leads');
    this.onTrigger(this.#place(from.ip), 'resigns');
  }

  #saved(place: Place, state: StoredState, changes: DataChanges | undefined): void {
    this.#records.saved(place.ip, state);
    const { data } = place.disk;
    if (state.learner === undefined && data !== null)
      this.ledger?.durable(
        place.ip,
        place.isLearner ? { base: data.copyBase(), append: data.tail } : (changes ?? {}),
      );
    place.isLearner = state.learner !== undefined;
    if (state.voteFor === place.ip) this.ballots.existed(state.term);
  }

  /** After each piece of work of a process. */
  #worked({ mirror, disk, host, isEnding }: Process): void {
    this.#look();
    if (mirror !== null && !isEnding && !disk.isWriting && !host.isStalled) mirror.compare();
  }

  /** Who leads? */
  #look(): void {
    let claims = 0;
    for (const { process } of this.places) if (process?.node.state === 'LEADER') claims++;
    if (claims === 0 || (claims < 2 && !this.#options.asksAlways)) return;
    const leaders: Process[] = [];
    for (const { process } of this.places)
      if (process !== null && this.#leads(process)) leaders.push(process);
    for (const clone of this.#clones) if (this.#leads(clone)) leaders.push(clone);
    if (leaders.length > 1) {
      const all = leaders.map(({ name, node }) => `${name} in term ${node.term}`).join(' and ');
      this.report('S2', leaders[0]?.ip ?? '', `${all} lead at the same time`);
    }
  }

  #leads(process: Process): boolean {
    const { node, host, ip } = process;
    if (node.state !== 'LEADER' || host.isSuspended) return false;
    const { term } = node;
    if (!node.isLeader()) {
      if (process.ledTerm === term) process.overTerm = term;
      return false;
    }
    if (process.overTerm === term)
      this.report('S2', ip, `leads again in term ${term}, in which that was over`);
    process.ledTerm = term;
    this.#promises.leads(ip, process.mirror?.held.voters ?? this.#voters, this.scheduler.now);
    return true;
  }

  disconnected({ ip, name }: Station, other: string, arrival: Arrival): void {
    this.timeline.add(name, `loses its connection to ${other}`);
    this.#promises.released(ip, other, arrival);
  }

  // ---- Processes

  #begin(place: Place, name: string, disk: SimDisk): Process {
    const { nodes, clockDrift, bootstrap, registry, releaseOnDisconnect, broadcasts } = this.#options;
    const { ip, random, leaderTimeoutMs } = place;
    const host = new SimHost(this.scheduler, random, place.rates, () => this.#worked(process));
    const store = disk.open(host);
    const mirror =
      this.ledger === null ? null : new Mirror(name, this.report.bind(this), this.ledger, () => process.node);
    const process: Process = {
      ip,
      name,
      host,
      disk,
      ledTerm: -1,
      overTerm: -1,
      wonTerm: -1,
      mirror,
      isEnding: false,
      node: new nodes({
        ip,
        members: place.isJoiner
          ? []
          : this.places.filter(({ isJoiner }) => !isJoiner).map(({ member }) => member),
        leaderTimeoutMs,
        clockDrift,
        bootstrap,
        clock: host,
        random: () => random.next(),
        store: mirror?.wrap(store) ?? store,
        registry: registry ?? false,
        releaseOnDisconnect,
        transport: {
          start: async (_local, receive) => this.network.serve(process, receive),
          request: (to, request) => this.network.request(process, to, request),
          stop: async () => this.network.leave(host),
          ...(broadcasts && {
            broadcast: (to, request, { answered }) => this.network.broadcast(process, to, request, answered),
          }),
        },
      }),
    };
    this.#listen(place, process);
    return process;
  }

  async #launch({ node, host, ip }: Process): Promise<void> {
    node.start().catch((cause: unknown) => {
      if (host.isAlive) this.report('ERROR', ip, `does not start: ${String(cause)}`);
    });
    await settle();
    this.#look();
  }

  #end(process: Process): void {
    process.host.end();
    this.network.leave(process.host);
  }

  #listen(place: Place, process: Process): void {
    const { node, name, mirror } = process;
    if (mirror !== null) node.listen({ prefix: '' }, (datum, key) => mirror.heard(key, datum));
    node.on('makeLeader', ({ leader, term }: MakeLeaderEvent) => {
      this.timeline.add(name, `follows ${leader.ip} in term ${term}`);
      if (leader.ip !== process.ip) return;
      if (!node.isLeader() && process.overTerm !== term)
        this.report('S2', name, `is announced as the leader of term ${term} without a lease`);
      process.ledTerm = term;
    });
    node.on('leaderElectFinished', ({ term }: MakeLeaderEvent) => {
      this.timeline.add(name, `wins term ${term}`);
      this.ballots.won(name, term);
      if (mirror !== null) this.ledger?.won(name, term, mirror.held);
      if (process.wonTerm === term) this.report('S1', name, `won term ${term} twice`);
      process.wonTerm = term;
      this.onTrigger(place, 'wins');
    });
    node.on('leaderLost', ({ leader, term }: MakeLeaderEvent) =>
      this.timeline.add(name, `loses ${leader.ip}, the leader of term ${term}`),
    );
    node.on('stateChange', ({ from, to, term }: { from: string; to: string; term: number }) =>
      this.timeline.add(name, `${from} > ${to} in term ${term}`),
    );
    node.on('error', (error: Error & { code?: string }) => this.#failed(place, process, error));
  }

  /** A node that could not save has stopped; its operator starts it again. */
  #failed(place: Place, process: Process, error: Error & { code?: string }): void {
    this.timeline.add(process.name, `error: ${error.message}`);
    if (error.code !== 'DUPLICATE_PEER') process.isEnding = true;
    if (error.code === 'DUPLICATE_PEER') return;
    if (error.code !== 'STORE_FAILED') {
      this.report('ERROR', process.ip, error.message);
      return;
    }
    this.scheduler.after(1, () => {
      if (place.process !== process) return;
      this.crash(place, true);
      this.scheduler.after(place.random.skewed(1, place.leaderTimeoutMs), () => this.start(place));
    });
  }

  #place(ip: string): Place {
    const place = this.places.find((known) => known.ip === ip);
    if (place === undefined) throw new Error(`no place for ${ip}`);
    return place;
  }

  #trace(who: string, what: string, whom: string, message: object): void {
    this.timeline.mix(what.length * 31 + termOf(message));
    this.timeline.mix(this.scheduler.now * 1_000);
    if (this.#options.traces)
      this.timeline.add(who, `${what} ${whom}${whom === '' ? '' : ': '}${show(message)}`);
  }
}

async function breatheAfter(work: Promise<void> | undefined): Promise<void> {
  await work;
  await breathe();
}

function termOf(message: object): number {
  const { term, peer } = message as { term?: number; peer?: PeerSnapshot };
  return term ?? peer?.term ?? 0;
}

function show(message: object): string {
  const { peer, type, ...rest } = message as { peer?: PeerSnapshot; type?: string } & Record<string, unknown>;
  const shown = { ...(peer === undefined ? {} : { ...peer }), ...rest };
  const fields = Object.entries(shown)
    .filter(([name]) => !['leaderDueMs', 'heartbeatDueMs', 'datums', 'revision', 'peers'].includes(name))
    .map(
      ([name, value]) =>
        `${name}=${typeof value === 'number' ? Number(value.toFixed(3)) : typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
    );
  return `${type ?? ''} ${fields.join(' ')}`.trim();
}
