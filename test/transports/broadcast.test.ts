import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import type { RaftReply, RaftRequest } from '../../src/core/messages.js';
import { BroadcastTransport } from '../../src/transports/broadcast.js';
import { answerPeer, cleanups, PEER, rejection, SNAPSHOT } from './http-kit.js';

/** A started transport, and how to ask. */
async function peer(
  ip: string,
  channel?: InstanceType<typeof MessageChannel>['port1'],
  receive = answerPeer,
) {
  const transport = new BroadcastTransport(channel === undefined ? {} : { channel });
  cleanups.push(() => transport.stop());
  await transport.start(ip, receive);
  const ask = (to: string, request: RaftRequest = PEER) =>
    transport.request(to, request, { signal: AbortSignal.timeout(5_000) });
  return { transport, ask };
}

function pair() {
  const { port1, port2 } = new MessageChannel();
  cleanups.push(() => port1.close());
  return { port1, port2 };
}

/** A program in one text. */
async function bundled(program: URL): Promise<string> {
  const entryPoints = [fileURLToPath(program)];
  const { outputFiles } = await build({ entryPoints, bundle: true, write: false, platform: 'node' });
  return outputFiles[0]?.text ?? '';
}

test('Two peers speak over a MessagePort, which stays open', async () => {
  const { port1, port2 } = pair();
  const [a, b] = [await peer('a', port1), await peer('b', port2)];
  expect(await a.ask('b')).toEqual(SNAPSHOT);
  await b.transport.stop();
  await b.transport.start('b', answerPeer);
  await expect.poll(() => a.ask('b').catch(() => null)).toEqual(SNAPSHOT);
});

test('A peer that stops says so: who waits for its answer is told at once', async () => {
  const { port1, port2 } = pair();
  let asked = (): void => {};
  const arrived = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const silent = (): Promise<RaftReply> => {
    asked();
    return new Promise(() => {});
  };
  const [a, b] = [await peer('a', port1), await peer('b', port2, silent)];
  const answer = rejection(a.ask('b'));
  await arrived;
  await b.transport.stop();
  expect((await answer).code).toBe('UNREACHABLE');
});

test('What was asked of a process that was replaced by another of the same name is over', async () => {
  const { port1, port2 } = pair();
  const a = await peer('a', port1);
  const asked = new Promise<void>((resolve) => {
    port2.on('message', ({ frame }) => frame.q !== undefined && resolve());
  });
  const first = rejection(a.ask('b'));
  await asked;
  const from = { from: 'b', to: ['a'] };
  port2.postMessage({ ...from, process: '1', frame: { h: 1 } });
  port2.postMessage({ ...from, process: '2', frame: { h: 1 } });
  expect((await first).code).toBe('UNREACHABLE');
});

test('A peer that answers whether it is there is waited for, and one that does not is given up', async () => {
  const { port1, port2 } = pair();
  const a = await peer('a', port1);
  let isThere = true;
  let asked = 0;
  port2.on('message', ({ frame }) => {
    if (frame.p === undefined) return;
    asked++;
    if (isThere) port2.postMessage({ from: 'b', process: '1', to: ['a'], frame: { h: 1 } });
    isThere = asked < 2;
  });
  expect((await rejection(a.ask('b'))).code).toBe('UNREACHABLE');
  expect(asked).toBeGreaterThan(2);
});

test.each([
  null,
  7,
  'text',
  {},
  { from: 'b' },
  { from: 'b', process: 1, to: null, frame: {} },
  { from: 'b', process: '1', to: 'a', frame: {} },
  { from: 'b', process: '1', to: [7], frame: {} },
  { from: 'b', process: '1', to: null, frame: null },
  { from: 'a', process: '1', to: null, frame: { q: 1, m: PEER } },
  { from: 'b', process: '1', to: ['c'], frame: { q: 1, m: PEER } },
  { from: 'b', process: '1', to: null, frame: { q: '1', a: null } },
])('What is no message to a peer is nothing to it: %j', async (message) => {
  const { port1, port2 } = pair();
  const received: unknown[] = [];
  await peer('a', port1, async (request) => {
    received.push(request);
    return SNAPSHOT;
  });
  const [hello] = await once(port2, 'message');
  expect(hello).toMatchObject({ from: 'a', to: null, frame: { h: 1 } });
  port2.postMessage(message);
  port2.postMessage({ from: 'b', process: '1', to: ['a'], frame: { q: 2, m: { ...PEER, id: 2 } } });
  const [answer] = await once(port2, 'message');
  expect(answer).toMatchObject({ from: 'a', to: ['b'], frame: { a: 2, m: SNAPSHOT } });
  expect(received).toEqual([{ ...PEER, id: 2 }]);
});

test('A channel that cannot carry messages is refused', () => {
  expect(() => new BroadcastTransport({ channel: {} as never })).toThrow(
    expect.objectContaining({ code: 'BAD_OPTION' }),
  );
});

test('The threads of a process elect one of them, and another when it ends', async () => {
  const members = ['one', 'two', 'three'];
  const code = await bundled(new URL('broadcast-peer.ts', import.meta.url));
  const threads = new Map(
    members.map((ip) => {
      const worker = new Worker(code, { eval: true, workerData: { ip, members } });
      cleanups.push(() => worker.terminate());
      return [ip, { worker, knows: '' }];
    }),
  );
  for (const thread of threads.values())
    thread.worker.on('message', ({ knows }) => {
      thread.knows = knows;
    });
  const agreed = () => new Set([...threads.values()].map(({ knows }) => knows));
  await expect.poll(() => [...agreed()].join(), { timeout: 30_000 }).toMatch(/^\w+$/);
  const [first = ''] = agreed();
  await threads.get(first)?.worker.terminate();
  threads.delete(first);
  await expect.poll(() => agreed().has(first) || agreed().size > 1, { timeout: 30_000 }).toBe(false);
});
