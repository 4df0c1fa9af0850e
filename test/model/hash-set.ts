/** A set of hashes of 63 bits, eight bytes each: that two of n states are taken for one is as likely as n² / 2^64. */
export class HashSet {
  size = 0;
  #slots: Int32Array;
  #mask: number;

  constructor(slots = 2 ** 16) {
    this.#slots = new Int32Array(2 * slots);
    this.#mask = slots - 1;
  }

  /** Adds the hash of `words`; false if it was there. */
  add(words: Int32Array): boolean {
    let high = 0x9e3779b9;
    let low = 0x85ebca6b;
    for (let at = 0; at < words.length; at++) {
      const word = words[at] as number;
      high = Math.imul(high ^ word, 0x2c1b3c6d);
      high ^= high >>> 15;
      low = Math.imul(low ^ Math.imul(word, 0x297a2d39), 0x1b873593);
      low ^= low >>> 13;
    }
    high = mixed(high ^ Math.imul(low, 0x7feb352d));
    low = mixed(low + Math.imul(high, 0x846ca68b)) | 1;
    if (!this.#put(high, low)) return false;
    this.size++;
    if (this.size > this.#mask * 0.7) this.#grow();
    return true;
  }

  #put(high: number, low: number): boolean {
    const slots = this.#slots;
    for (let at = high & this.#mask; ; at = (at + 1) & this.#mask) {
      const there = slots[2 * at + 1];
      if (there === 0) {
        slots[2 * at] = high;
        slots[2 * at + 1] = low;
        return true;
      }
      if (there === low && slots[2 * at] === high) return false;
    }
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(2 * old.length);
    this.#mask = old.length - 1;
    for (let at = 0; at < old.length; at += 2) {
      const low = old[at + 1] as number;
      if (low !== 0) this.#put(old[at] as number, low);
    }
  }
}

function mixed(given: number): number {
  let value = given;
  value = Math.imul(value ^ (value >>> 16), 0x7feb352d);
  value = Math.imul(value ^ (value >>> 15), 0x846ca68b);
  return value ^ (value >>> 16);
}
