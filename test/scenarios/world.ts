import { type RaftCore, RaftError, type RaftReply, type RaftRequest } from 'raftbeat';
import type { DatumsReply } from '../../src/core/messages.js';
import type { Stored } from '../../src/stores/store.js';
import { L, LATENCY } from '../core/cluster.js';
import { Log } from './log.js';
import { Process, type Setup } from './process.js';
import { answerText, type Kind, kindOf, msText, requestText } from './text.js';

/** What a line of a case does. */
export type Command = (world: World, words: readonly string[]) => void;

/** What is under way from one peer to another. */
export interface Mail {
  /** When it arrives by itself; never, if it is held. */
  at: number;
  readonly from: string;
  readonly to: string;
  readonly kind: Kind;
  readonly isAnswer: boolean;
  readonly text: string;
  readonly deliver: () => void;
}

/** Which mail a command means: all that is given must fit. */
export interface Filter {
  readonly from?: string;
  readonly to?: string;
  readonly kind?: string;
  readonly isAnswer?: boolean;
}

export function fits(filter: Filter, mail: Pick<Mail, 'from' | 'to' | 'kind' | 'isAnswer'>): boolean {
  return (['from', 'to', 'kind', 'isAnswer'] as const).every(
    (key) => filter[key] === undefined || filter[key] === mail[key],
  );
}

/** Peers, the lines between them, and virtual time; writes down what happens. */
export class World {
  now = 0;
  readonly log = new Log();
  readonly processes = new Map<string, Process>();
  readonly cuts = new Set<string>();
  readonly holds: Filter[] = [];
  /** What is under way, oldest first. */
  mail: Mail[] = [];
  /** What arrived, oldest first: it may be repeated. */
  readonly arrived: Mail[] = [];
  readonly setup: Setup;
  readonly #winners = new Map<number, string>();
  readonly #alarms: { at: number; ring: () => void }[] = [];
  #started = 0;
  #leaders = '';

  constructor(setup: Setup) {
    this.setup = setup;
  }

  /** The members of the case, and those that are to join. */
  get ips(): readonly string[] {
    return [...this.setup.members.map(({ ip }) => ip), ...this.setup.joiners];
  }

  say(text: string): void {
    this.log.say(`${msText(this.now)} ${text}`);
  }

  process(ip: string): Process {
    const process = this.processes.get(ip);
    if (process === undefined) throw new Error(`${ip} does not run`);
    return process;
  }

  start(ip: string, disk: Stored | null): void {
    const process = new Process(this, this.setup, ip, disk, ++this.#started);
    this.processes.set(ip, process);
    this.step(() => process.tick());
  }

  // ---- Time

  /** Lets `ms` go by; mail that is due comes before alarms that are. */
  run(ms: number, until: () => boolean = () => false): void {
    const end = this.now + ms;
    let left = MAX_STEPS;
    for (let next = this.#next(); next.at <= end && !until(); next = this.#next()) {
      if (left-- === 0) throw new Error(`time stands still at ${this.now}`);
      this.now = Math.max(this.now, next.at);
      this.step(next.happen);
    }
    if (!until()) this.now = end;
    this.#lookWhoLeads();
  }

  /** One thing that happens, and what comes of it at once. */
  step(happen: () => void): void {
    this.log.group(() => {
      happen();
      this.#lookWhoLeads();
    });
  }

  #next(): { readonly at: number; readonly happen: () => void } {
    const mail = this.mail.reduce<Mail | null>((a, b) => (a === null || b.at < a.at ? b : a), null);
    const alarms = [
      ...[...this.processes.values()].map((process) => ({ at: process.due, happen: () => process.tick() })),
      ...this.#alarms.map(({ at, ring }) => ({ at, happen: ring })),
    ];
    const alarm = alarms.reduce((a, b) => (b.at < a.at ? b : a), NEVER);
    if (mail === null || alarm.at < mail.at) return alarm;
    return { at: mail.at, happen: () => this.arrive(mail) };
  }

  // ---- Mail

  send(from: Process, to: readonly string[], request: RaftRequest): void {
    const kind = kindOf(request);
    const text = requestText(request);
    const isLost = (ip: string): boolean => this.cuts.has(`${from.ip}->${ip}`);
    this.#sent(from.ip, to, kind, text, to.filter(isLost));
    for (const ip of to.filter((ip) => !isLost(ip))) {
      this.post({
        from: from.ip,
        to: ip,
        kind,
        isAnswer: false,
        text,
        deliver: () => this.#receive(from, ip, request),
      });
    }
    if (kind === 'peer') for (const ip of to) this.#awaitPeer(from, ip, request);
  }

  post(mail: Omit<Mail, 'at'>): void {
    const isHeld = this.holds.some((filter) => fits(filter, mail));
    this.mail.push({ ...mail, at: isHeld ? Number.POSITIVE_INFINITY : this.now + LATENCY });
  }

  arrive(mail: Mail): void {
    this.mail = this.mail.filter((other) => other !== mail);
    this.arrived.push(mail);
    this.step(mail.deliver);
  }

  #sent(from: string, to: readonly string[], kind: Kind, text: string, lost: readonly string[]): void {
    if (kind === 'beat') this.log.beat(from, text, 'sent', to);
    const loss = lost.length === 0 ? '' : ` (lost: ${lost.join(' ')})`;
    this.say(`${from} -> ${to.join(' ')} ${text}${loss}`);
  }

  #receive(sender: Process, to: string, request: RaftRequest): void {
    const process = this.processes.get(to);
    if (process === undefined) {
      this.say(`${to} is down: ${requestText(request)} of ${sender.ip}`);
      this.#answer(sender, to, request, new RaftError('UNREACHABLE', `${to} is down`));
      return;
    }
    this.deliverTo(process, sender.ip, request, (answer) => this.#answer(sender, to, request, answer));
  }

  /** Gives a request to a peer; `then` gets what it answers, when that may leave. */
  deliverTo(
    process: Process,
    from: string,
    request: RaftRequest,
    then: (a: RaftReply | RaftError) => void,
  ): void {
    const text = requestText(request);
    if (request.type === 'beat') this.log.beat(from, text, 'heard', [process.ip]);
    const answered = (answer: RaftReply | RaftError): void => {
      if (answer instanceof RaftError) this.log.notable();
      const isLost = this.cuts.has(`${process.ip}->${from}`);
      this.say(`${process.ip} -> ${from} ${answerText(request, answer)}${isLost ? ' (lost)' : ''}`);
      if (!isLost) then(answer);
    };
    const head = `<- ${from} ${text}`;
    if (request.type === 'writes') {
      const writes = request.writes.map(({ number, ...write }) => ({
        ...write,
        id: process.call(answered),
        forward: { process: request.process, number, term: request.term },
      }));
      process.give(head, (core, now) => core.write(writes, now));
    } else process.give(head, (core, now) => answerOf(core, request, now), answered);
  }

  #answer(sender: Process, from: string, request: RaftRequest, answer: RaftReply | RaftError): void {
    const text = answerText(request, answer);
    const deliver = (): void => {
      if (this.processes.get(sender.ip) !== sender) {
        this.say(`${sender.ip} <- ${from} ${text}: nobody waits for it`);
        return;
      }
      this.#answered.add(request);
      if (request.type === 'beat' && !(answer instanceof RaftError)) {
        this.log.beat(sender.ip, requestText(request), 'answered', [from]);
      }
      sender.give(`<- ${from} ${text}`, (core, now) => takeAnswer(core, from, request, answer, now));
    };
    this.post({ from, to: sender.ip, kind: kindOf(request), isAnswer: true, text, deliver });
  }

  readonly #answered = new WeakSet<RaftRequest>();

  /** A peer fetch ends by itself; of other requests nobody needs to be told that they were lost. */
  #awaitPeer(sender: Process, to: string, request: RaftRequest): void {
    const ring = (): void => {
      this.#alarms.splice(this.#alarms.indexOf(alarm), 1);
      if (this.#answered.has(request) || this.processes.get(sender.ip) !== sender) return;
      const error = new RaftError('TIMEOUT', `no answer of ${to}`);
      sender.give(`hears nothing of ${to}: peer`, (core, now) => core.requestFailed(to, request, error, now));
    };
    const alarm = { at: this.now + L / 2, ring };
    this.#alarms.push(alarm);
  }

  // ---- What must hold

  won(ip: string, term: number): void {
    const other = this.#winners.get(term);
    if (other !== undefined && other !== ip) this.say(`!! S1: ${other} and ${ip} won t${term}`);
    this.#winners.set(term, ip);
  }

  /** Those that run and say that they lead. */
  get leaders(): readonly string[] {
    return [...this.processes.values()]
      .filter(({ leads, isStalled }) => leads && !isStalled)
      .map(({ ip }) => ip);
  }

  #lookWhoLeads(): void {
    for (const process of this.processes.values()) {
      // One that stands still cannot ask; what it is told at its first question is what counts.
      if (process.isStalled) continue;
      const leads = process.core.isLeader(process.now);
      if (leads === process.leads) continue;
      process.leads = leads;
      this.say(
        leads ? `${process.ip} LEADS t${process.core.peers.self.term}` : `${process.ip} leads no more`,
      );
    }
    const leaders = this.leaders.join(' and ');
    if (this.leaders.length > 1 && leaders !== this.#leaders) this.say(`!! S2: ${leaders} lead at once`);
    this.#leaders = leaders;
  }
}

/** More than any command needs. */
const MAX_STEPS = 10_000;

const NEVER = { at: Number.POSITIVE_INFINITY, happen: () => {} };

function answerOf(core: RaftCore, request: RaftRequest, now: number): RaftReply | RaftError {
  try {
    switch (request.type) {
      case 'vote':
        return core.receivedVote(request, now);
      case 'beat':
        return core.receivedBeat(request, now);
      case 'transfer':
        return core.receivedTransfer(request, now);
      case 'keys':
        return core.listKeys(request.at, request.from, now);
      case 'datums':
        return core.listDatums(request.at, request.keys, now);
      default:
        return core.getPeer(now, request.type === 'peer' ? request.id : undefined);
    }
  } catch (error) {
    if (error instanceof RaftError && error.code !== 'INTERNAL') return error;
    throw error;
  }
}

function takeAnswer(
  core: RaftCore,
  from: string,
  request: RaftRequest,
  answer: RaftReply | RaftError,
  now: number,
): void {
  if (request.type === 'writes') return;
  if (answer instanceof RaftError) core.requestFailed(from, request, answer, now);
  else if ('keys' in answer && request.type === 'keys') core.receivedKeys(from, request.from, answer, now);
  else if ('datums' in answer && request.type === 'datums')
    core.receivedDatums(from, request.keys, answer as DatumsReply, now);
  else if ('granted' in answer) core.receivedVoteReply(from, answer, now);
  else if ('requestTerm' in answer) core.receivedBeatReply(from, answer, now);
  else if ('heartbeatDueMs' in answer) core.receivedPeer(from, answer, now);
}
