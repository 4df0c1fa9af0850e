import type { VoteReply } from '../../core/messages.js';
import type { Report } from './checks.js';

interface Round {
  readonly number: number;
  readonly term: number;
  readonly openedAt: number;
  readonly grants: Set<string>;
}

/** The candidacies of one process, as an outsider sees them. */
class Candidacy {
  round: Round | null = null;
  term = -1;
  readonly votes = new Set<string>();
  /** The terms of the transfer orders that it got. */
  readonly ordersOf = new Set<number>();
}

/** S1 and L2: who campaigned by which right, and who won by which votes. `name` names a process, not a peer. */
export class Ballots {
  readonly #report: Report;
  readonly #votersOf: (name: string) => ReadonlySet<string>;
  readonly #winners = new Map<number, string>();
  readonly #candidacies = new Map<string, Candidacy>();
  #highestTerm = 0;

  /** @param votersOf who votes, as far as a process knows */
  constructor(report: Report, votersOf: (name: string) => ReadonlySet<string>) {
    this.#report = report;
    this.#votersOf = votersOf;
  }

  /** How many terms were won. */
  get elections(): number {
    return this.#winners.size;
  }

  /** A process began anew: what its predecessor collected is lost. */
  began(name: string): void {
    this.#candidacies.delete(name);
  }

  /** It asks for pre-votes at `now`. */
  asks(name: string, number: number, term: number, now: number): void {
    const candidacy = this.#of(name);
    if (candidacy.round?.number !== number)
      candidacy.round = { number, term, openedAt: now, grants: new Set([name]) };
  }

  /** It told at `now` of what closes a round, a beat accepted or a vote granted: of one opened at that moment, before it. */
  closes(name: string, now: number): void {
    const candidacy = this.#candidacies.get(name);
    if (candidacy !== undefined && (candidacy.round?.openedAt ?? now) < now) candidacy.round = null;
  }

  /** A transfer order of the leader of `term` reached it. */
  ordered(name: string, term: number): void {
    this.#of(name).ordersOf.add(term);
  }

  /** It asks for votes. */
  campaigns(name: string, term: number, transfer: boolean): void {
    const candidacy = this.#of(name);
    if (candidacy.term === term) return;
    candidacy.term = term;
    candidacy.votes.clear();
    const { round } = candidacy;
    candidacy.round = null;
    this.existed(term);
    if (transfer) {
      if (!candidacy.ordersOf.has(term - 1))
        this.#report('L2', name, `campaigns in term ${term} by an order that it did not get`);
      return;
    }
    const grants = round?.term === term ? round.grants.size : 0;
    const majority = this.#majorityOf(name);
    if (grants < majority)
      this.#report('L2', name, `raises its term to ${term} by ${grants} of ${majority} pre-votes`);
  }

  /** An answer to a vote or pre-vote request reached it. */
  answered(name: string, by: string, { granted, round, term, voteFor }: VoteReply): void {
    if (!granted || !this.#votersOf(name).has(by)) return;
    const candidacy = this.#of(name);
    if (round === undefined) {
      if (term === candidacy.term && voteFor === name) candidacy.votes.add(by);
    } else if (round === candidacy.round?.number) candidacy.round.grants.add(by);
  }

  /** A candidate went into `term`, whether it told anybody or not. */
  existed(term: number): void {
    this.#highestTerm = Math.max(this.#highestTerm, term);
  }

  /** It told of its term. */
  isIn(name: string, term: number): void {
    if (term > this.#highestTerm) this.#report('L2', name, `is in term ${term}, in which nobody campaigned`);
  }

  /** It beats, or says that it has won: it won `term`. */
  won(name: string, term: number): void {
    const winner = this.#winners.get(term);
    if (winner === name) return;
    if (winner !== undefined) this.#report('S1', name, `won term ${term}, as ${winner} did`);
    this.#winners.set(term, name);
    const candidacy = this.#of(name);
    const votes = candidacy.term === term ? candidacy.votes.size + 1 : 0;
    const majority = this.#majorityOf(name);
    if (votes < majority) this.#report('S1', name, `won term ${term} by ${votes} of ${majority} votes`);
  }

  #majorityOf(name: string): number {
    return Math.floor(this.#votersOf(name).size / 2) + 1;
  }

  #of(name: string): Candidacy {
    const known = this.#candidacies.get(name);
    if (known !== undefined) return known;
    const candidacy = new Candidacy();
    this.#candidacies.set(name, candidacy);
    return candidacy;
  }
}
