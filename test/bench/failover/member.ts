import { serve } from '../worker.js';
import { type Belief, Beliefs, type Heard, Leaders, nowMs } from './watch.js';

/** A program that takes part in elections, in a process of its own. */
export interface Program {
  readonly start: () => Promise<unknown>;
  /** Whether it believes, at the call, that it leads. */
  readonly leads: () => boolean;
  /** Resolves when it is as well connected as it will be. @default at once */
  readonly isReady?: () => Promise<unknown>;
  readonly resign?: () => Promise<unknown>;
  /** Tells each leader that it hears of, itself too, by a term that rises; absent where followers do not hear. */
  readonly onLeader?: (heard: (term: number) => void) => void;
  /** What it has sent; absent where it does not count. */
  readonly told?: () => Told;
}

/** What a program that leads has sent. */
export interface Told {
  /** How many beats. */
  readonly beats: number;
  /** Bytes of the last one and of its answer, without what a transport adds. */
  readonly beatBytes: number;
  readonly answerBytes: number;
}

/** The arguments of its process. */
export function memberArguments() {
  const [ip = '', ips = '', directory = '', options = '{}'] = process.argv.slice(2);
  return { ip, ips: ips.split(','), directory, options: JSON.parse(options) };
}

/** Lets the parent process ask what `program` believes, and when it came to. */
export function serveMember(program: Program, directory: string): void {
  serve(callsOf(program), directory);
}

function callsOf({ start, leads, isReady, resign, onLeader, told }: Program) {
  const leaders = new Leaders();
  const beliefs = new Beliefs(leads);
  onLeader?.((term) => leaders.heard(term));
  return {
    start: async () => {
      await start();
    },
    leads: async () => leads(),
    /** Notes from now on when it believes that it leads. */
    watch: async () => beliefs.watch(),
    /** Bytes of its heap that are in use, and what it tells of its messages. */
    atRest: async () => {
      globalThis.gc?.();
      return { heapBytes: process.memoryUsage().heapUsed, ...told?.() };
    },
    isReady: async () => {
      await isReady?.();
    },
    /** Hands over; returns when it began to. */
    resign: async () => {
      const at = nowMs();
      await resign?.();
      return at;
    },
    /** When it began to lead, later than `at`; waits for it. */
    leadsAfter: (at: number): Promise<number> => beliefs.beginsAfter(at),
    /** When it heard of a leader, later than `at`; waits for it. Null where followers do not hear. */
    knowsAfter: async (at: number): Promise<Heard | null> =>
      onLeader === undefined ? null : leaders.after(at),
    /** When it believed that it leads, from `at` on. */
    beliefsSince: async (at: number): Promise<readonly Belief[]> => beliefs.since(at),
  };
}

export type MemberCalls = ReturnType<typeof callsOf>;
