/**
 * What is under way, as small integers. A message belongs to the peer that sent it; of a message that was sent, any
 * number of copies may arrive, each at any later time, or none.
 *
 * Refusals are not messages here: all that they can do is to tell a term, and any peer may learn any term that another
 * one has saved at any time (`Input.learn`).
 */
export const KINDS = [
  'vote',
  'transferVote',
  'preVote',
  'beat',
  'order',
  'grant',
  'preGrant',
  'ack',
  'question',
  'answer',
  'emptyAnswer',
] as const;
export type Kind = (typeof KINDS)[number];

export const VOTE = 0;
export const TRANSFER_VOTE = 1;
export const PRE_VOTE = 2;
export const BEAT = 3;
export const ORDER = 4;
export const GRANT = 5;
export const PRE_GRANT = 6;
export const ACK = 7;
/** What a peer with an empty store asks the others, and what they answer: from a store that holds something, or not. */
export const QUESTION = 8;
export const ANSWER = 9;
export const EMPTY_ANSWER = 10;

/** The addressee of what goes to all. */
export const ALL = 7;
/** The number of codes: 16 kinds; 8 terms, addressees and ages each. */
export const CODES = 8192;

/**
 * Age counts, in units of the clock of the leader, from the sending of the beat; where messages die, that of each from
 * its own sending.
 */
export function message(kind: number, term: number, to: number = ALL, age = 0): number {
  return (kind << 9) | (term << 6) | (to << 3) | age;
}

export const kindOf = (code: number): number => code >> 9;
export const termOf = (code: number): number => (code >> 6) & 7;
export const toOf = (code: number): number => (code >> 3) & 7;
export const ageOf = (code: number): number => code & 7;

/** The same message in a cluster whose peers are renamed. */
export function renamed(code: number, to: readonly number[]): number {
  const old = toOf(code);
  return old === ALL ? code : (code & ~(7 << 3)) | ((to[old] ?? 0) << 3);
}

/** The message as a person reads it. */
export function textOfMessage(code: number, names: readonly string[]): string {
  const kind = kindOf(code);
  const age = kind === BEAT || kind === ACK ? `, sent ${ageOf(code)} ago` : '';
  const to = toOf(code) === ALL ? '' : ` to ${names[toOf(code)]}`;
  return `${KINDS[kind]}(term ${termOf(code)}${age})${to}`;
}
