import type { DataChanges } from '../../core/datum.js';
import type { MakeLeaderEvent } from '../../core/events.js';
import type { Member } from '../../core/membership.js';
import type {
  Beats,
  BeatsReply,
  ErrorReply,
  GroupReplies,
  RaftReply,
  RaftRequest,
  VoteReply,
} from '../../core/messages.js';
import type { StoredState } from '../../core/outputs.js';
import type { PeerSnapshot } from '../../core/peer.js';
import type { RegistryLimits } from '../../core/registry.js';
import type { RaftHostOptions } from '../../host/host-options.js';
import type { Datum, DatumListener, KeyPattern } from '../../node/listeners.js';
import type { RaftNodeOptions } from '../../node/options.js';
import type { Published, WriteOptions } from '../../node/registry-client.js';
import type { Stored } from '../../stores/store.js';
import type { Transport } from '../../transports/transport.js';
import { BeatLists } from './beat-lists.js';
import type { CheckName, Violation } from './checks.js';
import { SimDisk } from './disk.js';
import type { FaultTrigger } from './faults.js';
import { type ClockRates, SimHost } from './host.js';
import { Ledger } from './ledger.js';
import { Mirror } from './mirror.js';
import { type Arrival, type Flight, SimNetwork, type Station, type Wiretap } from './network.js';
import { SimRandom } from './random.js';
import type { Told } from './records.js';
import { breathe, Scheduler, settle } from './scheduler.js';
import { Timeline } from './timeline.js';
import { type Came, type Part, type SimPeer, Watch } from './watch.js';

/** What starts and stops as one process. */
interface SimRunner {
  start(): Promise<void>;
  stop(): Promise<void>;
  // biome-ignore lint/suspicious/noExplicitAny: the events of RaftNode, whichever build it comes from
  on(name: any, listener: (event: any) => void): unknown;
}

/** What the simulator asks of a node: `RaftNode`, one made from it, or another build of it. */
export interface SimNode extends SimPeer, SimRunner {
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

/** What the simulator asks of a group of a host. */
export interface SimGroup extends SimPeer {
  leave(): Promise<void>;
}

/** What the simulator asks of a host: `RaftHost`, one made from it, or another build of it. */
export interface SimGroupHost extends SimRunner {
  group(name: string): SimGroup;
}

/** The class of the nodes. */
export type SimNodeClass = new (options: RaftNodeOptions) => SimNode;

/** The class of the hosts. */
export type SimHostClass = new (options: RaftHostOptions) => SimGroupHost;

/** What all processes have in common. */
interface AnyProcess extends Station {
  readonly host: SimHost;
  readonly disk: SimDisk;
  /** As what it takes part in clusters, by the name of the group; that of a node is empty. */
  readonly parts: Map<string, Part>;
  /** What it should hold; null without a registry. */
  readonly mirror: Mirror | null;
  /** Whether it stops, or has failed: what it then shows is not checked. */
  isEnding: boolean;
}

/** One process of a peer: of a node, or of a host of groups. */
export type Process =
  | (AnyProcess & { readonly node: SimNode; readonly groupHost: null })
  | (AnyProcess & { readonly node: null; readonly groupHost: SimGroupHost });

export type NodeProcess = Extract<Process, { readonly node: SimNode }>;
type HostProcess = Extract<Process, { readonly node: null }>;

/** How the groups of hosts are made. */
export interface GroupsOptions {
  readonly hosts: SimHostClass;
  readonly names: readonly string[];
  readonly balance: boolean;
  readonly staggerMs: number | undefined;
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
  /** The groups in which it takes no part for now. */
  readonly left: Set<string>;
  /** Whether it joins later, and knows no member. */
  readonly isJoiner: boolean;
  /** Whether what is durable there says that it only learns. */
  isLearner: boolean;
  /** How often it was started: who restarts it later must find the same number. */
  starts: number;
}

/** What a message asks of one cluster. */
interface PartRequest {
  readonly group: string;
  readonly request: RaftRequest;
}

/** Options that nodes and hosts have in common. */
type SharedOptions = Pick<
  RaftNodeOptions & { readonly transport: Transport },
  'ip' | 'leaderTimeoutMs' | 'clockDrift' | 'bootstrap' | 'clock' | 'random' | 'transport'
>;

/** How a cluster is made. */
export interface WorldOptions {
  readonly seed: number;
  readonly nodes: SimNodeClass;
  /** Null: the processes are nodes. */
  readonly groups: GroupsOptions | null;
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
  /** The clusters: of nodes there is one, of hosts one for each group. */
  readonly watches: readonly Watch[];
  /** What was committed; null without a registry. */
  readonly ledger: Ledger | null;
  readonly violations: Violation[] = [];
  /** How many events there were. */
  events = 0;
  /** Told of what a peer does that a fault may wait for. */
  onTrigger: (place: Place, trigger: FaultTrigger, group: string) => void = () => {};
  /** Told of each message as it leaves. */
  onFlight: (flight: Flight) => void = () => {};
  readonly #options: WorldOptions;
  /** Who votes at first. */
  readonly #voters: ReadonlySet<string>;
  readonly #beatLists: BeatLists;
  /** What the receiver of each message had told when that came. */
  readonly #came = new WeakMap<Arrival, ReadonlyMap<string, Came>>();
  #clones: Process[] = [];

  constructor(options: WorldOptions) {
    const { seed, members, leaderTimeoutsMs, rates, stored, clockDrift, registry, joiners } = options;
    this.#options = options;
    this.timeline = new Timeline(() => this.scheduler.now, options.timelineLimit);
    this.network = new SimNetwork(this.scheduler, seed, options.latencyMs, options.maxAgeMs, this);
    const report = this.report.bind(this);
    const voters = new Set(members.filter((m) => !m.observer).map(({ ip }) => ip));
    this.#voters = voters;
    const around = {
      report,
      now: () => this.scheduler.now,
      clockDrift,
      votersOf: (name: string) => this.#votersOf(name),
      mayAsk: options.groups === null || options.asksAlways,
      trigger: (ip: string, trigger: FaultTrigger, group: string) =>
        this.onTrigger(this.#place(ip), trigger, group),
    };
    const names = options.groups?.names ?? [''];
    this.watches = names.map((group) => new Watch(group, around));
    for (const { ballots } of this.watches) for (const disk of stored) ballots.existed(disk?.term ?? 0);
    this.ledger = registry === null ? null : new Ledger(report, voters, stored[0]?.data);
    this.#beatLists = new BeatLists(report);
    this.places = members.map((member, at) => {
      const random = new SimRandom(seed, `host of ${member.ip}`);
      const disk = new SimDisk(this.scheduler, random, stored[at] ?? null, names);
      disk.foldShare = options.foldShare;
      const place: Place = {
        ip: member.ip,
        disk,
        leaderTimeoutMs: leaderTimeoutsMs[at] ?? 500,
        random,
        member,
        rates: rates[at] ?? { monotonic: 1, wall: 1 },
        process: null,
        left: new Set(),
        isJoiner: at >= members.length - joiners,
        isLearner: false,
        starts: 0,
      };
      disk.onDurable = (group, state, changes) => this.#saved(place, group, state, changes);
      disk.onWrite = () => this.onTrigger(place, 'saves', names[0] ?? '');
      return place;
    });
  }

  /** Whether a change of the members is under way, as far as its caller knows. */
  isChangingMembers = false;

  /** Whether the run is over: a rule was seen broken that is not allowed to be. */
  isOver = false;

  /** How many terms were won. */
  get elections(): number {
    return this.watches.reduce((sum, { ballots }) => sum + ballots.elections, 0);
  }

  /** The place of whoever says that it leads, or null; of groups, the first one. */
  get leaderPlace(): Place | null {
    return this.leaderOf(0);
  }

  /** The place of whoever says that it leads one of the clusters, by a number from [0, 1). */
  leaderOf(choice: number): Place | null {
    const { group } = this.watchOf(choice);
    return this.places.find(({ process }) => process?.parts.get(group)?.peer.state === 'LEADER') ?? null;
  }

  /** One of the clusters, by a number from [0, 1). */
  watchOf(choice: number): Watch {
    return this.watches[Math.floor(choice * this.watches.length)] as Watch;
  }

  /** The places of those that are members, as far as that is committed. */
  get members(): readonly Place[] {
    const ips = this.ledger?.members ?? null;
    return this.places.filter(({ ip, isJoiner }) => ips?.has(ip) ?? !isJoiner);
  }

  /** Whether a place still knows how it voted: one that only learns, or lost its disk, does not. */
  remembers({ disk }: Place): boolean {
    return this.watches.every(({ group }) => {
      const state = disk.stateOf(group);
      return state !== null && state.learner === undefined;
    });
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

  /** Does all that is due until `end`, or until the run is over. */
  async runUntil(end: number, afterEach: () => void = () => {}): Promise<void> {
    while (this.scheduler.next <= end && !this.isOver) {
      const follows = this.step();
      if (follows !== undefined) await follows;
      afterEach();
    }
    if (!this.isOver) this.scheduler.now = Math.max(this.scheduler.now, end);
  }

  /** Starts the process of a place, unless one runs. */
  async start(place: Place): Promise<void> {
    if (place.process !== null) return;
    place.starts++;
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
    const stopped = (process.node ?? process.groupHost).stop().catch(() => {});
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
    for (const watch of this.watches) watch.forget(place.ip);
  }

  /** Starts a second process of the same ip, with an empty disk; returns how to end it. */
  async clone(place: Place): Promise<() => void> {
    const disk = new SimDisk(this.scheduler, place.random, null);
    const process = this.#begin(place, `${place.ip}'`, disk);
    for (const watch of this.watches) watch.forget(process.name);
    this.timeline.add(process.name, 'starts as a second process of this ip');
    this.#clones.push(process);
    await this.#launch(process);
    return () => {
      this.timeline.add(process.name, 'ends');
      this.#end(process);
      this.#clones = this.#clones.filter((clone) => clone !== process);
    };
  }

  /** Whether the place may leave a group: a majority must go on taking part. */
  mayLeave(place: Place, group: string): boolean {
    const stay = this.places.filter(
      (one) => one !== place && !one.left.has(group) && this.#voters.has(one.ip),
    );
    return !place.left.has(group) && stay.length > this.#voters.size / 2;
  }

  /** Has the place take part in a group no longer. */
  async leave(place: Place, group: string): Promise<void> {
    place.left.add(group);
    const { process } = place;
    const part = process?.parts.get(group);
    if (process?.node !== null || part?.isOpen !== true) return;
    this.timeline.add(nameOf(process, group), 'leaves');
    const left = process.groupHost.group(group).leave();
    void left.then(() => {
      part.isOpen = false;
      if (process.parts.get(group) === part && !place.left.has(group)) this.#open(place, process, group);
    });
    await settle();
    this.#look();
  }

  /** Has the place take part in a group that it had left. */
  join(place: Place, group: string): void {
    place.left.delete(group);
    const { process } = place;
    if (process?.node !== null || process.parts.get(group)?.isOpen === true) return;
    this.timeline.add(nameOf(process, group), 'takes part again');
    this.#open(place, process, group);
  }

  // ---- What the observer sees

  flies(flight: Flight): void {
    this.onFlight(flight);
  }

  leaves(from: Station, to: string, request: RaftRequest): void {
    this.#trace(from.name, 'sends', to, request);
    if (request.type === 'beats') this.#seeBeats(from as Process, request);
    else for (const one of partsOf(request)) this.#seeRequest(from as Process, one.group, one.request);
  }

  answers(from: Station, request: RaftRequest, reply: RaftReply, arrival: Arrival): void {
    this.#trace(from.name, 'answers', request.type, reply);
    const process = from as Process;
    if (request.type === 'beats')
      for (const [group, part] of this.#listed(process, request))
        this.#watch(group).beatWasAnswered(part, arrival);
    if ('code' in reply) this.#seeRefusal(process, reply);
    else if (request.type === 'beats') this.#seeAcceptance(process, request, reply as BeatsReply, arrival);
    else
      for (const [at, one] of partsOf(request).entries()) {
        const answer = repliesOf(reply)[at] as RaftReply;
        if ('code' in answer) this.#seeRefusal(process, answer);
        else if ('voteFor' in answer) this.#seeAnswer(process, one, answer, arrival);
      }
  }

  answered(by: string, to: Station, request: RaftRequest, reply: RaftReply): void {
    this.#trace(to.name, 'hears the answer of', by, reply);
    if ('code' in reply) return;
    for (const [at, one] of partsOf(request).entries()) {
      const answer = repliesOf(reply)[at] as RaftReply;
      if (one.request.type === 'vote' && !('code' in answer))
        this.#watch(one.group).ballots.answered(to.name, by, answer as VoteReply);
    }
  }

  arrives(at: Station, request: RaftRequest, arrival: Arrival): (() => void) | null {
    this.#trace(at.name, 'gets', '', request);
    const process = at as Process;
    if (process.node === null) this.#came.set(arrival, this.#cameTo(process, arrival));
    if (request.type === 'beats')
      for (const [group, part] of this.#listed(process, request))
        this.#watch(group).beatCame(part, request.ip, arrival);
    const checks: (() => void)[] = [];
    for (const { group, request: one } of partsOf(request)) {
      const part = process.parts.get(group);
      if (part === undefined) continue;
      if (one.type === 'transfer') this.#watch(group).ballots.ordered(at.name, one.peer.term);
      const check = one.type === 'vote' ? this.#watch(group).getsVote(part, one.peer.ip) : null;
      if (check !== null) checks.push(check);
    }
    if (checks.length === 0) return null;
    return () => {
      if (process.host.isAlive) for (const check of checks) check();
    };
  }

  /** As what a process takes part in the groups that beats stand for. */
  #listed({ parts }: Process, beats: Beats): readonly (readonly [string, Part])[] {
    return [...parts].filter(([group]) => this.#beatLists.of(beats).has(group));
  }

  #cameTo({ parts }: Process, arrival: Arrival): ReadonlyMap<string, Came> {
    const open = [...parts].filter(([, { isOpen }]) => isOpen);
    return new Map(open.map(([group, part]) => [group, this.#watch(group).came(part, arrival)]));
  }

  #seeRequest(from: Process, group: string, request: RaftRequest): void {
    const part = this.#part(from, group);
    const watch = this.#watch(group);
    if (request.type === 'vote') watch.asks(part, request, from.host.hasUnreadMail);
    else if (request.type === 'beat') watch.beats(part, request.peer);
    else if (request.type === 'transfer') watch.orders(part);
  }

  #seeBeats(from: Process, beats: Beats): void {
    for (const [group, term] of this.#beatLists.sent(beats)) {
      const part = this.#part(from, group);
      this.#watch(group).beats(part, { term, voteFor: from.ip });
      const { state, term: own } = part.peer;
      if (state !== 'LEADER' || own !== term)
        this.report('S2', from.name, `beats for ${group} in term ${term}, and is ${state} in term ${own}`);
    }
  }

  #seeRefusal({ ip }: Process, { code, message }: ErrorReply): void {
    if (code === 'INTERNAL') this.report('ERROR', ip, message);
  }

  #seeAnswer(
    from: Process,
    { group, request }: PartRequest,
    reply: RaftReply & Told,
    arrival: Arrival,
  ): void {
    const watch = this.#watch(group);
    const part = this.#part(from, group);
    const came = this.#came.get(arrival)?.get(group) ?? watch.came(part, arrival);
    watch.tells(part, reply, came);
    if (request.type === 'beat') {
      const promisedMs = this.#promisedMs(from, request.leaderTimeoutMs);
      if (!('learner' in reply)) watch.acknowledges(part, request.peer.ip, promisedMs, came);
      watch.follows(part, request.peer.term, reply.term, came);
    } else if (request.type === 'vote') watch.votes(part, request, reply as VoteReply, came);
  }

  /** The answer to the beats of a host stands for all groups of its list but those that it names. */
  #seeAcceptance(from: Process, beats: Beats, reply: BeatsReply, arrival: Arrival): void {
    if (reply.version !== beats.version) return;
    const refused = new Set(reply.refused.map(({ group }) => group));
    const promisedMs = this.#promisedMs(from, beats.leaderTimeoutMs);
    for (const [group, term] of this.#beatLists.of(beats)) {
      if (refused.has(group)) continue;
      const came = this.#came.get(arrival)?.get(group);
      if (came === undefined) {
        this.report('S3', from.name, `accepts a beat of ${group}, in which it takes no part`);
        continue;
      }
      const part = this.#part(from, group);
      const isShown = part.isOpen && !from.isEnding;
      this.#watch(group).accepts(
        part,
        { ip: beats.ip, term },
        isShown ? part.peer.term : term,
        promisedMs,
        came,
      );
    }
  }

  #promisedMs({ ip }: Process, leaderTimeoutMs: number = 0): number {
    return Math.max(this.#place(ip).leaderTimeoutMs, leaderTimeoutMs);
  }

  #saved(place: Place, group: string, state: StoredState, changes: DataChanges | undefined): void {
    this.#watch(group).saved(place.ip, state);
    const { data } = place.disk;
    if (state.learner === undefined && data !== null)
      this.ledger?.durable(
        place.ip,
        place.isLearner ? { base: data.copyBase(), append: data.tail } : (changes ?? {}),
      );
    place.isLearner = state.learner !== undefined;
  }

  /** After each piece of work of a process. */
  #worked({ mirror, disk, host, isEnding }: Process): void {
    this.#look();
    if (mirror !== null && !isEnding && !disk.isWriting && !host.isStalled) mirror.compare();
  }

  /** Who leads? */
  #look(): void {
    for (const watch of this.watches) this.#lookAt(watch);
  }

  #lookAt(watch: Watch): void {
    const { group } = watch;
    let claims = 0;
    for (const { process } of this.places) if (process?.parts.get(group)?.peer.state === 'LEADER') claims++;
    if (claims === 0 || (claims < 2 && !this.#options.asksAlways)) return;
    const leaders: Part[] = [];
    const ask = (process: Process): void => {
      const part = process.host.isSuspended ? undefined : process.parts.get(group);
      const voters = process.mirror?.held.voters ?? this.#voters;
      if (part !== undefined && watch.leads(part, voters)) leaders.push(part);
    };
    for (const { process } of this.places) if (process !== null) ask(process);
    for (const clone of this.#clones) ask(clone);
    if (leaders.length > 1) {
      const all = leaders.map(({ name, peer }) => `${name} in term ${peer.term}`).join(' and ');
      const what = group === '' ? '' : ` ${group}`;
      this.report('S2', leaders[0]?.ip ?? '', `${all} lead${what} at the same time`);
    }
  }

  disconnected({ ip, name }: Station, other: string, arrival: Arrival): void {
    this.timeline.add(name, `loses its connection to ${other}`);
    for (const watch of this.watches) watch.released(ip, other, arrival);
  }

  // ---- Processes

  #begin(place: Place, name: string, disk: SimDisk): Process {
    const { groups } = this.#options;
    const host = new SimHost(this.scheduler, place.random, place.rates, () => this.#worked(process));
    const process: Process =
      groups === null
        ? this.#beginNode(place, name, disk, host)
        : this.#beginHost(place, name, disk, host, groups);
    return process;
  }

  #beginNode(place: Place, name: string, disk: SimDisk, host: SimHost): Process {
    const { nodes, registry, releaseOnDisconnect } = this.#options;
    const { ip } = place;
    const store = disk.open(host);
    const mirror =
      this.ledger === null ? null : new Mirror(name, this.report.bind(this), this.ledger, () => process.node);
    const process: NodeProcess = {
      ip,
      name,
      host,
      disk,
      parts: new Map(),
      mirror,
      isEnding: false,
      node: new nodes({
        ...this.#shared(place, host, () => process),
        members: place.isJoiner ? [] : this.#members(),
        store: mirror?.wrap(store) ?? store,
        registry: registry ?? false,
        releaseOnDisconnect,
      }),
      groupHost: null,
    };
    if (mirror !== null) process.node.listen({ prefix: '' }, (datum, key) => mirror.heard(key, datum));
    this.#take(place, process, '', process.node);
    this.#listenForErrors(place, process, process.node);
    return process;
  }

  #beginHost(place: Place, name: string, disk: SimDisk, host: SimHost, groups: GroupsOptions): Process {
    const { hosts, names, balance, staggerMs } = groups;
    const process: HostProcess = {
      ip: place.ip,
      name,
      host,
      disk,
      parts: new Map(),
      mirror: null,
      isEnding: false,
      node: null,
      groupHost: new hosts({
        ...this.#shared(place, host, () => process),
        members: this.#members(),
        store: disk.openGroups(host),
        balance,
        ...(staggerMs === undefined ? {} : { staggerMs }),
      }),
    };
    this.#listenForErrors(place, process, process.groupHost);
    for (const group of names) if (!place.left.has(group)) this.#open(place, process, group);
    return process;
  }

  #shared({ ip, leaderTimeoutMs, random }: Place, host: SimHost, process: () => Process): SharedOptions {
    const { clockDrift, bootstrap, broadcasts } = this.#options;
    return {
      ip,
      leaderTimeoutMs,
      clockDrift,
      bootstrap,
      clock: host,
      random: () => random.next(),
      transport: {
        start: async (_local, receive) => this.network.serve(process(), receive),
        request: (to, request) => this.network.request(process(), to, request),
        stop: async () => this.network.leave(host),
        ...(broadcasts && {
          broadcast: (to, request, { answered }) => this.network.broadcast(process(), to, request, answered),
        }),
      },
    };
  }

  #members(): readonly Required<Member>[] {
    return this.places.filter(({ isJoiner }) => !isJoiner).map(({ member }) => member);
  }

  #open(place: Place, process: HostProcess, group: string): void {
    this.#take(place, process, group, process.groupHost.group(group));
  }

  /** The process takes part in a cluster from now on. */
  #take(place: Place, process: Process, group: string, peer: SimPeer): void {
    const { ip, name, disk } = process;
    const stored = (): StoredState | null => disk.stateOf(group);
    const part: Part = { ip, name, peer, stored, ledTerm: -1, overTerm: -1, wonTerm: -1, isOpen: true };
    process.parts.set(group, part);
    this.#watch(group).ballots.began(name);
    this.#listen(place, process, group, part);
  }

  async #launch(process: Process): Promise<void> {
    const { host, ip } = process;
    (process.node ?? process.groupHost).start().catch((cause: unknown) => {
      if (host.isAlive) this.report('ERROR', ip, `does not start: ${String(cause)}`);
    });
    await settle();
    this.#look();
  }

  #end(process: Process): void {
    process.host.end();
    this.network.leave(process.host);
  }

  #listen(place: Place, process: Process, group: string, part: Part): void {
    const { ip, mirror } = process;
    const { peer } = part;
    const watch = this.#watch(group);
    const name = nameOf(process, group);
    peer.on('makeLeader', ({ leader, term }: MakeLeaderEvent) => {
      this.timeline.add(name, `follows ${leader.ip} in term ${term}`);
      if (leader.ip === ip) watch.isMade(part, term);
    });
    peer.on('leaderElectFinished', ({ term }: MakeLeaderEvent) => {
      this.timeline.add(name, `wins term ${term}`);
      watch.wins(part, term);
      if (mirror !== null) this.ledger?.won(process.name, term, mirror.held);
      this.onTrigger(place, 'wins', group);
    });
    peer.on('leaderLost', ({ leader, term }: MakeLeaderEvent) =>
      this.timeline.add(name, `loses ${leader.ip}, the leader of term ${term}`),
    );
    peer.on('stateChange', ({ from, to, term }: { from: string; to: string; term: number }) =>
      this.timeline.add(name, `${from} > ${to} in term ${term}`),
    );
  }

  #listenForErrors(place: Place, process: Process, runner: SimRunner): void {
    runner.on('error', (error: Error & { code?: string }) => this.#failed(place, process, error));
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

  #watch(group: string): Watch {
    const watch = this.watches.find((known) => known.group === group);
    if (watch === undefined) throw new Error(`no cluster ${group}`);
    return watch;
  }

  #part({ name, parts }: Process, group: string): Part {
    const part = parts.get(group);
    if (part === undefined) throw new Error(`${name} takes no part in ${group}`);
    return part;
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

/** What a message asks of each cluster. */
function partsOf(request: RaftRequest): readonly PartRequest[] {
  return request.type === 'groups' ? request.requests : [{ group: '', request }];
}

function repliesOf(reply: RaftReply): readonly RaftReply[] {
  return 'replies' in reply ? (reply as GroupReplies).replies : [reply];
}

/** Who does something in a cluster, as the timeline names it. */
function nameOf({ name }: Process, group: string): string {
  return group === '' ? name : `${name} ${group}`;
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
