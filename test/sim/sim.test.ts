import { RaftError, RaftNode, type RaftNodeOptions } from 'raftbeat';
import {
  FAULT_KINDS,
  formatReport,
  type SimNodeClass,
  type SimOptions,
  type SimReport,
  shrink,
  simulate,
} from 'raftbeat/testing';
import { describe, expect, test } from 'vitest';
import type { Batch } from '../../src/core/datum.js';
import type { Revision } from '../../src/core/messages.js';
import { Ballots } from '../../src/testing/sim/ballots.js';
import { BeatLists } from '../../src/testing/sim/beat-lists.js';
import type { CheckName } from '../../src/testing/sim/checks.js';
import { HeldData } from '../../src/testing/sim/held-data.js';
import { Ledger } from '../../src/testing/sim/ledger.js';
import { Promises } from '../../src/testing/sim/promises.js';
import { Records } from '../../src/testing/sim/records.js';
import { Scheduler } from '../../src/testing/sim/scheduler.js';

/** Notes which checks failed. */
function notes(): { readonly seen: CheckName[]; readonly report: (check: CheckName) => void } {
  const seen: CheckName[] = [];
  return { seen, report: (check) => void seen.push(check) };
}

/** A node that says whatever a test wants it to. */
function nodeThat(change: (node: RaftNode) => void): SimNodeClass {
  return class extends RaftNode {
    constructor(options: RaftNodeOptions) {
      super(options);
      change(this);
    }
  };
}

const NOTHING = { term: 0, seq: 0 };
const NO_BASE = { revision: NOTHING, stampFloor: 0, datums: new Map() };

/** A batch that publishes `value` under `key`. */
function batch(term: number, seq: number, value: string): Batch {
  return { revision: { term, seq }, ops: [{ key: 'key', value: JSON.stringify(value), timestamp: seq }] };
}

/** Each of `ips` makes `added` durable behind `behind`. */
function save(ledger: Ledger, ips: readonly string[], added: Batch, behind: Revision): void {
  for (const ip of ips) {
    ledger.appended(ip, added, behind);
    ledger.durable(ip, { append: [added] });
  }
}

describe('a run', () => {
  test('is the same, event for event, when it is repeated with its seed', async () => {
    for (const peers of [3, 5]) {
      const first = await simulate({ seed: 11, peers });
      const second = await simulate({ seed: 11, peers });
      expect(second).toEqual(first);
      expect(first.events).toBeGreaterThan(1_000);
    }
    const first = await simulate({ seed: 11, registry: true });
    expect(await simulate({ seed: 11, registry: true })).toEqual(first);
    const groups = await simulate({ seed: 11, groups: 3 });
    expect(await simulate({ seed: 11, groups: 3, schedule: groups.schedule })).toEqual(groups);
  });

  test('is another one with another seed', async () => {
    const { hash } = await simulate({ seed: 1 });
    expect((await simulate({ seed: 2 })).hash).not.toBe(hash);
  });

  test('is the same with the schedule that its report gives', async () => {
    const first = await simulate({ seed: 5, peers: 5 });
    const second = await simulate({ seed: 5, peers: 5, schedule: first.schedule });
    expect(second.hash).toBe(first.hash);
  });

  test('keeps all rules when beats are published, and is another one then', async () => {
    for (const registry of [false, true]) {
      const options = { seed: 12, registry };
      const { violations, hash, elections } = await simulate({ ...options, broadcasts: true });
      expect(violations).toEqual([]);
      expect(elections).toBeGreaterThan(1);
      expect((await simulate(options)).hash).not.toBe(hash);
    }
  });

  test('without faults elects once', async () => {
    const { elections, violations } = await simulate({ seed: 3, faults: [], peers: 5, observers: 1 });
    expect({ elections, violations }).toEqual({ elections: 1, violations: [] });
  });

  test('elects once when messages take as long as they may, too', async () => {
    const slow = await simulate({ seed: 3, faults: [], leaderTimeoutMs: 2_000, latencyMs: 25 });
    expect(slow.cluster).toContain('L 2000 ms');
    expect(slow.cluster).toContain('latency from 25 ms');
    expect({ elections: slow.elections, violations: slow.violations }).toEqual({
      elections: 1,
      violations: [],
    });
  });

  test('has faults of every kind', async () => {
    const kinds = new Set<string>();
    for (let seed = 1; seed <= 20; seed++) {
      const { schedule } = await simulate({ seed, groups: seed % 2 });
      for (const { kind } of schedule) kinds.add(kind);
    }
    expect([...kinds].toSorted()).toEqual([...FAULT_KINDS].toSorted());
  });
});

/** A run in which nothing is seen broken. */
async function unbroken(options: SimOptions): Promise<SimReport> {
  const report = await simulate(options);
  expect(report.violations, formatReport(report)).toEqual([]);
  return report;
}

describe('under all faults nothing is seen broken', () => {
  test.each([
    [3, 1, 120],
    [5, 1_001, 60],
    [7, 2_001, 20],
  ])('with %i peers, from seed %i on, %i seeds', async (peers, from, count) => {
    for (let seed = from; seed < from + count; seed++) {
      await unbroken({ seed, peers });
    }
  });
});

describe('under all faults nothing is seen broken where peers keep data', () => {
  test.each([
    [3, 1, 30],
    [5, 1_001, 15],
    [7, 2_001, 5],
  ])('with %i peers, from seed %i on, %i seeds', async (peers, from, count) => {
    let catchUps = 0;
    for (let seed = from; seed < from + count; seed++) {
      const report = await unbroken({ seed, peers, registry: true });
      catchUps += report.data?.catchUps ?? 0;
    }
    expect(catchUps).toBeGreaterThan(0);
  });
});

describe('under all faults nothing is seen broken in any group of hosts', () => {
  test.each([
    [3, 1, 40],
    [5, 1_001, 20],
    [7, 2_001, 6],
  ])('with %i hosts, from seed %i on, %i seeds', async (peers, from, count) => {
    for (let seed = from; seed < from + count; seed++) {
      await unbroken({ seed, peers, groups: 1 + (seed % 6) });
    }
  });
});

describe('clocks that are worse than the peers count on', () => {
  test('make two leaders at a time, and break nothing else', async () => {
    const seen = new Set<CheckName>();
    for (let seed = 1; seed <= 40; seed++) {
      const report = await simulate({
        seed,
        peers: 3,
        clockError: 0.5,
        allowed: ['S2'],
        faults: TIME_FAULTS,
      });
      for (const { check } of report.violations) seen.add(check);
    }
    expect([...seen]).toEqual(['S2']);
  });
});

const TIME_FAULTS = ['isolate', 'mute', 'deafen', 'cut', 'crash', 'drift', 'weather'] as const;

describe('peers that release on disconnect (D17)', () => {
  test('replace a leader that crashes in a fraction of the time that others take', async () => {
    const medianMs = async (releaseOnDisconnect: boolean): Promise<number> => {
      const delays: number[] = [];
      for (let seed = 1; seed <= 20; seed++) {
        const crash = { kind: 'crash', at: 5_000, ms: 5_000, peer: 'leader', other: 1, choice: 0.5 } as const;
        const report = await simulate({
          seed,
          peers: 3,
          observers: 0,
          releaseOnDisconnect,
          schedule: [crash],
        });
        expect(report.violations).toEqual([]);
        const next = report.timeline.find(({ at, what }) => at > crash.at && what.startsWith('wins'));
        delays.push((next?.at ?? Number.NaN) - crash.at);
      }
      return delays.toSorted((a, b) => a - b)[10] ?? Number.NaN;
    };
    expect(await medianMs(true)).toBeLessThan((await medianMs(false)) / 5);
  });

  test('keep them under all other faults, with data, too', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const registry = seed % 10 === 0;
      const report = await simulate({ seed, peers: 5, registry, releaseOnDisconnect: true });
      expect(report.violations).toEqual([]);
    }
  });
});

describe('each check fires', () => {
  test('S1, when two win a term, and when one wins without the votes', () => {
    const { seen, report } = notes();
    const ballots = new Ballots(report, () => new Set(['a', 'b', 'c']));
    const granted = {
      ip: '',
      voteFor: 'a',
      term: 1,
      leaderDueMs: 0,
      heartbeatDueMs: 0,
      state: 'FOLLOWER',
      granted: true,
    } as const;
    ballots.asks('a', 7, 1, 0);
    ballots.answered('a', 'b', { ...granted, round: 7 });
    ballots.campaigns('a', 1, false);
    ballots.answered('a', 'b', granted);
    ballots.won('a', 1);
    expect(seen).toEqual([]);
    ballots.won('b', 1);
    expect(seen).toEqual(['S1', 'S1']);
  });

  test('S2, when a leader has no majority bound to it, and when one who is bound votes for another', () => {
    const { seen, report } = notes();
    const promises = new Promises(report, 0);
    const voters = new Set(['a', 'b', 'c']);
    promises.acknowledged('b', 'a', { at: 0, order: 1 }, 100);
    promises.leads('a', voters, 100);
    promises.granted('b', 'c', 'votes for', 100);
    expect(seen).toEqual([]);
    promises.leads('a', voters, 101);
    promises.granted('b', 'c', 'votes for', 99);
    expect(seen).toEqual(['S2', 'S2']);
  });

  test('S2, when two say at the same time that they lead', async () => {
    const liar = nodeThat((node) => {
      node.isLeader = () => node.state === 'LEADER';
    });
    const checks = new Set<CheckName>();
    for (let seed = 1; seed <= 5; seed++) {
      const { violations } = await simulate({ seed, nodes: liar });
      for (const { check } of violations) checks.add(check);
    }
    expect([...checks]).toEqual(['S2']);
  });

  test('S2 not for a grant that waited for other groups, and was told after a later promise', () => {
    const { seen, report } = notes();
    const promises = new Promises(report, 0);
    promises.acknowledged('b', 'a', { at: 10, order: 2 }, 100);
    promises.granted('b', 'c', 'votes for', 20, 1);
    promises.acknowledged('b', 'c', { at: 5, order: 1 }, 100);
    expect(seen).toEqual([]);
    promises.granted('b', 'c', 'votes for', 20, 3);
    expect(seen).toEqual(['S2']);
  });

  test('S2 not for a grant to one whose beat is not answered yet', () => {
    const { seen, report } = notes();
    const promises = new Promises(report, 0);
    promises.acknowledged('b', 'a', { at: 0, order: 1 }, 100);
    promises.waits('b', 'c', { at: 10, order: 2 });
    promises.granted('b', 'c', 'votes for', 20, 3);
    expect(seen).toEqual([]);
    promises.waitsNoMore('b', { at: 10, order: 2 });
    promises.granted('b', 'c', 'votes for', 20, 3);
    expect(seen).toEqual(['S2']);
  });

  test('S3 and S4, when a host accepts a beat of a term that is over, and of one that it has not saved', () => {
    const { seen, report } = notes();
    const records = new Records(report);
    const saved = { term: 2, voteFor: null };
    records.told('a', saved, saved);
    records.accepted('a', 1, saved, null);
    expect(seen).toEqual([]);
    records.accepted('a', 1, saved, records.toldBy('a'));
    records.accepted('a', 3, saved, records.toldBy('a'));
    expect(seen).toEqual(['S3', 'S4']);
  });

  test('ERROR, when a host sends two lists of one version, or changes of one that it never sent', () => {
    const { seen, report } = notes();
    const lists = new BeatLists(report);
    const beats = { ip: 'a', process: 1, leaderTimeoutMs: 500, sentAt: 0, since: 0, version: 1, unled: [] };
    lists.sent({ ...beats, led: [{ group: 'g', term: 1 }] });
    lists.sent({ ...beats, since: 1, version: 2, led: [{ group: 'h', term: 4 }], unled: ['g'] });
    expect(seen).toEqual([]);
    expect([...lists.of({ ...beats, version: 2, led: [] })]).toEqual([['h', 4]]);
    lists.sent({ ...beats, version: 2, led: [] });
    lists.sent({ ...beats, since: 7, version: 8, led: [] });
    expect(seen).toEqual(['ERROR', 'ERROR']);
  });

  test('S3, when a term decreases', () => {
    const { seen, report } = notes();
    const records = new Records(report);
    records.saved('a', { term: 2, voteFor: null, promisedMs: 0 });
    records.saved('a', { term: 1, voteFor: null, promisedMs: 0 });
    expect(seen).toEqual(['S3']);
    records.forget('a');
    records.saved('a', { term: 0, voteFor: null, promisedMs: 0 });
    expect(seen).toEqual(['S3']);
  });

  test('S4, when a vote changes within a term, and when it is told before it is saved', () => {
    const { seen, report } = notes();
    const records = new Records(report);
    records.told('a', { term: 1, voteFor: 'b' }, { term: 1, voteFor: 'b' });
    records.told('a', { term: 1, voteFor: 'c' }, { term: 1, voteFor: 'c' });
    expect(seen).toEqual(['S4']);
    records.told('d', { term: 1, voteFor: 'b' }, { term: 1, voteFor: null });
    expect(seen).toEqual(['S4', 'S4']);
  });

  test('L1, when nobody leads after the faults', async () => {
    const shy = nodeThat((node) => {
      Object.defineProperty(node, 'leader', { value: null });
    });
    const { violations } = await simulate({ seed: 1, nodes: shy, faults: [] });
    expect(violations.map(({ check }) => check)).toEqual(['L1']);
  });

  test('L2, when a term is raised without pre-votes', () => {
    const { seen, report } = notes();
    const ballots = new Ballots(report, () => new Set(['a', 'b', 'c']));
    ballots.ordered('a', 3);
    ballots.campaigns('a', 4, true);
    ballots.isIn('b', 4);
    expect(seen).toEqual([]);
    ballots.isIn('b', 5);
    ballots.campaigns('a', 5, false);
    expect(seen).toEqual(['L2', 'L2']);
  });

  test('COMMIT, when two batches are committed at one place, and one that no majority has saved', () => {
    const { seen, report } = notes();
    const ledger = new Ledger(report, new Set(['a', 'b', 'c']), undefined);
    save(ledger, ['a', 'b'], batch(1, 1, 'x'), NOTHING);
    ledger.committed('a', { term: 1, seq: 1 }, 1);
    save(ledger, ['a', 'b'], batch(1, 2, 'y'), { term: 1, seq: 1 });
    expect(seen).toEqual([]);
    ledger.committed('b', { term: 2, seq: 1 }, 2);
    save(ledger, ['a'], batch(1, 3, 'z'), { term: 1, seq: 2 });
    ledger.committed('a', { term: 1, seq: 3 }, 1);
    expect(seen).toEqual(['COMMIT', 'COMMIT']);
  });

  test('COMMIT, when one leads a later term without what is committed', () => {
    const { seen, report } = notes();
    const ledger = new Ledger(report, new Set(['a', 'b', 'c']), undefined);
    save(ledger, ['a', 'b'], batch(1, 1, 'x'), NOTHING);
    ledger.committed('a', { term: 1, seq: 1 }, 1);
    ledger.won('c', 1, new HeldData());
    expect(seen).toEqual([]);
    ledger.won('c', 2, new HeldData());
    expect(seen).toEqual(['COMMIT']);
  });

  test('BASE, when one takes over a base of a revision that has another', () => {
    const { seen, report } = notes();
    const ledger = new Ledger(report, new Set(['a']), undefined);
    save(ledger, ['a'], batch(1, 1, 'x'), NOTHING);
    ledger.committed('a', { term: 1, seq: 1 }, 1);
    const held = new HeldData({ base: NO_BASE, tail: [batch(1, 1, 'x')] });
    held.fold(1);
    ledger.takes('b', held.copyBase(), 1);
    expect(seen).toEqual([]);
    ledger.takes('b', { ...held.copyBase(), stampFloor: 7 }, 1);
    expect(seen).toEqual(['BASE']);
  });

  test('OUTCOME, when a write failed for certain or was acknowledged, and it is not so', () => {
    const { seen, report } = notes();
    const ledger = new Ledger(report, new Set(['a']), undefined);
    save(ledger, ['a'], batch(1, 1, 'x'), NOTHING);
    ledger.failed('a', 'x', 'NO_LEADER');
    ledger.acknowledged('a', 'key', 'x', 1, { term: 1, seq: 1 });
    expect(seen).toEqual(['OUTCOME', 'OUTCOME']);
    ledger.committed('a', { term: 1, seq: 1 }, 1);
    ledger.acknowledged('a', 'key', 'x', 1, { term: 1, seq: 1 });
    expect(seen).toHaveLength(2);
  });

  test('LISTEN, when a change is told twice', async () => {
    const twice = nodeThat((node) => {
      const listen = node.listen.bind(node);
      node.listen = (pattern, listener) => {
        listen(pattern, listener);
        listen(pattern, listener);
      };
    });
    const { violations } = await simulate({ seed: 1, nodes: twice, faults: [], registry: true });
    expect(violations.map(({ check }) => check)).toEqual(['LISTEN']);
  });

  test('LINEAR, when a read may lag', async () => {
    const lagging = nodeThat((node) => {
      node.readDatum = async (key) => node.getDatum(key);
    });
    const checks = new Set<CheckName>();
    for (let seed = 1; seed <= 5; seed++) {
      const { violations } = await simulate({ seed, nodes: lagging, registry: true });
      for (const { check } of violations) checks.add(check);
    }
    expect([...checks]).toEqual(['LINEAR']);
  });

  test('L3, when writes do not succeed after the faults', async () => {
    const full = nodeThat((node) => {
      node.publish = () => Promise.reject(new RaftError('BUSY', 'always'));
    });
    const { violations } = await simulate({ seed: 1, nodes: full, faults: [], registry: true });
    expect(violations.map(({ check }) => check)).toEqual(['L3']);
  });

  test('ERROR, when a rejection is not handled', async () => {
    const careless = nodeThat((node) => {
      node.on('makeLeader', () => void Promise.reject(new Error('nobody handles this')));
    });
    const { violations } = await simulate({ seed: 1, nodes: careless, faults: [] });
    expect(violations.map(({ check }) => check)).toEqual(['ERROR']);
  });
});

describe('a failing run', () => {
  test('is shrunk to few faults, and fails in the same way when it is repeated', async () => {
    const forgetful = nodeThat((node) => {
      node.isLeader = () => node.state === 'LEADER';
    });
    const options = { seed: 1, nodes: forgetful };
    const report = await simulate(options);
    const shrunk = await shrink(options, report);
    expect(shrunk.report.schedule.length).toBeLessThanOrEqual(3);
    expect(shrunk.report.violations.map(({ check }) => check)).toEqual(
      report.violations.map(({ check }) => check),
    );
    expect((await simulate(shrunk.options)).hash).toBe(shrunk.report.hash);
    expect(formatReport(shrunk.report)).toContain('seed 1: S2 at');
  });
});

describe('the scheduler', () => {
  test('takes what is due in order, and in the order of scheduling at equal times', () => {
    const scheduler = new Scheduler();
    const order: number[] = [];
    for (const at of [5, 1, 3, 1, 4]) scheduler.at(at, () => void order.push(at * 10 + order.length));
    while (scheduler.next < Number.POSITIVE_INFINITY) scheduler.take()();
    expect(order.map((entry) => Math.floor(entry / 10))).toEqual([1, 1, 3, 4, 5]);
    expect(scheduler.now).toBe(5);
  });
});
