/** A stretch of time in which `isLeader()` answered true to one process, from the first such answer to the last. */
export interface Belief {
  readonly ip: string;
  readonly term: number;
  /** Ms of a clock that all processes share. */
  readonly begin: number;
  readonly end: number;
}

/**
 * One process's notes of what `isLeader()` answered.
 *
 * They may overstate a belief by a few microseconds, never understate it: it begins when the question was asked to
 * which the first true answer came, and ends when the last one had come.
 */
export class Diary {
  readonly #ip: string;
  readonly #beliefs: Belief[] = [];

  constructor(ip: string) {
    this.#ip = ip;
  }

  /** The beliefs so far; the last of them may still go on. */
  get beliefs(): readonly Belief[] {
    return this.#beliefs;
  }

  /** Notes an answer in `term` to a question that was asked at `askedAt`. */
  note(leads: boolean, term: number, askedAt: number, answeredAt: number): void {
    if (!leads) return;
    const last = this.#beliefs.at(-1);
    if (last?.term === term) this.#beliefs[this.#beliefs.length - 1] = { ...last, end: answeredAt };
    else this.#beliefs.push({ ip: this.#ip, term, begin: askedAt, end: answeredAt });
  }
}

/** `belief`, lasting until `end` at least: nobody can ask a killed process what it believed in its last moments. */
export function extended(belief: Belief, end: number): Belief {
  return { ...belief, end: Math.max(belief.end, end) };
}

/** For how many ms both held; 0 when one ended before, or just when, the other began. */
export function overlapMs(one: Belief, other: Belief): number {
  return Math.max(0, Math.min(one.end, other.end) - Math.max(one.begin, other.begin));
}

/** The longest time in ms for which any two of them held. */
export function longestOverlapMs(beliefs: readonly Belief[]): number {
  return Math.max(
    0,
    ...beliefs.flatMap((one, index) => beliefs.slice(index + 1).map((other) => overlapMs(one, other))),
  );
}
