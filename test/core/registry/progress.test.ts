import { describe, expect, test } from 'vitest';
import { Replication } from '../../../src/core/replication.js';
import { batch, holding, LIMITS, rev, seqs, show } from './support.js';

describe('what a leader knows of followers', () => {
  const answer = (match: string, fields = {}) => ({
    ok: true,
    match: rev(match),
    base: rev(match),
    last: rev(match),
    ...fields,
  });

  /** A leader with the batches 1/1 to 1/5, of which three are folded. */
  function leader(maxHistorySize = 10_000) {
    const datums = holding('1/1 1/2 1/3 1/4 1/5', maxHistorySize);
    datums.fold(3);
    datums.trim(Number.POSITIVE_INFINITY);
    return { datums, replication: new Replication(datums, LIMITS.maxMessageSize, 100) };
  }

  /** To whom, what from, and which batches. */
  const sent = (
    { replication }: ReturnType<typeof leader>,
    followers: string[],
    isBeat: boolean,
    now: number,
  ) =>
    replication
      .messages(followers, isBeat, now)
      .map(({ to, data }) => `${to} ${show(data.prev)}: ${seqs(data.batches)}`);

  test('is nothing of one that it never heard of', () => {
    const { replication } = leader();
    expect([replication.match('b'), replication.isLearner('b')]).toEqual([0, false]);
    expect(replication.majorityMatch(['a', 'b', 'c'], 'a', 5)).toBe(0);
  });

  test('is forgotten when a leadership begins', () => {
    const { replication } = leader();
    replication.answered('b', answer('1/5'), true);
    replication.begin();
    expect([replication.match('b'), replication.isLearner('b')]).toEqual([0, false]);
  });

  test('counts what is committed, though history may have forgotten it', () => {
    const { datums, replication } = leader(1);
    expect(datums.at(2)).toBeUndefined();
    replication.answered('b', answer('1/2'), false);
    replication.answered('c', answer('0/3'), false);
    expect(['b', 'c'].map((ip) => replication.match(ip))).toEqual([2, 3]);
  });

  test('is void when another process answers in its place: a learner, or a voter that was one', () => {
    const { replication } = leader();
    replication.answered('b', answer('1/5'), false);
    replication.answered('b', answer('1/1'), true);
    expect([replication.match('b'), replication.isLearner('b')]).toEqual([1, true]);
    replication.answered('b', answer('1/2'), true);
    replication.answered('b', answer('0/0'), false);
    expect([replication.match('b'), replication.isLearner('b')]).toEqual([0, false]);
  });

  test('batches under way are not sent again before a round trip is over, unless they failed or were refused', () => {
    const host = leader();
    expect(sent(host, ['b'], false, 0)).toEqual(['b 1/4: 5']);
    expect(sent(host, ['b'], false, 99)).toEqual([]);
    expect(sent(host, ['b'], true, 99)).toEqual(['b 0/0: ']);
    expect(sent(host, ['b'], false, 100)).toEqual(['b 1/4: 5']);
    host.replication.failed('b');
    expect(sent(host, ['b'], false, 101)).toEqual(['b 1/4: 5']);
    host.replication.answered('b', answer('0/0', { ok: false, last: rev('1/3') }), false);
    expect(sent(host, ['b'], false, 102)).toEqual(['b 1/3: 4,5']);
  });

  test('an answer that tells of nothing new says nothing of batches under way', () => {
    const host = leader();
    host.replication.answered('b', answer('1/4'), false);
    expect(sent(host, ['b'], false, 0)).toEqual(['b 1/4: 5']);
    host.replication.answered('b', answer('1/4'), false);
    host.replication.answered('b', answer('1/3'), false);
    expect(sent(host, ['b'], false, 1)).toEqual([]);
    host.datums.append(batch('1/6'));
    host.replication.answered('b', answer('1/5'), false);
    expect(sent(host, ['b'], false, 2)).toEqual(['b 1/5: 6']);
  });

  test('those that lack the same get the same message; one that history does not reach gets none but beats', () => {
    const host = leader(1);
    host.replication.answered('b', answer('1/4'), false);
    host.replication.answered('c', answer('1/4'), false);
    host.replication.answered('d', answer('0/0', { ok: false }), false);
    expect(sent(host, ['b', 'c', 'd'], false, 0)).toEqual(['b,c 1/4: 5']);
    const [, behind] = host.replication.messages(['b', 'd'], true, 0);
    expect([behind?.to, behind?.data.catchUp]).toEqual([['d'], rev('1/3')]);
  });
});
