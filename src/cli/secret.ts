import { bad } from './command.js';
import { read } from './options.js';

/**
 * The secret of the members: from a file, less the end of its line, or from the environment, since the arguments of a process
 * are there for all to see.
 *
 * @throws RaftError `BAD_OPTION`
 */
export function readSecret(file: string | undefined): string | undefined {
  const secret = file === undefined ? process.env['RAFTBEAT_SECRET'] : read('secret-file', file);
  const whole = secret?.replace(/\r?\n$/, '') ?? '';
  if (whole === '' && file === undefined) return undefined;
  if (whole.length < 16) throw bad('the secret must have at least 16 characters');
  return whole;
}
