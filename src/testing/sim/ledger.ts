import type { Base, Batch, DataChanges, StoredData } from '../../core/datum.js';
import { decodeMembers, MEMBERS_KEY } from '../../core/members.js';
import type { Revision } from '../../core/messages.js';
import type { Datum } from '../../node/listeners.js';
import type { Report } from './checks.js';
import { HeldData, hashOf, hashOfDatum, nameOf, votersOf } from './held-data.js';

/** A batch that some peer built, and what it stood behind there. */
interface Known {
  readonly batch: Batch;
  readonly text: string;
  readonly behind: Revision;
}

/** A batch that is committed. */
interface Entry {
  readonly revision: Revision;
  /** The term of whoever was the first to take it for committed. */
  readonly term: number;
  /** Over the base that ends with it. */
  readonly hash: number;
}

/** What one place ever had on its disk while it voted. */
interface Holding {
  readonly batches: Set<string>;
  baseSeq: number;
}

/**
 * What the cluster as a whole has committed, as nobody in it can know: built from all that peers save and fold.
 *
 * COMMIT: a revision names one batch, which stands behind the same one everywhere; all peers commit the same batches in
 * the same order, none before a majority has it, and each later leader has them. BASE: equal revisions are equal bases.
 * OUTCOME: what was acknowledged is committed, what failed for certain was never in a batch, and nothing stands in two.
 */
export class Ledger {
  /** How often a peer took over a whole base. */
  catchUps = 0;
  readonly #report: Report;
  readonly #voters: ReadonlySet<string>;
  readonly #known = new Map<string, Known>();
  readonly #values = new Map<string, Revision>();
  readonly #failed = new Set<string>();
  readonly #holdings = new Map<string, Holding>();
  readonly #lists = new Map<string, ReadonlySet<string>>();
  readonly #start: Revision;
  readonly #entries: Entry[] = [];
  readonly #state: HeldData;
  readonly #startHash: number;
  #hash: number;

  /** @param voters those of a cluster that holds no list yet */
  constructor(report: Report, voters: ReadonlySet<string>, initial: StoredData | undefined) {
    this.#report = report;
    this.#voters = voters;
    this.#state = new HeldData(initial);
    this.#start = this.#state.revision;
    this.#startHash = this.#hash = hashOf(this.#state);
  }

  /** The newest batch that is committed. */
  get end(): Revision {
    return this.#state.revision;
  }

  /** How many batches were committed. */
  get count(): number {
    return this.#entries.length;
  }

  /** The ips that vote by the newest list that is committed. */
  get voters(): ReadonlySet<string> {
    const value = this.#state.datums.get(MEMBERS_KEY)?.value;
    return value === undefined ? this.#voters : votersOf(value);
  }

  /** The ips that the newest committed list names; null before the first. */
  get members(): ReadonlySet<string> | null {
    const value = this.#state.datums.get(MEMBERS_KEY)?.value;
    return value === undefined ? null : new Set(decodeMembers(value).map(({ ip }) => ip));
  }

  /** `name` has `batch` behind `behind`. */
  appended(name: string, batch: Batch, behind: Revision): void {
    const id = nameOf(batch.revision);
    const text = JSON.stringify(batch.ops);
    const known = this.#known.get(id);
    if (known === undefined) {
      this.#known.set(id, { batch, text, behind });
      this.#note(name, batch);
      return;
    }
    if (known.text !== text) this.#report('COMMIT', name, `has another batch ${id} than the one known`);
    if (nameOf(known.behind) !== nameOf(behind))
      this.#report('COMMIT', name, `has ${id} behind ${nameOf(behind)}, not ${nameOf(known.behind)}`);
  }

  /** `changes` became durable at `ip`, which votes (or no longer only learns: then with all that is on its disk). */
  durable(ip: string, { base, append = [] }: DataChanges): void {
    const holding = this.#holdings.get(ip) ?? { batches: new Set(), baseSeq: this.#start.seq };
    this.#holdings.set(ip, holding);
    if (base !== undefined) holding.baseSeq = Math.max(holding.baseSeq, base.revision.seq);
    for (const { revision } of append) holding.batches.add(nameOf(revision));
  }

  /** `name`, in `term`, takes everything up to `revision` for committed. */
  committed(name: string, revision: Revision, term: number): void {
    const { seq } = revision;
    const isNews = seq > this.end.seq;
    if (isNews) this.#extend(name, revision, term);
    const agreed = this.at(seq);
    if (agreed !== undefined && nameOf(agreed) !== nameOf(revision))
      this.#report('COMMIT', name, `commits ${nameOf(revision)}, where ${nameOf(agreed)} is committed`);
  }

  /** `name` takes over `base`, or begins with it. */
  takes(name: string, base: Base, term: number): void {
    this.committed(name, base.revision, term);
    const hash = this.#hashAt(base.revision.seq);
    if (hash !== undefined && hash !== hashOf(base))
      this.#report('BASE', name, `has another base ${nameOf(base.revision)} than was committed`);
  }

  /** `name` won `term` with this in its log. */
  won(name: string, term: number, { revision, tail }: HeldData): void {
    const last = this.#entries.findLast((entry) => entry.term < term);
    if (last === undefined || last.revision.seq <= revision.seq) return;
    const held = tail[last.revision.seq - revision.seq - 1];
    if (held === undefined || nameOf(held.revision) !== nameOf(last.revision))
      this.#report(
        'COMMIT',
        name,
        `leads term ${term} without ${nameOf(last.revision)}, which was committed`,
      );
  }

  /** The revision that is committed at `seq`, if that is known. */
  at(seq: number): Revision | undefined {
    return seq === this.#start.seq ? this.#start : this.#entries[seq - this.#start.seq - 1]?.revision;
  }

  /** A client was told that `value` is published. */
  acknowledged(ip: string, key: string, value: string, timestamp: number, revision: Revision): void {
    const at = this.at(revision.seq);
    const op = this.#known.get(nameOf(revision))?.batch.ops.find((one) => one.key === key);
    const isCommitted = at !== undefined && nameOf(at) === nameOf(revision);
    if (!isCommitted || op?.value !== JSON.stringify(value) || op.timestamp !== timestamp)
      this.#report('OUTCOME', ip, `acknowledges ${value} in ${nameOf(revision)}, which is not committed`);
  }

  /** A client was told that `value` was not published, for certain. */
  failed(ip: string, value: string, code: string): void {
    this.#failed.add(value);
    const revision = this.#values.get(value);
    if (revision !== undefined)
      this.#report('OUTCOME', ip, `says ${code} of ${value}, which stands in ${nameOf(revision)}`);
  }

  /** `ip` shows a datum. */
  shown(ip: string, { key, value, timestamp, revision }: Datum): void {
    if (revision.seq <= this.#start.seq) return;
    const op = this.#known.get(nameOf(revision))?.batch.ops.find((one) => one.key === key);
    const at = this.at(revision.seq);
    const isOther = at !== undefined && nameOf(at) !== nameOf(revision);
    if (isOther || op?.timestamp !== timestamp || op.value !== JSON.stringify(value))
      this.#report('BASE', ip, `shows ${key} of ${nameOf(revision)} as it never was committed`);
  }

  #note(name: string, { ops, revision }: Batch): void {
    for (const { key, value } of ops) {
      if (value === null) continue;
      if (key === MEMBERS_KEY) this.#lists.set(nameOf(revision), votersOf(value));
      const text = JSON.parse(value) as unknown;
      if (typeof text !== 'string') continue;
      const former = this.#values.get(text);
      if (former !== undefined)
        this.#report(
          'OUTCOME',
          name,
          `has ${text} in ${nameOf(revision)}, which stands in ${nameOf(former)}`,
        );
      this.#values.set(text, revision);
      if (this.#failed.has(text))
        this.#report('OUTCOME', name, `has ${text} in ${nameOf(revision)}, which had failed for certain`);
    }
  }

  #extend(name: string, revision: Revision, term: number): void {
    const chain: Known[] = [];
    let at = revision;
    while (at.seq > this.end.seq) {
      const known = this.#known.get(nameOf(at));
      if (known === undefined) {
        this.#report('COMMIT', name, `commits ${nameOf(at)}, which nobody saved`);
        return;
      }
      chain.unshift(known);
      at = known.behind;
    }
    if (nameOf(at) !== nameOf(this.end)) {
      const why = `${nameOf(revision)} behind ${nameOf(at)}, where ${nameOf(this.end)} is committed`;
      this.#report('COMMIT', name, `commits ${why}`);
      return;
    }
    for (const { batch } of chain) {
      this.#fold(batch);
      this.#entries.push({ revision: batch.revision, term, hash: this.#hash });
    }
    this.#checkMajority(name, revision);
  }

  /** Folds `batch` into the state, and what it changes into the hash. */
  #fold(batch: Batch): void {
    const floor = this.#state.stampFloor;
    for (const { key } of batch.ops) this.#hash -= this.#hashOfKey(key);
    this.#state.tail.push(batch);
    this.#state.fold(batch.revision.seq);
    for (const { key } of batch.ops) this.#hash += this.#hashOfKey(key);
    this.#hash = (this.#hash + this.#state.stampFloor - floor) | 0;
  }

  #hashOfKey(key: string): number {
    const datum = this.#state.datums.get(key);
    return datum === undefined ? 0 : hashOfDatum(datum);
  }

  /** By the list that the commit leaves in force, or by one that was appended behind it. */
  #checkMajority(name: string, revision: Revision): void {
    const later = [...this.#lists].filter(([id]) => Number(id.split('/')[1]) > revision.seq);
    const lists = [this.voters, ...later.map(([, voters]) => voters)];
    if (lists.some((voters) => this.#isHeld(revision, voters))) return;
    this.#report('COMMIT', name, `commits ${nameOf(revision)}, which no majority has saved`);
  }

  #isHeld({ term, seq }: Revision, voters: ReadonlySet<string>): boolean {
    let count = 0;
    for (const ip of voters) {
      const holding = this.#holdings.get(ip);
      if (holding?.batches.has(nameOf({ term, seq })) === true || (holding?.baseSeq ?? 0) >= seq) count++;
    }
    return count > voters.size / 2;
  }

  #hashAt(seq: number): number | undefined {
    return seq === this.#start.seq ? this.#startHash : this.#entries[seq - this.#start.seq - 1]?.hash;
  }
}
