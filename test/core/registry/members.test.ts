import { describe, expect, test } from 'vitest';
import {
  changeMembers,
  decodeMembers,
  encodeMembers,
  type MemberChange,
  type StoredMember,
} from '../../../src/core/members.js';
import { refusal } from '../cases/support.js';
import { A, B, C, D, H, L, LEASE, peer } from '../cluster.js';
import { beat, candidate, leaderOf } from '../support.js';
import { ABC, Bench, disk, rev } from './support.js';

const voter = (ip: string): StoredMember => ({ ip, priority: 1, observer: false });
const observer = (ip: string): StoredMember => ({ ip, priority: 1, observer: true });
const CHANGE = 77;
const ADD_D = { action: 'add', ip: D } as const;

/** A leader of term 2 whose own empty batch, 2/1, is committed. */
function leader(members: readonly string[] = ABC): Bench {
  const bench = new Bench({ members });
  bench.lead();
  for (const ip of bench.others) bench.ack(ip, '2/1');
  return bench;
}

function change(bench: Bench, what: MemberChange, term = bench.host.self.term): void {
  bench.give(() => bench.host.core.changeMembers({ id: CHANGE, change: what, term }, bench.cluster.now));
}

/** Adds d:1 and has that committed, as batch 2/2. */
function withD(): Bench {
  const bench = leader();
  change(bench, ADD_D);
  for (const ip of [B, C]) bench.ack(ip, '2/2');
  expect(bench.told(CHANGE)).toBe('ok 2');
  return bench;
}

/** `from`, which found its store empty, acknowledges a beat that is sent now, and all up to `match`. */
function learns(bench: Bench, from: string, match: string): void {
  const reply = { ...peer(from, { term: 2 }), requestTerm: 2, sentAt: bench.cluster.now, learner: 5 };
  const data = { ok: true, match: rev(match), base: rev(match), last: rev(match) };
  bench.give(() => bench.host.core.receivedBeatReply(from, { ...reply, data }, bench.cluster.now));
}

/** A list of members, as the batch `2/1` brings it to a follower. */
const listed = (members: readonly StoredMember[]) => ({
  revision: rev('2/1'),
  ops: [{ key: 'raftbeat:members', value: encodeMembers(members), timestamp: 2 }],
});

/** A change that another process forwards arrives; returns its outcome. */
function forwarded(
  bench: Bench,
  id: number,
  what: MemberChange,
  forward = { process: 7, number: 1, term: 2 },
): string {
  const asked = { id, change: what, term: forward.term, forward };
  bench.give(() => bench.host.core.changeMembers(asked, bench.cluster.now));
  return bench.told(id);
}

describe('a change that is forwarded', () => {
  test('is answered when it is committed; a copy of it like the first, whenever it comes', () => {
    const bench = leader();
    expect([forwarded(bench, 1, ADD_D), forwarded(bench, 2, ADD_D)]).toEqual(['open', 'open']);
    for (const ip of [B, C]) bench.ack(ip, '2/2');
    expect([1, 2].map((id) => bench.told(id))).toEqual(['ok 2', 'ok 2']);
    expect(forwarded(bench, 3, ADD_D)).toBe('ok 2');
  });

  test('and refused stays refused, though a copy of it might be taken by then', () => {
    const bench = leader();
    change(bench, ADD_D);
    expect(forwarded(bench, 1, { action: 'remove', ip: C })).toBe('BUSY');
    for (const ip of [B, C]) bench.ack(ip, '2/2');
    expect([forwarded(bench, 2, { action: 'remove', ip: C }), bench.tail]).toEqual(['BUSY', '']);
  });

  test('is not refused for certain by a process that did not lead its term, or leads it no longer', () => {
    const bench = leader();
    expect(forwarded(bench, 1, ADD_D, { process: 7, number: 1, term: 1 })).toBe('OUTCOME_UNKNOWN');
    expect(forwarded(bench, 2, ADD_D)).toBe('open');
    bench.beat(9, '2/1');
    expect([2, 3].map((id) => (id === 2 ? bench.told(id) : forwarded(bench, id, ADD_D)))).toEqual([
      'OUTCOME_UNKNOWN',
      'OUTCOME_UNKNOWN',
    ]);
  });
});

describe('one change of the list', () => {
  const list = [voter(A), voter(B), observer(C)];

  test.each<[string, MemberChange, readonly StoredMember[]]>([
    ['one who is added comes last, as an observer', ADD_D, [...list, observer(D)]],
    [
      'one who is added keeps its priority, and what it drew when its store was empty',
      { ...ADD_D, priority: 3, learner: 9 },
      [...list, { ip: D, priority: 3, observer: true, learner: 9 }],
    ],
    ['one who is promoted votes', { action: 'promote', ip: C }, [voter(A), voter(B), voter(C)]],
    ['a voter is removed', { action: 'remove', ip: A }, [voter(B), observer(C)]],
    ['an observer is removed', { action: 'remove', ip: C }, [voter(A), voter(B)]],
  ])('%s', (_rule, what, expected) => {
    expect(changeMembers(list, what)).toEqual(expected);
  });

  test.each<[string, MemberChange]>([
    ['a member can not be added', { action: 'add', ip: C }],
    ['one who is no member can not be promoted', { action: 'promote', ip: D }],
    ['one who is no member can not be removed', { action: 'remove', ip: D }],
    ['a voter can not be promoted', { action: 'promote', ip: B }],
  ])('%s', (_rule, what) => {
    expect(refusal(() => changeMembers(list, what)).code).toBe('BAD_TARGET');
  });

  test('the last that votes can not be removed', () => {
    const last = () => changeMembers([voter(A), observer(B)], { action: 'remove', ip: A });
    expect(refusal(last).code).toBe('BAD_TARGET');
  });

  test('a list is read as it was written', () => {
    const all = [voter(A), observer(B), { ip: C, priority: 7, observer: true, learner: 0 }];
    expect(decodeMembers(encodeMembers(all))).toEqual(all);
    expect(Object.keys(decodeMembers(encodeMembers([voter(A)]))[0] ?? {})).not.toContain('learner');
  });
});

describe('a change of the members', () => {
  test('is in effect as soon as it is appended, and answered when it is committed', () => {
    const bench = leader();
    change(bench, ADD_D);
    expect([bench.host.core.peers.ips, bench.told(CHANGE)]).toEqual([[A, B, C, D], 'open']);
    bench.ack(B, '2/2');
    expect(bench.told(CHANGE)).toBe('ok 2');
  });

  test('goes to the followers, and to the one who is added, at once', () => {
    const bench = leader();
    bench.forget();
    change(bench, ADD_D);
    for (const ip of [B, C, D]) expect(bench.sentTo(ip).batches.at(-1)?.revision).toEqual(rev('2/2'));
    expect(bench.sentTo(B).membersRevision).toEqual(rev('2/2'));
  });

  test('is refused while another is not committed', () => {
    const bench = leader();
    change(bench, ADD_D);
    expect(refusal(() => change(bench, { action: 'remove', ip: C })).code).toBe('BUSY');
    bench.ack(B, '2/2');
    change(bench, { action: 'remove', ip: C });
    expect(bench.host.core.peers.ips).toEqual([A, B, D]);
  });

  test('is refused before a batch of this leadership is committed', () => {
    const bench = new Bench();
    bench.lead();
    expect(refusal(() => change(bench, ADD_D)).code).toBe('BUSY');
    expect(bench.host.core.peers.ips).toEqual(ABC);
  });

  test('is refused by one that does not lead, and by the leader of another term than the one that is meant', () => {
    expect(refusal(() => change(new Bench(), ADD_D)).code).toBe('NOT_LEADER');
    expect(refusal(() => change(leader(), ADD_D, 1)).code).toBe('NOT_LEADER');
    expect(refusal(() => change(leader(), ADD_D, 3)).code).toBe('NOT_LEADER');
  });

  test('that is refused is no write', () => {
    const bench = leader();
    expect(refusal(() => change(bench, { action: 'add', ip: B })).code).toBe('BAD_TARGET');
    expect(bench.last).toBe('2/1');
  });

  test('that leaves too few who were heard of lately ends the leadership at once', () => {
    const bench = leader();
    const heard = bench.cluster.now;
    while (bench.cluster.now + H < heard + LEASE) {
      bench.cluster.run(H);
      bench.ack(B);
    }
    bench.forget();
    bench.cluster.now = heard + LEASE;
    change(bench, { action: 'remove', ip: B });
    expect([bench.host.self.state, bench.requests('beat')]).toEqual(['FOLLOWER', []]);
  });

  test('is undone when it is cut', () => {
    const bench = new Bench({ stored: disk(1) });
    bench.beat(2, '0/0', [listed([voter(A), voter(B)])]);
    expect(bench.host.core.peers.ips).toEqual([A, B]);
    bench.beat(3, '0/0', '3/1', { from: B });
    expect(bench.host.core.peers.ips).toEqual(ABC);
  });

  test('is found again at the next start, whatever the options say', () => {
    const bench = new Bench({ stored: disk(1) });
    bench.beat(2, '0/0', [listed([voter(A), voter(B), observer(D)])]);
    const again = bench.cluster.restart(A);
    again.core.tick(bench.cluster.now);
    expect(again.core.peers.members).toEqual([voter(A), voter(B), observer(D)]);
  });
});

describe('one who was added', () => {
  test('does not vote: neither its answers nor its data count', () => {
    const bench = withD();
    const [id] = bench.write({ key: 'k', value: '1' });
    bench.ack(D, '2/3');
    expect(bench.told(id)).toBe('open');
    bench.ack(B, '2/3');
    expect(bench.told(id)).toBe('ok 1');
  });

  test('is promoted when it is near, and then counts', () => {
    const bench = withD();
    bench.ack(D, '2/2');
    change(bench, { action: 'promote', ip: D });
    expect(bench.host.core.peers.majorityCount()).toBe(3);
    bench.ack(B, '2/3');
    expect(bench.base).toBe('2/2');
    bench.ack(D, '2/3');
    expect(bench.base).toBe('2/3');
  });

  test('is not promoted while nothing is known of it', () => {
    expect(refusal(() => change(withD(), { action: 'promote', ip: D })).code).toBe('BUSY');
  });

  test('is near when it lacks 100 batches, and not when it lacks 101', () => {
    const bench = withD();
    bench.ack(D, '2/2');
    for (let n = 0; n < 101; n++) bench.write({ key: 'k', value: '1' });
    bench.ack(B, '2/103');
    expect(refusal(() => change(bench, { action: 'promote', ip: D })).code).toBe('BUSY');
    expect(bench.last).toBe('2/103');
    bench.ack(D, '2/3');
    change(bench, { action: 'promote', ip: D });
    expect(bench.last).toBe('2/104');
  });

  test('is not promoted once it has told that it lost its store', () => {
    const bench = withD();
    learns(bench, D, '2/2');
    expect(refusal(() => change(bench, { action: 'promote', ip: D })).code).toBe('BAD_TARGET');
  });
});

describe('a voter that tells that it lost its store', () => {
  test('counts for no commit', () => {
    const bench = leader();
    const [id] = bench.write({ key: 'k', value: '1' });
    learns(bench, B, '2/2');
    expect(bench.told(id)).toBe('open');
    bench.ack(C, '2/2');
    expect(bench.told(id)).toBe('ok 1');
  });

  test('counts for no lease', () => {
    const bench = leader();
    const start = bench.cluster.now;
    while (bench.cluster.now < start + LEASE + H) {
      bench.cluster.run(H);
      if (bench.host.self.state === 'LEADER') learns(bench, B, '2/1');
    }
    expect(bench.host.core.isLeader(bench.cluster.now)).toBe(false);
  });
});

describe('a leader that removes itself', () => {
  test('does not count itself: neither for the commit nor for its lease', () => {
    const bench = leader();
    change(bench, { action: 'remove', ip: A });
    bench.ack(B, '2/2');
    expect(bench.told(CHANGE)).toBe('open');
    bench.ack(C, '2/2');
    expect(bench.told(CHANGE)).toBe('ok 2');
  });

  test('leads on until that is committed, then hands over to the one that is furthest', () => {
    const bench = leader();
    change(bench, { action: 'remove', ip: A });
    expect(bench.host.self.state).toBe('LEADER');
    bench.ack(B, '2/2');
    bench.ack(C, '2/2');
    expect(bench.host.self.state).toBe('FOLLOWER');
    expect(bench.requests('transfer')).toHaveLength(1);
  });

  test('needs the answers of all others of a majority for its lease, as it is none of them', () => {
    const bench = leader();
    change(bench, { action: 'remove', ip: A });
    const start = bench.cluster.now;
    while (bench.cluster.now < start + LEASE + H) {
      bench.cluster.run(H);
      if (bench.host.self.state === 'LEADER') bench.ack(B);
    }
    expect(bench.host.core.isLeader(bench.cluster.now)).toBe(false);
  });

  test('leads on while only what it wrote before is committed', () => {
    const bench = leader();
    bench.write({ key: 'k', value: '1' });
    change(bench, { action: 'remove', ip: A });
    for (const ip of [B, C]) bench.ack(ip, '2/2');
    expect([bench.base, bench.host.self.state]).toEqual(['2/2', 'LEADER']);
  });

  test('steps down when nobody can take over', () => {
    const bench = leader([A, B]);
    const changes: readonly MemberChange[] = [
      { ...ADD_D, priority: 0 },
      { action: 'promote', ip: D },
      { action: 'remove', ip: B },
      { action: 'remove', ip: A },
    ];
    for (const what of changes) {
      change(bench, what);
      for (const ip of [B, D]) bench.ack(ip, bench.last);
    }
    expect([bench.base, bench.host.self.state]).toEqual(['2/5', 'FOLLOWER']);
    expect(bench.requests('transfer')).toEqual([]);
  });

  test('does not campaign once it knows that it is no member', () => {
    const bench = leader();
    change(bench, { action: 'remove', ip: A });
    for (const ip of [B, C]) bench.ack(ip, '2/2');
    bench.forget();
    bench.cluster.run(10 * L);
    expect(bench.requests('vote')).toEqual([]);
  });
});

describe('a voter whose removal is appended, and not committed', () => {
  function leaving(members = [voter(B), voter(C)]): Bench {
    const bench = new Bench({ stored: disk(1) });
    bench.beat(2, '0/0', [listed(members)]);
    bench.forget();
    return bench;
  }

  test('may be elected, for it may be the only one that is far enough', () => {
    const bench = leaving();
    bench.elect();
    expect(bench.host.self).toMatchObject({ state: 'LEADER', term: 3 });
  });

  test('does not count itself then', () => {
    const bench = leaving([voter(B), voter(C), voter(D)]);
    bench.cluster.runUntil(() => bench.requests('vote').length > 0);
    const { round = 0 } = bench.requests('vote').at(-1) ?? {};
    const grant = { ...peer(B, { term: 2 }), granted: true, round };
    bench.give(() => bench.host.core.receivedVoteReply(B, grant, bench.cluster.now));
    expect(bench.host.self.state).toBe('FOLLOWER');
    bench.give(() => bench.host.core.receivedVoteReply(C, { ...grant, ip: C }, bench.cluster.now));
    expect(bench.host.self).toMatchObject({ state: 'CANDIDATE', term: 3 });
  });

  test('campaigns no more once it knows that it is committed', () => {
    const bench = new Bench({ stored: disk(1) });
    bench.beat(2, '0/0', [listed([voter(B), voter(C)])], { committed: '2/1' });
    bench.cluster.run(10 * L);
    expect(bench.requests('vote')).toEqual([]);
  });
});

describe('one that does not vote as far as it knows', () => {
  /** An observer by its own list, whose promise is over. */
  function observing(): Bench {
    const bench = new Bench({ stored: disk(1) });
    bench.beat(2, '0/0', [listed([observer(A), voter(B), voter(C)])], { committed: '2/1' });
    bench.cluster.run(2 * L);
    return bench;
  }

  test.each([
    { known: '2/2', granted: true },
    { known: '2/1', granted: false },
    { known: undefined, granted: false },
  ])('is asked by one that knows the list of $known: granted $granted', ({ known, granted }) => {
    const news = known === undefined ? {} : { membersRevision: rev(known) };
    const vote = { peer: candidate(B, 3), revision: rev('2/2'), ...news };
    for (const round of [{ preVote: true, round: 1 }, {}]) {
      const bench = observing();
      const reply = bench.give(() => bench.host.core.receivedVote({ ...vote, ...round }, bench.cluster.now));
      expect(reply.granted).toBe(granted);
    }
  });

  test('does not campaign', () => {
    const bench = observing();
    bench.cluster.run(10 * L);
    expect(bench.requests('vote')).toEqual([]);
  });
});

describe('one whose promotion this peer has not heard of', () => {
  /** Asks for the vote of A, by whose list D is an observer, as one that knows the list of `known`. */
  function asked(known: string | undefined, round: object): () => boolean {
    const bench = new Bench({ stored: disk(1) });
    bench.beat(2, '0/0', [listed([...ABC.map(voter), observer(D)])], { committed: '2/1' });
    bench.cluster.run(2 * L);
    const news = known === undefined ? {} : { membersRevision: rev(known) };
    const vote = { peer: candidate(D, 3), revision: rev('2/2'), ...news, ...round };
    return () => bench.give(() => bench.host.core.receivedVote(vote, bench.cluster.now)).granted;
  }

  test.each([[{ preVote: true, round: 1 }], [{}]])(
    'gets its vote all the same: it may be the one that is needed: %j',
    (round) => {
      expect(asked('2/2', round)()).toBe(true);
    },
  );

  test.each([['2/1'], [undefined]])(
    'does not vote, as far as is known, if it knows no newer list than %s',
    (known) => {
      expect(refusal(asked(known, {})).code).toBe('NOT_A_VOTER');
    },
  );
});

describe('one that is left out by a change that is not committed', () => {
  /** A follower of c:1, which has begun to remove `ip`. */
  function without(ip: string, committed = '0/0'): Bench {
    const bench = new Bench({ stored: disk(1) });
    bench.beat(2, '0/0', [listed(ABC.filter((other) => other !== ip).map(voter))], { committed, from: C });
    return bench;
  }

  const ask = (bench: Bench, ip: string, more: object) =>
    bench.give(() =>
      bench.host.core.receivedVote(
        { peer: candidate(ip, 3), revision: rev('2/2'), membersRevision: rev('0/0'), ...more },
        bench.cluster.now,
      ),
    );

  test('is followed when it leads all the same, and is a member again as the change is cut', () => {
    const bench = without(B);
    expect(bench.beat(3, '0/0', '3/1').ok).toBe(true);
    expect(bench.host.leader).toBe(B);
    expect(bench.host.core.peers.ips).toEqual(ABC);
  });

  test.each([[{ preVote: true, round: 1 }], [{}]])('gets votes: %j', (more) => {
    const bench = without(B);
    bench.cluster.run(2 * L);
    expect(ask(bench, B, more).granted).toBe(true);
  });

  test.each([[{ preVote: true, round: 1 }], [{}]])('gives its own: %j', (more) => {
    const bench = without(A);
    bench.cluster.run(2 * L);
    expect(ask(bench, B, more).granted).toBe(true);
  });

  test('makes no member of one that is on neither list', () => {
    expect(refusal(() => without(B).beat(3, '0/0', '3/1', { from: D })).code).toBe('UNKNOWN_PEER');
  });

  test('is a stranger once that is committed', () => {
    expect(refusal(() => without(B, '2/1').beat(3, '0/0', '3/1')).code).toBe('UNKNOWN_PEER');
  });

  test('is known by a list of the tail as well', () => {
    const bench = without(B);
    const back = listed([voter(A), voter(C), voter(D)]);
    const gone = { ...listed([voter(A), voter(C)]), revision: rev('2/3') };
    bench.beat(2, '2/1', [{ ...back, revision: rev('2/2') }, gone], { from: C });
    expect(bench.beat(3, '2/2', '3/3', { from: D }).ok).toBe(true);
    expect(bench.host.core.peers.ips).toEqual([A, C, D]);
  });
});

describe('a leader whose own removal is committed, as a follower sees it', () => {
  test('is known still, and gets no votes', () => {
    const bench = new Bench({ stored: disk(1) });
    bench.beat(2, '0/0', [listed([voter(A), voter(C)])], { committed: '2/1' });
    bench.cluster.run(2 * L);
    const vote = { peer: candidate(B, 3), revision: rev('2/2'), membersRevision: rev('2/1') };
    const refused = refusal(() => bench.give(() => bench.host.core.receivedVote(vote, bench.cluster.now)));
    expect(refused.code).toBe('NOT_A_VOTER');
  });
});

describe('a stranger', () => {
  const news = { membersRevision: rev('2/1') };
  const data = { prev: rev('0/0'), batches: [], committed: rev('0/0') };

  test('is heard when it knows of a newer change of the members', () => {
    const bench = new Bench({ stored: disk(1) });
    bench.give(() =>
      bench.host.core.receivedBeat(beat(D, 2, { data: { ...data, ...news } }), bench.cluster.now),
    );
    expect(bench.host.leader).toBe(D);
  });

  test('that led is asked for its view by those that follow another, and its answer is stored', () => {
    const bench = new Bench({ stored: disk(1) });
    const { core } = bench.host;
    bench.give(() => core.receivedBeat(beat(D, 2, { data: { ...data, ...news } }), bench.cluster.now));
    bench.beat(3, '0/0');
    bench.give(() => core.receivedPeer(D, peer(D, { term: 3, voteFor: B }), bench.cluster.now));
    expect(core.peers.get(D)).toMatchObject({ state: 'FOLLOWER', voteFor: B });
  });

  test('gets a vote when it knows of a newer change of the members', () => {
    const bench = new Bench({ stored: disk(1) });
    const vote = { peer: candidate(D, 2), ...news };
    expect(bench.give(() => bench.host.core.receivedVote(vote, bench.cluster.now)).granted).toBe(true);
  });

  test.each(['0/0', undefined])('is refused when it knows of no newer change: %s', (known) => {
    const bench = new Bench({ stored: disk(1) });
    const vote = { peer: candidate(D, 2), ...(known === undefined ? {} : { membersRevision: rev(known) }) };
    const refused = refusal(() => bench.give(() => bench.host.core.receivedVote(vote, bench.cluster.now)));
    expect(refused.code).toBe('UNKNOWN_PEER');
  });

  test('gets no order obeyed, for an order tells of no members', () => {
    const bench = new Bench({ stored: disk(1) });
    const order = { peer: leaderOf(D, 1) };
    const refused = refusal(() =>
      bench.give(() => bench.host.core.receivedTransfer(order, bench.cluster.now)),
    );
    expect(refused.code).toBe('UNKNOWN_PEER');
  });
});

describe('what a candidate says', () => {
  test('of the members is how new its list is, in pre-votes and votes', () => {
    const bench = new Bench({ stored: disk(1, [listed([voter(A), voter(B), voter(C)])]) });
    bench.elect();
    for (const preVote of [true, undefined]) {
      const asked = bench.requests('vote').find((vote) => vote.preVote === preVote);
      expect(asked?.membersRevision).toEqual(rev('2/1'));
    }
  });
});
