import { expect, test } from 'vitest';
import type { Op } from '../../src/core/datum.js';
import { Datums } from '../../src/core/datums.js';

/** Each fold of a batch of its own. */
function apply(datums: Datums, ...ops: readonly Op[]): void {
  for (const op of ops) {
    const seq = datums.last.seq + 1;
    datums.append({ revision: { term: 1, seq }, ops: [op] });
    datums.fold(seq);
  }
}

const put = (key: string, timestamp: number): Op => ({ key, value: `${timestamp}`, timestamp });
const remove = (key: string, timestamp: number): Op => ({ key, value: null, timestamp });

function abc(): Datums {
  const datums = new Datums(
    { base: { revision: { term: 0, seq: 0 }, stampFloor: 0, datums: new Map() }, tail: [] },
    0,
  );
  apply(datums, put('a', 1), put('b', 1), put('c', 1));
  return datums;
}

const CHANGES: readonly (readonly [string, readonly Op[]])[] = [
  ['was changed', [put('b', 2)]],
  ['was changed twice', [put('b', 2), put('b', 3)]],
  ['was removed', [remove('b', 1)]],
  ['was removed and set again', [remove('b', 1), put('b', 2)]],
  ['was removed and set again, as was another', [remove('b', 1), remove('c', 1), put('b', 2), put('c', 2)]],
  ['is new, and another was removed and set again behind it', [remove('c', 1), put('d', 1), put('c', 2)]],
  ['is new', [put('d', 1)]],
  ['is new, and was removed', [put('d', 1), remove('d', 1)]],
];

test.each(CHANGES)(
  'a snapshot stays as it is when a key %s, before and between the pages of its list',
  (_, ops) => {
    for (const listedBefore of [0, 1, 2, 3]) {
      const datums = abc();
      const snapshot = datums.pin();
      const first = snapshot.list(0, listedBefore);
      apply(datums, ...ops);
      expect(snapshot.revision.seq).toBe(3);
      expect(snapshot.total).toBe(3);
      expect(snapshot.get('b')).toMatchObject({ value: '1', revision: { term: 1, seq: 2 } });
      expect(snapshot.get('d')).toBeNull();
      const all = [...first, ...snapshot.list(listedBefore, 10)];
      expect(all.map(({ key }) => key).sort()).toEqual(['a', 'b', 'c']);
      expect(all.every(({ timestamp }) => timestamp === 1)).toBe(true);
      expect(snapshot.list(0, 10)).toEqual(all);
    }
  },
);

test('what is read of the base itself is not held back by a snapshot', () => {
  const datums = abc();
  datums.pin();
  apply(datums, put('b', 2), remove('c', 1));
  expect([datums.get('b')?.timestamp, datums.get('c')]).toEqual([2, null]);
});

test('a snapshot that is let go of keeps nothing of what changes later', () => {
  const datums = abc();
  const snapshot = datums.pin();
  datums.unpin();
  apply(datums, put('b', 2));
  expect(snapshot.get('b')?.timestamp).toBe(2);
});
