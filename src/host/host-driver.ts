import createDebug from 'debug';
import { RaftCore } from '../core/core.js';
import { RaftError, textOf } from '../core/errors.js';
import type { ErrorReply, GroupReplies, GroupRequest, RaftReply, RaftRequest } from '../core/messages.js';
import type { HostMetrics } from '../core/metrics.js';
import type { Output, SaveOutput, StoredState } from '../core/outputs.js';
import { MAX_MS } from '../core/timing.js';
import { HostTime } from '../node/clock.js';
import { errorReply } from '../node/controller.js';
import type { Counts } from '../node/counts.js';
import { decodeRequest } from '../node/decode.js';
import { Requests } from '../node/requests.js';
import { movesOf } from './balance.js';
import { HostBeats } from './beats.js';
import { Deadlines } from './deadlines.js';
import { GroupPeers } from './group-peers.js';
import type { ResolvedHostOptions } from './host-options.js';
import { Outbox } from './outbox.js';
import { Saver } from './saver.js';
import { type Input, Seat, type SeatHost, type SeatListener } from './seat.js';

const debug = createDebug('raftbeat:host');

/** The most groups that are looked at before the mail that came meanwhile. */
const MAX_AT_ONCE = 250;

type GroupReply = GroupReplies['replies'][number];

/** What a group is opened with. */
export interface SeatOptions {
  readonly name: string;
  /** What the store held; null when it held nothing of this group. */
  readonly stored: StoredState | null;
  readonly bootstrap: boolean;
  readonly listener: SeatListener;
}

/** What a driver tells its host. */
export interface HostHooks {
  /** Leaderships may have ended: called before the first of them is looked at. */
  readonly leadershipsMayBeOver: () => void;
  /** What is known of the host. */
  readonly metrics: () => HostMetrics;
  /** The driver can not go on. It takes no more input. */
  readonly failed: (error: RaftError) => void;
}

/** Carries one run of a host, from its start to its stop: all its groups, with one alarm, one mailbox, one store. */
export class HostDriver {
  readonly #options: ResolvedHostOptions;
  readonly #hooks: HostHooks;
  readonly #counts: Counts;
  readonly #time: HostTime;
  readonly #requests: Requests;
  readonly #saver: Saver;
  readonly #outbox: Outbox;
  readonly #beats: HostBeats;
  readonly #seats = new Map<string, Seat>();
  /** When groups that lead must be looked at, and when the others: an answer may come only after leases that have ended. */
  readonly #leases = new Deadlines<Seat>();
  readonly #elections = new Deadlines<Seat>();
  readonly #seatHost: SeatHost;
  #awaitingAnswers: (() => void)[] = [];
  #aheadMs = 0;
  #beatDue: number;
  #balanceDue: number;
  /** How many groups had a leader at the last look. */
  #ledBefore = 0;
  #alarmAt = Number.POSITIVE_INFINITY;
  #cancelAlarm: () => void = () => {};
  #isStarted = false;
  #isStopping = false;
  #isRunning = true;

  constructor(options: ResolvedHostOptions, hooks: HostHooks, counts: Counts) {
    this.#options = options;
    this.#hooks = hooks;
    this.#counts = counts;
    const { clock, transport, store, timing, ip, members, random } = options;
    this.#time = new HostTime(clock);
    this.#requests = new Requests(transport, clock, timing.leaderTimeoutMs / 2, counts.traffic);
    this.#saver = new Saver({ save: (states) => counts.saving(() => store.save(states)) });
    const others = members.ips.filter((one) => one !== ip);
    const voters = members.voters.map((member) => member.ip).filter((one) => one !== ip);
    this.#outbox = new Outbox({
      requests: this.#requests,
      others,
      voters,
      needed: Math.floor(members.voters.length / 2),
      pauseMs: timing.heartbeatMs,
      now: () => this.#now(),
      changed: () => this.#answersCame(),
    });
    this.#beats = new HostBeats({
      ip,
      others,
      process: Math.floor(random() * 2 ** 48),
      leaderTimeoutMs: timing.leaderTimeoutMs,
      requests: this.#requests,
      now: () => this.#now(),
      aheadMs: () => this.#aheadMs,
      seatOf: (group) => this.#seats.get(group),
      endLeases: (now) => this.#look(this.#leases, now),
      failed: (error) => this.#fail(error),
    });
    this.#seatHost = {
      now: () => this.#now(),
      tell: (seat) => this.#beats.tell(seat),
      save: ({ name }, { state }: SaveOutput) => this.#saver.save(name, state),
      send: (seat, output) => this.#send(seat, output),
      changed: (seat) => this.#changed(seat),
      failed: (error) => this.#fail(error),
    };
    const now = this.#now();
    this.#beatDue = now + timing.heartbeatMs;
    this.#balanceDue = now + 2 * timing.leaderTimeoutMs;
  }

  /** Whether it takes input: until its stop, or a failure. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** How many groups there are, and how many of them are led here. */
  get size(): { readonly groups: number; readonly leads: number } {
    return { groups: this.#seats.size, leads: this.#beats.led.size };
  }

  /** Has this host take part in a group. */
  open({ name, stored, bootstrap, listener }: SeatOptions): Seat {
    const { ip, members, random, timing, rejoin } = this.#options;
    const peers = new GroupPeers({ local: ip, members });
    const core = new RaftCore({ peers, random, timing, stored, bootstrap, rejoin, group: name });
    const seat = new Seat(name, core, this.#seatHost, listener);
    peers.seat = seat;
    // Leases of all groups go by the same time, which beats are stamped with.
    if (this.#aheadMs > 0) core.wallClockGained(this.#aheadMs);
    this.#seats.set(name, seat);
    this.#schedule(seat);
    this.#setAlarm();
    return seat;
  }

  /** Takes the first look at the clock. */
  start(): void {
    this.#isStarted = true;
    this.#setAlarm();
  }

  /** Takes part in a group no longer, after it has given up leadership; returns what is durable of it, if anything. */
  async leave(group: string): Promise<StoredState | null> {
    const seat = this.#seats.get(group);
    if (seat === undefined) return null;
    seat.run(resignTo());
    // What waits for its save may depend on it; so may what the group begins with when it is opened again.
    while (seat.isSaving) await seat.saved();
    this.#close(seat);
    return seat.core.stored;
  }

  /**
   * Hands over all that is led here before a stop, to the other hosts in turn; resolves when they took it, or did not. No
   * group comes up for election here any more: with that, letters without an answer could go on for ever.
   */
  async resignAll(): Promise<void> {
    this.#isStopping = true;
    const able = this.#beats.followers.filter(({ ip, upSince }) => upSince < Infinity && this.#mayLead(ip));
    const seats = [...this.#beats.led.seats];
    for (let from = 0; from < seats.length; from += MAX_AT_ONCE) {
      const now = seats.slice(from, from + MAX_AT_ONCE);
      for (const [at, seat] of now.entries()) seat.run(resignTo(able[at % able.length]?.ip));
      await this.#untilAnswered();
    }
  }

  /**
   * Answers any request. Never rejects: a refusal is an `ErrorReply`.
   */
  async receive(raw: unknown): Promise<RaftReply> {
    let type: RaftRequest['type'] | 'unknown' = 'unknown';
    try {
      if (!this.#isRunning) throw notRunning();
      const request = decodeRequest(raw);
      type = request.type;
      const reply = await this.#answer(request);
      this.#counts.traffic.received(type, false);
      return reply;
    } catch (error) {
      this.#counts.traffic.received(type, true);
      return errorReply(error);
    }
  }

  /** Takes no more input, and ends what is open. */
  stop(): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#cancelAlarm();
    for (const seat of [...this.#seats.values()]) this.#close(seat);
    this.#saver.stop(notRunning());
    this.#outbox.stop();
    this.#requests.abortAll(notRunning());
    for (const resolve of this.#awaitingAnswers.splice(0)) resolve();
  }

  #close(seat: Seat): void {
    this.#seats.delete(seat.name);
    this.#beats.drop(seat);
    seat.deadlines?.delete(seat);
    seat.close();
  }

  #mayLead(ip: string): boolean {
    return this.#options.members.voters.some((member) => member.ip === ip && member.priority > 0);
  }

  #now(): number {
    return this.#time.now(this.#gained);
  }

  /** A host was suspended, or so it seems: what was acknowledged before is told before the leases age. */
  readonly #gained = (ms: number): void => {
    for (const seat of this.#seats.values()) {
      if (!seat.isSaving) this.#beats.tell(seat);
      seat.core.wallClockGained(ms);
      this.#schedule(seat);
    }
    this.#aheadMs += ms;
  };

  #answer(request: RaftRequest): Promise<RaftReply> | RaftReply {
    switch (request.type) {
      case 'beats':
        return this.#beats.received(request);
      case 'groups':
        return this.#answerAll(request.requests);
      case 'state':
        return { ip: this.#options.ip, ...this.size };
      case 'metrics':
        return this.#hooks.metrics();
      default:
        throw new RaftError('UNSUPPORTED', `this peer is a host of groups, and takes no ${request.type}`);
    }
  }

  async #answerAll(
    requests: readonly { readonly group: string; readonly request: GroupRequest }[],
  ): Promise<GroupReplies> {
    const replies = requests.map(({ group, request }) => this.#answerOne(group, request));
    return { replies: await Promise.all(replies) };
  }

  #answerOne(group: string, request: GroupRequest): GroupReply | Promise<GroupReply> {
    try {
      const seat = this.#seats.get(group);
      if (seat === undefined)
        throw new RaftError('UNKNOWN_GROUP', `this host does not take part in ${group}`);
      const reply = seat.submit(inputOf(request));
      return reply instanceof Promise ? reply.catch(errorReply) : reply;
    } catch (error) {
      return errorReply(error);
    }
  }

  /** Resolves when no letter waits for its answer. */
  async #untilAnswered(): Promise<void> {
    while (this.#isRunning && !this.#outbox.isEmpty)
      await new Promise<void>((resolve) => this.#awaitingAnswers.push(resolve));
  }

  #answersCame(): void {
    for (const resolve of this.#awaitingAnswers.splice(0)) resolve();
    this.#setAlarm();
  }

  /** How many groups may come up for election: none while this host is to stop. */
  #electionsAt(now: number): number {
    return this.#isStopping ? 0 : this.#outbox.roomAt(now);
  }

  #send(seat: Seat, output: Exclude<Output, SaveOutput>): void {
    if (output.type === 'fetchPeer') {
      const { from, id } = output;
      this.#outbox.put(from, seat, id === undefined ? { type: 'peer' } : { type: 'peer', id });
      return;
    }
    if (output.type !== 'send') return;
    const { request, to } = output;
    if (request.type === 'beat') this.#beats.lead(seat);
    else for (const ip of to) this.#outbox.put(ip, seat, request as GroupRequest);
  }

  #changed(seat: Seat): void {
    this.#beats.changed(seat);
    this.#schedule(seat);
    this.#setAlarm();
  }

  /** Notes when the core must be looked at: one that waits for a save, or for answers, when that is over. */
  #schedule(seat: Seat): void {
    const deadlines = seat.core.peers.self.state === 'LEADER' ? this.#leases : this.#elections;
    if (seat.deadlines !== deadlines) seat.deadlines?.delete(seat);
    seat.deadlines = deadlines;
    const due = seat.core.nextDeadline();
    if (seat.isSaving || due === Number.POSITIVE_INFINITY) deadlines.delete(seat);
    else deadlines.set(seat, due + this.#patienceMs(seat));
  }

  /** How long a group that is due waits for answers: one that was to ask a host that is gone may not get any. */
  #patienceMs(seat: Seat): number {
    const waits = seat.letters > 0 && seat.deadlines === this.#elections;
    return waits ? this.#options.timing.leaderTimeoutMs : 0;
  }

  // ---- The alarm

  #setAlarm(): void {
    if (!this.#isRunning || !this.#isStarted) return;
    const due = Math.min(this.#leases.first, this.#electionDue(), this.#beatDue, this.#balanceDue);
    if (due >= this.#alarmAt) return;
    this.#cancelAlarm();
    this.#alarmAt = due;
    const waitMs = Math.min(MAX_MS, Math.max(0, Math.ceil(due - this.#now())));
    this.#cancelAlarm = this.#options.clock.setTimer(() => this.#ring(), waitMs);
  }

  /** Without room, groups wait for answers, or for the next beat. The clock is read only if that may matter. */
  #electionDue(): number {
    const due = this.#elections.first;
    return due < this.#alarmAt && this.#electionsAt(this.#now()) > 0 ? due : Number.POSITIVE_INFINITY;
  }

  /** A wake-up is only a reason to look at the clock; what is due waits for the mail that is already there. */
  #ring(): void {
    this.#alarmAt = Number.POSITIVE_INFINITY;
    this.#hooks.leadershipsMayBeOver();
    this.#options.clock.afterMail(() => this.#lookAtAll());
  }

  #lookAtAll(): void {
    if (!this.#isRunning) return;
    const now = this.#now();
    this.#look(this.#leases, now);
    if (now >= this.#beatDue) {
      this.#beatDue = now + this.#options.timing.heartbeatMs;
      this.#beats.beat();
      this.#outbox.flush();
    }
    const isMore = this.#look(this.#elections, now, Math.min(MAX_AT_ONCE, this.#electionsAt(now)));
    if (isMore && this.#electionsAt(now) > 0) this.#options.clock.afterMail(() => this.#lookAtAll());
    if (now >= this.#balanceDue) this.#balance(now);
    this.#setAlarm();
  }

  /** Looks at the groups that are due; whether some are left. */
  #look(deadlines: Deadlines<Seat>, now: number, max: number = Number.POSITIVE_INFINITY): boolean {
    for (let count = 0; count < max; count++) {
      const seat = deadlines.take(now);
      if (seat === null) return false;
      this.#lookAt(seat, now);
    }
    return deadlines.first <= now;
  }

  /** One that was told less than it could be is due later than it knows. */
  #lookAt(seat: Seat, now: number): void {
    const due = this.#beats.dueOf(seat, this.#options.timing.leaderTimeoutMs);
    if (due !== null && due > now) {
      this.#elections.set(seat, due);
      return;
    }
    this.#beats.tell(seat);
    if (!seat.isSaving && seat.core.nextDeadline() <= now) seat.run(tick);
    else this.#schedule(seat);
  }

  // ---- Balance

  /** Hands over what this host leads beyond its share. */
  #balance(now: number): void {
    const { balance, ip, members, timing } = this.#options;
    this.#balanceDue = now + timing.leaderTimeoutMs;
    if (!balance || this.#beats.led.size === 0) return;
    const counts = this.#leaderships();
    if (!this.#isCalm(counts)) return;
    const able = members.voters.filter(({ priority }) => priority > 0);
    const steady = this.#beats.followers.filter((host) => host.isSteady(now, timing.leaderTimeoutMs));
    const led = this.#beats.led.seats;
    const moves = movesOf({ ip, able, steady, counts, led });
    if (moves.length > 0) this.#balanceDue = now + timing.heartbeatMs;
    for (const { seat, to } of moves) {
      debug('%s goes to %s', seat.name, to);
      seat.run(resignTo(to));
    }
  }

  /** How many groups each host leads, as far as is known here. */
  #leaderships(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { core } of this.#seats.values()) {
      const leader = core.peers.leader?.ip;
      if (leader !== undefined) counts.set(leader, (counts.get(leader) ?? 0) + 1);
    }
    return counts;
  }

  /** Whether as many groups are led as at the last look: while it is more each time, elections are under way. */
  #isCalm(counts: ReadonlyMap<string, number>): boolean {
    const before = this.#ledBefore;
    this.#ledBefore = [...counts.values()].reduce((sum, count) => sum + count, 0);
    return this.#ledBefore === before;
  }

  #fail(cause: unknown): void {
    if (!this.#isRunning) return;
    const error =
      cause instanceof RaftError ? cause : new RaftError('INTERNAL', `a bug: ${textOf(cause)}`, { cause });
    debug('stopped: %s %s; see to the cause, then start it again', error.code, error.message);
    this.stop();
    this.#hooks.failed(error);
  }
}

const tick: Input<void> = (core, now) => core.tick(now);

function resignTo(to?: string): Input<void> {
  return (core, now) => {
    core.resign(now, to);
  };
}

/** Which input of the core takes a request. */
function inputOf(request: GroupRequest): Input<Exclude<GroupReply, ErrorReply>> {
  switch (request.type) {
    case 'vote':
      return (core, now) => core.receivedVote(request, now);
    case 'transfer':
      return (core, now) => core.receivedTransfer(request, now);
    case 'peer':
      return (core, now) => core.getPeer(now, request.id);
  }
}

function notRunning(): RaftError {
  return new RaftError('NOT_RUNNING', 'this host is not running');
}
