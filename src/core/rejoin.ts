import type { PeerReply } from './messages.js';
import type { RaftPeerSet } from './peer-set.js';

/** How a peer with an empty store decides that it knows enough to take part. */
export interface RejoinRules {
  /** Whom to ask, and how many voters there are. */
  readonly peers: RaftPeerSet;
  /** Wait for all others, whatever they hold. */
  readonly strict: boolean;
  /** The operator's word that this is a new cluster. */
  readonly bootstrap: boolean;
}

/**
 * A peer whose store is empty cannot know how it voted or what it promised. Until it has heard enough of the others it
 * takes part in nothing (section 3, empty store).
 */
export class Rejoin {
  /** Drawn at each start: answers to an earlier process of this ip do not count. */
  readonly id: number;
  readonly #rules: RejoinRules;
  readonly #answers = new Map<string, PeerReply>();
  /** When to ask next, in ms. */
  askDue: number = Number.NEGATIVE_INFINITY;

  constructor(id: number, rules: RejoinRules) {
    this.id = id;
    this.#rules = rules;
  }

  /** Whom to ask (again): those that have not told of a store that holds something. */
  get unsettled(): readonly string[] {
    return this.#rules.peers.otherVoters.filter((ip) => this.#answers.get(ip)?.empty !== false);
  }

  /** Takes an answer; one to another process, of no voter, or overtaken by a newer one does not count. */
  answered(from: string, reply: PeerReply): void {
    if (reply.id !== this.id || !this.#rules.peers.otherVoters.includes(from)) return;
    const known = this.#answers.get(from);
    if (known === undefined || (reply.term >= known.term && known.empty !== false) || reply.term > known.term)
      this.#answers.set(from, reply);
  }

  /** Whether the answers suffice; the start wait must be over besides. */
  get suffices(): boolean {
    const { peers, strict, bootstrap } = this.#rules;
    if (this.#answers.size === peers.otherVoters.length) return true;
    if (strict) return false;
    const answers = [...this.#answers.values()];
    const settled = answers.filter((reply) => reply.empty === false).length;
    if (settled >= peers.voters.length - peers.majorityCount() + 1) return true;
    // Of a new cluster, peers that began a moment ago are still at term 0: nobody was elected yet.
    const isNew = answers.every((reply) => reply.empty !== false || reply.term === 0);
    return bootstrap && isNew && answers.length + 1 >= peers.majorityCount();
  }

  /** The highest term that the others know of. */
  get highestTerm(): number {
    return Math.max(0, ...[...this.#answers.values()].map((reply) => reply.term));
  }

  /**
   * The longest promise in ms that the others know of. A leader of a larger L may still count on one that this peer has
   * forgotten: of those who made that leader's majority, at least one is among the peers that answered.
   */
  get longestPromiseMs(): number {
    return Math.max(0, ...[...this.#answers.values()].map((reply) => reply.promisedMs ?? 0));
  }
}
