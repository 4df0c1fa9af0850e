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
 * Writes that came from followers (section 4, writes): a network may deliver one twice, and it must count once. What
 * became of those of one leadership is remembered until the next begins; of what was meant for any other, nobody can say
 * whether it came before: an earlier process of this ip may have led then, or a second one that uses the ip.
 */
export class Forwards {
  readonly #output: (answer: AnswerOutput) => void;
  readonly #known = new Map<string, Forward>();
  readonly #byId = new Map<number, Forward>();
  /** Numbers up to it were forgotten, for each process: a repetition of one is not known for what it is. */
  readonly #forgotten = new Map<number, number>();
  /** The term that this process led last; null before it did. */
  #term: number | null = null;

  constructor(output: (answer: AnswerOutput) => void) {
    this.#output = output;
  }

  /** A leadership begins. */
  begin(term: number): void {
    this.#term = term;
    this.#known.clear();
    this.#byId.clear();
    this.#forgotten.clear();
  }

  /** Whether this forward came before, or may have; then `id` is answered like the first. */
  isRepeated(id: number, forward: Forwarded): boolean {
    const known = this.#known.get(nameOf(forward));
    if (known !== undefined) this.#repeat(id, known);
    else if (this.#mayHaveCome(forward)) {
      const message = 'this write may have come before, and what became of it is forgotten';
      this.#output({ type: 'answer', id, result: new RaftError('OUTCOME_UNKNOWN', message) });
    } else return false;
    return true;
  }

  /** Remembers a forward that came for the first time. */
  note(id: number, forward: Forwarded): void {
    const { process, number } = forward;
    const noted: Forward = { process, number, ids: [id], result: null };
    this.#known.set(nameOf(forward), noted);
    this.#byId.set(id, noted);
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

  #mayHaveCome({ process, number, term }: Forwarded): boolean {
    return term !== this.#term || number <= (this.#forgotten.get(process) ?? 0);
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

function nameOf({ process, number }: Forwarded): string {
  return `${process}/${number}`;
}
