/** A change of one place of `src`: `find` must occur exactly once in `file`. */
export interface Patch {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/**
 * What finds a defect. `simulator`: the first seed that did, when `find.ts` ran them from 1 on. `scenario`: a test that
 * fails, by its file and name. `none`: not seen to be
 * found here.
 */
export type FoundBy =
  | { readonly by: 'simulator'; readonly seed: number }
  | { readonly by: 'scenario'; readonly test: string }
  | { readonly by: 'none' };

/** A fault put into the code on purpose. */
export interface Defect {
  readonly name: string;
  readonly foundBy: FoundBy;
  readonly patches: readonly Patch[];
}

const CORE = 'core/core.ts';
const LEASE = 'core/lease.ts';
const SET = 'core/peer-set.ts';
const RULES = 'core/rules.ts';
const RANKING = 'core/ranking.ts';
const REJOIN = 'core/rejoin.ts';
const DRIVER = 'node/driver.ts';

function patch(file: string, find: string, replace: string): Patch {
  return { file, find, replace };
}

/** Without it an assertion would find at once what is to be found from outside. */
const NO_VOTE_ASSERTION: Patch = patch(
  CORE,
  `term > last.term ||\n        last.voteFor === null ||`,
  'true ||',
);

/** Each of these must be found, by the simulator, by the model checker or by a directed scenario. */
export const DEFECTS: readonly Defect[] = [
  {
    name: 'D1: a higher term in a beat is not adopted',
    foundBy: { by: 'simulator', seed: 1 },
    patches: [
      patch(
        CORE,
        'if (peer.term > this.#self.term && rules.adoptsHigherTerms) this.#adopt(peer.term, now);',
        '',
      ),
    ],
  },
  {
    name: 'D2: any vote counts, of any term, for whomever it was',
    foundBy: { by: 'simulator', seed: 1 },
    patches: [
      patch(
        SET,
        "self.state !== 'CANDIDATE' || reply.term !== self.term || reply.voteFor !== self.ip",
        "self.state !== 'CANDIDATE' || reply.voteFor === null",
      ),
      patch(CORE, 'if (reply.granted) this.#decide(', 'if (true) this.#decide('),
    ],
  },
  {
    name: 'D3: a leader leads for ever',
    foundBy: { by: 'simulator', seed: 1 },
    patches: [
      patch(
        RULES,
        'adoptsHigherTerms: true,\n    leases: true',
        'adoptsHigherTerms: true,\n    leases: false',
      ),
    ],
  },
  {
    name: 'D4: term and vote are not saved',
    foundBy: { by: 'simulator', seed: 1 },
    patches: [
      patch(DRIVER, 'await this.#save(output.state);', 'this.#core.saved(output.state, this.#now());'),
    ],
  },
  {
    name: 'D5: a beat rewrites votes, and two leaders of one term are both followed',
    foundBy: { by: 'simulator', seed: 4 },
    patches: [
      patch(RULES, 'leases: true,\n    oneLeaderPerTerm: true', 'leases: true,\n    oneLeaderPerTerm: false'),
    ],
  },
  {
    name: 'D6: a message of a stranger is taken',
    foundBy: { by: 'simulator', seed: 4 },
    patches: [
      patch(
        CORE,
        "if (!this.peers.contains(ip)) throw this.#refusal('UNKNOWN_PEER'",
        "if (!this.peers.contains(ip) && false) throw this.#refusal('UNKNOWN_PEER'",
      ),
    ],
  },
  {
    name: 'D7: the voter acts as the original does',
    foundBy: { by: 'simulator', seed: 1 },
    patches: [
      patch(
        RULES,
        'oneLeaderPerTerm: true,\n    grantsUnspentVotes: true',
        'oneLeaderPerTerm: true,\n    grantsUnspentVotes: false',
      ),
    ],
  },
  {
    name: 'D10: no pre-vote',
    foundBy: { by: 'simulator', seed: 1 },
    patches: [patch(CORE, 'else this.#openRound(now);', 'else this.#campaign(now, false);')],
  },
  {
    name: 'the vote is cleared within a term',
    foundBy: { by: 'simulator', seed: 1 },
    patches: [
      NO_VOTE_ASSERTION,
      patch(
        CORE,
        'if (now >= this.#silenceDue()) this.peers.loseLeader();',
        'if (now >= this.#silenceDue()) { this.peers.loseLeader(); this.#self.voteFor = null; }',
      ),
    ],
  },
  {
    name: 'a repeated reply counts twice',
    foundBy: { by: 'scenario', test: 'test/core/differences.test.ts: a repeated reply counts once' },
    patches: [
      patch(
        SET,
        'this.#votes.add(reply.ip);',
        'this.#votes.add(reply.ip + (this.#votes.has(reply.ip) ? this.#votes.size : ""));',
      ),
    ],
  },
  {
    name: 'a reply of an earlier term counts',
    foundBy: { by: 'simulator', seed: 5 },
    patches: [
      patch(SET, 'reply.term !== self.term || reply.voteFor !== self.ip', 'reply.voteFor !== self.ip'),
    ],
  },
  {
    name: 'a late majority of a closed pre-vote round counts',
    foundBy: { by: 'simulator', seed: 111 },
    patches: [
      patch(
        CORE,
        "this.peers.become('FOLLOWER');\n    this.#round = null;\n    const promisedMs",
        "this.peers.become('FOLLOWER');\n    const promisedMs",
      ),
    ],
  },
  {
    name: 'a late grant counts after stepping down',
    foundBy: { by: 'simulator', seed: 11 },
    patches: [
      patch(SET, "if (self.state !== 'CANDIDATE' || reply.term", "if (self.state === 'LEADER' || reply.term"),
    ],
  },
  {
    name: 'acknowledgements of an older term count',
    foundBy: {
      by: 'scenario',
      test: 'test/core/lease.test.ts: an acknowledgement of a beat of another term, of one not yet sent, or of none does not count',
    },
    patches: [patch(CORE, ' && reply.requestTerm === this.#self.term', '')],
  },
  {
    name: 'the lease counts from the arrival of the answer',
    foundBy: { by: 'simulator', seed: 54 },
    patches: [
      patch(
        CORE,
        'this.#lease.acknowledged(from, sentAt, now)',
        'this.#lease.acknowledged(from, this.#lease.timeOf(now), now)',
      ),
    ],
  },
  {
    name: 'the lease table is kept at election',
    foundBy: {
      by: 'scenario',
      test: 'test/core/lease.test.ts: … nor do they make a majority together with one of the new leadership',
    },
    patches: [
      patch(
        LEASE,
        'this.#sentAt = new Float64Array(voters.length).fill',
        'if (this.#sentAt.length !== voters.length) this.#sentAt = new Float64Array(voters.length).fill',
      ),
    ],
  },
  {
    name: 'isLeader is true again after its end',
    foundBy: { by: 'simulator', seed: 1 },
    patches: [
      patch(
        LEASE,
        'if (!this.#isGained || this.#isOver) return false;',
        'if (!this.#isGained) return false;',
      ),
      patch(
        LEASE,
        'if (this.#isOver) return Number.NEGATIVE_INFINITY;\n    return this.#isGained ? this.#end - this.#aheadMs :',
        'return this.#isGained ? Number.POSITIVE_INFINITY :',
      ),
    ],
  },
  {
    name: 'the lease is kept during a transfer',
    foundBy: { by: 'simulator', seed: 1 },
    patches: [patch(CORE, 'this.#stepDown(at);\n      this.#makeWay(at);', 'this.#makeWay(at);')],
  },
  {
    name: 'a late transfer order is obeyed',
    foundBy: { by: 'simulator', seed: 11 },
    patches: [patch(CORE, 'if (peer.term === term && state', 'if (peer.term <= term && state')],
  },
  {
    name: 'transfer: true on a later term',
    foundBy: { by: 'simulator', seed: 2 },
    patches: [
      patch(CORE, 'this.#campaign(at, true);', 'this.ordered = true; this.#campaign(at, true);'),
      patch(
        CORE,
        'if (round.grants.size >= this.peers.majorityCount()) this.#campaign(now, false);',
        'if (round.grants.size >= this.peers.majorityCount()) this.#campaign(now, this.ordered === true);',
      ),
    ],
  },
  {
    name: 'a vote of a higher term is granted during a promise',
    foundBy: { by: 'simulator', seed: 5 },
    patches: [
      patch(
        CORE,
        'if (refusedForMs > 0) return {',
        'if (refusedForMs > 0 && peer.term <= this.#self.term) return {',
      ),
    ],
  },
  {
    name: 'the promise is dropped when a term is adopted',
    foundBy: { by: 'simulator', seed: 11 },
    patches: [
      patch(
        CORE,
        'this.#round = null;\n    this.peers.adopt(term);',
        'this.#round = null;\n    this.#promise.until = Number.NEGATIVE_INFINITY;\n    this.peers.adopt(term);',
      ),
    ],
  },
  {
    name: 'no start wait: the promise is dropped at a restart',
    foundBy: { by: 'simulator', seed: 1 },
    patches: [
      patch(
        CORE,
        'if (!this.peers.isAlone) this.#promise.until = now + Math.max(leaderTimeoutMs, this.#durable.promisedMs);',
        '',
      ),
    ],
  },
  {
    name: 'a leader votes within its lease',
    foundBy: { by: 'simulator', seed: 10 },
    patches: [patch(LEASE, 'if (leaseLeftMs > 0) return false;', '')],
  },
  {
    name: 'the term of a pre-vote request is adopted',
    foundBy: { by: 'simulator', seed: 1 },
    patches: [
      patch(
        CORE,
        'const reply = { ...this.#voteReply(granted, now), round };',
        'if (granted) this.#adopt(peer.term, now);\n    const reply = { ...this.#voteReply(granted, now), round };',
      ),
    ],
  },
  {
    name: 'of two Ls the own one counts, not the greater',
    foundBy: { by: 'simulator', seed: 13 },
    patches: [
      patch(
        CORE,
        'const promisedMs = Math.max(this.timing.leaderTimeoutMs, leaderTimeoutMs);',
        'const promisedMs = this.timing.leaderTimeoutMs;',
      ),
    ],
  },
  {
    name: 'an election is tried again before its answers can come',
    foundBy: { by: 'none' },
    patches: [
      patch(
        RANKING,
        'return now + this.#timing.requestTimeoutMs + this.#random() * this.#timing.randomMs;',
        'return now + 1;',
      ),
    ],
  },
  {
    name: 'a restart forgets the largest L promised',
    foundBy: { by: 'simulator', seed: 27 },
    patches: [
      patch(CORE, 'now + Math.max(leaderTimeoutMs, this.#durable.promisedMs);', 'now + leaderTimeoutMs;'),
    ],
  },
  {
    name: 'a beat rewrites a vote already given',
    foundBy: { by: 'simulator', seed: 3 },
    patches: [
      NO_VOTE_ASSERTION,
      patch(CORE, 'this.#self.voteFor ??= peer.ip;', 'this.#self.voteFor = peer.ip;'),
    ],
  },
  {
    name: 'a jump of the wall clock ends the promise',
    foundBy: { by: 'simulator', seed: 41 },
    patches: [patch(CORE, 'this.#lease.age(ms);', 'this.#lease.age(ms);\n    this.#promise.until -= ms;')],
  },
  {
    name: 'a wiped store votes at once',
    foundBy: { by: 'simulator', seed: 31 },
    patches: [
      patch(
        CORE,
        'if (stored === null && this.peers.rules.promises) this.#rejoin',
        'if (stored === null && false) this.#rejoin',
      ),
    ],
  },
  {
    name: 'a wiped store accepts beats before it has recovered',
    foundBy: { by: 'simulator', seed: 3 },
    patches: [patch(CORE, 'this.#checkRejoined();\n      this.#checkLeaderClaim', 'this.#checkLeaderClaim')],
  },
  {
    name: "a wiped store takes a plain majority's word",
    foundBy: {
      by: 'scenario',
      test: 'test/core/empty-store.test.ts: the word of a plain majority is not enough, nor an answer to an earlier process, nor an observer’s',
    },
    patches: [
      patch(REJOIN, 'peers.voters.length - peers.majorityCount() + 1)', 'peers.majorityCount() - 1)'),
    ],
  },
  {
    name: 'beats go on after the lease',
    foundBy: { by: 'simulator', seed: 1 },
    patches: [
      patch(
        LEASE,
        'if (this.#isOver) return Number.NEGATIVE_INFINITY;\n    return this.#isGained ? this.#end - this.#aheadMs :',
        'return this.#isGained ? Number.POSITIVE_INFINITY :',
      ),
    ],
  },
  {
    name: 'a save is not awaited',
    foundBy: { by: 'simulator', seed: 1 },
    patches: [patch(DRIVER, 'await this.#save(output.state);', 'void this.#save(output.state);')],
  },
  {
    name: 'timers are handled before mail that waits',
    foundBy: { by: 'simulator', seed: 1 },
    patches: [patch(DRIVER, 'this.#options.clock.afterMail(() => {', '((run: () => void) => run())(() => {')],
  },
  {
    name: 'a won election is announced without a lease',
    foundBy: { by: 'simulator', seed: 1 },
    patches: [
      patch(
        CORE,
        'this.#beat(now);\n    this.#leadOnceLeased(now);',
        'this.#beat(now);\n    this.peers.announceLeader();',
      ),
    ],
  },
];
