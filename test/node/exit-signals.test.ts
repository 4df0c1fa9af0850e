import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { RaftNode } from 'raftbeat';
import { RaftHost } from 'raftbeat/host';
import { afterEach, expect, test, vi } from 'vitest';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A process with two nodes, which is ready; and what it said. */
async function processWith(other = '') {
  const program = fileURLToPath(new URL('exit-signals-node.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', program, other], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => lines.push(...text.trim().split('\n')));
  await vi.waitUntil(() => lines.includes('ready'), { timeout: 30_000 });
  lines.length = 0;
  return { child, lines };
}

test('A signal stops all nodes, and then ends the process as it would have', async () => {
  const { child, lines } = await processWith();
  const ended = once(child, 'close');
  child.kill('SIGUSR2');
  expect(await ended).toEqual([null, 'SIGUSR2']);
  expect(lines.sort()).toEqual(['a stopped', 'b stopped']);
});

test('A signal that somebody else listens to stops the nodes, and leaves the end of the process to them', async () => {
  const { child, lines } = await processWith('listens');
  child.kill('SIGUSR2');
  await vi.waitUntil(() => lines.length === 3, { timeout: 30_000 });
  child.kill('SIGUSR2');
  await vi.waitUntil(() => lines.length === 4, { timeout: 30_000 });
  expect(lines.sort()).toEqual([
    'a stopped',
    'b stopped',
    'somebody else heard it',
    'somebody else heard it',
  ]);
  expect(child.exitCode ?? child.signalCode).toBeNull();
});

test('Nodes that were stopped listen to no signal', async () => {
  const { child, lines } = await processWith('stopped');
  const ended = once(child, 'close');
  child.kill('SIGUSR2');
  expect(await ended).toEqual([null, 'SIGUSR2']);
  expect(lines).toEqual([]);
});

test.each([
  ['node', (options: object) => new RaftNode({ ip: 'a', ...options })],
  ['host', (options: object) => new RaftHost({ ip: 'a', ...options })],
])('A %s listens to the signals from its start to its stop, however often', async (_, make) => {
  const listeners = (): number[] => ['SIGTERM', 'SIGINT'].map((name) => process.listenerCount(name));
  const before = listeners();
  const one = make({ stopOnSignals: true });
  expect(listeners()).toEqual(before);
  for (const _ of ['first', 'second']) {
    await Promise.all([one.start(), one.start()]);
    expect(listeners()).toEqual(before.map((count) => count + 1));
    await Promise.all([one.stop(), one.stop()]);
    expect(listeners()).toEqual(before);
  }
});

test('One that could not be started listens to no signal', async () => {
  const before = process.listenerCount('SIGTERM');
  const store = {
    durable: false,
    open: () => Promise.reject(new Error('no disk')),
    save: async () => {},
    close: async () => {},
  };
  const node = new RaftNode({ ip: 'a', store, stopOnSignals: ['SIGTERM'] });
  await expect(node.start()).rejects.toThrow('no disk');
  expect(process.listenerCount('SIGTERM')).toBe(before);
});

test.each([[['SIGKILL']], [['SIGSTOP']], [['term']], [['']], [7], ['SIGTERM']])(
  'What is no list of signals that can be caught is refused: %j',
  (stopOnSignals) => {
    expect(() => new RaftNode({ ip: 'a', stopOnSignals: stopOnSignals as never })).toThrow(
      expect.objectContaining({ code: 'BAD_OPTION' }),
    );
  },
);
