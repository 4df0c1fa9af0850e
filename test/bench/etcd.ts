import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { freeAddresses } from '../../src/cli/demo/addresses.js';

/** As it tells itself; null when there is none. */
export function version(): string | null {
  const { status, stdout } = spawnSync('etcd', ['--version'], { encoding: 'utf8' });
  return status === 0 ? (stdout.match(/etcd Version: (\S+)/)?.[1] ?? null) : null;
}

/** Where members listen: each to clients, and to the others. */
export interface EtcdUrls {
  readonly clients: readonly string[];
  readonly peers: readonly string[];
}

/** Free ones for `count` members. */
export async function etcdUrls(count: number): Promise<EtcdUrls> {
  const urls = (await freeAddresses(2 * count)).map((address) => `http://${address}`);
  return { clients: urls.slice(0, count), peers: urls.slice(count) };
}

/** Starts the member number `at`, with etcd's own timings and its data below `directory`; it ends when this process does. */
export function startEtcd(
  directory: string,
  at: number,
  clients: readonly string[],
  peers: readonly string[],
): ChildProcess {
  const client = clients[at] ?? '';
  const peer = peers[at] ?? '';
  const options = {
    name: `member-${at}`,
    'data-dir': `${directory}/etcd-${at}`,
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': peers.map((url, place) => `member-${place}=${url}`).join(','),
    'initial-cluster-state': 'new',
    logger: 'zap',
    'log-level': 'error',
  };
  const args = Object.entries(options).map(([name, text]) => `--${name}=${text}`);
  const member = spawn('setpriv', ['--pdeathsig', 'KILL', 'etcd', ...args], { stdio: 'ignore' });
  member.once('error', (error) => {
    console.error(`etcd: ${error.message}`);
    process.exit(1);
  });
  return member;
}
