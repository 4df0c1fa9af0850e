import { describe, expect, test } from 'vitest';
import { leaseMs, MAX_MS, resolveTiming, type Timing } from '../../src/core/timing.js';
import { refusal } from './support.js';

describe('times', () => {
  test('what is not given follows from L, and L is 500 ms', () => {
    expect(resolveTiming()).toEqual({
      leaderTimeoutMs: 500,
      heartbeatMs: 100,
      randomMs: 100,
      requestTimeoutMs: 50,
      staggerMs: 50,
      clockDrift: 0.05,
    });
    expect(resolveTiming({ leaderTimeoutMs: 5_000, requestTimeoutMs: 200 })).toEqual({
      leaderTimeoutMs: 5_000,
      heartbeatMs: 1_000,
      randomMs: 1_000,
      requestTimeoutMs: 200,
      staggerMs: 200,
      clockDrift: 0.05,
    });
  });

  test('what is given stands', () => {
    const given = {
      leaderTimeoutMs: 1_000,
      heartbeatMs: 70,
      randomMs: 30,
      requestTimeoutMs: 60,
      staggerMs: 20,
      clockDrift: 0.01,
    };
    expect(resolveTiming(given)).toEqual(given);
  });

  test.each<Partial<Timing>>([
    { leaderTimeoutMs: 10 },
    { leaderTimeoutMs: MAX_MS },
    { randomMs: 0 },
    { randomMs: MAX_MS },
    { staggerMs: 0 },
    { staggerMs: MAX_MS },
    { clockDrift: 0 },
    { leaderTimeoutMs: 10_000, clockDrift: 0.499, heartbeatMs: 1_000 },
    { heartbeatMs: Number.MIN_VALUE },
    { requestTimeoutMs: Number.MIN_VALUE },
  ])('%j is within the bounds', (given) => {
    expect(resolveTiming(given)).toMatchObject(given);
  });

  test.each([
    ['leaderTimeoutMs', 9.99, 'at least 10'],
    ['leaderTimeoutMs', MAX_MS + 1, 'at most 2147483647'],
    ['leaderTimeoutMs', '500', 'a number'],
    ['leaderTimeoutMs', Number.NaN, 'a number'],
    ['heartbeatMs', 0, 'more than 0'],
    ['randomMs', -1, 'at least 0'],
    ['randomMs', MAX_MS + 1, 'at most 2147483647'],
    ['requestTimeoutMs', 0, 'more than 0'],
    ['staggerMs', -1, 'at least 0'],
    ['clockDrift', -0.01, 'at least 0'],
    ['clockDrift', 0.5, 'at most 0.499'],
  ])('%s = %j is refused by its name, for it must be %s', (name, value, rule) => {
    const { code, message } = refusal(() => resolveTiming({ [name]: value }));
    expect(code).toBe('BAD_OPTION');
    expect(message).toMatch(new RegExp(`^${name} `));
    expect(message).toContain(rule);
  });

  test('L must be at least ten round trips', () => {
    expect(resolveTiming({ leaderTimeoutMs: 1_000, requestTimeoutMs: 100 }).requestTimeoutMs).toBe(100);
    const { code, message } = refusal(() => resolveTiming({ leaderTimeoutMs: 999, requestTimeoutMs: 100 }));
    expect(code).toBe('BAD_OPTION');
    expect(message).toContain('requestTimeoutMs (100)');
  });

  test('two beats and a round trip must fit into the lease', () => {
    const fits = { leaderTimeoutMs: 1_000, clockDrift: 0, requestTimeoutMs: 100, heartbeatMs: 449.9 };
    expect(resolveTiming(fits)).toMatchObject(fits);
    const { code, message } = refusal(() => resolveTiming({ ...fits, heartbeatMs: 450 }));
    expect(code).toBe('BAD_OPTION');
    expect(message).toContain('heartbeatMs (450)');
  });

  test('the lease is shorter than L by what both clocks may be wrong', () => {
    expect(leaseMs(resolveTiming({ leaderTimeoutMs: 1_050, clockDrift: 0.05 }))).toBeCloseTo(950, 9);
    expect(leaseMs(resolveTiming({ leaderTimeoutMs: 1_000, clockDrift: 0 }))).toBe(1_000);
  });
});
