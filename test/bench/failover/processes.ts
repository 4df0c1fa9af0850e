import { setTimeout as delay } from 'node:timers/promises';
import { freeAddresses } from '../../../src/cli/demo/addresses.js';
import { Worker } from '../worker.js';
import type { Candidate, Failover } from './candidate.js';
import type { MemberCalls } from './member.js';
import { type Belief, nowMs } from './watch.js';

/** How long all must have known the leader before it is lost, in ms; a random part is added. */
const CALM_MS = 300;
/** How long a process that was stopped is watched after it woke up, in ms. */
const WATCH_MS = 300;

interface Member {
  readonly ip: string;
  worker: Worker<MemberCalls>;
}

/** What processes elect by. */
export interface Service {
  readonly options: object;
  readonly end: () => unknown;
}

export interface ProcessesOptions {
  readonly name: string;
  readonly timeoutMs: number;
  /** The program of each process; its arguments are its ip, all ips, the directory, and `options`. */
  readonly program: URL;
  readonly directory: string;
  /** How many there are. @default 3 */
  readonly count?: number;
  readonly options?: object;
  /** Starts what they elect by, and tells what to add to `options`. */
  readonly service?: () => Promise<Service>;
  readonly resigns?: boolean;
  /** Arguments of `node`. */
  readonly execArgv?: readonly string[];
}

/** The program of a member, as it is built beside the benchmark. */
export function program(name: string): URL {
  return new URL(`failover/${name}-member.mjs`, import.meta.url);
}

/** Processes of one program that elect a leader among them. */
export class Processes implements Candidate {
  readonly name: string;
  readonly timeoutMs: number;
  readonly resign?: () => Promise<Failover>;
  readonly #options: ProcessesOptions;
  #members: Member[] = [];
  #service: Service | null = null;

  constructor(options: ProcessesOptions) {
    this.name = options.name;
    this.timeoutMs = options.timeoutMs;
    this.#options = options;
    if (options.resigns === true) this.resign = () => this.#resign();
  }

  get pids(): readonly number[] {
    return this.#members.map(({ worker }) => worker.pid);
  }

  async start(): Promise<void> {
    this.#service = (await this.#options.service?.()) ?? null;
    const ips = await freeAddresses(this.#options.count ?? 3);
    this.#members = ips.map((ip) => ({ ip, worker: this.#newWorker(ip, ips) }));
    await Promise.all(this.#members.map(({ worker }) => worker.ask('start')));
    await this.#leader();
  }

  async kill(): Promise<Failover> {
    const leader = await this.#calm();
    const at = nowMs();
    leader.worker.kill();
    const failover = await this.#next(leader, at);
    await leader.worker.killed();
    leader.worker = this.#newWorker(
      leader.ip,
      this.#members.map(({ ip }) => ip),
    );
    await leader.worker.ask('start');
    return failover;
  }

  async pause(): Promise<number> {
    const leader = await this.#calm();
    const { pid } = leader.worker;
    const at = nowMs();
    process.kill(pid, 'SIGSTOP');
    await this.#next(leader, at);
    await delay(this.timeoutMs / 2);
    const awakeAt = nowMs();
    process.kill(pid, 'SIGCONT');
    await delay(WATCH_MS);
    const beliefs = await Promise.all(this.#members.map(({ worker }) => worker.ask('beliefsSince', awakeAt)));
    return overlapMs(beliefs);
  }

  /** What each holds and has sent. */
  atRest() {
    return Promise.all(this.#members.map(({ worker }) => worker.ask('atRest')));
  }

  async end(): Promise<void> {
    await Promise.all(this.#members.map(({ worker }) => worker.killed()));
    await this.#service?.end();
  }

  async #resign(): Promise<Failover> {
    const leader = await this.#calm();
    return this.#next(leader, await leader.worker.ask('resign'));
  }

  /** The leader, once all is well, at a random moment between two of its beats. */
  async #calm(): Promise<Member> {
    await this.#leader();
    await Promise.all(this.#members.map(({ worker }) => worker.ask('watch')));
    await Promise.all(this.#members.map(({ worker }) => worker.ask('isReady')));
    await delay(CALM_MS + Math.random() * CALM_MS);
    return this.#leader();
  }

  /** What it takes until another one leads, from `at` on. */
  async #next(former: Member, at: number): Promise<Failover> {
    const others = this.#members.filter((member) => member !== former).map(({ worker }) => worker);
    const led = await Promise.any(others.map((worker) => worker.ask('leadsAfter', at)));
    const known = await Promise.all(others.map((worker) => worker.ask('knowsAfter', at)));
    const heard = known.filter((each) => each !== null);
    return {
      knownMs: heard.length < known.length ? null : Math.max(...heard.map((each) => each.at)) - at,
      ledMs: led - at,
      terms: heard[0]?.terms ?? null,
    };
  }

  async #leader(): Promise<Member> {
    for (;;) {
      const leads = await Promise.all(this.#members.map(({ worker }) => worker.ask('leads')));
      const leader = this.#members.find((_, at) => leads[at]);
      if (leader !== undefined) return leader;
      await delay(10);
    }
  }

  #newWorker(ip: string, ips: readonly string[]): Worker<MemberCalls> {
    const { program, directory, options = {}, execArgv } = this.#options;
    const given = JSON.stringify({ ...options, ...this.#service?.options });
    const args = [ip, ips.join(), directory, given];
    return new Worker<MemberCalls>(program.pathname, args, execArgv);
  }
}

/** For how long two or more of them believed at the same time. */
export function overlapMs(beliefs: readonly (readonly Belief[])[]): number {
  const edges = beliefs
    .flat()
    .flatMap(({ from, to }) => [
      { at: from, by: 1 },
      { at: to, by: -1 },
    ])
    .toSorted((a, b) => a.at - b.at || a.by - b.by);
  let count = 0;
  let before = 0;
  let sum = 0;
  for (const { at, by } of edges) {
    if (count > 1) sum += at - before;
    count += by;
    before = at;
  }
  return sum;
}
