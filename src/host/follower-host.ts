import type { BeatReply, BeatsReply } from '../core/messages.js';
import type { Seat } from './seat.js';

/** Another host as a follower of groups that are led here: what it acknowledged. */
export class FollowerHost {
  readonly ip: string;
  /** Groups that are led here, and for which it has not acknowledged the newest beat. */
  readonly apart: Set<Seat> = new Set();
  /** The version of the list of led groups that it holds. */
  version = 0;
  /** When the newest beat that it acknowledged was sent, in the time of leases; and when the answer came. */
  sentAt: number = Number.NEGATIVE_INFINITY;
  answeredAt: number = Number.NEGATIVE_INFINITY;
  /** The number of that answer among all news of other hosts. */
  news = 0;
  /** Since when it has answered each beat; infinity when it did not answer the last one. */
  upSince: number = Number.POSITIVE_INFINITY;
  /** Whether it was sent its beat a second time, for the list that it holds was not the one expected. */
  isAskedAgain = false;
  #process = -1;

  constructor(ip: string) {
    this.ip = ip;
  }

  /**
   * It answered at `now`; whether that counts: it holds the list that the beats stood for, and acknowledged none that was
   * sent later.
   */
  answered({ process, sentAt, version }: BeatsReply, sentVersion: number, now: number): boolean {
    if (process === this.#process && sentAt < this.sentAt) return false;
    this.#process = process;
    this.version = version;
    this.upSince = Math.min(this.upSince, now);
    return version === sentVersion && sentAt >= this.sentAt;
  }

  /** Its answer counts for all groups that are not apart. */
  accepted(sentAt: number, at: number, news: number): void {
    this.sentAt = sentAt;
    this.answeredAt = at;
    this.news = news;
  }

  /** Whether it has answered each beat for 2 L; one that was sent none for L may be gone. */
  isSteady(now: number, leaderTimeoutMs: number): boolean {
    return this.upSince <= now - 2 * leaderTimeoutMs && this.answeredAt > now - leaderTimeoutMs;
  }

  /** It did not answer. */
  failed(): void {
    this.upSince = Number.POSITIVE_INFINITY;
  }

  /** Its newest answer, as that of one group. */
  replyOf(term: number): BeatReply {
    const { ip, sentAt } = this;
    const state = 'FOLLOWER';
    return { ip, voteFor: null, term, leaderDueMs: 0, heartbeatDueMs: 0, state, requestTerm: term, sentAt };
  }
}
