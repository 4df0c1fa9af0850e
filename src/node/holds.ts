import { RaftError } from '../core/errors.js';
import type { HoldReply, HoldRequest, RaftRequest } from '../core/messages.js';
import { MAX_MS } from '../core/timing.js';
import type { Clock } from './clock.js';
import { decodeHoldReply } from './decode.js';

/** What holds are made of. */
export interface HoldsOptions {
  readonly ip: string;
  readonly clock: Clock;
  /** H: ms until a leader that could not be asked is asked again. */
  readonly heartbeatMs: number;
  /** Asks a peer; rejects when the connection is lost, or after `deadlineMs`, or when `signal` is aborted. */
  readonly ask: (to: string, request: RaftRequest, deadlineMs?: number) => Promise<unknown>;
  /** The connection to `ip` is lost. */
  readonly lost: (ip: string) => void;
}

const HELD: HoldReply = { held: true };

/**
 * The connections whose end tells that a process is gone (section 3, release on disconnect; D17). A follower keeps one
 * request open at its leader, which answers it only when it stops: the end of it is a signal to both.
 */
export class Holds {
  readonly #options: HoldsOptions;
  /** What ends the request of each follower that is held here. */
  readonly #held = new Map<string, (reply: HoldReply | RaftError) => void>();
  /** Each leader that is followed, or none, has a number: what was begun for another one is over. */
  #following = 0;
  #cancelRetry: () => void = () => {};

  constructor(options: HoldsOptions) {
    this.#options = options;
  }

  /** This peer follows `leader` now, or nobody. */
  follow(leader: string | null): void {
    this.#following++;
    this.#cancelRetry();
    if (leader !== null && leader !== this.#options.ip) void this.#hold(leader, this.#following);
  }

  /**
   * Holds the request of a follower, or tells at once that it would.
   *
   * @param gone aborted when the asker is gone; without it nothing can be held
   * @throws RaftError `UNSUPPORTED` when the transport cannot tell, `NOT_RUNNING` when this peer stops
   */
  async received({ ip, wait }: HoldRequest, gone: AbortSignal | undefined): Promise<HoldReply> {
    if (gone === undefined)
      throw new RaftError('UNSUPPORTED', 'this transport does not tell when an asker is gone');
    if (!wait) return HELD;
    this.#held.get(ip)?.(HELD);
    return new Promise((resolve, reject) => {
      const end = (reply: HoldReply | RaftError): void => {
        this.#held.delete(ip);
        gone.removeEventListener('abort', lose);
        if (reply instanceof RaftError) reject(reply);
        else resolve(reply);
      };
      const lose = (): void => {
        end(HELD);
        this.#options.lost(ip);
      };
      this.#held.set(ip, end);
      gone.addEventListener('abort', lose);
      if (gone.aborted) lose();
    });
  }

  /** Lets go of all. */
  stop(error: RaftError): void {
    this.follow(null);
    for (const end of [...this.#held.values()]) end(error);
  }

  /** Asks first whether it would be held: a leader that cannot be reached from here at all was never connected. */
  async #hold(leader: string, following: number): Promise<void> {
    const { ask, ip, lost, clock, heartbeatMs } = this.#options;
    const isOver = (): boolean => following !== this.#following;
    const again = (): void => {
      if (!isOver())
        this.#cancelRetry = clock.setTimer(() => void this.#hold(leader, following), heartbeatMs);
    };
    try {
      decodeHoldReply(await ask(leader, { type: 'hold', ip, wait: false }));
    } catch (error) {
      if ((error as RaftError).code !== 'UNSUPPORTED') again();
      return;
    }
    if (isOver()) return;
    const isLost = await ask(leader, { type: 'hold', ip, wait: true }, MAX_MS).then(tellsOfAnEnd, () => true);
    if (isOver()) return;
    if (isLost) lost(leader);
    again();
  }
}

/** A peer that stops says so; one that answers otherwise is alive. */
function tellsOfAnEnd(reply: unknown): boolean {
  try {
    decodeHoldReply(reply);
    return false;
  } catch (error) {
    return (error as RaftError).code === 'NOT_RUNNING';
  }
}
