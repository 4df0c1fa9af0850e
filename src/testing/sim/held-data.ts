import {
  type Base,
  type Batch,
  type DataChanges,
  NO_DATA,
  type StoredData,
  type StoredDatum,
} from '../../core/datum.js';
import { decodeMembers, MEMBERS_KEY } from '../../core/members.js';
import type { Revision } from '../../core/messages.js';

/** The data of one peer as an outsider keeps it, by what the peer told its store: nothing is shared with the library. */
export class HeldData {
  revision: Revision;
  stampFloor: number;
  readonly datums: Map<string, StoredDatum>;
  readonly tail: Batch[];
  #list: string | null = null;
  #voters: ReadonlySet<string> | null = null;

  constructor({ base, tail }: StoredData = NO_DATA) {
    this.revision = base.revision;
    this.stampFloor = base.stampFloor;
    this.datums = new Map(base.datums);
    this.tail = [...tail];
  }

  /** The newest batch, or the base. */
  get last(): Revision {
    return this.tail.at(-1)?.revision ?? this.revision;
  }

  /** Who votes by the newest list of members, committed or not; null without one. */
  get voters(): ReadonlySet<string> | null {
    const ops = this.tail.flatMap((batch) => batch.ops);
    const waiting = ops.findLast(({ key }) => key === MEMBERS_KEY);
    const { value } = waiting ?? this.datums.get(MEMBERS_KEY) ?? { value: null };
    if (value === this.#list) return this.#voters;
    this.#list = value;
    this.#voters = value === null ? null : votersOf(value);
    return this.#voters;
  }

  copy(): StoredData {
    return { base: this.copyBase(), tail: [...this.tail] };
  }

  copyBase(): Base {
    return { revision: this.revision, stampFloor: this.stampFloor, datums: new Map(this.datums) };
  }

  /** What it is after `changes`: itself, or another if the base is replaced. */
  changed({ base, cutFrom, append = [] }: DataChanges): HeldData {
    const held = base === undefined ? this : new HeldData({ base, tail: [] });
    if (cutFrom !== undefined) held.tail.splice(Math.max(0, cutFrom - held.revision.seq - 1));
    held.tail.push(...append);
    return held;
  }

  /** Moves the batches up to `seq` into the base; returns them. */
  fold(seq: number): readonly Batch[] {
    const batches = this.tail.splice(0, Math.max(0, seq - this.revision.seq));
    for (const batch of batches) this.#fold(batch);
    return batches;
  }

  /** Written out once more: what checks the core must not ask it. */
  #fold({ revision, ops }: Batch): void {
    this.revision = revision;
    for (const { key, value, timestamp } of ops) {
      if (value === null) this.stampFloor = Math.max(this.stampFloor, timestamp);
      if (value === null) this.datums.delete(key);
      else this.datums.set(key, { key, value, timestamp, revision });
    }
  }
}

/** A revision as a text: equal for equal ones. */
export function nameOf({ term, seq }: Revision): string {
  return `${term}/${seq}`;
}

/** A number over all that a base holds, in whatever order. */
export function hashOf({ stampFloor, datums }: Pick<Base, 'stampFloor' | 'datums'>): number {
  let hash = stampFloor;
  for (const datum of datums.values()) hash = (hash + hashOfDatum(datum)) | 0;
  return hash;
}

export function hashOfDatum({ key, value, timestamp, revision }: StoredDatum): number {
  const text = `${key}|${value}|${timestamp}|${nameOf(revision)}`;
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash ^ (hash >>> 15);
}

/** The ips that vote by a list of members. */
export function votersOf(value: string): ReadonlySet<string> {
  return new Set(decodeMembers(value).flatMap(({ ip, observer }) => (observer ? [] : [ip])));
}
