/**
 * Which of the differences from the original are in force: the one switch between raftbeat's own rules and those of a
 * cluster shared with original Nacos 1.x peers (section 5). D2, D4, D6, D9, D14 and D18 hold under both.
 */
export interface Rules {
  /** D1: a higher term in an accepted beat, and in any reply, is adopted. */
  readonly adoptsHigherTerms: boolean;
  /** D3: a leader leads by lease, and steps down when it ends. */
  readonly leases: boolean;
  /** D5: one leader a term, and a beat never changes a vote already given. */
  readonly oneLeaderPerTerm: boolean;
  /** D7: an unspent vote is granted in an equal term, too, and a refusal changes nothing. */
  readonly grantsUnspentVotes: boolean;
  /** D8: a leader change is a change of (ip, term), not of the ip alone. */
  readonly termsTellLeadersApart: boolean;
  /** D10, D15: pre-vote, promises, the start wait, the empty-store rule. */
  readonly promises: boolean;
  /** D11 to D13: freshness is a revision; else beats name every key, and each publish raises the term. */
  readonly revisions: boolean;
  /** D16: followers come up one after the other. */
  readonly rankedTimeouts: boolean;
}

/** `raftbeat`: safe leaders. `nacos`: what original peers can play along with, and the original's guarantees only. */
export type RulesName = 'raftbeat' | 'nacos';

/** The rules by name. */
export const RULES: Readonly<Record<RulesName, Rules>> = {
  raftbeat: {
    adoptsHigherTerms: true,
    leases: true,
    oneLeaderPerTerm: true,
    grantsUnspentVotes: true,
    termsTellLeadersApart: true,
    promises: true,
    revisions: true,
    rankedTimeouts: true,
  },
  nacos: {
    adoptsHigherTerms: false,
    leases: false,
    oneLeaderPerTerm: false,
    grantsUnspentVotes: false,
    termsTellLeadersApart: false,
    promises: false,
    revisions: false,
    rankedTimeouts: false,
  },
};
