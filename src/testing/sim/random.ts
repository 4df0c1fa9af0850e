/** Draws that depend on the seed alone (sfc32): the same on every machine. */
export class SimRandom {
  #a: number;
  #b: number;
  #c: number;
  #d = 1;

  /** @param label keeps streams of one seed apart, so that draws for one purpose do not shift those for another */
  constructor(seed: number, label: string) {
    let hash = 0x811c9dc5 ^ seed;
    for (let at = 0; at < label.length; at++) hash = Math.imul(hash ^ label.charCodeAt(at), 0x01000193);
    this.#a = seed | 0;
    this.#b = hash | 0;
    this.#c = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) | 0;
    for (let round = 0; round < 12; round++) this.next();
  }

  /** From [0, 1). */
  next(): number {
    const sum = (this.#a + this.#b + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  }

  /** Whether something of this probability happens. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** From [min, max). */
  between(min: number, max: number): number {
    return min + this.next() * (max - min);
  }

  /** An integer from 0 to `count` - 1. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  /** One of `items`. */
  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.below(items.length)] ?? items[0];
  }

  /** Between `min` and `max`, short ones far more often than long ones. */
  skewed(min: number, max: number): number {
    return min * (max / min) ** this.next();
  }
}
