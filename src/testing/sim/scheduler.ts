/** What an event does; it is over when the promise settles. */
export type Work = () => Promise<void> | undefined | void;

/** Something that is to happen at a moment of virtual time. */
interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: Work;
}

/** Virtual time in real ms: what is due, in order; at equal times in the order in which it was scheduled. */
export class Scheduler {
  /** The moment that all hosts share, in ms; no peer sees it. */
  now = 0;
  readonly #heap: Event[] = [];
  #scheduled = 0;

  /** Has `run` happen at `at`, or now if that is past. */
  at(at: number, run: Work): void {
    const heap = this.#heap;
    const event = { at: Math.max(at, this.now), order: this.#scheduled++, run };
    let place = heap.length;
    heap.push(event);
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = heap[above] as Event;
      if (!isBefore(event, parent)) break;
      heap[place] = parent;
      place = above;
    }
    heap[place] = event;
  }

  /** Has `run` happen `ms` from now. */
  after(ms: number, run: Work): void {
    this.at(this.now + ms, run);
  }

  /** When the next event is due; infinity when there is none. */
  get next(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Goes to the next event and takes it out. */
  take(): Work {
    const heap = this.#heap;
    const first = heap[0] as Event;
    const last = heap.pop() as Event;
    if (heap.length > 0) this.#sink(last);
    this.now = first.at;
    return first.run;
  }

  #sink(event: Event): void {
    const heap = this.#heap;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Event, heap[below] as Event)) below++;
      const child = heap[below] as Event;
      if (!isBefore(child, event)) break;
      heap[place] = child;
      place = below;
    }
    heap[place] = event;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

type Hop = (run: () => void) => unknown;

interface Channel {
  readonly port1: { onmessage: (() => void) | null };
  readonly port2: { postMessage(message: null): void };
}

interface Platform {
  readonly setImmediate?: Hop;
  readonly MessageChannel?: new () => Channel;
  readonly process?: { readonly nextTick?: Hop };
}

const { setImmediate: immediate, process: host, MessageChannel } = globalThis as unknown as Platform;

const longHop: Hop = immediate ?? messageHop() ?? ((run) => void setTimeout(run, 0));

/** Browsers have timers that follow each other wait for 4 ms, but no message to oneself. */
function messageHop(): Hop | null {
  if (MessageChannel === undefined) return null;
  const { port1, port2 } = new MessageChannel();
  const waiting: (() => void)[] = [];
  port1.onmessage = () => waiting.shift()?.();
  return (run) => {
    waiting.push(run);
    port2.postMessage(null);
  };
}

/** Asked for by a microtask it runs after all of them, as the long one does, but without a turn of the event loop. */
const shortHop: Hop = host?.nextTick ?? longHop;

/** Resolves when every promise that can settle by itself has settled. To be called by a microtask: after an `await`. */
export function settle(): Promise<void> {
  return new Promise((resolve) => void shortHop(resolve));
}

/** Lets the platform take a turn; only then does it tell of rejections that nobody handled. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => void longHop(resolve));
}
