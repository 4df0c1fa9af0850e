import type { PeerSnapshot } from 'raftbeat';
import type { RecordedRequest, RecordedState, Scenario, Step } from './format.js';
import { byKey, type Marked, marked } from './marks.js';

/** Stands for the text of an error that comes from a runtime or a parser: any text equals it. */
export const ANY_TEXT = '*';

/** What was returned, or the text of what was thrown. */
export type Result =
  | { readonly value: PeerSnapshot | boolean | null | readonly (Marked | null)[] }
  | { readonly error: string };

/** A request as compared. */
export interface Sent {
  readonly to: string;
  readonly what: What;
  /** The peer in it: a candidate, a leader, or the source of a change. */
  readonly peer: PeerSnapshot | null;
  /** What it says of datums. */
  readonly about: unknown;
}

/** The kinds of requests. `publish` and `remove` are passed on to the leader. */
export type What = 'vote' | 'beat' | 'peer' | 'datums' | 'commit' | 'delete' | 'publish' | 'remove';

/** What a step made of a state: all that is compared. */
export interface Outcome {
  readonly result: Result;
  readonly leader: PeerSnapshot | null;
  readonly peers: readonly PeerSnapshot[];
  /** As they came: `MakeLeaderEvent ip term`. */
  readonly events: readonly string[];
  /** By target: their order is that of a hash map. */
  readonly sent: readonly Sent[];
  readonly datums: readonly Marked[];
  /** What was stored of datums: `write key timestamp` or `delete key`. */
  readonly stored: readonly string[];
  /** What listeners of datums were told: `CHANGE key` or `DELETE key`. */
  readonly notified: readonly string[];
  /** What was saved, as it came: `term voteFor`. */
  readonly saved: readonly string[];
  /** How many draws were left over; less than 0 when more were drawn than recorded, each of these being 0. */
  readonly drawsLeft: number;
}

/** The recorded outcome of `step`. */
export function recordedOutcome(step: Step): Outcome {
  return {
    result: recordedResult(step),
    leader: step.after.leader === null ? null : clean(step.after.leader),
    peers: peersOf(step.after),
    events: (step.events ?? []).map(({ type, ip, term }) => eventText(type, ip, term)),
    sent: sorted((step.outgoing ?? []).map(recordedSent)),
    datums: datumsOf(step.after),
    stored: inOrder(step, storedOf(step)),
    notified: inOrder(
      step,
      (step.notified ?? []).map(([key, action]) => `${action} ${key}`),
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

/** What a beat deletes comes in the order of a hash map. */
export function inOrder(step: Step, texts: readonly string[]): readonly string[] {
  return step.op === 'receivedBeat' ? texts.toSorted() : texts;
}

/** The kind of a recorded request. */
export function whatOf({ method, path }: RecordedRequest): What {
  const last = path.slice(path.indexOf('/raft/') + '/raft/'.length);
  const what = WHATS[`${method} ${last}`];
  if (what === undefined) throw new Error(`a request ${method} ${path} is not understood`);
  return what;
}

const WHATS: Readonly<Record<string, What>> = {
  'POST vote': 'vote',
  'POST beat': 'beat',
  'GET peer': 'peer',
  'GET datum': 'datums',
  'POST datum/commit': 'commit',
  'DELETE datum/commit': 'delete',
  'POST datum': 'publish',
  'DELETE datum': 'remove',
};

function recordedSent(request: RecordedRequest): Sent {
  const { target: to, query, body } = request;
  const what = whatOf(request);
  const peer = query?.vote ?? body?.beat?.peer ?? body?.source;
  return { to, what, peer: peer === undefined ? null : clean(peer), about: aboutOf(what, query, body) };
}

function aboutOf(what: What, query: RecordedRequest['query'], body: RecordedRequest['body']): unknown {
  switch (what) {
    case 'beat':
      return byKey(body?.beat?.datums ?? []);
    case 'datums':
      return query?.keys;
    case 'commit':
    case 'delete':
      return body?.datum === undefined ? null : marked(body.datum);
    case 'publish':
      return { key: body?.key, value: body?.value };
    case 'remove':
      return decodeURIComponent(query?.key ?? '');
    default:
      return null;
  }
}

/** The term is saved together with the vote (D4). */
function storedOf({ store = [] }: Step): readonly string[] {
  return store.flatMap(({ op, key, timestamp }) => {
    if (op === 'updateTerm') return [];
    return [op === 'write' ? `write ${key} ${timestamp}` : `delete ${key}`];
  });
}

/** The text of an error without what follows from the order of a hash map. */
export function errorText(text: string): string {
  return text.startsWith('unable to find local peer') ? text.replace(/, all peers: .*$/, '') : text;
}

function datumsOf({ datums = {} }: RecordedState): readonly Marked[] {
  return byKey(Object.entries(datums).map(([key, datum]) => marked({ key, ...datum })));
}

/** Handled or not handled, 0 or 1, is how the original's http client is told; raftbeat has no such value. */
function recordedResult({ op, outcome }: Step): Result {
  if ('type' in outcome) {
    const isRuntimes = /NullPointer|Deserialization|JSONException|java\.|URLDecoder|scripted/.test(
      `${outcome.type} ${outcome.error}`,
    );
    return { error: isRuntimes ? ANY_TEXT : errorText(String(outcome.error)) };
  }
  const { value } = outcome;
  if (op === 'peerReply' || value === null || value === undefined) return { value: null };
  if (Array.isArray(value)) return { value: value.map((datum) => (datum === null ? null : marked(datum))) };
  if (typeof value === 'boolean') return { value };
  return 'status' in (value as object)
    ? { error: (value as { body: string }).body }
    : { value: clean(value as PeerSnapshot) };
}
