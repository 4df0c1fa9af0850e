import type { StoredState } from '../../core/outputs.js';
import type { Report } from './checks.js';

/** What an outsider can hold a peer to: a term, and the vote in it, if any. */
export interface Told {
  readonly term: number;
  readonly voteFor: string | null;
}

/** S3 and S4: terms never decrease and a vote is cast once, by what is durable and by what was told. */
export class Records {
  readonly #report: Report;
  readonly #durable = new Map<string, Told>();
  readonly #told = new Map<string, Told>();

  constructor(report: Report) {
    this.#report = report;
  }

  /** `state` became durable at `ip`. */
  saved(ip: string, state: StoredState): void {
    this.#compare(ip, 'saved', this.#durable.get(ip), state);
    this.#durable.set(ip, state);
  }

  /** What `ip` told last. */
  toldBy(ip: string): Told | null {
    return this.#told.get(ip) ?? null;
  }

  /**
   * `ip` told others of its term and, in one of its own snapshots, of its vote, while its store held `content`.
   *
   * @param before what it had told when it made this; it may have told more since
   */
  told(
    ip: string,
    { term, voteFor }: Told,
    content: Told | null,
    before: Told | null = this.toldBy(ip),
  ): void {
    const last = this.toldBy(ip);
    if (last?.term === term && last.voteFor === voteFor) return;
    if (before !== null) this.#compare(ip, 'told', before, { term, voteFor });
    const isOlder = last !== null && last !== before && isBehind({ term, voteFor }, last);
    if (isOlder) this.#compare(ip, 'told', { term, voteFor }, last);
    else this.#told.set(ip, { term, voteFor });
    const held = content ?? { term: 0, voteFor: null };
    if (held.term > term || (held.term === term && (voteFor === null || held.voteFor === voteFor))) return;
    this.#report('S4', ip, `told of ${show({ term, voteFor })} while its store held ${show(held)}`);
  }

  /** `ip` told that it accepted a beat of `term`, and not how it voted. */
  accepted(ip: string, term: number, content: Told | null, before: Told | null): void {
    const last = this.toldBy(ip);
    if (before !== null && term < before.term)
      this.#report('S3', ip, `accepts a beat of term ${term} after it told of term ${before.term}`);
    if (last === null || last.term < term) this.#told.set(ip, { term, voteFor: null });
    if ((content?.term ?? 0) < term)
      this.#report(
        'S4',
        ip,
        `accepts a beat of term ${term} while its store holds term ${content?.term ?? 0}`,
      );
  }

  /** The store of `ip` is lost: what it held binds nobody any more. */
  forget(ip: string): void {
    this.#durable.delete(ip);
    this.#told.delete(ip);
  }

  #compare(ip: string, how: string, before: Told | undefined, after: Told): void {
    if (before === undefined) return;
    if (after.term < before.term)
      this.#report('S3', ip, `${how} term ${after.term} after term ${before.term}`);
    const isChange = before.voteFor !== null && after.voteFor !== before.voteFor;
    if (after.term === before.term && isChange)
      this.#report('S4', ip, `${how} ${show(after)} after ${show(before)}`);
  }
}

function isBehind(a: Told, b: Told): boolean {
  return a.term < b.term || (a.term === b.term && a.voteFor === null);
}

function show({ term, voteFor }: Told): string {
  return `term ${term} (${voteFor === null ? 'no vote' : `voted for ${voteFor}`})`;
}
