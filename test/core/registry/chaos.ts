import { RaftError } from 'raftbeat';
import type { RegistryOperation } from 'raftbeat/testing';
import type { Base } from '../../../src/core/datum.js';
import { REGISTRY_LIMITS } from '../../../src/core/registry.js';
import { Cluster, type Host, L, type Result } from '../cluster.js';

/** So little that followers often need the key list, and a tail is often full. */
const LIMITS = { ...REGISTRY_LIMITS, maxHistorySize: 800, maxMessageSize: 400, maxTailSize: 3_000 };
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'];

/** A generator of numbers in [0, 1) that is the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What a client did; a `RegistryOperation` when it is done. */
interface Operation {
  readonly type: RegistryOperation['type'];
  readonly key: string;
  readonly client: string;
  readonly call: number;
  return: number | null;
  readonly value?: string;
  readonly ifTimestamp?: number;
  output?: unknown;
}

/** A cluster to which everything happens that section 4 allows for; it looks after each event at what must hold. */
export class Chaos {
  readonly cluster: Cluster;
  readonly operations: Operation[] = [];
  readonly #random: () => number;
  /** What each revision was seen to hold, and the term of each seq. */
  readonly #bases = new Map<string, string>();
  readonly #terms = new Map<number, number>();
  readonly #told = new WeakMap<Host, number>();
  readonly #seen = new Set<string>();
  readonly #refused = new Set<string>();
  /** The newest acknowledged change of each key. */
  readonly #acknowledged = new Map<string, { readonly timestamp: number; readonly seq: number }>();
  #moment = 0;
  #number = 0;
  #lossy = 0;

  constructor(seed: number, ips: readonly string[]) {
    this.#random = randomFrom(seed);
    this.cluster = new Cluster(ips, { registry: LIMITS, random: this.#random });
    this.cluster.deadlineMs = L / 2;
    this.cluster.delays = () => this.#delays();
    this.cluster.watch = () => this.#check();
  }

  /** Lets everything happen for `ms`, then mends all and lets the cluster come to rest. */
  run(ms: number): void {
    for (const end = this.cluster.now + ms; this.cluster.now < end; ) {
      this.#happen();
      this.cluster.run(1 + Math.floor(this.#random() * 40));
    }
    this.#lossy = 0;
    this.cluster.heal();
    for (const ip of this.cluster.ips) this.#mend(ip);
    this.cluster.run(8 * L);
  }

  /** How far all are: one text when all hold the same. */
  get ends(): ReadonlySet<string> {
    return new Set([...this.cluster.hosts.values()].map((host) => textOf(baseOf(host))));
  }

  /** How often it came to each outcome. */
  get outcomes(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { type, output, return: at } of this.operations) {
      const name = `${type} ${at === null ? 'open' : typeof output === 'string' ? output : 'done'}`;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return counts;
  }

  #delays(): readonly number[] {
    const chance = this.#random();
    if (chance < this.#lossy) return [];
    const first = 1 + Math.floor(this.#random() * 4);
    if (chance < this.#lossy + 0.03) return [first, first + Math.floor(this.#random() * L)];
    return [chance > 0.97 ? Math.floor(this.#random() * L) : first];
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)] as T;
  }

  #happen(): void {
    const chance = this.#random() * 100;
    const ip = this.#pick([...this.cluster.ips, ...this.cluster.leaders, ...this.cluster.leaders]);
    const host = this.cluster.hosts.get(ip);
    if (chance < 4) this.cluster.heal();
    else if (chance < 6) this.cluster.isolate(ip);
    else if (chance < 8) this.cluster.cut(ip, this.#pick(this.cluster.ips));
    else if (chance < 9) this.#lossy = this.#random() < 0.7 ? 0 : 0.2;
    else if (host === undefined) this.#mend(ip);
    else if (chance < 11) this.#kill(host);
    else if (chance < 15) host.diskStalls = true;
    else if (chance < 30) this.#mend(ip);
    else if (chance < 31) this.#resign(host);
    else if (chance < 75) this.#write(host);
    else this.#read(host);
  }

  #disks = new Map<string, ReturnType<Cluster['kill']>>();

  #kill(host: Host): void {
    const saves = host.stalled.filter(({ type }) => type === 'save').length;
    this.#disks.set(host.ip, this.cluster.kill(host.ip, Math.floor(this.#random() * (saves + 1))));
  }

  #mend(ip: string): void {
    const host = this.cluster.hosts.get(ip) ?? this.cluster.start(ip, this.#disks.get(ip) ?? null);
    host.diskStalls = false;
    this.cluster.carryOut(ip);
  }

  #resign(host: Host): void {
    if (!host.core.isLeader(this.cluster.now)) return;
    host.core.resign(this.cluster.now);
    this.cluster.carryOut(host.ip);
  }

  #write(host: Host): void {
    const key = this.#pick(KEYS);
    const stamp = host.core.datums?.get(key)?.timestamp ?? 0;
    const condition = this.#random() < 0.3 ? { ifTimestamp: stamp } : {};
    this.#number++;
    const value = this.#random() < 0.2 ? null : JSON.stringify(`v${this.#number}`);
    const type = value === null ? 'remove' : 'publish';
    const operation = this.#begin({ type, key, ...(value === null ? {} : { value }), ...condition }, host);
    const done = (result: Result): void => this.#written(operation, result);
    const { leader } = host.core.peers;
    if (host.self.state === 'LEADER') this.cluster.write(host.ip, { key, value, ...condition }, done);
    else if (leader === null || leader.ip === host.ip) this.#end(operation, 'FAILED');
    else {
      const writes = [{ number: this.#number, key, value, ...condition }];
      this.cluster.ask(
        host.ip,
        leader.ip,
        { type: 'writes', process: 1, term: leader.term, writes },
        (answer) => {
          done(answer instanceof RaftError ? answer : (answer.result as Result));
        },
      );
    }
  }

  #written(operation: Operation, result: Result): void {
    if (operation.return !== null) return;
    if (!(result instanceof RaftError) && 'timestamp' in result) {
      const { timestamp, revision } = result;
      if (timestamp !== null) this.#acknowledged.set(operation.key, { timestamp, seq: revision.seq });
      this.#end(operation, operation.type === 'publish' ? timestamp : timestamp !== null);
    } else if (result instanceof RaftError && result.code === 'CONFLICT') this.#end(operation, 'CONFLICT');
    else if (result instanceof RaftError && ['NO_LEADER', 'NOT_LEADER', 'BUSY'].includes(result.code))
      this.#end(operation, 'FAILED');
  }

  #read(host: Host): void {
    if (host.self.state !== 'LEADER') return;
    const operation = this.#begin({ type: 'read', key: this.#pick(KEYS) }, host);
    this.cluster.read(host.ip, operation.key, (result) => {
      if (result instanceof RaftError || !('datum' in result)) this.#end(operation, 'FAILED');
      else {
        const { datum } = result;
        this.#end(operation, datum && { value: datum.value, timestamp: datum.timestamp });
      }
    });
  }

  #begin(what: Pick<Operation, 'type' | 'key' | 'value' | 'ifTimestamp'>, host: Host): Operation {
    const operation: Operation = { ...what, client: host.ip, call: ++this.#moment, return: null };
    this.operations.push(operation);
    return operation;
  }

  #end(operation: Operation, output: unknown): void {
    operation.return = ++this.#moment;
    operation.output = output;
    if ((output === 'FAILED' || output === 'CONFLICT') && operation.value !== undefined)
      this.#refused.add(operation.value);
  }

  #check(): void {
    for (const host of this.cluster.hosts.values()) {
      const seq = host.core.datums?.base.seq ?? 0;
      const before = this.#told.get(host);
      if (before === seq) continue;
      if (before !== undefined && before > seq) throw new Error(`the base of ${host.ip} went back to ${seq}`);
      this.#told.set(host, seq);
      this.#checkBase(host.ip, baseOf(host));
      if (host.kept !== null) this.#checkBase(`the disk of ${host.ip}`, host.kept.copy().base);
    }
  }

  #checkBase(who: string, base: Base): void {
    const { term, seq } = base.revision;
    const text = textOf(base);
    const known = this.#bases.get(`${term}/${seq}`) ?? text;
    if (known !== text) throw new Error(`${who} holds at ${term}/${seq} ${text}, another ${known}`);
    if ((this.#terms.get(seq) ?? term) !== term) throw new Error(`${who} committed ${seq} of two terms`);
    this.#bases.set(`${term}/${seq}`, text);
    this.#terms.set(seq, term);
    for (const { value } of base.datums.values()) this.#seen.add(value);
    for (const value of this.#refused)
      if (this.#seen.has(value)) throw new Error(`${who} shows ${value}, which was refused`);
    for (const [key, { timestamp, seq: at }] of this.#acknowledged) {
      const newest = Math.max(base.datums.get(key)?.timestamp ?? 0, base.stampFloor);
      if (seq >= at && newest < timestamp) throw new Error(`${who} has lost ${key} of ${timestamp}`);
    }
  }
}

function baseOf(host: Host): Base {
  if (host.core.datums === null) throw new Error(`${host.ip} keeps no data`);
  return host.core.datums.view();
}

function textOf({ revision, stampFloor, datums }: Base): string {
  const sorted = [...datums.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  return JSON.stringify([revision, stampFloor, sorted]);
}
