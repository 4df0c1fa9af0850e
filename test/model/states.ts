import type { Bounds } from './bounds.js';
import type { Kernel } from './build.js';
import { Cores, LEADER, type Local, NONE } from './local.js';
import { isDead, Locals, type Transition } from './locals.js';
import { ACK, ageOf, CODES, kindOf, toOf } from './message.js';
import { Nets } from './nets.js';
import type { Space, Visit } from './search.js';
import {
  CRASH,
  CRASH_SAVED,
  deliver,
  INPUTS,
  LEARN,
  PASS,
  RESIGN,
  reaches,
  SAVED,
  TICK,
  WIPE,
} from './step.js';
import { readable } from './trace.js';

const TIME = 8 * INPUTS;

/**
 * The states of the whole: for each peer two words, its local and the set of messages it sent (and, with slow clocks,
 * how long its clock has gone), and a last word for what the bounds still allow.
 */
export class States implements Space {
  readonly cores: Cores;
  readonly locals: Locals;
  readonly nets: Nets;
  readonly size: number;
  /** What the newest move led to, not yet canonical. */
  readonly next: Int32Array;
  readonly renamings: readonly (readonly number[])[];
  readonly #bounds: Bounds;
  readonly #count: number;
  readonly #best: Int32Array;
  readonly #trial: Int32Array;
  readonly #colours: Float64Array;
  readonly #from: readonly (readonly number[])[];
  /** The renamings by the places to which they bring the peers. */
  readonly #byPlaces: ReadonlyMap<number, number>;
  /** For each peer the first of those of its kind: only these may be renamed into each other. */
  readonly #firstAlike: readonly number[];
  readonly #timeMasks: readonly number[];
  readonly #noEmits: number;

  constructor(kernel: Kernel, bounds: Bounds) {
    if ((bounds.lateSaves || bounds.wipes > 0) && bounds.slowClocks > 0)
      throw new Error('late saves and lost stores go with clocks that go alike');
    if (bounds.lateSaves && bounds.wipes + bounds.longer > 0)
      throw new Error('lost stores and unequal L go with saves that take no time');
    if (bounds.wipes > 0 && bounds.longer > 0) throw new Error('lost stores go with equal L');
    this.#bounds = bounds;
    this.cores = new Cores(kernel, bounds);
    this.#count = this.cores.count;
    this.size = 2 * this.#count + 1;
    this.#firstAlike = this.cores.names.map((_, at) => firstAlike(at, bounds));
    this.renamings = renamingsOf(this.#firstAlike);
    this.#from = this.renamings.map((to) => to.map((_, at) => to.indexOf(at)));
    this.#byPlaces = new Map(
      this.renamings.map((to, at) => [to.reduce((key, place) => key * 8 + place, 0), at]),
    );
    this.locals = new Locals(this.cores, bounds, this.renamings);
    this.nets = new Nets(this.renamings, this.cores.oldAge, bounds);
    this.#noEmits = this.locals.emitsId([]);
    this.next = new Int32Array(this.size);
    this.#best = new Int32Array(this.size);
    this.#trial = new Int32Array(this.size);
    this.#colours = new Float64Array(this.#count);
    const all = 2 ** this.#count - 1;
    this.#timeMasks = bounds.slowClocks === 0 ? [all] : Array.from({ length: all }, (_, at) => all - at);
  }

  /** All peers start at once, with stores in use that hold nothing. */
  initial(): Int32Array {
    const words = new Int32Array(this.size);
    const none = this.nets.id([]);
    for (let peer = 0; peer < this.#count; peer++) {
      words[2 * peer] = this.locals.id(this.cores.started(peer, 0, NONE, this.#bounds.timeout));
      words[2 * peer + 1] = none * 4 + this.#bounds.slowClocks;
    }
    const { wipes, crashes, transfers, stands } = this.#bounds;
    words[this.size - 1] = wipes * A_WIPE + crashes * A_CRASH + transfers * A_TRANSFER + stands;
    return words;
  }

  local(words: Int32Array, peer: number): Local {
    return this.locals.all[words[2 * peer] as number] as Local;
  }

  /** All peers of `words`. */
  peers(words: Int32Array): readonly Local[] {
    return Array.from({ length: this.#count }, (_, peer) => this.local(words, peer));
  }

  get asked(): number {
    return this.locals.asked;
  }

  readable(moves: readonly number[]): readonly string[] {
    return readable(this, moves);
  }

  /** Tries every move in `words`. */
  moves(words: Int32Array, visit: Visit): void {
    for (let peer = 0; peer < this.#count; peer++) this.#movesOf(words, peer, visit);
    for (const mask of this.#timeMasks) if (this.#pass(words, mask)) visit(TIME + mask, this.#violated());
  }

  /** Makes that move again. */
  repeat(words: Int32Array, move: number): void {
    if (move >= TIME) this.#pass(words, move - TIME);
    else this.#give(words, Math.floor(move / INPUTS), move % INPUTS);
  }

  /** Which peers' clocks a move lets go by a unit; null for a move of one peer. */
  clocksOf(move: number): number | null {
    return move >= TIME ? move - TIME : null;
  }

  /** Renames the peers of `next` so that states that differ in names alone become one; returns the renaming. */
  canonical(): number {
    const { next } = this;
    const colours = this.#colours;
    for (let peer = 0; peer < this.#count; peer++) {
      const local = next[2 * peer] as number;
      const net = next[2 * peer + 1] as number;
      const colour = (this.locals.colours[local] as number) * 2 ** 26;
      colours[peer] = colour + (this.nets.colours[net >> 2] as number) * 4 + (net & 3);
    }
    const only = this.#onlySorted();
    if (only !== -1) {
      this.#rename(only, this.#best);
      next.set(this.#best);
      return only;
    }
    let chosen = -1;
    for (let renaming = 0; renaming < this.renamings.length; renaming++) {
      if (!this.#isSorted(this.#from[renaming] as readonly number[])) continue;
      const words = chosen === -1 ? this.#best : this.#trial;
      this.#rename(renaming, words);
      if (chosen === -1) chosen = renaming;
      else if (isLess(this.#trial, this.#best)) {
        this.#best.set(this.#trial);
        chosen = renaming;
      }
    }
    next.set(this.#best);
    return chosen;
  }

  /** The one renaming that sorts the peers; -1 when two look alike. */
  #onlySorted(): number {
    const colours = this.#colours;
    let key = 0;
    for (let at = 0; at < this.#count; at++) {
      let place = this.#firstAlike[at] as number;
      for (let other = 0; other < this.#count; other++) {
        if (other === at || this.#firstAlike[other] !== this.#firstAlike[at]) continue;
        if (colours[other] === colours[at]) return -1;
        if ((colours[other] as number) < (colours[at] as number)) place++;
      }
      key = key * 8 + place;
    }
    return this.#byPlaces.get(key) as number;
  }

  #isSorted(from: readonly number[]): boolean {
    for (let at = 1; at < from.length; at++) {
      if (this.#firstAlike[at] !== this.#firstAlike[at - 1]) continue;
      if ((this.#colours[from[at - 1] as number] as number) > (this.#colours[from[at] as number] as number))
        return false;
    }
    return true;
  }

  #rename(renaming: number, words: Int32Array): void {
    const to = this.renamings[renaming] as readonly number[];
    const { next } = this;
    for (let peer = 0; peer < this.#count; peer++) {
      const at = 2 * (to[peer] as number);
      const net = next[2 * peer + 1] as number;
      words[at] =
        renaming === 0 ? (next[2 * peer] as number) : this.locals.renamed(next[2 * peer] as number, renaming);
      words[at + 1] = renaming === 0 ? net : this.nets.renamed(net >> 2, renaming) * 4 + (net & 3);
    }
    words[this.size - 1] = next[this.size - 1] as number;
  }

  #movesOf(words: Int32Array, peer: number, visit: Visit): void {
    const { wipes, crashes, transfers } = this.#left(words);
    const local = this.local(words, peer);
    const attempt = (input: number): void => {
      const violation = this.#give(words, peer, input);
      if (violation !== UNCHANGED) visit(peer * INPUTS + input, violation);
    };
    if (crashes > 0) attempt(CRASH);
    if (wipes > 0 && this.#mayBeWiped(words, peer)) attempt(WIPE);
    if (local.pendingTerm !== NONE) {
      if (crashes > 0) attempt(CRASH_SAVED);
      attempt(SAVED);
      return;
    }
    attempt(TICK);
    let known = 0;
    for (let from = 0; from < this.#count; from++) {
      if (from === peer) continue;
      known = Math.max(known, this.local(words, from).savedTerm);
      const net = this.nets.all[(words[2 * from + 1] as number) >> 2] as readonly number[];
      for (const code of net)
        if (reaches(code, from, peer) && !this.nets.hasDied(code)) attempt(deliver(from, code));
    }
    for (let term = local.term + 1; term <= known; term++) attempt(LEARN + term);
    if (transfers === 0 || local.state !== LEADER) return;
    for (let to = 0; to < this.#bounds.voters; to++) if (to !== peer) attempt(RESIGN + to);
  }

  /** Gives an input to `peer`; what follows stands in `next`. */
  #give(words: Int32Array, peer: number, input: number): string | null {
    const before = words[2 * peer] as number;
    const done = this.locals.transition(before, input);
    if (done.isCut) return UNCHANGED;
    if (done.violation !== null) return done.violation;
    const { next } = this;
    next.set(words);
    next[2 * peer] = done.local;
    if (done.ends !== 0) this.#end(peer, done.ends);
    if (input < TICK && kindOf(input % CODES) === ACK) this.#dropOvertaken(peer, Math.floor(input / CODES));
    const net = next[2 * peer + 1] as number;
    next[2 * peer + 1] = this.#withEmits(net >> 2, done, peer) * 4 + (net & 3);
    const cost = done.isCrash ? A_CRASH : input === WIPE ? A_WIPE : input >= RESIGN ? A_TRANSFER : 0;
    if (cost > 0) next[this.size - 1] = (next[this.size - 1] as number) - cost;
    else if (done.local === before && !isLess(words, next) && !isLess(next, words)) return UNCHANGED;
    return this.#violatedBy(peer, this.locals.all[before] as Local, words, done.isCrash);
  }

  #end(peer: number, what: number): void {
    const { next } = this;
    for (let owner = 0; owner < this.#count; owner++) {
      const net = next[2 * owner + 1] as number;
      next[2 * owner + 1] = this.nets.ended(net >> 2, owner, peer, what) * 4 + (net & 3);
    }
  }

  /** An acknowledgement of an older beat than the newest that `from` acknowledged changes nothing. */
  #dropOvertaken(leader: number, from: number): void {
    const age = this.local(this.next, leader).sent[from] as number;
    if (age === NONE || this.#bounds.keepDead) return;
    const net = this.next[2 * from + 1] as number;
    this.next[2 * from + 1] = this.nets.withoutAcks(net >> 2, leader, age) * 4 + (net & 3);
  }

  /** The messages that leave are added, but for answers that can matter no more. */
  #withEmits(net: number, { emits, emitsId }: Transition, from: number): number {
    if (emits.length === 0) return net;
    const last = emits[emits.length - 1] as number;
    if (this.#bounds.keepDead || !this.#isDead(last, from)) return this.nets.with(net, emits, emitsId);
    if (emits.length === 1) return this.nets.with(net, [], this.#noEmits);
    const rest = emits.slice(0, -1);
    return this.nets.with(net, rest, this.locals.emitsId(rest));
  }

  #isDead(code: number, from: number): boolean {
    if (kindOf(code) === ACK && ageOf(code) === this.cores.oldAge) return true;
    const to = toOf(code);
    return to < this.#count && isDead(this.local(this.next, to), code, from);
  }

  /** Lets one unit of time go by, on the clocks of `mask`. */
  #pass(words: Int32Array, mask: number): boolean {
    const { slowClocks } = this.#bounds;
    const { next } = this;
    next.set(words);
    let stood = 0;
    for (let peer = 0; peer < this.#count; peer++) {
      const went = (words[2 * peer + 1] as number) & 3;
      const net = (words[2 * peer + 1] as number) >> 2;
      const goes = (mask & (1 << peer)) !== 0;
      if (!goes && went < slowClocks) return false;
      if (!goes) stood++;
      if (goes) next[2 * peer] = this.locals.transition(words[2 * peer] as number, PASS).local;
      const count = goes ? Math.min(slowClocks, went + 1) : 0;
      next[2 * peer + 1] = this.nets.aged(net, peer, mask) * 4 + count;
    }
    if (stood > this.#left(words).stands) return false;
    if (this.#bounds.stands < 15) next[this.size - 1] = (next[this.size - 1] as number) - stood;
    return isLess(words, next) || isLess(next, words);
  }

  #left(words: Int32Array) {
    const left = words[this.size - 1] as number;
    return {
      wipes: Math.floor(left / A_WIPE),
      crashes: Math.floor(left / A_CRASH) & 15,
      transfers: Math.floor(left / A_TRANSFER) & 15,
      stands: left & 15,
    };
  }

  /** Of the stores that are lost at a time there are fewer than a majority. */
  #mayBeWiped(words: Int32Array, peer: number): boolean {
    const { voters } = this.#bounds;
    let empty = 0;
    for (let other = 0; other < voters; other++)
      if (other !== peer && this.local(words, other).rejoin !== NONE) empty++;
    return peer < voters && empty < Math.floor(voters / 2);
  }

  #violatedBy(peer: number, before: Local, words: Int32Array, isCrash: boolean): string | null {
    const { next, nets } = this;
    const net = (next[2 * peer + 1] as number) >> 2;
    const after = this.local(next, peer);
    if (nets.votesTwice[net] === true && after.wiped === 0) return 'S4: a peer votes twice in one term';
    if (isCrash && after.wiped === 0 && after.term < (nets.maxTerm[net] as number))
      return `S3: a peer that spoke in term ${nets.maxTerm[net]} restarts in term ${after.term}`;
    const led = nets.beatTerms[(words[2 * peer + 1] as number) >> 2] as number;
    if (before.state !== LEADER && after.state === LEADER && (led & (1 << after.term)) !== 0)
      return `S1: a peer leads term ${after.term} a second time`;
    return this.#violated();
  }

  /** What must hold of the whole. */
  #violated(): string | null {
    const { next } = this;
    let leaders = 0;
    let terms = 0;
    for (let peer = 0; peer < this.#count; peer++) {
      if (this.locals.leads[next[2 * peer] as number] === true) leaders++;
      const led = this.nets.beatTerms[(next[2 * peer + 1] as number) >> 2] as number;
      if ((terms & led) !== 0) return 'S1: two peers win one term';
      terms |= led;
    }
    return leaders > 1 ? 'S2: two peers lead at one instant' : null;
  }
}

/** What each costs of what the bounds allow. */
const A_TRANSFER = 16;
const A_CRASH = 256;
const A_WIPE = 4096;

/** What stands for a violation where nothing changes. */
const UNCHANGED = 'unchanged';

function isLess(a: Int32Array, b: Int32Array): boolean {
  for (let at = 0; at < a.length; at++) {
    const difference = (a[at] as number) - (b[at] as number);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** Observers differ from voters, and a voter of a longer L from the others. */
function firstAlike(at: number, { voters, longer }: Bounds): number {
  if (at >= voters) return voters;
  return longer > 0 && at > 0 ? 1 : 0;
}

/** All renamings among those of a kind; the first changes nothing. */
function renamingsOf(firstAlike: readonly number[]): readonly (readonly number[])[] {
  return permutations(firstAlike.length).filter((to) =>
    to.every((place, at) => firstAlike[place] === firstAlike[at]),
  );
}

function permutations(count: number): readonly (readonly number[])[] {
  if (count === 0) return [[]];
  return permutations(count - 1).flatMap((rest) =>
    Array.from({ length: count }, (_, at) => rest.toSpliced(rest.length - at, 0, count - 1)),
  );
}
