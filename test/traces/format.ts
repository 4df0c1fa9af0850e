import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { DatumKey, NacosValue, PeerSnapshot } from 'raftbeat';

/** A peer as recorded, under its ip. */
export type PeerFields = Omit<PeerSnapshot, 'ip'>;

/** A state as recorded. `leader` and the peer of that ip may be one object or two. */
export interface RecordedState {
  readonly leader: PeerSnapshot | null;
  readonly leaderIsMapEntry?: boolean;
  readonly peers: Readonly<Record<string, PeerFields>>;
  readonly datums?: Readonly<Record<string, RecordedDatum>>;
}

/** A datum in a state: its value is a mark. */
export interface RecordedDatum {
  readonly timestamp: number;
  readonly value: string;
}

/** A request as recorded; values in it are marks. One that is `sync` has no id. */
export interface RecordedRequest {
  readonly id?: number;
  readonly method: string;
  readonly target: string;
  readonly path: string;
  readonly query?: { readonly vote?: PeerSnapshot; readonly keys?: readonly string[]; readonly key?: string };
  readonly body?: {
    readonly beat?: { readonly peer: PeerSnapshot; readonly datums: readonly DatumKey[] };
    readonly datum?: { readonly key: string; readonly timestamp: number; readonly value?: string };
    readonly source?: PeerSnapshot;
    readonly key?: string;
    readonly value?: string;
  };
  readonly sendThrows?: boolean;
  readonly inline?: string;
}

/** A beat as recorded: `voteFor` may be absent. */
export interface RecordedBeat {
  readonly peer: Omit<PeerSnapshot, 'voteFor'> & { readonly voteFor?: string | null };
  readonly datums: readonly DatumKey[];
}

/** What the leader answered to a request that was passed on to it. */
export interface ProxyReply {
  readonly status?: number;
  readonly body?: string;
  readonly contentType?: string | null;
  readonly error?: true;
}

/** The operations about datums, with their input. */
export type DatumOperation =
  | {
      readonly op: 'onPublish';
      readonly in: {
        readonly datum: {
          readonly key: string;
          readonly timestamp: number;
          readonly value: NacosValue | null;
        };
        readonly source: PeerSnapshot;
      };
    }
  | { readonly op: 'onDelete'; readonly in: { readonly key: string; readonly source: PeerSnapshot } }
  | {
      readonly op: 'signalPublish';
      readonly in: { readonly key: string; readonly value: NacosValue; readonly proxyReply?: ProxyReply };
    }
  | {
      readonly op: 'signalDelete' | 'serviceRemove';
      readonly in: { readonly key: string; readonly proxyReply?: ProxyReply };
    }
  | { readonly op: 'datumGet'; readonly in: { readonly keys: string } }
  | { readonly op: 'setSendBeatOnly'; readonly in: { readonly value: boolean } };

/** All operations, with their input. */
export type Operation =
  | DatumOperation
  | { readonly op: 'receivedVote'; readonly in: { readonly remote: PeerSnapshot } }
  | { readonly op: 'receivedBeat'; readonly in: { readonly beat: RecordedBeat } }
  | { readonly op: 'makeLeader' | 'decideLeader'; readonly in: { readonly candidate: PeerSnapshot } }
  | { readonly op: 'masterElectionTick' | 'heartBeatTick'; readonly in: { readonly times: number } }
  | {
      readonly op: 'peerReply';
      readonly in: { readonly request: number; readonly status: number; readonly body: string };
    }
  | { readonly op: 'peerReplyError'; readonly in: { readonly request: number } }
  | { readonly op: 'getPeer' | 'getLeader' }
  | { readonly op: 'isLeader'; readonly in: { readonly ip: string } }
  | { readonly op: 'setTerm'; readonly in: { readonly term: number } }
  | {
      readonly op: 'changeMembers';
      readonly in: { readonly members: readonly string[]; readonly via: 'changePeers' | 'onEvent' };
    };

/** One step: an operation, the chance it was given, and what came of it. */
export type Step = Operation & {
  readonly transport?: Readonly<Record<string, string>>;
  readonly outcome: { readonly value?: unknown; readonly error?: string | null; readonly type?: string };
  readonly draws?: readonly number[];
  readonly initDraws?: readonly number[];
  readonly events?: readonly { readonly type: string; readonly ip: string; readonly term: number }[];
  readonly outgoing?: readonly RecordedRequest[];
  readonly store?: readonly {
    readonly op: 'write' | 'delete' | 'updateTerm';
    readonly key?: string;
    readonly timestamp?: number;
  }[];
  readonly notified?: readonly (readonly [string, 'CHANGE' | 'DELETE'])[];
  readonly after: RecordedState;
};

/** One recorded run of one peer. */
export interface Scenario {
  readonly id: string;
  readonly version: string;
  readonly local: string;
  readonly initialTerm: number;
  readonly standalone: boolean;
  readonly sendBeatOnly: boolean;
  readonly initial: RecordedState;
  readonly steps: readonly Step[];
}

/** Reads a file of scenarios: gzip'd JSON, one scenario a line. */
export function readScenarios(file: string): readonly Scenario[] {
  const lines = gunzipSync(readFileSync(file)).toString('utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Scenario);
}
