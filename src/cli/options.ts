import { readFileSync } from 'node:fs';
import type { SecureContextOptions } from 'node:tls';
import { MAX_MS } from '../core/timing.js';
import { bad } from './command.js';

/** The options of all commands that ask peers, for `parseArgs`. */
export const ASKING = {
  json: { type: 'boolean', default: false },
  timeout: { type: 'string', default: '5000' },
  ca: { type: 'string' },
  cert: { type: 'string' },
  key: { type: 'string' },
} as const;

/** What `--help` says of them. */
export const ASKING_HELP = `  --json            print JSON
  --timeout MS      how long to wait for an answer (5000)
  --ca FILE         for https: the authority that signed the certificates of the peers
  --cert FILE, --key FILE    for https: a certificate to show, where the peers ask for one`;

/** What they come to. */
export interface Asking {
  readonly timeoutMs: number;
  readonly tls: SecureContextOptions;
}

/** @throws RaftError `BAD_OPTION` */
export function readAsking({ timeout, ca, cert, key }: Readonly<Record<string, unknown>>): Asking {
  const timeoutMs = Number(timeout);
  if (!Number.isSafeInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > MAX_MS)
    throw bad(`--timeout: expected an integer from 1 to ${MAX_MS}, got '${timeout}'`);
  const files = Object.entries({ ca, cert, key }).filter(([, path]) => path !== undefined);
  return {
    timeoutMs,
    tls: Object.fromEntries(files.map(([name, path]) => [name, read(name, String(path))])),
  };
}

/** Reads the file that the option `name` names. @throws RaftError `BAD_OPTION` */
export function read(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw bad(`--${name}: ${(cause as Error).message}`);
  }
}
