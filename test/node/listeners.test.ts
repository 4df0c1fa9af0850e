import type { RaftError } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import type { Op } from '../../src/core/datum.js';
import { Datums } from '../../src/core/datums.js';
import { type KeyPattern, Listeners } from '../../src/node/listeners.js';

/** What a peer holds after each of `batches` was committed. */
function holding(...batches: readonly (readonly Op[])[]): Datums {
  const base = { revision: { term: 0, seq: 0 }, stampFloor: 0, datums: new Map() };
  const tail = batches.map((ops, at) => ({ revision: { term: 1, seq: at + 1 }, ops }));
  const datums = new Datums({ base, tail }, 1_000);
  datums.fold(batches.length);
  return datums;
}

const put = (key: string, timestamp = 1): Op => ({ key, value: '1', timestamp });

/** Listeners, and one of them that notes what it is told. */
function noting() {
  const errors: RaftError[] = [];
  const listeners = new Listeners((error) => errors.push(error));
  const heard: string[] = [];
  const note = (datum: unknown, key: string): void => {
    heard.push(datum === null ? `${key} gone` : key);
  };
  return { listeners, heard, note, errors };
}

describe('listeners that are taken back', () => {
  const same: readonly (readonly [KeyPattern, KeyPattern])[] = [
    ['a', 'a'],
    [{ prefix: 'a' }, { prefix: 'a' }],
  ];
  const others: readonly (readonly [KeyPattern, KeyPattern])[] = [
    ['a', 'b'],
    ['a', { prefix: 'a' }],
    [{ prefix: 'a' }, 'a'],
    [{ prefix: 'a' }, { prefix: 'b' }],
  ];

  test.each(same)('of %j by %j hear nothing more', (pattern, given) => {
    const { listeners, heard, note } = noting();
    listeners.add(pattern, note);
    expect([listeners.remove(given, note), listeners.remove(given, note)]).toEqual([true, false]);
    listeners.attach(holding([put('a')]));
    expect(heard).toEqual([]);
  });

  test.each(others)('of %j by %j are others', (pattern, given) => {
    const { listeners, heard, note } = noting();
    listeners.add(pattern, note);
    expect(listeners.remove(given, note)).toBe(false);
    listeners.attach(holding([put('a')]));
    expect(heard).toEqual(['a']);
  });

  test('by another function are others', () => {
    const { listeners, heard, note } = noting();
    listeners.add('a', note);
    expect(listeners.remove('a', () => {})).toBe(false);
    listeners.attach(holding([put('a')]));
    expect(heard).toEqual(['a']);
  });

  test('between two changes of one commit are not told the second', () => {
    const { listeners, heard } = noting();
    const once = (_: unknown, key: string): void => {
      heard.push(key);
      listeners.remove({ prefix: '' }, once);
    };
    listeners.add({ prefix: '' }, once);
    listeners.attach(holding([put('a'), put('b')]));
    expect(heard).toEqual(['a']);
  });
});

describe('a start', () => {
  test('tells what has changed since the stop before, and nothing else', () => {
    const { listeners, heard, note } = noting();
    listeners.add({ prefix: '' }, note);
    listeners.attach(holding([put('a'), put('b'), put('c')]));
    heard.length = 0;
    listeners.attach(holding([put('a')], [put('b', 2), put('d')]));
    expect(heard.toSorted()).toEqual(['b', 'c gone', 'd']);
  });

  test('without a registry tells nothing', () => {
    const { listeners, heard, note } = noting();
    listeners.add({ prefix: '' }, note);
    listeners.attach(null);
    expect(heard).toEqual([]);
  });
});

describe('a pattern', () => {
  test.each<[KeyPattern, readonly string[]]>([
    ['a', ['a']],
    [{ prefix: 'a' }, ['a', 'ab']],
    [{ prefix: '' }, ['a', 'ab', 'b']],
    [{ prefix: 'raft' }, []],
    [{ prefix: 'raftbeat:' }, ['raftbeat:members']],
    [{ prefix: 'raftbeat:m' }, ['raftbeat:members']],
    ['raftbeat:members', ['raftbeat:members']],
  ])('%j means the keys %j: those of the library only if they are asked for', (pattern, keys) => {
    const { listeners, heard, note } = noting();
    listeners.attach(holding(['a', 'ab', 'b', 'raftbeat:members'].map((key) => put(key))));
    listeners.add(pattern, note);
    expect(heard).toEqual(keys);
  });
});

test.each(['throws', 'rejects'])('a listener that %s is reported, with the cause', async (how) => {
  const { listeners, errors } = noting();
  const cause = new Error('broken');
  listeners.add('a', () => {
    if (how === 'throws') throw cause;
    return Promise.reject(cause) as never;
  });
  listeners.attach(holding([put('a')]));
  await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  expect(errors).toMatchObject([{ code: 'LISTENER_FAILED', cause }]);
});
