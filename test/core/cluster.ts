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

/** One peer: a core, what its disk holds, and what it told. */
export class Host {
  readonly ip: string;
  readonly core: RaftCore;
  disk: StoredState | null;
  /** Events as they came: `makeLeader b:1 2`. */
  readonly events: string[] = [];
  readonly errors: RaftError[] = [];
  /** While true, saves do not become durable and everything behind them waits. */
  diskStalls = false;
  readonly stalled: Output[] = [];

  constructor(
    ip: string,
    members: readonly (string | Member)[],
    disk: StoredState | null,
    options: HostOptions,
  ) {
    const { rules = 'raftbeat', ...rest } = options;
    const peers = new RaftPeerSet({ local: ip, members, rules });
    this.ip = ip;
    this.disk = disk;
    this.core = new RaftCore({ random: () => 0, timing: TIMING, ...rest, peers, stored: disk });
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
}

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
  readonly #options: HostOptions;
  readonly #cuts = new Set<string>();
  #mail: Mail[] = [];

  /** All start at 0, with disks in use unless `disk` says otherwise. */
  constructor(
    members: readonly (string | Member)[],
    options: HostOptions = {},
    disk: StoredState | null = IN_USE,
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

  start(ip: string, disk: StoredState | null, options: HostOptions = {}): Host {
    const host = new Host(ip, this.members, disk, { ...this.#options, ...options });
    this.hosts.set(ip, host);
    return host;
  }

  /** Kills `ip`; returns what its disk held. */
  kill(ip: string): StoredState | null {
    const { disk } = this.host(ip);
    this.hosts.delete(ip);
    return disk;
  }

  restart(ip: string): Host {
    return this.start(ip, this.kill(ip));
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
    for (let next = this.#next(end); next !== null; next = this.#next(end)) {
      this.now = Math.max(this.now, next.at);
      next.deliver();
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
      const output = host.stalled.shift() as Output;
      if (output.type === 'save') this.#save(host, output.state);
      else if (output.type === 'fetchPeer') {
        this.#send(
          ip,
          output.from,
          output.id === undefined ? { type: 'peer' } : { type: 'peer', id: output.id },
        );
      } else if (output.type === 'send') for (const to of output.to) this.#send(ip, to, output.request);
    }
  }

  #save(host: Host, state: StoredState): void {
    host.disk = state;
    host.core.saved(state, this.now);
    host.stalled.push(...host.core.takeOutputs());
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
    const failed = (error: RaftError): void => {
      this.#post(to, from, request, () => {
        if (this.hosts.get(from) !== sender) return;
        sender.core.requestFailed(to, request, error, this.now);
        this.carryOut(from);
      });
    };
    this.#post(from, to, request, () => {
      if (!this.hosts.has(to)) return failed(new RaftError('UNREACHABLE', `${to} is down`));
      const answer = this.#receive(to, request);
      if (answer instanceof RaftError) return failed(answer);
      this.#post(to, from, request, () => {
        if (this.hosts.get(from) !== sender) return;
        answer(sender.core, this.now, to);
        this.carryOut(from);
      });
    });
  }

  #post(from: string, to: string, request: RaftRequest, deliver: () => void): void {
    if (this.#cuts.has(`${from} ${to}`) || this.loses(from, to, request)) return;
    this.#mail.push({ at: this.now + LATENCY, from, to, deliver });
  }

  #receive(
    to: string,
    request: RaftRequest,
  ): RaftError | ((core: RaftCore, now: number, from: string) => void) {
    const { core } = this.host(to);
    try {
      if (request.type === 'vote') {
        const reply = core.receivedVote(request, this.now);
        return (sender, now, from) => sender.receivedVoteReply(from, reply, now);
      }
      if (request.type === 'beat') {
        const reply = core.receivedBeat(request, this.now);
        return (sender, now, from) => sender.receivedBeatReply(from, reply, now);
      }
      if (request.type === 'transfer') {
        const reply = core.receivedTransfer(request, this.now);
        return (sender, now, from) => sender.receivedPeer(from, reply, now);
      }
      const reply = core.getPeer(this.now, request.type === 'peer' ? request.id : undefined);
      return (sender, now, from) => sender.receivedPeer(from, reply, now);
    } catch (error) {
      if (error instanceof RaftError) return error;
      throw error;
    } finally {
      this.carryOut(to);
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
