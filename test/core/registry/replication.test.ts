import { RaftError, type RaftRequest } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { A, B, C, Cluster, H, L } from '../cluster.js';
import { Bench, batch, brings, contents, disk, put, rev, SMALL, show, tailOf } from './support.js';

/** A leader of term 2 with the batches 1/1 to 1/5 and its own 2/6, which nobody has answered for yet. */
function leader(options: ConstructorParameters<typeof Bench>[0] = {}): Bench {
  const bench = new Bench({ stored: disk(1, '1/1 1/2 1/3 1/4 1/5'), ...options });
  bench.lead();
  return bench;
}

describe('a new leader', () => {
  test('begins with an empty batch of its own term', () => {
    const bench = leader();
    expect([bench.tail, bench.kept]).toEqual(['1/1 1/2 1/3 1/4 1/5 2/6', '1/1 1/2 1/3 1/4 1/5 2/6']);
    expect(bench.datums.after(5, 1)[0]?.ops).toEqual([]);
  });

  test('goes on from what stood at its end', () => {
    expect(brings(leader().sentTo(B))).toBe('1/5: 2/6');
  });
});

describe('a beat', () => {
  test('is a message without batches, of which prev is what the follower is known to hold', () => {
    const bench = leader();
    bench.ack(B, '2/6');
    bench.ack(C, '2/6');
    bench.forget();
    bench.cluster.run(H);
    expect(bench.sentTo(B)).toEqual({
      prev: rev('2/6'),
      batches: [],
      committed: rev('2/6'),
      membersRevision: rev('0/0'),
    });
  });
});

describe('the leader on answers', () => {
  test('ok lets match grow, and a late answer does not take it back', () => {
    const bench = leader();
    bench.ack(B, '2/6');
    bench.ack(B, '1/3');
    expect(bench.base).toBe('2/6');
    bench.forget();
    bench.cluster.run(H);
    expect(brings(bench.sentTo(B))).toBe('2/6: ');
  });

  test('an answer to a message of another term is ignored, for the lease too', () => {
    const bench = new Bench({ stored: disk(1, '1/1') });
    bench.elect();
    bench.ack(B, '2/2', { requestTerm: 1 });
    expect([bench.base, bench.host.core.isLeader(bench.cluster.now)]).toEqual(['0/0', false]);
    bench.ack(B, '2/2');
    expect([bench.base, bench.host.core.isLeader(bench.cluster.now)]).toEqual(['2/2', true]);
  });

  test.each([{ last: 'an answer' }, { last: 'the own save' }])(
    '$last commits nothing once the lease is over',
    ({ last }) => {
      const bench = leader();
      bench.ack(C, '2/6');
      bench.host.diskStalls = true;
      const [id] = bench.write({ key: 'k', value: '1' });
      bench.ack(C, '2/7');
      bench.cluster.now += 2 * L;
      if (last === 'an answer') bench.ack(B, '2/7');
      bench.host.diskStalls = false;
      bench.cluster.carryOut(A);
      expect([bench.host.self.state, bench.told(id)]).toEqual(['FOLLOWER', 'OUTCOME_UNKNOWN']);
    },
  );

  test('a higher term in an answer ends the leadership', () => {
    const bench = leader();
    bench.give(() =>
      bench.host.core.receivedBeatReply(
        B,
        {
          ip: B,
          term: 9,
          voteFor: null,
          state: 'FOLLOWER',
          leaderDueMs: 0,
          heartbeatDueMs: 0,
          requestTerm: 2,
        },
        bench.cluster.now,
      ),
    );
    expect([bench.host.self.state, bench.host.self.term]).toEqual(['FOLLOWER', 9]);
  });

  test('after a refusal it goes on from the last of the follower, if it holds exactly that', () => {
    const bench = leader();
    bench.forget();
    bench.ack(B, '0/0', { ok: false, last: rev('1/3') });
    expect(brings(bench.sentTo(B))).toBe('1/3: 1/4 1/5 2/6');
  });

  test.each(['9/9', '0/3', '2/5'])(
    'after a refusal with a last that it does not hold, %s, it goes on from the base',
    (last) => {
      const bench = leader();
      bench.forget();
      bench.ack(B, '0/0', { ok: false, last: rev(last), base: rev('1/2') });
      expect(brings(bench.sentTo(B))).toBe('1/2: 1/3 1/4 1/5 2/6');
    },
  );

  test('a refusal leaves match as it is', () => {
    const bench = leader();
    bench.ack(B, '1/4');
    bench.forget();
    bench.ack(B, '0/0', { ok: false, last: rev('1/1') });
    expect(brings(bench.sentTo(B))).toBe('1/4: 1/5 2/6');
    bench.ack(C, '2/6');
    expect(bench.base).toBe('2/6');
  });

  test('a refusal alone starts no key list while history reaches the base of the follower', () => {
    const bench = leader();
    bench.ack(C, '2/6');
    bench.forget();
    bench.ack(B, '0/0', { ok: false });
    expect(bench.sentTo(B).catchUp).toBeUndefined();
    expect(brings(bench.sentTo(B))).toBe('0/0: 1/1 1/2 1/3 1/4 1/5 2/6');
  });

  test('a claim to hold what the leader does not is not counted', () => {
    const bench = leader();
    bench.ack(B, '3/6');
    bench.ack(C, '2/9');
    expect(bench.base).toBe('0/0');
  });

  test('a message carries no more than its bound, but one batch at least', () => {
    const batches = [1, 2, 3, 4].map((seq) => batch(`1/${seq}`, put('k', 'x'.repeat(120), seq)));
    const bench = leader({ stored: disk(1, batches), registry: SMALL });
    bench.forget();
    bench.ack(B, '0/0', { ok: false });
    expect(brings(bench.sentTo(B))).toBe('0/0: 1/1');
    bench.ack(B, '1/1');
    expect(brings(bench.sentTo(B))).toBe('1/1: 1/2');
  });

  test('batches whose message failed go out again with the next write; those under way do not', () => {
    const bench = leader();
    bench.pass(H);
    const [beat] = bench.requests('beat', B).slice(-1);
    bench.write({ key: 'k', value: '1' });
    const error = new RaftError('UNREACHABLE', 'no way');
    bench.give(() => bench.host.core.requestFailed(B, beat as RaftRequest, error, bench.cluster.now));
    bench.forget();
    bench.write({ key: 'k', value: '2' });
    expect(bench.requests('beat', C)).toEqual([]);
    expect(brings(bench.sentTo(B))).toBe('1/5: 2/6 2/7 2/8');
  });

  test('what comes while batches are under way brings no message, neither a write nor a change of the members', () => {
    const bench = leader();
    bench.ack(B, '2/6');
    bench.write({ key: 'k', value: '1' });
    bench.forget();
    bench.write({ key: 'k', value: '2' });
    bench.give(() =>
      bench.host.core.changeMembers(
        { id: 1, change: { action: 'add', ip: 'd:1' }, term: 2 },
        bench.cluster.now,
      ),
    );
    expect(bench.cluster.sent.map(({ to }) => to)).toEqual(['d:1']);
  });

  test('one that does not lead sends nothing for a write that it gets', () => {
    const bench = new Bench({ stored: disk(1, '1/1') });
    bench.forget();
    const [id] = bench.write({ key: 'k', value: '1' });
    expect([bench.told(id), bench.cluster.sent]).toEqual(['NO_LEADER', []]);
  });

  test('batches that were lost are sent again when a round trip is over', () => {
    const bench = leader();
    bench.forget();
    bench.pass(2 * H);
    expect(brings(bench.sentTo(B))).toBe('1/5: 2/6');
  });
});

describe('three peers', () => {
  test('a write reaches all, and shows on each within a beat', () => {
    const cluster = new Cluster([A, B, C], { registry: SMALL });
    const first = cluster.elect();
    cluster.write(first, { key: 'k', value: '1' });
    cluster.run(H);
    for (const host of cluster.hosts.values()) expect(contents(host)).toEqual({ k: '1@1' });
  });

  test('a tail that grew apart is cut where it parts, and nothing else of it', () => {
    const cluster = new Cluster([A, B, C], { registry: SMALL });
    const first = cluster.elect();
    cluster.run(H);
    cluster.isolate(first);
    const id = cluster.write(first, { key: 'k', value: '"lost"' });
    expect(tailOf(cluster.host(first))).toBe('1/2');
    cluster.run(3 * L);
    const [second] = cluster.leaders as [string];
    cluster.write(second, { key: 'k', value: '"kept"' });
    cluster.heal();
    cluster.run(L);
    for (const host of cluster.hosts.values()) expect(contents(host)).toEqual({ k: 'kept@1' });
    expect(cluster.host(first).answers.get(id)).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    const ends = [...cluster.hosts.values()].map(({ core }) => core.datums && show(core.datums.last));
    expect(new Set(ends).size).toBe(1);
  });
});
