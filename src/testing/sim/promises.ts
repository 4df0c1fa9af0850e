import type { Report } from './checks.js';
import type { Arrival } from './network.js';

/** Less than this is taken for the rounding of times in ms. */
const ROUNDING_MS = 0.001;

interface Bond {
  readonly holder: string;
  readonly until: number;
}

/** S2 by real time: who is bound to whom, and for how long at least, by the beats that were acknowledged. */
export class Promises {
  readonly #report: Report;
  readonly #clockDrift: number;
  readonly #bonds = new Map<string, Bond>();
  /** Up to which arrival a voter was let off, by the voter and whom it had promised. */
  readonly #released = new Map<string, number>();

  constructor(report: Report, clockDrift: number) {
    this.#report = report;
    this.#clockDrift = clockDrift;
  }

  /** `voter` acknowledged a beat of `holder` that came at `arrival`, and promised for `promisedMs` of its clock. */
  acknowledged(voter: string, holder: string, { at, order }: Arrival, promisedMs: number): void {
    if (order < (this.#released.get(`${voter} ${holder}`) ?? 0)) {
      this.#bonds.delete(voter);
      return;
    }
    const known = this.#bonds.get(voter);
    const end = at + promisedMs / (1 + this.#clockDrift);
    const until = known?.holder === holder ? Math.max(known.until, end) : end;
    this.#bonds.set(voter, { holder, until });
  }

  /** `voter` saw the end of its connection to `holder`: beats that came before bind it no longer. */
  released(voter: string, holder: string, { order }: Arrival): void {
    this.#released.set(`${voter} ${holder}`, order);
    if (this.#bonds.get(voter)?.holder === holder) this.#bonds.delete(voter);
  }

  /** `voter` granted `candidate` something at `now`, or became a candidate itself, without an order of the leader. */
  granted(voter: string, candidate: string, what: string, now: number): void {
    const bond = this.#bonds.get(voter);
    if (bond === undefined || bond.holder === candidate || bond.until <= now + ROUNDING_MS) return;
    const leftMs = (bond.until - now).toFixed(1);
    this.#report('S2', voter, `${what} ${candidate} while bound to ${bond.holder} for ${leftMs} ms`);
  }

  /** `leader`, for whom `voters` vote, says that it leads at `now`. */
  leads(leader: string, voters: ReadonlySet<string>, now: number): void {
    let bound = 0;
    for (const voter of voters) if (voter === leader || this.#isBound(voter, leader, now)) bound++;
    const majority = Math.floor(voters.size / 2) + 1;
    if (bound < majority) this.#report('S2', leader, `leads while ${bound} of ${majority} are bound to it`);
  }

  #isBound(voter: string, leader: string, now: number): boolean {
    const bond = this.#bonds.get(voter);
    return bond !== undefined && bond.holder === leader && bond.until > now - ROUNDING_MS;
  }
}
