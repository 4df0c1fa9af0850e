import type { Bounds } from './bounds.js';
import { CANDIDATE, type Cores, LEADER, type Local, NONE } from './local.js';
import { ACK, ageOf, GRANT, kindOf, PRE_GRANT, renamed, termOf } from './message.js';
import { END_CANDIDACY, END_LEADERSHIP, END_REJOIN, END_ROUND } from './nets.js';
import { CRASH, CRASH_SAVED, INPUTS, type Step, step } from './step.js';

/** What an input leads to, in numbers. */
export interface Transition {
  readonly local: number;
  readonly emits: readonly number[];
  /** A number for `emits`. */
  readonly emitsId: number;
  /** What of the peer is over, as bits: `END_ROUND` and so on. */
  readonly ends: number;
  readonly isCrash: boolean;
  readonly isCut: boolean;
  readonly violation: string | null;
}

/** All locals that were met, each with a number, and what each input does to them: the core is asked once. */
export class Locals {
  readonly all: Local[] = [];
  /** The same for peers that differ in name alone. */
  readonly colours: number[] = [];
  readonly leads: boolean[] = [];
  readonly #cores: Cores;
  readonly #bounds: Bounds;
  readonly #ids = new Map<string, number>();
  readonly #colourIds = new Map<string, number>();
  readonly #steps: (Transition | undefined)[][] = [];
  readonly #renamed: Int32Array[] = [];
  readonly #renamings: readonly (readonly number[])[];
  readonly #inputIds = new Int16Array(INPUTS);
  #inputs = 0;
  readonly #emits = new Map<string, number>();
  /** How many steps the core itself was asked for. */
  asked = 0;

  /** @param renamings the new number of each peer, for each renaming */
  constructor(cores: Cores, bounds: Bounds, renamings: readonly (readonly number[])[]) {
    this.#cores = cores;
    this.#bounds = bounds;
    this.#renamings = renamings;
  }

  id(local: Local): number {
    const key = keyOf(local);
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.all.length;
    this.#ids.set(key, id);
    this.all.push(local);
    this.leads.push(local.leads === 1);
    this.colours.push(numberOf(this.#colourIds, colourOf(local)));
    this.#steps.push([]);
    this.#renamed.push(new Int32Array(this.#renamings.length).fill(NONE));
    return id;
  }

  /** The local `id` under the renaming of that number. */
  renamed(id: number, renaming: number): number {
    const row = this.#renamed[id] as Int32Array;
    const known = row[renaming] as number;
    if (known !== NONE) return known;
    const to = this.#renamings[renaming] as readonly number[];
    const other = this.id(renamedLocal(this.all[id] as Local, to));
    row[renaming] = other;
    return other;
  }

  transition(id: number, input: number): Transition {
    let at = this.#inputIds[input] as number;
    if (at === 0) {
      at = ++this.#inputs;
      this.#inputIds[input] = at;
    }
    const row = this.#steps[id] as (Transition | undefined)[];
    const known = row[at];
    if (known !== undefined) return known;
    this.asked++;
    const done = this.#numbered(step(this.#cores, this.#bounds, this.all[id] as Local, input), input);
    while (row.length < at) row.push(undefined);
    row[at] = done;
    return done;
  }

  /** The number of a list of messages. */
  emitsId(emits: readonly number[]): number {
    return numberOf(this.#emits, emits.join());
  }

  #ends({ endsRound, endsLeadership, endsCandidacy, endsRejoin }: Step): number {
    const own = (endsRound ? END_ROUND : 0) | (endsRejoin ? END_REJOIN : 0);
    if (this.#bounds.keepDead) return own;
    return own | (endsLeadership ? END_LEADERSHIP : 0) | (endsCandidacy ? END_CANDIDACY : 0);
  }

  #numbered(done: Step, input: number): Transition {
    const { emits, isCut, violation } = done;
    const isCrash = input === CRASH || input === CRASH_SAVED;
    const local = this.id(done.next);
    return {
      local,
      emits,
      emitsId: this.emitsId(emits),
      ends: this.#ends(done),
      isCrash,
      isCut,
      violation,
    };
  }
}

function numberOf(ids: Map<string, number>, key: string): number {
  const known = ids.get(key);
  if (known !== undefined) return known;
  ids.set(key, ids.size);
  return ids.size - 1;
}

function keyOf(local: Local): string {
  return Object.values(local).join(' ');
}

function renamedLocal(local: Local, to: readonly number[]): Local {
  const peer = (at: number): number => (at === NONE ? NONE : (to[at] as number));
  const peers = (bits: number): number => {
    if (bits === NONE) return NONE;
    return to.reduce((sum, now, at) => ((bits & (1 << at)) === 0 ? sum : sum | (1 << now)), 0);
  };
  const sent = [...local.sent];
  for (const [at, age] of local.sent.entries()) sent[peer(at)] = age;
  const answers = [...local.answers];
  for (const [at, answer] of local.answers.entries()) answers[peer(at)] = answer;
  return {
    ...local,
    owner: peer(local.owner),
    voteFor: peer(local.voteFor),
    lastLeader: peer(local.lastLeader),
    votes: peers(local.votes),
    holder: peer(local.holder),
    round: peers(local.round),
    sent,
    answers,
    savedVote: peer(local.savedVote),
    pendingVote: peer(local.pendingVote),
    held: local.held.map((code) => renamed(code, to)),
  };
}

/** All of `local` that does not name a peer. */
function colourOf(local: Local): string {
  const { owner } = local;
  const peer = (at: number): string => (at === NONE ? '-' : at === owner ? 's' : 'o');
  const count = (bits: number): string => {
    return bits === NONE ? '-' : String([...bits.toString(2)].filter((bit) => bit === '1').length);
  };
  return [
    local.state,
    local.term,
    local.promise,
    local.gained,
    local.over,
    local.leaseLeft,
    local.electedAge,
    local.savedTerm,
    local.savedPromise,
    local.pendingTerm,
    peer(local.voteFor),
    peer(local.lastLeader),
    peer(local.holder),
    peer(local.savedVote),
    peer(local.pendingVote),
    count(local.votes),
    count(local.round),
    local.sent.toSorted((a, b) => a - b),
    local.rejoin,
    local.wiped,
    local.answers.toSorted((a, b) => a - b),
  ].join(' ');
}

/** Whether an answer of `from` that comes to `local` now can matter no more, by the rules. */
export function isDead(local: Local, code: number, from: number): boolean {
  const { state, term, sent, round } = local;
  if (kindOf(code) === PRE_GRANT) return round === NONE;
  if (kindOf(code) === GRANT) return state !== CANDIDATE || term !== termOf(code);
  if (kindOf(code) !== ACK) return false;
  const known = sent[from] as number;
  return state !== LEADER || term !== termOf(code) || (known !== NONE && known <= ageOf(code));
}
