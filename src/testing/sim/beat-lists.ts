import type { Beats } from '../../core/messages.js';
import type { Report } from './checks.js';

/** The groups that a host leads, and its term in each. */
export type BeatList = ReadonlyMap<string, number>;

const NO_LIST: BeatList = new Map();

/** What the beats of hosts stand for, read from the wire alone: the list of each version that a process sent. */
export class BeatLists {
  readonly #report: Report;
  readonly #lists = new Map<string, Map<number, BeatList>>();

  constructor(report: Report) {
    this.#report = report;
  }

  /** Beats leave; the groups that they stand for. */
  sent(beats: Beats): BeatList {
    const { ip, version } = beats;
    const versions = this.#versionsOf(beats);
    const list = this.#changed(beats, versions);
    const known = versions.get(version);
    if (known !== undefined && show(known) !== show(list))
      this.#report('ERROR', ip, `beats for ${show(list)} in version ${version}, which was ${show(known)}`);
    versions.set(version, list);
    return list;
  }

  /** The groups that these beats stand for, if they were sent. */
  of(beats: Beats): BeatList {
    return this.#versionsOf(beats).get(beats.version) ?? NO_LIST;
  }

  #changed({ ip, since, led, unled }: Beats, versions: ReadonlyMap<number, BeatList>): BeatList {
    const base = since === 0 ? NO_LIST : versions.get(since);
    if (base === undefined)
      this.#report('ERROR', ip, `tells what it leads since version ${since}, which it never sent`);
    const list = new Map(base);
    for (const group of unled) list.delete(group);
    for (const { group, term } of led) list.set(group, term);
    return list;
  }

  #versionsOf({ ip, process }: Beats): Map<number, BeatList> {
    const name = `${ip} ${process}`;
    const known = this.#lists.get(name) ?? new Map<number, BeatList>();
    this.#lists.set(name, known);
    return known;
  }
}

function show(list: BeatList): string {
  return JSON.stringify([...list].sort(([a], [b]) => (a < b ? -1 : 1)));
}
