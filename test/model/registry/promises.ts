import { type Batch, NO_DATA } from '../../../src/core/datum.js';
import type { RegistryBounds } from './bounds.js';
import type { Keeper, KeptBase } from './keeper.js';
import { textOf } from './message.js';
import { type Answer, withBatch } from './step.js';

/** A batch that was committed, and the term in which it was so first. */
export interface Committed extends Batch {
  readonly by: number;
}

/** What happened so far, as far as it binds what may happen. */
export interface Past {
  readonly committed: readonly Committed[];
  /** Who won each term; -1: nobody. */
  readonly winners: readonly number[];
  /** The writes that somebody was told were not done. */
  readonly failed: readonly number[];
}

/** What the past becomes with a step of `after`, or what it breaks. */
export function withStep(
  past: Past,
  before: Keeper,
  after: Keeper,
  answers: readonly Answer[],
  bounds: RegistryBounds,
): Past | string {
  const winners =
    before.state !== 'LEADER' && after.state === 'LEADER' ? withWinner(past.winners, after) : past.winners;
  if (typeof winners === 'string') return winners;
  const committed = withBase(past.committed, before, after);
  if (typeof committed === 'string') return committed;
  const failed = withAnswers(past.failed, committed, answers, bounds);
  if (typeof failed === 'string') return failed;
  if (winners === past.winners && committed === past.committed && failed === past.failed) return past;
  return failedYetCommitted(failed, committed) ?? { winners, committed, failed };
}

/** What must hold of the whole: `past` and all peers; only what concerns `moved` is looked at, if nothing was committed. */
export function broken(
  { committed }: Past,
  peers: readonly Keeper[],
  moved: number,
  isNews: boolean,
): string | null {
  for (const peer of peers) {
    if (!isNews && peer.owner !== moved) continue;
    const lost = peer.state === 'LEADER' ? lostBy(peer, committed) : null;
    if (lost !== null) return lost;
  }
  const after = peers[moved] as Keeper;
  for (const peer of peers) {
    if (peer !== after && !match(peer, after))
      return 'log matching: two histories meet again after they parted';
  }
  const newest = committed.at(-1);
  const holders = peers.filter(({ stored }) => newest === undefined || isStored(stored, newest));
  if (2 * holders.length > peers.length) return null;
  return `what is committed, ${newest === undefined ? '' : textOf(newest.revision)}, is in the stores of no majority`;
}

function withWinner(winners: readonly number[], { term, owner }: Keeper): readonly number[] | string {
  const known = winners[term] ?? -1;
  if (known === owner) return `S1: a peer leads term ${term} a second time`;
  if (known !== -1) return `S1: two peers win term ${term}`;
  return winners.with(term, owner);
}

/** A base is what was committed, up to its revision; what nobody had committed before is committed by this peer now. */
function withBase(
  committed: readonly Committed[],
  before: Keeper,
  after: Keeper,
): readonly Committed[] | string {
  const { base, since, batches, term } = after;
  const { seq, term: baseTerm } = base.revision;
  const all = [...committed];
  while (all.length < seq) {
    const batch = batchAt(after, all.length + 1) ?? batchAt(before, all.length + 1);
    if (batch === undefined) return `a base comes out of nowhere: ${textOf(base.revision)}`;
    all.push({ ...batch, by: term });
  }
  const here = all.length === committed.length ? committed : all;
  if (JSON.stringify(base) !== JSON.stringify(baseOf(here, seq)))
    return `a base differs from what is committed: ${baseTerm}/${seq}`;
  for (const { revision } of batches.slice(0, seq - since.seq)) {
    if (here[revision.seq - 1]?.revision.term !== revision.term)
      return `history differs from what is committed: ${textOf(revision)}`;
  }
  return here;
}

function batchAt({ since, batches }: Keeper, seq: number): Batch | undefined {
  return batches[seq - since.seq - 1];
}

/** The base that the first `count` batches make. */
function baseOf(committed: readonly Batch[], count: number = committed.length): KeptBase {
  return committed.slice(0, count).reduce<KeptBase>(withBatch, { ...NO_DATA.base, datums: [] });
}

function withAnswers(
  failed: readonly number[],
  committed: readonly Committed[],
  answers: readonly Answer[],
  bounds: RegistryBounds,
): readonly number[] | string {
  let all = failed;
  for (const { id, result } of answers) {
    if (typeof result !== 'string') {
      const broken = isDone(id, result, committed, bounds)
        ? null
        : `write ${id} is told done, and is not committed`;
      if (broken !== null) return broken;
    } else if (result === 'CONFLICT') {
      const { key, ifTimestamp } = bounds.writes[id] ?? { key: '' };
      const timestamp = baseOf(committed).datums.find((datum) => datum.key === key)?.timestamp ?? 0;
      if (timestamp === ifTimestamp) return `write ${id} is told a conflict that is not committed`;
      all = [...all, id];
    } else if (result !== 'OUTCOME_UNKNOWN') all = [...all, id];
  }
  return all;
}

/** Whether a reply is true: the op of that write stands where the reply says; a removal of nothing says where it looked. */
function isDone(
  id: number,
  { timestamp, revision }: Exclude<Answer['result'], string>,
  committed: readonly Committed[],
  { writes }: RegistryBounds,
): boolean {
  const batch = committed[revision.seq - 1];
  if (batch === undefined || batch.revision.term !== revision.term) return false;
  const write = writes[id];
  const op = batch.ops.find(({ key }) => key === write?.key);
  if (timestamp === null)
    return !baseOf(committed, revision.seq).datums.some(({ key }) => key === write?.key);
  return op?.timestamp === timestamp && op.value === (write?.removes === true ? null : `"${id}"`);
}

function failedYetCommitted(failed: readonly number[], committed: readonly Committed[]): string | null {
  const stamps = new Map<string, number>();
  for (const { ops } of committed) {
    for (const { key, value, timestamp } of ops) {
      const id = failed.find((one) => value === `"${one}"`);
      if (id !== undefined) return `write ${id} is told not done, and is committed`;
      const former = stamps.get(key) ?? 0;
      if (value !== null && timestamp <= former) return `timestamp ${timestamp} of ${key} comes back`;
      stamps.set(key, Math.max(former, timestamp));
    }
  }
  return null;
}

/** Leader completeness: who leads holds all that was committed in earlier terms. */
function lostBy(peer: Keeper, committed: readonly Committed[]): string | null {
  const { term, since } = peer;
  for (const { by, revision } of committed) {
    if (by >= term || revision.seq <= since.seq) continue;
    if (batchAt(peer, revision.seq)?.revision.term !== revision.term)
      return `the leader of term ${term} lacks what was committed: ${textOf(revision)}`;
  }
  return null;
}

/** Log matching: where two peers hold the same revision, they hold the same before it. */
function match(a: Keeper, b: Keeper): boolean {
  const first = Math.max(a.since.seq, b.since.seq) + 1;
  let isSame = true;
  for (
    let seq = first;
    seq <= a.since.seq + a.batches.length && seq <= b.since.seq + b.batches.length;
    seq++
  ) {
    const one = batchAt(a, seq) as Batch;
    const other = batchAt(b, seq) as Batch;
    const isEqual = one.revision.term === other.revision.term;
    if (isEqual && (!isSame || !sameOps(one, other))) return false;
    isSame = isEqual;
  }
  return true;
}

function sameOps(one: Batch, other: Batch): boolean {
  return one.ops === other.ops || JSON.stringify(one.ops) === JSON.stringify(other.ops);
}

function isStored({ base, tail }: Keeper['stored'], { revision }: Batch): boolean {
  if (base.revision.seq >= revision.seq) return true;
  return tail.some((batch) => batch.revision.seq === revision.seq && batch.revision.term === revision.term);
}
