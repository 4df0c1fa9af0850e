import { RaftError, type StoredState } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { Saver } from '../../src/host/saver.js';
import { forbidUnhandledRejections, outcome, settle } from '../node/virtual.js';
import { TestGroupStore } from './lab.js';

forbidUnhandledRejections();

const state = (term: number): StoredState => ({ term, voteFor: null, promisedMs: 0 });

/** What each write bore, by group. */
function written({ writes }: TestGroupStore): readonly string[] {
  return writes.map((states) => [...states].map(([group, { term }]) => `${group} ${term}`).join(', '));
}

/** A saver whose first write is under way, and hangs. */
async function writing() {
  const store = new TestGroupStore();
  const saver = new Saver(store);
  store.hangs = true;
  const first = saver.save('a', state(1));
  await settle();
  return { store, saver, first };
}

describe('saves', () => {
  test('of one turn go along in one write', async () => {
    const store = new TestGroupStore();
    const saver = new Saver(store);
    await Promise.all([saver.save('a', state(1)), saver.save('b', state(2)), saver.save('c', state(3))]);
    expect(written(store)).toEqual(['a 1, b 2, c 3']);
  });

  test('that come during a write go along in the next, and in no other', async () => {
    const { store, saver, first } = await writing();
    const later = [saver.save('b', state(2))];
    await settle();
    later.push(saver.save('c', state(3)));
    await settle();
    expect(written(store)).toEqual(['a 1']);
    store.release();
    await Promise.all([first, ...later]);
    expect(written(store)).toEqual(['a 1', 'b 2, c 3']);
    await saver.save('a', state(4));
    expect(written(store).at(-1)).toBe('a 4');
  });

  test('are done when their own write is durable, not when the former is', async () => {
    const { store, saver, first } = await writing();
    const second = saver.save('b', state(2));
    expect([await outcome(first), await outcome(second)]).toEqual(['pending', 'pending']);
    store.release();
    store.hangs = true;
    expect([await outcome(first), await outcome(second)]).toEqual(['resolved', 'pending']);
    store.release();
    expect(await outcome(second)).toBe('resolved');
  });
});

describe('a write that fails', () => {
  test.each([
    ['rejects', false],
    ['throws at once', true],
  ])('reaches all who wait for it, as STORE_FAILED with its cause, if the store %s', async (_, throws) => {
    const store = new TestGroupStore();
    const saver = new Saver(store);
    const cause = new Error('the disk is full');
    Object.assign(store, { saveFault: cause, throws });
    const saves = await Promise.allSettled([saver.save('a', state(1)), saver.save('b', state(2))]);
    for (const save of saves)
      expect(save).toMatchObject({ status: 'rejected', reason: { code: 'STORE_FAILED', cause } });
  });

  test('reaches its callers as it is, if it is a RaftError', async () => {
    const store = new TestGroupStore();
    store.saveFault = new RaftError('STORE_CORRUPT', 'what is this?');
    await expect(new Saver(store).save('a', state(1))).rejects.toBe(store.saveFault);
  });

  test('does not keep the next from being done', async () => {
    const { store, saver, first } = await writing();
    const second = saver.save('b', state(2));
    store.fail(new Error('once'));
    await expect(first).rejects.toThrow('once');
    await second;
    expect(store.states).toEqual(new Map([['b', state(2)]]));
  });
});
