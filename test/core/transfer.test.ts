import { describe, expect, test } from 'vitest';
import { A, B, C, Cluster, H, type Host, IN_USE, L, LATENCY, TIMING } from './cluster.js';
import { beat, candidate, leaderOf, one, refusal, requests, winner } from './support.js';

describe('transfer and resign', () => {
  function ledCluster(members: ConstructorParameters<typeof Cluster>[0] = [A, B, C]) {
    const cluster = new Cluster(members);
    const leader = cluster.elect();
    cluster.run(L / 2);
    return { cluster, leader, core: cluster.core(leader), others: cluster.ips.filter((ip) => ip !== leader) };
  }

  test('a hand-over takes about two round trips', () => {
    const { cluster, leader, core } = ledCluster();
    const target = core.resign(cluster.now);
    expect(core.isLeader(cluster.now)).toBe(false);
    cluster.carryOut(leader);
    expect(cluster.runUntil(() => cluster.leaders.length === 1)).toBeLessThanOrEqual(6 * LATENCY);
    expect(cluster.leaders).toEqual([target]);
    expect(cluster.host(target).self.term).toBe(2);
  });

  test('lease and state are given up before the order is queued, and leaderLost tells so', () => {
    const { cluster, leader, core, others } = ledCluster();
    core.takeOutputs();
    core.resign(cluster.now, others[1]);
    expect(core.peers.self.state).toBe('FOLLOWER');
    expect(cluster.host(leader).events.at(-1)).toBe(`leaderLost ${leader} 1`);
    expect(core.takeOutputs()).toMatchObject([
      { type: 'send', to: [others[1]], request: { type: 'transfer', peer: { ip: leader, term: 1 } } },
    ]);
  });

  test('without a name it goes to the voter that acknowledged last', () => {
    const { cluster, leader, core, others } = ledCluster();
    cluster.isolate(others[0] as string);
    cluster.run(3 * H);
    expect(core.resign(cluster.now)).toBe(others[1]);
    expect(leader).not.toBe(others[1]);
  });

  test('the old leader does not campaign for 2 L', () => {
    const { cluster, leader, core } = ledCluster();
    for (const ip of cluster.ips) cluster.isolate(ip);
    core.resign(cluster.now);
    cluster.carryOut(leader);
    const resigned = cluster.now;
    cluster.sent.length = 0;
    cluster.run(4 * L);
    const asked = cluster.sent.find(({ from, request }) => from === leader && request.type === 'vote');
    expect(asked?.at).toBeGreaterThanOrEqual(resigned + 2 * L);
  });

  test.each([
    ['oneself', [A, B, C], (leader: string) => leader],
    ['an unknown peer', [A, B, C], () => 'x:1'],
    ['an observer', [A, B, { ip: C, observer: true }], () => C],
    ['a peer of priority 0', [A, B, { ip: C, priority: 0 }], () => C],
    ['anybody in a cluster of one', [A], () => undefined],
    [
      'anybody where no other voter may lead',
      [A, { ip: B, priority: 0 }, { ip: C, priority: 0 }],
      () => undefined,
    ],
  ] as const)('it is refused for %s, and the leader leads on', (_name, members, target) => {
    const { cluster, leader, core } = ledCluster(members);
    expect(refusal(() => core.resign(cluster.now, target(leader))).code).toBe('BAD_TARGET');
    expect(core.isLeader(cluster.now)).toBe(true);
    expect(core.takeOutputs()).toEqual([]);
  });

  test('one that does not lead has nothing to give up', () => {
    const { cluster, others } = ledCluster();
    expect(refusal(() => cluster.core(others[0] as string).resign(cluster.now)).code).toBe('NOT_LEADER');
  });

  test('the order skips pre-vote, promise and start wait, once', () => {
    const host = one();
    host.core.receivedBeat(beat(B, 5), 1);
    host.core.takeOutputs();
    expect(host.core.receivedTransfer({ peer: leaderOf(B, 5) }, 2)).toMatchObject({
      ip: A,
      state: 'CANDIDATE',
      term: 6,
    });
    expect(requests(host)).toEqual([
      {
        type: 'vote',
        peer: expect.objectContaining({ term: 6 }),
        transfer: true,
        revision: { term: 0, seq: 0 },
      },
    ]);
    host.core.tick(1 + L + 4 * TIMING.staggerMs);
    const later = requests(host);
    expect(later).toMatchObject([{ type: 'vote', preVote: true, peer: { term: 7 } }]);
    expect(later[0]).not.toHaveProperty('transfer');
  });

  test('only the votes of that very term say that they were ordered', () => {
    const { cluster, leader, core, others } = ledCluster();
    cluster.loses = (from, _to, request) => from === others[0] && request.type === 'vote';
    core.resign(cluster.now, others[0]);
    cluster.carryOut(leader);
    cluster.run(LATENCY);
    cluster.loses = () => false;
    cluster.kill(leader);
    cluster.elect();
    const votes = cluster.sent.flatMap(({ request }) =>
      request.type === 'vote' && request.preVote !== true ? [request] : [],
    );
    expect(votes.filter(({ transfer }) => transfer === true).every(({ peer }) => peer.term === 2)).toBe(true);
    expect(votes.filter(({ peer }) => peer.term !== 2).length).toBeGreaterThan(0);
  });

  test('votes by order skip the promises of the voters', () => {
    const host = one();
    host.core.receivedBeat(beat(B, 5), 2 * L);
    expect(host.core.receivedVote({ peer: candidate(C, 6) }, 2 * L + 1).granted).toBe(false);
    expect(host.core.receivedVote({ peer: candidate(C, 6), transfer: true }, 2 * L + 1).granted).toBe(true);
  });

  test('a pre-vote never skips them', () => {
    const host = one();
    host.core.receivedBeat(beat(B, 5), 2 * L);
    const reply = host.core.receivedVote(
      { peer: candidate(C, 6), transfer: true, preVote: true, round: 1 },
      2 * L + 1,
    );
    expect(reply.granted).toBe(false);
  });

  test.each<[string, (host: Host) => void]>([
    ['of another term', (host) => host.core.receivedTransfer({ peer: leaderOf(B, 4) }, 1)],
    ['of a later term', (host) => host.core.receivedTransfer({ peer: leaderOf(B, 6) }, 1)],
    [
      'of one that is not the leader',
      (host) => {
        host.core.receivedBeat(beat(C, 5), 1);
        host.core.receivedTransfer({ peer: leaderOf(B, 5) }, 1);
      },
    ],
  ])('an order %s is refused', (_name, order) => {
    const host = one();
    expect(refusal(() => order(host)).code).toBe('REFUSED_TRANSFER');
    expect(host.self).toMatchObject({ state: 'FOLLOWER', term: 5 });
  });

  test.each([
    ['an observer', [{ ip: A, observer: true }, B, C]],
    ['a peer of priority 0', [{ ip: A, priority: 0 }, B, C]],
  ])('%s does not obey', (_name, members) => {
    const host = one({}, { ...IN_USE, term: 5 }, members);
    expect(refusal(() => host.core.receivedTransfer({ peer: leaderOf(B, 5) }, 1)).code).toBe(
      'REFUSED_TRANSFER',
    );
    expect(host.self.state).toBe('FOLLOWER');
  });

  test('one that leads does not obey', () => {
    const host = winner(2 * L);
    expect(refusal(() => host.core.receivedTransfer({ peer: leaderOf(A, 6) }, 2 * L)).code).toBe(
      'DUPLICATE_PEER',
    );
    expect(refusal(() => host.core.receivedTransfer({ peer: leaderOf(B, 6) }, 2 * L)).code).toBe(
      'REFUSED_TRANSFER',
    );
    expect(host.self.state).toBe('LEADER');
  });
});
