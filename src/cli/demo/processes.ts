import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Belief, extended } from './intervals.js';
import { type Awakening, type Message, now, type Order, type Report } from './messages.js';

const PEER = fileURLToPath(new URL('peer.js', import.meta.url));

/** One member of the cluster: its processes come and go, one at a time. */
export class Member {
  readonly ip: string;
  readonly #start: () => ChildProcess;
  readonly #changed: () => void;
  readonly #failed: (error: Error) => void;
  readonly #former: Belief[] = [];
  #process: ChildProcess | null = null;
  #isToEnd = false;
  /** The newest report of the running process. */
  report: Report | null = null;
  /** How its process woke up from a SIGSTOP. */
  awakening: Awakening | null = null;
  /** Whether it was told to stop, and has not told yet that it woke up. */
  isStopped = false;
  isKilled = false;

  constructor(ip: string, start: () => ChildProcess, changed: () => void, failed: (error: Error) => void) {
    this.ip = ip;
    this.#start = start;
    this.#changed = changed;
    this.#failed = failed;
  }

  /** Null when no process runs. */
  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  /** When it was first told that it leads, if it leads now. */
  get leadsSince(): number | null {
    if (this.isStopped || this.report?.leads !== true) return null;
    return this.report.beliefs.at(-1)?.begin ?? null;
  }

  /** Whether it follows a leader. */
  get follows(): boolean {
    return this.report?.state === 'FOLLOWER' && this.report.leader !== null;
  }

  /** Whether it follows or leads. */
  get knowsLeader(): boolean {
    return this.follows || this.leadsSince !== null;
  }

  /** What its processes believed. */
  get beliefs(): readonly Belief[] {
    return [...this.#former, ...(this.report?.beliefs ?? [])];
  }

  start(): void {
    const process = this.#start();
    this.#process = process;
    this.#isToEnd = false;
    this.isKilled = false;
    process.on('message', (message: Message) => this.#heard(message));
    process.once('error', (error) => this.#failed(error));
    process.once('exit', (code, signal) => {
      if (!this.#isToEnd) {
        this.#failed(
          new Error(`the process of ${this.ip} ended unexpectedly: ${signal ?? `exit code ${code}`}`),
        );
      }
    });
    this.#changed();
  }

  /** Ends the process by SIGKILL, stopped or not; returns the moment before. */
  async kill(): Promise<number> {
    const at = now();
    const process = this.#process;
    if (process === null || process.exitCode !== null || process.signalCode !== null) return at;
    this.#isToEnd = true;
    const ended = once(process, 'close');
    process.kill('SIGKILL');
    const killedAt = now();
    await ended;
    this.#bury(killedAt);
    return at;
  }

  /** Has the process stop itself by SIGSTOP. */
  stop(): void {
    this.isStopped = true;
    this.awakening = null;
    this.#process?.send('stop yourself' satisfies Order);
    this.#changed();
  }

  /** SIGCONT. */
  wake(): void {
    this.#process?.kill('SIGCONT');
  }

  #heard(message: Message): void {
    if (message.type === 'report') {
      this.report = message;
    } else {
      this.awakening = message;
      this.isStopped = false;
    }
    this.#changed();
  }

  /** One that believed that it leads when it last told may have done so until it was killed. */
  #bury(killedAt: number): void {
    const { leads = false, beliefs = [] } = this.report ?? {};
    const last = beliefs.length - 1;
    this.#former.push(...beliefs.map((it, index) => (leads && index === last ? extended(it, killedAt) : it)));
    this.report = null;
    this.#process = null;
    this.isKilled = true;
    this.#changed();
  }
}

/** A member that leads, and when it was first told so. */
export interface Leader {
  readonly member: Member;
  readonly since: number;
}

/** The processes of the demo, and the directory of their stores. */
export class Cluster {
  readonly members: readonly Member[];
  /** Rejects when a process ends that should not. */
  readonly failure: Promise<never>;
  /** What the story waits for. */
  waitsFor = '';
  readonly #directory = mkdtempSync(join(tmpdir(), 'raftbeat-'));
  readonly #watchers = new Set<() => void>();
  #isOver = false;

  constructor(ips: readonly string[]) {
    // An exit that nobody planned leaves nothing behind either.
    process.once('exit', () => this.#removeAll());
    const { promise, reject } = withReject();
    this.failure = promise;
    this.members = ips.map((ip, index) => {
      const file = join(this.#directory, `peer-${index + 1}`);
      const start = (): ChildProcess => {
        if (this.#isOver) throw new Error('the demo is over');
        return fork(PEER, [ip, ips.join(','), file]);
      };
      return new Member(ip, start, () => this.#changed(), reject);
    });
  }

  /** Calls `watcher` at each change of any member. */
  watch(watcher: () => void): void {
    this.#watchers.add(watcher);
  }

  /** Waits until `look` finds something in what the processes tell. */
  until<T>(what: string, look: () => T | null | undefined | false): Promise<T> {
    this.waitsFor = what;
    return new Promise((resolve) => {
      const watcher = (): void => {
        const found = look();
        if (found === null || found === undefined || found === false) return;
        this.#watchers.delete(watcher);
        resolve(found);
      };
      this.#watchers.add(watcher);
      watcher();
    });
  }

  /** Waits for a leader, one that was first told so after `since`. */
  leader({ since = 0 }: { readonly since?: number } = {}): Promise<Leader> {
    return this.until('a leader', () =>
      this.members
        .map((member) => ({ member, since: member.leadsSince ?? Number.NEGATIVE_INFINITY }))
        .find((leader) => leader.since > since),
    );
  }

  /** What all processes believed so far, themselves having been asked after this call. */
  async beliefs(): Promise<readonly Belief[]> {
    const at = now();
    await this.until('the last reports', () => this.members.every(({ report }) => (report?.at ?? 0) > at));
    return this.members.flatMap(({ beliefs }) => beliefs);
  }

  /** Ends all processes, and removes the directory. */
  async end(): Promise<void> {
    this.#isOver = true;
    this.#watchers.clear();
    await Promise.all(this.members.map((member) => member.kill()));
    this.#removeAll();
  }

  #removeAll(): void {
    for (const member of this.members) void member.kill();
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 3 });
  }

  #changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

function withReject(): { promise: Promise<never>; reject: (error: Error) => void } {
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<never>((_, fail) => {
    reject = fail;
  });
  promise.catch(() => {}); // it may come when nobody waits any more
  return { promise, reject };
}
