import type { StoredState } from '../../core/outputs.js';
import type { Report } from './checks.js';

/** What an outsider can hold a peer to: a term, and the vote in it, if any. */
interface Record {
  readonly term: number;
  readonly voteFor: string | null;
}

/** S3 and S4: terms never decrease and a vote is cast once, by what is durable and by what was told. */
export class Records {
  readonly #report: Report;
  readonly #durable = new Map<string, Record>();
  readonly #told = new Map<string, Record>();

  constructor(report: Report) {
    this.#report = report;
  }

  /** `state` became durable at `ip`. */
  saved(ip: string, state: StoredState): void {
    this.#compare(ip, 'saved', this.#durable.get(ip), state);
    this.#durable.set(ip, state);
  }

  /** `ip` told others of its term and, in one of its own snapshots, of its vote, while its store held `content`. */
  told(ip: string, { term, voteFor }: Record, content: Record | null): void {
    const before = this.#told.get(ip);
    if (before !== undefined) {
      if (before.term === term && before.voteFor === voteFor) return;
      this.#compare(ip, 'told', before, { term, voteFor });
    }
    this.#told.set(ip, { term, voteFor });
    const held = content ?? { term: 0, voteFor: null };
    if (held.term > term || (held.term === term && (voteFor === null || held.voteFor === voteFor))) return;
    this.#report('S4', ip, `told of ${show({ term, voteFor })} while its store held ${show(held)}`);
  }

  /** The store of `ip` is lost: what it held binds nobody any more. */
  forget(ip: string): void {
    this.#durable.delete(ip);
    this.#told.delete(ip);
  }

  #compare(ip: string, how: string, before: Record | undefined, after: Record): void {
    if (before === undefined) return;
    if (after.term < before.term)
      this.#report('S3', ip, `${how} term ${after.term} after term ${before.term}`);
    const isChange = before.voteFor !== null && after.voteFor !== before.voteFor;
    if (after.term === before.term && isChange)
      this.#report('S4', ip, `${how} ${show(after)} after ${show(before)}`);
  }
}

function show({ term, voteFor }: Record): string {
  return `term ${term} (${voteFor === null ? 'no vote' : `voted for ${voteFor}`})`;
}
