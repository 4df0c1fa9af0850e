import type { Report } from './checks.js';
import type { Arrival } from './network.js';

/** Less than this is taken for the rounding of times in ms. */
const ROUNDING_MS = 0.001;

interface Bond {
  readonly holder: string;
  readonly until: number;
  /** The arrival of the first beat of those that bind it without a gap. */
  readonly since: number;
  /** That of the newest one. */
  readonly order: number;
}

/** S2 by real time: who is bound to whom, and for how long at least, by the beats that were acknowledged. */
export class Promises {
  readonly #report: Report;
  readonly #clockDrift: number;
  readonly #bonds = new Map<string, Bond>();
  /** The beats that each voter got and has not answered, by their arrivals: whose they are. */
  readonly #waiting = new Map<string, Map<number, string>>();
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
    if (known?.holder !== holder) {
      // An answer may wait for those of other groups: the newest promise stands.
      if (order > (known?.order ?? 0)) this.#bonds.set(voter, { holder, until: end, since: order, order });
      return;
    }
    const since = at <= known.until ? known.since : order;
    this.#bonds.set(voter, {
      holder,
      until: Math.max(known.until, end),
      since,
      order: Math.max(known.order, order),
    });
  }

  /** To whom `voter` is bound, and until when at least; it may be over. */
  bondOf(voter: string): Pick<Bond, 'holder' | 'until'> | null {
    return this.#bonds.get(voter) ?? null;
  }

  /** `voter` saw the end of its connection to `holder`: beats that came before bind it no longer. */
  released(voter: string, holder: string, { order }: Arrival): void {
    this.#released.set(`${voter} ${holder}`, order);
    if (this.#bonds.get(voter)?.holder === holder) this.#bonds.delete(voter);
  }

  /**
   * `voter` told at `now` that it granted `candidate` something, or became a candidate itself, without an order of the
   * leader.
   *
   * @param order the arrival of what it was asked: a promise that began later came after the grant
   */
  granted(
    voter: string,
    candidate: string,
    what: string,
    now: number,
    order: number = Number.POSITIVE_INFINITY,
  ): void {
    const bond = this.#bonds.get(voter);
    if (bond === undefined || bond.holder === candidate || bond.until <= now + ROUNDING_MS) return;
    if (bond.since > order || this.#mayFollowAnother(voter, bond)) return;
    const leftMs = (bond.until - now).toFixed(1);
    this.#report('S2', voter, `${what} ${candidate} while bound to ${bond.holder} for ${leftMs} ms`);
  }

  /** `voter` got a beat of `holder`, which it will answer later. */
  waits(voter: string, holder: string, { order }: Arrival): void {
    const waiting = this.#waiting.get(voter) ?? new Map<number, string>();
    this.#waiting.set(voter, waiting.set(order, holder));
  }

  /** The beat that came at `arrival` is answered, or never will be. */
  waitsNoMore(voter: string, { order }: Arrival): void {
    this.#waiting.get(voter)?.delete(order);
  }

  #mayFollowAnother(voter: string, bond: Bond): boolean {
    const waiting = [...(this.#waiting.get(voter) ?? [])];
    return waiting.some(([order, holder]) => holder !== bond.holder && order > bond.order);
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
