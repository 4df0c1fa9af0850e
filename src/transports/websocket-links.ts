import { RaftError } from '../core/errors.js';
import type { RaftRequest } from '../core/messages.js';
import { aborted } from './conversation.js';
import type { Link } from './websocket-link.js';

/** How long a peer that could not be reached is left alone, in ms: at first, and at most. */
const FIRST_PAUSE_MS = 20;
const MOST_PAUSE_MS = 250;

/** Connects to a peer. */
export type Dial = (to: string, signal: AbortSignal) => Promise<Link>;

/** A peer that there is no connection to. */
interface Absent {
  /** Who waits for one. */
  readonly waiting: Set<{ resolve(link: Link): void; reject(error: unknown): void }>;
  isDialed: boolean;
  failures: number;
  /** When it may be dialed again, in ms of `performance.now()`, and why it could not be reached. */
  pauseEnds: number;
  cause: unknown;
}

/** The connections of one peer: one to each other peer, whoever dialed. */
export class Links {
  readonly #local: string;
  readonly #dial: Dial;
  readonly #open = new Map<string, Link>();
  readonly #absent = new Map<string, Absent>();
  /** All that are not over, also those that another one took the place of. */
  readonly #all = new Set<Link>();
  readonly #stopped = new AbortController();

  constructor(local: string, dial: Dial) {
    this.#local = local;
    this.#dial = dial;
  }

  /**
   * Asks the peer `to`, over the connection that there is, or a new one.
   *
   * @throws RaftError `ABORTED`, `UNREACHABLE`, `TOO_LARGE`, or what the dialing throws
   */
  async request(to: string, request: RaftRequest, signal: AbortSignal): Promise<unknown> {
    if (this.#stopped.signal.aborted) throw stopped();
    if (signal.aborted) throw aborted(to, signal.reason);
    const link = this.#openTo(to) ?? (await this.#connected(to, signal));
    return link.ask(request, signal);
  }

  /** Takes a new connection in, as soon as it is known who is at its other end. */
  add(link: Link): void {
    this.#all.add(link);
    link.onEnd = () => this.#ended(link);
    if (link.isProven) this.#use(link);
    else link.onProven = () => this.#use(link);
  }

  #use(link: Link): void {
    const { ip } = link.peer;
    const former = this.#openTo(ip);
    const isBetter = former === null || this.#isBetter(link, former);
    if (isBetter) this.#open.set(ip, link);
    const better = isBetter ? link : former;
    const other = isBetter ? former : link;
    // The other end asks nothing over the other one from then on.
    if (other !== null && letsGo(better, other)) better.whenCaughtUp(() => other.retire());
    this.#found(ip, better);
  }

  /** Asks nobody any more. */
  close(): void {
    this.#stopped.abort();
    for (const link of this.#all) link.forsake(stopped());
    for (const { waiting } of this.#absent.values()) for (const { reject } of waiting) reject(stopped());
  }

  /** Waits a little for the answers under way; resolved when every connection is over. */
  async end(): Promise<void> {
    await Promise.all([...this.#all].map((link) => link.close()));
  }

  #openTo(ip: string): Link | null {
    const link = this.#open.get(ip);
    return link?.isOpen === true ? link : null;
  }

  /**
   * Of two connections to one process the one that the peer with the smaller ip dialed stays, on both sides; who dialed
   * again has lost the former. If there are two processes, the one at the address of the peer is it; else the one that came
   * last.
   */
  #isBetter(link: Link, former: Link): boolean {
    if (link.peer.process !== former.peer.process) return link.isDialed || !former.isDialed;
    return link.isDialed === former.isDialed || link.isDialed === this.#local < link.peer.ip;
  }

  async #connected(to: string, signal: AbortSignal): Promise<Link> {
    const absent = this.#absent.get(to) ?? newAbsent();
    this.#absent.set(to, absent);
    if (!absent.isDialed && absent.pauseEnds > performance.now()) throw absent.cause;
    if (!absent.isDialed) void this.#call(to, absent);
    let abort = (): void => {};
    try {
      return await new Promise((resolve, reject) => {
        abort = () => reject(aborted(to, signal.reason));
        signal.addEventListener('abort', abort, { once: true });
        absent.waiting.add({ resolve, reject });
      });
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async #call(to: string, absent: Absent): Promise<void> {
    absent.isDialed = true;
    try {
      const link = await this.#dial(to, this.#stopped.signal);
      if (this.#stopped.signal.aborted) link.cut();
      else this.add(link);
    } catch (error) {
      absent.isDialed = false;
      absent.cause = error;
      absent.pauseEnds = performance.now() + pauseAfter(absent.failures++);
      for (const { reject } of absent.waiting) reject(error);
      absent.waiting.clear();
    }
  }

  /** There is a connection to `ip` now. */
  #found(ip: string, link: Link): void {
    const absent = this.#absent.get(ip);
    this.#absent.delete(ip);
    for (const { resolve } of absent?.waiting ?? []) resolve(link);
  }

  #ended(link: Link): void {
    this.#all.delete(link);
    if (this.#open.get(link.peer.ip) === link) this.#open.delete(link.peer.ip);
  }
}

/**
 * Whether this end ends the other one of two connections. To one process it is the end that dialed the better one, as it can
 * tell when both know of it. What another process dialed is left to it.
 */
function letsGo(better: Link, other: Link): boolean {
  return better.peer.process === other.peer.process ? better.isDialed : other.isDialed;
}

function newAbsent(): Absent {
  return { waiting: new Set(), isDialed: false, failures: 0, pauseEnds: 0, cause: null };
}

/** Longer after each failure, and not the same for all who lost the same peer. */
function pauseAfter(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** failures, MOST_PAUSE_MS) * (0.5 + Math.random() / 2);
}

function stopped(): RaftError {
  return new RaftError('ABORTED', 'the transport was stopped');
}
