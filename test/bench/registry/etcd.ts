import { fileURLToPath } from 'node:url';
import { install } from '../../debian.js';
import { Worker } from '../worker.js';
import type { EtcdCalls } from './etcd-side.js';

const SIDE = fileURLToPath(new URL('etcd-side.ts', import.meta.url));

/** Starts a cluster of etcd, and the process that writes to it; what is needed on Debian is installed. */
export async function etcdWorker(directory: string): Promise<Worker<EtcdCalls>> {
  await install('etcd', 'etcd-server');
  return new Worker<EtcdCalls>(SIDE, [directory]);
}
