const CHUNK_BITS = 18;
const CHUNK = 2 ** CHUNK_BITS;

/** A list of 32-bit words that grows by chunks: what is there is never copied, and there is next to no spare room. */
export class Words {
  length = 0;
  readonly #chunks: (Int32Array | null)[] = [];

  push(word: number): void {
    if (this.length % CHUNK === 0) this.#chunks.push(new Int32Array(CHUNK));
    (this.#chunks.at(-1) as Int32Array)[this.length++ % CHUNK] = word;
  }

  pushAll(words: Int32Array): void {
    for (let at = 0; at < words.length; at++) this.push(words[at] as number);
  }

  at(at: number): number {
    return (this.#chunks[at >>> CHUNK_BITS] as Int32Array)[at % CHUNK] as number;
  }

  /** Copies what begins at `at` into `words`. */
  read(at: number, words: Int32Array): void {
    for (let of = 0; of < words.length; of++) words[of] = this.at(at + of);
  }

  /** Gives up the memory of what stands before `end`: it is not read again. */
  forget(end: number): void {
    const chunk = (end >>> CHUNK_BITS) - 1;
    if (chunk >= 0) this.#chunks[chunk] = null;
  }
}
