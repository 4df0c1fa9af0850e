import {
  type Member,
  type Output,
  RaftCore,
  type RaftCoreOptions,
  RaftError,
  RaftPeerSet,
  type RaftRequest,
  type RulesName,
  type StoredState,
} from 'raftbeat';
import { NO_DATA, type StoredData } from '../../src/core/datum.js';
import type { DatumChange } from '../../src/core/datums.js';
import { encodeMembers, MEMBERS_KEY } from '../../src/core/members.js';
import { NO_REVISION } from '../../src/core/messages.js';
import type { AnswerOutput, SaveOutput } from '../../src/core/outputs.js';
import type { Write } from '../../src/core/writes.js';
import { copyChanges, KeptData } from '../../src/stores/kept-data.js';
import type { Stored } from '../../src/stores/store.js';

/** L, and what follows from it: whole numbers, so that a test can say when something happens. */
export const L = 1_000;
export const H = 100;
export const STAGGER = 50;
export const TIMING = {
  leaderTimeoutMs: L,
  heartbeatMs: H,
  staggerMs: STAGGER,
  requestTimeoutMs: 100,
  randomMs: 100,
  clockDrift: 0.05,
};
/** How long a lease lasts after the sending of a beat. */
export const LEASE = (L * 0.95) / 1.05;
/** How long a message is under way. */
export const LATENCY = 1;

export const A = 'a:1';
export const B = 'b:1';
export const C = 'c:1';
export const D = 'd:1';
export const E = 'e:1';

/** A store that held nothing but was in use: what a peer of a running cluster finds at a start. */
export const IN_USE: StoredState = { term: 0, voteFor: null, promisedMs: 0 };

export interface HostOptions extends Partial<Omit<RaftCoreOptions, 'peers'>> {
  readonly rules?: RulesName;
}

/** What a write or a read came to. */
export type Result = AnswerOutput['result'];

/** A reply that leaves when all that it depends on is done. */
interface LateReply {
  readonly type: 'reply';
  readonly leave: () => void;
}

/** One peer: a core, what its disk holds, and what it told. */
export class Host {
  readonly ip: string;
  readonly core: RaftCore;
  disk: StoredState | null;
  /** What the disk holds of the registry; null without one. */
  kept: KeptData | null;
  /** What became of the writes and reads that were handed in here. */
  readonly answers = new Map<number, Result>();
  /** Who waits for such an answer. */
  readonly callers = new Map<number, (result: Result) => void>();
  /** What listeners would have been told, in order. */
  readonly changes: DatumChange[] = [];
  /** Events as they came: `makeLeader b:1 2`. */
  readonly events: string[] = [];
  readonly errors: RaftError[] = [];
  /** While true, saves do not become durable and everything behind them waits. */
  diskStalls = false;
  readonly stalled: (Output | LateReply)[] = [];

  constructor(
    ip: string,
    members: readonly (string | Member)[],
    stored: Stored | null,
    options: HostOptions,
  ) {
    const { rules = 'raftbeat', ...rest } = options;
    const peers = new RaftPeerSet({ local: ip, members, rules });
    const { data, ...disk } = stored ?? {};
    this.ip = ip;
    this.disk = stored === null ? null : (disk as StoredState);
    this.kept = rest.registry === undefined ? null : keep(knowing(peers.members, data));
    this.core = new RaftCore({
      random: () => 0,
      timing: TIMING,
      ...rest,
      peers,
      stored: this.disk,
      data: this.kept?.copy(),
    });
    peers.on('makeLeader', ({ leader, term }) => this.events.push(`makeLeader ${leader.ip} ${term}`));
    peers.on('leaderLost', ({ leader, term }) => this.events.push(`leaderLost ${leader.ip} ${term}`));
    peers.on('leaderElectFinished', ({ term }) => this.events.push(`leaderElectFinished ${term}`));
    peers.on('error', (error) => this.errors.push(error));
  }

  get self() {
    return this.core.peers.self;
  }

  get leader(): string | null {
    return this.core.peers.leader?.ip ?? null;
  }

  /** Makes a save durable. */
  write({ state, data }: SaveOutput): void {
    this.disk = state;
    if (data === undefined || this.kept === null) return;
    this.kept.check(data);
    this.kept = this.kept.change(copyChanges(data));
  }

  /** What its disk gives back at the next start. */
  get stored(): Stored | null {
    if (this.disk === null || this.kept === null) return this.disk;
    return { ...this.disk, data: this.kept.copy() };
  }
}

/** The data of a cluster that has begun: it holds its members. */
function knowing(members: readonly Required<Member>[], { base, tail }: StoredData = NO_DATA): StoredData {
  const list = { key: MEMBERS_KEY, value: encodeMembers(members), timestamp: 1, revision: NO_REVISION };
  return { base: { ...base, datums: new Map([[MEMBERS_KEY, list], ...base.datums]) }, tail };
}

function keep({ base, tail }: StoredData): KeptData {
  return new KeptData({ ...base, datums: new Map(base.datums) }).change({ append: [...tail] });
}

/** What comes back: a refusal, or what is to be done with it; of a write or read, its result besides. */
export type Answer =
  | RaftError
  | (((core: RaftCore, now: number, from: string) => void) & { readonly result?: Result });

interface Mail {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly deliver: () => void;
}

/** A cluster of pure cores on virtual time: messages take `LATENCY` ms, disks are at once, chance is 0. */
export class Cluster {
  now = 0;
  readonly members: readonly (string | Member)[];
  readonly hosts = new Map<string, Host>();
  /** Requests that were sent, oldest first: what a test looks at or delivers again. */
  readonly sent: {
    readonly at: number;
    readonly from: string;
    readonly to: string;
    readonly request: RaftRequest;
  }[] = [];
  /** Loses a message when it answers true; replies are asked for as well. */
  loses: (from: string, to: string, request: RaftRequest) => boolean = () => false;
  /** After how many ms a message, or a reply, arrives; as often as there are numbers. */
  delays: (from: string, to: string, request: RaftRequest) => readonly number[] = () => [LATENCY];
  /** After how many ms without an answer a request of a core has failed. */
  deadlineMs = Number.POSITIVE_INFINITY;
  /** Called after each event. */
  watch: () => void = () => {};
  #lastCall = 0;
  readonly #options: HostOptions;
  readonly #cuts = new Set<string>();
  #mail: Mail[] = [];

  /** All start at 0, with disks in use unless `disk` says otherwise. */
  constructor(
    members: readonly (string | Member)[],
    options: HostOptions = {},
    disk: Stored | null = IN_USE,
  ) {
    this.members = members;
    this.#options = options;
    for (const ip of this.ips) this.start(ip, disk);
  }

  get ips(): readonly string[] {
    return this.members.map((member) => (typeof member === 'string' ? member : member.ip));
  }

  host(ip: string): Host {
    const host = this.hosts.get(ip);
    if (host === undefined) throw new Error(`${ip} does not run`);
    return host;
  }

  core(ip: string): RaftCore {
    return this.host(ip).core;
  }

  start(ip: string, disk: Stored | null, options: HostOptions = {}): Host {
    const host = new Host(ip, this.members, disk, { ...this.#options, ...options });
    this.hosts.set(ip, host);
    return host;
  }

  /**
   * Kills `ip`; returns what its disk held.
   *
   * @param written how many of the saves that stall had reached the disk
   */
  kill(ip: string, written = 0): Stored | null {
    const host = this.host(ip);
    const saves = host.stalled.filter((output) => output.type === 'save');
    for (const save of saves.slice(0, written)) host.write(save);
    this.hosts.delete(ip);
    return host.stored;
  }

  restart(ip: string, written = 0): Host {
    return this.start(ip, this.kill(ip, written));
  }

  /** Hands a write in at `ip`; returns its id. */
  write(ip: string, write: Omit<Write, 'id'>, answered: (result: Result) => void = () => {}): number {
    const id = this.#call(ip, answered);
    this.core(ip).write([{ ...write, id }], this.now);
    this.carryOut(ip);
    return id;
  }

  /** Reads at `ip`; returns the id of the call. @throws what `RaftCore.read` throws */
  read(ip: string, key: string, answered: (result: Result) => void = () => {}): number {
    const id = this.#call(ip, answered);
    try {
      this.core(ip).read(id, key, this.now);
    } finally {
      this.carryOut(ip);
    }
    return id;
  }

  #call(ip: string, answered: (result: Result) => void): number {
    this.#lastCall++;
    this.host(ip).callers.set(this.#lastCall, answered);
    return this.#lastCall;
  }

  /** Cuts the line from `from` to `to`, in that direction. */
  cut(from: string, to: string): void {
    this.#cuts.add(`${from} ${to}`);
  }

  /** Cuts all lines of `ip`, in both directions. */
  isolate(ip: string): void {
    for (const other of this.ips) {
      this.cut(ip, other);
      this.cut(other, ip);
    }
  }

  heal(): void {
    this.#cuts.clear();
  }

  /** Lets `ms` go by. */
  run(ms: number): void {
    const end = this.now + ms;
    let turns = 0;
    for (let next = this.#next(end); next !== null; next = this.#next(end)) {
      turns = next.at > this.now ? 0 : turns + 1;
      if (turns > 1_000) throw new Error(`something goes round in circles at ${this.now} ms`);
      this.now = Math.max(this.now, next.at);
      next.deliver();
      this.watch();
    }
    this.now = end;
  }

  /** Lets time go by until `holds`, at most `ms`; returns how long it took. */
  runUntil(holds: () => boolean, ms = 10 * L): number {
    const start = this.now;
    while (!holds()) {
      if (this.now - start >= ms) throw new Error(`not within ${ms} ms`);
      this.run(1);
    }
    return this.now - start;
  }

  /** Runs until somebody leads; returns who. */
  elect(): string {
    this.runUntil(() => this.leaders.length > 0);
    return this.leaders[0] as string;
  }

  /** Who leads now: at most one, ever. */
  get leaders(): readonly string[] {
    return [...this.hosts.values()].filter((host) => host.core.isLeader(this.now)).map((host) => host.ip);
  }

  /** Carries out what the core of `ip` wants done; call it after an input that a test gave by hand. */
  carryOut(ip: string): void {
    const host = this.host(ip);
    host.stalled.push(...host.core.takeOutputs());
    while (host.stalled.length > 0) {
      if (host.diskStalls && host.stalled[0]?.type === 'save') return;
      this.#do(host, host.stalled.shift() as Output | LateReply);
    }
  }

  #do(host: Host, output: Output | LateReply): void {
    switch (output.type) {
      case 'save':
        host.write(output);
        host.core.saved(output.state, this.now, output.data);
        host.stalled.push(...host.core.takeOutputs());
        break;
      case 'send':
        for (const to of output.to) this.#send(host.ip, to, output.request);
        break;
      case 'fetchPeer': {
        const { from, id } = output;
        this.#send(host.ip, from, id === undefined ? { type: 'peer' } : { type: 'peer', id });
        break;
      }
      case 'fold':
        host.kept?.fold(output.seq);
        break;
      case 'answer':
        host.answers.set(output.id, output.result);
        host.callers.get(output.id)?.(output.result);
        break;
      case 'changes':
        host.changes.push(...output.changes);
        break;
      case 'reply':
        output.leave();
        break;
    }
  }

  #next(end: number): Mail | null {
    const due = [...this.hosts.values()].map((host) => ({
      at: Math.max(this.now, host.core.nextDeadline()),
      from: host.ip,
      to: host.ip,
      deliver: () => {
        host.core.tick(this.now);
        this.carryOut(host.ip);
      },
    }));
    const next = [...this.#mail, ...due].reduce<Mail | null>(
      (a, b) => (a === null || b.at < a.at ? b : a),
      null,
    );
    if (next === null || next.at > end) return null;
    this.#mail = this.#mail.filter((mail) => mail !== next);
    return next;
  }

  #send(from: string, to: string, request: RaftRequest): void {
    this.sent.push({ at: this.now, from, to, request });
    const sender = this.host(from);
    let isOpen = true;
    this.ask(from, to, request, (answer) => {
      isOpen = false;
      if (answer instanceof RaftError) sender.core.requestFailed(to, request, answer, this.now);
      else answer(sender.core, this.now, to);
      this.carryOut(from);
    });
    if (this.deadlineMs === Number.POSITIVE_INFINITY) return;
    const at = this.now + this.deadlineMs;
    const deliver = (): void => {
      if (!isOpen || this.hosts.get(from) !== sender) return;
      sender.core.requestFailed(to, request, new RaftError('TIMEOUT', 'no answer'), this.now);
      this.carryOut(from);
    };
    this.#mail.push({ at, from, to, deliver });
  }

  /** Sends `request` of `from` to `to`; `answered` gets what comes back, as long as the same process runs there. */
  ask(from: string, to: string, request: RaftRequest, answered: (answer: Answer) => void): void {
    const sender = this.host(from);
    const answer = (what: Answer): void => {
      this.#post(to, from, request, () => {
        if (this.hosts.get(from) === sender) answered(what);
      });
    };
    this.#post(from, to, request, () => {
      if (this.hosts.has(to)) this.#receive(to, request, answer);
      else answer(new RaftError('UNREACHABLE', `${to} is down`));
    });
  }

  #post(from: string, to: string, request: RaftRequest, deliver: () => void): void {
    if (this.#cuts.has(`${from} ${to}`) || this.loses(from, to, request)) return;
    for (const ms of this.delays(from, to, request))
      this.#mail.push({ at: this.now + ms, from, to, deliver });
  }

  /** What `answer` gets leaves when all that it depends on is done. */
  #receive(to: string, request: RaftRequest, answer: (what: Answer) => void): void {
    if (request.type === 'writes' || request.type === 'read') {
      this.#receiveCall(to, request, answer);
      return;
    }
    const what = this.#input(to, request);
    const host = this.host(to);
    host.stalled.push(...host.core.takeOutputs(), { type: 'reply', leave: () => answer(what) });
    this.carryOut(to);
  }

  #receiveCall(
    to: string,
    request: Extract<RaftRequest, { type: 'writes' | 'read' }>,
    answer: (what: Answer) => void,
  ): void {
    const answered = (result: Result): void =>
      answer(result instanceof RaftError ? result : Object.assign(() => {}, { result }));
    if (request.type === 'writes') {
      const { process, term, writes } = request;
      for (const { number, ...write } of writes)
        this.write(to, { ...write, forward: { process, number, term } }, answered);
      return;
    }
    try {
      this.read(to, request.key, answered);
    } catch (error) {
      answered(error as RaftError);
    }
  }

  #input(to: string, request: Exclude<RaftRequest, { type: 'writes' | 'read' }>): Answer {
    const { core } = this.host(to);
    const { now } = this;
    try {
      switch (request.type) {
        case 'vote': {
          const reply = core.receivedVote(request, now);
          return (sender, at, from) => sender.receivedVoteReply(from, reply, at);
        }
        case 'beat': {
          const reply = core.receivedBeat(request, now);
          return (sender, at, from) => sender.receivedBeatReply(from, reply, at);
        }
        case 'transfer': {
          const reply = core.receivedTransfer(request, now);
          return (sender, at, from) => sender.receivedPeer(from, reply, at);
        }
        case 'keys': {
          const reply = core.listKeys(request.at, request.from, now);
          return (sender, at, from) => sender.receivedKeys(from, request.from, reply, at);
        }
        case 'datums': {
          const reply = core.listDatums(request.at, request.keys, now);
          return (sender, at, from) => sender.receivedDatums(from, request.keys, reply, at);
        }
        default: {
          const reply = core.getPeer(now, request.type === 'peer' ? request.id : undefined);
          return (sender, at, from) => sender.receivedPeer(from, reply, at);
        }
      }
    } catch (error) {
      if (error instanceof RaftError && error.code !== 'INTERNAL') return error;
      throw error;
    }
  }
}

/** A peer as it would say of itself. */
export function peer(
  ip: string,
  fields: Partial<import('raftbeat').PeerSnapshot> = {},
): import('raftbeat').PeerSnapshot {
  return { ip, state: 'FOLLOWER', term: 0, voteFor: null, leaderDueMs: L, heartbeatDueMs: H, ...fields };
}
