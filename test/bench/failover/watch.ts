/** Ms of the clock that all processes of a host share. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** A time during which a process believed, at each look, that it leads. */
export interface Belief {
  readonly from: number;
  readonly to: number;
}

/** Tells those who wait for something later than a moment. */
class Later<T extends { readonly at: number }> {
  #newest: T | null = null;
  #waiting: { readonly after: number; readonly resolve: (what: T) => void }[] = [];

  happened(what: T): void {
    this.#newest = what;
    const over = this.#waiting.filter(({ after }) => after < what.at);
    this.#waiting = this.#waiting.filter(({ after }) => after >= what.at);
    for (const { resolve } of over) resolve(what);
  }

  /** The newest, if it is later than `after`; else the next. */
  async after(after: number): Promise<T> {
    if (this.#newest !== null && this.#newest.at > after) return this.#newest;
    return new Promise((resolve) => this.#waiting.push({ after, resolve }));
  }
}

/** A leader that a process has heard of. */
export interface Heard {
  readonly at: number;
  /** How many terms lie between this one and the leader heard of before. */
  readonly terms: number;
}

/** The leaders that a process hears of. */
export class Leaders {
  readonly #heard = new Later<Heard>();
  #term = 0;

  heard(term: number): void {
    this.#heard.happened({ at: nowMs(), terms: term - this.#term });
    this.#term = term;
  }

  after(at: number): Promise<Heard> {
    return this.#heard.after(at);
  }
}

const LOOK_EVERY_MS = 1;
const KEPT = 1_000;

/** Looks, as often as a process can, whether it believes that it leads: from `watch` on, as it costs much. */
export class Beliefs {
  readonly #leads: () => boolean;
  readonly #began = new Later<{ readonly at: number }>();
  #all: Belief[] = [];
  #isOpen = false;
  #looks: NodeJS.Timeout | null = null;

  constructor(leads: () => boolean) {
    this.#leads = leads;
  }

  /** Begins to look, unless it does. */
  watch(): void {
    this.#looks ??= setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  /** When it began to believe, later than `at`. */
  async beginsAfter(at: number): Promise<number> {
    return (await this.#began.after(at)).at;
  }

  /** What it believed from `at` on. */
  since(at: number): readonly Belief[] {
    return this.#all.flatMap(({ from, to }) => (to < at ? [] : [{ from: Math.max(from, at), to }]));
  }

  #look(): void {
    const at = nowMs();
    const believes = this.#leads();
    const last = this.#isOpen ? this.#all.pop() : undefined;
    if (believes) this.#all.push({ from: last?.from ?? at, to: at });
    else if (last !== undefined) this.#all.push(last);
    if (believes && !this.#isOpen) this.#began.happened({ at });
    this.#isOpen = believes;
    this.#all = this.#all.slice(-KEPT);
  }
}
