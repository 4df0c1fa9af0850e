/** A list of 32-bit words that grows. */
export class Words {
  length = 0;
  #words: Int32Array;

  constructor(room = 2 ** 12) {
    this.#words = new Int32Array(room);
  }

  push(word: number): void {
    if (this.length === this.#words.length) this.#grow(1);
    this.#words[this.length++] = word;
  }

  pushAll(words: Int32Array): void {
    if (this.length + words.length > this.#words.length) this.#grow(words.length);
    this.#words.set(words, this.length);
    this.length += words.length;
  }

  at(at: number): number {
    return this.#words[at] as number;
  }

  /** Copies what begins at `at` into `words`. */
  read(at: number, words: Int32Array): void {
    for (let of = 0; of < words.length; of++) words[of] = this.#words[at + of] as number;
  }

  #grow(by: number): void {
    const more = new Int32Array(Math.max(Math.ceil(this.#words.length * 1.6), this.length + by));
    more.set(this.#words.subarray(0, this.length));
    this.#words = more;
  }
}
