import type { PeerReply } from './messages.js';
import type { RaftPeerSet } from './peer-set.js';
import type { Timing } from './timing.js';

/** How a peer with an empty store decides that it knows enough to take part. */
export interface RejoinRules {
  /** Whom to ask, and how many voters there are. */
  readonly peers: RaftPeerSet;
  readonly timing: Timing;
  /** Wait for all others, whatever they hold. */
  readonly strict: boolean;
  /** The operator's word that this is a new cluster. */
  readonly bootstrap: boolean;
  /** Whether the cluster may hold data: then a peer that cannot be sure that there is none learns only. */
  readonly hasRegistry: boolean;
}

/**
 * A peer whose store is empty cannot know how it voted or what it promised. Until it has heard enough of the others it
 * takes part in nothing (section 3, empty store).
 *
 * It asks only when its start wait is over. An answer that is older may come before a vote request that was under way
 * when this peer lost its store: with such answers two leaders of one term were seen.
 */
export class Rejoin {
  /** Drawn at each start: answers to an earlier process of this ip do not count. */
  readonly id: number;
  readonly #rules: RejoinRules;
  readonly #answers = new Map<string, PeerReply>();
  /** One that told of a store that holds something: in a cluster with a registry, this peer can only learn. */
  #witness: PeerReply | null = null;
  #startedAt = Number.NEGATIVE_INFINITY;
  #askDue = Number.NEGATIVE_INFINITY;

  constructor(id: number, rules: RejoinRules) {
    this.id = id;
    this.#rules = rules;
  }

  /** Starts the start wait. */
  start(now: number): void {
    const { peers, timing } = this.#rules;
    this.#startedAt = now;
    this.#askDue = peers.isAlone ? now : now + timing.leaderTimeoutMs;
  }

  /** When something is to be done next. */
  get due(): number {
    return this.#suffices() ? this.#recoverDue() : this.#askDue;
  }

  /** Whom to ask at `now`: those that have not told of a store that holds something. */
  questions(now: number): readonly string[] {
    if (now < this.due) return [];
    this.#askDue = now + this.#rules.timing.requestTimeoutMs;
    return this.#rules.peers.otherVoters.filter((ip) => this.#answers.get(ip)?.empty !== false);
  }

  /** Takes an answer; one to another process, of no voter, or overtaken by a newer one does not count. */
  answered(from: string, reply: PeerReply): void {
    if (reply.id !== this.id) return;
    if (this.#rules.hasRegistry && reply.empty === false && reply.founder !== true) this.#witness = reply;
    if (!this.#rules.peers.otherVoters.includes(from)) return;
    const known = this.#answers.get(from);
    const isNewer =
      known === undefined || reply.term > known.term || (reply.term === known.term && known.empty !== false);
    if (isNewer) this.#answers.set(from, reply);
  }

  /** Whether this peer may take part from `now` on. */
  recovers(now: number): boolean {
    return this.#witness !== null || (this.#suffices() && now >= this.#recoverDue());
  }

  /** The highest term that the others know of. */
  get highestTerm(): number {
    return Math.max(0, this.#witness?.term ?? 0, ...this.#replies().map((reply) => reply.term));
  }

  /** The longest promise in ms that the others know of. */
  get longestPromiseMs(): number {
    return Math.max(0, ...this.#replies().map((reply) => reply.promisedMs ?? 0));
  }

  /**
   * Whether this peer has recovered to learn only (section 4, members): its cluster may hold data that it has lost. It is
   * sure of a new cluster when all others were empty as well, or began it together with this very process, which has taken
   * part in nothing since.
   */
  get learnsOnly(): boolean {
    const { peers, hasRegistry } = this.#rules;
    return hasRegistry && (this.#witness !== null || peers.voters.length === 0);
  }

  /** The ids of those that were empty as well. */
  get founders(): readonly number[] {
    const ids = this.#replies().flatMap(({ rejoinId }) => (rejoinId === undefined ? [] : [rejoinId]));
    return [...ids]; // A copy is no longer than it must be: peers keep it.
  }

  /**
   * The start wait cannot come from a store that is empty. A leader of a larger L may count on a promise that this peer
   * has forgotten: of those who made that leader's majority, at least one is among the peers that answered.
   */
  #recoverDue(): number {
    const { peers, timing } = this.#rules;
    if (peers.isAlone) return this.#startedAt;
    return this.#startedAt + Math.max(timing.leaderTimeoutMs, this.longestPromiseMs);
  }

  #suffices(): boolean {
    const { peers, strict, bootstrap } = this.#rules;
    if (this.#answers.size === peers.otherVoters.length) return true;
    if (strict) return false;
    const empty = this.#replies().filter((reply) => reply.empty !== false).length;
    if (this.#answers.size - empty >= peers.voters.length - peers.majorityCount() + 1) return true;
    return bootstrap && empty + 1 >= peers.majorityCount();
  }

  #replies(): readonly PeerReply[] {
    return [...this.#answers.values()];
  }
}
