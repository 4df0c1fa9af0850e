import { RaftError } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { Leadership, Waiters } from '../../src/node/leadership.js';

describe('a leadership', () => {
  test('is aborted at its end, with its term as the reason, once', () => {
    const leadership = new Leadership(7);
    expect([leadership.fencingToken, leadership.signal.aborted]).toEqual([7, false]);
    leadership.end();
    const { reason } = leadership.signal;
    expect(reason).toMatchObject({ code: 'NOT_LEADER', term: 7 });
    leadership.end();
    expect(leadership.signal.reason).toBe(reason);
  });
});

/** A signal that counts who listens to it. */
function counted() {
  const aborter = new AbortController();
  const { signal } = aborter;
  const listening = new Set<unknown>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (type: string, listener: never, options?: never) => {
    listening.add(listener);
    add(type, listener, options);
  };
  signal.removeEventListener = (type: string, listener: never, options?: never) => {
    if (type === 'abort') listening.delete(listener);
    remove(type, listener, options);
  };
  return { aborter, signal, listening };
}

describe('those who wait', () => {
  test('get the next value, once', async () => {
    const waiters = new Waiters<number>();
    const both = [waiters.next(), waiters.next()];
    waiters.resolveAll(1);
    waiters.resolveAll(2);
    expect(await Promise.all(both)).toEqual([1, 1]);
  });

  test('get the error, if that comes first', async () => {
    const waiters = new Waiters<number>();
    const waiting = waiters.next();
    const error = new RaftError('NOT_RUNNING', 'stopped');
    waiters.rejectAll(error);
    waiters.resolveAll(1);
    await expect(waiting).rejects.toBe(error);
  });

  test('wait no longer when their signal is aborted; its reason is the cause', async () => {
    const waiters = new Waiters<number>();
    const { aborter, signal, listening } = counted();
    const waiting = waiters.next(signal);
    expect(listening.size).toBe(1);
    aborter.abort('enough');
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', cause: 'enough' });
    expect(listening.size).toBe(0);
  });

  test('do not begin to wait when it is aborted already', async () => {
    const waiting = new Waiters<number>().next(AbortSignal.abort('enough'));
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', cause: 'enough' });
  });

  test.each(['value', 'error'])('leave nothing behind on their signal when a %s came', async (what) => {
    const waiters = new Waiters<number>();
    const { signal, listening } = counted();
    const waiting = waiters.next(signal);
    waiting.catch(() => {});
    if (what === 'value') waiters.resolveAll(1);
    else waiters.rejectAll(new RaftError('NOT_RUNNING', 'stopped'));
    await Promise.allSettled([waiting]);
    expect(listening.size).toBe(0);
  });
});
