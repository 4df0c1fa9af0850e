import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** The file of what had been committed when a generation began; the first generation has none. */
export function baseOf(path: string, generation: number): string {
  return `${path}.base.${generation}`;
}

/** The file of the changes of a generation. */
export function tailOf(path: string, generation: number): string {
  return `${path}.tail.${generation}`;
}

/** The data files beside a state file; generations in ascending order. */
export interface DataFileNames {
  readonly bases: readonly number[];
  readonly tails: readonly number[];
  /** What a crash left half-written. */
  readonly unfinished: readonly string[];
}

export async function findDataFiles(path: string): Promise<DataFileNames> {
  const beginning = `${basename(path)}.`;
  const endings = (await readdir(dirname(path)))
    .filter((name) => name.startsWith(beginning))
    .map((name) => name.slice(beginning.length));
  return {
    bases: generationsOf(endings, /^base\.([1-9]\d*)$/),
    tails: generationsOf(endings, /^tail\.([1-9]\d*)$/),
    unfinished: endings
      .filter((ending) => /^(base|tail)\.[1-9]\d*\.tmp$/.test(ending))
      .map((ending) => join(dirname(path), beginning + ending)),
  };
}

function generationsOf(endings: readonly string[], pattern: RegExp): readonly number[] {
  return endings
    .map((ending) => pattern.exec(ending)?.[1])
    .filter((generation) => generation !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}
