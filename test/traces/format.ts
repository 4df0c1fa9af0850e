import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { PeerSnapshot } from 'raftbeat';

/** A peer as recorded, under its ip. */
export type PeerFields = Omit<PeerSnapshot, 'ip'>;

/** A state as recorded. `leader` and the peer of that ip may be one object or two. */
export interface RecordedState {
  readonly leader: PeerSnapshot | null;
  readonly leaderIsMapEntry?: boolean;
  readonly peers: Readonly<Record<string, PeerFields>>;
  readonly datums?: unknown;
}

/** A request as recorded. */
export interface RecordedRequest {
  readonly id: number;
  readonly target: string;
  readonly path: string;
  readonly query?: { readonly vote: PeerSnapshot };
  readonly body?: { readonly beat: { readonly peer: PeerSnapshot; readonly datums: readonly unknown[] } };
  readonly sendThrows?: boolean;
  readonly inline?: boolean;
}

/** A beat as recorded: `voteFor` may be absent. */
export interface RecordedBeat {
  readonly peer: Omit<PeerSnapshot, 'voteFor'> & { readonly voteFor?: string | null };
  readonly datums: readonly unknown[];
}

/** The operations of the election files, with their input. */
export type Operation =
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
  readonly after: RecordedState;
};

/** One recorded run of one peer. */
export interface Scenario {
  readonly id: string;
  readonly version: string;
  readonly local: string;
  readonly initialTerm: number;
  readonly standalone: boolean;
  readonly initial: RecordedState;
  readonly steps: readonly Step[];
}

/** Whether a scenario is about datums: then most of its steps are more than elections and beats. */
export function isAboutDatums({ initial }: Scenario): boolean {
  return initial.datums !== undefined;
}

/** Reads a file of scenarios: gzip'd JSON, one scenario a line. */
export function readScenarios(file: string): readonly Scenario[] {
  const lines = gunzipSync(readFileSync(file)).toString('utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Scenario);
}
