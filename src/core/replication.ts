import type { Datums } from './datums.js';
import { type BeatData, type BeatDataReply, NO_REVISION, type Revision } from './messages.js';

/** How far one follower is, as its leader knows it. */
interface Progress {
  /** Up to which seq it holds what the leader holds; only grows, while it is the same peer. */
  match: number;
  /** Behind which seq to go on sending. */
  from: number;
  /** Until when batches that were sent are taken to be under way. */
  busyUntil: number;
  /** Whether it only learns: then it counts for nothing. */
  isLearner: boolean;
}

/** Who gets the same message. */
export interface Addressed {
  readonly to: readonly string[];
  readonly data: BeatData;
}

/** What it takes to be a leader (section 4, the leader on answers; commit): how far each follower is, and what to send it. */
export class Replication {
  readonly #datums: Datums;
  readonly #maxMessageSize: number;
  readonly #roundTripMs: number;
  readonly #progress = new Map<string, Progress>();

  /**
   * @param maxMessageSize how many characters of batches go into one message
   * @param roundTripMs after how many ms without an answer batches are sent again
   */
  constructor(datums: Datums, maxMessageSize: number, roundTripMs: number) {
    this.#datums = datums;
    this.#maxMessageSize = maxMessageSize;
    this.#roundTripMs = roundTripMs;
  }

  /** A leadership begins: nothing is known of anybody. */
  begin(): void {
    this.#progress.clear();
  }

  /** What to send to each of `followers` at `now`: to all of them if it is a beat, else to those that lack something. */
  messages(followers: readonly string[], isBeat: boolean, now: number): readonly Addressed[] {
    const groups = new Map<string, { readonly to: string[]; readonly data: BeatData }>();
    for (const ip of followers) {
      const progress = this.#of(ip);
      const brings = progress.from < this.#datums.last.seq && now >= progress.busyUntil;
      if (!isBeat && !(brings && this.#reaches(progress))) continue;
      const key = brings ? `${progress.from}` : `beat ${progress.match}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { to: [ip], data: this.#data(progress, brings) });
      else group.to.push(ip);
      if (brings && this.#reaches(progress)) progress.busyUntil = now + this.#roundTripMs;
    }
    return [...groups.values()];
  }

  /** Takes the answer of `ip` to a message of this term. */
  answered(ip: string, { ok, match, base, last }: BeatDataReply, isLearner: boolean): void {
    const progress = this.#of(ip);
    // What one of them holds, a peer before the loss of its disk and the learner after it, the other need not.
    if (progress.isLearner !== isLearner) progress.match = 0;
    progress.isLearner = isLearner;
    if (!ok) {
      const known = this.#datums.holds(last) ? last : base;
      progress.from = Math.max(progress.match, Math.min(known.seq, this.#datums.last.seq));
      progress.busyUntil = IDLE;
    } else if (match.seq <= this.#datums.base.seq || this.#datums.holds(match)) {
      progress.match = Math.max(progress.match, match.seq);
      // An answer to a beat that brought nothing tells nothing of the batches under way.
      if (match.seq > progress.from) progress.busyUntil = IDLE;
      progress.from = Math.max(progress.from, match.seq);
    }
  }

  /** `ip` did not answer. */
  failed(ip: string): void {
    this.#of(ip).busyUntil = IDLE;
  }

  /** How far `ip` is known to hold what the leader holds. */
  match(ip: string): number {
    return this.#progress.get(ip)?.match ?? 0;
  }

  /** Whether `ip` only learns, as far as it has told. */
  isLearner(ip: string): boolean {
    return this.#progress.get(ip)?.isLearner === true;
  }

  /** The highest seq that a majority of `voters` holds, `self` counting with what it has saved, if it votes. */
  majorityMatch(voters: readonly string[], self: string, saved: number): number {
    const matches = voters.map((ip) => (ip === self ? saved : this.#counted(ip))).sort((a, b) => b - a);
    return matches[Math.floor(voters.length / 2)] ?? 0;
  }

  #counted(ip: string): number {
    const progress = this.#progress.get(ip);
    return progress === undefined || progress.isLearner ? 0 : progress.match;
  }

  #of(ip: string): Progress {
    let progress = this.#progress.get(ip);
    if (progress === undefined) {
      progress = {
        match: 0,
        from: Math.max(0, this.#datums.last.seq - 1),
        busyUntil: IDLE,
        isLearner: false,
      };
      this.#progress.set(ip, progress);
    }
    return progress;
  }

  /** Whether history still reaches where this follower is. */
  #reaches({ from }: Progress): boolean {
    return from >= this.#datums.since.seq;
  }

  #data(progress: Progress, brings: boolean): BeatData {
    const committed = this.#datums.base;
    const { membersRevision } = this.#datums;
    if (!this.#reaches(progress))
      return { prev: NO_REVISION, batches: [], committed, membersRevision, catchUp: committed };
    const prev = this.#revisionAt(brings ? progress.from : progress.match);
    const batches = brings ? this.#datums.after(progress.from, this.#maxMessageSize) : [];
    return { prev, batches, committed, membersRevision };
  }

  /** A follower takes a `prev` that is older than its base for its base, so one that is forgotten need not be named. */
  #revisionAt(seq: number): Revision {
    return this.#datums.at(seq) ?? NO_REVISION;
  }
}

const IDLE = Number.NEGATIVE_INFINITY;
