/** Three members of etcd with their own timings, and the writers that write to them, in a process of their own. */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { Etcd3 } from 'etcd3';
import { etcdUrls, startEtcd } from '../etcd.js';
import { serve } from '../worker.js';
import { type Load, load, type Order, VALUE_BYTES } from './load.js';

const MEMBERS = 3;
const POLL_MS = 50;

const [directory = ''] = process.argv.slice(2);
const value = 'x'.repeat(VALUE_BYTES);
const members: ChildProcess[] = [];
let client: Etcd3 | null = null;

const calls = {
  /** Resolves when a write has succeeded. */
  start: async () => {
    const { clients, peers } = await etcdUrls(MEMBERS);
    for (const at of clients.keys()) members.push(startMember(at, clients, peers));
    client = new Etcd3({ hosts: [...clients] });
    while (!(await put('ready'))) await delay(POLL_MS);
  },
  load: async (order: Order): Promise<Load> => load(async (key) => open().put(key).value(value), order),
};

export type EtcdCalls = typeof calls;
serve(calls, directory);
process.once('exit', () => {
  for (const member of members) member.kill('SIGKILL');
});

function startMember(at: number, clients: readonly string[], peers: readonly string[]): ChildProcess {
  const member = startEtcd(directory, at, clients, peers);
  member.once('exit', (code, signal) => {
    console.error(`etcd ended: ${signal ?? code}`);
    process.exit(1);
  });
  return member;
}

function open(): Etcd3 {
  if (client === null) throw new Error('not started');
  return client;
}

async function put(key: string): Promise<boolean> {
  return open()
    .put(key)
    .value(value)
    .then(
      () => true,
      () => false,
    );
}
