import { describe, expect, test } from 'vitest';
import { refusal } from '../cases/support.js';
import { A, B, C, Cluster, H, L } from '../cluster.js';
import { Bench, batch, contents, disk, drop, LIMITS, put, show, tailOf } from './support.js';

/** A leader of term 2 whose first batch is committed. */
function leader(options: ConstructorParameters<typeof Bench>[0] = {}): Bench {
  const bench = new Bench(options);
  bench.lead();
  bench.ack(B, bench.last);
  return bench;
}

/** All that was handed in is held by a majority. */
function commit(bench: Bench): void {
  bench.ack(B, bench.last);
}

function step(bench: Bench): void {
  bench.beat(9, '0/0');
}

describe('timestamps', () => {
  test('begin at 1 and rise by 1 with each publication of the key', () => {
    const bench = leader();
    const ids = [1, 2, 3].map((value) => bench.write({ key: 'k', value: `${value}` })[0]);
    commit(bench);
    expect(ids.map((id) => bench.told(id))).toEqual(['ok 1', 'ok 2', 'ok 3']);
    expect(contents(bench.host)).toEqual({ k: '3@3' });
  });

  test('of a key that was removed go on above the removed one: none ever comes back', () => {
    const bench = leader();
    for (let number = 0; number < 3; number++) {
      bench.write({ key: 'k', value: '1' });
      bench.write({ key: 'k', value: null });
    }
    bench.write({ key: 'k', value: '1' }, { key: 'other', value: '1' });
    commit(bench);
    expect(contents(bench.host)).toEqual({ k: '1@4', other: '1@4' });
  });

  test('go on above a removal that a former leader left in the tail', () => {
    const stored = disk(1, [batch('1/1', put('k', 'old', 41)), batch('1/2', drop('k', 41))]);
    const bench = new Bench({ stored });
    bench.lead();
    const [id] = bench.write({ key: 'k', value: '1' });
    commit(bench);
    expect(bench.told(id)).toBe('ok 42');
  });

  test('go on above a removal that was committed before a restart', () => {
    const bench = leader();
    bench.write({ key: 'k', value: '1' });
    bench.write({ key: 'k', value: null });
    commit(bench);
    bench.cluster.restart(A);
    bench.cluster.run(L);
    bench.forget();
    bench.lead();
    const [id] = bench.write({ key: 'k', value: '1' });
    commit(bench);
    expect(bench.told(id)).toBe('ok 2');
  });

  test('are worked out on base and whole tail', () => {
    const bench = leader();
    const ids = bench.write({ key: 'k', value: '1' }, { key: 'k', value: '2' }, { key: 'k', value: null });
    const more = bench.write({ key: 'k', value: '3' });
    commit(bench);
    expect([...ids, ...more].map((id) => bench.told(id))).toEqual(['ok 1', 'ok 2', 'ok 2', 'ok 3']);
  });
});

describe('batches', () => {
  test('writes that come at once stand in one batch', () => {
    const bench = leader();
    bench.write({ key: 'a', value: '1' }, { key: 'b', value: '1' }, { key: 'c', value: '1' });
    expect(bench.tail).toBe('2/2');
  });

  test('a key stands in a batch once', () => {
    const bench = leader();
    bench.write({ key: 'a', value: '1' }, { key: 'b', value: '1' }, { key: 'a', value: '2' });
    expect(bench.tail).toBe('2/2 2/3');
  });

  test('nothing is appended when there is nothing to do', () => {
    const bench = leader();
    const ids = bench.write({ key: 'a', value: null }, { key: 'b', value: '1', ifTimestamp: 7 });
    expect([bench.tail, ...ids.map((id) => bench.told(id))]).toEqual(['', 'ok null', 'CONFLICT']);
  });

  test('many small writes are not one message that is too large', () => {
    const bench = leader({ registry: { ...LIMITS, maxMessageSize: 1_000 } });
    bench.write(...Array.from({ length: 100 }, (_, at) => ({ key: `${at}`, value: '1' })));
    const counts = bench.datums.after(1, Number.POSITIVE_INFINITY).map(({ ops }) => ops.length);
    expect(Math.max(...counts)).toBeLessThan(20);
  });
});

describe('conditions', () => {
  test.each([
    { present: 0, ifTimestamp: 0, outcome: 'ok 1' },
    { present: 0, ifTimestamp: 1, outcome: 'CONFLICT' },
    { present: 2, ifTimestamp: 0, outcome: 'CONFLICT' },
    { present: 2, ifTimestamp: 1, outcome: 'CONFLICT' },
    { present: 2, ifTimestamp: 2, outcome: 'ok 3' },
    { present: 2, ifTimestamp: 3, outcome: 'CONFLICT' },
  ])(
    'a key of timestamp $present written if it is $ifTimestamp: $outcome',
    ({ present, ifTimestamp, outcome }) => {
      const bench = leader();
      for (let number = 0; number < present; number++) bench.write({ key: 'k', value: '1' });
      commit(bench);
      const [id] = bench.write({ key: 'k', value: '2', ifTimestamp });
      commit(bench);
      expect(bench.told(id)).toBe(outcome);
    },
  );

  test('are judged on what is not committed yet, too', () => {
    const bench = leader();
    const ids = [0, 0, 1, 1].map((ifTimestamp) => bench.write({ key: 'k', value: '1', ifTimestamp })[0]);
    commit(bench);
    expect(ids.map((id) => bench.told(id))).toEqual(['ok 1', 'CONFLICT', 'ok 2', 'CONFLICT']);
  });

  test('are judged on what comes at once with them, too', () => {
    const bench = leader();
    const ids = bench.write({ key: 'k', value: '1' }, { key: 'k', value: '2', ifTimestamp: 0 });
    commit(bench);
    expect(ids.map((id) => bench.told(id))).toEqual(['ok 1', 'CONFLICT']);
  });

  test('hold for removals as well', () => {
    const bench = leader();
    bench.write({ key: 'k', value: '1' });
    const ids = [2, 1, 1].map((ifTimestamp) => bench.write({ key: 'k', value: null, ifTimestamp })[0]);
    commit(bench);
    expect(ids.map((id) => bench.told(id))).toEqual(['CONFLICT', 'ok 1', 'CONFLICT']);
  });

  test('that fail are told only when what they were judged on is committed', () => {
    const bench = leader();
    bench.write({ key: 'k', value: '1' });
    const ids = bench.write({ key: 'k', value: '2', ifTimestamp: 0 }, { key: 'none', value: null });
    expect(ids.map((id) => bench.told(id))).toEqual(['open', 'open']);
    commit(bench);
    expect(ids.map((id) => bench.told(id))).toEqual(['CONFLICT', 'ok null']);
  });

  test('that fail on what an older leader committed are told only when the own first batch is committed', () => {
    const stored = disk(1, [batch('1/1', put('k', 'v', 1))]);
    const bench = new Bench({ stored });
    bench.beat(1, '1/1', '', { committed: '1/1' });
    bench.cluster.run(L);
    bench.lead();
    const [id] = bench.write({ key: 'k', value: '2', ifTimestamp: 0 });
    expect(bench.told(id)).toBe('open');
    commit(bench);
    expect(bench.told(id)).toBe('CONFLICT');
  });

  test('that failed on what is then lost are not told as failed for good, nor as done', () => {
    const bench = leader();
    bench.write({ key: 'k', value: '1' });
    const ids = bench.write({ key: 'k', value: '2', ifTimestamp: 0 }, { key: 'none', value: null });
    step(bench);
    expect(ids.map((id) => bench.told(id))).toEqual(['NO_LEADER', 'NO_LEADER']);
  });
});

describe('outcomes', () => {
  test('of writes that come at once are told in their order', () => {
    const bench = leader();
    bench.write({ key: 'k', value: '1' });
    const ids = bench.write({ key: 'a', value: '1' }, { key: 'k', value: '2', ifTimestamp: 0 });
    commit(bench);
    expect([...bench.host.answers.keys()].slice(-2)).toEqual(ids);
  });

  test('a peer that does not lead takes no write', () => {
    const bench = new Bench();
    const [id] = bench.write({ key: 'k', value: '1' });
    expect([bench.told(id), bench.last]).toEqual(['NO_LEADER', '0/0']);
  });

  test('a core without a registry takes neither writes nor reads', () => {
    const bench = new Bench({ registry: undefined });
    expect(refusal(() => bench.write({ key: 'k', value: '1' })).code).toBe('UNSUPPORTED');
    expect(refusal(() => bench.read('k')).code).toBe('UNSUPPORTED');
  });

  test.each([
    { what: 'key', key: 'k'.repeat(1_025), value: '1' },
    { what: 'value', key: 'k', value: JSON.stringify('x'.repeat(65_535)) },
  ])('a $what that is too long is refused, and never stands in a batch', ({ key, value }) => {
    const bench = leader();
    const [id] = bench.write({ key, value });
    expect([bench.told(id), bench.tail]).toEqual(['TOO_LARGE', '']);
  });

  test('the keys of the library are refused', () => {
    const bench = leader();
    const [id] = bench.write({ key: 'raftbeat:members', value: '[]' });
    expect([bench.told(id), bench.tail]).toEqual(['BAD_REQUEST', '']);
  });

  test('the longest key and the longest value are taken', () => {
    const bench = leader();
    const [id] = bench.write({ key: 'k'.repeat(1_024), value: JSON.stringify('x'.repeat(65_534)) });
    commit(bench);
    expect(bench.told(id)).toBe('ok 1');
  });

  test('a write is taken as long as the tail is not longer than its bound, whatever it adds', () => {
    const { tailSize } = (() => {
      const bench = leader();
      bench.write({ key: 'k', value: '1' });
      return bench.datums;
    })();
    for (const [maxTailSize, outcome] of [
      [tailSize, 'ok 2'],
      [tailSize - 1, 'BUSY'],
    ] as const) {
      const bench = leader({ registry: { ...LIMITS, maxTailSize } });
      bench.write({ key: 'k', value: '1' });
      const [id] = bench.write({ key: 'k', value: '2' });
      commit(bench);
      expect(bench.told(id)).toBe(outcome);
    }
  });

  test('a write that is refused takes no room from those that come at once with it', () => {
    const bench = leader({ registry: { ...LIMITS, maxTailSize: 1_000, maxValueLength: 100 } });
    const long = { key: 'long', value: JSON.stringify('x'.repeat(2_000)) };
    const ids = bench.write(long, { key: 'k', value: '1' });
    commit(bench);
    expect(ids.map((id) => bench.told(id))).toEqual(['TOO_LARGE', 'ok 1']);
  });

  test('a batched write whose leader steps down is of unknown outcome', () => {
    const bench = leader();
    const [id] = bench.write({ key: 'k', value: '1' });
    step(bench);
    expect(bench.told(id)).toBe('OUTCOME_UNKNOWN');
  });

  test('a batched write that is truncated is of unknown outcome', () => {
    const bench = leader();
    const [id] = bench.write({ key: 'k', value: '1' });
    bench.beat(9, '2/1', '9/2');
    expect([bench.last, bench.told(id)]).toEqual(['9/2', 'OUTCOME_UNKNOWN']);
  });

  test('a batched write whose leader resigns, or loses its lease, is of unknown outcome', () => {
    for (const end of [
      (bench: Bench) => bench.give(() => bench.host.core.resign(bench.cluster.now)),
      (bench: Bench) => bench.cluster.run(2 * L),
    ]) {
      const bench = leader();
      const [id] = bench.write({ key: 'k', value: '1' });
      end(bench);
      expect(bench.told(id)).toBe('OUTCOME_UNKNOWN');
    }
  });

  test('a batched write of unknown outcome may still be committed, whole, by the next leader', () => {
    const cluster = new Cluster([A, B, C], { registry: LIMITS });
    const first = cluster.elect();
    cluster.run(H);
    for (const ip of [A, B, C]) if (ip !== first) cluster.cut(ip, first);
    const ids = [901, 902];
    const writes = ids.map((id) => ({ id, key: id === 901 ? 'a' : 'b', value: '1' }));
    cluster.core(first).write(writes, cluster.now);
    cluster.carryOut(first);
    cluster.run(3 * L);
    expect(ids.map((id) => cluster.host(first).answers.get(id))).toMatchObject([
      { code: 'OUTCOME_UNKNOWN' },
      { code: 'OUTCOME_UNKNOWN' },
    ]);
    cluster.heal();
    cluster.run(2 * L);
    for (const host of cluster.hosts.values()) expect(contents(host)).toEqual({ a: '1@1', b: '1@1' });
  });

  test('each write is answered exactly once', () => {
    const cluster = new Cluster([A, B, C], { registry: LIMITS });
    const first = cluster.elect();
    const counts = new Map<number, number>();
    for (let number = 0; number < 20; number++) {
      cluster.write(first, { key: `k${number % 3}`, value: '1', ifTimestamp: number % 4 }, () =>
        counts.set(number, (counts.get(number) ?? 0) + 1),
      );
      cluster.run(3);
    }
    cluster.isolate(first);
    cluster.run(3 * L);
    expect([...counts.values()]).toEqual(Array(20).fill(1));
  });
});

describe('forwards', () => {
  test('one that arrives twice counts once, and both are answered alike', () => {
    const bench = leader();
    const ids = [1, 1].map((number) => bench.forward(number, 2, { key: 'k', value: '1' }));
    commit(bench);
    ids.push(bench.forward(1, 2, { key: 'k', value: '1' }));
    expect(ids.map((id) => bench.told(id))).toEqual(['ok 1', 'ok 1', 'ok 1']);
    expect([bench.tail, contents(bench.host)]).toEqual(['', { k: '1@1' }]);
  });

  test('others of the same process count each', () => {
    const bench = leader();
    const ids = [2, 1].map((number) => bench.forward(number, 2, { key: 'k', value: '1' }));
    commit(bench);
    expect(ids.map((id) => bench.told(id))).toEqual(['ok 1', 'ok 2']);
  });

  test('one that was refused stays refused', () => {
    const bench = leader();
    bench.write({ key: 'k', value: '1' });
    commit(bench);
    const first = bench.forward(1, 2, { key: 'k', value: '2', ifTimestamp: 0 });
    bench.write({ key: 'k', value: null });
    const again = bench.forward(1, 2, { key: 'k', value: '2', ifTimestamp: 0 });
    commit(bench);
    expect([bench.told(first), bench.told(again), contents(bench.host)]).toEqual([
      'CONFLICT',
      'CONFLICT',
      {},
    ]);
  });

  test('one that is meant for a term that this process did not lead is not taken, nor refused for good', () => {
    const bench = leader();
    const id = bench.forward(1, 3, { key: 'k', value: '1' });
    expect([bench.told(id), bench.tail]).toEqual(['OUTCOME_UNKNOWN', '']);
  });

  test('… nor by a peer that follows: a second process of its ip may have taken it', () => {
    const bench = new Bench();
    bench.beat(4, '0/0');
    expect(bench.told(bench.forward(1, 3, { key: 'k', value: '1' }))).toBe('OUTCOME_UNKNOWN');
  });

  test('one that arrives again after the leadership is answered like the first: it may be committed', () => {
    const bench = leader();
    const first = bench.forward(1, 2, { key: 'k', value: '1' });
    step(bench);
    const again = bench.forward(1, 2, { key: 'k', value: '1' });
    expect([bench.told(first), bench.told(again)]).toEqual(['OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN']);
    expect(bench.told(bench.forward(2, 2, { key: 'k', value: '1' }))).toBe('NO_LEADER');
  });

  test('one that arrives again in a later leadership is not taken again, and not said to have failed', () => {
    const bench = leader();
    bench.forward(1, 2, { key: 'k', value: '1' });
    bench.beat(3, '2/2');
    bench.cluster.run(L);
    bench.forget();
    expect(bench.lead()).toBe(4);
    const again = bench.forward(1, 2, { key: 'k', value: '1' });
    commit(bench);
    expect([bench.told(again), contents(bench.host)]).toEqual(['OUTCOME_UNKNOWN', { k: '1@1' }]);
  });

  test('one that arrives again after a restart of the leader is not said to have failed', () => {
    const bench = leader();
    bench.forward(1, 2, { key: 'k', value: '1' });
    bench.cluster.restart(A);
    bench.cluster.run(1);
    const again = bench.forward(1, 2, { key: 'k', value: '1' });
    expect([tailOf(bench.host), bench.told(again)]).toEqual(['2/2', 'OUTCOME_UNKNOWN']);
  });

  test('one of which the outcome was forgotten is never taken again', () => {
    const bench = leader();
    for (let number = 1; number <= 10_050; number++) {
      bench.forward(number, 2, { key: `k${number % 10}`, value: '1' });
      if (number % 500 === 0) commit(bench);
    }
    commit(bench);
    const { seq } = bench.datums.last;
    expect(bench.told(bench.forward(1, 2, { key: 'k1', value: '1' }))).toBe('OUTCOME_UNKNOWN');
    expect(bench.told(bench.forward(10_050, 2, { key: 'k1', value: '1' }))).toMatch(/^ok /);
    expect(bench.datums.last.seq).toBe(seq);
  });

  test('the answer tells the batch', () => {
    const bench = leader();
    const id = bench.forward(1, 2, { key: 'k', value: '1' });
    commit(bench);
    const answer = bench.host.answers.get(id);
    expect(answer && 'revision' in answer && show(answer.revision)).toBe('2/2');
  });
});
