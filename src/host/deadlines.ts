/** Something that must be looked at when it is due. */
export interface Due {
  /** In ms of the core's clock. */
  due: number;
  /** Its place in the heap; -1 outside of it. */
  place: number;
}

/** What is due first: a binary heap whose items know their places, so that each can be moved. */
export class Deadlines<Item extends Due> {
  readonly #heap: Item[] = [];

  /** When the first item is due; infinity when there is none. */
  get first(): number {
    return this.#heap[0]?.due ?? Number.POSITIVE_INFINITY;
  }

  /** Makes `item` due at `due`: one that is in the heap is moved. */
  set(item: Item, due: number): void {
    if (item.place < 0) {
      item.place = this.#heap.length;
      this.#heap.push(item);
    }
    item.due = due;
    this.#rise(item);
    this.#sink(item);
  }

  /** Takes `item` out, if it is in. */
  delete(item: Item): void {
    const { place } = item;
    if (place < 0) return;
    item.place = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === item) return;
    this.#put(last, place);
    this.#rise(last);
    this.#sink(last);
  }

  /** Takes out the first item if it is due at `now`. */
  take(now: number): Item | null {
    const first = this.#heap[0];
    if (first === undefined || first.due > now) return null;
    this.delete(first);
    return first;
  }

  #rise(item: Item): void {
    while (item.place > 0) {
      const above = (item.place - 1) >> 1;
      const parent = this.#heap[above] as Item;
      if (parent.due <= item.due) return;
      this.#put(parent, item.place);
      this.#put(item, above);
    }
  }

  #sink(item: Item): void {
    for (;;) {
      const left = this.#heap[2 * item.place + 1];
      const right = this.#heap[2 * item.place + 2];
      const child = right !== undefined && left !== undefined && right.due < left.due ? right : left;
      if (child === undefined || child.due >= item.due) return;
      const below = child.place;
      this.#put(child, item.place);
      this.#put(item, below);
    }
  }

  #put(item: Item, place: number): void {
    item.place = place;
    this.#heap[place] = item;
  }
}
