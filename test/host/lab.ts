import {
  type Clock,
  type GroupStore,
  type Member,
  RaftError,
  type RaftRequest,
  type StoredState,
} from 'raftbeat';
import { type RaftGroup, RaftHost, type RaftHostOptions } from 'raftbeat/host';
import { afterEach, expect } from 'vitest';
import type {
  Beats,
  BeatsReply,
  ErrorReply,
  GroupReplies,
  GroupRequest,
  GroupRequests,
} from '../../src/core/messages.js';
import {
  A,
  B,
  C,
  forbidUnhandledRejections,
  HangingSaves,
  type Host,
  IN_USE,
  L,
  Network,
  type Sent,
  TestTransport,
  TIMING,
  World,
} from '../node/virtual.js';

/** A store of groups that fails or hangs when told to. */
export class TestGroupStore extends HangingSaves implements GroupStore {
  readonly durable = false;
  /** What it holds; a group that it does not know is taken for one in use, unless it is `empty`. */
  readonly states = new Map<string, StoredState>();
  /** Every write that was asked for, whether it was done or not. */
  readonly writes: ReadonlyMap<string, StoredState>[] = [];
  openFault: unknown = null;
  saveFault: unknown = null;
  /** Whether a fault is thrown at once, instead of rejected. */
  throws = false;
  isOpen = false;
  closes = 0;

  async open(): Promise<ReadonlyMap<string, StoredState>> {
    if (this.openFault !== null) throw this.openFault;
    this.isOpen = true;
    return new Map(this.states);
  }

  save(states: ReadonlyMap<string, StoredState>): Promise<void> {
    this.writes.push(states);
    if (this.saveFault !== null && this.throws) throw this.saveFault;
    if (this.saveFault !== null) return Promise.reject(this.saveFault);
    return this.whenLetGo(() => {
      for (const [group, state] of states) this.states.set(group, state);
    });
  }

  async close(): Promise<void> {
    this.closes++;
    this.isOpen = false;
  }
}

/** A host of groups and all that surrounds it. */
export interface Site {
  readonly ip: string;
  readonly raft: RaftHost;
  readonly process: Host;
  readonly store: TestGroupStore;
  readonly transport: TestTransport;
  /** Events of its groups as they came: `g1 makeLeader b:1 2`. */
  readonly events: string[];
  readonly errors: RaftError[];
}

export interface HostLabOptions extends Partial<RaftHostOptions> {
  /** How many groups each host takes part in, from the start on. @default 12 */
  readonly groups?: number;
  /** Whether the stores hold nothing of them. @default false: they were in use */
  readonly empty?: boolean;
}

/** The names of `count` groups. */
export function namesOf(count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `g${at}`);
}

/** Messages of all labs of a test that left before what they tell was durable. */
const tooEarly: string[] = [];

/** Makes the tests of a file fail for a message that left too early (D4), and for a rejection that nobody handled. */
export function checkHosts(): void {
  forbidUnhandledRejections();
  afterEach(() => expect(tooEarly.splice(0)).toEqual([]));
}

/**
 * Hosts of groups on virtual time. Whatever a test does, each message that leaves a host is compared with what its store
 * holds at that moment (D4).
 */
export class HostLab {
  readonly world = new World();
  readonly network = new Network(this.world);
  readonly sites: readonly Site[];
  readonly names: readonly string[];

  constructor(members: readonly (string | Member)[] = [A, B, C], options: HostLabOptions = {}) {
    const { groups = 12, empty = false, ...rest } = options;
    this.names = namesOf(groups);
    const ips = members.map((member) => (typeof member === 'string' ? member : member.ip));
    this.sites = ips.map((ip) => this.#site(ip, { members, ...rest }));
    for (const { raft, store } of this.sites) {
      for (const name of this.names) {
        raft.group(name);
        if (!empty) store.states.set(name, IN_USE);
      }
    }
    this.network.onLeaving = (ip, request, reply) => this.#audit(this.site(ip).store, request, reply);
  }

  get now(): number {
    return this.world.now;
  }

  site(ip: string): Site {
    const site = this.sites.find((known) => known.ip === ip);
    if (site === undefined) throw new Error(`no host ${ip}`);
    return site;
  }

  /** The group `name` of the host `ip`. */
  group(ip: string, name: string = 'g0'): RaftGroup {
    return this.site(ip).raft.group(name);
  }

  async start(): Promise<void> {
    await Promise.all(this.sites.map(({ raft }) => raft.start()));
  }

  advance(ms: number): Promise<void> {
    return this.world.advance(ms);
  }

  /** Lets time go by until `holds`; returns how long it took. */
  async until(holds: () => boolean, ms: number = 5 * L): Promise<number> {
    const start = this.now;
    if (!(await this.world.until(holds, ms))) throw new Error(`not within ${ms} ms: ${holds}`);
    return this.now - start;
  }

  /** Starts all, and goes on until each group has a leader that all hosts know. */
  async elect(): Promise<void> {
    await this.start();
    await this.until(() => this.isLed());
  }

  /** Whether all of `sites` know the leader of each group. */
  isLed(sites: readonly Site[] = this.sites): boolean {
    return sites.every(({ raft }) => raft.groups.every(({ leader }) => leader !== null));
  }

  /** Elects, and goes on until leaderships are spread evenly. */
  async spread(): Promise<void> {
    await this.elect();
    await this.until(() => this.isLed() && this.isEven(), 20 * L);
    await this.advance(2 * L);
  }

  /** Whether the hosts `sites` lead all groups, equally many each but for one. */
  isEven(sites: readonly Site[] = this.sites): boolean {
    const counts = sites.map(({ raft }) => leads(raft).length);
    const total = counts.reduce((sum, count) => sum + count, 0);
    return total === this.names.length && Math.max(...counts) - Math.min(...counts) <= 1;
  }

  /** The ips of all hosts that say that they lead `name`. */
  leadersOf(name: string): readonly string[] {
    return this.sites.filter(({ raft }) => raft.group(name).isLeader()).map(({ ip }) => ip);
  }

  /** The host that leads `name`, and the others. */
  rolesOf(name: string): { readonly leader: Site; readonly others: readonly [Site, Site, ...Site[]] } {
    const [ip] = this.leadersOf(name);
    if (ip === undefined) throw new Error(`nobody leads ${name}`);
    const others = this.sites.filter((site) => site.ip !== ip);
    return { leader: this.site(ip), others: others as unknown as readonly [Site, Site, ...Site[]] };
  }

  /** Stops a host, while time goes by for the others. */
  async stop({ raft }: Site): Promise<void> {
    let isStopped = false;
    const stopping = raft.stop().finally(() => {
      isStopped = true;
    });
    await this.until(() => isStopped);
    await stopping;
  }

  /** What the host `ip` answers to one request of the group `name`. */
  async ask(ip: string, name: string, request: GroupRequest): Promise<unknown> {
    const reply = await this.network.receive(ip, { type: 'groups', requests: [{ group: name, request }] });
    return (reply as GroupReplies).replies[0];
  }

  /** What `from` sent of one type. */
  sent(from: string, type: RaftRequest['type']): readonly Sent[] {
    return this.network.sent.filter((sent) => sent.from === from && sent.request.type === type);
  }

  #site(ip: string, options: Partial<RaftHostOptions>): Site {
    const process = this.world.host();
    const store = new TestGroupStore();
    const transport = new TestTransport(this.network, process);
    let drawn = ip.charCodeAt(0);
    // Each process draws a number of its own; all else that is drawn is small.
    const random = (): number => ((drawn++ * 7_919) % 97) / 1_000;
    const clock: Clock = process;
    const raft = new RaftHost({ ...TIMING, ip, store, transport, clock, random, ...options });
    const site: Site = { ip, raft, process, store, transport, events: [], errors: [] };
    listen(site);
    return site;
  }

  #audit(store: TestGroupStore, request: RaftRequest, reply: unknown): void {
    const told = reply === undefined ? asked(request) : answered(request, reply);
    for (const { group, term, voteFor, promisedMs = 0 } of told) {
      const held = store.states.get(group) ?? IN_USE;
      const holdsIt = held.term > term || (held.term === term && (voteFor ?? held.voteFor) === held.voteFor);
      if (holdsIt && held.promisedMs >= promisedMs) continue;
      const state = JSON.stringify(held);
      tooEarly.push(`${request.type} of ${group}: term ${term}, vote ${voteFor}, with ${state} in the store`);
    }
  }
}

/** What a message tells of its sender: it must be durable before. */
interface Told {
  readonly group: string;
  readonly term: number;
  /** Left out when the message does not tell it. */
  readonly voteFor?: string | null;
  readonly promisedMs?: number;
}

function asked(request: RaftRequest): readonly Told[] {
  if (request.type === 'beats') return request.led;
  if (request.type !== 'groups') return [];
  return request.requests.flatMap(({ group, request: inner }) => {
    if (inner.type !== 'vote') return [];
    const { term, voteFor } = inner.peer;
    return inner.preVote === true ? [{ group, term: term - 1 }] : [{ group, term, voteFor }];
  });
}

function answered(request: RaftRequest, reply: unknown): readonly Told[] {
  if ((reply as ErrorReply).code !== undefined) return [];
  if (request.type === 'beats') return accepted(request, reply as BeatsReply);
  return request.type === 'groups' ? answers(request, reply as GroupReplies) : [];
}

function accepted({ led, version, leaderTimeoutMs }: Beats, reply: BeatsReply): readonly Told[] {
  if (reply.version !== version) return [];
  const refused = new Set(reply.refused.map(({ group }) => group));
  const taken = led.filter(({ group }) => !refused.has(group));
  return taken.map(({ group, term }) => ({ group, term, promisedMs: Math.max(leaderTimeoutMs, L) }));
}

function answers({ requests }: GroupRequests, { replies }: GroupReplies): readonly Told[] {
  return requests.flatMap(({ group, request }, at) => {
    const reply = replies[at];
    if (request.type !== 'vote' || reply === undefined || !('voteFor' in reply)) return [];
    return [{ group, term: reply.term, voteFor: reply.voteFor }];
  });
}

function listen({ raft, events, errors }: Site): void {
  raft.on(
    'makeLeader',
    ({ name }, { leader, term }) => void events.push(`${name} makeLeader ${leader.ip} ${term}`),
  );
  raft.on(
    'leaderLost',
    ({ name }, { leader, term }) => void events.push(`${name} leaderLost ${leader.ip} ${term}`),
  );
  raft.on('error', (error) => void errors.push(error));
}

/** The names of the groups that `raft` leads. */
export function leads(raft: RaftHost): readonly string[] {
  return raft.groups.filter((group) => group.isLeader()).map(({ name }) => name);
}

/** What `call` throws. */
export function refusal(call: () => unknown): RaftError {
  try {
    call();
  } catch (error) {
    if (error instanceof RaftError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}
