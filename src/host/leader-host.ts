import type { Beat, Beats } from '../core/messages.js';

/**
 * Another host as the leader of groups: the list of those that it leads, which its beats change, and whether they stand
 * for each of these here.
 */
export class LeaderHost {
  readonly ip: string;
  /** Names that are on the list, and whose groups do not follow it here: each beat is handed to them one by one. */
  readonly apart: Set<string> = new Set();
  /** The version of the list that is held here; 0: none. */
  version = 0;
  /** When the newest beat came that stands for all groups that follow, in ms of this host's clock. */
  beatAt: number = Number.NEGATIVE_INFINITY;
  /** The number of that beat among all news of other hosts. */
  news = 0;
  /** For how long a group promises when it accepts such a beat, at least, in ms. */
  leaderTimeoutMs = 0;
  #process = -1;
  #terms = new Map<string, number>();

  constructor(ip: string) {
    this.ip = ip;
  }

  /**
   * Takes over what changed in the list.
   *
   * @param leave called for each group before the list changes for it; returns its name, the very text that is kept here
   *   anyway
   * @returns whether the list is the one that the beats stand for
   */
  take(beats: Beats, leave: (group: string) => string): boolean {
    if (beats.process !== this.#process) this.#forget(beats.process, leave);
    if (beats.since === 0 && beats.version > this.version) this.#replace(beats, leave);
    else if (beats.since <= this.version && this.version <= beats.version) this.#change(beats, leave);
    return beats.version === this.version;
  }

  /** A beat came that stands for all groups that follow. */
  accepted({ leaderTimeoutMs }: Beats, at: number, news: number): void {
    this.leaderTimeoutMs = leaderTimeoutMs;
    this.beatAt = at;
    this.news = news;
  }

  /** The term in which it leads `group` by its list, or null. */
  termOf(group: string): number | null {
    return this.#terms.get(group) ?? null;
  }

  /** The newest beat, as that of `group`, which is on the list. */
  beatOf(group: string): Beat {
    const { ip, leaderTimeoutMs } = this;
    const term = this.#terms.get(group) ?? 0;
    const peer = {
      ip,
      voteFor: ip,
      term,
      leaderDueMs: leaderTimeoutMs,
      heartbeatDueMs: 0,
      state: 'LEADER',
    } as const;
    return { peer, datums: [], leaderTimeoutMs };
  }

  #forget(process: number, leave: (group: string) => string): void {
    this.#drop([...this.#terms.keys()], leave);
    this.#process = process;
    this.version = 0;
  }

  #replace({ led, version }: Beats, leave: (group: string) => string): void {
    const listed = new Set(led.map(({ group }) => group));
    this.#drop(
      [...this.#terms.keys()].filter((group) => !listed.has(group)),
      leave,
    );
    this.#list(led, leave);
    this.version = version;
  }

  #change({ led, unled, version }: Beats, leave: (group: string) => string): void {
    this.#drop(unled, leave);
    this.#list(led, leave);
    this.version = version;
  }

  #drop(groups: readonly string[], leave: (group: string) => string): void {
    for (const group of groups) {
      if (!this.#terms.has(group)) continue;
      leave(group);
      this.#terms.delete(group);
      this.apart.delete(group);
    }
  }

  #list(led: Beats['led'], leave: (group: string) => string): void {
    for (const { group, term } of led) {
      if (this.#terms.get(group) === term) continue;
      const name = leave(group);
      this.#terms.set(name, term);
      this.apart.add(name);
    }
  }
}
