import type { Op } from './datum.js';
import { type Datums, sizeOfOp } from './datums.js';
import { RaftError } from './errors.js';
import type { MemberChange } from './members.js';
import type { ForwardedWrite, Revision, WriteReply, WritesRequest } from './messages.js';
import type { AnswerOutput } from './outputs.js';

/** A write as it is handed in. */
export interface Write {
  /** The caller's own number for it: the answer bears it again. */
  readonly id: number;
  readonly key: string;
  /** JSON text; null removes the key. */
  readonly value: string | null;
  /** Write only if the key's timestamp is this one; 0: only if there is no such key. */
  readonly ifTimestamp?: number | undefined;
  /** Where it came from, if another peer forwarded it. */
  readonly forward?: Forwarded | undefined;
}

/** A change of the members as it is handed in. */
export interface MembersWrite extends Pick<Write, 'id' | 'forward'> {
  readonly change: MemberChange;
  /** Of the leader that it is meant for. */
  readonly term: number;
}

/** What tells a forwarded write apart from all others, and the term of the leader that it is meant for. */
export type Forwarded = Pick<WritesRequest, 'process' | 'term'> & Pick<ForwardedWrite, 'number'>;

interface Waiting {
  readonly id: number;
  readonly result: WriteReply | RaftError;
  /** Whether it stands in a batch: then its outcome is open until that batch is committed. */
  readonly isBatched: boolean;
}

/**
 * The writes of one leadership (section 4, writes): turns them into batches, and tells each caller the outcome when it is
 * certain. Conditions and timestamps are worked out on base plus whole tail; what they say holds once the newest batch of
 * that moment is committed.
 */
export class Writes {
  readonly #datums: Datums;
  readonly #output: (answer: AnswerOutput) => void;
  readonly #maxBatchSize: number;
  /** Who waits for which seq; seqs rise in the order of insertion. */
  readonly #waiting = new Map<number, Waiting[]>();

  constructor(datums: Datums, maxBatchSize: number, output: (answer: AnswerOutput) => void) {
    this.#datums = datums;
    this.#maxBatchSize = maxBatchSize;
    this.#output = output;
  }

  /** Takes writes in, in this order, as few batches of `term`. Answers come when they are certain. */
  take(writes: readonly Write[], term: number): void {
    let ops = new Map<string, Op>();
    let size = 0;
    for (const write of writes) {
      if (ops.has(write.key) || size > this.#maxBatchSize) {
        this.#append(ops, term);
        ops = new Map();
        size = 0;
      }
      const op = this.#judge(write, ops.size > 0, term);
      if (op === null) continue;
      ops.set(op.key, op);
      size += sizeOfOp(op);
    }
    if (ops.size > 0) this.#append(ops, term);
  }

  /** Everything up to `seq` is committed in this leadership. */
  committed(seq: number): void {
    for (const [at, waiting] of this.#waiting) {
      if (at > seq) return;
      this.#waiting.delete(at);
      for (const { id, result } of waiting) this.#output({ type: 'answer', id, result });
    }
  }

  /** This peer leads no longer: what stands in a batch may still be committed, by another leader. */
  lost(): void {
    for (const waiting of this.#waiting.values()) {
      for (const { id, isBatched } of waiting) {
        this.#output({ type: 'answer', id, result: isBatched ? outcomeUnknown() : noLeader() });
      }
    }
    this.#waiting.clear();
  }

  #append(ops: ReadonlyMap<string, Op>, term: number): void {
    this.#datums.append({ revision: this.#next(term), ops: [...ops.values()] });
  }

  #next(term: number): Revision {
    return { term, seq: this.#datums.last.seq + 1 };
  }

  /** The op of a write, or null when there is nothing to do: then the answer is certain with the newest batch. */
  #judge({ id, key, value, ifTimestamp }: Write, isOpen: boolean, term: number): Op | null {
    const present = this.#datums.newest(key);
    const revision = isOpen ? this.#next(term) : this.#datums.last;
    const known = present?.timestamp ?? 0;
    if (ifTimestamp !== undefined && ifTimestamp !== known) {
      const result = new RaftError('CONFLICT', conflictText(key, ifTimestamp, known));
      this.#wait(revision.seq, { id, result, isBatched: false });
      return null;
    }
    if (value === null && present === null) {
      this.#wait(revision.seq, { id, result: { timestamp: null, revision }, isBatched: false });
      return null;
    }
    const timestamp = value === null ? known : (present?.timestamp ?? this.#datums.stampFloor) + 1;
    const next = this.#next(term);
    this.#wait(next.seq, { id, result: { timestamp, revision: next }, isBatched: true });
    return { key, value, timestamp };
  }

  #wait(seq: number, waiting: Waiting): void {
    const others = this.#waiting.get(seq);
    if (others === undefined) this.#waiting.set(seq, [waiting]);
    else others.push(waiting);
  }
}

/** What a caller is told of a write whose fate is open. */
export function outcomeUnknown(): RaftError {
  return new RaftError(
    'OUTCOME_UNKNOWN',
    'the leader changed meanwhile: the write may still be committed, whole',
  );
}

/** What a caller is told of a write that was not done. */
export function noLeader(): RaftError {
  return new RaftError('NO_LEADER', 'no leader is known that takes writes: nothing was written');
}

function conflictText(key: string, expected: number, timestamp: number): string {
  const wanted = expected === 0 ? 'no such key' : `timestamp ${expected}`;
  const found = timestamp === 0 ? 'there is none' : `it is ${timestamp}`;
  return `${JSON.stringify(key)} was to be written only if ${wanted}: ${found}`;
}
