import type { PeerSnapshot } from './peer.js';

/** What original peers keep under a key: a service's metadata, or a list of instances, as a JSON object. */
export type NacosValue = Readonly<Record<string, unknown>>;

/** A datum of the original (section 1, datums). */
export interface NacosDatum {
  readonly key: string;
  readonly value: NacosValue;
  /** Counts the changes of this key, from 1. */
  readonly timestamp: number;
}

/** Asks a leader for what its beat named. */
export interface NacosGet {
  readonly keys: readonly string[];
  /** The leader of that beat, as the asker knows it; of use to the asker alone. Its term may be written meanwhile. */
  readonly leader?: { readonly term: number };
}

/** A leader tells what it published. */
export interface NacosCommit {
  readonly datum: NacosDatum;
  /** The leader, after the addition to its term (section 5). */
  readonly source: PeerSnapshot;
}

/** A leader tells what it removed. */
export interface NacosDelete {
  readonly key: string;
  readonly source: PeerSnapshot;
}

/** Asks for a change, of the leader in the end. */
export interface NacosPublish {
  readonly key: string;
  readonly value: NacosValue;
  /** Whether a peer passes it on that took its receiver for the leader: it is not passed on again. */
  readonly forwarded?: boolean;
}

/** Asks for a removal, of the leader in the end. */
export interface NacosRemove {
  readonly key: string;
  readonly forwarded?: boolean;
}

/** What peers ask of each other about the datums of the original; under `rules: 'nacos'` only. */
export type NacosRequest =
  | ({ readonly type: 'nacosGet' } & NacosGet)
  | ({ readonly type: 'nacosCommit' } & NacosCommit)
  | ({ readonly type: 'nacosDelete' } & NacosDelete)
  | ({ readonly type: 'nacosPublish' } & NacosPublish)
  | ({ readonly type: 'nacosRemove' } & NacosRemove);

/** The reply to `nacosGet`: in the order of the keys, null for what is not there or cannot be used. */
export interface NacosDatumsReply {
  readonly datums: readonly (NacosDatum | null)[];
}

/** The reply to every other request of these: it was done. */
export interface NacosDoneReply {
  readonly done: true;
}
