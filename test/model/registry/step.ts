import type { RaftCore } from '../../../src/core/core.js';
import { type Batch, type DataChanges, datumAfter, floorAfter } from '../../../src/core/datum.js';
import type { RaftError } from '../../../src/core/errors.js';
import type { BeatData, BeatDataReply, ListedKey, Revision, WriteReply } from '../../../src/core/messages.js';
import type { Output } from '../../../src/core/outputs.js';
import type { Kernel } from '../build.js';
import type { RegistryBounds } from './bounds.js';
import type { Keeper, KeptBase } from './keeper.js';
import { type Keepers, NOW, type OpenCatchUp, opened, ROUND } from './keepers.js';
import type { Content, Message } from './message.js';

/** What can happen to one peer; these, or a message arrives (`DELIVER` + its number). */
/** It campaigns; who leads loses its lease first. */
export const CAMPAIGN = 0;
/** The lease ends, and no more. */
export const EXPIRE = 1;
/** A beat, and nobody has asked for the pinned base lately. */
export const RELEASE = 3;
/** The questions of a catch-up come to nothing. */
export const TIMEOUT = 4;
/** A crash with a restart; the store has folded all that it was told of, or nothing of it yet. */
export const CRASH = 5;
export const CRASH_LAGGING = 6;
/** It learns that another peer is in a term. */
export const LEARN = 8;
export const WRITE = 16;
export const DELIVER = 32;

/** What became of a write. */
export interface Answer {
  readonly id: number;
  /** The code of an error, or the reply. */
  readonly result: WriteReply | string;
}

/** What an input does to a peer. */
export interface Step {
  readonly next: Keeper;
  /** The messages that leave. */
  readonly emits: readonly Message[];
  readonly answers: readonly Answer[];
  readonly isCrash: boolean;
  readonly violation: string | null;
}

/** What a step needs to know. */
export interface World {
  readonly kernel: Kernel;
  readonly keepers: Keepers;
  readonly bounds: RegistryBounds;
}

/**
 * Gives an input to the real core that `keeper` tells of.
 *
 * @param crashAt the number of the save in which the peer crashes, and restarts with what was there before; 0: none
 * @returns null when there is no such save, or nothing has left before it: then it is a crash before the input
 */
export function step(
  world: World,
  keeper: Keeper,
  input: number,
  message: Message | null,
  crashAt: number,
): Step | null {
  if (input === CRASH || input === CRASH_LAGGING) return restarted(world, keeper, input === CRASH);
  const run = new Run(world, keeper, crashAt);
  run.take(input, message);
  if (crashAt > 0 && (!run.hasCrashed || run.emits.length === 0)) return null;
  if (!run.hasCrashed) return settled(world, keeper, run);
  const { emits, answers, violation } = run;
  const next = world.keepers.started(keeper.owner, run.term, run.voteFor, run.stored);
  return { next, emits, answers, isCrash: true, violation };
}

/**
 * The peer as it is after `run`. One that leads sends at once all that it could send, with batches and without: a message
 * that comes late is as good as one that is sent late.
 */
function settled(world: World, keeper: Keeper, run: Run): Step {
  const { emits, answers } = run;
  let next = run.after();
  let violation = run.violation ?? changed(keeper, next);
  if (next.state !== 'LEADER') return { next, emits, answers, isCrash: false, violation };
  for (const isBusy of [true, false]) {
    const beat = new Run(world, next, 0);
    beat.beat(isBusy);
    emits.push(...beat.emits);
    next = beat.after();
    violation ??= beat.violation;
  }
  return { next, emits, answers, isCrash: false, violation };
}

function restarted({ keepers }: World, { owner, term, voteFor, stored, base }: Keeper, folds: boolean): Step {
  const kept = folds ? folded(stored, base.revision.seq) : stored;
  const next = keepers.started(owner, term, voteFor, kept);
  return { next, emits: [], answers: [], isCrash: true, violation: null };
}

/** What must hold of one peer alone. */
function changed(before: Keeper, after: Keeper): string | null {
  if (after.term < before.term) return `S3: term ${before.term} becomes ${after.term}`;
  if (after.term === before.term && before.voteFor >= 0 && after.voteFor !== before.voteFor)
    return `S4: the vote of term ${after.term} changes`;
  if (after.base.revision.seq < before.base.revision.seq) return 'the base goes backwards';
  return null;
}

/** One input, carried out as a driver does: save, then what is behind it, then the answer. */
class Run {
  readonly emits: Message[] = [];
  readonly answers: Answer[] = [];
  /** What the store holds. */
  stored: Keeper['stored'];
  term: number;
  voteFor: number;
  hasCrashed = false;
  violation: string | null = null;
  readonly #world: World;
  readonly #core: RaftCore;
  readonly #keeper: Keeper;
  readonly #crashAt: number;
  #saves = 0;

  constructor(world: World, keeper: Keeper, crashAt: number) {
    this.#world = world;
    this.#keeper = keeper;
    this.#core = world.keepers.core(keeper);
    this.#crashAt = crashAt;
    this.stored = keeper.stored;
    this.term = keeper.term;
    this.voteFor = keeper.voteFor;
  }

  take(input: number, message: Message | null): void {
    const reply = this.#attempt(() => this.#give(input, message));
    this.#attempt(() => this.#carryOutAll());
    if (reply !== undefined && message !== null && !this.hasCrashed) this.#leave(message.from, reply);
  }

  /**
   * Sends a beat; it brings no batches while those that were sent are taken to be under way. The pinned base stays: to let
   * go of it is a move of its own.
   */
  beat(isBusy: boolean): void {
    const { $replication, $pinned } = opened(this.#core).$registry;
    if (isBusy)
      for (const ip of this.#core.peers.others) $replication.$of(ip).busyUntil = Number.POSITIVE_INFINITY;
    const pinned = $pinned.$pinned;
    $pinned.$pinned = null;
    this.#core.tick(NOW);
    $pinned.$pinned = pinned;
    this.#attempt(() => this.#carryOutAll());
  }

  /** The peer as it is now; one that is beyond telling is a violation, too. */
  after(): Keeper {
    return (
      this.#attempt(() => this.#world.keepers.keeper(this.#core, this.#keeper.owner, this.stored)) ??
      this.#keeper
    );
  }

  #attempt<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code === undefined || code === 'INTERNAL') this.violation ??= message;
      return undefined;
    }
  }

  /** @returns the reply, if it is one that counts */
  #give(input: number, message: Message | null): Content | undefined {
    if (message !== null) return this.#deliver(message);
    const core = this.#core;
    const open = opened(core);
    if (input >= WRITE) this.#write(input - WRITE);
    else if (input >= LEARN) {
      const from = this.#keeper.owner === 0 ? 1 : 0;
      const peer = this.#world.keepers.snapshot(from, 'FOLLOWER', input - LEARN, -1);
      core.receivedVoteReply(peer.ip, { ...peer, granted: false }, NOW);
    } else if (input === TIMEOUT) this.#timeOut();
    else if (input === RELEASE) {
      open.$registry.$pinned.$askedAt = Number.NEGATIVE_INFINITY;
      core.tick(NOW);
    } else {
      open.$lease.$electedAt = Number.NEGATIVE_INFINITY;
      core.tick(NOW);
      if (input === CAMPAIGN) this.#campaign();
    }
    return undefined;
  }

  #campaign(): void {
    const open = opened(this.#core);
    if (this.#keeper.state === 'LEADER') {
      open.$electionDue = NOW;
      open.$noCampaignBefore = Number.NEGATIVE_INFINITY;
      this.#core.tick(NOW);
    }
    this.#winPreVotes();
  }

  #write(id: number): void {
    const { key, removes = false, ifTimestamp } = this.#world.bounds.writes[id] ?? { key: '' };
    this.#core.write([{ id, key, value: removes ? null : `"${id}"`, ifTimestamp }], NOW);
  }

  /** Pre-votes only keep peers from campaigning: here they are always granted. */
  #winPreVotes(): void {
    const { owner } = this.#keeper;
    for (const [at, ip] of this.#world.keepers.names.entries()) {
      if (at === owner || opened(this.#core).$round === null) continue;
      const peer = this.#world.keepers.snapshot(at, 'FOLLOWER', 0, -1);
      this.#core.receivedVoteReply(ip, { ...peer, granted: true, round: ROUND }, NOW);
    }
  }

  #timeOut(): void {
    const { $catchUp: catchUp } = opened(this.#core).$registry;
    if (catchUp === null) return;
    const { $open, $isListing } = catchUp as unknown as OpenCatchUp;
    const error = new this.#world.kernel.RaftError('TIMEOUT', 'no answer');
    const at = { term: 0, seq: 0 };
    for (const keys of [...$open])
      this.#core.requestFailed(catchUp.leader, { type: 'datums', at, keys }, error, NOW);
    if ($isListing) this.#core.requestFailed(catchUp.leader, { type: 'keys', from: 0 }, error, NOW);
  }

  #deliver({ from, content }: Message): Content | undefined {
    const { keepers } = this.#world;
    const core = this.#core;
    const { owner } = this.#keeper;
    const name = keepers.names[from] as string;
    switch (content.kind) {
      case 'vote': {
        const { term, revision } = content;
        const reply = core.receivedVote(
          { peer: keepers.snapshot(from, 'CANDIDATE', term, from), revision },
          NOW,
        );
        return reply.granted ? { kind: 'grant', term: reply.term } : undefined;
      }
      case 'grant':
        core.receivedVoteReply(
          name,
          { ...keepers.snapshot(from, 'FOLLOWER', content.term, owner), granted: true },
          NOW,
        );
        return undefined;
      case 'beat': {
        const peer = keepers.snapshot(from, 'LEADER', content.term, from);
        const { requestTerm, data } = core.receivedBeat(
          { peer, datums: [], leaderTimeoutMs: 1, data: content.data },
          NOW,
        );
        return data === undefined ? undefined : { kind: 'ack', term: requestTerm, data: told(data) };
      }
      case 'ack': {
        const { term, data } = content;
        const peer = keepers.snapshot(from, 'FOLLOWER', term, owner);
        core.receivedBeatReply(name, { ...peer, requestTerm: term, data }, NOW);
        return undefined;
      }
      default:
        return this.#deliverCatchUp(name, content);
    }
  }

  #deliverCatchUp(name: string, content: Exclude<Content, { term: number }>): Content | undefined {
    const core = this.#core;
    switch (content.kind) {
      case 'keys': {
        const { at, place } = content;
        return this.#orGone(null, () => {
          return { kind: 'keyList', place, reply: core.listKeys(at ?? undefined, place, NOW) };
        });
      }
      case 'datums': {
        const { at, keys } = content;
        return this.#orGone(keys, () => {
          return { kind: 'values', asked: keys, reply: core.listDatums(at, keys, NOW) };
        });
      }
      case 'keyList':
        core.receivedKeys(name, content.place, content.reply, NOW);
        return undefined;
      case 'values':
        core.receivedDatums(name, this.#asked(content.asked), content.reply, NOW);
        return undefined;
      case 'gone': {
        const { asked } = content;
        const error = new this.#world.kernel.RaftError('GONE', 'gone');
        const at = { term: 0, seq: 0 };
        core.requestFailed(
          name,
          asked === null ? { type: 'keys', from: 0 } : { type: 'datums', at, keys: asked },
          error,
          NOW,
        );
        return undefined;
      }
    }
  }

  #orGone(asked: readonly ListedKey[] | null, answer: () => Content): Content | undefined {
    try {
      return answer();
    } catch (error) {
      if ((error as RaftError).code === 'GONE') return { kind: 'gone', asked };
      throw error;
    }
  }

  /** The very list that was asked for, if it is still open: a catch-up knows it by identity. */
  #asked(keys: readonly ListedKey[]): readonly ListedKey[] {
    const catchUp = opened(this.#core).$registry.$catchUp as unknown as OpenCatchUp | null;
    const text = JSON.stringify(keys);
    return [...(catchUp?.$open ?? [])].find((open) => JSON.stringify(open) === text) ?? keys;
  }

  #carryOutAll(): void {
    for (let outputs = this.#core.takeOutputs(); outputs.length > 0; outputs = this.#core.takeOutputs())
      for (const output of outputs) {
        if (this.hasCrashed) return;
        this.#carryOut(output);
      }
  }

  #carryOut(output: Output): void {
    switch (output.type) {
      case 'save':
        this.#save(output);
        break;
      case 'fold':
        if (!this.#world.bounds.lag) this.stored = folded(this.stored, output.seq);
        break;
      case 'answer':
        this.answers.push(answerOf(output));
        break;
      case 'send':
        for (const ip of output.to) this.#send(this.#world.keepers.names.indexOf(ip), output.request);
        break;
    }
  }

  #save({ state, data }: Output & { type: 'save' }): void {
    this.#saves++;
    this.hasCrashed = this.#saves === this.#crashAt;
    if (this.hasCrashed) return;
    this.term = state.term;
    this.voteFor = state.voteFor === null ? -1 : this.#world.keepers.names.indexOf(state.voteFor);
    if (data !== undefined) this.stored = saved(this.stored, data);
    this.#core.saved(state, NOW, data);
  }

  #send(to: number, request: (Output & { type: 'send' })['request']): void {
    if (request.type === 'vote') {
      const { peer, preVote = false, revision = NO_REVISION } = request;
      if (!preVote) this.#leave(to, { kind: 'vote', term: peer.term, revision });
    } else if (request.type === 'beat' && request.data !== undefined)
      this.#leave(to, { kind: 'beat', term: request.peer.term, data: sent(request.data) });
    else if (request.type === 'keys')
      this.#leave(to, { kind: 'keys', at: request.at ?? null, place: request.from });
    else if (request.type === 'datums')
      this.#leave(to, { kind: 'datums', at: request.at, keys: request.keys });
    else throw new Error(`no core of this model sends such a ${request.type}`);
  }

  /** D4: what depends on a term or a vote leaves once that is saved. */
  #leave(to: number, content: Content): void {
    const from = this.#keeper.owner;
    if ('term' in content && content.term > this.term)
      this.violation ??= 'S3: a message leaves before its term is saved';
    const voteFor = content.kind === 'vote' ? from : content.kind === 'grant' ? to : null;
    if (voteFor !== null && (this.term !== (content as { term: number }).term || this.voteFor !== voteFor))
      this.violation ??= 'S4: a vote leaves before it is saved';
    this.emits.push({ from, to, content });
  }
}

const NO_REVISION: Revision = { term: 0, seq: 0 };

/** Members do not change: which batch changed them tells nothing. */
function sent({ prev, batches, committed, catchUp }: BeatData): BeatData {
  return {
    prev,
    batches,
    committed,
    membersRevision: NO_REVISION,
    ...(catchUp === undefined ? {} : { catchUp }),
  };
}

/** What the leader looks at: how far a follower is when it knows, and where it is when it does not. */
function told({ ok, match, base, last }: BeatDataReply): BeatDataReply {
  return ok ? { ok, match, base: NO_REVISION, last: NO_REVISION } : { ok, match: NO_REVISION, base, last };
}

function answerOf({ id, result }: Output & { type: 'answer' }): Answer {
  if ('code' in result) return { id, result: result.code };
  if ('datum' in result) throw new Error('nobody reads');
  return { id, result };
}

/** What a store holds after a save. */
function saved(
  { base, tail }: Keeper['stored'],
  { base: taken, cutFrom, append = [] }: DataChanges,
): Keeper['stored'] {
  if (taken !== undefined) {
    const datums = [...taken.datums.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    return { base: { ...taken, datums }, tail: append };
  }
  const kept = cutFrom === undefined ? tail : tail.filter(({ revision }) => revision.seq < cutFrom);
  return { base, tail: [...kept, ...append] };
}

/** What a store holds once it has folded its tail up to `seq`. */
function folded({ base, tail }: Keeper['stored'], seq: number): Keeper['stored'] {
  const count = tail.filter(({ revision }) => revision.seq <= seq).length;
  return { base: tail.slice(0, count).reduce(withBatch, base), tail: tail.slice(count) };
}

/** `base` with one more batch. */
export function withBatch(base: KeptBase, { revision, ops }: Batch): KeptBase {
  const datums = new Map(base.datums.map((datum) => [datum.key, datum]));
  let { stampFloor } = base;
  for (const op of ops) {
    const datum = datumAfter(op, revision);
    if (datum === null) datums.delete(op.key);
    else datums.set(op.key, datum);
    stampFloor = floorAfter(stampFloor, op);
  }
  return { revision, stampFloor, datums: [...datums.values()].sort((a, b) => (a.key < b.key ? -1 : 1)) };
}
