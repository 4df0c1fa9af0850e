/**
 * Why a step may differ from the recording, and in which way. What each of them does is said where the model of the
 * original does it; nothing else may differ.
 */
export const RULES = {
  D2: 'only a candidate counts votes, of its own term and for itself; it elects only itself',
  D4: 'term and vote are saved, and a peer never forgets them',
  D6: 'who is no member is refused, and joins by nothing that is said; a reply counts for the peer that was asked',
  D8: 'the winner emits makeLeader, too',
  D9: 'a lost leader is told by leaderLost, and forgotten',
  D14: 'one fetch a former leader, a failed one ends its leadership, a late answer changes nothing; of itself a peer hears nothing',
  D18: 'a majority of one is a majority',
  throw:
    'a request that cannot be sent fails as one that is not answered, and what comes after it is sent all the same',
  version: 'what 1.3.2 changed and raftbeat, which follows 1.2.1, did not',
} as const;

/** The name of a rule. */
export type Rule = keyof typeof RULES;

/** All rules. */
export const ALL_RULES: ReadonlySet<Rule> = new Set(Object.keys(RULES) as Rule[]);
