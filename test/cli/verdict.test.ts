import { expect, test } from 'vitest';
import type { Belief } from '../../src/cli/demo/intervals.js';
import { type Findings, judge } from '../../src/cli/demo/verdict.js';

const BELIEFS: readonly Belief[] = [
  { ip: 'a:1', term: 1, begin: 100, end: 1_000 },
  { ip: 'b:1', term: 2, begin: 1_512, end: 5_000 },
  { ip: 'c:1', term: 3, begin: 5_530, end: 9_000 },
];

const GOOD: Findings = {
  kill: { at: 1_000, nextLeaderAt: 1_512 },
  stop: {
    type: 'awakening',
    stoppedAt: 5_000,
    wokeAt: 6_500,
    before: true,
    atFirstStatement: false,
    atFirstSample: false,
    nextLeaderAt: 5_530,
  },
  beliefs: BELIEFS,
};

test('what ought to happen has no faults', () => {
  expect(judge(GOOD)).toEqual({
    summary: [
      'kill -9 -> new leader             512 ms',
      'SIGSTOP -> new leader             530 ms',
      'woke up after 1500 ms: isLeader() === false at its first statement',
      'longest overlap of two leaders      0 ms',
    ],
    faults: [],
  });
});

test('two leaders at once are a fault, be it for a microsecond', () => {
  const { summary, faults } = judge({
    ...GOOD,
    beliefs: [...BELIEFS, { ip: 'a:1', term: 4, begin: 8_999.9995, end: 9_500 }],
  });
  expect(summary).toContain('longest overlap of two leaders  0.001 ms');
  expect(faults).toEqual(['two processes led at the same time, for 0.001 ms']);
});

test.each<[string, Partial<Findings['stop']>]>([
  ['did not lead when it was stopped', { before: false }],
  ['believed that it leads when it woke up', { atFirstStatement: true }],
  ['believed that it leads after it had woken up', { atFirstSample: true }],
  ['was not stopped for longer than its lease', { wokeAt: 5_499, nextLeaderAt: 5_400 }],
  ['woke up before another had taken over', { nextLeaderAt: 6_501 }],
  ['before the second was stopped', { nextLeaderAt: 4_999 }],
])('it is a fault of the stop: %s', (fault, stop) => {
  const { faults } = judge({ ...GOOD, stop: { ...GOOD.stop, ...stop } });
  expect(faults).toEqual([expect.stringContaining(fault)]);
});

test('a leader that comes before the former one was killed is a fault', () => {
  const { faults } = judge({ ...GOOD, kill: { at: 1_000, nextLeaderAt: 999 } });
  expect(faults).toEqual(['the second leader led before the first was killed']);
});

test('fewer than three leaderships are a fault', () => {
  expect(judge({ ...GOOD, beliefs: BELIEFS.slice(1) }).faults).toEqual(['there were only 2 leaderships']);
});
