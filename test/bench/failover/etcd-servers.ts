import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { install } from '../../debian.js';
import { type EtcdUrls, etcdUrls, startEtcd } from '../etcd.js';
import type { Candidate, Failover } from './candidate.js';
import { nowMs } from './watch.js';

const POLL_MS = 5;
const CALM_MS = 300;

/** What a member says of itself. */
interface Status {
  /** Its own id, and that of the leader; '0' when it knows none. */
  readonly id: string;
  readonly leader: string;
  readonly term: number;
}

/** Servers of etcd, which elect one of them, with their own timings: beats each 100 ms, a timeout of 1 s and more. */
export class EtcdServers implements Candidate {
  readonly name = 'etcd 3.4 servers';
  readonly timeoutMs = 1_000;
  readonly #directory: string;
  readonly #count: number;
  #urls: EtcdUrls = { clients: [], peers: [] };
  #members: ChildProcess[] = [];

  constructor(directory: string, count = 3) {
    this.#directory = directory;
    this.#count = count;
  }

  get pids(): readonly number[] {
    return this.#members.map(({ pid }) => pid ?? Number.NaN);
  }

  /** Where clients reach them. */
  get clients(): readonly string[] {
    return this.#urls.clients;
  }

  async start(): Promise<void> {
    await install('etcd', 'etcd-server');
    this.#urls = await etcdUrls(this.#count);
    this.#members = this.clients.map((_, at) => this.#startMember(at));
    await this.#agreed(this.clients.keys(), () => true);
  }

  async kill(): Promise<Failover> {
    const [before] = await this.#agreed(this.clients.keys(), () => true);
    await delay(CALM_MS + Math.random() * CALM_MS);
    const places = [...this.clients.keys()];
    const all = await Promise.all(places.map((at) => this.#status(at)));
    const place = all.findIndex((status) => status?.id === before?.leader);
    const victim = this.#members[place] as ChildProcess;
    const at = nowMs();
    victim.kill('SIGKILL');
    const isNew = ({ leader }: Status): boolean => leader !== before?.leader;
    const survivors = places.filter((other) => other !== place);
    const led = this.#agreed(survivors, (status) => isNew(status) && status.id === status.leader, true);
    const known = await this.#agreed(survivors, isNew).then(([status]) => ({ status, at: nowMs() }));
    const ledAt = await led.then(() => nowMs());
    if (victim.exitCode === null && victim.signalCode === null) await once(victim, 'exit');
    this.#members[place] = this.#startMember(place);
    const terms = (known.status?.term ?? 0) - (before?.term ?? 0);
    return { knownMs: known.at - at, ledMs: Math.min(ledAt, known.at) - at, terms };
  }

  async end(): Promise<void> {
    for (const member of this.#members) member.kill('SIGKILL');
  }

  #startMember(at: number): ChildProcess {
    return startEtcd(this.#directory, at, this.#urls.clients, this.#urls.peers);
  }

  /** Asks until all of `places`, or any, know a leader and `holds`; what they say then. */
  async #agreed(
    places: Iterable<number>,
    holds: (status: Status) => boolean,
    any = false,
  ): Promise<readonly Status[]> {
    const asked = [...places];
    for (;;) {
      const all = await Promise.all(asked.map((at) => this.#status(at)));
      const good = all.filter((status) => status !== null && status.leader !== '0' && holds(status));
      if (good.length === asked.length || (any && good.length > 0)) return good as Status[];
      await delay(POLL_MS);
    }
  }

  /** Null when it does not answer. */
  async #status(at: number): Promise<Status | null> {
    try {
      const url = `${this.clients[at]}/v3/maintenance/status`;
      const response = await fetch(url, { method: 'POST', body: '{}', signal: AbortSignal.timeout(500) });
      const { header, leader = '0' } = (await response.json()) as {
        header: { member_id: string; raft_term: string };
        leader?: string;
      };
      return { id: header.member_id, leader, term: Number(header.raft_term) };
    } catch {
      return null;
    }
  }
}
