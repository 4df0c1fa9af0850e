import { setImmediate as turn } from 'node:timers/promises';
import { isGroupName } from '../core/group-name.js';
import type { StoredState } from '../core/outputs.js';
import { encodeHeader, readHeader } from './file-header.js';
import { encodeLine, type LinePlace, LineReader, portions } from './file-lines.js';
import { isStoredState } from './stored-state.js';

/** The lines of a log: first the header and what was live when it was written anew, then one for each save since. */
const LIVE = 0;
const SAVES = 1;

const FIELDS_CHARACTERS = 48;
/** After how many bytes other work of the process has its turn, in reading. */
const REST_BYTES = 65_536;

/** What the first line tells besides. */
interface Header {
  /** How many groups were live. */
  readonly groups: number;
  /** The number of the first save that follows. */
  readonly nextSequence: number;
}

/** A state and the name of its group, as they stand in a line. */
export type GroupEntry = readonly [
  name: string,
  term: number,
  voteFor: string | null,
  promisedMs: number,
  learner?: number,
];

/** What a log says. */
export interface ReadGroups {
  readonly states: Map<string, StoredState>;
  /** The number of the next save. */
  readonly nextSequence: number;
}

export function entryOf(name: string, { term, voteFor, promisedMs, learner }: StoredState): GroupEntry {
  return learner === undefined
    ? [name, term, voteFor, promisedMs]
    : [name, term, voteFor, promisedMs, learner];
}

/** What a log begins with. */
export function* linesOfLive(ip: string, { states, nextSequence }: ReadGroups): Generator<Buffer> {
  const header: Header = { groups: states.size, nextSequence };
  yield encodeHeader('groups', LIVE, ip, header);
  let sequence = 0;
  for (const entries of portions(entriesOf(states), sizeOf)) {
    yield encodeLine({ generation: LIVE, sequence: ++sequence }, entries);
  }
}

export function lineOfSave(sequence: number, entries: readonly GroupEntry[]): Buffer {
  return encodeLine({ generation: SAVES, sequence }, entries);
}

function* entriesOf(states: ReadonlyMap<string, StoredState>): Generator<GroupEntry> {
  for (const [name, state] of states) yield entryOf(name, state);
}

function sizeOf([name, , voteFor]: GroupEntry): number {
  return FIELDS_CHARACTERS + name.length + (voteFor?.length ?? 0);
}

/**
 * Reads a log, between other work. A save that was torn at the end is left out.
 *
 * @param bytes without the zeros behind its last line
 * @throws RaftError `STORE_CORRUPT`, `STORE_MISMATCH`
 */
export async function readGroups(path: string, bytes: Buffer, ip: string): Promise<ReadGroups> {
  const reader = new LineReader(path, bytes);
  const header = readHeader(reader, 'groups', LIVE, ip) as Header;
  const states = new Map<string, StoredState>();
  for (let sequence = 1; states.size < header.groups; sequence += 1) {
    await readLine(reader, { generation: LIVE, sequence }, states);
  }
  let { nextSequence } = header;
  for (; !reader.isAtEnd && !reader.isTorn(); nextSequence += 1) {
    await readLine(reader, { generation: SAVES, sequence: nextSequence }, states);
  }
  return { states, nextSequence };
}

async function readLine(
  reader: LineReader,
  place: LinePlace,
  states: Map<string, StoredState>,
): Promise<void> {
  const begin = reader.position;
  for (const entry of reader.next(place) as readonly GroupEntry[]) {
    const [name, state] = stateIn(entry);
    if (!isGroupName(name) || !isStoredState(state)) throw reader.corrupt('a field is out of bounds');
    states.set(name, state);
  }
  if (Math.floor(begin / REST_BYTES) !== Math.floor(reader.position / REST_BYTES)) await turn();
}

function stateIn([name, term, voteFor, promisedMs, learner]: GroupEntry): [name: string, state: StoredState] {
  return [name, { term, voteFor, promisedMs, ...(learner === undefined ? {} : { learner }) }];
}
