import { REDIS, Server } from '../../brokers/server.js';
import { install } from '../../debian.js';
import type { Candidate } from './candidate.js';
import { EtcdServers } from './etcd-servers.js';
import { Processes, program, type Service } from './processes.js';

/** Beats each 100 ms, a timeout of 1 s: the same for all that can be told. */
const SLOW = { heartbeatMs: 100, leaderTimeoutMs: 1_000 };
const LEASE_MS = 1_000;

/** All that are compared, in turn; their files are kept below `directory`. */
export function candidates(directory: string): readonly Candidate[] {
  const raftbeat = { program: program('raftbeat'), directory, resigns: true };
  const release = { ...SLOW, releaseOnDisconnect: true };
  const websocket = { transport: 'websocket' };
  const liferaft = { heartbeat: '100 ms', 'election min': '500 ms', 'election max': '1000 ms' };
  const byRedis = { timeoutMs: LEASE_MS, directory, options: { leaseMs: LEASE_MS }, service: redis };
  return [
    new Processes({ ...raftbeat, name: 'raftbeat', timeoutMs: 1_000, options: SLOW }),
    new Processes({ ...raftbeat, name: 'raftbeat, lan', timeoutMs: 500, options: { preset: 'lan' } }),
    new Processes({ ...raftbeat, name: 'raftbeat, release', timeoutMs: 1_000, options: release }),
    new Processes({
      ...raftbeat,
      name: 'raftbeat, websocket',
      timeoutMs: 1_000,
      options: { ...SLOW, ...websocket },
    }),
    new Processes({
      ...raftbeat,
      name: 'raftbeat, websocket, lan',
      timeoutMs: 500,
      options: { preset: 'lan', ...websocket },
    }),
    new Processes({
      ...raftbeat,
      name: 'raftbeat, websocket, release',
      timeoutMs: 1_000,
      options: { ...release, ...websocket },
    }),
    new EtcdServers(`${directory}/servers`),
    new Processes({
      name: 'etcd3 Election',
      timeoutMs: 1_000,
      program: program('etcd-election'),
      directory,
      options: { ttlSeconds: 1 },
      service: () => etcd(`${directory}/election`),
      resigns: true,
    }),
    new Processes({
      name: 'liferaft',
      timeoutMs: 500,
      program: program('liferaft'),
      directory,
      options: liferaft,
    }),
    new Processes({ ...byRedis, name: 'redlock', program: program('redlock') }),
    new Processes({ ...byRedis, name: 'safe-redis-leader', program: program('safe-redis') }),
  ];
}

async function redis(): Promise<Service> {
  await install('redis-server');
  const server = await Server.start(REDIS);
  return { options: { port: server.port }, end: () => server.end() };
}

async function etcd(directory: string): Promise<Service> {
  const servers = new EtcdServers(directory);
  await servers.start();
  return { options: { hosts: servers.clients }, end: () => servers.end() };
}
