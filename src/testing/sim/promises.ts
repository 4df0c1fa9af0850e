import type { Report } from './checks.js';

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
  readonly #majority: number;
  readonly #bonds = new Map<string, Bond>();

  /** @param majority how many voters are one */
  constructor(report: Report, clockDrift: number, majority: number) {
    this.#report = report;
    this.#clockDrift = clockDrift;
    this.#majority = majority;
  }

  /** `voter` acknowledged a beat of `holder` that came at `arrivedAt`, and promised for `promisedMs` of its clock. */
  acknowledged(voter: string, holder: string, arrivedAt: number, promisedMs: number): void {
    const known = this.#bonds.get(voter);
    const end = arrivedAt + promisedMs / (1 + this.#clockDrift);
    const until = known?.holder === holder ? Math.max(known.until, end) : end;
    this.#bonds.set(voter, { holder, until });
  }

  /** `voter` granted `candidate` something at `now`, or became a candidate itself, without an order of the leader. */
  granted(voter: string, candidate: string, what: string, now: number): void {
    const bond = this.#bonds.get(voter);
    if (bond === undefined || bond.holder === candidate || bond.until <= now + ROUNDING_MS) return;
    const leftMs = (bond.until - now).toFixed(1);
    this.#report('S2', voter, `${what} ${candidate} while bound to ${bond.holder} for ${leftMs} ms`);
  }

  /** `leader` says that it leads at `now`. */
  leads(leader: string, isVoter: boolean, now: number): void {
    let bound = isVoter ? 1 : 0;
    for (const [voter, { holder, until }] of this.#bonds)
      if (voter !== leader && holder === leader && until > now - ROUNDING_MS) bound++;
    if (bound < this.#majority)
      this.#report('S2', leader, `leads while ${bound} of ${this.#majority} are bound to it`);
  }
}
