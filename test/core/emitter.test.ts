import type { RaftError } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { Emitter } from '../../src/core/emitter.js';

interface Events {
  told: (...args: unknown[]) => void;
  error: (error: RaftError) => void;
}

/** An emitter, and the errors that it reported. */
function emitter(): { readonly it: Emitter<Events>; readonly errors: RaftError[] } {
  const it = new Emitter<Events>();
  const errors: RaftError[] = [];
  it.on('error', (error) => errors.push(error));
  return { it, errors };
}

describe('an emitter', () => {
  test('tells whether anybody listened', () => {
    const { it } = emitter();
    expect(it.emit('told')).toBe(false);
    it.on('told', () => {});
    expect(it.emit('told')).toBe(true);
  });

  test('gives a listener all that is told, as that of the emitter', () => {
    const { it } = emitter();
    const heard: unknown[] = [];
    it.on('told', function (this: unknown, ...args: unknown[]) {
      heard.push(this, ...args);
    });
    it.emit('told', 1, 'two');
    expect(heard).toEqual([it, 1, 'two']);
  });

  test('calls a listener of `once` once, and others again', () => {
    const { it } = emitter();
    const heard: string[] = [];
    it.once('told', () => heard.push('once'));
    it.on('told', () => heard.push('on'));
    it.emit('told');
    it.emit('told');
    expect(heard).toEqual(['once', 'on', 'on']);
    expect(it.listenerCount('told')).toBe(1);
  });

  test.each([null, undefined, 1, 'text', {}, Object.fromEntries([['then', 'no function']])])(
    'a listener that answers %j has not failed',
    (answer) => {
      const { it, errors } = emitter();
      it.on('told', (() => answer) as () => void);
      it.emit('told');
      expect(errors).toEqual([]);
    },
  );

  test('a listener that throws, or rejects, is reported with its event and its cause', async () => {
    const { it, errors } = emitter();
    const cause = new Error('oh');
    it.on('told', () => {
      throw cause;
    });
    it.on('told', (() => Promise.reject(cause)) as unknown as () => void);
    it.emit('told');
    await Promise.resolve();
    expect(errors).toMatchObject([
      { code: 'LISTENER_FAILED', cause },
      { code: 'LISTENER_FAILED', cause },
    ]);
    expect(errors[0]?.message).toContain('told');
  });

  test('a listener of errors that fails has nobody left to tell', async () => {
    const { it, errors } = emitter();
    it.on('error', () => {
      throw new Error('again');
    });
    it.on('error', (() => Promise.reject(new Error('later'))) as unknown as () => void);
    it.on('told', () => {
      throw new Error('oh');
    });
    it.emit('told');
    await Promise.resolve();
    expect(errors).toHaveLength(1);
  });
});
