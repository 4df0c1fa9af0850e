import { execFileSync } from 'node:child_process';
import { chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isInstalled } from '../debian.js';
import { Server } from './server.js';

const VERSIONS = '/usr/lib/postgresql';

/** Whether there is PostgreSQL, and a user that it can run as: it refuses to run as root. */
export function hasPostgres(): boolean {
  return process.getuid?.() === 0 && isInstalled('pg_lsclusters', 'postgresql');
}

/** A server with a database of its own. */
export async function startPostgres(): Promise<{ readonly url: string; end(): Promise<void> }> {
  const uid = Number(execFileSync('id', ['-u', 'postgres'], { encoding: 'utf8' }));
  const [version] = readdirSync(VERSIONS);
  const bin = `${VERSIONS}/${version}/bin`;
  const directory = mkdtempSync(join(tmpdir(), 'raftbeat-postgres-'));
  chownSync(directory, uid, uid);
  const init = ['-D', directory, '-U', 'postgres', '-A', 'trust', '--no-sync'];
  execFileSync(`${bin}/initdb`, init, { uid, stdio: 'ignore' });
  const server = await Server.start({
    name: `${bin}/postgres`,
    args: (port) => ['-D', directory, '-p', port, '-k', '', '-F'],
    uid,
  });
  return {
    url: `postgres://postgres@${server.address}/postgres`,
    end: async () => {
      await server.end();
      rmSync(directory, { recursive: true, force: true, maxRetries: 50, retryDelay: 20 });
    },
  };
}
