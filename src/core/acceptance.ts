import { type Datums, sameRevision } from './datums.js';
import { assert } from './errors.js';
import type { BeatData, Revision } from './messages.js';

/**
 * What a follower does with the batches of a leader that it follows (section 4, acceptance, 2 to 5).
 *
 * @returns up to where it now holds what the leader holds, or null when it does not know what they go on from
 */
export function accept(
  datums: Datums,
  { prev, batches }: Pick<BeatData, 'prev' | 'batches'>,
): Revision | null {
  const { base } = datums;
  const isBehind = prev.seq < base.seq;
  const from = isBehind ? base : prev;
  const atBase = batches.find(({ revision }) => revision.seq === base.seq);
  assert(
    !isBehind || atBase === undefined || sameRevision(atBase.revision, base),
    `what is committed is the same everywhere: ${base.term}/${base.seq}`,
  );
  if (!datums.holds(from)) return null;
  let match = from;
  for (const batch of batches) {
    const { revision } = batch;
    if (revision.seq <= from.seq) continue;
    const held = datums.at(revision.seq);
    if (held === undefined || !sameRevision(held, revision)) {
      if (held !== undefined) datums.cut(revision.seq);
      datums.append(batch);
    }
    match = revision;
  }
  return match;
}
