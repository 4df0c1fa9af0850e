type Part = 'sent' | 'heard' | 'answered';

/** One that beats in one term, while nothing else happens. */
interface Steady {
  readonly from: string;
  readonly text: string;
  sent: number;
  readonly heard: Map<string, number>;
  readonly answered: Map<string, number>;
}

/**
 * What happened, a line each. Beats after which nothing is different are counted instead, if `countsBeats`, and
 * summed up by `take`.
 */
export class Log {
  countsBeats = false;
  #lines: string[] = [];
  #steady = new Map<string, Steady>();
  #isOpen = false;
  #beats: {
    readonly from: string;
    readonly text: string;
    readonly part: Part;
    readonly ips: readonly string[];
  }[] = [];
  #group: string[] = [];
  #isNotable = false;

  say(line: string): void {
    (this.#isOpen ? this.#group : this.#lines).push(line);
  }

  /** Says that the group under way is about a beat; the line that tells it follows. */
  beat(from: string, text: string, part: Part, ips: readonly string[]): void {
    this.#beats.push({ from, text, part, ips });
  }

  /** Says that the group under way must be shown. */
  notable(): void {
    this.#isNotable = true;
  }

  /** Runs `happen`; its lines stay together. */
  group(happen: () => void): void {
    if (this.#isOpen) {
      happen();
      return;
    }
    this.#isOpen = true;
    this.#beats = [];
    this.#isNotable = false;
    happen();
    this.#isOpen = false;
    // A beat that is heard is answered: two lines; all others are one.
    const expected = this.#beats.reduce((sum, { part }) => sum + (part === 'heard' ? 2 : 1), 0);
    const isSteady = this.countsBeats && !this.#isNotable && expected > 0 && this.#group.length === expected;
    if (isSteady) this.#count();
    else this.#lines.push(...this.#group);
    this.#group = [];
  }

  /** All lines since the last call, and the beats that were only counted. */
  take(): readonly string[] {
    const lines = [...this.#lines, ...[...this.#steady.values()].map(steadyText)];
    this.#lines = [];
    this.#steady = new Map();
    return lines;
  }

  #count(): void {
    for (const { from, text, part, ips } of this.#beats) {
      const key = `${from} ${text}`;
      const steady = this.#steady.get(key) ?? { from, text, sent: 0, heard: new Map(), answered: new Map() };
      this.#steady.set(key, steady);
      if (part === 'sent') {
        steady.sent++;
        for (const ip of ips) steady.heard.set(ip, steady.heard.get(ip) ?? 0);
      } else for (const ip of ips) steady[part].set(ip, (steady[part].get(ip) ?? 0) + 1);
    }
  }
}

function steadyText({ from, text, sent, heard, answered }: Steady): string {
  const ips = [...new Set([...heard.keys(), ...answered.keys()])].toSorted();
  const each = ips.map((ip) => `${ip} heard ${heard.get(ip) ?? 0}, answered ${answered.get(ip) ?? 0}`);
  return `     ${from} ${text} x${sent}: ${each.join('; ')}`;
}
