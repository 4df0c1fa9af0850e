import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory that goes with this process, however it ends. */
export function directoryOfRun(): string {
  const directory = mkdtempSync(join(tmpdir(), 'raftbeat-bench-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
  return directory;
}

/** Past `ms` the run has failed. */
export function limitRun(ms: number): void {
  setTimeout(() => {
    console.error(`not done after ${ms / 1_000} s`);
    process.exit(1);
  }, ms).unref();
}
