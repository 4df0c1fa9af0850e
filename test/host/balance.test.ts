import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Move, movesOf } from '../../src/host/balance.js';
import { FollowerHost } from '../../src/host/follower-host.js';
import type { Seat } from '../../src/host/seat.js';
import { SEED } from '../node/messages.js';
import { A, B, C, H, L, LOSE } from '../node/virtual.js';
import { checkHosts, HostLab, leads } from './lab.js';

checkHosts();

const IPS = ['a:1', 'b:1', 'c:1', 'd:1', 'e:1', 'f:1', 'g:1'];

interface Known {
  readonly priority?: number;
  readonly count: number;
  /** Whether it has answered for long enough. @default true */
  readonly isSteady?: boolean;
}

/** What the host `at` hands over, if hosts lead as many groups as they do. */
function moves(hosts: readonly Known[], at: number): readonly Move[] {
  const able = hosts.map(({ priority = 1 }, host) => ({ ip: IPS[host]!, priority, observer: false }));
  const steady = able.filter((_, host) => host !== at && hosts[host]!.isSteady !== false);
  return movesOf({
    ip: IPS[at]!,
    able: able.filter(({ priority }) => priority > 0),
    steady: steady.map(({ ip }) => new FollowerHost(ip)),
    counts: new Map(hosts.map(({ count }, host) => [IPS[host]!, count])),
    led: Array.from({ length: hosts[at]!.count }, () => ({ isSaving: false }) as unknown as Seat),
  });
}

/** How many groups each leads when all have made their moves at once. */
function moved(hosts: readonly Known[]): readonly Known[] {
  const counts = hosts.map(({ count }) => count);
  for (const at of hosts.keys()) {
    for (const { to } of moves(hosts, at)) {
      counts[at]!--;
      counts[IPS.indexOf(to)]!++;
    }
  }
  return hosts.map((host, at) => ({ ...host, count: counts[at]! }));
}

const counts = (hosts: readonly Known[]) => hosts.map(({ count }) => count);
const leading = (...each: readonly number[]): readonly Known[] => each.map((count) => ({ count }));

describe('the moves of a host', () => {
  test('of all hosts at once leave nobody with more than its share, or with less if none are left over', () => {
    const hosts = fc.array(fc.nat(60), { minLength: 1, maxLength: IPS.length });
    fc.assert(
      fc.property(hosts, (each) => {
        const share = each.reduce((sum, count) => sum + count, 0) / each.length;
        const after = counts(moved(leading(...each)));
        expect(Math.max(...after)).toBeLessThanOrEqual(Math.ceil(share));
        expect(Math.min(...after)).toBeGreaterThanOrEqual(Math.floor(share));
      }),
      { seed: SEED, examples: [[[4, 4, 4, 4, 2]], [[5, 5, 0]], [[60]], [[60, 0, 0, 0, 0, 0, 0]]] },
    );
  });

  test('move no more than is needed for that, and nothing once it is so', () => {
    const hosts = fc.array(fc.nat(60), { minLength: 1, maxLength: IPS.length });
    fc.assert(
      fc.property(hosts, (each) => {
        const all = leading(...each);
        const after = moved(all);
        const share = each.reduce((sum, count) => sum + count, 0) / each.length;
        const above = each.reduce((sum, count) => sum + Math.max(0, count - Math.ceil(share)), 0);
        const below = each.reduce((sum, count) => sum + Math.max(0, Math.floor(share) - count), 0);
        const done = all.flatMap((_, at) => moves(all, at)).length;
        expect(done).toBe(Math.max(above, below));
        expect(counts(moved(after))).toEqual(counts(after));
      }),
      { seed: SEED },
    );
  });

  test('are at most a hundred at a time, and the rest follows', () => {
    let hosts = leading(900, 0, 0);
    expect(moves(hosts, 0).length).toBe(100);
    for (let round = 0; round < 6; round++) hosts = moved(hosts);
    expect(counts(hosts)).toEqual([300, 300, 300]);
  });

  test('go to the hosts of the highest priority that are there, all of them', () => {
    const hosts = [
      { priority: 1, count: 6 },
      { priority: 5, count: 0 },
      { priority: 5, count: 2 },
      { priority: 9, count: 0, isSteady: false },
    ];
    expect(counts(moved(hosts))).toEqual([0, 4, 4, 0]);
  });

  test('spare a host of a lower priority that already leads nothing', () => {
    expect(
      counts(
        moved([
          { priority: 1, count: 0 },
          { priority: 2, count: 7 },
        ]),
      ),
    ).toEqual([0, 7]);
  });

  test('give nothing to a host of priority 0', () => {
    expect(counts(moved([{ count: 9 }, { priority: 0, count: 0 }, { count: 0 }]))).toEqual([5, 0, 4]);
  });

  test('give nothing to a host that is not steady, and share among those that are', () => {
    expect(counts(moved([{ count: 9 }, { count: 0, isSteady: false }, { count: 1 }]))).toEqual([5, 0, 5]);
    expect(moves([{ count: 9 }, { count: 0, isSteady: false }], 0)).toEqual([]);
  });

  test('leave out groups that are being saved, and those of which the other has accepted no beat', () => {
    const steady = [new FollowerHost(B)];
    const led = Array.from({ length: 4 }, (_, at) => ({ isSaving: at === 0 }) as unknown as Seat);
    steady[0]!.apart.add(led[1]!);
    const able = [A, B].map((ip) => ({ ip, priority: 1, observer: false }));
    const made = movesOf({ ip: A, able, steady, counts: new Map([[A, 4]]), led });
    expect(made).toEqual([
      { seat: led[2], to: B },
      { seat: led[3], to: B },
    ]);
  });
});

describe('hosts', () => {
  const options = { groups: 12 };

  test('of the highest priority come to lead all groups, and those of priority 0 never lead one', async () => {
    const members = [
      { ip: A, priority: 5 },
      { ip: B, priority: 5 },
      { ip: C, priority: 0 },
    ];
    const hosts = new HostLab(members, options);
    await hosts.elect();
    await hosts.until(() => hosts.sites.map(({ raft }) => leads(raft).length).join() === '6,6,0', 20 * L);
    expect(hosts.site(A).events.some((event) => event.includes(`makeLeader ${C}`))).toBe(false);
  });

  test('that observe know all leaders, and lead nothing', async () => {
    const hosts = new HostLab([A, B, { ip: C, observer: true }], options);
    await hosts.spread().catch(() => {});
    expect(hosts.isLed()).toBe(true);
    expect(hosts.sites.map(({ raft }) => leads(raft).length)).toEqual([6, 6, 0]);
  });

  test('hand over nothing without `balance`', async () => {
    const hosts = new HostLab([A, B, C], { ...options, balance: false });
    await hosts.site(A).raft.start();
    await hosts.site(B).raft.start();
    await hosts.until(() => hosts.isLed([hosts.site(A), hosts.site(B)]));
    await hosts.site(C).raft.start();
    await hosts.advance(10 * L);
    expect(leads(hosts.site(C).raft)).toEqual([]);
  });

  test('give nothing to one that does not answer each beat', async () => {
    const hosts = new HostLab([A, B, C], options);
    await hosts.site(A).raft.start();
    await hosts.site(B).raft.start();
    await hosts.until(() => hosts.isLed([hosts.site(A), hosts.site(B)]));
    let beats = 0;
    const heal = hosts.network.treat((_, to, { type }) => {
      if (to !== C || type !== 'beats') return null;
      beats++;
      return Math.floor(hosts.now / H) % 15 === 0 ? LOSE : null;
    });
    await hosts.site(C).raft.start();
    await hosts.advance(10 * L);
    expect(beats).toBeGreaterThan(100);
    expect(leads(hosts.site(C).raft)).toEqual([]);
    heal();
    await hosts.until(() => hosts.isEven(), 10 * L);
  });
});
