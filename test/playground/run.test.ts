import { describe, expect, test } from 'vitest';
import { fromHash, NEW_RUN, type Run, toHash } from '../../examples/playground/run.js';

const RUN: Run = {
  seed: 7,
  peers: 5,
  actions: [
    { at: 700, verb: 'stop', target: 'a' },
    { at: 700, verb: 'cut', target: 'b-c' },
    { at: 901.5, verb: 'lossy', target: 'd_e' },
    { at: 1_200.1, verb: 'drop', target: '412' },
  ],
  until: 3_000,
};

describe('the link of a run', () => {
  test.each([NEW_RUN, RUN, { ...RUN, until: null }])('holds all of it', (run) => {
    expect(fromHash(toHash(run))).toEqual(run);
  });

  test('is text that needs no escapes', () => {
    const hash = '#seed=7&peers=5&actions=700:stop:a,700:cut:b-c,901.5:lossy:d_e,1200.1:drop:412&until=3000';
    expect(toHash(RUN)).toBe(hash);
    expect(new URL(`file:///page.html${hash}`).hash).toBe(hash);
  });

  test('holds three peers where it does not say how many', () => {
    expect(fromHash('#seed=3')).toEqual({ ...NEW_RUN, seed: 3 });
  });

  test.each([
    '',
    '#',
    '#peers=3',
    '#seed=',
    '#seed=-1',
    '#seed=1.5',
    '#seed=x',
    '#seed=1&peers=4',
    '#seed=1&until=soon',
    '#seed=1&until=-1',
    '#seed=1&actions=5',
    '#seed=1&actions=5:kill',
    '#seed=1&actions=5:kill:d',
    '#seed=1&actions=5:kill:a-b',
    '#seed=1&actions=5:cut:a-z',
    '#seed=1&actions=5:cut:a-b-c',
    '#seed=1&actions=5:drop:a',
    '#seed=1&actions=5:eat:a',
    '#seed=1&actions=5.25:kill:a',
    '#seed=1&actions=9:kill:a,5:start:a',
  ])('%s holds none', (hash) => {
    expect(fromHash(hash)).toBeNull();
  });
});
