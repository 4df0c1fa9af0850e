import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isInstalled } from '../debian.js';
import { Server } from './server.js';

const VERSIONS = '/usr/lib/postgresql';

/** Whether there is PostgreSQL. */
export function hasPostgres(): Promise<boolean> {
  return isInstalled('pg_lsclusters', 'postgresql');
}

/** A server with a database of its own. */
export async function startPostgres(): Promise<{ readonly url: string; end(): Promise<void> }> {
  const [version] = readdirSync(VERSIONS);
  const bin = `${VERSIONS}/${version}/bin`;
  const directory = mkdtempSync(join(tmpdir(), 'raftbeat-postgres-'));
  const user = otherThanRoot();
  if (user.uid !== undefined) chownSync(directory, user.uid, -1);
  const init = ['-D', directory, '-U', 'postgres', '-A', 'trust', '--no-sync'];
  execFileSync(`${bin}/initdb`, init, { ...user, stdio: 'ignore' });
  const server = await Server.start({
    name: `${bin}/postgres`,
    args: (port) => ['-D', directory, '-p', port, '-k', '', '-F'],
    ...user,
  });
  // It takes connections, and refuses them, before it is ready.
  const look = ['-h', '127.0.0.1', '-p', String(server.port)];
  while (spawnSync(`${bin}/pg_isready`, look).status !== 0) await delay(20);
  return {
    url: `postgres://postgres@${server.address}/postgres`,
    end: async () => {
      await server.end();
      rmSync(directory, { recursive: true, force: true, maxRetries: 50, retryDelay: 20 });
    },
  };
}

/** It refuses to run as root. */
function otherThanRoot(): { readonly uid?: number } {
  if (process.getuid?.() !== 0) return {};
  return { uid: Number(execFileSync('id', ['-u', 'postgres'], { encoding: 'utf8' })) };
}
