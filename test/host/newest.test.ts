import fc from 'fast-check';
import { RaftError, type RaftRequest } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { A, B, C, Host, IN_USE, L, peer } from '../core/cluster.js';
import { beat, candidate, leaderOf } from '../core/support.js';
import { SEED } from '../node/messages.js';

/**
 * What the beats of hosts rest on (src/host/beats.ts): a core that is told only the newest of a series of beats, or of the
 * answers to its own beats, right before something else happens to it or its deadline comes, is as one that was told each
 * when it came.
 */

type From = typeof B | typeof C;

type Step = { readonly afterMs: number; readonly from: From } & (
  | { readonly does: 'beat'; readonly terms: number }
  | { readonly does: 'answer'; readonly agoMs: number }
  | { readonly does: 'vote'; readonly terms: number; readonly preVote: boolean; readonly transfer: boolean }
  | { readonly does: 'transfer' | 'tick' | 'ask' | 'resign' }
  | { readonly does: 'voteReply'; readonly granted: boolean }
  | { readonly does: 'failed'; readonly terms: number }
  | { readonly does: 'gain'; readonly ms: number }
);

const common = { afterMs: fc.oneof(fc.nat(L / 5), fc.nat(2 * L)), from: fc.constantFrom<From>(B, C) };
const terms = fc.integer({ min: -1, max: 2 });
const beats = fc.record({
  afterMs: fc.nat(300),
  from: fc.constantFrom<From>(B, B, B, B, B, C),
  does: fc.constant('beat' as const),
  terms: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, -1),
});
const answers = fc.record({ ...common, does: fc.constant('answer' as const), agoMs: fc.nat(L / 4) });
const other = fc.oneof(
  fc.record({
    ...common,
    does: fc.constant('vote' as const),
    terms,
    preVote: fc.boolean(),
    transfer: fc.boolean(),
  }),
  fc.record({
    ...common,
    does: fc.constantFrom('transfer' as const, 'tick' as const, 'ask' as const, 'resign' as const),
  }),
  fc.record({ ...common, does: fc.constant('voteReply' as const), granted: fc.boolean() }),
  fc.record({ ...common, does: fc.constant('failed' as const), terms }),
  fc.record({ ...common, does: fc.constant('gain' as const), ms: fc.nat(L) }),
);
/** Mostly `news`. */
function stepsOf(news: fc.Arbitrary<Step>): fc.Arbitrary<readonly Step[]> {
  return fc.array(fc.oneof({ weight: 5, arbitrary: news }, { weight: 1, arbitrary: other }), {
    maxLength: 60,
  });
}

type Input = (host: Host) => unknown;

/** Two cores of which the same is said, to one of them at once, to the other as late as can be. */
class Pair {
  now = 0;
  /** How often the lazy one was told less than the eager one. */
  spared = 0;
  readonly #eager: Host;
  readonly #lazy: Host;
  readonly #theirs: number;
  /** What the lazy one is still to be told, by whom it is of. */
  readonly #untold = new Map<From, Input>();
  /** When the newest beat was sent that each member acknowledged, by member and term. */
  readonly #heard = new Map<string, number>();
  #aheadMs = 0;

  constructor(random: number, own: number, theirs: number) {
    const make = (): Host =>
      new Host(
        A,
        [A, B, C],
        { ...IN_USE, term: 5 },
        {
          group: 'g',
          random: () => random,
          timing: { leaderTimeoutMs: own, heartbeatMs: 100, requestTimeoutMs: 50 },
        },
      );
    this.#eager = make();
    this.#lazy = make();
    this.#theirs = theirs;
    this.both((host) => host.core.tick(0));
  }

  /** A whole step: what comes due meanwhile is done first. */
  step(step: Step): void {
    const until = this.now + step.afterMs;
    for (let due = this.#due(); due <= until; due = this.#due()) {
      this.now = Math.max(this.now, due);
      this.both((host) => host.core.tick(this.now));
    }
    this.now = until;
    // A lease that ends as far as the lazy one knows is looked at before an answer can lengthen it (HostBeats).
    if (this.state === 'LEADER' && this.#lazy.core.nextDeadline() <= until) this.#catchUp();
    if (step.does === 'beat') this.#beat(step.from, this.#term + step.terms);
    else if (step.does === 'answer') this.#answer(step.from, step.agoMs);
    else this.both(this.#inputOf(step));
  }

  /** Makes this core the leader of the next term. */
  lead(): void {
    const former = this.#term;
    const term = former + 1;
    this.both((host) => host.core.receivedTransfer({ peer: leaderOf(B, former) }, this.now));
    const granted = { ...peer(B, { term, voteFor: A }), granted: true };
    this.both((host) => host.core.receivedVoteReply(B, granted, this.now));
  }

  get state(): string {
    return this.#lazy.self.state;
  }

  get #term(): number {
    return this.#lazy.self.term;
  }

  /** When the eager one is due; never earlier than the lazy one is taken to be (HostBeats.dueOf). */
  #due(): number {
    return this.#eager.core.nextDeadline();
  }

  #beat(from: From, term: number): void {
    const { now } = this;
    const input: Input = ({ core }) =>
      core.receivedBeat(beat(from, term, { leaderTimeoutMs: this.#theirs }), now);
    const { leader, self } = this.#lazy.core.peers;
    const isKnown = self.state === 'FOLLOWER' && leader?.ip === from && leader.term === self.term;
    if (isKnown && term === self.term) this.#tell(from, input);
    else this.both(input);
    if (isKnown && term === self.term)
      expect(this.#due()).toBeGreaterThanOrEqual(
        now + Math.max(this.#theirs, this.#eager.core.timing.leaderTimeoutMs),
      );
  }

  #answer(from: From, agoMs: number): void {
    if (this.state !== 'LEADER') return;
    const { now } = this;
    const term = this.#term;
    const sentAt = now + this.#aheadMs - agoMs;
    const heard = this.#heard.get(`${from} ${term}`);
    // One that was overtaken is told to none (FollowerHost.answered).
    if (heard !== undefined && sentAt < heard) return;
    this.#heard.set(`${from} ${term}`, sentAt);
    const reply = { ...peer(from, { term }), requestTerm: term, sentAt };
    const input: Input = ({ core }) => core.receivedBeatReply(from, reply, now);
    if (heard === undefined) this.both(input);
    else this.#tell(from, input);
  }

  #inputOf(step: Exclude<Step, { does: 'beat' | 'answer' }>): Input {
    const { now } = this;
    const { from } = step;
    const term = this.#term;
    switch (step.does) {
      case 'vote': {
        const vote = {
          peer: candidate(from, term + step.terms),
          preVote: step.preVote,
          transfer: step.transfer,
        };
        return ({ core }) => core.receivedVote(step.preVote ? { ...vote, round: 1 } : vote, now);
      }
      case 'transfer':
        return ({ core }) => core.receivedTransfer({ peer: leaderOf(from, term) }, now);
      case 'tick':
        return ({ core }) => core.tick(now);
      case 'ask':
        return ({ core }) => core.getPeer(now, 1);
      case 'resign':
        return ({ core }) => core.resign(now);
      case 'voteReply': {
        const reply = { ...peer(from, { term, voteFor: A }), granted: step.granted };
        return ({ core }) => core.receivedVoteReply(from, reply, now);
      }
      case 'failed': {
        const error = new RaftError('OUT_OF_DATE', 'over', { term: term + step.terms });
        const request = { type: 'beat', ...beat(A, term) } as RaftRequest;
        return ({ core }) => core.requestFailed(from, request, error, now);
      }
      case 'gain':
        this.#aheadMs += step.ms;
        return ({ core }) => core.wallClockGained(step.ms);
    }
  }

  /** News: the eager one hears of it at once, and has nothing to say to it. */
  #tell(from: From, input: Input): void {
    if (this.#untold.has(from)) this.spared++;
    input(this.#eager);
    expect(this.#eager.core.takeOutputs()).toEqual([]);
    this.#untold.set(from, input);
  }

  /** Anything else: the lazy one is told the newest before; then both say and do the same. */
  both(input: Input): void {
    this.#catchUp();
    expect(this.#take(this.#lazy, input)).toEqual(this.#take(this.#eager, input));
  }

  /** By members, not by time: as a host tells them. */
  #catchUp(): void {
    for (const from of [B, C] as const) this.#untold.get(from)?.(this.#lazy);
    this.#untold.clear();
  }

  /** What came of `input`, all that can be seen of a core. */
  #take(host: Host, input: Input): unknown {
    const { core, events, errors } = host;
    const reply = attempt(() => input(host));
    const outputs = [];
    for (let next = core.takeOutputs(); next.length > 0; next = core.takeOutputs()) {
      outputs.push(...next);
      for (const output of next) if (output.type === 'save') core.saved(output.state, this.now);
    }
    return {
      reply,
      outputs,
      events: [...events],
      errors: errors.map(({ code }) => code),
      due: core.nextDeadline(),
      leads: core.isLeader(this.now),
      own: core.getPeer(this.now),
      leader: core.peers.leader,
      lastLeader: core.peers.lastLeader,
      others: core.peers.allPeers().map((one) => one.snapshot()),
    };
  }
}

function attempt(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof RaftError) || error.code === 'INTERNAL') throw error;
    return { code: error.code, message: error.message, term: error.term };
  }
}

const draws = fc.record({
  random: fc.double({ min: 0, max: 0.999, noNaN: true }),
  own: fc.constantFrom(L, 2 * L),
  theirs: fc.constantFrom(L / 2, L, 3 * L),
});

describe('a core that is told only the newest right before something else happens', () => {
  test('is as one that was told each beat when it came', () => {
    let spared = 0;
    fc.assert(
      fc.property(draws, stepsOf(beats), ({ random, own, theirs }, all) => {
        const pair = new Pair(random, own, theirs);
        for (const step of all) pair.step(step);
        spared += pair.spared;
      }),
      { seed: SEED, numRuns: 500 },
    );
    expect(spared).toBeGreaterThan(100);
  });

  test('is as one that was told each answer to its beats when it came, also when the wall clock went ahead', () => {
    let spared = 0;
    fc.assert(
      fc.property(draws, stepsOf(answers), ({ random, own, theirs }, all) => {
        const pair = new Pair(random, own, theirs);
        for (const step of all) {
          if (pair.state === 'FOLLOWER') pair.lead();
          pair.step({ ...step, afterMs: step.afterMs / 3 });
        }
        spared += pair.spared;
      }),
      { seed: SEED, numRuns: 500 },
    );
    expect(spared).toBeGreaterThan(100);
  });
});
