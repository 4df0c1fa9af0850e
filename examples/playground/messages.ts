import type { RaftReply, RaftRequest } from 'raftbeat';
import type { Flight } from '../../src/testing/sim/network.js';
import type { MessageKind, MessageView } from './picture.js';

/** So long after a message was sent it is out of sight. */
const KEPT_MS = 4_000;

/** One that is lost from the first is seen for so long. */
const LOST_AFTER_MS = 8;

type Seen = { -readonly [Key in keyof MessageView]: MessageView[Key] } & { readonly flight: Flight };

/** The messages of a cluster, as they are drawn. */
export class Messages {
  #seen: Seen[] = [];

  get views(): readonly MessageView[] {
    return this.#seen;
  }

  add(flight: Flight): void {
    const { number, from, to, message, sentAt, arrivesAt } = flight;
    const isLost = arrivesAt === Number.POSITIVE_INFINITY;
    this.#seen.push({
      ...{ flight, number, from, to, sentAt, ...described(message) },
      arrivesAt: isLost ? sentAt + 2 * LOST_AFTER_MS : arrivesAt,
      lostAt: isLost ? sentAt + LOST_AFTER_MS : Number.POSITIVE_INFINITY,
    });
    const oldest = this.#seen[0];
    if (oldest !== undefined && oldest.sentAt < sentAt - 2 * KEPT_MS)
      this.#seen = this.#seen.filter((one) => one.sentAt >= sentAt - KEPT_MS);
  }

  /** Has a message arrive `ms` later, or never; whether it was on its way. */
  putOff(number: number, ms: number, now: number): boolean {
    const seen = this.#seen.find((one) => one.number === number);
    if (seen === undefined || seen.flight.arrivesAt <= now || seen.lostAt <= now) return false;
    if (ms === Number.POSITIVE_INFINITY) seen.lostAt = now;
    else seen.arrivesAt += ms;
    seen.flight.arrivesAt += ms;
    return true;
  }
}

function described(message: RaftRequest | RaftReply | null): {
  readonly kind: MessageKind;
  readonly text: string;
} {
  if (message === null) return { kind: 'no', text: 'nobody listens' };
  if ('type' in message) return describedRequest(message as RaftRequest);
  if ('code' in message) return { kind: 'no', text: message.code };
  if ('granted' in message)
    return message.granted ? { kind: 'yes', text: 'granted' } : { kind: 'no', text: 'refused' };
  return 'requestTerm' in message ? { kind: 'yes', text: 'acknowledged' } : { kind: 'other', text: 'answer' };
}

function describedRequest(request: RaftRequest): ReturnType<typeof described> {
  const term = 'peer' in request ? ` t${request.peer.term}` : '';
  if (request.type === 'vote') {
    const kind = request.preVote === true ? 'pre-vote' : 'vote';
    return { kind, text: kind + term };
  }
  if (request.type === 'beat') return { kind: 'beat', text: `beat${term}` };
  if (request.type === 'transfer') return { kind: 'order', text: `take over after${term}` };
  return { kind: 'other', text: request.type };
}
