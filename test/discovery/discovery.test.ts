import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { byFile, Discovery, type Find, type FoundPeer } from 'raftbeat/discovery';
import { afterEach, expect, test } from 'vitest';
import { cleanups, rejection } from '../transports/http-kit.js';

/** What is found, as the test says, and looks as often as it asks. */
class Place {
  peers: readonly (string | FoundPeer)[] | Error;
  readonly discovery: Discovery;
  readonly errors: string[] = [];
  readonly found: (readonly string[])[] = [];

  constructor(peers: Place['peers']) {
    this.peers = peers;
    const find: Find = async () => {
      if (this.peers instanceof Error) throw this.peers;
      return this.peers;
    };
    this.discovery = new Discovery({ find, refreshMs: 10 });
    this.discovery.on('error', ({ code }) => this.errors.push(code));
    this.discovery.on('found', (found) => this.found.push(found.map(({ address }) => address)));
    cleanups.push(() => this.discovery.close());
  }

  /** What holds after a look that begins now. */
  async looks(): Promise<readonly string[]> {
    await this.discovery.nextLook();
    return (await this.discovery.nextLook()).map(({ ip }) => ip);
  }
}

test('What is found has an identity and an address, which for a text are the same', async () => {
  const place = new Place(['b:1', { ip: 'a', address: '10.0.0.1:7001' }]);
  expect(await place.looks()).toEqual(['a', 'b:1']);
  expect(place.discovery.address('a')).toBe('10.0.0.1:7001');
  expect(place.discovery.address('b:1')).toBe('b:1');
  expect(place.discovery.address('c')).toBe('');
});

test('A change is told once; a look that finds the same tells nothing', async () => {
  const place = new Place(['a:1']);
  await place.looks();
  place.peers = [{ ip: 'a:1', address: 'a:2' }];
  await place.looks();
  expect(place.found).toEqual([['a:1'], ['a:2']]);
});

test.each([
  ['fails', new Error('no answer'), ['UNREACHABLE']],
  ['finds nobody', [], []],
  ['finds two of one identity', ['a:1', 'a:1'], ['UNREACHABLE']],
  ['finds what is no identity', ['a 1'], ['UNREACHABLE']],
  ['finds what is no address', [{ ip: 'a', address: '' }], ['UNREACHABLE']],
])('A look that %s changes nothing', async (_, then, errors) => {
  const place = new Place(['a:1', 'b:1']);
  await place.looks();
  place.peers = then;
  expect(await place.looks()).toEqual(['a:1', 'b:1']);
  expect([...new Set(place.errors)]).toEqual(errors);
});

test('The members of a new cluster are those that are found when there are exactly as many as it has', async () => {
  const place = new Place(['a:1', 'b:1', 'c:1', 'd:1']);
  const members = place.discovery.members(3);
  await place.looks();
  place.peers = ['a:1', 'b:1'];
  await place.looks();
  place.peers = ['c:1', 'b:1', 'a:1'];
  expect(await members).toEqual(['a:1', 'b:1', 'c:1']);
  expect(await place.discovery.members(3)).toEqual(['a:1', 'b:1', 'c:1']);
});

test('Who waits is told when the discovery is closed, or by the signal', async () => {
  const place = new Place(['a:1']);
  const aborter = new AbortController();
  const aborted = rejection(place.discovery.members(3, { signal: aborter.signal }));
  aborter.abort();
  expect((await aborted).code).toBe('ABORTED');
  const waiting = rejection(place.discovery.members(3));
  place.discovery.close();
  place.discovery.close();
  expect((await waiting).code).toBe('NOT_RUNNING');
  expect((await rejection(place.discovery.nextLook())).code).toBe('NOT_RUNNING');
});

test('What is found after the close is nothing', async () => {
  let found = (_: readonly string[]): void => {};
  const discovery = new Discovery({
    find: () =>
      new Promise((resolve) => {
        found = resolve;
      }),
  });
  discovery.close();
  found(['a:1']);
  await new Promise(setImmediate);
  expect(discovery.peers).toEqual([]);
});

test.each([
  [{ find: 7 }],
  [{ find: async () => [], refreshMs: 9 }],
  [{ find: async () => [], refreshMs: 10.5 }],
])('Options that cannot be are refused: %j', (options) => {
  expect(() => new Discovery(options as never)).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }));
});

const directories: string[] = [];
afterEach(() => {
  for (const each of directories.splice(0)) rmSync(each, { recursive: true });
});

test('A file is read anew at each look', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'raftbeat-'));
  directories.push(directory);
  const path = join(directory, 'peers.json');
  writeFileSync(path, '["a:1"]');
  const discovery = new Discovery({ find: byFile(path), refreshMs: 10 });
  cleanups.push(() => discovery.close());
  expect(await discovery.members(1)).toEqual(['a:1']);
  writeFileSync(path, '{"a:1": 1}');
  await discovery.nextLook();
  await discovery.nextLook();
  expect(discovery.address('a:1')).toBe('a:1');
  writeFileSync(path, '["a:1", { "ip": "b", "address": "c:1" }]');
  expect(await discovery.members(2)).toEqual(['a:1', 'b']);
  expect(discovery.address('b')).toBe('c:1');
});
