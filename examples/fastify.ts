/**
 * A plugin for Fastify, and a service that uses it. The peers talk on the service's own port; the node starts with the
 * service, and hands over when the service closes. Start it three times:
 *
 *     M=127.0.0.1:3001,127.0.0.1:3002,127.0.0.1:3003
 *     node --import tsx examples/fastify.ts 127.0.0.1:3001 $M
 *
 * `GET /` tells who leads, and `POST /jobs`, which only the leader may do, is redirected to it by the others.
 */
import fastify, { type FastifyPluginAsync, type FastifyReply, type FastifyRequest } from 'fastify';
import { RaftNode, type RaftNodeOptions } from 'raftbeat';
import { HttpTransport } from 'raftbeat/http';

declare module 'fastify' {
  interface FastifyInstance {
    readonly raft: RaftNode;
  }
}

type RaftPluginOptions = Omit<RaftNodeOptions, 'transport'>;

/** Decorates the instance with `raft`, and answers the other peers. */
const raftPlugin: FastifyPluginAsync<RaftPluginOptions> = async (app, options) => {
  const transport = new HttpTransport({ listen: false });
  const raft = new RaftNode({ ...options, transport });
  app.decorate('raft', raft);
  // Before anything that reads bodies.
  app.addHook('onRequest', (request, reply, done) => transport.handler(request.raw, reply.raw, () => done()));
  app.addHook('onListen', () => raft.start());
  app.addHook('preClose', () => raft.stop());
};
// What it adds is for the whole instance, and not only for what is within the plugin.
Object.assign(raftPlugin, { [Symbol.for('skip-override')]: true });

/** Sends whoever asks a peer that does not lead to the one that does. */
async function leaderOnly(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const { raft } = request.server;
  if (raft.isLeader()) return undefined;
  if (raft.leader !== null) return reply.redirect(`http://${raft.leader.ip}${request.url}`, 307);
  return reply.code(503).header('retry-after', '1').send({ error: 'there is no leader' });
}

const [ip = '127.0.0.1:3001', members = ip] = process.argv.slice(2);
const { hostname, port } = new URL(`http://${ip}`);
const app = fastify();
await app.register(raftPlugin, { ip, members: members.split(',') });
app.get('/', () => ({ ip, leads: app.raft.isLeader(), leader: app.raft.leader?.ip ?? null }));
app.post('/jobs', { preHandler: leaderOnly }, () => ({ doneBy: ip, fencingToken: app.raft.fencingToken }));
app.raft.on('makeLeader', ({ leader, term }) => console.log(`${leader.ip} leads term ${term}`));
process.once('SIGTERM', () => app.close());
await app.listen({ host: hostname, port: Number(port) });
console.log(`http://${ip}`);
