import { ACCEPTANCE, CORE, type Defect, DRIVER, patch, REGISTRY, registry, scenario } from './defect.js';

/** Who is fresh enough to lead, what a follower takes over, and what is committed (protocol, section 4). */
export const BATCHES: readonly Defect[] = [
  {
    name: 'votes ignore how fresh the candidate is',
    patches: [
      patch(
        CORE,
        'if (compareRevisions(revision, this.#newest) < 0) return this.#voteReply(false, now);',
        '',
      ),
    ],
    foundBy: [scenario('registry-stale-by-order')],
  },
  {
    name: 'pre-votes ignore how fresh the candidate is',
    patches: [
      patch(CORE, 'const isFresh = compareRevisions(revision, this.#newest) >= 0;', 'const isFresh = true;'),
    ],
    foundBy: [scenario('registry-stale-pre-vote')],
  },
  {
    name: 'a batch of an older term is committed by count',
    patches: [patch(REGISTRY, 'if (seq < this.#ownSince || seq <=', 'if (seq <=')],
    foundBy: [scenario('registry-older-term')],
  },
  {
    name: 'a follower applies what it gets before it is committed',
    patches: [
      patch(REGISTRY, 'this.#fold(Math.min(data.committed.seq, match.seq))', 'this.#fold(match.seq)'),
    ],
    foundBy: [registry(2)],
  },
  {
    name: 'prev is not checked',
    patches: [
      patch(
        ACCEPTANCE,
        'if (!datums.holds(from)) return null;',
        'if (from.seq > datums.last.seq) return null;',
      ),
    ],
    foundBy: [registry(12)],
  },
  {
    name: 'batches are cut without a conflict',
    patches: [patch(ACCEPTANCE, 'if (held === undefined || !sameRevision(held, revision)) {', '{')],
    foundBy: [registry(45)],
  },
  {
    name: 'a conflict is not cut',
    patches: [
      patch(
        ACCEPTANCE,
        'if (held === undefined || !sameRevision(held, revision)) {',
        'if (held === undefined) {',
      ),
    ],
    foundBy: [registry(5)],
  },
  {
    name: 'a follower folds up to what is committed, whether or not it holds that',
    patches: [
      patch(
        REGISTRY,
        'this.#fold(Math.min(data.committed.seq, match.seq))',
        'this.#fold(Math.min(data.committed.seq, this.datums.last.seq))',
      ),
    ],
    foundBy: [registry(2), scenario('registry-tail-replaced')],
  },
  {
    name: 'a follower folds all that is older than what is committed, by term and then seq',
    patches: [
      patch(
        REGISTRY,
        'this.#fold(Math.min(data.committed.seq, match.seq))',
        `{
          const { term: newest, seq: end } = data.committed;
          const isOlder = ({ revision }: { revision: Revision }) =>
            revision.term < newest || (revision.term === newest && revision.seq <= end);
          const held = this.datums.after(this.datums.base.seq, Number.POSITIVE_INFINITY);
          this.#fold(held.findLast(isOlder)?.revision.seq ?? 0);
        }`,
      ),
    ],
    foundBy: [registry(2), scenario('registry-tail-replaced')],
  },
  {
    name: 'a save of batches is not awaited',
    patches: [
      patch(
        DRIVER,
        'await this.#save(output);',
        '{ const saving = this.#save(output); if (output.data === undefined) await saving; }',
      ),
    ],
    foundBy: [registry(2)],
  },
  {
    name: 'a leader counts what it has not saved',
    patches: [patch(REGISTRY, 'self, this.#savedSeq)', 'self, this.datums.last.seq)')],
    foundBy: [scenario('registry-saved-first')],
  },
  {
    name: 'a new leader counts what it saved before a cut',
    patches: [
      patch(
        REGISTRY,
        'this.#savedSeq = this.datums.last.seq;\n    this.#ownSince = this.#savedSeq + 1;',
        'this.#ownSince = this.datums.last.seq + 1;',
      ),
    ],
    foundBy: [scenario('registry-tail-replaced')],
  },
];
