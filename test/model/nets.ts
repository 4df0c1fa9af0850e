import type { Bounds } from './bounds.js';
import {
  ACK,
  ALL,
  ANSWER,
  ageOf,
  BEAT,
  EMPTY_ANSWER,
  GRANT,
  kindOf,
  message,
  PRE_GRANT,
  PRE_VOTE,
  QUESTION,
  renamed,
  TRANSFER_VOTE,
  termOf,
  toOf,
  VOTE,
} from './message.js';

/** What is over of a peer: its round, leadership, candidacy; messages that belong to it can matter no more. */
export const END_ROUND = 1;
export const END_LEADERSHIP = 2;
export const END_CANDIDACY = 4;
export const END_REJOIN = 8;

/** All sets of messages that a peer may have sent, each with a number. */
export class Nets {
  readonly all: (readonly number[])[] = [];
  readonly colours: number[] = [];
  /** Terms of beats, as bits; the highest term of any message; whether it shows two votes of one term. */
  readonly beatTerms: number[] = [];
  readonly maxTerm: number[] = [];
  readonly votesTwice: boolean[] = [];
  readonly #ids = new Map<string, number>();
  readonly #colourIds = new Map<string, number>();
  readonly #added: number[][] = [];
  readonly #ended = new Map<number, number>();
  readonly #overtaken = new Map<number, number>();
  readonly #aged = new Map<number, number>();
  readonly #renamed: number[][] = [];
  readonly #renamings: readonly (readonly number[])[];
  readonly #oldAge: number;
  readonly #keepDead: boolean;
  readonly #areMortal: boolean;

  /** @param oldAge the age from which on a beat gives no lease, and at which messages die, if they are mortal */
  constructor(
    renamings: readonly (readonly number[])[],
    oldAge: number,
    { keepDead, wipes }: Pick<Bounds, 'keepDead' | 'wipes'>,
  ) {
    this.#renamings = renamings;
    this.#oldAge = oldAge;
    this.#keepDead = keepDead;
    this.#areMortal = wipes > 0;
  }

  id(codes: readonly number[]): number {
    const sorted = [...new Set(this.#areMortal ? codes.filter(isYoungest) : codes)].sort((a, b) => a - b);
    const key = sorted.join();
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.all.length;
    this.#ids.set(key, id);
    this.all.push(sorted);
    this.colours.push(this.#colour(sorted));
    this.beatTerms.push(
      sorted.filter((code) => kindOf(code) === BEAT).reduce((bits, code) => bits | (1 << termOf(code)), 0),
    );
    this.maxTerm.push(Math.max(0, ...sorted.filter((code) => kindOf(code) !== PRE_VOTE).map(termOf)));
    this.votesTwice.push(votesTwice(sorted));
    this.#added.push([]);
    this.#renamed.push([]);
    return id;
  }

  /** The set `id` and `emits`, whose number is `emitsId`. */
  with(id: number, emits: readonly number[], emitsId: number): number {
    const row = this.#added[id] as number[];
    const known = row[emitsId] ?? -1;
    if (known >= 0) return known;
    const sum = this.id([...(this.all[id] as readonly number[]), ...emits]);
    while (row.length < emitsId) row.push(-1);
    row[emitsId] = sum;
    return sum;
  }

  /** The set `id` of `owner` when the round or leadership of `peer` is over. */
  ended(id: number, owner: number, peer: number, what: number): number {
    const key = ((id * 8 + owner) * 8 + peer) * 16 + what;
    const known = this.#ended.get(key);
    if (known !== undefined) return known;
    const codes = this.all[id] as readonly number[];
    const kept = codes.flatMap((code) => {
      const kind = kindOf(code);
      const isOwn = owner === peer && toOf(code) === ALL;
      const isTo = toOf(code) === peer;
      if ((what & END_ROUND) !== 0 && ((isOwn && kind === PRE_VOTE) || (isTo && kind === PRE_GRANT)))
        return [];
      if ((what & END_REJOIN) !== 0 && ((isOwn && kind === QUESTION) || (isTo && isAnswer(kind)))) return [];
      if ((what & END_CANDIDACY) !== 0 && isTo && kind === GRANT) return [];
      if ((what & END_LEADERSHIP) === 0) return [code];
      if (isTo && kind === ACK) return [];
      return isOwn && kind === BEAT && !this.#areMortal
        ? [message(BEAT, termOf(code), ALL, this.#oldAge)]
        : [code];
    });
    const rest = this.id(kept);
    this.#ended.set(key, rest);
    return rest;
  }

  /** The set `id` without acknowledgements to `leader` of beats as old as `age` or older. */
  withoutAcks(id: number, leader: number, age: number): number {
    const key = (id * 8 + leader) * 8 + age;
    const known = this.#overtaken.get(key);
    if (known !== undefined) return known;
    const codes = this.all[id] as readonly number[];
    const rest = this.id(
      codes.filter((code) => kindOf(code) !== ACK || toOf(code) !== leader || ageOf(code) < age),
    );
    this.#overtaken.set(key, rest);
    return rest;
  }

  /** The set `id` of `owner` when the clocks of `peers` have gone one unit. */
  aged(id: number, owner: number, peers: number): number {
    const key = (id * 8 + owner) * 256 + peers;
    const known = this.#aged.get(key);
    if (known !== undefined) return known;
    const codes = this.all[id] as readonly number[];
    const later = codes.flatMap((code) => {
      const kind = kindOf(code);
      if (this.#areMortal) return this.#agedMortal(code, kind);
      if (kind !== BEAT && kind !== ACK) return [code];
      const leader = kind === BEAT ? owner : toOf(code);
      if ((peers & (1 << leader)) === 0 || ageOf(code) === this.#oldAge) return [code];
      const age = ageOf(code) + 1;
      if (kind === ACK && age === this.#oldAge && !this.#keepDead) return [];
      return [message(kind, termOf(code), toOf(code), age)];
    });
    const rest = this.id(later);
    this.#aged.set(key, rest);
    return rest;
  }

  /** Whether a message has died; it is kept as a record of what was said. */
  hasDied(code: number): boolean {
    return this.#areMortal && ageOf(code) === this.#oldAge;
  }

  #agedMortal(code: number, kind: number): readonly number[] {
    const age = ageOf(code) + 1;
    if (age > this.#oldAge) return [code];
    return age < this.#oldAge || RECORDS.includes(kind) ? [code + 1] : [];
  }

  renamed(id: number, renaming: number): number {
    const row = this.#renamed[id] as number[];
    const known = row[renaming] ?? -1;
    if (known >= 0) return known;
    const to = this.#renamings[renaming] as readonly number[];
    const other = this.id((this.all[id] as readonly number[]).map((code) => renamed(code, to)));
    while (row.length < renaming) row.push(-1);
    row[renaming] = other;
    return other;
  }

  #colour(codes: readonly number[]): number {
    const key = codes
      .map((code) => (toOf(code) === ALL ? code : code & ~(7 << 3)))
      .sort((a, b) => a - b)
      .join();
    const known = this.#colourIds.get(key);
    if (known !== undefined) return known;
    this.#colourIds.set(key, this.#colourIds.size);
    return this.#colourIds.size - 1;
  }
}

const VOTES: readonly number[] = [VOTE, TRANSFER_VOTE, GRANT];
/** By these it is seen, after their death, who won and who voted for whom. */
const RECORDS: readonly number[] = [...VOTES, BEAT];

const isAnswer = (kind: number): boolean => kind === ANSWER || kind === EMPTY_ANSWER;

/** What is not a beat, nor answers one, can do no more than the same that was sent later. */
function isYoungest(code: number, _at: number, codes: readonly number[]): boolean {
  if (kindOf(code) === BEAT || kindOf(code) === ACK) return true;
  return !codes.some((other) => other >> 3 === code >> 3 && other < code);
}

/** S4, as others see it: a candidacy is a vote for oneself. */
function votesTwice(codes: readonly number[]): boolean {
  const votes = new Map<number, number>();
  for (const code of codes) {
    if (!VOTES.includes(kindOf(code))) continue;
    const known = votes.get(termOf(code));
    if (known !== undefined && known !== toOf(code)) return true;
    votes.set(termOf(code), toOf(code));
  }
  return false;
}
