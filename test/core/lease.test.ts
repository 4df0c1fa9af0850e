import { describe, expect, test } from 'vitest';
import { Lease, mayGrant } from '../../src/core/lease.js';
import { resolveTiming } from '../../src/core/timing.js';
import { A, B, C, D, E, H, type Host, IN_USE, L, LEASE, peer, STAGGER, TIMING } from './cluster.js';
import { ack, candidate, leaderOf, requests, winner } from './support.js';

describe('lease', () => {
  test('it counts from the sending of the beat, for L(1 - rho)/(1 + rho)', () => {
    const host = winner(2 * L);
    host.core.receivedBeatReply(B, ack(2 * L), 2 * L + 300);
    expect(host.core.isLeader(2 * L + LEASE - 0.01)).toBe(true);
    expect(host.core.isLeader(2 * L + LEASE)).toBe(false);
  });

  test('what is left of it is told; a clock that goes back adds nothing', () => {
    const host = winner(2 * L);
    expect(host.core.leaseLeftMs(2 * L)).toBe(0);
    host.core.receivedBeatReply(B, ack(2 * L), 2 * L + 300);
    expect(host.core.leaseLeftMs(2 * L + 400)).toBeCloseTo(LEASE - 400, 6);
    expect(host.core.leaseLeftMs(2 * L)).toBeCloseTo(LEASE - 300, 6);
    expect(host.core.leaseLeftMs(2 * L + LEASE)).toBe(0);
    expect(host.core.leaseLeftMs(2 * L + 300)).toBe(0);
  });

  test('it counts from the majority-th newest acknowledgement', () => {
    const host = winner(2 * L, [A, B, C, D, E]);
    host.core.tick(2 * L + H);
    host.core.tick(2 * L + 2 * H);
    host.core.receivedBeatReply(B, ack(2 * L + 2 * H), 2 * L + 2 * H);
    expect(host.core.isLeader(2 * L + 2 * H)).toBe(false);
    host.core.receivedBeatReply(C, ack(2 * L), 2 * L + 2 * H);
    host.core.receivedBeatReply(D, ack(2 * L + H), 2 * L + 2 * H);
    expect(host.core.isLeader(2 * L + H + LEASE - 0.01)).toBe(true);
    expect(host.core.isLeader(2 * L + H + LEASE)).toBe(false);
  });

  test('a late acknowledgement of an earlier beat does not shorten it', () => {
    const host = winner(2 * L);
    host.core.tick(2 * L + H);
    host.core.receivedBeatReply(B, ack(2 * L + H), 2 * L + H);
    host.core.receivedBeatReply(B, ack(2 * L), 2 * L + H);
    expect(host.core.isLeader(2 * L + H + LEASE - 0.01)).toBe(true);
  });

  test('an acknowledgement of a beat of another term, of one not yet sent, or of none does not count', () => {
    const host = winner(2 * L);
    host.core.receivedBeatReply(B, { ...ack(2 * L, 5), term: 6 }, 2 * L);
    host.core.receivedBeatReply(B, ack(2 * L + 50), 2 * L);
    host.core.receivedBeatReply(B, { ...peer(B, { term: 6 }), requestTerm: 6 }, 2 * L);
    expect(host.core.isLeader(2 * L)).toBe(false);
    host.core.receivedBeatReply(B, ack(2 * L), 2 * L);
    expect(host.core.isLeader(2 * L)).toBe(true);
  });

  test('the table is empty at election: acknowledgements of a former leadership do not count', () => {
    const host = winner(2 * L);
    host.core.receivedBeatReply(B, ack(2 * L), 2 * L);
    host.core.receivedPeer(C, peer(C, { term: 8 }), 2 * L + 1);
    host.core.receivedTransfer({ peer: leaderOf(B, 8) }, 2 * L + 2);
    host.core.saved({ ...IN_USE, term: 9, voteFor: A }, 2 * L + 2);
    host.core.receivedVoteReply(C, { ...peer(C, { term: 9, voteFor: A }), granted: true }, 2 * L + 2);
    expect(host.self).toMatchObject({ state: 'LEADER', term: 9 });
    expect(host.core.isLeader(2 * L + 2)).toBe(false);
    host.core.receivedBeatReply(B, ack(2 * L, 6), 2 * L + 3);
    expect(host.core.isLeader(2 * L + 3)).toBe(false);
  });

  test('… nor do they make a majority together with one of the new leadership', () => {
    const host = winner(2 * L, [A, B, C, D, E]);
    for (const ip of [B, C]) host.core.receivedBeatReply(ip, ack(2 * L), 2 * L);
    expect(host.core.isLeader(2 * L)).toBe(true);
    host.core.receivedPeer(D, peer(D, { term: 8 }), 2 * L + 1);
    host.core.receivedTransfer({ peer: leaderOf(B, 8) }, 2 * L + 2);
    host.core.saved({ ...IN_USE, term: 9, voteFor: A }, 2 * L + 2);
    for (const ip of [D, E]) {
      host.core.receivedVoteReply(ip, { ...peer(ip, { term: 9, voteFor: A }), granted: true }, 2 * L + 2);
    }
    host.core.receivedBeatReply(D, ack(2 * L + 2, 9), 2 * L + 3);
    expect(host.self).toMatchObject({ state: 'LEADER', term: 9 });
    expect(host.core.isLeader(2 * L + 3)).toBe(false);
  });

  test('acknowledgements of observers do not count', () => {
    const host = winner(2 * L, [A, B, C, { ip: D, observer: true }]);
    host.core.receivedBeatReply(D, ack(2 * L), 2 * L);
    expect(host.core.isLeader(2 * L)).toBe(false);
  });

  test('what a peer acknowledged, or lost, before it was a member says nothing of it as a member', () => {
    const lease = new Lease(resolveTiming(TIMING));
    lease.begin(0, [B], [B], 1);
    lease.acknowledged(C, 5, 5);
    lease.disconnected(D, 10);
    lease.changeMembers([C, D], [C, D], 1);
    expect(lease.gains(10)).toBe(false);
    lease.acknowledged(D, 10, 10);
    expect(lease.gains(10)).toBe(true);
  });

  test('false after true stays so for the term, and the next input steps down', () => {
    const host = winner(2 * L);
    host.core.receivedBeatReply(B, ack(2 * L), 2 * L);
    expect(host.core.isLeader(3 * L)).toBe(false);
    expect(host.core.isLeader(2 * L + 1)).toBe(false);
    expect(host.self.state).toBe('LEADER');
    host.core.receivedBeatReply(C, ack(2 * L), 2 * L + 1);
    expect(host.self.state).toBe('FOLLOWER');
    expect(host.events.at(-1)).toBe('leaderLost a:1 6');
    expect(host.core.isLeader(2 * L + 1)).toBe(false);
  });

  test('false before the first lease is not false after true', () => {
    const host = winner(2 * L);
    expect(host.core.isLeader(2 * L + 1)).toBe(false);
    host.core.receivedBeatReply(B, ack(2 * L), 2 * L + 2);
    expect(host.core.isLeader(2 * L + 2)).toBe(true);
  });

  test('a lease that ended is not renewed by a waiting acknowledgement, nor by any other input', () => {
    const inputs: ((host: Host, now: number) => unknown)[] = [
      ({ core }, now) => core.receivedBeatReply(B, ack(now - 1), now),
      ({ core }, now) => core.tick(now),
      ({ core }, now) => core.receivedVote({ peer: candidate(C, 5) }, now),
      ({ core }, now) => core.saved({ ...IN_USE, term: 6, voteFor: A }, now),
      ({ core }, now) => core.receivedPeer(B, peer(B), now),
    ];
    for (const input of inputs) {
      const host = winner(2 * L);
      host.core.receivedBeatReply(B, ack(2 * L), 2 * L);
      const now = 2 * L + LEASE;
      input(host, now);
      expect(host.self.state).toBe('FOLLOWER');
      expect(host.core.isLeader(now)).toBe(false);
    }
  });

  test('a leader whose lease has ended sends no more beats', () => {
    const host = winner(2 * L);
    host.core.receivedBeatReply(B, ack(2 * L), 2 * L);
    host.core.takeOutputs();
    host.core.tick(2 * L + LEASE + 1);
    expect(requests(host)).toEqual([]);
  });

  test('a leader without a first lease within L of its election steps down', () => {
    const host = winner(2 * L);
    host.core.tick(3 * L - 1);
    expect(host.self.state).toBe('LEADER');
    host.core.tick(3 * L);
    expect(host.self.state).toBe('FOLLOWER');
    expect(host.events).toEqual(['leaderElectFinished 6']);
  });

  test('the core wants to be woken when the lease ends', () => {
    const host = winner(2 * L);
    host.core.receivedBeatReply(B, ack(2 * L), 2 * L);
    host.core.tick(2 * L + 9 * H);
    expect(host.core.nextDeadline()).toBe(2 * L + LEASE);
  });

  test('… and earlier by what the wall clock gained', () => {
    const host = winner(2 * L);
    host.core.receivedBeatReply(B, ack(2 * L), 2 * L);
    host.core.wallClockGained(LEASE - H / 2);
    expect(host.core.nextDeadline()).toBeCloseTo(2 * L + H / 2, 9);
  });

  test('an acknowledgement that comes when the lease that it gives is over makes no leader', () => {
    const late = winner(2 * L);
    late.core.receivedBeatReply(B, ack(2 * L), 2 * L + LEASE);
    expect(late.events).toEqual(['leaderElectFinished 6']);
    const timely = winner(2 * L);
    timely.core.receivedBeatReply(B, ack(2 * L), 2 * L + LEASE - 0.01);
    expect(timely.events).toEqual(['leaderElectFinished 6', 'makeLeader a:1 6']);
  });

  test('a leader that was heard may campaign again when its lease has ended; one that never was waits 2L', () => {
    const heard = winner(2 * L);
    heard.core.receivedBeatReply(B, ack(2 * L), 2 * L);
    heard.core.tick(3 * L);
    heard.core.takeOutputs();
    heard.core.tick(3 * L + 2 * STAGGER);
    expect(requests(heard)).toMatchObject([{ type: 'vote', preVote: true }]);
    const unheard = winner(2 * L);
    unheard.core.tick(3 * L);
    unheard.core.takeOutputs();
    for (let now = 3 * L; now < 5 * L; now += STAGGER) unheard.core.tick(now);
    expect(requests(unheard)).toEqual([]);
    for (let now = 5 * L; now <= 5 * L + 3 * STAGGER; now += STAGGER) unheard.core.tick(now);
    expect(requests(unheard)).toMatchObject([{ type: 'vote', preVote: true }]);
  });

  test('what the wall clock gained counts for the lease', () => {
    const host = winner(2 * L);
    host.core.receivedBeatReply(B, ack(2 * L), 2 * L);
    host.core.wallClockGained(LEASE - 10);
    expect(host.core.isLeader(2 * L + 9)).toBe(true);
    expect(host.core.isLeader(2 * L + 10)).toBe(false);
    const renewed = winner(2 * L);
    renewed.core.wallClockGained(50 * L);
    renewed.core.tick(2 * L + H);
    const sent = requests(renewed).flatMap((request) =>
      request.type === 'beat' ? [request.sentAt as number] : [],
    );
    renewed.core.receivedBeatReply(B, ack(sent.at(-1) as number), 2 * L + H + 1);
    expect(renewed.core.isLeader(2 * L + H + LEASE - 0.01)).toBe(true);
    expect(renewed.core.isLeader(2 * L + H + LEASE)).toBe(false);
  });

  test('a leader beats all members every H, and carries its L and the time of sending', () => {
    const host = winner(2 * L, [A, B, C, { ip: D, observer: true }]);
    host.core.takeOutputs();
    host.core.tick(2 * L + H - 0.1);
    expect(host.core.takeOutputs()).toEqual([]);
    host.core.tick(2 * L + H);
    expect(host.core.takeOutputs()).toMatchObject([
      {
        type: 'send',
        to: [B, C, D],
        request: {
          type: 'beat',
          datums: [],
          leaderTimeoutMs: L,
          sentAt: 2 * L + H,
          peer: { ip: A, state: 'LEADER', term: 6 },
        },
      },
    ]);
  });

  test('a peer never leads one term twice', () => {
    const host = winner(2 * L);
    host.core.receivedBeatReply(B, ack(2 * L), 2 * L);
    host.core.tick(3 * L);
    host.core.receivedVoteReply(C, { ...peer(C, { term: 6, voteFor: A }), granted: true }, 3 * L);
    host.core.saved({ ...IN_USE, term: 6, voteFor: A }, 3 * L);
    expect(host.self.state).toBe('FOLLOWER');
  });
});

describe('the one check before every grant', () => {
  const promise = { holder: B, until: 10 };
  const asks = (ip: string, transfer = false) => ({ ip, transfer });

  test('a promise holds until its end, and not at it', () => {
    expect(mayGrant(asks(C), promise, 0, 9.99)).toBe(false);
    expect(mayGrant(asks(C), promise, 0, 10)).toBe(true);
  });

  test('its holder and who was ordered by a leader need not wait for that', () => {
    expect(mayGrant(asks(B), promise, 0, 9)).toBe(true);
    expect(mayGrant(asks(C, true), promise, 0, 9)).toBe(true);
  });

  test('nobody is granted anything while the own lease lasts', () => {
    for (const request of [asks(B), asks(C, true)]) expect(mayGrant(request, promise, 0.01, 11)).toBe(false);
    expect(mayGrant(asks(C), promise, -1, 11)).toBe(true);
  });
});
