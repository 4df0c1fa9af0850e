import { type BeatReply, type PeerSnapshot, RaftError, type RaftRequest, type Revision } from 'raftbeat';
import { type Batch, NO_DATA, type Op, type StoredData } from '../../../src/core/datum.js';
import { Datums } from '../../../src/core/datums.js';
import { MEMBERS_KEY } from '../../../src/core/members.js';
import type {
  BeatData,
  BeatDataReply,
  ForwardedWrite,
  ReadReply,
  WriteReply,
} from '../../../src/core/messages.js';
import { REGISTRY_LIMITS } from '../../../src/core/registry.js';
import type { Write } from '../../../src/core/writes.js';
import { A, B, C, Cluster, type Host, type HostOptions, L, peer, type Result } from '../cluster.js';

export const LIMITS = REGISTRY_LIMITS;
/** A registry with little room. */
export const SMALL = { ...LIMITS, maxHistorySize: 400, maxMessageSize: 300, maxTailSize: 2_000 };
export const ABC: readonly string[] = [A, B, C];

/** `2/7` */
export function rev(text: string): Revision {
  const [term, seq] = text.split('/').map(Number);
  return { term: term as number, seq: seq as number };
}

export function show({ term, seq }: Revision): string {
  return `${term}/${seq}`;
}

export function put(key: string, value: unknown, timestamp: number): Op {
  return { key, value: JSON.stringify(value), timestamp };
}

export function drop(key: string, timestamp: number): Op {
  return { key, value: null, timestamp };
}

export function batch(revision: string, ...ops: readonly Op[]): Batch {
  return { revision: rev(revision), ops };
}

/** Empty batches: `2/3 2/4`. */
export function empties(text: string): readonly Batch[] {
  return text === '' ? [] : text.split(' ').map((revision) => batch(revision));
}

/** What a peer holds whose store gave back the batches `tail`. */
export function holding(tail: string | readonly Batch[], maxHistorySize = 10_000): Datums {
  const base = { revision: rev('0/0'), stampFloor: 0, datums: new Map() };
  return new Datums({ base, tail: typeof tail === 'string' ? empties(tail) : tail }, maxHistorySize);
}

/** A disk of `term` that holds the batches of `tail` behind an empty base. */
export function disk(term: number, tail: string | readonly Batch[] = '', voteFor: string | null = null) {
  const data: StoredData = { ...NO_DATA, tail: typeof tail === 'string' ? empties(tail) : tail };
  return { term, voteFor, promisedMs: L, data };
}

/** All revisions behind the base, in order. */
export function tailOf(host: Host): string {
  const datums = datumsOf(host);
  return datums
    .after(datums.base.seq, Number.POSITIVE_INFINITY)
    .map(({ revision }) => show(revision))
    .join(' ');
}

export function datumsOf({ ip, core }: Host): Datums {
  if (core.datums === null) throw new Error(`${ip} keeps no data`);
  return core.datums;
}

/** What is committed here: `{ key: 'value@timestamp' }`. */
export function contents(host: Host): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...datumsOf(host).all().values()]
      .filter(({ key }) => key !== MEMBERS_KEY)
      .map(({ key, value, timestamp }) => [key, `${JSON.parse(value)}@${timestamp}`]),
  );
}

/** An outcome in short: `ok 3`, `CONFLICT`, `read 1@2`, `open`. */
export function told(result: Result | undefined): string {
  if (result === undefined) return 'open';
  if (result instanceof RaftError) return result.code;
  if ('timestamp' in result) return `ok ${(result as WriteReply).timestamp}`;
  const { datum } = result as ReadReply;
  return datum === null ? 'read null' : `read ${JSON.parse(datum.value)}@${datum.timestamp}`;
}

type RequestOf<Type extends RaftRequest['type']> = Extract<RaftRequest, { type: Type }>;

/** One peer, `a:1`, with a registry, which a test drives by hand: nobody else runs. */
export class Bench {
  readonly cluster: Cluster;
  readonly #members: readonly string[];
  #beats = 0;

  constructor({
    members = ABC,
    stored = disk(1),
    ...options
  }: HostOptions & { members?: readonly string[]; stored?: ReturnType<typeof disk> } = {}) {
    this.#members = members;
    this.cluster = new Cluster(members, { registry: LIMITS, ...options }, stored);
    for (const ip of members) if (ip !== A) this.cluster.kill(ip);
    this.cluster.loses = () => true;
    this.cluster.run(L);
  }

  get host(): Host {
    return this.cluster.host(A);
  }

  get datums(): Datums {
    return datumsOf(this.host);
  }

  get base(): string {
    return show(this.datums.base);
  }

  get last(): string {
    return show(this.datums.last);
  }

  get tail(): string {
    return tailOf(this.host);
  }

  get others(): readonly string[] {
    return this.#members.filter((ip) => ip !== A);
  }

  /** What the disk holds behind its base. */
  get kept(): string {
    return (
      this.host.kept
        ?.copy()
        .tail.map(({ revision }) => show(revision))
        .join(' ') ?? ''
    );
  }

  requests<Type extends RaftRequest['type']>(type: Type, to?: string): readonly RequestOf<Type>[] {
    return this.cluster.sent
      .filter((sent) => sent.request.type === type && (to === undefined || sent.to === to))
      .map(({ request }) => request as RequestOf<Type>);
  }

  forget(): void {
    this.cluster.sent.length = 0;
  }

  // ---- As a follower

  /** Gives it a beat of `from`, the leader of `term`: from `prev` on, the batches, of which all up to `committed`. */
  beat(
    term: number,
    prev: string,
    batches: string | readonly Batch[] = '',
    { committed = '0/0', catchUp, from = B }: { committed?: string; catchUp?: string; from?: string } = {},
  ): BeatDataReply {
    const data: BeatData = {
      prev: rev(prev),
      batches: typeof batches === 'string' ? empties(batches) : batches,
      committed: rev(committed),
      membersRevision: rev('0/0'),
      ...(catchUp === undefined ? {} : { catchUp: rev(catchUp) }),
    };
    const reply = this.give(() =>
      this.host.core.receivedBeat(this.#beatOf(from, term, data), this.cluster.now),
    );
    if (reply.data === undefined) throw new Error('the beat was not answered for its data');
    return reply.data;
  }

  #beatOf(from: string, term: number, data: BeatData) {
    const leader = peer(from, { state: 'LEADER', term, voteFor: from });
    return { peer: leader, datums: [], leaderTimeoutMs: L, sentAt: ++this.#beats, data };
  }

  give<T>(input: () => T): T {
    try {
      return input();
    } finally {
      this.cluster.carryOut(A);
    }
  }

  // ---- As a leader

  /** Has it elected by all others, and acknowledged by them, without a word of data; returns its term. */
  lead(): number {
    this.elect();
    for (const other of this.others) this.ack(other);
    return this.host.self.term;
  }

  /** Has it elected by all others. */
  elect(): void {
    this.cluster.runUntil(() => this.requests('vote').some(({ preVote }) => preVote === true));
    const round = this.requests('vote').findLast(({ preVote }) => preVote === true)?.round ?? 0;
    const { term } = this.host.self;
    for (const other of this.others) this.#vote(other, { granted: true, round, ...peer(other, { term }) });
    const next = { term: term + 1, voteFor: A };
    for (const other of this.others) this.#vote(other, { granted: true, ...peer(other, next) });
  }

  #vote(from: string, reply: PeerSnapshot & { granted: boolean; round?: number }): void {
    this.give(() => this.host.core.receivedVoteReply(from, reply, this.cluster.now));
  }

  /** `from` acknowledges a beat that is sent now; with `match`, that it holds all up to there. */
  ack(
    from: string,
    match?: string,
    fields: Partial<BeatDataReply & { requestTerm: number; sentAt: number }> = {},
  ): void {
    const { term } = this.host.self;
    const { requestTerm = term, sentAt = this.cluster.now, ...others } = fields;
    const at = rev(match ?? '0/0');
    const data = match === undefined ? {} : { data: { ok: true, match: at, base: at, last: at, ...others } };
    const reply: BeatReply = { ...peer(from, { term }), requestTerm, sentAt, ...data };
    this.give(() => this.host.core.receivedBeatReply(from, reply, this.cluster.now));
  }

  /** Lets time go by while all others acknowledge beats without a word of data. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 100) {
      this.cluster.run(Math.min(100, left));
      for (const other of this.others) this.ack(other);
    }
  }

  /** The data of the newest beat to `to`. */
  sentTo(to: string): BeatData {
    const data = this.requests('beat', to).findLast((beat) => beat.data !== undefined)?.data;
    if (data === undefined) throw new Error(`no data was sent to ${to}`);
    return data;
  }

  /** Hands writes in, all at once; returns their ids. */
  write(...writes: readonly Omit<Write, 'id'>[]): readonly number[] {
    const numbered = writes.map((write, at) => ({ ...write, id: this.#ids + at + 1 }));
    this.#ids += writes.length;
    this.give(() => this.host.core.write(numbered, this.cluster.now));
    return numbered.map(({ id }) => id);
  }

  #ids = 1_000;

  /** A write of another peer arrives. */
  forward(number: number, term: number, write: Omit<ForwardedWrite, 'number'>): number {
    return this.write({ ...write, forward: { process: 7, number, term } })[0] as number;
  }

  read(key: string): number {
    return this.cluster.read(A, key);
  }

  told(id: number | undefined): string {
    return told(id === undefined ? undefined : this.host.answers.get(id));
  }
}

/** The batches that a message brings, and what they go on from: `1/2: 2/3 2/4`. */
export function brings({ prev, batches }: BeatData): string {
  return `${show(prev)}: ${batches.map(({ revision }) => show(revision)).join(' ')}`;
}

/** An answer in short: `ok 2/4, base 1/1, last 2/4`. */
export function said({ ok, match, base, last }: BeatDataReply): string {
  return `${ok ? `ok ${show(match)}` : 'no'}, base ${show(base)}, last ${show(last)}`;
}

export const seqs = (batches: readonly Batch[]): readonly number[] =>
  batches.map(({ revision }) => revision.seq);
