import { describe, expect, test } from 'vitest';
import { accept } from '../../../src/core/acceptance.js';
import { type Datums, sizeOf } from '../../../src/core/datums.js';
import { MEMBERS_KEY } from '../../../src/core/members.js';
import { refusal } from '../cases/support.js';
import { batch, drop, empties, holding, put, rev, seqs, show } from './support.js';

function tailOf(datums: Datums): string {
  const tail = datums.after(datums.base.seq, Number.POSITIVE_INFINITY);
  return tail.map(({ revision }) => show(revision)).join(' ');
}

describe('what must be saved', () => {
  test('is nothing at first, and nothing once it was taken', () => {
    const datums = holding('1/1');
    expect(datums.takeChanges()).toBeNull();
    datums.append(batch('1/2'));
    expect(datums.takeChanges()).toEqual({ append: [batch('1/2')] });
    expect(datums.takeChanges()).toBeNull();
  });

  test('of batches that were appended and cut again at once is what is left of them', () => {
    const datums = holding('1/1');
    for (const added of empties('1/2 1/3 1/4')) datums.append(added);
    datums.cut(3);
    datums.append(batch('2/3'));
    expect(datums.takeChanges()).toEqual({ cutFrom: 3, append: empties('1/2 2/3') });
  });

  test('of two cuts is the one that goes further', () => {
    const datums = holding('1/1 1/2 1/3');
    datums.cut(2);
    for (const added of empties('2/2 2/3')) datums.append(added);
    datums.cut(3);
    expect(datums.takeChanges()).toEqual({ cutFrom: 2, append: empties('2/2') });
  });

  test('of a base that was taken over is that base alone, whatever was appended before', () => {
    const datums = holding('');
    datums.append(batch('1/1'));
    const base = { revision: rev('2/9'), stampFloor: 3, datums: new Map() };
    datums.replace(base);
    expect(datums.takeChanges()).toEqual({ base });
  });

  test('of batches that do not conflict cuts nothing', () => {
    const datums = holding('1/1 1/2');
    accept(datums, { prev: rev('1/1'), batches: empties('1/2 1/3') });
    expect(datums.takeChanges()).toEqual({ append: empties('1/3') });
  });
});

describe('batches', () => {
  test('up to prev are left as they are', () => {
    const datums = holding('1/1 1/2 1/3');
    expect(accept(datums, { prev: rev('1/2'), batches: empties('2/2') })).toEqual(rev('1/2'));
    expect(tailOf(datums)).toBe('1/1 1/2 1/3');
  });

  test('go without a gap', () => {
    expect(refusal(() => holding('1/1').append(batch('1/3'))).code).toBe('INTERNAL');
    expect(refusal(() => holding('1/1').append(batch('1/1'))).code).toBe('INTERNAL');
  });

  test('that fit exactly go into one message, and one more character is too many', () => {
    const datums = holding([batch('1/1', put('k', 'a', 1)), batch('1/2', put('k', 'b', 2))]);
    const both = datums.after(0, Number.POSITIVE_INFINITY).reduce((size, one) => size + sizeOf(one), 0);
    expect(seqs(datums.after(0, both))).toEqual([1, 2]);
    expect(seqs(datums.after(0, both - 1))).toEqual([1]);
    expect(seqs(datums.after(0, 0))).toEqual([1]);
    expect(seqs(datums.after(2, both))).toEqual([]);
  });

  test('are as long as their keys and values, with something for each op and for the batch', () => {
    const one = sizeOf(batch('1/1'));
    expect(one).toBeGreaterThan(0);
    expect(sizeOf(batch('1/1', drop('key', 1)))).toBe(2 * one + 3);
    expect(sizeOf(batch('1/1', put('key', 1234, 1), put('k', 1, 1)))).toBe(3 * one + 9);
  });
});

describe('the lists of members', () => {
  const list = (value: string, timestamp: number) => put(MEMBERS_KEY, value, timestamp);

  test('are that of the base and those that wait in the tail, not those before, nor anything else', () => {
    const tail = [
      batch('1/1', list('first', 1)),
      batch('1/2', list('second', 2)),
      batch('1/3', put('k', 'no list', 1), list('third', 3)),
    ];
    for (const maxHistorySize of [10_000, 1]) {
      const datums = holding(tail, maxHistorySize);
      datums.fold(2);
      datums.trim(Number.POSITIVE_INFINITY);
      expect(datums.memberLists).toEqual(['"second"', '"third"']);
    }
  });

  test('are those that wait alone while a new cluster has none yet', () => {
    expect(holding([batch('1/1', list('first', 1))]).memberLists).toEqual(['"first"']);
  });
});

describe('a cut', () => {
  test('leaves what stands before it as it was: values, size, the floor of timestamps', () => {
    const tail = [batch('1/1', put('a', 1, 7)), batch('1/2', drop('a', 7)), batch('1/3', put('b', 1, 8))];
    const before = holding(tail.slice(0, 2));
    before.fold(1);
    const datums = holding(tail);
    datums.fold(1);
    datums.cut(3);
    expect(['a', 'b'].map((key) => datums.newest(key))).toEqual([null, null]);
    expect([datums.tailSize, datums.stampFloor]).toEqual([before.tailSize, 7]);
  });

  test('counts nothing of the history to the tail', () => {
    const datums = holding([batch('1/1', put('a', 1, 1)), batch('1/2', put('a', 2, 2)), batch('1/3')]);
    datums.fold(2);
    datums.cut(3);
    expect([datums.tailSize, datums.newest('a')?.timestamp]).toEqual([0, 2]);
  });

  test.each([1, 2])('of what is committed, up to 2, is a bug: from %i on', (seq) => {
    const datums = holding('1/1 1/2 1/3');
    datums.fold(2);
    expect(refusal(() => datums.cut(seq)).code).toBe('INTERNAL');
    expect(tailOf(datums)).toBe('1/3');
  });

  test('behind forgotten history counts the batches that are left', () => {
    const datums = holding('1/1 1/2 1/3 1/4 1/5', 1);
    datums.fold(3);
    datums.trim(Number.POSITIVE_INFINITY);
    datums.cut(5);
    expect([tailOf(datums), datums.tailSize]).toEqual(['1/4', sizeOf(batch('1/4'))]);
  });
});

describe('folding', () => {
  test('tells what became of each key, and by which batch', () => {
    const datums = holding([batch('1/1', put('a', 1, 1)), batch('2/2', drop('a', 1), put('b', 2, 1))]);
    const set = { key: 'a', value: '1', timestamp: 1, revision: rev('1/1') };
    expect(datums.fold(2)).toEqual([
      { key: 'a', datum: set, revision: rev('1/1') },
      { key: 'a', datum: null, revision: rev('2/2') },
      {
        key: 'b',
        datum: { key: 'b', value: '2', timestamp: 1, revision: rev('2/2') },
        revision: rev('2/2'),
      },
    ]);
    expect(datums.fold(1)).toEqual([]);
  });

  test('beyond the end is a bug', () => {
    expect(refusal(() => holding('1/1').fold(2)).code).toBe('INTERNAL');
  });

  test('of all leaves an empty tail', () => {
    const datums = holding([batch('1/1', put('a', 1, 1)), batch('1/2', put('a', 2, 2))]);
    datums.fold(1);
    expect([datums.newest('a')?.timestamp, datums.get('a')?.timestamp]).toEqual([2, 1]);
    datums.fold(2);
    expect([datums.tailSize, datums.get('a')?.timestamp]).toEqual([0, 2]);
  });
});

describe('a base that is taken over', () => {
  test.each(['1/2', '1/1'])('is further than the own one: %s is not', (revision) => {
    const datums = holding('1/1 1/2');
    datums.fold(2);
    const base = { revision: rev(revision), stampFloor: 0, datums: new Map() };
    expect(refusal(() => datums.replace(base)).code).toBe('INTERNAL');
  });

  test('begins the history anew', () => {
    const datums = holding('1/1 1/2', 3 * sizeOf(batch('1/1')));
    datums.fold(2);
    datums.replace({ revision: rev('2/9'), stampFloor: 0, datums: new Map() });
    for (const added of empties('2/10 2/11 2/12')) datums.append(added);
    datums.fold(12);
    datums.trim(Number.POSITIVE_INFINITY);
    expect([datums.since, seqs(datums.after(9, 10_000))]).toEqual([rev('2/9'), [10, 11, 12]]);
  });
});

describe('history', () => {
  const SIZE = sizeOf(batch('1/1'));
  const TEN = '1/1 1/2 1/3 1/4 1/5 1/6 1/7 1/8 1/9 1/10';

  /** Ten batches, of which all up to `folded` are folded; four of them may stay. */
  function history(folded: number): Datums {
    const datums = holding(TEN, 4 * SIZE);
    datums.fold(folded);
    return datums;
  }

  test('stays whole up to its bound', () => {
    const datums = history(4);
    datums.trim(Number.POSITIVE_INFINITY);
    expect(datums.since).toEqual(rev('0/0'));
  });

  test('beyond its bound is forgotten down to half of it, the oldest first', () => {
    const datums = history(5);
    datums.trim(Number.POSITIVE_INFINITY);
    expect([datums.since, datums.at(3), datums.at(2)]).toEqual([rev('1/3'), rev('1/3'), undefined]);
    expect(seqs(datums.after(3, 10_000))).toEqual([4, 5, 6, 7, 8, 9, 10]);
  });

  test('is counted anew behind what was forgotten', () => {
    const datums = history(5);
    datums.trim(Number.POSITIVE_INFINITY);
    datums.fold(7);
    datums.trim(Number.POSITIVE_INFINITY);
    expect(datums.since).toEqual(rev('1/3'));
    datums.fold(8);
    datums.trim(Number.POSITIVE_INFINITY);
    expect(datums.since).toEqual(rev('1/6'));
  });

  test('that somebody needs is kept', () => {
    const datums = history(8);
    datums.trim(0);
    expect(datums.since).toEqual(rev('0/0'));
    datums.trim(2);
    expect(datums.since).toEqual(rev('1/2'));
  });

  test('that somebody needs is kept up to four times its bound, and no further', () => {
    const datums = holding(TEN, 2 * SIZE);
    datums.fold(8);
    datums.trim(0);
    expect(datums.since).toEqual(rev('0/0'));
    datums.fold(9);
    datums.trim(0);
    expect(datums.since).toEqual(rev('1/8'));
  });

  test('is all that is forgotten: the tail never is', () => {
    const datums = holding([batch('1/1', put('k', 'x'.repeat(50), 1)), ...empties('1/2 1/3')], 1);
    datums.fold(1);
    datums.trim(9);
    expect([datums.since, tailOf(datums)]).toEqual([rev('1/1'), '1/2 1/3']);
  });
});
