import type { Draft, RaftRequest } from '../core/messages.js';
import type { CommonMetrics, LinkMetrics, ReceivedMetrics, SentMetrics } from '../core/metrics.js';

type RequestType = RaftRequest['type'];

/** What is known of one other peer. */
interface Link {
  roundTripMs: number | null;
  smoothedMs: number | null;
  answeredAt: number;
}

/** How much a new round trip counts in the smoothed one. */
const WEIGHT = 1 / 8;

/** Counts what is asked of other peers, and by them: a few additions for each request, and nothing that is allocated. */
export class Traffic {
  readonly #sent: Partial<Record<RequestType, Draft<SentMetrics>>> = {};
  readonly #received: Partial<Record<RequestType | 'unknown', Draft<ReceivedMetrics>>> = {};
  readonly #links = new Map<string, Link>();

  /** `from` answered a request that was sent at `sentAt`. */
  answered(from: string, type: RequestType, reply: unknown, sentAt: number, now: number): void {
    const sent = this.#sentOf(type);
    if (isRefusal(reply)) sent.refused++;
    else sent.answered++;
    const link = this.#links.get(from) ?? this.#newLink(from);
    link.answeredAt = now;
    if (type !== 'beat' && type !== 'beats') return;
    const ms = now - sentAt;
    link.smoothedMs = link.smoothedMs === null ? ms : link.smoothedMs + (ms - link.smoothedMs) * WEIGHT;
    link.roundTripMs = ms;
  }

  /** A request ended without an answer. */
  unanswered(type: RequestType, isTimeout: boolean): void {
    const sent = this.#sentOf(type);
    if (isTimeout) sent.timedOut++;
    else sent.failed++;
  }

  /** A request was answered here, or refused. */
  received(type: RequestType | 'unknown', isRefused: boolean): void {
    this.#received[type] ??= { answered: 0, refused: 0 };
    if (isRefused) this.#received[type].refused++;
    else this.#received[type].answered++;
  }

  /** All that was counted. */
  metrics(): Pick<CommonMetrics, 'sent' | 'received'> {
    return { sent: structuredClone(this.#sent), received: structuredClone(this.#received) };
  }

  /** What is known of the way to `ip` at `now`. */
  linkTo(ip: string, now: number): LinkMetrics {
    const link = this.#links.get(ip);
    return {
      ip,
      roundTripMs: link?.roundTripMs ?? null,
      smoothedRoundTripMs: link?.smoothedMs ?? null,
      silentMs: link === undefined ? null : now - link.answeredAt,
    };
  }

  #sentOf(type: RequestType): Draft<SentMetrics> {
    this.#sent[type] ??= { answered: 0, refused: 0, timedOut: 0, failed: 0 };
    return this.#sent[type];
  }

  #newLink(ip: string): Link {
    const link = { roundTripMs: null, smoothedMs: null, answeredAt: 0 };
    this.#links.set(ip, link);
    return link;
  }
}

function isRefusal(reply: unknown): boolean {
  return typeof reply === 'object' && reply !== null && 'code' in reply;
}
