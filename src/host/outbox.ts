import type { RaftError } from '../core/errors.js';
import type { GroupRequest, GroupRequests } from '../core/messages.js';
import { decodePeerReply, decodeVoteReply } from '../node/decode.js';
import { decodeGroupReplies, MAX_GROUP_REQUESTS } from '../node/decode-groups.js';
import type { Requests } from '../node/requests.js';
import type { Input, Seat } from './seat.js';

/** A request of a group that is to go to another host. */
interface Letter {
  readonly seat: Seat;
  readonly request: GroupRequest;
}

/** Collects what groups ask of another host during a turn, and sends it together; answers go to the cores. */
export class Outbox {
  readonly #requests: Requests;
  readonly #waiting = new Map<string, Letter[]>();
  /** How many messages wait or are under way, and who waits for their end. */
  #open = 0;
  #settled: (() => void)[] = [];

  constructor(requests: Requests) {
    this.#requests = requests;
  }

  /** Has `request` of the group of `seat` go to the host `to` at the end of this turn. */
  put(to: string, seat: Seat, request: GroupRequest): void {
    const waiting = this.#waiting.get(to);
    if (waiting !== undefined) {
      waiting.push({ seat, request });
      return;
    }
    this.#waiting.set(to, [{ seat, request }]);
    this.#open++;
    queueMicrotask(() => this.#flush(to));
  }

  /** Resolves when nothing waits and nothing is under way. */
  settled(): Promise<void> {
    if (this.#open === 0) return Promise.resolve();
    return new Promise((resolve) => this.#settled.push(resolve));
  }

  #closed(): void {
    this.#open--;
    if (this.#open === 0) for (const resolve of this.#settled.splice(0)) resolve();
  }

  #flush(to: string): void {
    const letters = this.#waiting.get(to) ?? [];
    this.#waiting.delete(to);
    for (let at = 0; at < letters.length; at += MAX_GROUP_REQUESTS)
      this.#send(to, letters.slice(at, at + MAX_GROUP_REQUESTS));
    this.#closed();
  }

  #send(to: string, letters: readonly Letter[]): void {
    const requests = letters.map(({ seat, request }) => ({ group: seat.name, request }));
    this.#open++;
    const failed = (error: RaftError): void => {
      this.#closed();
      for (const { seat, request } of letters) refuse(seat, to, request, error);
    };
    const answered = (raw: unknown): void => {
      let replies: readonly unknown[];
      try {
        replies = decodeGroupReplies(raw, letters.length);
      } catch (error) {
        failed(error as RaftError);
        return;
      }
      this.#closed();
      for (const [at, { seat, request }] of letters.entries()) deliver(seat, to, request, replies[at]);
    };
    this.#requests.begin(
      to,
      { type: 'groups', requests } satisfies { type: 'groups' } & GroupRequests,
      answered,
      failed,
    );
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
