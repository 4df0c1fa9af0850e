import { HashSet } from './hash-set.js';
import { Words } from './words.js';

/** Takes a move that changes something: what it leads to stands in `Space.next`, unless it is a violation. */
export type Visit = (move: number, violation: string | null) => void;

/** What is searched: states of a fixed number of words, and the moves between them. */
export interface Space {
  readonly size: number;
  /** What the newest move led to, not yet canonical. */
  readonly next: Int32Array;
  /** How many different (peer, input) pairs the core was asked for. */
  readonly asked: number;
  initial(): Int32Array;
  moves(words: Int32Array, visit: Visit): void;
  /** Renames the peers of `next` so that states that differ in names alone become one; returns the renaming. */
  canonical(): number;
  /** The moves as a person reads them. */
  readable(moves: readonly number[]): readonly string[];
}

/** Where a search stops. */
export interface Limits {
  readonly depth: number;
  readonly states: number;
  /** For a directed run: what states must show, one after the other. */
  readonly waypoints: readonly ((words: Int32Array) => boolean)[];
}

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

const NO_MOVE = -1;

/** A breadth-first search: whole states of two layers, hashes of all, and of each state its parent and its move. */
export class Search {
  readonly #space: Space;
  readonly #limits: Limits;
  readonly #waypoints: ((words: Int32Array) => boolean)[];
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

  constructor(space: Space, limits: Limits) {
    this.#space = space;
    this.#limits = limits;
    this.#waypoints = [...limits.waypoints];
  }

  run(progress?: (text: string) => void): Outcome {
    const start = performance.now();
    this.#space.next.set(this.#space.initial());
    this.#visit(NO_MOVE, null);
    let isWhole = true;
    while (isWhole && this.#next.length > 0 && this.#violation === null) {
      isWhole = this.#depth < this.#limits.depth && this.#layer();
      if (isWhole) this.#depth++;
      progress?.(`depth ${this.#depth}: ${this.#moves.length} states`);
    }
    const path = this.#path();
    return {
      states: this.#moves.length,
      depth: this.#violation === null ? this.#depth : path.length,
      ms: performance.now() - start,
      isExhausted: this.#violation === null && isWhole && this.#limits.waypoints.length === 0,
      asked: this.#space.asked,
      violation: this.#violation,
      trace: this.#space.readable(path),
    };
  }

  /** Makes all moves of all states of a layer; false when there are too many. */
  #layer(): boolean {
    const layer = this.#next;
    const first = this.#nextFirst;
    const words = new Int32Array(this.#space.size);
    const visit = (move: number, violation: string | null): void => this.#visit(move, violation);
    this.#next = new Words();
    this.#nextFirst = this.#moves.length;
    this.#hasArrived = false;
    for (let at = 0; at < layer.length && !this.#hasArrived; at += words.length) {
      if (this.#moves.length >= this.#limits.states) return false;
      layer.read(at, words);
      layer.forget(at);
      this.#parent = first + at / words.length;
      this.#space.moves(words, visit);
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
    const space = this.#space;
    space.canonical();
    if (!this.#seen.add(space.next)) return;
    if (this.#waypoints[0]?.(space.next) === true) this.#arrive();
    this.#next.pushAll(space.next);
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
