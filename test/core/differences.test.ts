import { MakeLeaderEvent, RaftPeerSet } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { A, B, C, Cluster, D, E, H, Host, IN_USE, L, LATENCY, peer, TIMING } from './cluster.js';
import { candidate, leaderOf, refusal } from './support.js';

/** A follower of three whose start wait is over, at term 5. */
function follower(
  options: ConstructorParameters<typeof Host>[3] = {},
  stored = { ...IN_USE, term: 5 },
): Host {
  const host = new Host(A, [A, B, C], stored, options);
  host.core.tick(0);
  return host;
}
const AFTER_START = L;

describe('D1: higher terms', () => {
  test('a follower takes over the term of an accepted beat', () => {
    const { core, self } = follower();
    core.receivedBeat({ peer: leaderOf(B, 9), datums: [] }, 1);
    expect(self.term).toBe(9);
  });

  test('the term of a granted vote is taken over', () => {
    const { core, self } = follower();
    core.receivedVote({ peer: candidate(B, 9) }, AFTER_START);
    expect(self.term).toBe(9);
  });

  test.each(['vote', 'beat', 'peer'] as const)(
    'a higher term in a reply to a %s makes a leader step down',
    (kind) => {
      const cluster = new Cluster([A, B, C]);
      const leader = cluster.host(cluster.elect());
      const other = cluster.ips.find((ip) => ip !== leader.ip) as string;
      const reply = peer(other, { term: 9 });
      if (kind === 'vote') leader.core.receivedVoteReply(other, { ...reply, granted: false }, cluster.now);
      if (kind === 'beat') leader.core.receivedBeatReply(other, { ...reply, requestTerm: 1 }, cluster.now);
      if (kind === 'peer') leader.core.receivedPeer(other, reply, cluster.now);
      expect(leader.self).toMatchObject({ state: 'FOLLOWER', term: 9, voteFor: null });
      expect(leader.core.isLeader(cluster.now)).toBe(false);
      expect(leader.leader).toBeNull();
    },
  );

  test('a higher term in an error reply of a member is taken over, and of a stranger it is not', () => {
    const cluster = new Cluster([A, B, C]);
    const leader = cluster.host(cluster.elect());
    const other = cluster.ips.find((ip) => ip !== leader.ip) as string;
    const request = { type: 'state' } as const;
    const refused = refusal(() =>
      new Host(B, [A, B, C], { ...IN_USE, term: 9 }, {}).core.receivedBeat(
        { peer: leaderOf(A, 1), datums: [] },
        0,
      ),
    );
    expect(refused).toMatchObject({ code: 'OUT_OF_DATE', term: 9 });
    leader.core.requestFailed('stranger:1', request, refused, cluster.now);
    expect(leader.self).toMatchObject({ state: 'LEADER', term: 1 });
    leader.core.requestFailed(other, request, refused, cluster.now);
    expect(leader.self).toMatchObject({ state: 'FOLLOWER', term: 9, voteFor: null });
  });

  test('the term of a refused vote is not taken over', () => {
    const { core, self } = follower();
    const reply = core.receivedVote({ peer: candidate(B, 9) }, AFTER_START - 1);
    expect(reply).toMatchObject({ granted: false, term: 5 });
    expect(self.term).toBe(5);
  });

  test('the term of a pre-vote is not taken over, granted or not', () => {
    const { core, self } = follower();
    expect(core.receivedVote({ peer: candidate(B, 9), preVote: true, round: 1 }, AFTER_START).granted).toBe(
      true,
    );
    expect(core.receivedVote({ peer: candidate(B, 5), preVote: true, round: 1 }, AFTER_START).granted).toBe(
      false,
    );
    expect(self).toMatchObject({ term: 5, voteFor: null });
  });
});

describe('D2: whose votes count', () => {
  /** A candidate of five in term 6 whose own vote is durable. */
  function candidateOfFive(): Host {
    const host = new Host(A, [A, B, C, D, E], { ...IN_USE, term: 5 }, {});
    host.core.tick(0);
    host.core.tick(AFTER_START + 5 * TIMING.staggerMs);
    const round = host.core.takeOutputs().find((output) => output.type === 'send');
    const number = round?.type === 'send' && round.request.type === 'vote' ? round.request.round : -1;
    for (const ip of [B, C]) {
      host.core.receivedVoteReply(
        ip,
        { ...peer(ip, { term: 5 }), granted: true, round: number as number },
        2_000,
      );
    }
    expect(host.self).toMatchObject({ state: 'CANDIDATE', term: 6, voteFor: A });
    host.core.saved({ ...IN_USE, term: 6, voteFor: A }, 2_000);
    return host;
  }
  const grant = (ip: string, term = 6, voteFor = A) => ({ ...peer(ip, { term, voteFor }), granted: true });

  test('a majority of grants of its own term makes a candidate the leader', () => {
    const { core, self } = candidateOfFive();
    core.receivedVoteReply(B, grant(B), 2_000);
    expect(self.state).toBe('CANDIDATE');
    core.receivedVoteReply(C, grant(C), 2_000);
    expect(self.state).toBe('LEADER');
  });

  test('a repeated reply counts once', () => {
    const { core, self } = candidateOfFive();
    for (let i = 0; i < 5; i++) core.receivedVoteReply(B, grant(B), 2_000);
    expect(self.state).toBe('CANDIDATE');
  });

  test('a reply of an earlier term, one that names another, and one that was no grant do not count', () => {
    const { core, self } = candidateOfFive();
    for (const ip of [B, C, D, E]) {
      core.receivedVoteReply(ip, grant(ip, 5), 2_000);
      core.receivedVoteReply(ip, grant(ip, 6, D), 2_000);
      core.receivedVoteReply(ip, { ...grant(ip), granted: false }, 2_000);
    }
    expect(self).toMatchObject({ state: 'CANDIDATE', term: 6 });
  });

  test('a late grant after stepping down does not count', () => {
    const { core, self } = candidateOfFive();
    core.receivedVoteReply(B, grant(B), 2_000);
    core.receivedBeat({ peer: leaderOf(D, 6), datums: [] }, 2_000);
    core.receivedVoteReply(C, grant(C), 2_000);
    expect(self).toMatchObject({ state: 'FOLLOWER', term: 6 });
    expect(core.peers.leader?.ip).toBe(D);
  });

  test('grants of one term do not count in the next', () => {
    const { core, self } = candidateOfFive();
    core.receivedVoteReply(B, grant(B), 2_000);
    core.receivedTransfer({ peer: leaderOf(D, 6) }, 2_000);
    core.saved({ ...IN_USE, term: 7, voteFor: A }, 2_000);
    expect(self).toMatchObject({ state: 'CANDIDATE', term: 7 });
    core.receivedVoteReply(C, grant(C, 7), 2_000);
    expect(self.state).toBe('CANDIDATE');
    core.receivedVoteReply(D, grant(D, 7), 2_000);
    expect(self.state).toBe('LEADER');
  });

  test("others' votes never make another peer the leader", () => {
    const { core } = candidateOfFive();
    for (const ip of [B, C, D, E]) core.receivedVoteReply(ip, { ...grant(ip, 6, D), granted: false }, 2_000);
    expect(core.peers.leader).toBeNull();
    const peers = new RaftPeerSet({ local: A, members: [A, B, C] });
    for (const ip of [B, C]) expect(peers.decideLeader(peer(ip, { voteFor: B, term: 1 }))).toBeNull();
  });
});

describe('D3: leases', () => {
  test('a leader that is cut off steps down by itself', () => {
    const cluster = new Cluster([A, B, C]);
    const leader = cluster.host(cluster.elect());
    cluster.isolate(leader.ip);
    cluster.run(L);
    expect(leader.self.state).toBe('FOLLOWER');
    expect(leader.events.at(-1)).toBe(`leaderLost ${leader.ip} 1`);
  });
});

describe('D4: durable before it leaves', () => {
  test('the vote is saved before the reply, and both in one save', () => {
    const { core } = follower();
    core.receivedVote({ peer: candidate(B, 9) }, AFTER_START);
    expect(core.takeOutputs()).toEqual([{ type: 'save', state: { term: 9, voteFor: B, promisedMs: 0 } }]);
  });

  test("a candidate's term and vote are saved before its requests leave", () => {
    const { core } = follower();
    core.receivedTransfer({ peer: leaderOf(B, 5) }, 1);
    const outputs = core.takeOutputs();
    expect(outputs.map((output) => output.type)).toEqual(['save', 'send']);
    expect(outputs[0]).toMatchObject({ state: { term: 6, voteFor: A } });
  });

  test("a candidate's own vote counts when its save is confirmed", () => {
    const { core, self } = follower();
    core.receivedTransfer({ peer: leaderOf(B, 5) }, 1);
    core.receivedVoteReply(B, { ...peer(B, { term: 6, voteFor: A }), granted: true }, 2);
    core.receivedVoteReply(C, { ...peer(C, { term: 6, voteFor: A }), granted: true }, 2);
    expect(self.state).toBe('CANDIDATE');
    core.saved({ term: 5, voteFor: A, promisedMs: 0 }, 2);
    expect(self.state).toBe('CANDIDATE');
    core.saved({ term: 6, voteFor: A, promisedMs: 0 }, 2);
    expect(self.state).toBe('LEADER');
  });

  test('a restarted peer remembers its vote', () => {
    const { core } = follower({}, { term: 9, voteFor: C, promisedMs: 0 });
    expect(core.receivedVote({ peer: candidate(B, 9) }, AFTER_START)).toMatchObject({
      granted: false,
      voteFor: C,
    });
    expect(core.receivedVote({ peer: candidate(C, 9) }, AFTER_START)).toMatchObject({
      granted: true,
      voteFor: C,
    });
  });
});

describe('D5: one vote, one leader a term', () => {
  test('a beat does not change a vote already given', () => {
    const { core, self } = follower({}, { term: 5, voteFor: C, promisedMs: 0 });
    core.receivedBeat({ peer: leaderOf(B, 5), datums: [] }, 1);
    expect(self).toMatchObject({ voteFor: C, state: 'FOLLOWER' });
    expect(core.peers.leader?.ip).toBe(B);
  });

  test('a beat spends a vote that was not given on its sender', () => {
    const { core, self } = follower();
    core.receivedBeat({ peer: leaderOf(B, 5), datums: [] }, 1);
    expect(self.voteFor).toBe(B);
  });

  test('a second claimant of the same term is refused, reported, and changes nothing', () => {
    const { core, self, errors } = follower();
    core.receivedBeat({ peer: leaderOf(B, 5), datums: [] }, 1);
    core.takeOutputs();
    const before = self.snapshot();
    const error = refusal(() => core.receivedBeat({ peer: leaderOf(C, 5), datums: [] }, 2));
    expect(error).toMatchObject({ code: 'CONFLICTING_LEADER', term: 5 });
    expect(errors).toEqual([error]);
    expect({ ...self.snapshot(), leaderDueMs: 0 }).toEqual({ ...before, leaderDueMs: 0 });
    expect(core.peers.leader?.ip).toBe(B);
    expect(core.takeOutputs()).toEqual([]);
  });

  test('a second claimant is refused also when the first one is lost, and by the leader itself', () => {
    const { core } = follower();
    core.receivedBeat({ peer: leaderOf(B, 5), datums: [] }, 1);
    core.tick(1 + L);
    expect(core.peers.leader).toBeNull();
    expect(refusal(() => core.receivedBeat({ peer: leaderOf(C, 5), datums: [] }, 2 + L)).code).toBe(
      'CONFLICTING_LEADER',
    );
    const cluster = new Cluster([A, B, C]);
    const leader = cluster.host(cluster.elect());
    const other = cluster.ips.find((ip) => ip !== leader.ip) as string;
    const claim = () => leader.core.receivedBeat({ peer: leaderOf(other, 1), datums: [] }, cluster.now);
    expect(refusal(claim).code).toBe('CONFLICTING_LEADER');
  });

  test('a leader that is told of a conflict reports it', () => {
    const cluster = new Cluster([A, B, C]);
    const leader = cluster.host(cluster.elect());
    const error = refusal(() =>
      leader.core.receivedBeat({ peer: leaderOf(leader.ip === A ? B : A, 1), datums: [] }, cluster.now),
    );
    leader.errors.length = 0;
    leader.core.requestFailed(B, { type: 'state' }, error, cluster.now);
    expect(leader.errors).toEqual([error]);
  });
});

describe('D6: members only', () => {
  const stranger = 'x:1';

  test.each([
    ['vote', (host: Host) => host.core.receivedVote({ peer: candidate(stranger, 9) }, AFTER_START)],
    [
      'beat',
      (host: Host) => host.core.receivedBeat({ peer: leaderOf(stranger, 9), datums: [] }, AFTER_START),
    ],
    ['transfer', (host: Host) => host.core.receivedTransfer({ peer: leaderOf(stranger, 5) }, AFTER_START)],
    ['makeLeader', (host: Host) => host.core.peers.makeLeader(leaderOf(stranger, 9))],
    ['update', (host: Host) => host.core.peers.update(leaderOf(stranger, 9))],
  ])('a stranger’s %s is refused and changes nothing', (_name, call) => {
    const host = follower();
    expect(refusal(() => call(host))).toMatchObject({
      code: 'UNKNOWN_PEER',
      message: `can not find peer: ${stranger}`,
    });
    expect(host.self).toMatchObject({ state: 'FOLLOWER', term: 5, voteFor: null });
    expect(host.leader).toBeNull();
    expect(host.core.peers.ips).toEqual([A, B, C]);
    expect(host.core.peers.majorityCount()).toBe(2);
  });

  test('a stranger’s replies are ignored', () => {
    const host = follower();
    host.core.receivedVoteReply(stranger, { ...peer(stranger, { term: 9 }), granted: true }, 1);
    host.core.receivedBeatReply(stranger, { ...peer(stranger, { term: 9 }), requestTerm: 5 }, 1);
    host.core.receivedPeer(stranger, peer(stranger, { term: 9 }), 1);
    expect(host.self.term).toBe(5);
    expect(host.core.peers.contains(stranger)).toBe(false);
  });

  test('a reply counts for the peer that was asked, whatever ip it bears', () => {
    const host = follower();
    host.core.receivedTransfer({ peer: leaderOf(B, 5) }, 1);
    host.core.saved({ ...IN_USE, term: 6, voteFor: A }, 1);
    host.core.receivedVoteReply(B, { ...peer(stranger, { term: 6, voteFor: A }), granted: true }, 1);
    expect(host.self.state).toBe('LEADER');
    host.core.receivedBeatReply(C, { ...peer(B, { term: 6, voteFor: A }), requestTerm: 6, sentAt: 1 }, 1);
    expect(host.core.peers.get(C)).toMatchObject({ ip: C, term: 6 });
    expect(host.core.isLeader(1)).toBe(true);
  });

  test('who speaks with the ip of this very peer is refused and reported', () => {
    const host = follower();
    expect(refusal(() => host.core.receivedVote({ peer: candidate(A, 9) }, AFTER_START)).code).toBe(
      'DUPLICATE_PEER',
    );
    expect(
      refusal(() => host.core.receivedBeat({ peer: leaderOf(A, 9), datums: [] }, AFTER_START)).code,
    ).toBe('DUPLICATE_PEER');
    expect(host.errors.map((error) => error.code)).toEqual(['DUPLICATE_PEER', 'DUPLICATE_PEER']);
    expect(host.self.term).toBe(5);
  });
});

describe('D7: votes in an equal term', () => {
  test('an unspent vote is granted in an equal term', () => {
    const { core } = follower();
    expect(core.receivedVote({ peer: candidate(B, 5) }, AFTER_START)).toMatchObject({
      granted: true,
      voteFor: B,
    });
  });

  test('a repeated request is granted again, and saved once', () => {
    const { core } = follower();
    core.receivedVote({ peer: candidate(B, 5) }, AFTER_START);
    expect(core.receivedVote({ peer: candidate(B, 5) }, AFTER_START)).toMatchObject({
      granted: true,
      voteFor: B,
    });
    expect(core.takeOutputs()).toHaveLength(1);
  });

  test('a refusal changes nothing, and shows a higher term', () => {
    const { core, self } = follower();
    expect(core.receivedVote({ peer: candidate(B, 4) }, AFTER_START)).toMatchObject({
      granted: false,
      term: 5,
      voteFor: null,
    });
    core.receivedVote({ peer: candidate(B, 5) }, AFTER_START);
    core.takeOutputs();
    expect(core.receivedVote({ peer: candidate(C, 5) }, AFTER_START)).toMatchObject({
      granted: false,
      term: 5,
      voteFor: B,
    });
    expect(self.voteFor).toBe(B);
    expect(core.takeOutputs()).toEqual([]);
  });
});

describe('D8: makeLeader on every peer', () => {
  test('a winner announces itself with its first lease, not at its win', () => {
    const cluster = new Cluster([A, B, C]);
    cluster.loses = (_from, _to, request) => request.type === 'beat';
    cluster.runUntil(() => cluster.ips.some((ip) => cluster.host(ip).self.state === 'LEADER'));
    const winner = cluster.ips
      .map((ip) => cluster.host(ip))
      .find((host) => host.self.state === 'LEADER') as Host;
    expect(winner.events).toEqual(['leaderElectFinished 1']);
    expect(winner.core.isLeader(cluster.now)).toBe(false);
    cluster.loses = () => false;
    cluster.run(H + 2 * LATENCY);
    expect(winner.events).toEqual(['leaderElectFinished 1', `makeLeader ${winner.ip} 1`]);
    expect(winner.core.isLeader(cluster.now)).toBe(true);
  });

  test('a change is a change of (ip, term)', () => {
    const { core, events } = follower();
    core.receivedBeat({ peer: leaderOf(B, 5), datums: [] }, 1);
    core.receivedBeat({ peer: leaderOf(B, 5), datums: [] }, 2);
    core.receivedBeat({ peer: leaderOf(B, 6), datums: [] }, 3);
    core.receivedBeat({ peer: leaderOf(C, 7), datums: [] }, 4);
    expect(events).toEqual([
      'makeLeader b:1 5',
      'leaderLost b:1 5',
      'makeLeader b:1 6',
      'leaderLost b:1 6',
      'makeLeader c:1 7',
    ]);
  });

  test('the event shows the leader, the term and the local peer as they are then', () => {
    const { core } = follower();
    const events: MakeLeaderEvent[] = [];
    core.peers.on('makeLeader', (event) => events.push(event));
    core.receivedBeat({ peer: leaderOf(B, 9), datums: [] }, 1);
    expect(events[0]).toBeInstanceOf(MakeLeaderEvent);
    expect(events[0]).toMatchObject({
      term: 9,
      leader: { ip: B, term: 9 },
      local: { ip: A, term: 9, voteFor: B },
    });
  });
});

describe('D9: leaderLost', () => {
  test('a follower that hears nothing for its promise loses its leader, once', () => {
    const { core, events } = follower();
    core.receivedBeat({ peer: leaderOf(B, 5), datums: [] }, 10);
    expect(core.nextDeadline()).toBe(10 + L);
    core.tick(10 + L - 0.1);
    expect(core.peers.leader?.ip).toBe(B);
    core.tick(10 + L);
    core.tick(10 + L + 1);
    expect(core.peers.leader).toBeNull();
    expect(events).toEqual(['makeLeader b:1 5', 'leaderLost b:1 5']);
  });

  test('a leader that was not announced is not lost', () => {
    const cluster = new Cluster([A, B, C]);
    cluster.loses = (_from, _to, request) => request.type === 'beat';
    cluster.run(2 * L + 500);
    const events = cluster.ips.flatMap((ip) => cluster.host(ip).events);
    expect(events.filter((event) => event.startsWith('leaderElectFinished')).length).toBeGreaterThan(0);
    expect(events.filter((event) => event.startsWith('leaderLost'))).toEqual([]);
  });
});

describe('D10: a flapping peer does not unseat a leader', () => {
  test('a peer that hears no beats changes neither leader nor term, also when it can speak', () => {
    const cluster = new Cluster([A, B, C]);
    const leader = cluster.elect();
    const [deaf, other] = cluster.ips.filter((ip) => ip !== leader) as [string, string];
    cluster.cut(leader, deaf);
    cluster.run(50 * L);
    expect(cluster.leaders).toEqual([leader]);
    expect(cluster.host(deaf).self.term).toBe(1);
    cluster.cut(deaf, leader);
    cluster.cut(deaf, other);
    cluster.cut(other, deaf);
    cluster.run(50 * L);
    cluster.heal();
    cluster.run(5 * L);
    expect(cluster.leaders).toEqual([leader]);
    expect(cluster.ips.map((ip) => cluster.host(ip).self.term)).toEqual([1, 1, 1]);
  });
});

describe('D14: asking former leaders', () => {
  /** A follows B of term 5, then C of term 6, and has asked B. */
  function changedLeader(): Host {
    const host = follower();
    host.core.receivedBeat({ peer: leaderOf(B, 5), datums: [] }, 1);
    host.core.receivedBeat({ peer: leaderOf(C, 6), datums: [] }, 2);
    return host;
  }
  const fetches = (host: Host) => host.core.takeOutputs().filter((output) => output.type === 'fetchPeer');

  test('a former leader is asked for its own view, and one fetch at most is under way', () => {
    const host = changedLeader();
    host.core.receivedBeat({ peer: leaderOf(C, 6), datums: [] }, 3);
    expect(fetches(host)).toEqual([{ type: 'fetchPeer', from: B }]);
  });

  test('its answer is stored', () => {
    const host = changedLeader();
    host.core.receivedPeer(B, peer(B, { term: 6, voteFor: C }), 3);
    expect(host.core.peers.get(B)).toMatchObject({ state: 'FOLLOWER', term: 6, voteFor: C });
  });

  test('one that still claims to lead is asked again at the next beat', () => {
    const host = changedLeader();
    fetches(host);
    host.core.receivedPeer(B, leaderOf(B, 5), 3);
    host.core.receivedBeat({ peer: leaderOf(C, 6), datums: [] }, 4);
    expect(fetches(host)).toEqual([{ type: 'fetchPeer', from: B }]);
  });

  test('an answer of a higher term is stored, too, and ends the fetch: the next time that it is a former leader it is asked again', () => {
    const host = changedLeader();
    host.core.receivedPeer(B, leaderOf(B, 9), 3);
    expect(host.self).toMatchObject({ state: 'FOLLOWER', term: 9, voteFor: null });
    expect(host.core.peers.get(B)).toMatchObject({ state: 'LEADER', term: 9 });
    host.core.receivedBeat({ peer: leaderOf(B, 9), datums: [] }, 4);
    fetches(host);
    host.core.receivedBeat({ peer: leaderOf(C, 10), datums: [] }, 5);
    expect(fetches(host)).toEqual([{ type: 'fetchPeer', from: B }]);
  });

  test('a failed fetch, of whatever kind, makes it a FOLLOWER that is not asked again', () => {
    const host = changedLeader();
    fetches(host);
    const error = refusal(() => host.core.peers.makeLeader(leaderOf('x:1', 1)));
    host.core.requestFailed(B, { type: 'peer' }, error, 3);
    expect(host.core.peers.get(B)?.state).toBe('FOLLOWER');
    host.core.receivedBeat({ peer: leaderOf(C, 6), datums: [] }, 4);
    expect(fetches(host)).toEqual([]);
  });

  test('a late answer, or failure, does not overwrite newer knowledge of that peer', () => {
    for (const late of ['answer', 'failure'] as const) {
      const host = changedLeader();
      host.core.receivedBeat({ peer: leaderOf(B, 7), datums: [] }, 3);
      if (late === 'answer') host.core.receivedPeer(B, peer(B, { term: 6 }), 4);
      else
        host.core.requestFailed(
          B,
          { type: 'peer' },
          refusal(() => host.core.peers.update(peer('x:1'))),
          4,
        );
      expect(host.core.peers.get(B)).toMatchObject({ state: 'LEADER', term: 7 });
    }
  });

  test('what an overtaken reply of an older term says of a peer is not stored', () => {
    const host = follower();
    host.core.receivedBeat({ peer: leaderOf(B, 7), datums: [] }, 1);
    host.core.receivedVoteReply(B, { ...peer(B, { term: 6 }), granted: false }, 2);
    host.core.receivedBeatReply(B, { ...peer(B, { term: 6 }), requestTerm: 6 }, 2);
    expect(host.core.peers.get(B)).toMatchObject({ state: 'LEADER', term: 7 });
  });

  test('an answer that nobody asked for is ignored', () => {
    const host = follower();
    host.core.receivedPeer(B, leaderOf(B, 5), 1);
    expect(host.core.peers.get(B)).toMatchObject({ state: 'FOLLOWER', term: 0 });
  });
});

describe('D15: the start wait', () => {
  test('no peer campaigns or votes within one promise period of its start', () => {
    const cluster = new Cluster([A, B, C]);
    cluster.run(L - 1);
    expect(cluster.sent.filter(({ request }) => request.type === 'vote')).toEqual([]);
    expect(cluster.core(A).receivedVote({ peer: candidate(B, 1) }, L - 1)).toMatchObject({
      granted: false,
      promiseMs: 1,
    });
    expect(
      cluster.core(A).receivedVote({ peer: candidate(B, 1), preVote: true, round: 1 }, L - 1),
    ).toMatchObject({ granted: false, promiseMs: 1 });
  });

  test('a restarted peer waits for the longest time it ever promised', () => {
    const host = follower({}, { term: 5, voteFor: null, promisedMs: 3 * L });
    expect(host.core.receivedVote({ peer: candidate(B, 6) }, 3 * L - 1).granted).toBe(false);
    expect(host.core.receivedVote({ peer: candidate(B, 6) }, 3 * L).granted).toBe(true);
  });

  test('a cluster of one has nothing to wait for', () => {
    const cluster = new Cluster([A]);
    cluster.run(0);
    expect(cluster.leaders).toEqual([A]);
  });

  test('beats are accepted during the start wait', () => {
    const { core } = follower();
    core.receivedBeat({ peer: leaderOf(B, 5), datums: [] }, 1);
    expect(core.peers.leader?.ip).toBe(B);
  });
});

describe('D16: ranked timeouts', () => {
  test('followers come up one after the other, a stagger apart', () => {
    const cluster = new Cluster([A, B, C, D, E]);
    const leader = cluster.elect();
    cluster.run(L);
    cluster.isolate(leader);
    for (const ip of cluster.ips) if (ip !== leader) cluster.isolate(ip);
    const beaten = cluster.sent.filter(({ request }) => request.type === 'beat').at(-1)?.at as number;
    cluster.sent.length = 0;
    cluster.run(2 * L);
    const firstAsked = new Map<string, number>();
    for (const { from, at } of cluster.sent)
      if (!firstAsked.has(from) && from !== leader) firstAsked.set(from, at - beaten - LATENCY - L);
    expect([...firstAsked.values()].sort((a, b) => a - b)).toEqual(
      [0, 1, 2, 3].map((rank) => rank * TIMING.staggerMs),
    );
  });

  test('the next one is ready when the first is gone too', () => {
    const cluster = new Cluster([A, B, C, D, E]);
    const leader = cluster.elect();
    cluster.run(L);
    cluster.kill(leader);
    const second = cluster.elect();
    cluster.run(L);
    cluster.kill(second);
    const took = cluster.runUntil(() => cluster.leaders.length === 1);
    expect(took).toBeLessThanOrEqual(L + TIMING.staggerMs * 4 + 10 * LATENCY);
  });
});

describe('D18: a majority of one', () => {
  test('a cluster of one elects itself and keeps its lease for ever', () => {
    const cluster = new Cluster([A]);
    cluster.run(100 * L);
    expect(cluster.leaders).toEqual([A]);
    expect(cluster.host(A).events).toEqual(['leaderElectFinished 1', 'makeLeader a:1 1']);
    expect(cluster.host(A).disk).toEqual({ term: 1, voteFor: A, promisedMs: 0 });
  });

  test('one voter with observers leads, and beats them', () => {
    const cluster = new Cluster([A, { ip: B, observer: true }]);
    cluster.run(2 * L);
    expect(cluster.leaders).toEqual([A]);
    expect(cluster.host(B).leader).toBe(A);
  });
});
