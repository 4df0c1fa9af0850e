import { connect } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import { NatsTransport } from '../../src/transports/nats.js';
import { RedisTransport } from '../../src/transports/redis.js';
import type { Transport } from '../../src/transports/transport.js';
import { isInstalled } from '../debian.js';
import { NATS, type Program, REDIS } from './server.js';

/** What is used of a broker by one peer. */
export interface Client {
  readonly transport: Transport;
  close(): Promise<void>;
}

/** A kind of broker. */
export interface Medium {
  readonly name: string;
  readonly program: Program;
  readonly isThere: boolean;
  /** A transport by a client of its own, for a cluster of this name. */
  newClient(address: string, cluster: string): Promise<Client>;
  /** Publishes a text to all of a cluster. */
  shout(address: string, cluster: string, text: string): Promise<void>;
}

async function newNatsClient(address: string, cluster: string): Promise<Client> {
  const connection = await connect({
    servers: address,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
    reconnectJitter: 10,
  });
  return {
    transport: new NatsTransport({ connection, subject: cluster }),
    close: () => connection.close(),
  };
}

async function newRedisClient(address: string, cluster: string): Promise<Client> {
  const [host = '', port] = address.split(':');
  const options = { host, port: Number(port), maxRetriesPerRequest: null, retryStrategy: () => 50 };
  const [client, subscriber] = [new Redis(options), new Redis(options)];
  for (const each of [client, subscriber]) each.on('error', () => {});
  await client.ping();
  return {
    transport: new RedisTransport({ client, subscriber, channel: cluster }),
    close: async () => {
      for (const each of [client, subscriber]) each.disconnect();
    },
  };
}

/** All there are. */
export const MEDIUMS: readonly Medium[] = [
  {
    name: 'NATS',
    program: NATS,
    isThere: await isInstalled('nats-server'),
    newClient: newNatsClient,
    shout: async (servers, cluster, text) => {
      const connection = await connect({ servers });
      connection.publish(`${cluster}.all`, text);
      await connection.drain();
    },
  },
  {
    name: 'Redis',
    program: REDIS,
    isThere: await isInstalled('redis-server'),
    newClient: newRedisClient,
    shout: async (address, cluster, text) => {
      const client = new Redis(`redis://${address}`);
      await client.publish(`${cluster}:all`, text);
      client.disconnect();
    },
  },
];
