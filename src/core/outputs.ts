import type { RaftRequest } from './messages.js';

/** What a peer must not forget: the durable record (D4; section 3, promise 5). */
export interface StoredState {
  readonly term: number;
  readonly voteFor: string | null;
  /** The longest time in ms for which this peer ever promised not to elect another leader. */
  readonly promisedMs: number;
}

/** Make `state` durable, then call `RaftCore.saved(state, now)`. */
export interface SaveOutput {
  readonly type: 'save';
  readonly state: StoredState;
}

/** Send `request` to each of `to`; the answers go to `RaftCore`, or `requestFailed` does. */
export interface SendOutput {
  readonly type: 'send';
  readonly to: readonly string[];
  readonly request: RaftRequest;
}

/** Ask a former leader for its own view (`getPeer`); the answer goes to `receivedPeer`, or `requestFailed` does. */
export interface FetchPeerOutput {
  readonly type: 'fetchPeer';
  readonly from: string;
  /** Present when an empty peer asks in order to recover; the answer must bear it again. */
  readonly id?: number;
}

/**
 * What the core wants done, in this order. A `save` must be durable before anything behind it, and before the reply
 * of the call that caused it, leaves; when it fails, the rest is discarded and the peer stops (D4).
 */
export type Output = SaveOutput | SendOutput | FetchPeerOutput;
