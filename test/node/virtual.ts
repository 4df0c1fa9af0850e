import {
  type Clock,
  type Member,
  type PeerSnapshot,
  RaftError,
  RaftNode,
  type RaftNodeOptions,
  type RaftRequest,
  type RaftStore,
  type Receive,
  type RequestOptions,
  type StoredState,
  type Transport,
} from 'raftbeat';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { DataChanges } from '../../src/core/datum.js';
import { copyChanges, KeptData } from '../../src/stores/kept-data.js';
import type { Stored } from '../../src/stores/store.js';

/** L, and what follows from it: whole numbers, so that a test can say when something happens. */
export const L = 1_000;
export const H = 100;
export const TIMING = {
  leaderTimeoutMs: L,
  heartbeatMs: H,
  staggerMs: 50,
  requestTimeoutMs: 100,
  randomMs: 100,
  clockDrift: 0.05,
};
/** How long a lease lasts after the sending of a beat. */
export const LEASE = (L * 0.95) / 1.05;
/** How long a message is under way. */
export const LATENCY = 1;
/** How long a request waits for its answer. */
export const DEADLINE = L / 2;

export const A = 'a:1';
export const B = 'b:1';
export const C = 'c:1';

/** A store that held nothing but was in use: what a peer of a running cluster finds at a start. */
export const IN_USE: StoredState = { term: 0, voteFor: null, promisedMs: 0 };

const WALL_START = 1_700_000_000_000;

/** Lets everything run that waits for nothing but its turn: all promises that can settle have settled. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Whether `promise` has settled by now, and how. */
export async function outcome(promise: Promise<unknown>): Promise<'pending' | 'resolved' | 'rejected'> {
  let result: 'pending' | 'resolved' | 'rejected' = 'pending';
  promise.then(
    () => {
      result = 'resolved';
    },
    () => {
      result = 'rejected';
    },
  );
  await settle();
  return result;
}

/** Makes the tests of a file fail for a rejection that nobody handled. */
export function forbidUnhandledRejections(): void {
  const unhandled: unknown[] = [];
  const note = (cause: unknown): void => {
    unhandled.push(cause);
  };
  beforeAll(() => {
    process.on('unhandledRejection', note);
  });
  afterEach(async () => {
    await settle();
    expect(unhandled.splice(0)).toEqual([]);
  });
  afterAll(() => {
    process.off('unhandledRejection', note);
  });
}

interface Timer {
  readonly due: number;
  readonly run: () => void;
}

interface Mail {
  readonly at: number;
  readonly run: () => void;
}

/**
 * One process: its clocks and its event loop. A turn of the loop is as in Node: timers that are due, then the mail that
 * waits, then what was to come after the mail.
 */
export class Host implements Clock {
  readonly #time: () => number;
  readonly #timers = new Set<Timer>();
  #mail: Mail[] = [];
  #checks: (() => void)[] = [];
  #isStalled = false;
  #suspendedAt: number | null = null;
  #lostMs = 0;
  #wallAheadMs = 0;

  constructor(time: () => number) {
    this.#time = time;
  }

  now(): number {
    return (this.#suspendedAt ?? this.#time()) - this.#lostMs;
  }

  wallNow(): number {
    return WALL_START + this.#time() + this.#wallAheadMs;
  }

  setTimer(run: () => void, ms: number): () => void {
    const timer: Timer = { due: this.now() + ms, run };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  afterMail(run: () => void): void {
    this.#checks.push(run);
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Blocks the event loop: timers are late, mail queues up. */
  stall(): void {
    this.#isStalled = true;
  }

  /** Ends a stall or a suspension; what waited runs at the next advance. */
  resume(): void {
    this.#isStalled = false;
    if (this.#suspendedAt !== null) this.#lostMs += this.#time() - this.#suspendedAt;
    this.#suspendedAt = null;
  }

  /** Suspends the host: nothing runs and its monotonic clock stands still, while the wall clock goes on. */
  suspend(): void {
    this.stall();
    this.#suspendedAt = this.#time();
  }

  /** Sets the wall clock, by `ms`. */
  stepWall(ms: number): void {
    this.#wallAheadMs += ms;
  }

  /** Has `run` come by mail at `at`. */
  post(at: number, run: () => void): void {
    this.#mail.push({ at, run });
  }

  /** When something is to be done; infinity while it stalls. */
  nextAt(): number {
    if (this.#isStalled) return Number.POSITIVE_INFINITY;
    if (this.#checks.length > 0) return Number.NEGATIVE_INFINITY;
    const timers = [...this.#timers].map((timer) => timer.due + this.#lostMs);
    return Math.min(Number.POSITIVE_INFINITY, ...timers, ...this.#mail.map((mail) => mail.at));
  }

  /** One turn of the event loop. */
  async turn(): Promise<void> {
    if (this.#isStalled) return;
    const due = [...this.#timers].filter((timer) => timer.due <= this.now());
    for (const timer of due.toSorted((a, b) => a.due - b.due)) {
      if (!this.#timers.delete(timer)) continue;
      timer.run();
      await settle();
    }
    const arrived = this.#mail.filter((mail) => mail.at <= this.#time());
    this.#mail = this.#mail.filter((mail) => !arrived.includes(mail));
    for (const mail of arrived.toSorted((a, b) => a.at - b.at)) {
      mail.run();
      await settle();
    }
    for (const check of this.#checks.splice(0)) {
      check();
      await settle();
    }
  }
}

/** The time that all hosts share. */
export class World {
  now = 0;
  readonly hosts: Host[] = [];

  host(): Host {
    const host = new Host(() => this.now);
    this.hosts.push(host);
    return host;
  }

  /** Lets `ms` go by. */
  async advance(ms: number): Promise<void> {
    await this.until(() => false, ms);
  }

  /** Lets time go by until `holds`, at most `ms`; tells whether it came to hold. */
  async until(holds: () => boolean, ms: number): Promise<boolean> {
    const end = this.now + ms;
    let turns = 0;
    await settle();
    while (!holds()) {
      const at = Math.min(...this.hosts.map((host) => host.nextAt()));
      if (at > end) {
        this.now = end;
        return holds();
      }
      turns = at > this.now ? 0 : turns + 1;
      if (turns > 1_000) throw new Error(`something goes round in circles at ${this.now} ms`);
      this.now = Math.max(this.now, at);
      for (const host of this.hosts) await host.turn();
    }
    return true;
  }
}

/** What happens to a request on its way. */
export type Treatment =
  /** It arrives (`times`, each counts), and its answer, changed by `alter`, comes back. */
  | {
      readonly does: 'carry';
      readonly times?: number;
      readonly replyMs?: number;
      readonly alter?: (reply: unknown) => unknown;
    }
  /** It does not arrive; nobody ever answers. */
  | { readonly does: 'lose' }
  /** It arrives; nobody ever answers. */
  | { readonly does: 'loseReply' }
  /** It waits for `Network.release`. */
  | { readonly does: 'hold' }
  /** It does not arrive; `reply` is the answer. */
  | { readonly does: 'answer'; readonly reply: unknown }
  | { readonly does: 'reject'; readonly cause: unknown }
  | { readonly does: 'throw'; readonly cause: unknown };

export type Treat = (from: string, to: string, request: RaftRequest) => Treatment | null;

type Carry = Extract<Treatment, { does: 'carry' }>;

export const CARRY: Carry = { does: 'carry' };
export const LOSE: Treatment = { does: 'lose' };
export const HOLD: Treatment = { does: 'hold' };

export interface Sent {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly request: RaftRequest;
  readonly signal: AbortSignal;
}

export interface Answered {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly request: RaftRequest;
  readonly reply: unknown;
}

/** Carries requests between hosts as a test says; without a word, at once and faithfully. */
export class Network {
  readonly world: World;
  /** Requests in the order in which nodes handed them to their transport. */
  readonly sent: Sent[] = [];
  /** Replies in the order in which nodes gave them. */
  readonly answered: Answered[] = [];
  /** Called as a request or a reply leaves `ip`. */
  onLeaving: (ip: string, request: RaftRequest, reply: unknown) => void = () => {};
  readonly #serving = new Map<string, { readonly host: Host; readonly receive: Receive }>();
  readonly #treats: Treat[] = [];
  #held: (() => void)[] = [];

  constructor(world: World) {
    this.world = world;
  }

  /** Asks `treat` what to do with each request, before all others that were given; returns how to take it back. */
  treat(treat: Treat): () => void {
    this.#treats.unshift(treat);
    return () => {
      this.#treats.splice(this.#treats.indexOf(treat), 1);
    };
  }

  /** Loses whatever goes to or from `ip`; returns how to heal it. */
  isolate(ip: string): () => void {
    return this.treat((from, to) => (from === ip || to === ip ? LOSE : null));
  }

  /** Lets go of all requests that were held. */
  release(): void {
    for (const go of this.#held.splice(0)) go();
  }

  attach(ip: string, host: Host, receive: Receive): void {
    this.#serving.set(ip, { host, receive });
  }

  detach(ip: string): void {
    this.#serving.delete(ip);
  }

  serves(ip: string): boolean {
    return this.#serving.has(ip);
  }

  /** Hands `request` to `to` as it came from the wire. */
  receive(to: string, request: unknown, gone?: AbortSignal): Promise<unknown> {
    const serving = this.#serving.get(to);
    if (serving === undefined) throw new Error(`${to} does not serve`);
    return serving.receive(request, 'test', gone);
  }

  request(from: string, host: Host, to: string, request: RaftRequest, signal: AbortSignal): Promise<unknown> {
    this.sent.push({ at: this.world.now, from, to, request, signal });
    this.onLeaving(from, request, undefined);
    const treatment = this.#treats.map((treat) => treat(from, to, request)).find((t) => t !== null) ?? CARRY;
    if (treatment.does === 'throw') throw treatment.cause;
    return new Promise((resolve, reject) => {
      const back = (run: () => void, ms = LATENCY): void => host.post(this.world.now + ms, run);
      if (treatment.does === 'reject') back(() => reject(treatment.cause));
      else if (treatment.does === 'answer') back(() => resolve(treatment.reply));
      else if (treatment.does === 'hold')
        this.#held.push(() => this.#carry(from, to, request, CARRY, back, resolve, reject));
      else if (treatment.does === 'loseReply')
        this.#carry(
          from,
          to,
          request,
          CARRY,
          () => {},
          () => {},
          () => {},
        );
      else if (treatment.does === 'carry') this.#carry(from, to, request, treatment, back, resolve, reject);
    });
  }

  #carry(
    from: string,
    to: string,
    request: RaftRequest,
    { times = 1, replyMs = LATENCY, alter = (reply) => reply }: Carry,
    back: (run: () => void, ms?: number) => void,
    resolve: (reply: unknown) => void,
    reject: (cause: unknown) => void,
  ): void {
    const copy = structuredClone(request);
    const serving = this.#serving.get(to);
    if (serving === undefined) {
      back(() => reject(new RaftError('UNREACHABLE', `nobody listens at ${to}`)));
      return;
    }
    for (let time = 0; time < times; time++) {
      serving.host.post(this.world.now + LATENCY, () => {
        void serving.receive(copy, from).then((reply) => {
          this.answered.push({ at: this.world.now, from: to, to: from, request, reply });
          this.onLeaving(to, request, reply);
          const answer = alter(structuredClone(reply));
          back(() => resolve(answer), replyMs);
        });
      });
    }
  }
}

/** Fails when told to, each time; `null` for no failure. */
interface Fault {
  readonly how: 'reject' | 'throw';
  readonly cause: unknown;
}

function failing(fault: Fault): Promise<never> {
  if (fault.how === 'throw') throw fault.cause;
  return Promise.reject(fault.cause);
}

/** A transport on a `Network`; fails when told to. */
export class TestTransport implements Transport {
  startFault: Fault | null = null;
  stopFault: Fault | null = null;
  starts = 0;
  stops = 0;
  /** What the transport hands inbound requests to, also after it was stopped. */
  receive: Receive | null = null;
  /** While set, `start` waits for it. */
  startGate: Promise<void> | null = null;
  readonly #network: Network;
  readonly #host: Host;
  #local = '';

  constructor(network: Network, host: Host) {
    this.#network = network;
    this.#host = host;
  }

  get isServing(): boolean {
    return this.#network.serves(this.#local);
  }

  start(local: string, receive: Receive): Promise<void> {
    this.starts++;
    if (this.startFault !== null) return failing(this.startFault);
    this.#local = local;
    this.receive = receive;
    this.#network.attach(local, this.#host, receive);
    return this.startGate ?? Promise.resolve();
  }

  request(to: string, request: RaftRequest, { signal }: RequestOptions): Promise<unknown> {
    return this.#network.request(this.#local, this.#host, to, request, signal);
  }

  stop(): Promise<void> {
    this.stops++;
    this.#network.detach(this.#local);
    return this.stopFault === null ? Promise.resolve() : failing(this.stopFault);
  }
}

/** Saves that hang until a test says what becomes of them. */
export class HangingSaves {
  /** While true, saves hang until `release` or `fail`. */
  hangs = false;
  #hanging: { readonly done: () => void; readonly failed: (cause: unknown) => void }[] = [];

  /** Resolves after `keep`, which is called at once, or when what hangs is let go. */
  protected whenLetGo(keep: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        keep();
        resolve();
      };
      if (this.hangs) this.#hanging.push({ done, failed: reject });
      else done();
    });
  }

  /** Lets the saves that hang become durable. */
  release(): void {
    this.hangs = false;
    for (const { done } of this.#hanging.splice(0)) done();
  }

  /** Lets the saves that hang fail. */
  fail(cause: unknown): void {
    this.hangs = false;
    for (const { failed } of this.#hanging.splice(0)) failed(cause);
  }
}

/** A store that fails or hangs when told to. */
export class TestStore extends HangingSaves implements RaftStore {
  readonly durable: boolean;
  /** What it holds. */
  state: StoredState | null;
  openFault: Fault | null = null;
  saveFault: Fault | null = null;
  closeFault: Fault | null = null;
  /** While set, `open` or `close` waits for it. */
  openGate: Promise<void> | null = null;
  closeGate: Promise<void> | null = null;
  opens = 0;
  closes = 0;
  isOpen = false;
  /** Every state that was to be saved, whether it was or not. */
  readonly asked: StoredState[] = [];
  /** What it holds of the registry. */
  kept: KeptData | null = null;

  constructor(state: StoredState | null = IN_USE, durable = false) {
    super();
    this.state = state;
    this.durable = durable;
  }

  async open(): Promise<Stored | null> {
    this.opens++;
    if (this.openFault !== null) return failing(this.openFault);
    await this.openGate;
    this.isOpen = true;
    if (this.state === null || this.kept === null) return this.state;
    return { ...this.state, data: this.kept.copy() };
  }

  save(state: StoredState, data?: DataChanges): Promise<void> {
    this.asked.push(state);
    if (this.saveFault !== null) return failing(this.saveFault);
    return this.whenLetGo(() => this.#keep(state, data));
  }

  fold(seq: number): void {
    this.kept?.fold(seq);
  }

  #keep(state: StoredState, data: DataChanges | undefined): void {
    this.state = state;
    if (data === undefined) return;
    const kept = this.kept ?? new KeptData();
    kept.check(data);
    this.kept = kept.change(copyChanges(data));
  }

  async close(): Promise<void> {
    this.closes++;
    this.isOpen = false;
    if (this.closeFault !== null) return failing(this.closeFault);
    await this.closeGate;
  }
}

/** A node and all that surrounds it. */
export interface Peer {
  readonly ip: string;
  readonly node: RaftNode;
  readonly host: Host;
  readonly store: TestStore;
  readonly transport: TestTransport;
  /** Events as they came: `makeLeader b:1 2`. */
  readonly events: string[];
  readonly errors: RaftError[];
}

export interface LabOptions extends Partial<RaftNodeOptions> {
  readonly stored?: StoredState | null;
  readonly durable?: boolean;
  /** Whether events are listened to. @default true */
  readonly listens?: boolean;
}

/**
 * Nodes on virtual time. Whatever a test does, each message that leaves a node is compared with what that node's store
 * holds at that moment (D4); a message that came too early is found in `tooEarly`.
 */
export class Lab {
  readonly world = new World();
  readonly network = new Network(this.world);
  readonly peers: readonly Peer[];
  readonly tooEarly: string[] = [];

  constructor(members: readonly (string | Member)[] = [A, B, C], options: LabOptions = {}) {
    const ips = members.map((member) => (typeof member === 'string' ? member : member.ip));
    this.peers = ips.map((ip) => this.#peer(ip, members, options));
    if (options.rules !== 'nacos')
      this.network.onLeaving = (ip, request, reply) => this.#audit(ip, request, reply);
  }

  get now(): number {
    return this.world.now;
  }

  peer(ip: string): Peer {
    const peer = this.peers.find((known) => known.ip === ip);
    if (peer === undefined) throw new Error(`no peer ${ip}`);
    return peer;
  }

  node(ip: string): RaftNode {
    return this.peer(ip).node;
  }

  async start(): Promise<void> {
    await Promise.all(this.peers.map(({ node }) => node.start()));
  }

  advance(ms: number): Promise<void> {
    return this.world.advance(ms);
  }

  /** Lets time go by until `holds`; returns how long it took. */
  async until(holds: () => boolean, ms = 5 * L): Promise<number> {
    const start = this.now;
    if (!(await this.world.until(holds, ms))) throw new Error(`not within ${ms} ms: ${holds}`);
    return this.now - start;
  }

  /** Starts all, and goes on until all know a leader. */
  async elect(): Promise<{ readonly leader: Peer; readonly followers: readonly [Peer, Peer, ...Peer[]] }> {
    await this.start();
    await this.until(() => this.peers.every(({ node }) => node.leader !== null));
    const { leader, followers } = this.#roles();
    return { leader, followers: followers as unknown as readonly [Peer, Peer, ...Peer[]] };
  }

  /** The ips of all who say that they lead. */
  get leaders(): readonly string[] {
    return this.peers.filter(({ node }) => node.isLeader()).map(({ ip }) => ip);
  }

  /** What `from` sent of one type, pre-votes apart from votes. */
  sent(from: string, type: RaftRequest['type'] | 'preVote'): readonly Sent[] {
    return this.network.sent.filter((sent) => sent.from === from && typeOf(sent.request) === type);
  }

  /** What `from` answered to one type of request. */
  answered(from: string, type: RaftRequest['type'] | 'preVote'): readonly Answered[] {
    return this.network.answered.filter((reply) => reply.from === from && typeOf(reply.request) === type);
  }

  #roles(): { readonly leader: Peer; readonly followers: readonly Peer[] } {
    const leader = this.peers.find(({ node }) => node.isLeader());
    if (leader === undefined) throw new Error('nobody leads');
    return { leader, followers: this.peers.filter((peer) => peer !== leader) };
  }

  #peer(ip: string, members: readonly (string | Member)[], options: LabOptions): Peer {
    const { stored = IN_USE, durable = false, listens = true, ...rest } = options;
    const host = this.world.host();
    const store = new TestStore(stored, durable);
    const transport = new TestTransport(this.network, host);
    const node = new RaftNode({
      ...TIMING,
      ip,
      members,
      store,
      transport,
      clock: host,
      random: () => 0,
      ...rest,
    });
    const peer: Peer = { ip, node, host, store, transport, events: [], errors: [] };
    if (listens) listen(peer);
    return peer;
  }

  #audit(ip: string, request: RaftRequest, reply: unknown): void {
    const held = this.peer(ip).store.state ?? IN_USE;
    const told = (reply ?? ('peer' in request ? request.peer : undefined)) as PeerSnapshot | undefined;
    if (told?.state === undefined || !['vote', 'beat'].includes(request.type)) return;
    const asksBefore = reply === undefined && request.type === 'vote' && request.preVote === true;
    const term = asksBefore ? told.term - 1 : told.term;
    const promisedMs = request.type === 'beat' && reply !== undefined ? (request.leaderTimeoutMs ?? L) : 0;
    const holdsIt = held.term > term || (held.term === term && (asksBefore || held.voteFor === told.voteFor));
    if (holdsIt && held.promisedMs >= promisedMs) return;
    this.tooEarly.push(
      `${ip} ${typeOf(request)} ${JSON.stringify(told)} with ${JSON.stringify(held)} in its store`,
    );
  }
}

function typeOf(request: RaftRequest): RaftRequest['type'] | 'preVote' {
  return request.type === 'vote' && request.preVote === true ? 'preVote' : request.type;
}

function listen({ node, events, errors }: Peer): void {
  node.on('stateChange', ({ from, to, term }) => void events.push(`stateChange ${from}>${to} ${term}`));
  node.on('makeLeader', ({ leader, term }) => void events.push(`makeLeader ${leader.ip} ${term}`));
  node.on('leaderLost', ({ leader, term }) => void events.push(`leaderLost ${leader.ip} ${term}`));
  node.on('leaderElectFinished', ({ term }) => void events.push(`leaderElectFinished ${term}`));
  node.on('warning', ({ code }) => void events.push(`warning ${code}`));
  node.on('error', (error) => void errors.push(error));
}

/** A peer as it would say of itself. */
export function peer(ip: string, fields: Partial<PeerSnapshot> = {}): PeerSnapshot {
  return { ip, state: 'FOLLOWER', term: 0, voteFor: null, leaderDueMs: L, heartbeatDueMs: H, ...fields };
}

/** A beat of `ip` that leads `term`. */
export function beat(ip: string, term: number): RaftRequest {
  return {
    type: 'beat',
    peer: peer(ip, { state: 'LEADER', term, voteFor: ip }),
    datums: [],
    leaderTimeoutMs: L,
    sentAt: 0,
  };
}

/** Someone's hand on a gate: `open` lets everybody through. */
export function gate(): { readonly shut: Promise<void>; readonly open: () => void } {
  let open = (): void => {};
  const shut = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { shut, open };
}
