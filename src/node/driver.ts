import createDebug from 'debug';
import type { RaftCore } from '../core/core.js';
import type { DatumChange } from '../core/datums.js';
import { RaftError, textOf } from '../core/errors.js';
import type { RaftEvents } from '../core/events.js';
import type { HoldReply, HoldRequest, RaftRequest, ReadReply, WriteReply } from '../core/messages.js';
import type { AnswerOutput, NacosDatumOutput, Output, SaveOutput } from '../core/outputs.js';
import { MAX_MS } from '../core/timing.js';
import { type MembersWrite, outcomeUnknown, type Write } from '../core/writes.js';
import { HostTime } from './clock.js';
import type { Counts } from './counts.js';
import { decodeBeatReply, decodePeerReply, decodeVoteReply } from './decode.js';
import { decodeDatumsReply, decodeKeysReply } from './decode-data.js';
import { decodeDoneReply, decodeNacosDatumsReply } from './decode-nacos.js';
import { Holds } from './holds.js';
import type { NacosChange } from './nacos-data.js';
import { NacosRegistry } from './nacos-registry.js';
import type { ResolvedOptions } from './options.js';
import { Requests } from './requests.js';

const debug = createDebug('raftbeat:node');

/** The most requests of others that may wait while a save is under way. */
const MAX_MAIL = 1_000;

/** The most writes and reads whose outcome is open. */
const MAX_CALLERS = 10_000;

/** What a driver tells its node. */
export interface DriverHooks {
  /** An event of the core, when all that it depends on is done. */
  readonly emit: <Name extends keyof RaftEvents>(name: Name, event: Parameters<RaftEvents[Name]>[0]) => void;
  /** Data was committed here. */
  readonly changed: (changes: readonly DatumChange[]) => void;
  /** The same of a datum of original peers. */
  readonly nacosChanged: (change: NacosChange) => void;
  /** This peer only learns from now on (`RaftCore.isLearner`). */
  readonly learns: () => void;
  /** Leadership may have ended: called at once, before anything is saved or sent. */
  readonly leadershipMayBeOver: () => void;
  /** The driver can not go on: a save failed, or an assertion did. It takes no more input. */
  readonly failed: (error: RaftError) => void;
}

interface Caller {
  readonly resolve: (result: never) => void;
  readonly reject: (error: RaftError) => void;
  readonly isWrite: boolean;
}

type Input<T> = (core: RaftCore, now: number) => T;

/** Told when the outcome of a request was handed to the core: null, or why there is no answer. */
type Over = (error: RaftError | null) => void;

/** An input that waits for its turn, and what the core said to it. */
class Mail {
  readonly input: Input<unknown>;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  result: unknown = undefined;
  refusal: RaftError | null = null;

  constructor(input: Input<unknown>, resolve: (result: unknown) => void, reject: (error: unknown) => void) {
    this.input = input;
    this.resolve = resolve;
    this.reject = reject;
  }

  answer(): void {
    if (this.refusal === null) this.resolve(this.result);
    else this.reject(this.refusal);
  }
}

/**
 * Carries one run of a core, from its start to its stop: one mailbox; mail -> core -> save -> send -> reply -> emit.
 *
 * Inputs are handled one at a time, and messages before the alarm when both wait: a process that was stopped must read
 * its mail before it believes its alarm.
 */
export class Driver {
  /** Publishes and removes under the rules of Nacos. */
  readonly nacos: NacosRegistry;
  readonly #core: RaftCore;
  readonly #options: ResolvedOptions;
  readonly #hooks: DriverHooks;
  readonly #counts: Counts;
  readonly #time: HostTime;
  readonly #requests: Requests;
  readonly #holds: Holds;
  readonly #mailbox: Mail[] = [];
  readonly #events: { readonly name: keyof RaftEvents | 'changes'; readonly emit: () => void }[] = [];
  /** Who waits for the outcome of a write or a read. */
  readonly #callers = new Map<number, Caller>();
  #lastCall = 0;
  /** Writes that wait for their turn: all of them are taken at once, and saved as one. */
  #writes: Write[] = [];
  /** What is being handled: it waits for a save, maybe for ever. */
  #inHand: Mail | null = null;
  #isRunning = true;
  #isDraining = false;
  #alarmAt = Number.POSITIVE_INFINITY;
  #cancelAlarm: () => void = () => {};
  #transfer: Promise<RaftError | null> = Promise.resolve(null);
  readonly #gained = (ms: number): void => this.#core.wallClockGained(ms);

  constructor(core: RaftCore, options: ResolvedOptions, hooks: DriverHooks, counts: Counts) {
    this.#core = core;
    this.#options = options;
    this.#hooks = hooks;
    this.#counts = counts;
    this.#time = new HostTime(options.clock);
    const deadlineMs = core.timing.leaderTimeoutMs / 2;
    this.#requests = new Requests(options.transport, options.clock, deadlineMs, counts.traffic);
    this.nacos = new NacosRegistry(
      core,
      (input) => this.submit(input),
      (to, request) => this.#requests.ask(to, request),
    );
    this.#holds = new Holds({
      ip: core.peers.self.ip,
      clock: options.clock,
      heartbeatMs: core.timing.heartbeatMs,
      ask: (to, request, deadlineMs) => this.#requests.ask(to, request, deadlineMs),
      lost: (ip) => this.#lost(ip),
    });
    if (options.releaseOnDisconnect) {
      core.peers.on('makeLeader', ({ leader }) => this.#holds.follow(leader.ip));
      core.peers.on('leaderLost', () => this.#holds.follow(null));
    }
    for (const name of ['stateChange', 'leaderLost', 'leaderElectFinished', 'makeLeader', 'error'] as const) {
      core.peers.on(name, (event: unknown) => {
        this.#events.push({ name, emit: () => hooks.emit(name, event as never) });
      });
    }
    core.peers.on('leaderLost', () => hooks.leadershipMayBeOver());
  }

  /** Takes the first look at the clock. */
  start(): void {
    this.#setAlarm();
  }

  /** Whether it takes input: until its stop, or a failure. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Whether the core leads now, by a fresh look at the clock. */
  isLeader(): boolean {
    return this.#isRunning && this.#core.isLeader(this.#now());
  }

  /** What `see` reads of the core at once, out of turn; it must change nothing. */
  look<T>(see: (core: RaftCore, now: number) => T): T {
    return see(this.#core, this.#now());
  }

  /** How many inputs wait: for their turn, or for a save. */
  get queueLength(): number {
    return this.#mailbox.length + (this.#inHand === null ? 0 : 1);
  }

  /** How many writes and reads have no outcome yet. */
  get callsWaiting(): number {
    return this.#callers.size;
  }

  /**
   * Hands a request to the core in its turn; resolves with its result when all that it depends on is done.
   *
   * @throws RaftError `NOT_RUNNING`, `BUSY`, `STORE_FAILED`, or what the input throws
   */
  submit<T>(input: (core: RaftCore, now: number) => T): Promise<T> {
    if (this.#mailbox.length < MAX_MAIL) return this.#post(input);
    return Promise.reject(new RaftError('BUSY', 'too many requests wait'));
  }

  /**
   * Writes at this peer, which must lead; each resolves when it is committed, or rejects with a RaftError as told by
   * `RaftCore.write`, or `NOT_RUNNING`.
   */
  write(writes: readonly Omit<Write, 'id'>[]): readonly Promise<WriteReply>[] {
    const othersWait = this.#writes.length > 0;
    const outcomes = writes.map((write) =>
      this.#call<WriteReply>(true, (id) => this.#writes.push({ ...write, id })),
    );
    // Those whom one commit has told of their former writes may write again at once: theirs go along.
    if (!othersWait && this.#writes.length > 0) queueMicrotask(() => this.#postWrites());
    return outcomes;
  }

  /**
   * Reads at this peer, which must lead, so that all that was committed before is seen.
   *
   * @throws RaftError as told by `RaftCore.read`, `NOT_RUNNING`
   */
  read(key: string): Promise<ReadReply> {
    return this.#callCore<ReadReply>(false, (core, id, now) => core.read(id, key, now));
  }

  /**
   * Changes the members at this peer, which must lead the term that is asked for; resolves when that is committed.
   *
   * @throws RaftError as told by `RaftCore.changeMembers`, `OUTCOME_UNKNOWN`, `NOT_RUNNING`
   */
  changeMembers(asked: Omit<MembersWrite, 'id'>): Promise<WriteReply> {
    return this.#callCore<WriteReply>(true, (core, id, now) => core.changeMembers({ ...asked, id }, now));
  }

  /**
   * Keeps the request of a follower open, whose end tells that it is gone, or this peer.
   *
   * @throws RaftError `UNSUPPORTED`, `UNKNOWN_PEER`, `NOT_LEADER`, `NOT_RUNNING`
   */
  async hold(request: HoldRequest, gone: AbortSignal | undefined): Promise<HoldReply> {
    if (!this.#isRunning) throw notRunning();
    if (!this.#options.releaseOnDisconnect)
      throw new RaftError('UNSUPPORTED', 'this peer does not release on disconnect');
    if (!this.#core.peers.contains(request.ip))
      throw new RaftError('UNKNOWN_PEER', `can not find peer: ${request.ip}`);
    if (this.#core.peers.self.state !== 'LEADER')
      throw new RaftError('NOT_LEADER', 'only a leader is held on to');
    return this.#holds.received(request, gone);
  }

  /** Whether beats bring no data along when this peer leads. */
  sendBeatOnly(value: boolean): void {
    this.#core.sendBeatOnly = value;
  }

  /**
   * Asks the peer `to` outside of the protocol's own exchanges; resolves with what came back, unchecked.
   *
   * @throws RaftError, see `Requests.ask`
   */
  ask(to: string, request: RaftRequest, deadlineMs: number): Promise<unknown> {
    return this.#requests.ask(to, request, deadlineMs);
  }

  /**
   * Gives up leadership; resolves with the ip of the peer that took the order to take over.
   *
   * @throws what `RaftCore.resign` throws, or why the order failed: leadership is given up all the same
   */
  async resign(to?: string): Promise<string> {
    const target = await this.#post((core, now) => core.resign(now, to));
    const error = await this.#transfer;
    if (error !== null) throw error;
    return target;
  }

  /**
   * Takes no more input, and ends what is open; safe to call again. Of events that wait, a loss is told, and what the store
   * has committed.
   */
  stop(): void {
    this.#isRunning = false;
    this.#cancelAlarm();
    this.#inHand?.reject(notRunning());
    for (const mail of this.#mailbox.splice(0)) mail.reject(notRunning());
    for (const [id, { isWrite }] of this.#callers)
      this.#answered(id, isWrite ? outcomeUnknown() : notRunning());
    this.#holds.stop(notRunning());
    this.#requests.abortAll(notRunning());
    this.nacos.abortAll(notRunning());
    for (const { name, emit } of this.#events.splice(0))
      if (name === 'leaderLost' || name === 'changes') emit();
  }

  /** Answers to own requests are taken in any number: there are no more of them than requests under way. */
  #post<T>(input: Input<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => this.#deliver(input, resolve, reject));
  }

  #deliver<T>(input: Input<T>, resolve: (result: T) => void, reject: (error: unknown) => void): void {
    if (!this.#isRunning) {
      reject(notRunning());
      return;
    }
    this.#mailbox.push(new Mail(input, resolve as (result: unknown) => void, reject));
    this.#drain();
  }

  /** Opens a call whose answer comes as an output, or never while the outcome is open. */
  #call<T>(isWrite: boolean, begin: (id: number) => void): Promise<T> {
    if (this.#callers.size >= MAX_CALLERS)
      return Promise.reject(new RaftError('BUSY', 'too many writes and reads wait'));
    return new Promise<T>((resolve, reject) => {
      this.#lastCall++;
      this.#callers.set(this.#lastCall, { resolve, reject, isWrite });
      begin(this.#lastCall);
    });
  }

  #callCore<T>(isWrite: boolean, input: (core: RaftCore, id: number, now: number) => void): Promise<T> {
    return this.#call<T>(isWrite, (id) => {
      this.#post((core, now) => input(core, id, now)).catch((error: RaftError) => this.#answered(id, error));
    });
  }

  #answered(id: number, result: AnswerOutput['result']): void {
    const caller = this.#callers.get(id);
    this.#callers.delete(id);
    if (result instanceof RaftError) caller?.reject(result);
    else caller?.resolve(result as never);
  }

  #postWrites(): void {
    this.#post((core, now) => this.#handInWrites(core, now)).catch((error: RaftError) => this.#refuse(error));
  }

  #handInWrites(core: RaftCore, now: number): void {
    core.write(this.#writes, now);
    this.#writes = [];
  }

  /** The core took none of the writes that wait. */
  #refuse(error: RaftError): void {
    for (const { id } of this.#writes.splice(0)) this.#answered(id, error);
  }

  #now(): number {
    return this.#time.now(this.#gained);
  }

  #drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#handleAll();
  }

  #handleAll(): void {
    for (let mail = this.#mailbox.shift(); mail !== undefined; mail = this.#mailbox.shift()) {
      const carriedOut = this.#handle(mail);
      if (carriedOut === null) continue;
      void carriedOut.then(() => this.#handleAll());
      return;
    }
    this.#isDraining = false;
    this.#setAlarm();
  }

  /** Returns what must be waited for before the next mail; null for most mail, of which nothing follows. */
  #handle(mail: Mail): Promise<void> | null {
    this.#inHand = mail;
    try {
      this.#handIn(mail);
      const outputs = this.#core.takeOutputs();
      if (outputs.length > 0) return this.#carryOutAll(mail, outputs);
      mail.answer();
    } catch (cause) {
      this.#mailFailed(mail, cause);
    }
    this.#handled();
    return null;
  }

  async #carryOutAll(mail: Mail, first: readonly Output[]): Promise<void> {
    try {
      for (let outputs = first; outputs.length > 0; outputs = this.#core.takeOutputs()) {
        await this.#carryOut(outputs);
      }
      mail.answer();
    } catch (cause) {
      this.#mailFailed(mail, cause);
    }
    this.#handled();
  }

  #mailFailed(mail: Mail, cause: unknown): void {
    this.#inHand = null;
    mail.reject(cause);
    if (this.#isRunning) this.#fail(cause);
  }

  /** What is handled is told. */
  #handled(): void {
    this.#inHand = null;
    if (this.#events.length === 0) return;
    const events = this.#events.splice(0);
    if (this.#isRunning) for (const { emit } of events) emit();
  }

  /** Gives the mail to the core, and notes what it says; throws when the core itself is at fault. */
  #handIn(mail: Mail): void {
    try {
      mail.result = mail.input(this.#core, this.#now());
    } catch (error) {
      if (!(error instanceof RaftError) || error.code === 'INTERNAL') throw error;
      mail.refusal = error;
    }
  }

  async #carryOut(outputs: readonly Output[]): Promise<void> {
    for (const output of outputs) {
      if (!this.#isRunning) return;
      if (output.type === 'save') await this.#save(output);
      else if (output.type === 'nacosDatum') await this.#keep(output);
      else this.#do(output);
    }
  }

  #do(output: Exclude<Output, SaveOutput | NacosDatumOutput>): void {
    switch (output.type) {
      case 'send':
        this.#sendAll(output.to, output.request);
        break;
      case 'fetchPeer':
        this.#fetch(output.from, output.id);
        break;
      case 'answer':
        this.#answered(output.id, output.result);
        break;
      case 'nacosWritten':
        this.nacos.ended(output);
        break;
      case 'fold':
        this.#options.store.fold?.(output.seq);
        break;
      case 'changes':
        this.#events.push({ name: 'changes', emit: () => this.#hooks.changed(output.changes) });
        break;
    }
  }

  #lost(ip: string): void {
    debug('the connection to %s is lost', ip);
    this.#post((core, now) => core.disconnected(ip, now)).catch(() => {});
  }

  async #save({ state, data }: SaveOutput): Promise<void> {
    const hasLearned = this.#core.stored?.learner !== undefined;
    await this.#counts.saving(() => stored(() => this.#options.store.save(state, data)));
    this.#core.saved(state, this.#now(), data);
    if (state.learner !== undefined && !hasLearned)
      this.#events.push({ name: 'changes', emit: () => this.#hooks.learns() });
  }

  async #keep({ key, datum, isStored }: NacosDatumOutput): Promise<void> {
    const { nacosDatums } = this.#options;
    if (nacosDatums !== null && isStored)
      await this.#counts.saving(() =>
        stored(() => (datum === null ? nacosDatums.remove(key) : nacosDatums.write(datum))),
      );
    if (datum !== null || isStored)
      this.#events.push({ name: 'changes', emit: () => this.#hooks.nacosChanged({ key, datum }) });
  }

  #fetch(from: string, id: number | undefined): void {
    this.#send(from, id === undefined ? { type: 'peer' } : { type: 'peer', id });
  }

  #send(to: string, request: RaftRequest): void {
    if (request.type !== 'transfer') this.#exchange(to, request, ignore);
    else this.#transfer = new Promise((resolve) => this.#exchange(to, request, resolve));
  }

  /** A beat that is for all others and brings no data is published, where the transport can do that. */
  #sendAll(to: readonly string[], request: RaftRequest): void {
    const isForAll = to.length > 1 && to.length === this.#core.peers.others.length;
    const isSteady = request.type === 'beat' && (request.data?.batches ?? []).length === 0;
    if (isForAll && isSteady && this.#requests.canPublish) this.#publish(to, request);
    else for (const ip of to) this.#send(ip, request);
  }

  #publish(to: readonly string[], request: RaftRequest): void {
    this.#requests.publish(
      to,
      request,
      (from, reply) => this.#replied(from, request, reply, ignore),
      (ip, error) => this.#lacksReply(ip, request, error, ignore),
    );
  }

  /** Asks `to` and tells the core the outcome, then `over`. */
  #exchange(to: string, request: RaftRequest, over: Over): void {
    this.#requests.begin(
      to,
      request,
      (reply) => this.#replied(to, request, reply, over),
      (error) => this.#lacksReply(to, request, error, over),
    );
  }

  #replied(from: string, request: RaftRequest, reply: unknown, over: Over): void {
    const failed = (cause: unknown): void => this.#lacksReply(from, request, cause, over);
    let input: Input<unknown>;
    try {
      input = receive(from, request, reply);
    } catch (cause) {
      failed(cause);
      return;
    }
    this.#deliver(input, () => over(null), failed);
  }

  #lacksReply(to: string, request: RaftRequest, cause: unknown, over: Over): void {
    const error = cause instanceof RaftError ? cause : new RaftError('INTERNAL', textOf(cause), { cause });
    debug('%s to %s failed: %s %s', request.type, to, error.code, error.message);
    const told = (): void => over(error);
    this.#deliver((core, now) => core.requestFailed(to, request, error, now), told, told);
  }

  #fail(cause: unknown): void {
    const error =
      cause instanceof RaftError ? cause : new RaftError('INTERNAL', `a bug: ${textOf(cause)}`, { cause });
    debug('stopped: %s %s; see to the cause, then start it again', error.code, error.message);
    this.stop();
    this.#hooks.failed(error);
  }

  /** An alarm that is set already and rings earlier is left: it costs less to look at the clock once more. */
  #setAlarm(): void {
    if (!this.#isRunning) return;
    const due = this.#core.nextDeadline();
    if (due >= this.#alarmAt) return;
    this.#cancelAlarm();
    this.#alarmAt = due;
    const waitMs = Math.min(MAX_MS, Math.max(0, Math.ceil(due - this.#now())));
    this.#cancelAlarm = this.#options.clock.setTimer(() => this.#ring(), waitMs);
  }

  /** A wake-up is only a reason to look at the clock; the tick waits for the mail that is already there. */
  #ring(): void {
    this.#alarmAt = Number.POSITIVE_INFINITY;
    this.#hooks.leadershipMayBeOver();
    this.#options.clock.afterMail(() => {
      // While a save is under way the process may be stopped: the alarm is set anew afterwards, and waits for mail again.
      if (!this.#isDraining) this.#deliver(tick, ignore, ignore);
    });
  }
}

const tick = (core: RaftCore, now: number): void => core.tick(now);

const ignore = (): void => {};

/** Waits for a store. @throws RaftError `STORE_FAILED`, or what the store throws if a RaftError */
async function stored(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    if (cause instanceof RaftError) throw cause;
    throw new RaftError('STORE_FAILED', `the store could not save: ${textOf(cause)}`, { cause });
  }
}

/** Which input of the core takes the answer of `from` to `request`; throws what the answer is, if it is a refusal. */
function receive(from: string, request: RaftRequest, raw: unknown): (core: RaftCore, now: number) => void {
  switch (request.type) {
    case 'vote': {
      const reply = decodeVoteReply(raw);
      return (core, now) => core.receivedVoteReply(from, reply, now);
    }
    case 'beat': {
      const reply = decodeBeatReply(raw);
      return (core, now) => core.receivedBeatReply(from, reply, now);
    }
    case 'keys': {
      const reply = decodeKeysReply(raw);
      return (core, now) => core.receivedKeys(from, request.from, reply, now);
    }
    case 'datums': {
      const reply = decodeDatumsReply(raw);
      return (core, now) => core.receivedDatums(from, request.keys, reply, now);
    }
    case 'nacosGet': {
      const { leader = { term: 0 } } = request;
      const reply = decodeNacosDatumsReply(raw);
      return (core, now) => core.nacosDatums?.receivedDatums(leader.term, reply, now);
    }
    case 'nacosCommit':
      decodeDoneReply(raw);
      return (core, now) => core.nacosDatums?.receivedAck(from, request, now);
    case 'nacosDelete':
      decodeDoneReply(raw);
      return (core, now) => core.nacosDatums?.receivedDeleteAck(now);
    default: {
      const reply = decodePeerReply(raw);
      return (core, now) => core.receivedPeer(from, reply, now);
    }
  }
}

function notRunning(): RaftError {
  return new RaftError('NOT_RUNNING', 'this node is not running');
}
