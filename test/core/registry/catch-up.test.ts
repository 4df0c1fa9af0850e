import { RaftError, type RaftRequest } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { MEMBERS_KEY } from '../../../src/core/members.js';
import type { KeysReply, ListedKey } from '../../../src/core/messages.js';
import { refusal } from '../cases/support.js';
import { A, B, C, Cluster, H, L, peer } from '../cluster.js';
import {
  Bench,
  batch,
  contents,
  datumsOf,
  disk,
  drop,
  LIMITS,
  put,
  rev,
  SMALL,
  said,
  show,
  tailOf,
} from './support.js';

const KEEP_LITTLE = { ...LIMITS, maxHistorySize: 1_000 };

/** A follower whose base is at 1/2 with `old` and `gone`, and whose tail is 1/3. */
function follower(registry = LIMITS): Bench {
  const tail = [
    batch('1/1', put('old', 'a', 1)),
    batch('1/2', put('gone', 'b', 1)),
    batch('1/3', put('x', 'c', 1)),
  ];
  const bench = new Bench({ stored: disk(1, tail), registry });
  bench.beat(1, '1/3', '', { committed: '1/2' });
  bench.host.changes.length = 0;
  bench.forget();
  return bench;
}

/** The leader tells that it is far ahead. */
function behind(bench: Bench, catchUp = '2/9', term = 2): void {
  bench.beat(term, '0/0', '', { catchUp });
}

function datum(key: string, value: unknown, timestamp: number, revision: string) {
  return { key, value: JSON.stringify(value), timestamp, revision: rev(revision) };
}

const OLD: ListedKey = { key: 'old', revision: rev('1/1') };
const NEW: ListedKey = { key: 'new', revision: rev('2/8') };
const LIST: KeysReply = { at: rev('2/9'), stampFloor: 6, keys: [OLD, NEW], total: 2 };

function list(bench: Bench, fields: Partial<KeysReply> = {}, place = 0, from = B): void {
  const reply = { ...LIST, ...fields };
  bench.give(() => bench.host.core.receivedKeys(from, place, reply, bench.cluster.now));
}

/** Answers the newest question for values. */
function values(bench: Bench, ...datums: readonly ReturnType<typeof datum>[]): void {
  const asked = bench.requests('datums').at(-1)?.keys ?? [];
  const reply = { at: rev('2/9'), datums };
  bench.give(() => bench.host.core.receivedDatums(B, asked, reply, bench.cluster.now));
}

function asks(bench: Bench): readonly unknown[] {
  return bench.cluster.sent
    .map(({ request }) => request)
    .filter(({ type }) => type === 'keys' || type === 'datums')
    .map((request) => (request.type === 'datums' ? request.keys.map(({ key }) => key) : request));
}

describe('catching up 1: when', () => {
  test('a follower whose base the leader is ahead of by more than history asks the leader for the list', () => {
    const bench = follower();
    behind(bench);
    expect(bench.cluster.sent).toMatchObject([{ to: B, request: { type: 'keys', from: 0 } }]);
  });

  test('one whose base is as far asks nothing', () => {
    const bench = follower();
    behind(bench, '1/2');
    expect(asks(bench)).toEqual([]);
  });

  test('one that asks already does not ask again', () => {
    const bench = follower();
    behind(bench);
    behind(bench);
    expect(asks(bench)).toHaveLength(1);
  });

  test('one that got no answer asks again at the next beat', () => {
    const bench = follower();
    behind(bench);
    const [question] = bench.requests('keys');
    bench.give(() =>
      bench.host.core.requestFailed(
        B,
        question as RaftRequest,
        new RaftError('TIMEOUT', 'no answer'),
        bench.cluster.now,
      ),
    );
    behind(bench);
    expect(asks(bench)).toHaveLength(2);
  });

  test('a leader names it only to one that its history does not reach', () => {
    const bench = new Bench({ registry: KEEP_LITTLE });
    bench.lead();
    for (let number = 0; number < 40; number++) {
      bench.write({ key: 'k', value: JSON.stringify('x'.repeat(50)) });
      bench.ack(B, bench.last);
    }
    bench.forget();
    bench.cluster.run(H);
    expect(bench.sentTo(B).catchUp).toBeUndefined();
    expect(bench.sentTo(C)).toEqual({
      prev: rev('0/0'),
      batches: [],
      committed: rev('2/41'),
      membersRevision: rev('0/0'),
      catchUp: rev('2/41'),
    });
  });
});

describe('catching up 2: the pinned base', () => {
  /** A leader with `count` keys, all committed. */
  function leader(count: number, registry = LIMITS): Bench {
    const bench = new Bench({ registry });
    bench.lead();
    bench.write(
      ...Array.from({ length: count }, (_, at) => ({ key: `k${at}`, value: JSON.stringify(`v${at}`) })),
    );
    bench.ack(B, bench.last);
    return bench;
  }

  function keys(bench: Bench, at?: string, from = 0): KeysReply {
    return bench.give(() =>
      bench.host.core.listKeys(at === undefined ? undefined : rev(at), from, bench.cluster.now),
    );
  }

  test('stays as it is, list and values alike, whatever is written meanwhile', () => {
    const bench = leader(3);
    const before = keys(bench);
    bench.write({ key: 'k0', value: '"later"' }, { key: 'k1', value: null }, { key: 'more', value: '1' });
    bench.ack(B, bench.last);
    const at = show(before.at);
    expect([keys(bench, at), keys(bench)]).toEqual([before, before]);
    const { datums } = bench.host.core.listDatums(before.at, before.keys, bench.cluster.now);
    expect(datums.slice(1).map(({ key, value }) => `${key} ${value}`)).toEqual([
      'k0 "v0"',
      'k1 "v1"',
      'k2 "v2"',
    ]);
    expect(before.keys.map(({ revision }) => show(revision))).toEqual(['0/0', '2/2', '2/2', '2/2']);
  });

  test('tells its stampFloor', () => {
    const bench = leader(1);
    bench.write({ key: 'k0', value: null });
    bench.ack(B, bench.last);
    expect(keys(bench)).toMatchObject({ stampFloor: 1, keys: [{ key: MEMBERS_KEY }], total: 1 });
  });

  test('is told in pages', () => {
    const bench = leader(2_500);
    const at = show(keys(bench).at);
    const pages = [0, 1_000, 2_000].map((from) => keys(bench, at, from));
    expect(pages.map(({ keys: listed }) => listed.length)).toEqual([1_000, 1_000, 501]);
    expect(new Set(pages.flatMap(({ keys: listed }) => listed.map(({ key }) => key))).size).toBe(2_501);
  });

  test('is told in pages that are no longer than a message', () => {
    const bench = new Bench({ registry: { ...LIMITS, maxMessageSize: 3_500 } });
    bench.lead();
    bench.write(...[1, 2, 3, 4, 5].map((number) => ({ key: `${number}`.repeat(1_000), value: '1' })));
    bench.ack(B, bench.last);
    expect([1, 4].map((from) => keys(bench, undefined, from).keys.length)).toEqual([3, 2]);
  });

  test('gives as many values as fit into one reply, and one at least', () => {
    const bench = leader(4, { ...LIMITS, maxMessageSize: 10 });
    const { at, keys: listed } = keys(bench);
    expect(bench.host.core.listDatums(at, listed, bench.cluster.now).datums).toHaveLength(1);
  });

  test.each(['2/1', '1/2', '2/3'])('another revision, %s, is GONE', (at) => {
    const bench = leader(1);
    expect(show(keys(bench).at)).toBe('2/2');
    expect(refusal(() => keys(bench, at)).code).toBe('GONE');
    expect(refusal(() => bench.host.core.listDatums(rev(at), [], bench.cluster.now)).code).toBe('GONE');
  });

  test('is let go of when nobody has asked for a while', () => {
    const bench = leader(1);
    keys(bench);
    bench.write({ key: 'more', value: '1' });
    bench.pass(3 * L);
    bench.ack(B, bench.last);
    expect(show(keys(bench).at)).toBe('2/3');
    expect(refusal(() => keys(bench, '2/2')).code).toBe('GONE');
  });

  test('is let go of with the leadership', () => {
    const bench = leader(1);
    keys(bench);
    bench.beat(3, '2/2');
    expect(refusal(() => keys(bench, '2/2')).code).toBe('NOT_LEADER');
    bench.cluster.run(L);
    bench.forget();
    bench.lead();
    expect(refusal(() => keys(bench, '2/2')).code).toBe('GONE');
  });

  test('history since it is kept beyond its bound, for those who catch up, but not without end', () => {
    const bench = leader(1, KEEP_LITTLE);
    const write = (): void => {
      bench.write({ key: 'k0', value: JSON.stringify('x'.repeat(50)) });
      bench.ack(B, bench.last);
    };
    keys(bench);
    for (let number = 0; number < 12; number++) write();
    expect(bench.datums.since.seq).toBeLessThanOrEqual(2);
    for (let number = 0; number < 500; number++) write();
    expect(bench.datums.last.seq - bench.datums.since.seq).toBeLessThan(100);
    bench.cluster.run(H);
    expect(refusal(() => keys(bench, '2/2')).code).toBe('GONE');
  });
});

describe('catching up 3: staging', () => {
  test('asks for what it does not hold, and reuses what it does', () => {
    const bench = follower();
    behind(bench);
    list(bench);
    expect(asks(bench).slice(1)).toEqual([['new']]);
  });

  test('asks for values in batches of 50', () => {
    const bench = follower();
    behind(bench);
    const keys = Array.from({ length: 120 }, (_, at) => ({ key: `k${at}`, revision: rev('2/7') }));
    list(bench, { keys, total: 120 });
    expect(bench.requests('datums').map((request) => request.keys.length)).toEqual([50, 50, 20]);
  });

  test('has no more than four questions for values under way', () => {
    const bench = follower();
    behind(bench);
    const keys = Array.from({ length: 260 }, (_, at) => ({ key: `k${at}`, revision: rev('2/7') }));
    list(bench, { keys, total: 260 });
    expect(bench.requests('datums')).toHaveLength(4);
    values(bench);
    expect(bench.requests('datums')).toHaveLength(5);
  });

  test('has no more than one question for keys under way', () => {
    const bench = follower();
    behind(bench);
    list(bench, { keys: [OLD] });
    behind(bench);
    expect(bench.requests('keys')).toHaveLength(2);
    expect(bench.cluster.sent).toHaveLength(2);
  });

  test('ignores a page of another place than it asked for', () => {
    const bench = follower();
    behind(bench);
    list(bench, { keys: [NEW], total: 2 }, 1);
    list(bench, { keys: [OLD], total: 2 });
    expect(asks(bench).at(-1)).toEqual({ type: 'keys', at: rev('2/9'), from: 1 });
  });

  test('ignores values that it did not ask for, or that come twice', () => {
    const bench = follower();
    behind(bench);
    list(bench);
    const asked = bench.requests('datums').at(-1)?.keys ?? [];
    const give = (keys: readonly ListedKey[]): void => {
      const reply = { at: rev('2/9'), datums: [] };
      bench.give(() => bench.host.core.receivedDatums(B, keys, reply, bench.cluster.now));
    };
    give([...asked]);
    expect(bench.requests('datums')).toHaveLength(1);
    give(asked);
    give(asked);
    expect(bench.requests('datums')).toHaveLength(2);
  });

  test('asks for all pages before it asks for values', () => {
    const bench = follower();
    behind(bench);
    list(bench, { keys: [OLD] });
    expect(asks(bench).at(-1)).toEqual({ type: 'keys', at: rev('2/9'), from: 1 });
    list(bench, { keys: [NEW] }, 1);
    expect(asks(bench).at(-1)).toEqual(['new']);
  });

  test('leaves base, tail, disk and listeners as they are until it is whole', () => {
    const bench = follower();
    behind(bench);
    list(bench, { keys: [OLD, NEW, { key: 'more', revision: rev('2/7') }], total: 3 });
    values(bench, datum('new', 'n', 1, '2/8'));
    expect([bench.base, bench.tail, bench.kept]).toEqual(['1/2', '1/3', '1/3']);
    expect([contents(bench.host), bench.host.changes]).toEqual([{ old: 'a@1', gone: 'b@1' }, []]);
    expect(said(bench.beat(2, '1/3'))).toBe('ok 1/3, base 1/2, last 1/3');
  });

  test('votes by the last batch of its tail meanwhile', () => {
    const bench = follower();
    behind(bench);
    list(bench);
    bench.cluster.run(3 * L);
    expect(bench.requests('vote')[0]?.revision).toEqual(rev('1/3'));
  });

  test('asks again for a value of another revision than listed', () => {
    const bench = follower();
    behind(bench);
    list(bench);
    values(bench, datum('new', 'wrong', 1, '2/7'));
    expect([bench.base, ...asks(bench).slice(1)]).toEqual(['1/2', ['new'], ['new']]);
  });

  test('ignores a page of another base', () => {
    const bench = follower();
    behind(bench);
    list(bench, { keys: [OLD] });
    list(bench, { at: rev('2/10'), keys: [NEW] }, 1);
    expect(bench.requests('datums')).toEqual([]);
  });

  test('ignores a page that comes twice, and one of a peer that it did not ask', () => {
    const bench = follower();
    behind(bench);
    list(bench, { keys: [NEW], total: 1 }, 0, C);
    list(bench, { keys: [OLD], total: 2 });
    list(bench, { keys: [OLD], total: 2 });
    expect([bench.base, bench.requests('datums')]).toEqual(['1/2', []]);
  });

  test.each([
    { what: 'GONE', starts: 1 },
    { what: 'TIMEOUT', starts: 0 },
  ] as const)('a question that is answered by $what drops it or asks again', ({ what, starts }) => {
    const bench = follower();
    behind(bench);
    list(bench);
    const [question] = bench.requests('datums');
    bench.give(() =>
      bench.host.core.requestFailed(
        B,
        question as RaftRequest,
        new RaftError(what, 'failed'),
        bench.cluster.now,
      ),
    );
    bench.forget();
    behind(bench);
    expect(bench.requests('keys')).toHaveLength(starts);
    expect(bench.requests('datums')).toHaveLength(1 - starts);
  });

  test('one that starts over reuses what was fetched', () => {
    const bench = follower();
    behind(bench);
    list(bench, { keys: [OLD, NEW, { key: 'more', revision: rev('2/7') }], total: 3 });
    values(bench, datum('new', 'n', 1, '2/8'));
    const question = bench.requests('datums').at(-1);
    bench.give(() =>
      bench.host.core.requestFailed(
        B,
        question as RaftRequest,
        new RaftError('GONE', 'gone'),
        bench.cluster.now,
      ),
    );
    bench.forget();
    behind(bench);
    list(bench, { at: rev('2/12') });
    expect([bench.base, contents(bench.host)]).toEqual(['2/12', { old: 'a@1', new: 'n@1' }]);
  });

  test('a change of term drops it: what comes late counts no more', () => {
    const bench = follower();
    behind(bench);
    list(bench);
    const beat = bench.beat(3, '1/3', '', { from: C });
    values(bench, datum('new', 'n', 1, '2/8'));
    expect([beat.ok, bench.base]).toEqual([true, '1/2']);
  });

  test.each([
    { what: 'the list', isListed: false },
    { what: 'the values', isListed: true },
  ])('… also before the next leader is heard of, when $what comes late', ({ isListed }) => {
    const bench = follower();
    behind(bench);
    if (isListed) list(bench);
    const higher = { ...peer(C, { term: 3 }), granted: false };
    bench.give(() => bench.host.core.receivedVoteReply(C, higher, bench.cluster.now));
    if (isListed) values(bench, datum('new', 'n', 1, '2/8'));
    else list(bench, { keys: [OLD], total: 1 });
    expect(bench.base).toBe('1/2');
  });

  test('a question to a former leader that fails late is none of those that the next one is asked', () => {
    const bench = follower();
    behind(bench);
    const [question] = bench.requests('keys');
    const beat = () => bench.beat(3, '0/0', '', { catchUp: '2/9', from: C });
    beat();
    const error = new RaftError('GONE', 'gone');
    bench.give(() => bench.host.core.requestFailed(B, question as RaftRequest, error, bench.cluster.now));
    beat();
    expect(bench.requests('keys', C)).toHaveLength(1);
  });

  test('what comes late counts no more for one that was elected meanwhile', () => {
    const bench = follower();
    behind(bench);
    list(bench);
    bench.cluster.run(L);
    bench.lead();
    values(bench, datum('new', 'n', 1, '2/8'));
    expect([bench.base, bench.last]).toEqual(['1/2', '3/4']);
  });
});

describe('catching up 4: the swap', () => {
  test('replaces base and tail in one save, and then tells listeners the differences', () => {
    const bench = follower();
    behind(bench);
    list(bench);
    bench.host.diskStalls = true;
    values(bench, datum('new', 'n', 7, '2/8'));
    expect(bench.host.stalled.map(({ type }) => type)).toEqual(['save', 'changes']);
    expect(bench.host.changes).toEqual([]);
    bench.host.diskStalls = false;
    bench.cluster.carryOut(A);
    expect([bench.base, bench.last, bench.tail, bench.kept]).toEqual(['2/9', '2/9', '', '']);
    expect(contents(bench.host)).toEqual({ old: 'a@1', new: 'n@7' });
    expect(bench.host.changes.map(({ key, datum: now }) => `${key} ${now?.value}`)).toEqual([
      `${MEMBERS_KEY} undefined`,
      'gone undefined',
      'new "n"',
    ]);
  });

  test('tells listeners nothing when there is no difference', () => {
    const bench = follower();
    behind(bench);
    bench.host.diskStalls = true;
    const keys = [...bench.datums.all().values()];
    list(bench, { keys, total: keys.length });
    expect([bench.base, bench.host.stalled.map(({ type }) => type)]).toEqual(['2/9', ['save']]);
  });

  test('a crash before the save leaves all as it was, one after it nothing of it', () => {
    for (const [written, base, tail] of [
      [0, '1/2', '1/3'],
      [1, '2/9', ''],
    ] as const) {
      const bench = follower();
      behind(bench);
      list(bench);
      bench.host.diskStalls = true;
      values(bench, datum('new', 'n', 7, '2/8'));
      bench.cluster.restart(A, written);
      expect([bench.base, bench.tail]).toEqual([base, tail]);
    }
  });

  test('takes the stampFloor over', () => {
    const bench = follower();
    behind(bench);
    list(bench);
    values(bench, datum('new', 'n', 7, '2/8'));
    expect(bench.datums.stampFloor).toBe(6);
    expect(bench.host.kept?.copy().base.stampFloor).toBe(6);
  });

  test.each([
    { history: 'reaches', maxHistorySize: LIMITS.maxHistorySize },
    { history: 'no longer reaches', maxHistorySize: 1 },
  ])(
    'is left out if the base has come further in the meantime, and history $history it',
    ({ maxHistorySize }) => {
      const bench = follower({ ...LIMITS, maxHistorySize });
      behind(bench);
      list(bench, { at: rev('2/4') });
      bench.beat(2, '1/3', [batch('2/4', drop('gone', 1)), batch('2/5')], { committed: '2/5' });
      const asked = bench.requests('datums').at(-1)?.keys ?? [];
      const reply = { at: rev('2/4'), datums: [datum('new', 'n', 1, '2/8')] };
      bench.give(() => bench.host.core.receivedDatums(B, asked, reply, bench.cluster.now));
      expect([bench.base, contents(bench.host)]).toEqual(['2/5', { old: 'a@1', x: 'c@1' }]);
    },
  );

  test('folds the tail up to it if the tail holds exactly that, and keeps what is behind it', () => {
    const bench = follower();
    behind(bench);
    bench.beat(2, '1/3', [batch('2/4', put('new', 'n', 7)), batch('2/5')]);
    list(bench, { at: rev('2/4'), keys: [], total: 0 });
    expect([bench.base, bench.tail, bench.kept]).toEqual(['2/4', '2/5', '2/5']);
    expect(contents(bench.host)).toEqual({ old: 'a@1', gone: 'b@1', x: 'c@1', new: 'n@7' });
  });

  test('leaves nothing of a tail that it dropped for later writes to be judged on', () => {
    const bench = follower();
    behind(bench);
    list(bench, { keys: [], total: 0 });
    expect([bench.datums.newest('x'), bench.datums.tailSize]).toEqual([null, 0]);
  });

  test('drops a tail that is another at that seq', () => {
    const bench = follower();
    behind(bench, '2/3');
    list(bench, { at: rev('2/3'), keys: [], total: 0 });
    expect([bench.base, bench.tail, contents(bench.host)]).toEqual(['2/3', '', {}]);
  });

  test('what the follower answers then is the new base', () => {
    const bench = follower();
    behind(bench);
    list(bench, { keys: [], total: 0 });
    expect(said(bench.beat(2, '2/9', '2/10', { committed: '2/10' }))).toBe('ok 2/10, base 2/10, last 2/10');
  });
});

describe('a cluster', () => {
  test.each([3, 300])('with %i keys brings one up that was away, while writes go on', (count) => {
    const cluster = new Cluster([A, B, C], { registry: SMALL });
    const first = cluster.elect();
    const last = cluster.ips.find((ip) => ip !== first) as string;
    cluster.run(H);
    cluster.isolate(last);
    for (let number = 0; number < count; number++) {
      cluster.write(first, { key: `k${number}`, value: `${number}` });
      cluster.run(5);
    }
    for (let number = 0; number < 100; number++)
      cluster.write(first, { key: `k${number % 3}`, value: `${number}` });
    cluster.write(first, { key: 'k0', value: null });
    cluster.run(5 * H);
    cluster.heal();
    for (let number = 0; number < 100; number++) {
      cluster.write(first, { key: `k${number % 3}`, value: `${number}` });
      cluster.run(5);
    }
    cluster.run(L);
    expect(cluster.sent.some(({ from, request }) => from === last && request.type === 'keys')).toBe(true);
    expect(contents(cluster.host(last))).toEqual(contents(cluster.host(first)));
    expect(Object.keys(contents(cluster.host(last)))).toHaveLength(count);
    expect(tailOf(cluster.host(last))).toBe('');
  });

  test('listeners of one that caught up are told what they would have seen at last', () => {
    const cluster = new Cluster([A, B, C], { registry: SMALL });
    const first = cluster.elect();
    const last = cluster.ips.find((ip) => ip !== first) as string;
    cluster.write(first, { key: 'gone', value: '1' });
    cluster.run(2 * H);
    cluster.isolate(last);
    cluster.write(first, { key: 'gone', value: null });
    for (let number = 0; number < 50; number++) {
      cluster.write(first, { key: 'k', value: `${number}` });
      cluster.run(5);
    }
    cluster.heal();
    cluster.run(L);
    const seen = new Map<string, string | null>();
    for (const { key, datum: now } of cluster.host(last).changes) seen.set(key, now?.value ?? null);
    expect(Object.fromEntries(seen)).toEqual({ gone: null, k: '49' });
    expect(show(datumsOf(cluster.host(last)).base)).toBe(show(datumsOf(cluster.host(first)).base));
  });
});
