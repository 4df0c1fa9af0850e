import { describe, expect, test } from 'vitest';
import { refusal } from '../cases/support.js';
import { A, B, C, L, peer } from '../cluster.js';
import { Bench, batch, contents, disk, put, rev, said } from './support.js';

/** A follower whose base is at 1/2 and whose tail is 1/3 1/4. */
function follower(): Bench {
  const bench = new Bench({ stored: disk(1, '1/1 1/2 1/3 1/4') });
  bench.beat(1, '1/4', '', { committed: '1/2' });
  expect([bench.base, bench.tail]).toEqual(['1/2', '1/3 1/4']);
  return bench;
}

describe('acceptance 1: the term', () => {
  test('batches of a lower term are refused and change nothing', () => {
    const bench = new Bench({ stored: disk(3, '1/1') });
    expect(refusal(() => bench.beat(2, '1/1', '2/2')).code).toBe('OUT_OF_DATE');
    expect(bench.last).toBe('1/1');
  });

  test('batches of a higher term are taken by one that led, who then leads no longer', () => {
    const bench = new Bench({ stored: disk(1, '1/1') });
    bench.lead();
    expect(said(bench.beat(9, '1/1', '9/2', { committed: '9/2' }))).toBe('ok 9/2, base 9/2, last 9/2');
    expect([bench.host.self.state, bench.host.self.term]).toEqual(['FOLLOWER', 9]);
  });

  test('the adopted term is durable before the answer leaves', () => {
    const bench = new Bench({ stored: disk(1) });
    bench.beat(5, '0/0', '5/1');
    expect([bench.host.disk?.term, bench.kept]).toEqual([5, '5/1']);
  });
});

describe('acceptance 2: what goes on from before the base', () => {
  test('goes on from the base: batches up to it are dropped, those behind it taken', () => {
    const bench = follower();
    expect(said(bench.beat(1, '0/0', '1/1 1/2 1/3 1/4 1/5'))).toBe('ok 1/5, base 1/2, last 1/5');
  });

  test('tells that the base is held when all of it is older', () => {
    expect(said(follower().beat(1, '0/0', '1/1'))).toBe('ok 1/2, base 1/2, last 1/4');
  });

  test('may name a prev of which nothing is known any more', () => {
    const bench = new Bench({ stored: disk(1, '1/1 1/2') });
    bench.beat(1, '1/2', '', { committed: '1/2' });
    expect(said(bench.beat(2, '0/0'))).toBe('ok 1/2, base 1/2, last 1/2');
  });

  test('is a bug if the dropped batch at the base is another than the base', () => {
    expect(refusal(() => follower().beat(3, '0/0', '1/1 2/2 2/3')).code).toBe('INTERNAL');
  });
});

describe('acceptance 3: prev', () => {
  test.each([
    { what: 'behind the end of the tail', prev: '1/5', batches: '1/6' },
    { what: 'of another term at that seq', prev: '2/4', batches: '2/5' },
    { what: 'of a lower term at that seq', prev: '0/4', batches: '2/5' },
    { what: 'of another term at the seq of the base', prev: '2/2', batches: '2/3' },
  ])('that is $what is refused; nothing changes', ({ prev, batches }) => {
    const bench = follower();
    expect(said(bench.beat(2, prev, batches, { committed: '2/5' }))).toBe('no, base 1/2, last 1/4');
    expect([bench.base, bench.tail, bench.kept]).toEqual(['1/2', '1/3 1/4', '1/3 1/4']);
  });

  test('that is exactly the base is found', () => {
    expect(said(follower().beat(1, '1/2'))).toBe('ok 1/2, base 1/2, last 1/4');
  });
});

describe('acceptance 4: the batches', () => {
  test('that are there already are kept, and what stands behind them too', () => {
    const bench = follower();
    expect(said(bench.beat(1, '1/2', '1/3'))).toBe('ok 1/3, base 1/2, last 1/4');
    expect([bench.tail, bench.kept]).toEqual(['1/3 1/4', '1/3 1/4']);
  });

  test('that differ cut the tail from there on, and take its place', () => {
    const bench = new Bench({ stored: disk(1, '1/1 1/2 1/3 1/4') });
    expect(said(bench.beat(2, '1/1', '1/2 2/3'))).toBe('ok 2/3, base 0/0, last 2/3');
    expect([bench.tail, bench.kept]).toEqual(['1/1 1/2 2/3', '1/1 1/2 2/3']);
  });

  test('differ by their term alone, not by what they hold', () => {
    const bench = new Bench({ stored: disk(1, [batch('1/1', put('k', 'old', 1))]) });
    bench.beat(2, '0/0', [batch('2/1', put('k', 'new', 1))], { committed: '2/1' });
    expect(contents(bench.host)).toEqual({ k: 'new@1' });
  });

  test('behind the end are appended', () => {
    expect(follower().beat(1, '1/4', '1/5 1/6').last).toEqual(rev('1/6'));
  });

  test('of an older message that comes late cut nothing', () => {
    const bench = follower();
    bench.beat(2, '1/4', '2/5 2/6 2/7');
    expect(said(bench.beat(2, '1/4', '2/5'))).toBe('ok 2/5, base 1/2, last 2/7');
  });

  test('never cut what is committed', () => {
    expect(refusal(() => follower().beat(2, '1/1', '2/2')).code).toBe('INTERNAL');
  });

  test('that were cut do not count for what new keys start at', () => {
    const bench = new Bench({ stored: disk(1, [batch('1/1', { key: 'k', value: null, timestamp: 40 })]) });
    expect(bench.datums.stampFloor).toBe(40);
    bench.beat(2, '0/0', '2/1');
    expect([bench.datums.stampFloor, bench.datums.newest('k')]).toEqual([0, null]);
  });
});

describe('acceptance 5: match', () => {
  test('is the last batch of the message, not the end of the tail', () => {
    expect(said(follower().beat(1, '1/2', '1/3'))).toContain('ok 1/3');
  });

  test('is prev when there are no batches', () => {
    expect(said(follower().beat(1, '1/3'))).toContain('ok 1/3');
  });
});

describe('acceptance 6: the save, then folding, then the answer', () => {
  test('one save holds term, cut and what is appended', () => {
    const bench = new Bench({ stored: disk(1, '1/1 1/2') });
    bench.beat(2, '1/1', '');
    bench.host.diskStalls = true;
    bench.beat(2, '1/1', '2/2 2/3');
    const saves = bench.host.stalled.filter((output) => output.type === 'save');
    expect(saves).toHaveLength(1);
    expect(saves[0]).toMatchObject({ data: { cutFrom: 2, append: [{ revision: rev('2/2') }, {}] } });
  });

  test('no answer leaves before what it tells of is durable', () => {
    const bench = new Bench({ stored: disk(1) });
    bench.cluster.loses = () => false;
    const answers: unknown[] = [];
    bench.cluster.start(B, disk(1), { registry: undefined });
    const data = {
      prev: rev('0/0'),
      batches: [batch('1/1')],
      committed: rev('0/0'),
      membersRevision: rev('0/0'),
    };
    const beat = {
      type: 'beat' as const,
      peer: peer(B, { state: 'LEADER', term: 1, voteFor: B }),
      datums: [],
      data,
    };
    bench.host.diskStalls = true;
    bench.cluster.ask(B, A, beat, (answer) => answers.push(answer));
    bench.cluster.run(50);
    expect([bench.tail, bench.kept, answers]).toEqual(['1/1', '', []]);
    bench.host.diskStalls = false;
    bench.cluster.carryOut(A);
    bench.cluster.run(50);
    expect([bench.kept, answers]).toEqual(['1/1', [expect.any(Function)]]);
  });

  test('listeners and the store are told only behind the save', () => {
    const bench = new Bench({ stored: disk(1) });
    bench.host.diskStalls = true;
    bench.beat(1, '0/0', [batch('1/1', put('k', 1, 1))], { committed: '1/1' });
    expect(bench.host.stalled.map(({ type }) => type)).toEqual(['save', 'save', 'fold', 'changes']);
    expect(bench.host.changes).toEqual([]);
  });

  test('listeners are told nothing of a batch that changes nothing, the store nothing when nothing more is committed', () => {
    const bench = new Bench({ stored: disk(1) });
    bench.host.diskStalls = true;
    for (let number = 0; number < 2; number++) bench.beat(1, '0/0', '1/1', { committed: '1/1' });
    expect(bench.host.stalled.map(({ type }) => type)).toEqual(['save', 'save', 'fold']);
  });

  test('nothing beyond match is folded, however far the leader is', () => {
    const bench = follower();
    bench.beat(1, '1/2', '1/3', { committed: '1/9' });
    expect(bench.base).toBe('1/3');
  });

  test('nothing beyond what the leader committed is folded', () => {
    const bench = follower();
    bench.beat(1, '1/4', '1/5 1/6', { committed: '1/5' });
    expect([bench.base, bench.tail]).toEqual(['1/5', '1/6']);
  });

  test('a refused message folds nothing', () => {
    const bench = follower();
    bench.beat(2, '2/4', '', { committed: '2/4' });
    expect(bench.base).toBe('1/2');
  });

  test('a late message with an older commit does not take the base back', () => {
    const bench = follower();
    bench.beat(1, '1/4', '', { committed: '1/4' });
    expect(said(bench.beat(1, '1/4', '', { committed: '1/2' }))).toBe('ok 1/4, base 1/4, last 1/4');
  });

  test('what is folded goes by its place, not by the order of revisions', () => {
    const bench = new Bench({ stored: disk(5, '1/1 1/2') });
    expect(bench.beat(5, '1/2', '', { committed: '5/1' }).base).toEqual(rev('1/1'));
    const other = new Bench({ stored: disk(5, '4/1 4/2') });
    expect(other.beat(6, '4/2', '6/3', { committed: '4/2' }).base).toEqual(rev('4/2'));
  });
});

describe('a restart', () => {
  test('finds what was acknowledged, also when the store had not folded yet', () => {
    const bench = new Bench({ stored: disk(1) });
    bench.beat(1, '0/0', [batch('1/1', put('k', 'v', 1)), batch('1/2')], { committed: '1/1' });
    bench.cluster.restart(A);
    expect([bench.base, bench.tail, contents(bench.host)]).toEqual(['1/1', '1/2', { k: 'v@1' }]);
  });

  test.each([
    { written: 0, tail: '' },
    { written: 2, tail: '1/1' },
  ])('after a crash in a save has all or nothing of it: $written saves done', ({ written, tail }) => {
    const bench = new Bench({ stored: disk(1) });
    bench.host.diskStalls = true;
    bench.beat(1, '0/0', '1/1');
    bench.cluster.restart(A, written);
    expect(bench.tail).toBe(tail);
  });

  test('goes on from where it was', () => {
    const bench = new Bench({ stored: disk(1) });
    bench.beat(1, '0/0', '1/1 1/2');
    bench.cluster.restart(A);
    expect(said(bench.beat(2, '1/2', '2/3', { from: C, committed: '1/2' }))).toBe(
      'ok 2/3, base 1/2, last 2/3',
    );
    bench.cluster.run(L / 2);
    expect(bench.tail).toBe('2/3');
  });
});
