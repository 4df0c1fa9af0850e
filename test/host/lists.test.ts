import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Beats } from '../../src/core/messages.js';
import { FollowerHost } from '../../src/host/follower-host.js';
import { LeaderHost } from '../../src/host/leader-host.js';
import { LedGroups } from '../../src/host/led-groups.js';
import type { Seat } from '../../src/host/seat.js';
import { SEED } from '../node/messages.js';
import { A, L } from '../node/virtual.js';

/** As much of a seat as a list looks at. */
function seat(name: string, term = 1): Seat {
  return { name, ledVersion: 0, core: { peers: { self: { term } } } } as unknown as Seat;
}

function elect(seat: Seat, term: number): void {
  (seat.core.peers.self as { term: number }).term = term;
}

function beats(fields: Partial<Beats>): Beats {
  return {
    ip: A,
    process: 1,
    leaderTimeoutMs: L,
    sentAt: 0,
    since: 0,
    version: 1,
    led: [],
    unled: [],
    ...fields,
  };
}

const led = (...names: readonly string[]) => names.map((group) => ({ group, term: 1 }));

describe('the list of led groups', () => {
  test('is told whole to one who holds no version of it', () => {
    const list = new LedGroups();
    list.add(seat('a', 3));
    list.add(seat('b', 4));
    const whole = [
      { group: 'a', term: 3 },
      { group: 'b', term: 4 },
    ];
    expect(list.since(0)).toEqual({ since: 0, version: 2, led: whole, unled: [] });
  });

  test('is told to one who holds a version by what changed since, each group once, as it is now', () => {
    const list = new LedGroups();
    const [a, b, c] = [seat('a'), seat('b'), seat('c')] as const;
    for (const one of [a, b, c]) list.add(one);
    list.remove(a);
    list.remove(b);
    elect(b, 7);
    list.add(b);
    expect(list.since(3)).toEqual({ since: 3, version: 6, led: [{ group: 'b', term: 7 }], unled: ['a'] });
    expect(list.since(6)).toEqual({ since: 6, version: 6, led: [], unled: [] });
  });

  test('is told whole to one whose version is newer than any: it is of another process', () => {
    const list = new LedGroups();
    list.add(seat('a'));
    expect(list.since(2)).toMatchObject({ since: 0, version: 1, led: led('a') });
  });

  test('is told whole to one whose version is too old, and forgets no version that is young', () => {
    const list = new LedGroups();
    const one = seat('a');
    list.add(seat('b'));
    for (let round = 0; round < 5_000; round++) {
      const { version } = list;
      list.add(one);
      list.remove(one);
      expect(list.version).toBe(version + 2);
    }
    expect(list.since(1)).toMatchObject({ since: 0, led: led('b') });
    expect(list.since(list.version - 1)).toMatchObject({ since: list.version - 1, unled: ['a'] });
  });
});

describe('the list of another host', () => {
  /** A host that holds version 3 of the list of a and b, which follow. */
  function held(): LeaderHost {
    const host = new LeaderHost(A);
    expect(host.take(beats({ version: 3, led: led('a', 'b') }), (group) => group)).toBe(true);
    host.apart.clear();
    return host;
  }

  /** What `host` holds after these beats, of whom it takes leave, and who is apart. */
  function taken(host: LeaderHost, fields: Partial<Beats>) {
    const left: string[] = [];
    const counts = host.take(beats(fields), (group) => {
      left.push(group);
      return group;
    });
    const terms = ['a', 'b', 'c'].map((group) => host.termOf(group));
    return { counts, left, terms, apart: [...host.apart], version: host.version };
  }

  test('has each of its groups apart until its core has accepted a beat', () => {
    const host = new LeaderHost(A);
    expect(taken(host, { version: 3, led: led('a', 'b') })).toEqual({
      counts: true,
      left: ['a', 'b'],
      terms: [1, 1, null],
      apart: ['a', 'b'],
      version: 3,
    });
  });

  test('stays as it is with beats that bring no change', () => {
    expect(taken(held(), { since: 3, version: 3 })).toEqual({
      counts: true,
      left: [],
      terms: [1, 1, null],
      apart: [],
      version: 3,
    });
  });

  test('takes leave of what changes, and of nothing else', () => {
    const change = { since: 3, version: 6, led: [{ group: 'b', term: 2 }, ...led('c')], unled: ['a'] };
    expect(taken(held(), change)).toEqual({
      counts: true,
      left: ['a', 'b', 'c'],
      terms: [null, 2, 1],
      apart: ['b', 'c'],
      version: 6,
    });
    expect(taken(held(), { since: 3, version: 4, led: led('c') }).left).toEqual(['c']);
  });

  test('keeps a group that is unled and led in the same beats: it was left, and opened again', () => {
    const change = { since: 3, version: 5, led: [{ group: 'a', term: 2 }], unled: ['a'] };
    expect(taken(held(), change)).toMatchObject({ counts: true, terms: [2, 1, null], apart: ['a'] });
  });

  test('takes a change since an earlier version: it was repeated until it was answered', () => {
    expect(taken(held(), { since: 2, version: 4, led: led('b', 'c') })).toMatchObject({
      counts: true,
      left: ['c'],
      version: 4,
    });
  });

  test('does not count beats with a gap', () => {
    expect(taken(held(), { since: 4, version: 5, led: led('c') })).toMatchObject({
      counts: false,
      left: [],
      terms: [1, 1, null],
      version: 3,
    });
  });

  test('does not count beats of an older version, whole or not: they were overtaken', () => {
    for (const since of [0, 1])
      expect(taken(held(), { since, version: 2, led: led('c'), unled: ['a'] })).toMatchObject({
        counts: false,
        left: [],
        terms: [1, 1, null],
        version: 3,
      });
  });

  test('is replaced by a whole one that is newer, and what stays in its term goes on', () => {
    expect(taken(held(), { since: 0, version: 9, led: led('b', 'c') })).toEqual({
      counts: true,
      left: ['a', 'c'],
      terms: [null, 1, 1],
      apart: ['c'],
      version: 9,
    });
  });

  test('is forgotten when a new process sends beats, whatever their version', () => {
    for (const version of [2, 3, 4])
      expect(taken(held(), { process: 2, since: 0, version, led: led('b') })).toEqual({
        counts: true,
        left: ['a', 'b', 'b'],
        terms: [null, 1, null],
        apart: ['b'],
        version,
      });
    expect(taken(held(), { process: 2, since: 3, version: 3 })).toMatchObject({
      counts: false,
      left: ['a', 'b'],
      terms: [null, null, null],
      version: 0,
    });
  });

  test('comes to be that of the leader, whatever is lost, repeated or overtaken, as soon as beats count', () => {
    const seats = ['a', 'b', 'c', 'd'];
    const change = fc.record({
      name: fc.constantFrom(...seats),
      carry: fc.constantFrom('lose', 'now', 'late'),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
        const list = new LedGroups();
        const host = new LeaderHost(A);
        const all = new Map(seats.map((name) => [name, seat(name)]));
        const late: Beats[] = [];
        let term = 0;
        let version = 0;
        const deliver = (sent: Beats): void => {
          if (host.take(sent, (group) => group)) {
            for (const [name, { ledVersion }] of all) {
              if (sent.version !== list.version) continue;
              const known = all.get(name)!.core.peers.self.term;
              expect(host.termOf(name)).toBe(ledVersion > 0 ? known : null);
            }
          }
          version = Math.max(version, host.version);
        };
        for (const { name, carry } of changes) {
          const one = all.get(name)!;
          if (one.ledVersion > 0) list.remove(one);
          else {
            elect(one, ++term);
            list.add(one);
          }
          const sent = beats(list.since(version));
          if (carry === 'now') for (const each of [sent, ...late.splice(0), sent]) deliver(each);
          if (carry === 'late') late.push(sent);
        }
        deliver(beats(list.since(version)));
        for (const [name, { ledVersion, core }] of all)
          expect(host.termOf(name)).toBe(ledVersion > 0 ? core.peers.self.term : null);
      }),
      { seed: SEED },
    );
  });
});

describe('an answer to beats', () => {
  const answer = (fields: { process?: number; sentAt?: number; version?: number }) => ({
    process: 1,
    sentAt: 10,
    version: 5,
    refused: [],
    ...fields,
  });

  /** A host that has acknowledged the beat of 10, with version 5. */
  function heard(): FollowerHost {
    const host = new FollowerHost(A);
    expect(host.answered(answer({}), 5, 20)).toBe(true);
    host.accepted(10, 20, 1);
    return host;
  }

  test('counts if it is of the version that the beats had, and acknowledges no older one than before', () => {
    expect(heard().answered(answer({ sentAt: 11 }), 5, 21)).toBe(true);
    expect(heard().answered(answer({ sentAt: 10 }), 5, 21)).toBe(true);
    expect(heard().answered(answer({ sentAt: 11, version: 4 }), 5, 21)).toBe(false);
    expect(heard().answered(answer({ sentAt: 9 }), 5, 21)).toBe(false);
  });

  test('tells which version the host holds, unless it was overtaken', () => {
    const host = heard();
    host.answered(answer({ sentAt: 11, version: 3 }), 5, 21);
    expect(host.version).toBe(3);
    host.answered(answer({ sentAt: 9, version: 4 }), 4, 22);
    expect(host.version).toBe(3);
  });

  test('of a new process tells which version that holds, and does not count if its beat is older', () => {
    const host = heard();
    expect(host.answered(answer({ process: 2, sentAt: 9, version: 0 }), 5, 21)).toBe(false);
    expect(host.version).toBe(0);
    expect(heard().answered(answer({ process: 2, sentAt: 9 }), 5, 22)).toBe(false);
  });

  test('shows since when the host answers each beat', () => {
    const host = heard();
    expect(host.upSince).toBe(20);
    host.answered(answer({ sentAt: 30 }), 5, 31);
    expect(host.upSince).toBe(20);
    host.failed();
    expect(host.upSince).toBe(Number.POSITIVE_INFINITY);
    host.answered(answer({ sentAt: 40 }), 5, 41);
    expect(host.upSince).toBe(41);
  });

  test('makes the host steady after 2 L in which it answered each beat, as long as it is sent some', () => {
    const host = heard();
    expect(host.isSteady(20 + 2 * L, L)).toBe(false);
    host.accepted(30, 21 + L, 2);
    expect(host.isSteady(19 + 2 * L, L)).toBe(false);
    expect(host.isSteady(20 + 2 * L, L)).toBe(true);
    expect(host.isSteady(21 + 2 * L, L)).toBe(false);
    host.accepted(40, 21 + 2 * L, 3);
    expect(host.isSteady(22 + 2 * L, L)).toBe(true);
    host.failed();
    expect(host.isSteady(22 + 2 * L, L)).toBe(false);
  });

  test('is that of each group, in its term', () => {
    expect(heard().replyOf(7)).toMatchObject({
      ip: A,
      term: 7,
      requestTerm: 7,
      sentAt: 10,
      state: 'FOLLOWER',
    });
  });
});
