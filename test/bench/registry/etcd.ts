import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker } from '../worker.js';
import type { EtcdCalls } from './etcd-side.js';

const SIDE = fileURLToPath(new URL('etcd-side.ts', import.meta.url));

/** Starts a cluster of etcd, and the process that writes to it; what is needed on Debian is installed. */
export function etcdWorker(directory: string): Worker<EtcdCalls> {
  if (version() === null) spawnSync('apt-get', ['install', '-y', 'etcd-server'], { stdio: 'ignore' });
  if (version() === null) throw new Error('there is no etcd: apt-get install etcd-server');
  return new Worker<EtcdCalls>(SIDE, [directory]);
}

/** As it tells itself; null when there is none. */
export function version(): string | null {
  const { status, stdout } = spawnSync('etcd', ['--version'], { encoding: 'utf8' });
  return status === 0 ? (stdout.match(/etcd Version: (\S+)/)?.[1] ?? null) : null;
}
