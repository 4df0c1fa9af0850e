import type { DataChanges } from './datum.js';
import type { DatumChange } from './datums.js';
import type { RaftError } from './errors.js';
import type { RaftRequest, ReadReply, WriteReply } from './messages.js';
import type { NacosDatum } from './nacos-messages.js';

/** What a peer must not forget: the durable record (D4; section 3, promise 5). */
export interface StoredState {
  readonly term: number;
  readonly voteFor: string | null;
  /** The longest time in ms for which this peer ever promised not to elect another leader. */
  readonly promisedMs: number;
  /** Present while this peer learns only: drawn when it found its store empty (section 4, members). */
  readonly learner?: number;
}

/** Make `state` durable, and `data` with it, then call `RaftCore.saved(state, now, data)`. */
export interface SaveOutput {
  readonly type: 'save';
  readonly state: StoredState;
  readonly data?: DataChanges;
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

/** Tell the store that all batches up to `seq` are committed; nothing waits for it. */
export interface FoldOutput {
  readonly type: 'fold';
  readonly seq: number;
}

/** Tell the caller that handed in the write or the read `id`. */
export interface AnswerOutput {
  readonly type: 'answer';
  readonly id: number;
  readonly result: WriteReply | ReadReply | RaftError;
}

/** Tell listeners what was committed, in order. */
export interface ChangesOutput {
  readonly type: 'changes';
  readonly changes: readonly DatumChange[];
}

/** A datum of the original changed, or is gone (null): tell who listens, and store it if `isStored`. */
export interface NacosDatumOutput {
  readonly type: 'nacosDatum';
  readonly key: string;
  readonly datum: NacosDatum | null;
  readonly isStored: boolean;
}

/** What was published under the rules of Nacos has a majority, or it has not, in time. */
export interface NacosWrittenOutput {
  readonly type: 'nacosWritten';
  readonly write: number;
  readonly error: RaftError | null;
}

/**
 * What the core wants done, in this order. A `save` must be durable before anything behind it, and before the reply
 * of the call that caused it, leaves; when it fails, the rest is discarded and the peer stops (D4).
 */
export type Output =
  | SaveOutput
  | SendOutput
  | FetchPeerOutput
  | FoldOutput
  | AnswerOutput
  | ChangesOutput
  | NacosDatumOutput
  | NacosWrittenOutput;
