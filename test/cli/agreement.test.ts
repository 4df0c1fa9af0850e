import { describe, expect, test } from 'vitest';
import { agreementOf, type Finding } from '../../src/cli/agreement.js';

/** What a peer answered that follows `leader`. */
function answer(ip: string, leader: string | null, term = 3, rejoining = false): Finding {
  const state = leader === ip ? 'LEADER' : 'FOLLOWER';
  return { url: `http://${ip}`, view: { ip, state, term, leader, isLeader: leader === ip, rejoining } };
}

describe('Peers agree', () => {
  test('when all name the same leader of the same term', () => {
    expect(agreementOf([answer('a', 'a'), answer('b', 'a'), answer('c', 'a')])).toEqual({
      leader: { ip: 'a', term: 3 },
      problems: [],
    });
  });
});

describe('Peers do not agree', () => {
  test('when one is not reached: the others name their leader all the same', () => {
    const silent = { url: 'http://c', view: null, problem: 'connect ECONNREFUSED' };
    expect(agreementOf([answer('a', 'a'), answer('b', 'a'), silent])).toEqual({
      leader: { ip: 'a', term: 3 },
      problems: ['http://c: connect ECONNREFUSED'],
    });
  });

  test('when nobody knows a leader', () => {
    expect(agreementOf([answer('a', null), answer('b', null, 3, true)])).toEqual({
      leader: null,
      problems: ['a knows no leader', 'b knows no leader: it found its store empty, and waits for others'],
    });
  });

  test('when one alone knows none', () => {
    const { leader, problems } = agreementOf([answer('a', 'a'), answer('b', null, 2)]);
    expect([leader, problems]).toEqual([{ ip: 'a', term: 3 }, ['b knows no leader']]);
  });

  test.each([
    ['name two', answer('b', 'b')],
    ['name one of two terms', answer('b', 'a', 4)],
  ])('when they %s', (_, other) => {
    const { leader, problems } = agreementOf([answer('a', 'a'), other]);
    expect(leader).toBeNull();
    expect(problems).toEqual([
      expect.stringMatching(/^they disagree on the leader: a in term 3, . in term \d$/),
    ]);
  });
});
