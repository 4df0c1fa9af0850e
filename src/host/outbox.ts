import { RaftError } from '../core/errors.js';
import type { GroupRequest } from '../core/messages.js';
import { decodePeerReply, decodeVoteReply } from '../node/decode.js';
import { decodeGroupReplies } from '../node/decode-groups.js';
import type { Requests } from '../node/requests.js';
import type { Input, Seat } from './seat.js';

/** A request of a group that is to go to another host. */
interface Letter {
  readonly seat: Seat;
  readonly request: GroupRequest;
}

/** The most letters of one message: more would keep other mail waiting for too long at their receiver. */
const MAX_LETTERS = 250;

/** How many letters may wait for their answers at one host, at most and at least. */
const MAX_WINDOW = 1_000;
const MIN_WINDOW = 50;

/** The letters to one host. */
class Destination {
  waiting: Letter[] = [];
  /** Groups that recover from an empty store, and ask when there is room: nothing hurries them. */
  readonly asking = new Map<Seat, GroupRequest>();
  isFlushing = false;
  /** How many have no answer yet, and how many may have none. */
  #open = 0;
  #window = MAX_WINDOW / 4;
  /** One that did not answer is left alone until then. */
  #pausedUntil = Number.NEGATIVE_INFINITY;

  get isEmpty(): boolean {
    return this.#open === 0 && this.waiting.length === 0;
  }

  /** How many letters more it may be sent at `now`, besides those that wait. */
  roomAt(now: number): number {
    return now < this.#pausedUntil ? 0 : Math.max(0, this.#window - this.#open - this.waiting.length);
  }

  takeAsking(max: number): readonly Letter[] {
    const taken: Letter[] = [];
    for (const [seat, request] of this.asking) {
      if (taken.length >= max) break;
      this.asking.delete(seat);
      taken.push({ seat, request });
    }
    return taken;
  }

  sent(letters: number): void {
    this.#open += letters;
  }

  answered(letters: number): void {
    this.#open -= letters;
    this.#window = Math.min(MAX_WINDOW, this.#window + letters);
  }

  failed(letters: number, pausedUntil: number): void {
    this.#open -= letters;
    this.#window = Math.max(MIN_WINDOW, this.#window / 2);
    this.#pausedUntil = pausedUntil;
  }
}

/** What an outbox is made of. */
export interface OutboxOptions {
  readonly requests: Requests;
  /** The ips of the other hosts, and of those of them that vote. */
  readonly others: readonly string[];
  readonly voters: readonly string[];
  /** How many of these an election needs. */
  readonly needed: number;
  /** For how many ms a host that did not answer is left alone. */
  readonly pauseMs: number;
  readonly now: () => number;
  /** Told when letters were answered, or failed. */
  readonly changed: () => void;
}

/**
 * Collects what groups ask of other hosts during a turn, and sends it together; answers go to the cores.
 *
 * No host is sent more than it answers in time: what is too much fails at once, and is asked again in its turn. Otherwise
 * thousands of groups that come up together would have each other's answers come too late.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #destinations: ReadonlyMap<string, Destination>;
  readonly #voters: readonly Destination[];
  #isStopped = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#destinations = new Map(options.others.map((ip) => [ip, new Destination()]));
    this.#voters = options.voters.flatMap((ip) => this.#destinations.get(ip) ?? []);
  }

  /** Has `request` of the group of `seat` go to the host `to`, another one, at the end of this turn. */
  put(to: string, seat: Seat, request: GroupRequest): void {
    const destination = this.#destinations.get(to);
    if (destination === undefined) return;
    if (isPatient(request)) {
      if (destination.asking.has(seat)) return;
      destination.asking.set(seat, request);
    } else destination.waiting.push({ seat, request });
    seat.letters++;
    this.#flushLater(to, destination);
  }

  /** Sends what waits for room, where there is some again. */
  flush(): void {
    for (const [to, destination] of this.#destinations)
      if (destination.asking.size > 0) this.#flushLater(to, destination);
  }

  /** How many groups more may come up for election at `now`: as many others as one needs have room for that. */
  roomAt(now: number): number {
    const rooms = this.#voters.map((voter) => voter.roomAt(now)).sort((a, b) => b - a);
    return rooms[this.#options.needed - 1] ?? Number.POSITIVE_INFINITY;
  }

  /** Sends nothing more. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Whether nothing waits for an answer; what waits for room may do so for ever. */
  get isEmpty(): boolean {
    return [...this.#destinations.values()].every((destination) => destination.isEmpty);
  }

  #flushLater(to: string, destination: Destination): void {
    if (destination.isFlushing) return;
    destination.isFlushing = true;
    queueMicrotask(() => this.#flush(to, destination));
  }

  #flush(to: string, destination: Destination): void {
    if (this.#isStopped) return;
    const letters = destination.waiting;
    destination.waiting = [];
    destination.isFlushing = false;
    const opening = letters.filter(({ request }) => isOpening(request));
    const room = Math.floor(destination.roomAt(this.#options.now()));
    const sent = [
      ...letters.filter(({ request }) => !isOpening(request)),
      ...opening.slice(0, room),
      ...destination.takeAsking(room - opening.length),
    ];
    destination.sent(sent.length);
    for (let at = 0; at < sent.length; at += MAX_LETTERS)
      this.#send(to, destination, sent.slice(at, at + MAX_LETTERS));
    if (opening.length <= room) return;
    for (const { seat, request } of opening.slice(room)) refuse(seat, to, request, TOO_MANY);
    this.#options.changed();
  }

  #send(to: string, destination: Destination, letters: readonly Letter[]): void {
    const requests = letters.map(({ seat, request }) => ({ group: seat.name, request }));
    const failed = (error: RaftError): void => {
      const { now, pauseMs } = this.#options;
      destination.failed(letters.length, now() + pauseMs);
      for (const { seat, request } of letters) refuse(seat, to, request, error);
      this.#options.changed();
    };
    const answered = (raw: unknown): void => {
      let replies: readonly unknown[];
      try {
        replies = decodeGroupReplies(raw, letters.length);
      } catch (error) {
        failed(error as RaftError);
        return;
      }
      destination.answered(letters.length);
      for (const [at, { seat, request }] of letters.entries()) deliver(seat, to, request, replies[at]);
      this.#flushLater(to, destination);
      this.#options.changed();
    };
    this.#options.requests.begin(to, { type: 'groups', requests }, answered, failed);
  }
}

const TOO_MANY = new RaftError('BUSY', 'too many requests of groups wait for their answers');

/** Whether it is of a group that recovers, which asks until it is answered. */
function isPatient(request: GroupRequest): boolean {
  return request.type === 'peer' && request.id !== undefined;
}

/** Whether it opens an exchange, and may as well be asked later: what follows from its answer must go on. */
function isOpening(request: GroupRequest): boolean {
  return request.type === 'peer' || (request.type === 'vote' && request.preVote === true);
}

function deliver(seat: Seat, from: string, request: GroupRequest, raw: unknown): void {
  let input: Input<void>;
  try {
    input = inputOf(from, request, raw);
  } catch (error) {
    refuse(seat, from, request, error as RaftError);
    return;
  }
  seat.letters--;
  seat.run(input);
}

function refuse(seat: Seat, to: string, request: GroupRequest, error: RaftError): void {
  seat.letters--;
  seat.run((core, now) => core.requestFailed(to, request, error, now));
}

/** Which input of the core takes the answer; throws what it is, if it is a refusal. */
function inputOf(from: string, request: GroupRequest, raw: unknown): Input<void> {
  if (request.type === 'vote') {
    const reply = decodeVoteReply(raw);
    return (core, now) => core.receivedVoteReply(from, reply, now);
  }
  const reply = decodePeerReply(raw);
  return (core, now) => core.receivedPeer(from, reply, now);
}
