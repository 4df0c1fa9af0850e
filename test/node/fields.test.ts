import { expect, test } from 'vitest';
import { Fields } from '../../src/node/fields.js';

test('an item that cannot be read is passed over where that is allowed, a bug of its reader is not', () => {
  const fields = new Fields({ items: [{ term: 1 }, { term: 'x' }, null] }, 'reply', 'BAD_REPLY');
  expect(fields.maybe('items', 3, (item) => item.integer('term'))).toEqual([1, null, null]);
  const bug = new TypeError('a bug');
  const read = () => {
    throw bug;
  };
  expect(() => fields.maybe('items', 3, read)).toThrow(bug);
});
