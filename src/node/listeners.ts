import type { StoredDatum } from '../core/datum.js';
import { type DatumChange, type Datums, differences } from '../core/datums.js';
import { RaftError, textOf } from '../core/errors.js';
import { RESERVED_PREFIX } from '../core/members.js';
import type { Revision } from '../core/messages.js';

/** A committed datum of the registry. */
export interface Datum {
  readonly key: string;
  /** What was published: a JSON value. */
  readonly value: unknown;
  /** The number of its newest change: it rises with each publication of the key, and never comes back. */
  readonly timestamp: number;
  /** The batch that set it: the same on all peers. */
  readonly revision: Revision;
}

/** One key, or all keys that begin with `prefix`. */
export type KeyPattern = string | { readonly prefix: string };

/** Told of a datum as it is, and then of each change of it; null: it was removed. */
export type DatumListener = (datum: Datum | null, key: string) => unknown;

interface Listening {
  readonly pattern: KeyPattern;
  readonly listener: DatumListener;
  /** The base of which it was told all. */
  since: number;
}

/** A datum as callers see it; each gets a value of its own. */
export function toDatum({ key, value, timestamp, revision }: StoredDatum): Datum {
  return { key, value: JSON.parse(value), timestamp, revision };
}

/** Whether `key` is meant; the library's own keys are only by a pattern of their own. */
export function matches(pattern: KeyPattern, key: string): boolean {
  if (typeof pattern === 'string') return key === pattern;
  const isHidden = key.startsWith(RESERVED_PREFIX) && !pattern.prefix.startsWith(RESERVED_PREFIX);
  return key.startsWith(pattern.prefix) && !isHidden;
}

/** Who listens to which keys: each is told what is there, and then each change once and in order. */
export class Listeners {
  readonly #failed: (error: RaftError) => void;
  readonly #listening = new Set<Listening>();
  #datums: Datums | null = null;

  /** @param failed told of a listener that throws or rejects */
  constructor(failed: (error: RaftError) => void) {
    this.#failed = failed;
  }

  /** A node starts, again maybe: `datums` is what it holds now. Listeners are told what has changed meanwhile. */
  attach(datums: Datums | null): void {
    const former = this.#datums?.all() ?? new Map();
    this.#datums = datums;
    if (datums !== null) this.changed(differences(former, datums.view()));
  }

  /** Tells the listener what is there, at once, and then each change. */
  add(pattern: KeyPattern, listener: DatumListener): void {
    const listening = { pattern, listener, since: this.#datums?.base.seq ?? -1 };
    this.#listening.add(listening);
    for (const datum of this.#datums?.all().values() ?? []) {
      if (matches(pattern, datum.key)) this.#tell(listening, datum.key, datum);
    }
  }

  /** Tells it nothing more. */
  remove(pattern: KeyPattern, listener: DatumListener): boolean {
    for (const listening of this.#listening) {
      if (listening.listener !== listener || !samePattern(listening.pattern, pattern)) continue;
      return this.#listening.delete(listening);
    }
    return false;
  }

  /** Tells everybody what was committed, unless it was told before. */
  changed(changes: readonly DatumChange[]): void {
    const last = changes.reduce((seq, { revision }) => Math.max(seq, revision.seq), 0);
    for (const listening of [...this.#listening]) {
      for (const { key, datum, revision } of changes) {
        if (!this.#listening.has(listening)) break;
        if (revision.seq > listening.since && matches(listening.pattern, key))
          this.#tell(listening, key, datum);
      }
      listening.since = Math.max(listening.since, last);
    }
  }

  #tell({ listener }: Listening, key: string, datum: StoredDatum | null): void {
    const failed = (cause: unknown): void => {
      const message = `a listener of ${JSON.stringify(key)} failed: ${textOf(cause)}`;
      this.#failed(new RaftError('LISTENER_FAILED', message, { cause }));
    };
    try {
      const result = listener(datum === null ? null : toDatum(datum), key);
      if (result instanceof Promise) result.catch(failed);
    } catch (cause) {
      failed(cause);
    }
  }
}

function samePattern(a: KeyPattern, b: KeyPattern): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  return a.prefix === b.prefix;
}
