import { RaftError } from '../core/errors.js';

/** A command of the command line. */
export interface Command {
  /** Its name, and what it takes. */
  readonly usage: string;
  /** What it does, in a line. */
  readonly summary: string;
  /** Its options, and what its exit codes mean. */
  readonly details: string;
  /**
   * Does it; resolves with the exit code.
   *
   * @throws what {@link isUsage} knows for what the user got wrong, or a RaftError that says what failed
   */
  readonly run: (args: readonly string[]) => Promise<number>;
}

/** The error for what the user got wrong. */
export function bad(message: string): RaftError {
  return new RaftError('BAD_OPTION', message);
}

/** A text that a stranger may have written, as a terminal may be given it: without what would steer that. */
export function plain(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}

/** Whether the user got something wrong, by the word of a command or of `parseArgs`. */
export function isUsage(error: unknown): error is Error {
  if (error instanceof RaftError) return error.code === 'BAD_OPTION';
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}
