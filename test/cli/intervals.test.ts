import { describe, expect, test } from 'vitest';
import { type Belief, Diary, extended, longestOverlapMs, overlapMs } from '../../src/cli/demo/intervals.js';

function belief(begin: number, end: number): Belief {
  return { ip: 'a:1', term: 1, begin, end };
}

describe('overlapMs', () => {
  const OPEN = Number.POSITIVE_INFINITY;

  test.each([
    ['apart', belief(0, 10), belief(20, 30), 0],
    ['touching', belief(0, 10), belief(10, 20), 0],
    ['overlapping', belief(0, 10), belief(7, 20), 3],
    ['overlapping by microseconds', belief(0, 10.002), belief(10, 20), expect.closeTo(0.002, 6)],
    ['nested', belief(0, 100), belief(40, 60), 20],
    ['equal', belief(5, 9), belief(5, 9), 4],
    ['open at the end', belief(0, OPEN), belief(50, 60), 10],
    ['both open', belief(0, OPEN), belief(50, OPEN), OPEN],
    ['open, but later', belief(70, OPEN), belief(50, 60), 0],
    ['of a moment within', belief(0, 10), belief(5, 5), 0],
  ])('of beliefs that are %s, either way round', (_, one, other, expected) => {
    expect(overlapMs(one, other)).toEqual(expected);
    expect(overlapMs(other, one)).toEqual(expected);
  });
});

describe('longestOverlapMs', () => {
  test('is 0 where there is nothing to compare', () => {
    expect(longestOverlapMs([])).toBe(0);
    expect(longestOverlapMs([belief(0, 10)])).toBe(0);
  });

  test('finds the longest among all pairs, not only neighbours', () => {
    expect(longestOverlapMs([belief(0, 100), belief(98, 110), belief(120, 130), belief(80, 90)])).toBe(10);
  });
});

describe('a diary', () => {
  test('begins a belief when the question was asked, and ends it when the last true answer had come', () => {
    const diary = new Diary('a:1');
    diary.note(false, 1, 0, 1);
    diary.note(true, 1, 10, 11);
    diary.note(true, 1, 20, 21);
    diary.note(false, 1, 30, 31);
    expect(diary.beliefs).toEqual([{ ip: 'a:1', term: 1, begin: 10, end: 21 }]);
  });

  test('has a belief for each term, also when no false answer came between them', () => {
    const diary = new Diary('a:1');
    diary.note(true, 1, 10, 11);
    diary.note(true, 3, 500, 501);
    expect(diary.beliefs.map(({ term, begin, end }) => [term, begin, end])).toEqual([
      [1, 10, 11],
      [3, 500, 501],
    ]);
  });

  test('counts the time between two true answers of one term as believed', () => {
    const diary = new Diary('a:1');
    diary.note(true, 1, 10, 11);
    diary.note(false, 1, 20, 21);
    diary.note(true, 1, 30, 31);
    expect(diary.beliefs).toEqual([{ ip: 'a:1', term: 1, begin: 10, end: 31 }]);
  });
});

test('a belief is extended to the moment of a kill, and never shortened', () => {
  expect(extended(belief(0, 10), 15).end).toBe(15);
  expect(extended(belief(0, 10), 5).end).toBe(10);
});
