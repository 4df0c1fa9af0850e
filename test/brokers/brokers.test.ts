import { RaftNode } from 'raftbeat';
import { transportContract } from 'raftbeat/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Receive } from '../../src/transports/transport.js';
import { answerPeer, cleanups, PEER, rejection, SNAPSHOT } from '../transports/http-kit.js';
import { wayTo } from '../transports/way.js';
import { MEDIUMS, type Medium } from './mediums.js';
import { Server } from './server.js';

let clusters = 0;

for (const medium of MEDIUMS)
  describe.skipIf(!medium.isThere)(`The transport over ${medium.name}`, () => rules(medium));

/** What holds for a broker of any kind. */
function rules({ program, newClient, shout }: Medium): void {
  let broker: Server;

  beforeAll(async () => {
    broker = await Server.start(program);
  });
  afterAll(() => broker.end());

  describe.each([
    ['', false],
    [' when what goes to and from the broker comes late and in pieces', true],
  ])('keeps the contract%s', (_, isSlow) => {
    const create = async (count: number) => {
      const ips = ['one', 'zwei 2.*>', '\ud83d\ude00'].slice(0, count);
      const cluster = `contract-${clusters++}`;
      const clients = await Promise.all(
        ips.map(async () => newClient((await wayTo(broker.address, { isSlow })).ip, cluster)),
      );
      return {
        ips,
        transports: clients.map(({ transport }) => transport),
        dispose: async () => void (await Promise.all(clients.map((client) => client.close()))),
      };
    };
    for (const { name, run } of transportContract({ create })) test(name, run);
  });

  /** A started transport, how to ask, and its way to the broker. */
  async function peer(ip: string, cluster: string, receive: Receive = answerPeer) {
    const way = await wayTo(broker.address);
    const { transport, close } = await newClient(way.ip, cluster);
    cleanups.push(async () => {
      way.isHeld = false;
      await transport.stop();
      await close();
    });
    await transport.start(ip, receive);
    const ask = (to: string, signal = AbortSignal.timeout(5_000)) => transport.request(to, PEER, { signal });
    return { transport, ask, way };
  }

  async function pair(receive?: Receive) {
    const cluster = `pair-${clusters++}`;
    return { a: await peer('a', cluster), b: await peer('b', cluster, receive), cluster };
  }

  test('That nobody listens as a peer is told by the broker, before it would be noticed by silence', async () => {
    const { a } = await pair();
    const slow = new Promise((resolve) => setTimeout(resolve, 500, 'silence'));
    const told = rejection(a.ask('nobody')).then(({ code }) => code);
    expect(await Promise.race([told, slow])).toBe('UNREACHABLE');
  });

  test('Clusters of other names on the same broker do not hear each other', async () => {
    const { a } = await pair();
    const other = await peer('c', `pair-${clusters++}`);
    expect((await rejection(a.ask('c'))).code).toBe('UNREACHABLE');
    expect((await rejection(other.ask('a'))).code).toBe('UNREACHABLE');
  });

  test('A connection to the broker that is cut is made again, and everything goes on', async () => {
    const { a, b } = await pair();
    expect(await a.ask('b')).toEqual(SNAPSHOT);
    for (const { way } of [a, b]) {
      way.cut();
      await vi.waitFor(
        async () => expect(await a.ask('b', AbortSignal.timeout(200))).toEqual(SNAPSHOT),
        20_000,
      );
      await vi.waitFor(
        async () => expect(await b.ask('a', AbortSignal.timeout(200))).toEqual(SNAPSHOT),
        20_000,
      );
    }
  });

  test('While nothing passes between a peer and the broker, who is asked is given up; later it goes on', async () => {
    const { a, b } = await pair();
    b.way.isHeld = true;
    expect((await rejection(a.ask('b'))).code).toBe('UNREACHABLE');
    b.way.isHeld = false;
    await vi.waitFor(
      async () => expect(await a.ask('b', AbortSignal.timeout(200))).toEqual(SNAPSHOT),
      20_000,
    );
  });

  test('A start that the broker does not confirm fails, ends what was asked meanwhile, and can be tried again', async () => {
    const way = await wayTo(broker.address);
    const { transport, close } = await newClient(way.ip, `start-${clusters++}`);
    cleanups.push(async () => {
      await transport.stop();
      await close();
    });
    way.isHeld = true;
    const started = rejection(transport.start('a', answerPeer));
    const asked = rejection(transport.request('b', PEER, { signal: new AbortController().signal }));
    expect((await started).code).toBe('UNREACHABLE');
    expect(['ABORTED', 'UNREACHABLE']).toContain((await asked).code);
    way.isHeld = false;
    way.cut();
    await vi.waitFor(() => transport.start('a', answerPeer), 30_000);
    expect((await rejection(transport.request('b', PEER, { signal: AbortSignal.timeout(9_000) }))).code).toBe(
      'UNREACHABLE',
    );
  });

  test('A broker that does not answer is not waited for at the stop', async () => {
    const { a } = await pair(() => new Promise(() => {}));
    a.way.isHeld = true;
    const asked = rejection(a.ask('b'));
    await a.transport.stop();
    expect((await asked).code).toBe('ABORTED');
  });

  test('What was published by others is nothing', async () => {
    const { a, cluster } = await pair();
    for (const text of ['', '{', 'null', '7', '[]', '{"from":"b"}', JSON.stringify({ from: 'b', to: 7 })])
      await shout(broker.address, cluster, text);
    expect(await a.ask('b')).toEqual(SNAPSHOT);
  });

  describe('carries a cluster', () => {
    const nodes: RaftNode[] = [];
    let overlaps = 0;

    afterEach(() => {
      nodes.length = 0;
      overlaps = 0;
    });

    /** Three nodes, each with a way of its own, and nobody but one leads whenever one is made leader. */
    async function cluster() {
      const name = `cluster-${clusters++}`;
      const members = ['one', 'two', 'three'];
      const ways = await Promise.all(members.map(() => wayTo(broker.address)));
      for (const [at, ip] of members.entries()) {
        const { transport, close } = await newClient(ways[at]?.ip ?? '', name);
        const node = new RaftNode({ ip, members, transport, registry: true, preset: 'lan' });
        node.on('makeLeader', () => {
          if (nodes.filter((each) => each.isLeader()).length > 1) overlaps++;
        });
        node.on('error', () => {});
        nodes.push(node);
        cleanups.push(async () => {
          await node.stop();
          await close();
        });
      }
      await Promise.all(nodes.map((node) => node.start()));
      return { ways };
    }

    const leader = () =>
      vi.waitUntil(() => nodes.find((node) => node.isLeader()), { timeout: 30_000 }) as Promise<RaftNode>;
    const agreed = () =>
      vi.waitUntil(() => new Set(nodes.map((node) => node.leader?.ip ?? node.ip)).size === 1, {
        timeout: 30_000,
      });

    test('which replaces a leader that is cut off from the broker, and takes it in again', async () => {
      const { ways } = await cluster();
      const first = await leader();
      await first.publish('key', 'one');
      const way = ways[nodes.indexOf(first)];
      if (way === undefined) throw new Error('no way');
      way.isHeld = true;
      await vi.waitUntil(() => !first.isLeader(), { timeout: 30_000 });
      const second = await leader();
      expect(second).not.toBe(first);
      await second.publish('key', 'two');
      way.isHeld = false;
      way.cut();
      await agreed();
      await expect.poll(async () => (await first.readDatum('key'))?.value, { timeout: 30_000 }).toBe('two');
      expect(overlaps).toBe(0);
    });

    test('which finds together again when the broker was killed and started anew', async () => {
      await cluster();
      await (await leader()).publish('key', 'one');
      await broker.restart();
      await vi.waitFor(async () => (await leader()).publish('key', 'two'), 30_000);
      await agreed();
      expect(overlaps).toBe(0);
    });
  });
}
