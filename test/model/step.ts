import type { RaftCore } from '../../src/core/core.js';
import type { Output } from '../../src/core/outputs.js';
import type { Bounds } from './bounds.js';
import { CANDIDATE, type Cores, FOLLOWER, ID, LEADER, type Local, NONE, NOW, UNIT } from './local.js';
import {
  ACK,
  ALL,
  ANSWER,
  ageOf,
  BEAT,
  CODES,
  EMPTY_ANSWER,
  GRANT,
  kindOf,
  message,
  ORDER,
  PRE_GRANT,
  PRE_VOTE,
  QUESTION,
  TRANSFER_VOTE,
  termOf,
  textOfMessage,
  VOTE,
} from './message.js';

/** What can happen to one peer: a message arrives (`from * CODES + code`), or one of these. */
const SPECIAL = 8 * CODES;
export const TICK = SPECIAL;
export const PASS = SPECIAL + 1;
/** A crash with a restart, during a save with the old or the new record. */
export const CRASH = SPECIAL + 2;
export const CRASH_SAVED = SPECIAL + 3;
export const SAVED = SPECIAL + 4;
/** A crash with a restart, and with the loss of the store. */
export const WIPE = SPECIAL + 5;
/** It learns that another peer is in a term. */
export const LEARN = SPECIAL + 8;
export const RESIGN = SPECIAL + 16;
export const INPUTS = SPECIAL + 24;

export const deliver = (from: number, code: number): number => from * CODES + code;

/** What an input does to a peer. */
export interface Step {
  readonly next: Local;
  /** The messages that leave. */
  readonly emits: readonly number[];
  /** Whether what belongs to its round, leadership or candidacy before can matter no more. */
  readonly endsRound: boolean;
  readonly endsLeadership: boolean;
  readonly endsCandidacy: boolean;
  /** Whether it has recovered, or begins to recover anew. */
  readonly endsRejoin: boolean;
  /** Whether a bound forbids it. */
  readonly isCut: boolean;
  readonly violation: string | null;
}

/** Gives an input to the real core that `local` tells of. */
export function step(cores: Cores, bounds: Bounds, local: Local, input: number): Step {
  if (input === CRASH || input === CRASH_SAVED || input === WIPE) return restarted(cores, local, input);
  const core = cores.core(local);
  if (input === PASS) {
    const { wiped } = local;
    const held = aged(local.held, cores.oldAge);
    return { ...QUIET, next: { ...cores.local(core, local.owner, NOW + UNIT), wiped, held } };
  }
  const run = new Run(cores, bounds, core, local);
  run.take(input);
  const next = { ...cores.local(core, local.owner), wiped: local.wiped, held: run.held };
  return {
    next,
    emits: run.emits,
    endsRound: cores.openedRound(core) || (!bounds.keepDead && local.round !== NONE && next.round === NONE),
    endsLeadership: local.state === LEADER && next.state !== LEADER,
    endsCandidacy: local.state === CANDIDATE && (next.state !== CANDIDATE || next.term > local.term),
    endsRejoin: local.rejoin !== NONE && next.rejoin === NONE,
    isCut:
      [...run.emits, ...run.held].some((code) => termOf(code) > bounds.terms) || next.term > bounds.terms,
    violation: run.violation ?? changed(local, next),
  };
}

/** Acknowledgements that wait for a save grow old, too. */
function aged(held: readonly number[], oldAge: number): number[] {
  return held.map((code) => {
    return kindOf(code) === ACK && ageOf(code) < oldAge ? code + 1 : code;
  });
}

function restarted(cores: Cores, local: Local, input: number): Step {
  const { owner, pendingTerm, pendingVote, savedTerm, savedVote, savedPromise } = local;
  const isSaved = input === CRASH_SAVED && pendingTerm !== NONE;
  const isEmpty = input === WIPE || local.rejoin !== NONE;
  const started = isSaved
    ? cores.started(owner, pendingTerm, pendingVote, savedPromise)
    : cores.started(owner, savedTerm, savedVote, savedPromise, isEmpty);
  const next = { ...started, wiped: input === WIPE ? 1 : local.wiped };
  const isForgetful =
    !isEmpty && pendingTerm === NONE && (next.term !== local.term || next.voteFor !== local.voteFor);
  const violation = isForgetful ? `S3, S4: a restart forgets the vote of term ${local.term}` : null;
  return {
    next,
    emits: [],
    endsRound: true,
    endsLeadership: true,
    endsCandidacy: true,
    endsRejoin: true,
    isCut: false,
    violation,
  };
}

const QUIET = {
  emits: [],
  endsRound: false,
  endsLeadership: false,
  endsCandidacy: false,
  endsRejoin: false,
  isCut: false,
  violation: null,
} as const;

/** What must hold of one peer alone. */
function changed(before: Local, after: Local): string | null {
  if (after.term < before.term) return `S3: term ${before.term} becomes ${after.term}`;
  if (after.term > before.term || before.voteFor === NONE || after.voteFor === before.voteFor) return null;
  return `S4: the vote of term ${after.term} changes`;
}

/** One input, carried out as a driver does: save, then what is behind it, then the answer. */
class Run {
  readonly emits: number[] = [];
  held: number[] = [];
  violation: string | null = null;
  readonly #cores: Cores;
  readonly #lateSaves: boolean;
  readonly #core: RaftCore;
  readonly #local: Local;
  #waits = false;

  constructor(cores: Cores, { lateSaves }: Bounds, core: RaftCore, local: Local) {
    this.#cores = cores;
    this.#lateSaves = lateSaves;
    this.#core = core;
    this.#local = local;
  }

  take(input: number): void {
    const reply = this.#attempt(() => this.#give(input));
    this.#attempt(() => this.#carryOut(this.#core.takeOutputs()));
    if (reply !== undefined) this.#leave(reply);
    if (input === SAVED) for (const code of this.#local.held) this.#leave(code);
  }

  #attempt<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      const { code, message: text } = error as { code?: string; message: string };
      if (code === undefined || code === 'INTERNAL') this.violation = text;
      return undefined;
    }
  }

  /** @returns the reply, if it is one that counts */
  #give(input: number): number | undefined {
    if (input < SPECIAL) return this.#deliver(Math.floor(input / CODES), input % CODES);
    if (input === TICK) this.#core.tick(NOW);
    else if (input === SAVED) {
      const { pendingTerm: term, pendingVote } = this.#local;
      const { voteFor } = this.#cores.snapshot(this.#local.owner, FOLLOWER, term, pendingVote);
      const promisedMs = this.#core.getPeer(NOW).promisedMs ?? 0;
      this.#core.saved({ term, voteFor, promisedMs }, NOW);
    } else if (input >= RESIGN) this.#core.resign(NOW, this.#cores.names[input - RESIGN]);
    else {
      const from = this.#local.owner === 0 ? 1 : 0;
      const peer = this.#cores.snapshot(from, FOLLOWER, input - LEARN, NONE);
      this.#core.receivedVoteReply(peer.ip, { ...peer, granted: false }, NOW);
    }
    return undefined;
  }

  #deliver(from: number, code: number): number | undefined {
    const cores = this.#cores;
    const core = this.#core;
    const { owner } = this.#local;
    const term = termOf(code);
    const name = cores.names[from] as string;
    switch (kindOf(code)) {
      case VOTE:
      case TRANSFER_VOTE: {
        const transfer = kindOf(code) === TRANSFER_VOTE;
        const reply = core.receivedVote(cores.vote(from, term, transfer ? { transfer } : {}), NOW);
        return reply.granted ? message(GRANT, reply.term, from) : undefined;
      }
      case PRE_VOTE: {
        const { round } = cores;
        const reply = core.receivedVote(cores.vote(from, term, { preVote: true, round }), NOW);
        return reply.granted ? message(PRE_GRANT, 0, from) : undefined;
      }
      case BEAT: {
        const reply = core.receivedBeat(cores.beat(from, term, ageOf(code)), NOW);
        return message(ACK, reply.requestTerm, from, ageOf(code));
      }
      case QUESTION: {
        const { term: own, empty } = core.getPeer(NOW, ID);
        return message(empty === true ? EMPTY_ANSWER : ANSWER, own, from);
      }
      case ANSWER:
      case EMPTY_ANSWER:
        core.receivedPeer(name, cores.answer(from, term, kindOf(code) === EMPTY_ANSWER), NOW);
        return undefined;
      case ORDER:
        core.receivedTransfer({ peer: cores.snapshot(from, LEADER, term, from) }, NOW);
        return undefined;
      case GRANT:
        core.receivedVoteReply(name, { ...cores.snapshot(from, FOLLOWER, term, owner), granted: true }, NOW);
        return undefined;
      case PRE_GRANT: {
        // Its term is at most the candidate's: it was granted for a higher one.
        const peer = cores.snapshot(from, FOLLOWER, 0, NONE);
        core.receivedVoteReply(name, { ...peer, granted: true, round: cores.round }, NOW);
        return undefined;
      }
      default: {
        const { sentAt } = cores.beat(from, term, ageOf(code));
        const answer = { ...cores.snapshot(from, FOLLOWER, term, owner), requestTerm: term };
        core.receivedBeatReply(name, sentAt === undefined ? answer : { ...answer, sentAt }, NOW);
        return undefined;
      }
    }
  }

  #carryOut(outputs: readonly Output[]): void {
    for (const output of outputs) {
      if (output.type === 'save') {
        if (this.#lateSaves) this.#waits = true;
        else {
          this.#core.saved(output.state, NOW);
          this.#carryOut(this.#core.takeOutputs());
        }
      } else if (output.type === 'send') this.#leave(this.#coded(output.request, output.to));
      else if (output.type !== 'fetchPeer')
        throw new Error(`no core without a registry has a ${output.type}`);
      else if (output.id !== undefined) this.#leave(message(QUESTION, 0));
    }
  }

  #coded(request: Extract<Output, { type: 'send' }>['request'], to: readonly string[]): number {
    if (request.type === 'beat') return message(BEAT, request.peer.term);
    if (request.type === 'transfer') {
      return message(ORDER, request.peer.term, this.#cores.names.indexOf(to[0] ?? ''));
    }
    if (request.type !== 'vote') throw new Error(`no core sends ${request.type}`);
    const kind = request.preVote === true ? PRE_VOTE : request.transfer === true ? TRANSFER_VOTE : VOTE;
    return message(kind, request.peer.term);
  }

  #leave(code: number): void {
    if (this.#waits) this.held.push(code);
    else this.emits.push(code);
  }
}

/** The input as a person reads it. */
export function textOfInput(input: number, peer: number, names: readonly string[]): string {
  const name = names[peer];
  if (input < SPECIAL) {
    const code = input % CODES;
    const kind = kindOf(code);
    const text = textOfMessage(code, names).replace(/ to \w+$/, '');
    return `${name} receives ${text} of ${names[Math.floor(input / CODES)]}${kind === BEAT ? ' and acknowledges it' : ''}`;
  }
  if (input === TICK) return `${name} does what is due`;
  if (input === CRASH) return `${name} crashes and restarts`;
  if (input === CRASH_SAVED) return `${name} crashes and restarts; its save was done`;
  if (input === WIPE) return `${name} crashes, loses its store and restarts`;
  if (input === SAVED) return `the save of ${name} is done`;
  if (input >= RESIGN) return `${name} resigns for ${names[input - RESIGN]}`;
  return `${name} learns of term ${input - LEARN}`;
}

/** Whom a message of `from` may reach. */
export function reaches(code: number, from: number, to: number): boolean {
  const addressee = (code >> 3) & 7;
  return addressee === ALL ? to !== from : to === addressee;
}
