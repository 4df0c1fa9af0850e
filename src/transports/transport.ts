import type { RaftReply, RaftRequest } from '../core/messages.js';

/**
 * Handles one inbound request. Never rejects: a refusal is an `ErrorReply`. Checks everything that it is given.
 *
 * @param gone aborted when the asker is gone before its answer; from a transport that can tell (see
 * `releaseOnDisconnect`)
 */
export type Receive = (request: unknown, from: string, gone?: AbortSignal) => Promise<RaftReply>;

/** Options of one outbound request. */
export interface RequestOptions {
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** Options of one publication. */
export interface BroadcastOptions extends RequestOptions {
  /**
   * To be called with each answer, be it a refusal, and the ip of who gave it, on which the lease relies. Of those that do
   * not answer nothing is told.
   */
  readonly answered: (from: string, reply: unknown) => void;
}

/**
 * Carries requests between peers: the least that can work. Requests and replies are plain JSON objects; a transport
 * need not look into them, and may lose, delay, repeat and reorder them. What it returns is checked by the caller.
 */
export interface Transport {
  /**
   * Starts to serve requests to `local`; each goes to `receive`, with a name for its sender that is used in logs only.
   *
   * @throws RaftError `INVALID_STATE` when it was started before, or another error when the address cannot be served
   */
  start(local: string, receive: Receive): Promise<void>;

  /**
   * Asks the peer `to`, and resolves with what it answered, be it a refusal.
   *
   * @throws when there is no answer: the peer cannot be reached, `signal` was aborted, or the transport does not run
   */
  request(to: string, request: RaftRequest, options: RequestOptions): Promise<unknown>;

  /**
   * Publishes `request` once for all of `to`, where the medium can do that: a beat that brings no data goes by it, so
   * that a leader sends one message, however many listen. It may reach others, too; each answers as it does a request.
   */
  broadcast?(to: readonly string[], request: RaftRequest, options: BroadcastOptions): void;

  /**
   * Stops serving, rejects the requests under way and lets go of all connections; resolved when nothing is left. Safe to
   * call more than once, and before the start; afterwards it can be started again.
   */
  stop(): Promise<void>;
}
