import {
  CORE,
  type Defect,
  model,
  NO_VOTE_ASSERTION,
  PEER_SET,
  patch,
  RANKING,
  scenario,
  simulator,
} from './defect.js';

/** Who is elected, and by what (protocol, section 3, pre-vote, vote and transfer). */
export const VOTES: readonly Defect[] = [
  {
    name: 'the vote is cleared within a term',
    patches: [
      NO_VOTE_ASSERTION,
      patch(
        CORE,
        'if (now >= this.#silenceDue()) this.peers.loseLeader();',
        'if (now >= this.#silenceDue()) { this.peers.loseLeader(); this.#self.voteFor = null; }',
      ),
    ],
    foundBy: [simulator(1)],
  },
  {
    name: 'a request of the same term frees the vote',
    patches: [
      patch(
        CORE,
        'if (peer.term > this.#self.term) this.#adopt(peer.term, now);\n    if (compareRevisions',
        'if (peer.term >= this.#self.term) this.#adopt(peer.term, now);\n    if (compareRevisions',
      ),
    ],
    foundBy: [model()],
  },
  {
    name: 'a second vote in one term',
    patches: [
      patch(CORE, 'if (voteFor !== null && voteFor !== peer.ip) return this.#voteReply(false, now);', ''),
    ],
    foundBy: [model()],
  },
  {
    name: 'half of the voters are a majority',
    patches: [
      patch(
        PEER_SET,
        'return Math.floor(this.voters.length / 2) + 1;',
        'return Math.floor(this.voters.length / 2);',
      ),
    ],
    foundBy: [model()],
  },
  {
    name: 'a repeated reply counts twice',
    patches: [
      patch(
        PEER_SET,
        'this.#votes.add(reply.ip);',
        'this.#votes.add(reply.ip + (this.#votes.has(reply.ip) ? this.#votes.size : ""));',
      ),
    ],
    foundBy: [scenario('repeated-vote-rival')],
  },
  {
    name: 'a reply of an earlier term counts',
    patches: [
      patch(PEER_SET, 'reply.term !== self.term || reply.voteFor !== self.ip', 'reply.voteFor !== self.ip'),
    ],
    foundBy: [simulator(31), model({ keepDead: true }), scenario('late-votes')],
  },
  {
    name: 'a late majority of a closed pre-vote round counts',
    patches: [
      patch(
        CORE,
        "this.peers.become('FOLLOWER');\n    this.#round = null;\n    const promisedMs",
        "this.peers.become('FOLLOWER');\n    const promisedMs",
      ),
    ],
    foundBy: [simulator(254), model()],
  },
  {
    name: 'a late grant counts after stepping down',
    patches: [
      patch(
        PEER_SET,
        "if (self.state !== 'CANDIDATE' || reply.term",
        "if (self.state === 'LEADER' || reply.term",
      ),
      patch(PEER_SET, 'this.#votes = null;\n    this.loseLeader();', 'this.loseLeader();'),
    ],
    foundBy: [simulator(11), model({ keepDead: true })],
  },
  {
    name: 'the term of a pre-vote request is adopted',
    patches: [
      patch(
        CORE,
        'return this.#voteReply(granted, now, refusedForMs, round);',
        'if (granted) this.#adopt(peer.term, now);\n    return this.#voteReply(granted, now, refusedForMs, round);',
      ),
    ],
    foundBy: [simulator(1)],
  },
  {
    name: 'an election is tried again before its answers can come',
    patches: [
      patch(
        RANKING,
        'return now + this.#timing.requestTimeoutMs + this.#random() * this.#timing.randomMs;',
        'return now + this.#timing.requestTimeoutMs / 10;',
      ),
    ],
    foundBy: [simulator(1, { leaderTimeoutMs: 2_000, latencyMs: 25 })],
  },
  {
    name: 'a beat rewrites a vote already given',
    patches: [
      NO_VOTE_ASSERTION,
      patch(CORE, 'this.#self.voteFor ??= peer.ip;', 'this.#self.voteFor = peer.ip;'),
    ],
    foundBy: [simulator(5), model()],
  },
  {
    name: 'a won election is announced without a lease',
    patches: [
      patch(
        CORE,
        'this.#beat(now);\n    this.#leadOnceLeased(now);',
        'this.#beat(now);\n    this.peers.announceLeader();',
      ),
    ],
    foundBy: [simulator(1), scenario('no-lease-gained')],
  },
  {
    name: 'a late transfer order is obeyed',
    patches: [patch(CORE, 'if (peer.term === term && state', 'if (peer.term <= term && state')],
    foundBy: [simulator(65), model({ terms: 3, transfers: 1 }), scenario('late-order')],
  },
  {
    name: 'transfer: true on a later term',
    patches: [
      patch(CORE, 'this.#campaign(at, true);', 'this.ordered = true; this.#campaign(at, true);'),
      patch(
        CORE,
        'if (round.grants.size >= this.peers.majorityCount()) this.#campaign(now, false);',
        'if (round.grants.size >= this.peers.majorityCount()) this.#campaign(now, this.ordered === true);',
      ),
    ],
    foundBy: [simulator(2)],
  },
  {
    name: 'a vote of an ordinary election claims to be a transfer',
    patches: [
      patch(
        CORE,
        'if (round.grants.size >= this.peers.majorityCount()) this.#campaign(now, false);',
        'if (round.grants.size >= this.peers.majorityCount()) this.#campaign(now, true);',
      ),
    ],
    foundBy: [model()],
  },
];
