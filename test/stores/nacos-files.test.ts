import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryStore, RaftNode } from 'raftbeat';
import { NacosDatumFiles, NacosTransport } from 'raftbeat/nacos';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BASE } from '../transports/nacos-kit.js';
import { freeAddress } from '../transports/ports.js';

const KEY = 'com.alibaba.nacos.naming.domains.meta.public##G@@a';
const datum = { key: KEY, value: { name: 'G@@a', nested: [1, null, 'ü'] }, timestamp: 3 };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'raftbeat-nacos-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('NacosDatumFiles', () => {
  test('reads what was written last under each key, and not what was removed', async () => {
    const files = new NacosDatumFiles(join(folder, 'a', 'b'));
    expect(await files.open()).toEqual([]);
    for (const written of [datum, { ...datum, timestamp: 4 }, { ...datum, key: `${KEY}/../x` }])
      await files.write(written);
    await files.write({ ...datum, key: 'gone' });
    await files.remove('gone');
    await files.remove('never there');
    const again = await new NacosDatumFiles(join(folder, 'a', 'b')).open();
    expect(again.toSorted((a, b) => a.key.length - b.key.length)).toEqual([
      { ...datum, timestamp: 4 },
      { ...datum, key: `${KEY}/../x` },
    ]);
  });

  test('passes over what a crash left beside its place', async () => {
    const files = new NacosDatumFiles(folder);
    await files.write(datum);
    writeFileSync(join(folder, `${readdirSync(folder)[0]}.tmp`), '{"key":');
    expect(await files.open()).toEqual([datum]);
  });

  test.each([
    '',
    '{',
    'null',
    '{"key":"k","value":1,"timestamp":1}',
    JSON.stringify({ ...datum, key: 'another' }),
  ])('refuses a file that holds %j', async (text) => {
    const files = new NacosDatumFiles(folder);
    await files.write(datum);
    writeFileSync(join(folder, readdirSync(folder)[0] as string), text);
    await expect(files.open()).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
  });

  test('fails with STORE_FAILED where it cannot write', async () => {
    const files = new NacosDatumFiles(join(folder, 'missing'));
    await expect(files.write(datum)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(() => new NacosDatumFiles('')).toThrow('path: expected');
  });
});

describe('a node under the rules of Nacos', () => {
  test('holds its datums again after a restart, and stores what it publishes before it says so', async () => {
    const ip = await freeAddress();
    const store = new MemoryStore();
    const options = {
      ip,
      store,
      rules: 'nacos',
      nacosDatums: new NacosDatumFiles(folder),
      leaderTimeoutMs: 100,
    } as const;
    const node = new RaftNode({ ...options, transport: new NacosTransport() });
    const ask = async (method: string, path: string, body?: string) =>
      (
        await fetch(`http://${ip}${BASE}/${path}`, { method, ...(body === undefined ? {} : { body }) })
      ).text();
    const keys = `datum?keys=${encodeURIComponent(KEY)}`;
    await node.start();
    await node.waitForLeader();
    expect(await ask('POST', 'datum', JSON.stringify(datum))).toBe('ok');
    expect(await new NacosDatumFiles(folder).open()).toEqual([{ ...datum, timestamp: 1 }]);
    const ephemeral = { ...datum, key: 'com.alibaba.nacos.naming.iplist.ephemeral.a' };
    expect(await ask('POST', 'datum', JSON.stringify(ephemeral))).toBe('ok');
    expect(await new NacosDatumFiles(folder).open()).toHaveLength(1);
    await node.stop();
    await node.start();
    expect(JSON.parse(await ask('GET', keys))).toEqual([{ ...datum, timestamp: 1 }]);
    await node.waitForLeader();
    expect(await ask('DELETE', `datum?key=${encodeURIComponent(encodeURIComponent(KEY))}`)).toBe('ok');
    expect(await new NacosDatumFiles(folder).open()).toEqual([]);
    await node.stop();
  });

  test('stops when a datum cannot be stored', async () => {
    const broken = {
      open: async () => [],
      write: async () => {
        throw new Error('the disk is full');
      },
      remove: async () => {},
      close: async () => {},
    };
    const ip = await freeAddress();
    const transport = new NacosTransport();
    const node = new RaftNode({ ip, rules: 'nacos', nacosDatums: broken, leaderTimeoutMs: 100, transport });
    const errors: string[] = [];
    node.on('error', ({ code }) => errors.push(code));
    await node.start();
    await node.waitForLeader();
    const body = JSON.stringify(datum);
    const { status } = await fetch(`http://${ip}${BASE}/datum`, { method: 'POST', body });
    expect(status).not.toBe(200);
    expect(errors).toEqual(['STORE_FAILED']);
    await node.stop();
  });

  test('alone takes nacosDatums', () => {
    const nacosDatums = new NacosDatumFiles(folder);
    expect(() => new RaftNode({ ip: 'a', nacosDatums })).toThrow('nacosDatums must be');
    expect(() => new RaftNode({ ip: 'a', rules: 'nacos', nacosDatums: {} as never })).toThrow(
      'nacosDatums must be',
    );
  });
});
