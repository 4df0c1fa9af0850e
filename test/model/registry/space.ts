import type { Batch } from '../../../src/core/datum.js';
import type { Kernel } from '../build.js';
import type { Space, Visit } from '../search.js';
import type { RegistryBounds } from './bounds.js';
import { colourOf, type Keeper, renamedKeeper } from './keeper.js';
import { Keepers } from './keepers.js';
import { type Message, textOf, textOfMessage } from './message.js';
import { Numbers, Table } from './numbers.js';
import { broken, type Past, withStep } from './promises.js';
import {
  type Answer,
  CAMPAIGN,
  CRASH,
  CRASH_LAGGING,
  DELIVER,
  EXPIRE,
  LEARN,
  RELEASE,
  step,
  TIMEOUT,
  type World,
  WRITE,
} from './step.js';

/** What an input leads to, in numbers. */
interface Transition {
  readonly keeper: number;
  readonly emits: readonly number[];
  readonly answers: readonly Answer[];
  readonly isCrash: boolean;
  /** Whether it can bear upon the past: something is committed, won or answered. */
  readonly isNews: boolean;
  /** What each past becomes, or what it breaks. */
  readonly pasts: Map<number, number | string>;
  readonly violation: string | null;
}

/** What becomes of each number under one renaming. */
interface Renamed {
  readonly keepers: Table<number>;
  readonly nets: Table<number>;
  readonly pasts: Table<number>;
}

/** Up to which save of one input a peer may crash. */
const SAVES = 2;
const A_WRITE = 1;
const A_CRASH = 16;

/** A move is one of an input, the save in which the peer crashes, and the peer. */
const moveOf = (peer: number, input: number, crashAt: number): number =>
  (input * (SAVES + 1) + crashAt) * 8 + peer;

/**
 * The states of a cluster that keeps data: for each peer two words, what it is and what it sent, then one for the past and
 * one for what the bounds still allow.
 */
export class RegistrySpace implements Space {
  readonly size: number;
  readonly next: Int32Array;
  asked = 0;
  readonly #world: World;
  readonly #count: number;
  readonly #keepers = new Numbers<Keeper>();
  readonly #batches = new Numbers<Batch>();
  readonly #messages = new Numbers<Message>();
  /** Sets of messages, as sorted numbers. */
  readonly #nets = new Numbers<readonly number[]>();
  readonly #pasts = new Numbers<Past>();
  readonly #colours = new Numbers<string>();
  readonly #netColours = new Numbers<string>();
  readonly #transitions = new Table<Map<number, Transition | null>>(() => new Map());
  readonly #keeperColours: Table<number>;
  readonly #netsColours: Table<number>;
  readonly #renamings: readonly (readonly number[])[];
  readonly #renamed: readonly Renamed[];
  readonly #trial: Int32Array;
  readonly #best: Int32Array;

  constructor(kernel: Kernel, bounds: RegistryBounds) {
    const keepers = new Keepers(kernel, bounds);
    this.#world = { kernel, keepers, bounds };
    this.#count = bounds.voters;
    this.size = 2 * this.#count + 2;
    this.next = new Int32Array(this.size);
    this.#trial = new Int32Array(this.size);
    this.#best = new Int32Array(this.size);
    this.#keeperColours = new Table((id) => this.#colours.id(colourOf(this.#keepers.get(id))));
    this.#netsColours = new Table((id) => this.#netColours.id(this.#netColour(id)));
    this.#renamings = permutations(this.#count);
    this.#renamed = this.#renamings.map((to) => ({
      keepers: new Table((id) => this.#keepers.id(renamedKeeper(this.#keepers.get(id), to))),
      nets: new Table((id) => this.#renamedNet(id, to)),
      pasts: new Table((id) => this.#pasts.id(renamedPast(this.#pasts.get(id), to))),
    }));
  }

  /** All peers start at once, with stores that hold nothing. */
  initial(): Int32Array {
    const { bounds, keepers } = this.#world;
    const words = new Int32Array(this.size);
    const base = { revision: { term: 0, seq: 0 }, stampFloor: 0, datums: [] };
    for (let peer = 0; peer < this.#count; peer++) {
      words[2 * peer] = this.#keepers.id(keepers.started(peer, 0, -1, { base, tail: [] }));
      words[2 * peer + 1] = this.#net([]);
    }
    const winners = Array.from({ length: bounds.terms + 1 }, () => -1);
    words[this.size - 2] = this.#pasts.id({ committed: [], winners, failed: [] });
    words[this.size - 1] = bounds.crashes * A_CRASH + bounds.writes.length * A_WRITE;
    return words;
  }

  /** All peers that were met. */
  get keepers(): readonly Keeper[] {
    return this.#keepers.all;
  }

  /** All peers of `words`. */
  peers(words: Int32Array): readonly Keeper[] {
    const peers: Keeper[] = [];
    for (let at = 0; at < this.#count; at++) peers.push(this.#keeper(words, at));
    return peers;
  }

  moves(words: Int32Array, visit: Visit): void {
    for (let peer = 0; peer < this.#count; peer++) {
      for (const input of this.#ownInputs(words, peer)) this.#attempt(words, peer, input, visit);
      for (let from = 0; from < this.#count; from++)
        for (const message of this.#nets.get(words[2 * from + 1] as number))
          if (this.#messages.get(message).to === peer) this.#attempt(words, peer, DELIVER + message, visit);
    }
  }

  canonical(): number {
    let chosen = -1;
    for (const [renaming, to] of this.#renamings.entries()) {
      if (!this.#isSorted(to)) continue;
      const words = chosen === -1 ? this.#best : this.#trial;
      this.#rename(renaming, words);
      if (chosen === -1) chosen = renaming;
      else if (isLess(this.#trial, this.#best)) {
        this.#best.set(this.#trial);
        chosen = renaming;
      }
    }
    copy(this.#best, this.next);
    return chosen;
  }

  readable(moves: readonly number[]): readonly string[] {
    let { names } = this.#world.keepers;
    this.next.set(this.initial());
    return moves.map((move, at) => {
      const to = this.#renamings[this.canonical()] as readonly number[];
      names = names.map((_, now) => names[to.indexOf(now)] as string);
      const words = Int32Array.from(this.next);
      const peer = move % 8;
      const input = Math.floor(move / 8 / (SAVES + 1));
      const crashAt = Math.floor(move / 8) % (SAVES + 1);
      this.#give(words, peer, input, crashAt);
      const after = this.#keepers.get(this.next[2 * peer] as number);
      return `${at + 1}. ${names[peer]} ${this.#textOfInput(input, names)}${crashAt > 0 ? ', crashes as it saves and restarts' : ''}: ${textOfKeeper(after)}`;
    });
  }

  /** What needs no message. */
  #ownInputs(words: Int32Array, peer: number): readonly number[] {
    const { bounds } = this.#world;
    const inputs: number[] = [];
    const left = words[this.size - 1] as number;
    const { state, term, leads, catchUp, stored, base } = this.#keeper(words, peer);
    if (left >= A_CRASH) inputs.push(CRASH);
    if (left >= A_CRASH && stored.base.revision.seq < base.revision.seq) inputs.push(CRASH_LAGGING);
    if (term < bounds.terms) inputs.push(CAMPAIGN);
    if (state === 'LEADER') {
      if (bounds.keepDead) inputs.push(EXPIRE);
      if (leads?.pinned != null) inputs.push(RELEASE);
      const writes = left % A_CRASH;
      if (writes > 0) inputs.push(WRITE + bounds.writes.length - writes);
    }
    if (catchUp !== null && (catchUp.isListing || catchUp.open.length > 0)) inputs.push(TIMEOUT);
    if (bounds.keepDead) inputs.push(...this.#newTerms(words, term));
    return inputs;
  }

  /** The terms that a peer of `term` may learn of. */
  #newTerms(words: Int32Array, term: number): readonly number[] {
    let known = term;
    for (let from = 0; from < this.#count; from++) known = Math.max(known, this.#keeper(words, from).term);
    return Array.from({ length: known - term }, (_, at) => LEARN + term + 1 + at);
  }

  #attempt(words: Int32Array, peer: number, input: number, visit: Visit): void {
    const isCrash = input === CRASH || input === CRASH_LAGGING;
    const saves = isCrash || (words[this.size - 1] as number) < A_CRASH ? 0 : SAVES;
    for (let crashAt = 0; crashAt <= saves; crashAt++) {
      const violation = this.#give(words, peer, input, crashAt);
      if (violation !== UNCHANGED) visit(moveOf(peer, input, crashAt), violation);
    }
  }

  /** Gives an input to `peer`; what follows stands in `next`. */
  #give(words: Int32Array, peer: number, input: number, crashAt: number): string | null {
    const before = words[2 * peer] as number;
    const done = this.#transition(before, input, crashAt);
    if (done === null) return UNCHANGED;
    if (done.violation !== null) return done.violation;
    const { next } = this;
    copy(words, next);
    next[2 * peer] = done.keeper;
    if (done.keeper !== before) this.#dropDead(peer);
    if (done.emits.length > 0) this.#emit(peer, done.emits);
    if (done.isCrash) (next[this.size - 1] as number) -= A_CRASH;
    else if (input >= WRITE && input < DELIVER) (next[this.size - 1] as number) -= A_WRITE;
    else if (isSame(words, next)) return UNCHANGED;
    return this.#violated(peer, before, done);
  }

  #violated(peer: number, before: number, done: Transition): string | null {
    const { next } = this;
    const past = next[this.size - 2] as number;
    const now = done.isNews ? this.#pastAfter(past, before, done) : past;
    if (typeof now === 'string') return now;
    next[this.size - 2] = now;
    if (done.keeper === before) return null;
    return broken(this.#pasts.get(now), this.peers(next), peer, now !== past);
  }

  #pastAfter(past: number, before: number, done: Transition): number | string {
    const known = done.pasts.get(past);
    if (known !== undefined) return known;
    const after = this.#keepers.get(done.keeper);
    const now = withStep(
      this.#pasts.get(past),
      this.#keepers.get(before),
      after,
      done.answers,
      this.#world.bounds,
    );
    const id = typeof now === 'string' ? now : this.#pasts.id(now);
    done.pasts.set(past, id);
    return id;
  }

  #transition(id: number, input: number, crashAt: number): Transition | null {
    const row = this.#transitions.get(id);
    const key = input * (SAVES + 1) + crashAt;
    const known = row.get(key);
    if (known !== undefined) return known;
    this.asked++;
    const before = this.#keepers.get(id);
    const message = input >= DELIVER ? this.#messages.get(input - DELIVER) : null;
    const done = step(this.#world, before, input, message, crashAt);
    const transition =
      done === null
        ? null
        : {
            ...done,
            keeper: this.#keepers.id(this.#shared(done.next)),
            pasts: new Map(),
            emits: done.emits.map((emitted) => this.#messages.id(emitted)),
            isNews: done.isCrash || done.answers.length > 0 || isNews(before, done.next),
          };
    row.set(key, transition);
    return transition;
  }

  /** The same with batches that are shared: to compare them is cheap then. */
  #shared(keeper: Keeper): Keeper {
    const batches = keeper.batches.map((batch) => this.#batches.get(this.#batches.id(batch)));
    return { ...keeper, batches };
  }

  #keeper(words: Int32Array, peer: number): Keeper {
    return this.#keepers.get(words[2 * peer] as number);
  }

  /** @param messages in ascending order */
  #net(messages: readonly number[]): number {
    return this.#nets.id(messages, messages.join());
  }

  /** Drops what was sent to `peer` and can matter no more. */
  #dropDead(peer: number): void {
    const { next } = this;
    if (this.#world.bounds.keepDead) return;
    for (let from = 0; from < this.#count; from++) {
      if (from === peer) continue;
      const net = this.#nets.get(next[2 * from + 1] as number);
      let alive: number[] | null = null;
      for (let at = 0; at < net.length; at++) {
        const message = net[at] as number;
        if (this.#isDead(message, peer)) alive ??= net.slice(0, at);
        else alive?.push(message);
      }
      if (alive !== null) next[2 * from + 1] = this.#net(alive);
    }
  }

  #emit(peer: number, emits: readonly number[]): void {
    const { next } = this;
    const net = this.#nets.get(next[2 * peer + 1] as number);
    let all: number[] | null = null;
    for (const message of emits) {
      if ((all ?? net).includes(message)) continue;
      const { to } = this.#messages.get(message);
      if (!this.#world.bounds.keepDead && this.#isDead(message, to)) continue;
      all ??= [...net];
      all.push(message);
    }
    if (all !== null) next[2 * peer + 1] = this.#net(all.sort(ascending));
  }

  /** Whether a message to `peer` can matter no more, as things stand in `next`. */
  #isDead(message: number, peer: number): boolean {
    const sent = this.#messages.get(message);
    return sent.to === peer && isDead(this.#keeper(this.next, peer), sent);
  }

  /** Whether `to`, the new number of each peer, brings them into the order of their colours. */
  #isSorted(to: readonly number[]): boolean {
    let former = -1;
    for (let at = 0; at < to.length; at++) {
      const peer = to.indexOf(at);
      const keeper = this.#keeperColours.get(this.next[2 * peer] as number);
      const colour = keeper * 2 ** 26 + this.#netsColours.get(this.next[2 * peer + 1] as number);
      if (colour < former) return false;
      former = colour;
    }
    return true;
  }

  #rename(renaming: number, words: Int32Array): void {
    const to = this.#renamings[renaming] as readonly number[];
    const { next } = this;
    if (renaming === 0) {
      copy(next, words);
      return;
    }
    const { keepers, nets, pasts } = this.#renamed[renaming] as Renamed;
    for (let peer = 0; peer < this.#count; peer++) {
      const at = 2 * (to[peer] as number);
      words[at] = keepers.get(next[2 * peer] as number);
      words[at + 1] = nets.get(next[2 * peer + 1] as number);
    }
    words[this.size - 2] = pasts.get(next[this.size - 2] as number);
    words[this.size - 1] = next[this.size - 1] as number;
  }

  #renamedNet(id: number, names: readonly number[]): number {
    const messages = this.#nets.get(id).map((message) => this.#renamedMessage(message, names));
    return this.#net(messages.sort(ascending));
  }

  #renamedMessage(id: number, names: readonly number[]): number {
    const { from, to, content } = this.#messages.get(id);
    return this.#messages.id({ from: names[from] as number, to: names[to] as number, content });
  }

  #netColour(id: number): string {
    const texts = this.#nets.get(id).map((message) => JSON.stringify(this.#messages.get(message).content));
    return texts.sort().join();
  }

  #textOfInput(input: number, names: readonly string[]): string {
    if (input >= DELIVER) {
      const message = this.#messages.get(input - DELIVER);
      return `receives ${textOfMessage(message)} of ${names[message.from]}`;
    }
    if (input >= WRITE) return `takes write ${input - WRITE} in`;
    if (input >= LEARN) return `learns of term ${input - LEARN}`;
    return TEXTS[input] as string;
  }
}

const TEXTS = {
  [CAMPAIGN]: 'campaigns',
  [EXPIRE]: 'loses its lease',
  [RELEASE]: 'beats and lets go of its pinned base',
  [TIMEOUT]: 'waits in vain for what it asked for',
  [CRASH]: 'crashes and restarts',
  [CRASH_LAGGING]: 'crashes and restarts, with an older base',
} as Readonly<Record<number, string>>;

/** What stands for a violation where nothing changes. */
const UNCHANGED = 'unchanged';

/** Whether something was committed here, or won. */
function isNews(before: Keeper, after: Keeper): boolean {
  if (before.state !== 'LEADER' && after.state === 'LEADER') return true;
  return JSON.stringify(historyOf(before)) !== JSON.stringify(historyOf(after));
}

function historyOf({ base, since, batches }: Keeper): readonly unknown[] {
  return [base, since, batches.slice(0, base.revision.seq - since.seq)];
}

/**
 * Whether a message that comes to `keeper` now or later can matter no more, by the rules: it is of an older term, or
 * answers a candidacy or a leadership that is over, or tells a leader what it knows.
 */
function isDead({ state, term, voteFor, leads }: Keeper, { from, content }: Message): boolean {
  if (!('term' in content)) return false;
  if (content.term !== term) return content.term < term;
  if (content.kind === 'vote') return voteFor !== -1 && voteFor !== from;
  if (content.kind === 'grant') return state !== 'CANDIDATE';
  if (content.kind !== 'ack') return false;
  const { ok, match } = content.data;
  return leads === null || (ok && match.seq <= (leads.progress[from]?.match ?? -1));
}

function renamedPast(past: Past, to: readonly number[]): Past {
  return { ...past, winners: past.winners.map((peer) => to[peer] ?? peer) };
}

const ascending = (a: number, b: number): number => a - b;

/** Cheaper than `set` for so few words. */
function copy(from: Int32Array, to: Int32Array): void {
  for (let at = 0; at < from.length; at++) to[at] = from[at] as number;
}

function isSame(a: Int32Array, b: Int32Array): boolean {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

function isLess(a: Int32Array, b: Int32Array): boolean {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return (a[at] as number) < (b[at] as number);
  return false;
}

/** All renamings; the first changes nothing. */
function permutations(count: number): readonly (readonly number[])[] {
  if (count === 0) return [[]];
  return permutations(count - 1).flatMap((rest) =>
    Array.from({ length: count }, (_, at) => rest.toSpliced(rest.length - at, 0, count - 1)),
  );
}

/** The peer as a person reads it. */
function textOfKeeper({ state, term, base, since, batches, leads, catchUp }: Keeper): string {
  const behind = batches.map(({ revision }) => textOf(revision));
  const count = base.revision.seq - since.seq;
  const history = `${textOf(since)} [${behind.slice(0, count).join(' ')} | ${behind.slice(count).join(' ')}]`;
  const match = leads === null ? '' : `, match ${leads.progress.map((of) => of?.match ?? '-').join(' ')}`;
  return `${state} of term ${term}, ${history}${match}${catchUp === null ? '' : ', catches up'}`;
}
