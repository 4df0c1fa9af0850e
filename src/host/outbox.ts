import type { RaftError } from '../core/errors.js';
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

/** Collects what groups ask of other hosts during a turn, and sends it together; answers go to the cores. */
export class Outbox {
  readonly #requests: Requests;
  readonly #waiting = new Map<string, Letter[]>();
  /** How many letters to each host that votes have no answer yet: groups ask no others. */
  readonly #open = new Map<string, number>();
  readonly #changed: () => void;

  /**
   * @param voters the ips of the other hosts that vote
   * @param changed told when letters were answered, or failed
   */
  constructor(requests: Requests, voters: readonly string[], changed: () => void) {
    this.#requests = requests;
    this.#changed = changed;
    for (const ip of voters) this.#open.set(ip, 0);
  }

  /** Has `request` of the group of `seat` go to the host `to` at the end of this turn. */
  put(to: string, seat: Seat, request: GroupRequest): void {
    this.#count(to, 1);
    const waiting = this.#waiting.get(to);
    if (waiting !== undefined) {
      waiting.push({ seat, request });
      return;
    }
    this.#waiting.set(to, [{ seat, request }]);
    queueMicrotask(() => this.#flush(to));
  }

  /** The letters without an answer at each host that votes, the fewest first. */
  get open(): readonly number[] {
    return [...this.#open.values()].sort((a, b) => a - b);
  }

  #count(to: string, letters: number): void {
    this.#open.set(to, (this.#open.get(to) ?? 0) + letters);
  }

  #flush(to: string): void {
    const letters = this.#waiting.get(to) ?? [];
    this.#waiting.delete(to);
    for (let at = 0; at < letters.length; at += MAX_LETTERS)
      this.#send(to, letters.slice(at, at + MAX_LETTERS));
  }

  #send(to: string, letters: readonly Letter[]): void {
    const requests = letters.map(({ seat, request }) => ({ group: seat.name, request }));
    const failed = (error: RaftError): void => {
      for (const { seat, request } of letters) refuse(seat, to, request, error);
      this.#closed(to, letters);
    };
    const answered = (raw: unknown): void => {
      try {
        const replies = decodeGroupReplies(raw, letters.length);
        for (const [at, { seat, request }] of letters.entries()) deliver(seat, to, request, replies[at]);
        this.#closed(to, letters);
      } catch (error) {
        failed(error as RaftError);
      }
    };
    this.#requests.begin(to, { type: 'groups', requests }, answered, failed);
  }

  #closed(to: string, letters: readonly Letter[]): void {
    this.#count(to, -letters.length);
    this.#changed();
  }
}

function deliver(seat: Seat, from: string, request: GroupRequest, raw: unknown): void {
  try {
    seat.run(inputOf(from, request, raw));
  } catch (error) {
    refuse(seat, from, request, error as RaftError);
  }
}

function refuse(seat: Seat, to: string, request: GroupRequest, error: RaftError): void {
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
