import { RaftError } from './errors.js';
import type { AnswerOutput } from './outputs.js';
import type { Forwarded } from './writes.js';

/** How many outcomes of forwarded writes are remembered. */
const MAX_REMEMBERED = 10_000;

interface Forward {
  readonly process: number;
  readonly number: number;
  /** Who asked for its outcome. */
  readonly ids: number[];
  result: AnswerOutput['result'] | null;
}

/**
 * Writes that came from followers (section 4, writes): a network may deliver one twice, and it must count once. Holds for
 * one leadership; a forward that is meant for another term is refused before.
 */
export class Forwards {
  readonly #output: (answer: AnswerOutput) => void;
  readonly #known = new Map<string, Forward>();
  readonly #byId = new Map<number, Forward>();
  /** Numbers up to it were forgotten, for each process: a repetition of one is not known for what it is. */
  readonly #forgotten = new Map<number, number>();

  constructor(output: (answer: AnswerOutput) => void) {
    this.#output = output;
  }

  /** Whether this is the first that is heard of this forward; else `id` is answered like the first. */
  isFirst(id: number, { process, number }: Forwarded): boolean {
    const name = `${process}/${number}`;
    const known = this.#known.get(name);
    if (known !== undefined) {
      this.#repeat(id, known);
      return false;
    }
    if (number <= (this.#forgotten.get(process) ?? 0)) {
      const result = new RaftError(
        'OUTCOME_UNKNOWN',
        'this write came before, and what became of it is forgotten',
      );
      this.#output({ type: 'answer', id, result });
      return false;
    }
    const forward: Forward = { process, number, ids: [id], result: null };
    this.#known.set(name, forward);
    this.#byId.set(id, forward);
    return true;
  }

  /** Passes an answer on: to all that asked, if it is that of a forward. */
  answered(answer: AnswerOutput): void {
    const forward = this.#byId.get(answer.id);
    if (forward === undefined) {
      this.#output(answer);
      return;
    }
    this.#byId.delete(answer.id);
    forward.result = answer.result;
    for (const id of forward.ids.splice(0)) this.#output({ ...answer, id });
    this.#forgetOldest();
  }

  /** The leadership is over. */
  clear(): void {
    this.#known.clear();
    this.#byId.clear();
    this.#forgotten.clear();
  }

  #repeat(id: number, { ids, result }: Forward): void {
    if (result === null) ids.push(id);
    else this.#output({ type: 'answer', id, result });
  }

  #forgetOldest(): void {
    for (const [name, { process, number, result }] of this.#known) {
      if (this.#known.size <= MAX_REMEMBERED || result === null) return;
      this.#known.delete(name);
      this.#forgotten.set(process, Math.max(number, this.#forgotten.get(process) ?? 0));
    }
  }
}
