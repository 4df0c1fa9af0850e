import { Emitter } from '../core/emitter.js';
import { RaftError } from '../core/errors.js';
import type { MakeLeaderEvent, RaftEvents } from '../core/events.js';
import type { PeerSnapshot, PeerState } from '../core/peer.js';
import { type LeaderContext, Leading, type WaitOptions } from '../node/leading.js';
import type { Seat, SeatEvent } from './seat.js';

/** What a group needs of its host. */
export interface GroupHost {
  readonly ip: string;
  /** Takes the group out of the host. */
  readonly leave: (group: RaftGroup) => Promise<void>;
  /** Told of each event, before the listeners of the group. */
  readonly told: (group: RaftGroup, event: SeatEvent) => void;
}

/**
 * One of the groups of a `RaftHost`, as this host takes part in it. Exactly one host at a time leads it: what is said of
 * `RaftNode` holds for each group.
 */
export class RaftGroup extends Emitter<RaftEvents> {
  /** The name, the same on all hosts. */
  readonly name: string;
  /** @internal Whether a majority of hosts that know nothing of it may begin. */
  readonly bootstrap: boolean;
  readonly #host: GroupHost;
  #seat: Seat | null = null;
  #knownLeader: PeerSnapshot | null = null;
  /** Made when somebody waits. */
  #leading: Leading | null = null;

  /** @internal */
  constructor(name: string, bootstrap: boolean, host: GroupHost) {
    super();
    this.name = name;
    this.bootstrap = bootstrap;
    this.#host = host;
  }

  /** This peer's state. LEADER alone does not mean that it may act as one: ask `isLeader()`. FOLLOWER while the host is stopped. */
  get state(): PeerState {
    return this.#seat?.core.peers.self.state ?? 'FOLLOWER';
  }

  /** This peer's term; 0 while the host is stopped. */
  get term(): number {
    return this.#seat?.core.peers.self.term ?? 0;
  }

  /** The leader that was announced last, or null when it is lost. */
  get leader(): PeerSnapshot | null {
    return this.#knownLeader?.ip === this.#host.ip && !this.isLeader() ? null : this.#knownLeader;
  }

  /** The term of this host's leadership while it leads the group, else null. Terms of leaders never repeat and never decrease. */
  get fencingToken(): number | null {
    return this.isLeader() ? this.term : null;
  }

  /** Whether this host leads the group, computed from the clock at the call, as `RaftNode.isLeader`. */
  isLeader(): boolean {
    if (this.#seat?.isLeader() === true) return true;
    this.#leading?.over();
    return false;
  }

  /**
   * Resolves with the leader, as soon as one is known.
   *
   * @throws RaftError `ABORTED` by the signal, `NOT_RUNNING` when the host is stopped, or leaves the group, meanwhile
   */
  async waitForLeader({ signal }: WaitOptions = {}): Promise<PeerSnapshot> {
    return this.leader ?? this.#waiters.nextLeader(signal);
  }

  /**
   * Runs `job` whenever this host leads the group, once for each leadership and never twice at a time; its signal is
   * aborted the moment the lease is gone. Resolves when the host is stopped or leaves the group, or by `signal`.
   *
   * @throws what `job` throws while it leads; what it throws later is reported by an `error` event, unless it is the
   * reason of the signal
   */
  async whileLeader(job: (context: LeaderContext) => unknown, options: WaitOptions = {}): Promise<void> {
    return this.#waiters.whileLeader(job, options);
  }

  /**
   * Resolves as soon as this host leads the group: `const { signal, fencingToken } = await group.elect()`. The signal is
   * aborted the moment it leads no longer; ask again to lead again.
   *
   * @throws RaftError `ABORTED` by the signal, `NOT_RUNNING` when the host is stopped, or leaves the group, meanwhile
   */
  async elect({ signal }: WaitOptions = {}): Promise<LeaderContext> {
    return this.#waiters.leadership(signal);
  }

  /**
   * Gives up leadership and orders another voter to take over: `to`, or the one that heard of this host last.
   *
   * @returns the ip of the host that was ordered
   * @throws RaftError `NOT_LEADER`, `BAD_TARGET` (oneself, an unknown host, an observer, one of priority 0, a cluster of
   * one), `NOT_RUNNING`: nothing changed
   */
  async resign(to?: string): Promise<string> {
    if (this.#seat === null) throw notRunning();
    return this.#seat.submit((core, now) => core.resign(now, to));
  }

  /**
   * Has this host take part no longer; gives up leadership first. What the store holds of the group stays there, for
   * `RaftHost.group` may begin anew. Safe to call again.
   */
  leave(): Promise<void> {
    return this.#host.leave(this);
  }

  /** @internal Told by the host: the seat that it takes, or null when it takes part no longer. */
  seated(seat: Seat | null): void {
    this.#seat = seat;
    if (seat === null) this.#knownLeader = null;
  }

  /** @internal Told by the host that stops, or leaves the group: nobody waits any longer. */
  stopped(): void {
    this.#leading?.stopped();
  }

  /** @internal The host looks at its clock: a leadership may be over. */
  checkLeadership(): void {
    if (this.#leading !== null) this.isLeader();
  }

  /** @internal Told by the seat: what all depends on is done. */
  tell(events: readonly SeatEvent[]): void {
    for (const event of events) this.#tell(event);
  }

  #tell(told: SeatEvent): void {
    const { name, event } = told;
    if (name === 'leaderLost') {
      this.#knownLeader = null;
      this.#leading?.over();
    } else if (name === 'makeLeader') {
      const { leader } = event as MakeLeaderEvent;
      this.#knownLeader = leader;
      this.#leading?.made(leader, leader.ip === this.#host.ip && this.isLeader());
    }
    this.#host.told(this, told);
    (this.emit as (name: string, event: unknown) => boolean).call(this, name, event);
  }

  get #waiters(): Leading {
    if (this.#leading !== null) return this.#leading;
    this.#leading = new Leading(this);
    // One that leads already: its leadership began before anybody waited.
    const { leader } = this;
    if (leader?.ip === this.#host.ip) this.#leading.made(leader, true);
    return this.#leading;
  }
}

function notRunning(): RaftError {
  return new RaftError('NOT_RUNNING', 'the host of this group is not running');
}
