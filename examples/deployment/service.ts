/**
 * A service as it runs in Kubernetes (`kubernetes.yaml` beside it), under systemd or pm2: it finds its peers by the DNS, or in
 * a file, keeps what it must not forget on a disk, and hands leadership over before it ends.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { RaftNode } from 'raftbeat';
import { byFile, bySrv, Discovery } from 'raftbeat/discovery';
import { FileStore } from 'raftbeat/file';
import { HttpTransport } from 'raftbeat/http';

const {
  POD: ip = 'billing-0',
  MEMBERS = 'billing-0',
  /** The name of a service, or the path of a file. */
  PEERS = 'peers.json',
  SECRET = 'shared by all members',
  DATA = '/data',
  HOST = '0.0.0.0',
  PORT = '7001',
  ADMIN_PORT = '7002',
} = process.env;

const discovery = new Discovery({
  find: PEERS.startsWith('_') ? bySrv(PEERS) : byFile(PEERS),
  refreshMs: 1_000,
});
discovery.on('error', ({ message }) => console.warn(message));

const raft = new RaftNode({
  ip,
  members: MEMBERS.split(' '),
  transport: new HttpTransport({
    address: discovery.address,
    bind: { host: HOST, port: Number(PORT) },
    secret: SECRET,
  }),
  store: new FileStore(DATA),
  stopOnSignals: true,
});
raft.on('makeLeader', ({ leader, term }) => console.log(`${leader.ip} leads term ${term}`));
raft.on('error', ({ code, message }) => console.error(code, message));
await raft.start();

/** For the preStop hook, which the kubelet calls from outside of the pod: it moves leadership, and nothing else. */
const admin = createServer(async (_request, response) => {
  const to = await raft.resign().catch(() => null);
  response.end(to === null ? 'does not lead' : `handed over to ${to}`);
}).listen(Number(ADMIN_PORT), HOST);
await once(admin, 'listening');
console.log(`${ip} runs`);
