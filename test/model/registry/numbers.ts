/** Values, each with a number: those with the same text are one. */
export class Numbers<T> {
  readonly all: T[] = [];
  readonly #ids = new Map<string, number>();

  id(value: T, text: string = JSON.stringify(value)): number {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    this.#ids.set(text, this.all.length);
    this.all.push(value);
    return this.all.length - 1;
  }

  get(id: number): T {
    return this.all[id] as T;
  }
}

/** What is worked out once for each number. */
export class Table<T> {
  readonly #of: (id: number) => T;
  readonly #known: T[] = [];

  constructor(of: (id: number) => T) {
    this.#of = of;
  }

  get(id: number): T {
    const known = this.#known[id];
    if (known !== undefined) return known;
    const value = this.#of(id);
    this.#known[id] = value;
    return value;
  }
}
