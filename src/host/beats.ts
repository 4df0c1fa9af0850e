import { RaftError, textOf } from '../core/errors.js';
import type { Beats, BeatsReply, RefusedBeat } from '../core/messages.js';
import { decodeBeatsReply } from '../node/decode-groups.js';
import type { Requests } from '../node/requests.js';
import { FollowerHost } from './follower-host.js';
import { LeaderHost } from './leader-host.js';
import { LedGroups } from './led-groups.js';
import type { Seat } from './seat.js';

/** What the beats of a host are made of. */
export interface HostBeatsOptions {
  readonly ip: string;
  /** The ips of the other hosts. */
  readonly others: readonly string[];
  /** Tells this process apart from others of its ip. */
  readonly process: number;
  readonly leaderTimeoutMs: number;
  readonly requests: Requests;
  readonly now: () => number;
  /** By how many ms the time of leases runs ahead of the clock. */
  readonly aheadMs: () => number;
  /** The group of that name, if this host takes part in it. */
  readonly seatOf: (group: string) => Seat | undefined;
  /** Ends the leases that have ended by now, before an answer would lengthen them. */
  readonly endLeases: (now: number) => void;
  /** A core is at fault: the host can not go on. */
  readonly failed: (error: RaftError) => void;
}

/**
 * The beats of all groups between hosts. One message stands for a beat of each group that its sender leads, and one answer
 * for all of theirs, so that quiet groups cost nothing: a core is told the newest of them when something else is about to
 * happen to it, or when its deadline comes.
 *
 * That is as good as telling it each: a beat or an answer of the same term only moves deadlines, the last one furthest. What
 * stands for a group was seen to be accepted by its core once, and nothing else has happened to the core since; when
 * something has, the group is apart until its core has accepted a beat again.
 */
export class HostBeats {
  readonly led: LedGroups = new LedGroups();
  readonly followers: readonly FollowerHost[];
  readonly #leaders: ReadonlyMap<string, LeaderHost>;
  readonly #options: HostBeatsOptions;
  #news = 0;
  #isFlushing = false;

  constructor(options: HostBeatsOptions) {
    this.#options = options;
    this.followers = options.others.map((ip) => new FollowerHost(ip));
    this.#leaders = new Map(options.others.map((ip) => [ip, new LeaderHost(ip)]));
  }

  /** Tells a core what the newest beats and answers stand for; that it refuses what it accepted before is a bug. */
  tell(seat: Seat): void {
    try {
      this.#tell(seat);
    } catch (cause) {
      const message = `a bug: ${seat.name} refuses what it follows, or leads: ${textOf(cause)}`;
      this.#options.failed(new RaftError('INTERNAL', message, { cause }));
    }
  }

  #tell(seat: Seat): void {
    const { core, follows, toldUpTo } = seat;
    if (follows !== null) {
      if (follows.news > toldUpTo) core.receivedBeat(follows.beatOf(seat.name), follows.beatAt);
    } else if (seat.ledVersion > 0) {
      for (const follower of this.followers) {
        if (follower.news <= toldUpTo || follower.apart.has(seat)) continue;
        core.receivedBeatReply(follower.ip, follower.replyOf(core.peers.self.term), follower.answeredAt);
      }
    }
    seat.toldUpTo = this.#news;
  }

  /** When a group that follows can be due at the earliest, if it was told less than it could be; else null. */
  dueOf({ follows, toldUpTo }: Seat, ownTimeoutMs: number): number | null {
    if (follows === null || follows.news <= toldUpTo) return null;
    return follows.beatAt + Math.max(ownTimeoutMs, follows.leaderTimeoutMs);
  }

  /** The core took an input: whom does it follow, what does it lead? */
  changed(seat: Seat): void {
    const { self } = seat.core.peers;
    if (seat.follows !== null && !isFollowing(seat, seat.follows)) {
      seat.follows.apart.add(seat.name);
      seat.follows = null;
    }
    if (seat.ledVersion > 0 && self.state !== 'LEADER') this.unlead(seat);
  }

  /** The core was elected: its first beat goes out at the end of this turn. */
  lead(seat: Seat): void {
    if (seat.ledVersion > 0 || seat.core.peers.self.state !== 'LEADER') return;
    this.led.add(seat);
    for (const { apart } of this.followers) apart.add(seat);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.beat();
    });
  }

  /** It leads no longer, or takes part no longer. */
  unlead(seat: Seat): void {
    this.led.remove(seat);
    for (const { apart } of this.followers) apart.delete(seat);
  }

  /** The group takes part here no longer. */
  drop(seat: Seat): void {
    if (seat.ledVersion > 0) this.unlead(seat);
    seat.follows?.apart.add(seat.name);
    seat.follows = null;
  }

  /** Sends the beats that are due. */
  beat(): void {
    const now = this.#options.now();
    this.#options.endLeases(now);
    if (this.led.size === 0) return;
    for (const follower of this.followers) {
      follower.isAskedAgain = false;
      this.#beatTo(follower, now);
    }
  }

  /**
   * The beats of another host came.
   *
   * @throws RaftError `UNKNOWN_PEER`, `DUPLICATE_PEER`
   */
  async received(beats: Beats): Promise<BeatsReply> {
    const leader = this.#leaderOf(beats.ip);
    const { process } = this.#options;
    const refused: RefusedBeat[] = [];
    // Before this beat has a number: if the clock shows a gain, the cores are told of all that have one.
    const now = this.#options.now();
    const isCurrent = leader.take(beats, (group) => this.#leave(leader, group));
    // While groups are saved the list may go on to another version: this answer is about the one that these beats are of.
    const { version } = leader;
    if (isCurrent) {
      this.#news++;
      leader.accepted(beats, now, this.#news);
      await Promise.all(Array.from(leader.apart, (group) => this.#handIn(leader, group, refused)));
    }
    return { process, sentAt: beats.sentAt, version, refused };
  }

  #leaderOf(ip: string): LeaderHost {
    const leader = this.#leaders.get(ip);
    if (leader !== undefined) return leader;
    if (ip === this.#options.ip)
      throw new RaftError('DUPLICATE_PEER', `another process uses the ip of this host: ${ip}`, { ip });
    throw new RaftError('UNKNOWN_PEER', `can not find peer: ${ip}`, { ip });
  }

  /** The beats to come stand for `group` no longer; those that came did. */
  #leave(leader: LeaderHost, group: string): string {
    const seat = this.#options.seatOf(group);
    if (seat?.follows === leader) {
      this.tell(seat);
      seat.follows = null;
    }
    return seat?.name ?? group;
  }

  /** Hands a beat to the core of a group that does not follow yet. */
  async #handIn(leader: LeaderHost, group: string, refused: RefusedBeat[]): Promise<void> {
    const seat = this.#options.seatOf(group);
    try {
      if (seat === undefined)
        throw new RaftError('UNKNOWN_GROUP', `this host does not take part in ${group}`);
      if (seat.isSaving) throw new RaftError('BUSY', `${group} waits for a save`);
      const beat = leader.beatOf(group);
      await seat.submit((core, now) => core.receivedBeat(beat, now));
      this.#join(leader, seat);
    } catch (error) {
      const { code, term } = error as RaftError;
      refused.push(term === undefined ? { group, code } : { group, code, term });
    }
  }

  /** The core has accepted a beat: those to come stand for it, too. */
  #join(leader: LeaderHost, seat: Seat): void {
    // It may have been left while its save was under way.
    if (this.#options.seatOf(seat.name) !== seat) return;
    if (!isFollowing(seat, leader) || !leader.apart.delete(seat.name)) return;
    seat.follows = leader;
  }

  /** @param now when leases were ended that were over: the clock is not read again before it is sent */
  #beatTo(follower: FollowerHost, now: number): void {
    const { ip, process, leaderTimeoutMs, requests, aheadMs } = this.#options;
    const sentAt = now + aheadMs();
    const beats: Beats = { ip, process, leaderTimeoutMs, sentAt, ...this.led.since(follower.version) };
    const failed = (): void => follower.failed();
    const answered = (raw: unknown): void => {
      const reply = replyTo(beats, raw);
      if (reply === null) failed();
      else this.#answered(follower, beats, reply);
    };
    requests.begin(follower.ip, { type: 'beats', ...beats }, answered, failed);
  }

  #answered(follower: FollowerHost, sent: Beats, reply: BeatsReply): void {
    const now = this.#options.now();
    this.#options.endLeases(now);
    if (follower.answered(reply, sent.version, now)) this.#accepted(follower, sent, reply, now);
    else if (reply.version !== sent.version && !follower.isAskedAgain) {
      follower.isAskedAgain = true;
      this.#beatTo(follower, now);
    }
  }

  #accepted(follower: FollowerHost, sent: Beats, reply: BeatsReply, now: number): void {
    const refused = new Set(reply.refused.map(({ group }) => group));
    for (const group of refused) this.#setApart(follower, group, sent.version);
    this.#news++;
    follower.accepted(sent.sentAt, now, this.#news);
    for (const seat of [...follower.apart]) {
      if (seat.ledVersion === 0 || seat.ledVersion > sent.version || refused.has(seat.name)) continue;
      follower.apart.delete(seat);
      // Whatever comes to its core, the answer comes before it.
      seat.run(nothing);
      // Its first lease may hang on the next answer.
      if (seat.ledVersion > 0 && !seat.core.isLeader(now)) follower.apart.add(seat);
    }
    for (const refusal of reply.refused) this.#refused(follower.ip, sent, refusal);
  }

  /** The answer does not stand for `group`; those before did. */
  #setApart({ apart }: FollowerHost, group: string, version: number): void {
    const seat = this.#options.seatOf(group);
    if (seat === undefined || seat.ledVersion === 0 || seat.ledVersion > version || apart.has(seat)) return;
    this.tell(seat);
    apart.add(seat);
  }

  #refused(by: string, sent: Beats, { group, code, term }: RefusedBeat): void {
    const seat = this.#options.seatOf(group);
    if (seat === undefined || seat.ledVersion === 0 || seat.ledVersion > sent.version) return;
    const error = new RaftError(code, `${by} refuses the beats of ${group}`, { ip: by, term });
    const beat = { type: 'beat', peer: seat.core.peers.self.snapshot(), datums: [] } as const;
    seat.run((core, now) => core.requestFailed(by, beat, error, now));
  }
}

/** Whether the core follows that host in the term of its list. */
function isFollowing({ name, core }: Seat, host: LeaderHost): boolean {
  const { self, leader } = core.peers;
  const isLeader = leader?.ip === host.ip && leader.term === self.term;
  return isLeader && self.state === 'FOLLOWER' && self.term === host.termOf(name);
}

/** The answer to these very beats, or null for whatever else it is. */
function replyTo({ sentAt }: Beats, raw: unknown): BeatsReply | null {
  try {
    const reply = decodeBeatsReply(raw);
    return reply.sentAt === sentAt ? reply : null;
  } catch {
    return null;
  }
}

const nothing = (): void => {};
