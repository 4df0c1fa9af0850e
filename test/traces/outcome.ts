import type { PeerSnapshot } from 'raftbeat';
import type { RecordedState, Scenario, Step } from './format.js';

/** Stands for the text of an error that comes from a runtime or a parser: any text equals it. */
export const ANY_TEXT = '*';

/** What was returned, or the text of what was thrown. */
export type Result = { readonly value: PeerSnapshot | boolean | null } | { readonly error: string };

/** A request as compared: to whom, what, and for votes and beats the peer in it. */
export interface Sent {
  readonly to: string;
  readonly what: 'vote' | 'beat' | 'peer';
  readonly peer: PeerSnapshot | null;
}

/** What a step made of a state: all that is compared. */
export interface Outcome {
  readonly result: Result;
  readonly leader: PeerSnapshot | null;
  readonly peers: readonly PeerSnapshot[];
  /** As they came: `MakeLeaderEvent ip term`. */
  readonly events: readonly string[];
  /** By target: their order is that of a hash map. */
  readonly sent: readonly Sent[];
  /** What was saved, as it came: `term voteFor`. */
  readonly saved: readonly string[];
  /** How many draws were left over; less than 0 when more were drawn than recorded, each of these being 0. */
  readonly drawsLeft: number;
}

/** The recorded outcome of `step`. */
export function recordedOutcome(step: Step): Outcome {
  return {
    result: recordedResult(step),
    ...stateOf(step.after),
    events: (step.events ?? []).map(({ type, ip, term }) => eventText(type, ip, term)),
    sent: sorted(
      (step.outgoing ?? []).map(({ target, query, body }) => {
        if (query !== undefined) return { to: target, what: 'vote', peer: clean(query.vote) };
        if (body !== undefined) return { to: target, what: 'beat', peer: clean(body.beat.peer) };
        return { to: target, what: 'peer', peer: null };
      }),
    ),
    saved: [],
    drawsLeft: 0,
  };
}

/** The state in which `steps[at]` of a scenario begins. */
export function stateBefore(scenario: Scenario, at: number): RecordedState {
  return scenario.steps[at - 1]?.after ?? scenario.initial;
}

/** An outcome as a text: what both sides are compared by. */
export function show(outcome: Outcome): string {
  return JSON.stringify(outcome);
}

/** Whether `came` is what `expected` says. */
export function same(came: Outcome, expected: Outcome): boolean {
  const anyText = 'error' in came.result && 'error' in expected.result && expected.result.error === ANY_TEXT;
  return show(anyText ? { ...came, result: expected.result } : came) === show(expected);
}

/** Whether both are the same but for what was saved: the original saves nothing at an election. */
export function looksSame(came: Outcome, expected: Outcome): boolean {
  return same({ ...came, saved: [] }, { ...expected, saved: [] });
}

/** An event as compared. */
export function eventText(type: string, ip: string, term: number): string {
  return `${type} ${ip} ${term}`;
}

/** A save as compared. */
export function saveText({ term, voteFor }: { term: number; voteFor: string | null }): string {
  return `${term} ${voteFor}`;
}

/** The fields of a peer that are compared, in one order. */
export function clean(peer: Omit<PeerSnapshot, 'voteFor'> & { voteFor?: string | null }): PeerSnapshot {
  const { ip, state, term, voteFor = null, leaderDueMs, heartbeatDueMs } = peer;
  return { ip, state, term, voteFor, leaderDueMs, heartbeatDueMs };
}

/** The peers of a state by ip. */
export function peersOf(state: RecordedState): readonly PeerSnapshot[] {
  return byIp(Object.entries(state.peers).map(([ip, fields]) => clean({ ...fields, ip })));
}

export function byIp(peers: readonly PeerSnapshot[]): readonly PeerSnapshot[] {
  return peers.toSorted((a, b) => (a.ip < b.ip ? -1 : 1));
}

export function sorted(sent: readonly Sent[]): readonly Sent[] {
  return sent.toSorted((a, b) => (a.to < b.to ? -1 : a.to > b.to ? 1 : 0));
}

/** The text of an error without what follows from the order of a hash map. */
export function errorText(text: string): string {
  return text.startsWith('unable to find local peer') ? text.replace(/, all peers: .*$/, '') : text;
}

function stateOf(state: RecordedState): Pick<Outcome, 'leader' | 'peers'> {
  return { leader: state.leader === null ? null : clean(state.leader), peers: peersOf(state) };
}

/** Handled or not handled, 0 or 1, is how the original's http client is told; raftbeat has no such value. */
function recordedResult({ op, outcome }: Step): Result {
  if ('type' in outcome) {
    const isRuntimes = /NullPointer|Deserialization|JSONException/.test(outcome.type ?? '');
    return { error: isRuntimes ? ANY_TEXT : errorText(String(outcome.error)) };
  }
  const { value } = outcome;
  if (op === 'peerReply' || value === null || value === undefined) return { value: null };
  return { value: typeof value === 'boolean' ? value : clean(value as PeerSnapshot) };
}
