import { RaftError, type RaftRequest } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import type { RaftCore } from '../../src/core/core.js';
import { HostBeats } from '../../src/host/beats.js';
import { LeaderHost } from '../../src/host/leader-host.js';
import { Outbox } from '../../src/host/outbox.js';
import { Seat, type SeatHost } from '../../src/host/seat.js';
import type { Requests } from '../../src/node/requests.js';
import { forbidUnhandledRejections, settle } from '../node/virtual.js';

forbidUnhandledRejections();

/** A seat of its own, whose host does nothing but what a test gives it. */
function seatOf(core: object, host: Partial<SeatHost> = {}): Seat {
  const listener = { tell: () => {} };
  return new Seat('g', core as RaftCore, { changed: () => {}, ...host } as SeatHost, listener);
}

/** Requests that note who is asked what, and end as a test says. */
function noted() {
  const begun: { to: string; request: RaftRequest; answered: (raw: unknown) => void }[] = [];
  const begin = (to: string, request: RaftRequest, answered: (raw: unknown) => void): void => {
    begun.push({ to, request, answered });
  };
  return { begun, requests: { begin } as unknown as Requests };
}

describe('a core that refuses what it is told', () => {
  const failures: RaftError[] = [];
  const beats = new HostBeats({
    ip: 'a:1',
    others: ['b:1'],
    process: 1,
    leaderTimeoutMs: 500,
    requests: noted().requests,
    now: () => 1,
    aheadMs: () => 0,
    seatOf: () => undefined,
    endLeases: () => {},
    failed: (error) => failures.push(error),
  });

  test('is a bug, which ends its host and is thrown at nobody', () => {
    const core = {
      peers: { self: { state: 'LEADER' } },
      receivedBeat: () => {
        throw new RaftError('OUT_OF_DATE', 'never');
      },
      isLeader: () => true,
    };
    const seat = seatOf(core, { now: () => 1, tell: (told) => beats.tell(told) });
    seat.follows = new LeaderHost('b:1');
    seat.follows.news = 1;
    expect(() => seat.isLeader()).not.toThrow();
    expect(failures).toMatchObject([{ code: 'INTERNAL', cause: { code: 'OUT_OF_DATE' } }]);
  });

  test('is given no further input: its host is closed by then', () => {
    const host: { seat: Seat | null } = { seat: null };
    let inputs = 0;
    host.seat = seatOf({}, { tell: () => host.seat?.close() });
    expect(() => host.seat?.submit(() => inputs++)).toThrow('does not run');
    expect(inputs).toBe(0);
  });
});

describe('what waits to be sent', () => {
  const outboxOf = (requests: Requests) =>
    new Outbox({
      requests,
      others: ['b:1'],
      voters: ['b:1'],
      needed: 1,
      pauseMs: 100,
      now: () => 1,
      changed: () => {},
    });

  test('goes out together at the end of its turn, and not at all when the host has stopped', async () => {
    const { begun, requests } = noted();
    const outbox = outboxOf(requests);
    for (const id of [1, 2]) outbox.put('b:1', seatOf({}), { type: 'peer', id });
    await settle();
    expect(begun.map(({ request }) => request.type === 'groups' && request.requests.length)).toEqual([2]);
    outbox.put('b:1', seatOf({}), { type: 'peer' });
    outbox.stop();
    await settle();
    expect(begun).toHaveLength(1);
  });
});
