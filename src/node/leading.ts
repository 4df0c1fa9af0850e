import { RaftError, textOf } from '../core/errors.js';
import type { PeerSnapshot } from '../core/peer.js';
import { Leadership, Waiters } from './leadership.js';

/** What the function of `whileLeader` gets. */
export interface LeaderContext {
  /** Aborted the moment this peer leads no longer. */
  readonly signal: AbortSignal;
  /** The term of this leadership; hand it to whatever you write to. It never decreases. */
  readonly fencingToken: number;
}

/** Lets a caller stop waiting. */
export interface WaitOptions {
  readonly signal?: AbortSignal;
}

/** The peer whose leaderships these are. */
export interface LeadingPeer {
  isLeader(): boolean;
  emit(name: 'error', error: RaftError): unknown;
}

/** Who waits for the leaders and the leaderships of one peer, and what runs while it leads. */
export class Leading {
  readonly #peer: LeadingPeer;
  readonly #leader = new Waiters<PeerSnapshot>();
  readonly #leadership = new Waiters<Leadership>();
  #current: Leadership | null = null;
  /** How often the peer was stopped: a job that outlasts the stop must notice it. */
  #stops = 0;

  constructor(peer: LeadingPeer) {
    this.#peer = peer;
  }

  /** There is a new leader; `isOwn` tells whether it is this very peer, which leads now. */
  made(leader: PeerSnapshot, isOwn: boolean): void {
    if (isOwn) {
      this.#current = new Leadership(leader.term);
      this.#leadership.resolveAll(this.#current);
    }
    this.#leader.resolveAll(leader);
  }

  /** This peer leads no longer; safe to call again. */
  over(): void {
    const over = this.#current;
    this.#current = null;
    over?.end();
  }

  /** The peer stops: nobody waits any longer. */
  stopped(): void {
    this.#stops++;
    this.over();
    this.#leadership.rejectAll(notRunning());
    this.#leader.rejectAll(notRunning());
  }

  /** Resolves with the next leader. @throws RaftError `ABORTED`, `NOT_RUNNING` */
  nextLeader(signal?: AbortSignal): Promise<PeerSnapshot> {
    return this.#leader.next(signal);
  }

  /** Resolves with the leadership of this peer, at once while it leads. @throws RaftError `ABORTED`, `NOT_RUNNING` */
  async leadership(signal?: AbortSignal): Promise<LeaderContext> {
    if (this.#current !== null && this.#peer.isLeader()) return this.#current;
    return this.#leadership.next(signal);
  }

  /** Runs `job` once for each leadership, as told by `RaftNode.whileLeader`. */
  async whileLeader(job: (context: LeaderContext) => unknown, { signal }: WaitOptions = {}): Promise<void> {
    const stops = this.#stops;
    while (stops === this.#stops) {
      const leadership = await this.#nextLeadership(signal);
      if (leadership === null) return;
      const over = signal === undefined ? leadership.signal : AbortSignal.any([leadership.signal, signal]);
      await this.#run(job, { signal: over, fencingToken: leadership.fencingToken });
      await untilAborted(over);
    }
  }

  async #run(job: (context: LeaderContext) => unknown, context: LeaderContext): Promise<void> {
    const { signal } = context;
    try {
      await job(context);
    } catch (cause) {
      if (!signal.aborted) throw cause;
      if (cause !== signal.reason && !isAbortError(cause)) this.#peer.emit('error', jobFailed(cause));
    }
  }

  async #nextLeadership(signal: AbortSignal | undefined): Promise<LeaderContext | null> {
    return signal?.aborted === true ? null : this.leadership(signal).catch(() => null);
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve());
  });
}

function isAbortError(cause: unknown): boolean {
  return cause instanceof Error && cause.name === 'AbortError';
}

function jobFailed(cause: unknown): RaftError {
  const message = `the function of whileLeader failed after its leadership: ${textOf(cause)}`;
  return new RaftError('LISTENER_FAILED', message, { cause });
}

function notRunning(): RaftError {
  return new RaftError('NOT_RUNNING', 'this node is not running');
}
