import { readFile } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { HostTime, systemClock } from '../../src/node/clock.js';

/** A clock that shows what a test says, and what was gained on it so far. */
function host() {
  const shown = { now: 1_000, wall: 50_000 };
  const clock = { ...systemClock, now: () => shown.now, wallNow: () => shown.wall };
  const time = new HostTime(clock);
  const gained: number[] = [];
  const look = (now: number, wall: number): number => {
    Object.assign(shown, { now, wall });
    return time.now((ms) => gained.push(ms));
  };
  return { look, gained };
}

describe('the time of a host', () => {
  test('is the monotonic one; a wall clock that goes along gains nothing', () => {
    const { look, gained } = host();
    expect([look(1_000, 50_000), look(1_500, 50_500)]).toEqual([1_000, 1_500]);
    expect(gained).toEqual([]);
  });

  test('tells what the wall clock gains, once, if it is more than its grain of 2 ms', () => {
    const { look, gained } = host();
    look(1_000, 50_002);
    expect(gained).toEqual([]);
    look(1_000, 50_003);
    expect(gained).toEqual([3]);
    look(1_100, 50_103);
    expect(gained).toEqual([3]);
  });

  test('adds up gains below the grain until they are above it', () => {
    const { look, gained } = host();
    for (const ms of [1, 2, 3, 4]) look(1_000, 50_000 + ms);
    expect(gained).toEqual([3]);
    for (const ms of [5, 6]) look(1_000, 50_000 + ms);
    expect(gained).toEqual([3, 3]);
  });

  test('counts from where the wall clock was set back to', () => {
    const { look, gained } = host();
    look(1_000, 40_000);
    look(1_000, 40_010);
    expect(gained).toEqual([10]);
  });
});

describe('the clock of the system', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  test('goes on, beside a wall clock', async () => {
    const before = systemClock.now();
    expect(Math.abs(systemClock.wallNow() - Date.now())).toBeLessThan(60_000);
    await new Promise<void>((resolve) => systemClock.afterMail(resolve));
    expect(systemClock.now()).toBeGreaterThan(before);
  });

  test('lets the mail that waits come before a timer that was set earlier', async () => {
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      readFile(import.meta.filename, () => {
        systemClock.setTimer(() => {
          order.push('timer');
          resolve();
        }, 0);
        systemClock.afterMail(() => order.push('after the mail'));
      });
    });
    expect(order).toEqual(['after the mail', 'timer']);
  });

  test('calls back after the mail where there is no setImmediate, too', async () => {
    vi.stubGlobal('setImmediate', undefined);
    vi.resetModules();
    const { systemClock: browserClock } = await import('../../src/node/clock.js');
    const calls: string[] = [];
    await new Promise<void>((resolve) => {
      browserClock.afterMail(() => calls.push('after the mail'));
      browserClock.setTimer(resolve, 20);
    });
    expect(calls).toEqual(['after the mail']);
  });

  test('rings once, unless that was taken back', async () => {
    const rung: string[] = [];
    const takeBack = systemClock.setTimer(() => rung.push('never'), 1);
    takeBack();
    await new Promise<void>((resolve) => {
      systemClock.setTimer(() => rung.push('first'), 2);
      systemClock.setTimer(resolve, 20);
    });
    expect(rung).toEqual(['first']);
  });
});
