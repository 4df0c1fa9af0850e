/** Three members of etcd with their own timings, and the writers that write to them, in a process of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { Etcd3 } from 'etcd3';
import { freeAddresses } from '../../../examples/cluster/processes.js';
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
    const urls = (await freeAddresses(2 * MEMBERS)).map((address) => `http://${address}`);
    const clients = urls.slice(0, MEMBERS);
    const peers = urls.slice(MEMBERS);
    const cluster = peers.map((url, at) => `member-${at}=${url}`).join(',');
    for (const [at, url] of clients.entries()) members.push(startMember(at, url, peers[at] ?? '', cluster));
    client = new Etcd3({ hosts: clients });
    while (!(await put('ready'))) await delay(POLL_MS);
  },
  load: async (order: Order): Promise<Load> => load(async (key) => open().put(key).value(value), order),
};

export type EtcdCalls = typeof calls;
serve(calls, directory);
process.once('exit', () => {
  for (const member of members) member.kill('SIGKILL');
});

function startMember(at: number, client: string, peer: string, cluster: string): ChildProcess {
  const options = {
    name: `member-${at}`,
    'data-dir': `${directory}/etcd-${at}`,
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': cluster,
    'initial-cluster-state': 'new',
    logger: 'zap',
    'log-level': 'error',
  };
  const args = Object.entries(options).map(([name, text]) => `--${name}=${text}`);
  const member = spawn('etcd', args, { stdio: 'ignore' });
  member.once('exit', (code, signal) => {
    console.error(`etcd ended: ${signal ?? code}`);
    process.exit(1);
  });
  member.once('error', (error) => {
    console.error(`etcd: ${error.message}`);
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
