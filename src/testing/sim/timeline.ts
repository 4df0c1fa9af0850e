/** One line of what happened. */
export interface TimelineEntry {
  /** Ms of virtual time. */
  readonly at: number;
  /** Whom it concerns: an ip, or '' for the world. */
  readonly who: string;
  readonly what: string;
}

/** What happened, in order, and a hash over all of it. */
export class Timeline {
  readonly #now: () => number;
  readonly #limit: number;
  #entries: TimelineEntry[] = [];
  #hash = 0x811c9dc5;

  /** @param limit how many entries are kept at least; the oldest go first */
  constructor(now: () => number, limit: number) {
    this.#now = now;
    this.#limit = limit;
  }

  /** Adds an entry. */
  add(who: string, what: string): void {
    this.#entries.push({ at: this.#now(), who, what });
    this.mix(what.length);
    for (let place = 0; place < what.length; place++) this.mix(what.charCodeAt(place));
    if (this.#entries.length > 2 * this.#limit) this.#entries = this.#entries.slice(-this.#limit);
  }

  /** Mixes what happened, but is not worth a line, into the hash. */
  mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ (value | 0), 0x01000193);
    this.#hash ^= this.#hash >>> 15;
  }

  /** Eight hexadecimal digits over all that was added and mixed in: equal for equal runs. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }

  get entries(): readonly TimelineEntry[] {
    return this.#entries.slice(-this.#limit);
  }
}

/** A timeline as text, a line an entry: `   12.3456 s  b:1  crashes`. */
export function formatTimeline(entries: readonly TimelineEntry[]): string {
  const width = Math.max(0, ...entries.map(({ who }) => who.length));
  return entries
    .map(({ at, who, what }) => `${(at / 1_000).toFixed(4).padStart(11)} s  ${who.padEnd(width)}  ${what}`)
    .join('\n');
}
