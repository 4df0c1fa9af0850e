import type { Candidate } from './candidate.js';
import { Processes } from './processes.js';

const RAFTBEAT = new URL('raftbeat-member.ts', import.meta.url);
/** The same for all that can be told: beats each 100 ms, a timeout of 1 s. */
const SLOW = { heartbeatMs: 100, leaderTimeoutMs: 1_000 };

/** All that are compared, in turn; their files are kept below `directory`. */
export function candidates(directory: string): readonly Candidate[] {
  const shared = { program: RAFTBEAT, directory, resigns: true };
  return [
    new Processes({ ...shared, name: 'raftbeat', timeoutMs: 1_000, options: SLOW }),
    new Processes({ ...shared, name: 'raftbeat, lan', timeoutMs: 500, options: { preset: 'lan' } }),
    new Processes({
      ...shared,
      name: 'raftbeat, releaseOnDisconnect',
      timeoutMs: 1_000,
      options: { ...SLOW, releaseOnDisconnect: true },
    }),
  ];
}
