import { describe, expect, test } from 'vitest';
import { Lease } from '../../src/core/lease.js';
import { resolveTiming } from '../../src/core/timing.js';
import { A, B, C, Cluster, D, H, type Host, IN_USE, L, LATENCY, LEASE, STAGGER, TIMING } from './cluster.js';
import { Bench } from './registry/support.js';
import { ack, beat, one, refusal, winner } from './support.js';

const RELEASE = { releaseOnDisconnect: true } as const;

/** Three peers, one of which leads, and knows that the others hold it for their leader. */
function led(options: { releaseOnDisconnect?: boolean } = RELEASE) {
  const cluster = new Cluster([A, B, C], options);
  const leader = cluster.elect();
  cluster.run(2 * H);
  const followers = cluster.ips.filter((ip) => ip !== leader);
  return { cluster, leader, followers: followers as [string, string] };
}

function disconnect(cluster: Cluster, ip: string, from: string): void {
  cluster.core(ip).disconnected(from, cluster.now);
  cluster.carryOut(ip);
}

describe('a lost connection (D17)', () => {
  test('to a leader that is gone, seen by all, has it replaced in a few round trips', () => {
    const { cluster, leader, followers } = led();
    cluster.kill(leader);
    for (const ip of followers) disconnect(cluster, ip, leader);
    expect(cluster.runUntil(() => cluster.leaders.length === 1)).toBeLessThanOrEqual(8 * LATENCY);
    expect(followers).toContain(cluster.leaders[0]);
  });

  test('is told as the loss of the leader, at once', () => {
    const { cluster, leader, followers } = led();
    const host = cluster.host(followers[0]);
    disconnect(cluster, host.ip, leader);
    expect(host.events.at(-1)).toBe(`leaderLost ${leader} ${host.self.term}`);
    expect(host.leader).toBeNull();
  });

  test('frees those alone that saw it: the others keep their promise, and no term is raised', () => {
    const { cluster, leader, followers } = led();
    const [first, second] = followers;
    const { term } = cluster.host(second).self;
    cluster.kill(leader);
    disconnect(cluster, first, leader);
    cluster.run(LEASE - 3 * H);
    expect(cluster.leaders).toEqual([]);
    expect(cluster.hosts.get(second)?.self.term).toBe(term);
    disconnect(cluster, second, leader);
    expect(cluster.runUntil(() => cluster.leaders.length === 1)).toBeLessThan(L);
  });

  test('leaves a leader that is alive in place when one of three saw it', () => {
    const { cluster, leader, followers } = led();
    disconnect(cluster, followers[0], leader);
    disconnect(cluster, leader, followers[0]);
    cluster.run(5 * L);
    expect(cluster.leaders).toEqual([leader]);
    expect(cluster.host(followers[0]).leader).toBe(leader);
  });

  test('to any other peer changes nothing', () => {
    const { cluster, followers } = led();
    const [first, second] = followers;
    const { core } = cluster.host(first);
    const due = core.nextDeadline();
    disconnect(cluster, first, second);
    expect(core.nextDeadline()).toBe(due);
    expect(cluster.host(first).leader).not.toBeNull();
  });

  test('changes nothing without the option', () => {
    const { cluster, leader, followers } = led({});
    for (const ip of followers) {
      const due = cluster.core(ip).nextDeadline();
      disconnect(cluster, ip, leader);
      disconnect(cluster, leader, ip);
      expect(cluster.core(ip).nextDeadline()).toBe(due);
    }
    expect(cluster.leaders).toEqual([leader]);
  });

  test('does not end the start wait, which is promised to nobody in particular', () => {
    const host = one(RELEASE);
    host.core.disconnected(B, 1);
    expect(host.core.nextDeadline()).toBeGreaterThanOrEqual(L);
  });

  test.each([L, 3 * L])('does not call back a promise that is over: %s ms after the beat', (ms) => {
    const host = one(RELEASE, { ...IN_USE, term: 5 }, [A, B, { ip: C, priority: 2 }]);
    host.core.receivedBeat(beat(B, 5), 1);
    const due = host.core.nextDeadline();
    host.core.disconnected(B, 1 + ms);
    expect(host.core.nextDeadline()).toBe(due);
  });

  test('has followers come up one after the other', () => {
    const { cluster, leader, followers } = led();
    const dues = followers.map((ip) => {
      disconnect(cluster, ip, leader);
      return cluster.core(ip).nextDeadline() - cluster.now;
    });
    expect(dues.toSorted((a, b) => a - b)).toEqual([0, STAGGER]);
  });

  test('is not for the rules of Nacos', () => {
    const options = { ...RELEASE, rules: 'nacos' } as const;
    expect(refusal(() => one(options)).code).toBe('BAD_OPTION');
  });
});

describe('a leader that loses the connection to a follower (D17)', () => {
  test('leads no longer when it loses the majority that its lease rests on, at once', () => {
    const { cluster, leader, followers } = led();
    disconnect(cluster, leader, followers[0]);
    expect(cluster.leaders).toEqual([leader]);
    disconnect(cluster, leader, followers[1]);
    expect(cluster.host(leader).self.state).toBe('FOLLOWER');
    expect(cluster.host(leader).events.at(-1)).toMatch(/^leaderLost/);
  });

  /** Elected at 2 L; B acknowledged the beat of then, and the connection to C is lost when two more were sent. */
  function withoutC(): Host {
    const host = winner(2 * L, [A, B, C], RELEASE);
    host.core.receivedBeatReply(B, ack(2 * L), 2 * L);
    host.core.tick(2 * L + H);
    host.core.tick(2 * L + 2 * H);
    host.core.disconnected(C, 2 * L + 2 * H);
    return host;
  }

  test('ignores acknowledgements of beats that were sent before, or at that very moment', () => {
    const host = withoutC();
    for (const sentAt of [2 * L + H, 2 * L + 2 * H])
      host.core.receivedBeatReply(C, ack(sentAt), 2 * L + 2 * H);
    expect(host.core.isLeader(2 * L + LEASE - 0.01)).toBe(true);
    expect(host.core.isLeader(2 * L + LEASE)).toBe(false);
  });

  test('takes those of beats that were sent later', () => {
    const host = withoutC();
    host.core.tick(2 * L + 3 * H);
    host.core.receivedBeatReply(C, ack(2 * L + 3 * H), 2 * L + 3 * H);
    expect(host.core.isLeader(2 * L + 3 * H + LEASE - 0.01)).toBe(true);
  });

  test('remembers the loss when the members change', () => {
    const lease = new Lease(resolveTiming(TIMING));
    lease.begin(0, [B, C], [B, C], 1);
    lease.disconnected(B, 10);
    lease.changeMembers([B, C, D], [B, C, D], 2);
    lease.acknowledged(B, 10, 11);
    lease.acknowledged(C, 10, 11);
    expect(lease.gains(11)).toBe(false);
    lease.acknowledged(D, 10, 11);
    expect(lease.gains(11)).toBe(true);
  });

  test('… and its lease ends with what is left', () => {
    const host = winner(2 * L, [A, B, C], RELEASE);
    host.core.receivedBeatReply(B, ack(2 * L), 2 * L);
    host.core.tick(2 * L + H);
    host.core.receivedBeatReply(C, { ...ack(2 * L + H), ip: C }, 2 * L + H);
    host.core.disconnected(C, 2 * L + H);
    expect(host.core.isLeader(2 * L + LEASE - 0.01)).toBe(true);
    expect(host.core.isLeader(2 * L + LEASE)).toBe(false);
  });
});

describe('a linearizable read with releaseOnDisconnect', () => {
  /** When the newest beat to B was sent. */
  const newest = (bench: Bench): number => bench.requests('beat', B).at(-1)?.sentAt as number;

  /** A leader all of whose beats B has acknowledged. */
  function leading(): Bench {
    const bench = new Bench(RELEASE);
    bench.lead();
    bench.ack(B, '2/1');
    bench.cluster.run(H / 2);
    bench.ack(B, undefined, { sentAt: newest(bench) });
    return bench;
  }

  test('waits for a majority to acknowledge a beat that was sent after it', () => {
    const bench = leading();
    const before = newest(bench);
    bench.forget();
    const id = bench.read('k');
    expect(bench.requests('beat', B)).toHaveLength(1);
    bench.ack(B, undefined, { sentAt: before });
    expect(bench.told(id)).toBe('open');
    bench.ack(B);
    expect(bench.told(id)).toBe('read null');
  });

  test('shares a round of beats with those that come while one is under way', () => {
    const bench = leading();
    bench.forget();
    const first = bench.read('k');
    bench.cluster.run(1);
    const sentAt = newest(bench);
    const later = [bench.read('k'), bench.read('k')];
    expect(bench.requests('beat', B)).toHaveLength(1);
    bench.ack(B, undefined, { sentAt });
    expect([first, ...later].map((id) => bench.told(id))).toEqual(['read null', 'open', 'open']);
    expect(bench.requests('beat', B)).toHaveLength(2);
    bench.ack(C, undefined, { sentAt: newest(bench) });
    expect(later.map((id) => bench.told(id))).toEqual(['read null', 'read null']);
  });

  test('waits for the next beat when one was sent, and acknowledged, at the very moment of the call', () => {
    const bench = leading();
    bench.read('k');
    bench.ack(B);
    bench.forget();
    const id = bench.read('k');
    expect([bench.told(id), bench.requests('beat', B)]).toEqual(['open', []]);
    bench.cluster.run(H);
    bench.ack(B);
    expect(bench.told(id)).toBe('read null');
  });

  test('is answered at once by a peer that votes alone', () => {
    const bench = new Bench({ ...RELEASE, members: [A], stored: { ...IN_USE, term: 1 } as never });
    bench.cluster.run(L);
    expect(bench.told(bench.read('k'))).toBe('read null');
  });
});
