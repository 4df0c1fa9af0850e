import { checkLinearizable, type RegistryOperation } from 'raftbeat/testing';
import { describe, expect, test } from 'vitest';
import { SimRandom } from '../../src/testing/sim/random.js';
import { hasOrder } from './brute-force.js';
import { corrupted, randomHistory } from './histories.js';

type Times = readonly [call: number, end: number | null];

const common = ([call, end]: Times) => ({ client: 'c', key: 'k', call, return: end });

function publish(
  times: Times,
  value: string,
  output?: number | 'CONFLICT' | 'FAILED',
  ifTimestamp?: number,
): RegistryOperation {
  return { ...common(times), type: 'publish', value, output, ifTimestamp };
}

function remove(times: Times, output?: boolean | 'CONFLICT', ifTimestamp?: number): RegistryOperation {
  return { ...common(times), type: 'remove', output, ifTimestamp };
}

function read(times: Times, value?: string, timestamp = 0): RegistryOperation {
  return { ...common(times), type: 'read', output: value === undefined ? null : { value, timestamp } };
}

const first = publish([0, 1], 'a', 1);
const second = publish([2, 3], 'b', 2);

/** A key that is present, at a timestamp that nobody was told. */
const unseen = [publish([0, null], 'a'), publish([1, 2], 'x', 'CONFLICT', 0)];

/** Each breaks a rule by its last operation alone. */
const BROKEN: Record<string, readonly RegistryOperation[]> = {
  'a stale read': [first, second, read([4, 5], 'a', 1)],
  'a lost write': [first, read([2, 3])],
  'a lost write, whose timestamp was given again': [first, publish([2, 3], 'b', 1)],
  'a value from nowhere': [first, read([2, 3], 'x', 1)],
  'a timestamp from nowhere': [first, read([2, 3], 'a', 2)],
  'a read that goes back': [first, publish([2, 9], 'b', 2), read([3, 4], 'b', 2), read([5, 6], 'a', 1)],
  'a failed write that shows': [publish([0, 1], 'a', 'FAILED'), read([2, 3], 'a', 1)],
  'an unknown write that takes effect twice': [
    publish([0, null], 'a'),
    read([1, 2], 'a', 1),
    publish([3, 4], 'b', 2),
    read([5, 6], 'a', 3),
  ],
  'an unknown removal that takes effect twice': [
    first,
    remove([0, null]),
    read([2, 3]),
    publish([4, 5], 'b', 2),
    read([6, 7]),
  ],
  'a write that takes effect before its call': [publish([2, 3], 'a', 1), read([0, 1], 'a', 1)],
  'an unknown write that takes effect before its call': [publish([2, null], 'a'), read([0, 1], 'a', 1)],
  'a CONFLICT that was none': [first, publish([2, 3], 'b', 'CONFLICT', 1)],
  'a CONFLICT that was none, since the key was absent': [publish([2, 3], 'b', 'CONFLICT', 0)],
  'a CONFLICT without a condition': [first, remove([2, 3], 'CONFLICT')],
  'a condition that did not hold': [first, publish([2, 3], 'b', 2, 7)],
  'a timestamp that comes back': [first, remove([2, 3], true), publish([4, 5], 'a', 1)],
  'a timestamp that leaves one out': [first, publish([2, 3], 'b', 3)],
  'remove answered true on an absent key': [first, remove([2, 3], true), remove([4, 5], true)],
  'remove answered false on a present key': [first, remove([2, 3], false)],
  'the very timestamp that a CONFLICT ruled out': [
    ...unseen,
    remove([3, 4], 'CONFLICT', 5),
    publish([5, 6], 'b', 6),
  ],
  'the least timestamp, which a CONFLICT ruled out': [
    ...unseen,
    remove([3, 4], 'CONFLICT', 1),
    publish([5, 6], 'b', 2),
  ],
  'one above a timestamp that a CONFLICT ruled out': [
    ...unseen,
    remove([3, 4], 'CONFLICT', 5),
    publish([5, null], 'y'),
    publish([5, null], 'y', undefined, 99),
    read([7, 8], 'y', 6),
  ],
};

describe('what no order explains is rejected', () => {
  test.each(Object.entries(BROKEN))('%s', (_, history) => {
    const verdict = checkLinearizable(history);
    expect(verdict).toMatchObject({ ok: false, key: 'k' });
    expect(hasOrder(history)).toBe(false);
  });

  test.each(Object.entries(BROKEN))('%s, and nothing but its last answer', (_, history) => {
    expect(checkLinearizable(history.slice(0, -1))).toEqual({ ok: true });
  });
});

/** Each looks wrong, and is not. */
const SOUND: Record<string, readonly RegistryOperation[]> = {
  'concurrent reads may see a write or not': [publish([0, 9], 'a', 1), read([1, 2]), read([3, 4], 'a', 1)],
  'an unknown write may take effect late': [publish([0, null], 'a'), read([5, 6]), read([7, 8], 'a', 1)],
  'an unknown write may never take effect': [publish([0, null], 'a'), read([5, 6]), publish([7, 8], 'b', 1)],
  'an unknown write may be overwritten unseen': [first, publish([2, null], 'x'), publish([3, 4], 'b', 3)],
  'a new key starts anywhere above its former timestamps': [
    first,
    remove([2, 3], true),
    publish([4, 5], 'a', 40),
  ],
  'so does one of unknown outcome': [
    publish([0, null], 'a'),
    publish([1, 2], 'b', 41),
    read([3, 4], 'b', 41),
  ],
  'a key removed by an unknown removal': [first, remove([2, null]), read([3, 4]), publish([5, 6], 'b', 9)],
  'a condition that an unknown write fulfils': [first, publish([2, null], 'x'), publish([3, 4], 'b', 3, 2)],
  'a condition of an unknown write that never holds': [
    first,
    publish([2, null], 'x', undefined, 7),
    read([3, 4], 'a', 1),
  ],
  'a conditional removal of an absent key may say so': [
    remove([0, 1], false, 5),
    remove([2, 3], 'CONFLICT', 5),
  ],
  'a return at the time of a call is concurrent': [publish([1, 2], 'a', 1), read([0, 1], 'a', 1)],
  'the value null and no value are two things': [
    publish([0, 1], 'null', 1),
    remove([2, 9], true),
    read([3, 4], 'null', 1),
    read([5, 6]),
  ],
};

describe('what some order explains is accepted', () => {
  test.each(Object.entries(SOUND))('%s', (_, history) => {
    expect(checkLinearizable(history)).toEqual({ ok: true });
    expect(hasOrder(history)).toBe(true);
  });

  test.each([
    [0, 20],
    [0.1, 20],
    [0.3, 20],
    [0.3, 1],
  ])('random histories of 2,000 operations, with %f of unknown outcome, on %i keys', (unknown, keys) => {
    for (let seed = 1; seed <= 10; seed++) {
      const history = randomHistory({ seed, count: 2_000, keys, clients: 10, unknown });
      expect(checkLinearizable(history)).toEqual({ ok: true });
    }
  });

  test('even when few values are published again and again', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const history = randomHistory({ seed, count: 300, keys: 1, clients: 10, unknown: 0.3, values: 3 });
      expect(checkLinearizable(history)).toEqual({ ok: true });
    }
  });
});

describe('random histories', () => {
  test('get the verdict of trying everything', () => {
    const verdicts = { true: 0, false: 0 };
    for (let seed = 1; seed <= 4_000; seed++) {
      const history = smallHistory(seed);
      const expected = hasOrder(history);
      verdicts[`${expected}`]++;
      expect(checkLinearizable(history).ok, `seed ${seed}`).toBe(expected);
    }
    expect(Math.min(verdicts.true, verdicts.false)).toBeGreaterThan(1_000);
  });

  test('with one false answer are nearly all rejected', () => {
    let rejected = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const history = randomHistory({ seed, count: 200, keys: 4, clients: 5, unknown: 0.02 });
      if (checkLinearizable(corrupted(history, new SimRandom(seed, 'lie'))).ok === false) rejected++;
    }
    expect(rejected).toBeGreaterThan(85);
  });
});

/** Up to seven operations on one key, with up to two false answers. */
function smallHistory(seed: number): RegistryOperation[] {
  const random = new SimRandom(seed, 'small');
  const [count, clients, values] = [3 + random.below(5), 1 + random.below(4), 1 + random.below(4)];
  let history = randomHistory({ seed, count, keys: 1, clients, unknown: 0.4, values });
  for (let lies = random.below(3); lies > 0; lies--) history = corrupted(history, random);
  return history;
}

describe('the verdict', () => {
  test('names the key, the answer that nothing explains, and an order of those before it', () => {
    const other = { ...read([0, 1]), key: 'other' };
    const history = [other, second, first, read([4, 5], 'a', 1), read([6, 7], 'z', 9)];
    expect(checkLinearizable(history)).toEqual({
      ok: false,
      key: 'k',
      longest: [first, second],
      explanation:
        'no order explains answer 3 of 4, read of client c in [4, 5] -> {"value":"a","timestamp":1}; the 2 before it can leave "b" at 2',
    });
  });

  test('is the same each time', () => {
    const history = corrupted(
      randomHistory({ seed: 4, count: 400, keys: 2, clients: 8, unknown: 0.2 }),
      new SimRandom(4, 'lie'),
    );
    expect(checkLinearizable(history)).toMatchObject({ ok: false });
    expect(checkLinearizable(history)).toEqual(checkLinearizable(history));
  });

  test('is unknown, by key, when the budget is not enough', () => {
    const history = randomHistory({ seed: 1, count: 100, keys: 2, clients: 4, unknown: 0 });
    expect(checkLinearizable(history, { budget: 3 })).toEqual({
      ok: 'unknown',
      keys: expect.arrayContaining(['k0', 'k1']),
    });
  });

  test('is false when one key is, though the budget was not enough for another', () => {
    const long = randomHistory({ seed: 1, count: 100, keys: 1, clients: 4, unknown: 0 });
    expect(checkLinearizable([...long, read([0, 1], 'x', 1)], { budget: 10 })).toMatchObject({
      ok: false,
      key: 'k',
    });
  });

  test('on nothing is true', () => {
    expect(checkLinearizable([])).toEqual({ ok: true });
  });
});
