import type { LedGroup } from '../core/messages.js';
import type { Seat } from './seat.js';

/** How many changes are kept beyond one for each group: whoever is further behind gets the whole list. */
const SPARE_CHANGES = 1_000;

/** What changed in the list since a version of it. */
export interface LedChanges {
  /** 0: the list is whole. */
  readonly since: number;
  readonly version: number;
  readonly led: readonly LedGroup[];
  readonly unled: readonly string[];
}

/**
 * The groups that this host leads: a list with a version, which each change raises by one. Beats bring along what changed
 * since the version that the other host holds.
 */
export class LedGroups {
  readonly #seats = new Set<Seat>();
  /** Whose change made each version, from the one after `#start` on. */
  #changed: Seat[] = [];
  #start = 0;

  get version(): number {
    return this.#start + this.#changed.length;
  }

  /** How many groups there are. */
  get size(): number {
    return this.#seats.size;
  }

  /** All of them. */
  get seats(): ReadonlySet<Seat> {
    return this.#seats;
  }

  /** The group is led here, in its present term. */
  add(seat: Seat): void {
    this.#seats.add(seat);
    this.#note(seat);
    seat.ledVersion = this.version;
  }

  /** The group is led here no longer. */
  remove(seat: Seat): void {
    this.#seats.delete(seat);
    this.#note(seat);
    seat.ledVersion = 0;
  }

  /** What changed since `version`, or the whole list for one who holds none, or too old a one. */
  since(version: number): LedChanges {
    if (version === 0 || version < this.#start || version > this.version) return this.#whole();
    const led: LedGroup[] = [];
    const unled: string[] = [];
    for (const seat of new Set(this.#changed.slice(version - this.#start))) {
      if (seat.ledVersion > 0) led.push(toLed(seat));
      else unled.push(seat.name);
    }
    return { since: version, version: this.version, led, unled };
  }

  #whole(): LedChanges {
    return { since: 0, version: this.version, led: Array.from(this.#seats, toLed), unled: [] };
  }

  #note(seat: Seat): void {
    if (this.#changed.length > this.#seats.size + SPARE_CHANGES) {
      this.#start = this.version;
      this.#changed = [];
    }
    this.#changed.push(seat);
  }
}

function toLed({ name, core }: Seat): LedGroup {
  return { group: name, term: core.peers.self.term };
}
