import { fork } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import type { RaftRequest } from '../../src/core/messages.js';
import type { BusMessage } from '../../src/transports/bus.js';
import { ClusterHub, ClusterTransport, type IpcPort } from '../../src/transports/cluster.js';
import type { Receive } from '../../src/transports/transport.js';
import { answerPeer, cleanups, PEER, rejection, SNAPSHOT } from './http-kit.js';

/** The channel of a process that is played by the test, and what it was sent. */
class Port extends EventEmitter implements IpcPort {
  readonly sent: unknown[] = [];

  send(message: object): void {
    this.sent.push(message);
  }

  says(message: Partial<BusMessage>): void {
    this.emit('message', { raftbeat: { process: '1', to: null, frame: { h: 1 }, ...message } });
  }
}

function hubOf(count: number) {
  const hub = new ClusterHub();
  const ports = Array.from({ length: count }, () => new Port());
  for (const port of ports) hub.add(port);
  return { hub, ports };
}

async function peer(hub: ClusterHub, ip: string, receive: Receive = answerPeer) {
  const transport = new ClusterTransport({ port: hub.ownPort() });
  cleanups.push(() => transport.stop());
  await transport.start(ip, receive);
  const ask = (to: string, request: RaftRequest = PEER) =>
    transport.request(to, request, { signal: AbortSignal.timeout(5_000) });
  return { transport, ask };
}

test('A hub passes a message on to those that it is for, as far as it has heard of them', () => {
  const { ports } = hubOf(3);
  const [a, b, c] = ports as [Port, Port, Port];
  b.says({ from: 'b' });
  expect([a.sent.length, b.sent.length, c.sent.length]).toEqual([1, 0, 1]);
  a.says({ from: 'a', to: ['b', 'x'] });
  expect([a.sent.length, b.sent.length, c.sent.length]).toEqual([1, 1, 1]);
});

test('A hub tells all others when a process is gone, once', () => {
  const { ports } = hubOf(2);
  const [a, b] = ports as [Port, Port];
  a.says({ from: 'a', process: '7' });
  b.sent.length = 0;
  a.emit('disconnect');
  a.emit('exit');
  expect(b.sent).toEqual([{ raftbeat: { from: 'a', process: '7', to: null, frame: { end: 1 } } }]);
  b.says({ from: 'b' });
  expect(a.sent).toEqual([]);
});

test.each([null, 'text', {}, { raftbeat: null }, { raftbeat: { from: 'a', to: 'b' } }])(
  'A hub leaves what is not for it alone: %j',
  (message) => {
    const { ports } = hubOf(2);
    const [a, b] = ports as [Port, Port];
    a.emit('message', message);
    expect(b.sent).toEqual([]);
  },
);

test('A process that was added twice hears each message once', () => {
  const { hub, ports } = hubOf(2);
  const [a, b] = ports as [Port, Port];
  hub.add(a);
  a.says({ from: 'a' });
  expect(b.sent).toHaveLength(1);
});

test('A process that cannot be sent to harms nobody', () => {
  const { hub, ports } = hubOf(1);
  const [a] = ports as [Port];
  const gone = new Port();
  gone.send = () => {
    throw new Error('channel closed');
  };
  hub.add(gone);
  const last = new Port();
  hub.add(last);
  a.says({ from: 'a' });
  expect(last.sent).toHaveLength(1);
});

test('Who waits for an answer, or holds a request, is told at once that the process is gone', async () => {
  const { hub, ports } = hubOf(1);
  const [b] = ports as [Port];
  const signals: (AbortSignal | undefined)[] = [];
  const a = await peer(hub, 'a', (_request, _from, gone) => {
    signals.push(gone);
    return new Promise(() => {});
  });
  await vi.waitUntil(() => b.sent.length > 0);
  b.says({ from: 'b', to: ['a'], frame: { q: 1, m: { type: 'hold', ip: 'b', wait: true } } });
  await expect.poll(() => signals).toHaveLength(1);
  const asked = rejection(a.ask('b'));
  expect(signals[0]?.aborted).toBe(false);
  b.emit('exit');
  expect((await asked).code).toBe('UNREACHABLE');
  expect(signals[0]?.aborted).toBe(true);
});

test('The end of a process says nothing of the one that took its place', async () => {
  const { hub, ports } = hubOf(2);
  const [former, next] = ports as [Port, Port];
  const a = await peer(hub, 'a');
  await vi.waitUntil(() => next.sent.length > 0);
  former.says({ from: 'b', process: '1' });
  next.says({ from: 'b', process: '2' });
  await setImmediate(); // Both were heard.
  const asked = a.ask('b');
  former.emit('exit');
  next.says({ from: 'b', process: '2', to: ['a'], frame: { a: 0, m: SNAPSHOT } });
  expect(await asked).toEqual(SNAPSHOT);
});

test('A process without a channel is told so', () => {
  expect(() => new ClusterTransport({ port: new EventEmitter() })).toThrow(
    expect.objectContaining({ code: 'BAD_OPTION' }),
  );
});

test('The children of a process elect one of them, and another as soon as it is killed', async () => {
  const members = ['one', 'two', 'three'];
  const hub = new ClusterHub();
  const program = fileURLToPath(new URL('cluster-peer.ts', import.meta.url));
  const children = new Map(
    members.map((ip) => {
      const child = fork(program, [ip, members.join()], { execArgv: ['--import', 'tsx'] });
      cleanups.push(() => child.kill('SIGKILL'));
      hub.add(child);
      return [ip, { child, knows: '' }];
    }),
  );
  for (const each of children.values())
    each.child.on('message', (message: { knows?: string }) => {
      if (message.knows !== undefined) each.knows = message.knows;
    });
  const known = () => new Set([...children.values()].map(({ knows }) => knows));
  await expect.poll(() => [...known()].join(), { timeout: 40_000 }).toMatch(/^\w+$/);
  const [first = ''] = known();
  children.get(first)?.child.kill('SIGKILL');
  children.delete(first);
  await expect.poll(() => known().has(first) || known().size > 1, { timeout: 40_000 }).toBe(false);
});
