import type { Bounds, Waypoint } from './bounds.js';
import type { Kernel } from './build.js';
import { HashSet } from './hash-set.js';
import { States } from './states.js';
import { readable } from './trace.js';
import { Words } from './words.js';

/** What a run found. */
export interface Outcome {
  readonly states: number;
  /** The depth up to which all was seen, or that of the violation. */
  readonly depth: number;
  readonly ms: number;
  /** Whether every reachable state within the bounds was seen. */
  readonly isExhausted: boolean;
  /** How many different (peer, input) pairs the core was asked for. */
  readonly asked: number;
  readonly violation: string | null;
  /** The shortest way to the violation, a line each. */
  readonly trace: readonly string[];
}

/** Visits all states that can be reached, nearest first, until one violates something. */
export function explore(kernel: Kernel, bounds: Bounds, progress?: (text: string) => void): Outcome {
  return new Search(kernel, bounds).run(progress);
}

const NO_MOVE = -1;

/** A breadth-first search: whole states of two layers, hashes of all, and of each state its parent and its move. */
class Search {
  readonly #states: States;
  readonly #bounds: Bounds;
  readonly #waypoints: Waypoint[];
  readonly #parents = new Words();
  readonly #moves = new Words();
  #seen = new HashSet();
  #next = new Words();
  /** The number of the first state of `#next`. */
  #nextFirst = 0;
  #parent = 0;
  #depth = 0;
  #hasArrived = false;
  #violation: string | null = null;
  #lastMove = NO_MOVE;

  constructor(kernel: Kernel, bounds: Bounds) {
    this.#states = new States(kernel, bounds);
    this.#bounds = bounds;
    this.#waypoints = [...bounds.waypoints];
  }

  run(progress?: (text: string) => void): Outcome {
    const start = performance.now();
    this.#states.next.set(this.#states.initial());
    this.#visit(NO_MOVE, null);
    let isWhole = true;
    while (isWhole && this.#next.length > 0 && this.#violation === null) {
      isWhole = this.#depth < this.#bounds.depth && this.#layer();
      if (isWhole) this.#depth++;
      progress?.(`depth ${this.#depth}: ${this.#moves.length} states`);
    }
    const path = this.#path();
    return {
      states: this.#moves.length,
      depth: this.#violation === null ? this.#depth : path.length,
      ms: performance.now() - start,
      isExhausted: this.#violation === null && isWhole && this.#bounds.waypoints.length === 0,
      asked: this.#states.locals.asked,
      violation: this.#violation,
      trace: readable(this.#states, path),
    };
  }

  /** Makes all moves of all states of a layer; false when there are too many. */
  #layer(): boolean {
    const layer = this.#next;
    const first = this.#nextFirst;
    const words = new Int32Array(this.#states.size);
    const visit = (move: number, violation: string | null): void => this.#visit(move, violation);
    this.#next = new Words();
    this.#nextFirst = this.#moves.length;
    this.#hasArrived = false;
    for (let at = 0; at < layer.length && !this.#hasArrived; at += words.length) {
      if (this.#moves.length >= this.#bounds.states) return false;
      layer.read(at, words);
      layer.forget(at);
      this.#parent = first + at / words.length;
      this.#states.moves(words, visit);
      if (this.#violation !== null) return true;
    }
    return true;
  }

  #visit(move: number, violation: string | null): void {
    if (this.#violation !== null || this.#hasArrived) return;
    if (violation !== null) {
      this.#violation = violation;
      this.#lastMove = move;
      return;
    }
    const states = this.#states;
    states.canonical();
    if (!this.#seen.add(states.next)) return;
    if (this.#waypoints[0]?.(states.peers(states.next)) === true) this.#arrive();
    this.#next.pushAll(states.next);
    this.#parents.push(this.#parent);
    this.#moves.push(move);
  }

  /** Drops all states but the one that is at hand. */
  #arrive(): void {
    this.#hasArrived = true;
    this.#waypoints.shift();
    this.#seen = new HashSet();
    this.#next = new Words();
    this.#nextFirst = this.#moves.length;
  }

  /** The moves that lead to the violation. */
  #path(): readonly number[] {
    if (this.#violation === null) return [];
    const path = [this.#lastMove];
    for (let at = this.#parent; this.#moves.at(at) !== NO_MOVE; at = this.#parents.at(at))
      path.push(this.#moves.at(at));
    return path.reverse();
  }
}
