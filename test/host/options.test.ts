import { MemoryNetwork, MemoryTransport } from 'raftbeat';
import { RaftHost, type RaftHostOptions } from 'raftbeat/host';
import { describe, expect, test } from 'vitest';
import { resolveHostOptions } from '../../src/host/host-options.js';
import { A, B, C } from '../node/virtual.js';
import { refusal, TestGroupStore } from './lab.js';

const transport = new MemoryTransport(new MemoryNetwork());
const GIVEN: RaftHostOptions = { ip: A, members: [A, B, C], transport };

describe('options of a host', () => {
  test.each<readonly [string, unknown]>([
    ['ip', ''],
    ['ip', 1],
    ['members', []],
    ['members', [B, C]],
    ['members', [A, A]],
    ['transport', {}],
    ['store', {}],
    ['store', null],
    ['store', { open() {}, save() {} }],
    ['preset', 'nacos'],
    ['preset', 'x'],
    ['balance', 1],
    ['balance', null],
    ['bootstrap', 'yes'],
    ['rejoin', 'x'],
    ['clock', {}],
    ['random', 0.5],
    ['leaderTimeoutMs', 9],
    ['heartbeatMs', 0],
    ['heartbeatMs', 1_000],
    ['staggerMs', -1],
    ['staggerMs', '1'],
    ['randomMs', -1],
    ['requestTimeoutMs', 400],
    ['clockDrift', 0.5],
    ['nacosDatums', undefined],
    ['rules', 'raftbeat'],
    ['registry', true],
    ['sendBeatOnly', true],
    ['releaseOnDisconnect', false],
    ['colour', 'red'],
  ])('%s may not be %j, and the error names it', (name, value) => {
    const error = refusal(() => new RaftHost({ ...GIVEN, [name]: value }));
    expect(error.code).toBe('BAD_OPTION');
    expect(error.message).toContain(name);
  });

  test('must be an object', () => {
    for (const options of [undefined, null, 1, 'a:1'])
      expect(refusal(() => new RaftHost(options as unknown as RaftHostOptions)).code).toBe('BAD_OPTION');
  });

  test('have defaults: balance, a store in memory, the times of lan, and L for the next in turn and for another try', () => {
    const { balance, store, timing, bootstrap, rejoin } = resolveHostOptions(GIVEN);
    expect({ balance, bootstrap, rejoin, durable: store.durable }).toEqual({
      balance: true,
      bootstrap: false,
      rejoin: 'majority',
      durable: false,
    });
    expect(timing).toMatchObject({ leaderTimeoutMs: 500, heartbeatMs: 100, staggerMs: 500, randomMs: 500 });
    expect(resolveHostOptions({ ...GIVEN, preset: 'wan' }).timing).toMatchObject({
      leaderTimeoutMs: 5_000,
      staggerMs: 5_000,
    });
  });

  test('are taken as given', () => {
    const store = new TestGroupStore();
    const resolved = resolveHostOptions({ ...GIVEN, store, balance: false, staggerMs: 7, rejoin: 'strict' });
    expect(resolved).toMatchObject({ ip: A, store, balance: false, rejoin: 'strict' });
    expect(resolved.timing.staggerMs).toBe(7);
    expect(resolved.members.ips).toEqual([A, B, C]);
  });
});

describe('the name of a group', () => {
  test('is a text of 1 to 256 characters without control characters', () => {
    const host = new RaftHost(GIVEN);
    for (const name of ['', 'a\n', 'x'.repeat(257), 1, null, undefined])
      expect(refusal(() => host.group(name as string)).code).toBe('BAD_OPTION');
    for (const name of ['a', 'x'.repeat(256), 'ä ö', '__proto__']) expect(host.group(name).name).toBe(name);
    expect(host.groups.length).toBe(4);
  });

  test('stands for the same object as long as the host has not left the group', async () => {
    const host = new RaftHost(GIVEN);
    const group = host.group('a');
    expect(host.group('a')).toBe(group);
    await group.leave();
    expect(host.groups).toEqual([]);
    expect(host.group('a')).not.toBe(group);
  });

  test('may come with bootstrap, which is true or false', () => {
    const host = new RaftHost(GIVEN);
    expect(refusal(() => host.group('a', { bootstrap: 1 as unknown as boolean })).code).toBe('BAD_OPTION');
    expect(host.groups).toEqual([]);
  });
});
