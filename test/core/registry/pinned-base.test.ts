import { describe, expect, test } from 'vitest';
import { sizeOf } from '../../../src/core/datums.js';
import { PinnedBase } from '../../../src/core/pinned-base.js';
import { refusal } from '../cases/support.js';
import { batch, empties, holding, put, rev } from './support.js';

describe('a pinned base', () => {
  const IDLE = 100;

  function pinned(maxReplySize = 10_000) {
    const datums = holding([batch('1/1', put('aa', 1, 1), put('bb', 1, 1)), ...empties('1/2 1/3')]);
    datums.fold(1);
    return { datums, base: new PinnedBase(datums, maxReplySize, IDLE) };
  }

  test('keeps the history from there on, until it is let go of', () => {
    const { base } = pinned();
    expect(base.keepSince).toBe(Number.POSITIVE_INFINITY);
    base.keys(undefined, 0, 0);
    expect(base.keepSince).toBe(1);
    base.drop();
    expect(base.keepSince).toBe(Number.POSITIVE_INFINITY);
  });

  test('is let go of when nobody has asked for that long, and not a moment earlier', () => {
    const { base } = pinned();
    base.keys(undefined, 0, 50);
    base.release(50 + IDLE - 1);
    expect(base.keepSince).toBe(1);
    base.datums(rev('1/1'), [], 120);
    base.release(120 + IDLE - 1);
    expect(base.keepSince).toBe(1);
    base.release(120 + IDLE);
    expect(base.keepSince).toBe(Number.POSITIVE_INFINITY);
  });

  test('is let go of when history has gone past it, and kept while it begins right there', () => {
    const tail = empties('1/1 1/2 1/3 1/4 1/5 1/6');
    const datums = holding(tail, sizeOf(batch('1/1')));
    datums.fold(2);
    const base = new PinnedBase(datums, 10_000, IDLE);
    base.keys(undefined, 0, 0);
    datums.trim(2);
    base.release(0);
    expect([datums.since.seq, base.keepSince]).toEqual([2, 2]);
    datums.fold(6);
    datums.trim(6);
    base.release(0);
    expect([datums.since.seq, base.keepSince]).toEqual([6, Number.POSITIVE_INFINITY]);
  });

  test('is read through a snapshot that is given up with it', () => {
    const { datums, base } = pinned();
    const { at } = base.keys(undefined, 0, 0);
    base.drop();
    datums.fold(2);
    expect(base.keys(undefined, 0, 0).at).toEqual(rev('1/2'));
    expect(refusal(() => base.keys(at, 0, 0)).code).toBe('GONE');
  });

  test('is listed in pages of as many characters as a reply may have', () => {
    expect(pinned(4).base.keys(undefined, 0, 0).keys).toHaveLength(2);
    expect(pinned(3).base.keys(undefined, 0, 0).keys).toHaveLength(1);
  });

  test('gives values of as many characters as a reply may have, keys counted', () => {
    for (const [size, count] of [
      [6, 2],
      [5, 1],
      [1, 1],
    ] as const) {
      const { base } = pinned(size);
      const { at, keys } = base.keys(undefined, 0, 0);
      const listed = ['aa', 'bb'].map(
        (key) => keys.find((found) => found.key === key) ?? { key, revision: at },
      );
      expect(base.datums(at, listed, 0).datums).toHaveLength(count);
    }
  });

  test('gives nothing for a key that it does not hold', () => {
    const { base } = pinned();
    const { at } = base.keys(undefined, 0, 0);
    const asked = ['none', 'bb'].map((key) => ({ key, revision: at }));
    expect(base.datums(at, asked, 0).datums.map(({ key }) => key)).toEqual(['bb']);
  });
});
