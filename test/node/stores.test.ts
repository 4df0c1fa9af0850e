import { type PeerReply, RaftError } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import {
  A,
  B,
  beat,
  C,
  forbidUnhandledRejections,
  H,
  L,
  LATENCY,
  Lab,
  outcome,
  type Peer,
  peer,
  settle,
} from './virtual.js';

forbidUnhandledRejections();

/** A vote request of `ip` for `term`. */
function vote(ip: string, term: number): unknown {
  return { type: 'vote', peer: peer(ip, { state: 'CANDIDATE', term, voteFor: ip }) };
}

/** A node of a cluster whose others are silent, past its start wait: free to vote. */
async function voter(): Promise<{ readonly lab: Lab; readonly own: Peer }> {
  const lab = new Lab([{ ip: A, priority: 0 }, B, C]);
  const own = lab.peer(A);
  await own.node.start();
  await lab.advance(L);
  return { lab, own };
}

describe('before its save is durable', () => {
  test('no vote request leaves, and no vote of its own counts', async () => {
    const lab = new Lab();
    for (const { store } of lab.peers) store.hangs = true;
    await lab.start();
    await lab.until(() => lab.peers.some(({ store }) => store.asked.length > 0));
    const candidate = lab.peers.find(({ store }) => store.asked.length > 0)!;
    expect(candidate.store.asked).toMatchObject([{ term: 1, voteFor: candidate.ip }]);
    await settle();
    expect(lab.sent(candidate.ip, 'vote')).toEqual([]);
    candidate.store.release();
    await settle();
    expect(lab.sent(candidate.ip, 'vote')).toHaveLength(2);
    expect(lab.tooEarly).toEqual([]);
  });

  test('no cluster of one leads', async () => {
    const lab = new Lab([A]);
    const { node, store, events } = lab.peer(A);
    store.hangs = true;
    await node.start();
    await lab.advance(5 * L);
    expect(store.asked).toEqual([{ term: 1, voteFor: A, promisedMs: 0 }]);
    expect([node.isLeader(), node.state]).toEqual([false, 'CANDIDATE']);
    expect(events).toEqual([]);
    store.release();
    await settle();
    expect(node.isLeader()).toBe(true);
    expect(events.at(-1)).toBe(`makeLeader ${A} 1`);
  });

  test('no vote is answered', async () => {
    const { lab, own } = await voter();
    own.store.hangs = true;
    const reply = lab.network.receive(A, vote(B, 4));
    expect(await outcome(reply)).toBe('pending');
    expect(own.store.asked.at(-1)).toMatchObject({ term: 4, voteFor: B });
    own.store.release();
    expect(await reply).toMatchObject({ granted: true, term: 4, voteFor: B });
  });

  test('no refusal that shows the new term is answered', async () => {
    const { lab, own } = await voter();
    await lab.network.receive(A, vote(B, 4));
    own.store.hangs = true;
    const granted = lab.network.receive(A, vote(C, 5));
    const refused = lab.network.receive(A, vote(B, 4));
    expect([await outcome(granted), await outcome(refused)]).toEqual(['pending', 'pending']);
    own.store.release();
    expect([await granted, await refused]).toMatchObject([
      { granted: true, term: 5, voteFor: C },
      { granted: false, term: 5, voteFor: C },
    ]);
  });

  test('no beat is acknowledged, and no leader is told of', async () => {
    const { lab, own } = await voter();
    own.store.hangs = true;
    const reply = lab.network.receive(A, beat(B, 4));
    const waiting = own.node.waitForLeader();
    expect(await outcome(reply)).toBe('pending');
    expect(await outcome(waiting)).toBe('pending');
    expect(own.store.asked.at(-1)).toEqual({ term: 4, voteFor: B, promisedMs: L });
    expect(own.events).toEqual([]);
    own.store.release();
    expect(await reply).toMatchObject({ term: 4, voteFor: B, requestTerm: 4, sentAt: 0 });
    expect(own.events).toEqual([`makeLeader ${B} 4`]);
    expect((await waiting).ip).toBe(B);
  });

  test('no beat that promises for longer is acknowledged', async () => {
    const { lab, own } = await voter();
    await lab.network.receive(A, beat(B, 4));
    own.store.hangs = true;
    const reply = lab.network.receive(A, { ...beat(B, 4), leaderTimeoutMs: 3 * L });
    expect(await outcome(reply)).toBe('pending');
    expect(own.store.asked.at(-1)).toEqual({ term: 4, voteFor: B, promisedMs: 3 * L });
    own.store.release();
    expect(await outcome(reply)).toBe('resolved');
  });

  test('nothing that came later is answered or sent, and then all of it is, in order', async () => {
    const { lab, own } = await voter();
    own.store.hangs = true;
    const order: string[] = [];
    const replies = [
      lab.network.receive(A, vote(B, 4)).then(() => order.push('vote')),
      lab.network.receive(A, { type: 'peer' }).then(() => order.push('peer')),
      lab.network.receive(A, { type: 'state' }).then(() => order.push('state')),
      lab.network.receive(A, beat(B, 4)).then(() => order.push('beat')),
    ];
    await lab.advance(L);
    expect(order).toEqual([]);
    own.store.release();
    await Promise.all(replies);
    expect(order).toEqual(['vote', 'peer', 'state', 'beat']);
  });

  test('nothing leaves, whatever happens to the cluster', async () => {
    const lab = new Lab();
    await lab.elect();
    for (let round = 0; round < 6; round++) {
      const slow = lab.peers[round % 3]!;
      slow.store.hangs = true;
      const heal = lab.network.isolate(lab.leaders[0] ?? A);
      await lab.advance(2.5 * L);
      heal();
      await lab.advance(H);
      slow.store.release();
      await lab.until(() => lab.leaders.length === 1);
    }
    expect(lab.tooEarly).toEqual([]);
  });

  test('saves do not overlap', async () => {
    const { lab, own } = await voter();
    own.store.hangs = true;
    void lab.network.receive(A, vote(B, 4));
    void lab.network.receive(A, vote(C, 5));
    void lab.network.receive(A, beat(C, 6));
    await settle();
    expect(own.store.asked).toHaveLength(1);
    own.store.release();
    await settle();
    expect(own.store.asked.map(({ term }) => term)).toEqual([4, 5, 6]);
  });
});

describe('a save that fails', () => {
  test.each(['reject', 'throw'] as const)('stops the node, and says so (%s)', async (how) => {
    const { lab, own } = await voter();
    const cause = new Error('the disk is full');
    own.store.saveFault = { how, cause };
    const reply = await lab.network.receive(A, vote(B, 4));
    expect(reply).toMatchObject({ code: 'STORE_FAILED' });
    expect(reply).not.toHaveProperty('granted');
    expect(own.errors).toMatchObject([{ code: 'STORE_FAILED', cause }]);
    await settle();
    expect([own.node.isLeader(), own.transport.isServing, own.store.isOpen, own.host.timers]).toEqual([
      false,
      false,
      false,
      0,
    ]);
    await expect(own.node.resign()).rejects.toMatchObject({ code: 'NOT_RUNNING' });
    expect(await own.transport.receive?.(vote(B, 4), 'test')).toMatchObject({ code: 'NOT_RUNNING' });
  });

  test('with an error of this library is told as it is', async () => {
    const { lab, own } = await voter();
    const cause = new RaftError('STORE_CORRUPT', 'it holds something else');
    own.store.saveFault = { how: 'reject', cause };
    expect(await lab.network.receive(A, vote(B, 4))).toMatchObject({ code: 'STORE_CORRUPT' });
    expect(own.errors).toEqual([cause]);
    expect(own.errors[0]).toBe(cause);
  });

  test('with what cannot be shown is told as STORE_FAILED all the same', async () => {
    const { lab, own } = await voter();
    own.store.saveFault = { how: 'reject', cause: Object.create(null) };
    expect(await lab.network.receive(A, vote(B, 4))).toMatchObject({ code: 'STORE_FAILED' });
    expect(own.errors).toMatchObject([{ code: 'STORE_FAILED' }]);
  });

  test('keeps back all that was behind it', async () => {
    const lab = new Lab();
    for (const { store } of lab.peers) store.hangs = true;
    await lab.start();
    await lab.until(() => lab.peers.some(({ store }) => store.asked.length > 0));
    const candidate = lab.peers.find(({ store }) => store.asked.length > 0)!;
    const later = lab.network.receive(candidate.ip, { type: 'peer' });
    const sent = lab.network.sent.length;
    candidate.store.fail(new Error('the disk is full'));
    expect(await later).toMatchObject({ code: 'NOT_RUNNING' });
    await settle();
    expect(lab.network.sent.length).toBe(sent);
    expect(candidate.node.state).not.toBe('LEADER');
    expect(candidate.errors).toMatchObject([{ code: 'STORE_FAILED' }]);
    expect(candidate.transport.isServing).toBe(false);
  });

  test('leaves no leader that was never acknowledged, and tells of none', async () => {
    const { lab, own } = await voter();
    const waiting = own.node.waitForLeader();
    waiting.catch(() => {});
    own.store.saveFault = { how: 'reject', cause: new Error('full') };
    await lab.network.receive(A, beat(B, 4));
    await settle();
    expect(own.node.leader).toBe(null);
    expect(own.events).toEqual([]);
    await expect(waiting).rejects.toMatchObject({ code: 'NOT_RUNNING' });
  });

  test('on a leader ends its leadership for those who listen, too', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    leader.store.saveFault = { how: 'reject', cause: new Error('full') };
    await lab.network.receive(leader.ip, beat(followers[0].ip, 4));
    await settle();
    expect([leader.node.isLeader(), leader.node.leader]).toEqual([false, null]);
    expect(leader.events).toContain(`leaderLost ${leader.ip} 1`);
    expect(leader.events).not.toContain(`makeLeader ${followers[0].ip} 4`);
    await lab.until(() => lab.leaders.length === 1);
  });

  test('leaves a node that can be stopped, and started again', async () => {
    const { lab, own } = await voter();
    own.store.saveFault = { how: 'reject', cause: new Error('full') };
    await lab.network.receive(A, vote(B, 4));
    await own.node.stop();
    own.store.saveFault = null;
    await own.node.start();
    expect(await lab.network.receive(A, { type: 'peer' })).toMatchObject({ ip: A, term: 0 });
    await lab.advance(L);
    expect(await lab.network.receive(A, vote(B, 4))).toMatchObject({ granted: true });
  });

  test('leaves a node that can be started again by the listener of the error', async () => {
    const { lab, own } = await voter();
    own.store.saveFault = { how: 'reject', cause: new Error('full') };
    let started: Promise<void> | null = null;
    own.node.once('error', () => {
      own.store.saveFault = null;
      started = own.node.start();
    });
    await lab.network.receive(A, vote(B, 4));
    await started;
    await settle();
    expect([own.store.opens, own.transport.isServing, own.store.isOpen]).toEqual([2, true, true]);
    expect(await lab.network.receive(A, { type: 'peer' })).toMatchObject({ ip: A });
  });

  test('closes both though closing fails, without a rejection that nobody handles', async () => {
    const { lab, own } = await voter();
    own.store.saveFault = { how: 'reject', cause: new Error('full') };
    own.store.closeFault = { how: 'throw', cause: new Error('stuck') };
    own.transport.stopFault = { how: 'throw', cause: new Error('stuck') };
    await lab.network.receive(A, vote(B, 4));
    await settle();
    expect([own.store.closes, own.transport.stops]).toEqual([1, 1]);
    expect(own.errors).toHaveLength(1);
  });
});

describe('a save that hangs', () => {
  test('blocks neither isLeader() nor stop()', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    leader.store.hangs = true;
    const reply = lab.network.receive(leader.ip, beat(followers[0].ip, 4));
    reply.catch(() => {});
    const waiting = lab.network.receive(leader.ip, { type: 'peer' });
    await settle();
    expect(leader.node.isLeader()).toBe(false);
    await leader.node.stop();
    expect(await waiting).toMatchObject({ code: 'NOT_RUNNING' });
    expect([leader.transport.isServing, leader.store.isOpen, leader.host.timers]).toEqual([false, false, 0]);
  });

  test('leaves what waits for it refused when the node is stopped', async () => {
    const { lab, own } = await voter();
    own.store.hangs = true;
    const reply = lab.network.receive(A, vote(B, 4));
    await settle();
    await own.node.stop();
    expect(await outcome(reply)).toBe('resolved');
    expect(await reply).toMatchObject({ code: 'NOT_RUNNING' });
  });

  test('lets 1000 inputs wait, and refuses the next with BUSY', async () => {
    const { lab, own } = await voter();
    own.store.hangs = true;
    const first = lab.network.receive(A, vote(B, 4));
    const waiting = Array.from({ length: 1_000 }, () => lab.network.receive(A, { type: 'peer' }));
    await settle();
    expect(await outcome(Promise.race(waiting))).toBe('pending');
    expect(await lab.network.receive(A, { type: 'peer' })).toMatchObject({ code: 'BUSY' });
    expect(await lab.network.receive(A, beat(B, 4))).toMatchObject({ code: 'BUSY' });
    own.store.release();
    expect(await first).toMatchObject({ granted: true });
    const replies = (await Promise.all(waiting)) as PeerReply[];
    expect(new Set(replies.map(({ term }) => term))).toEqual(new Set([4]));
    expect(await lab.network.receive(A, { type: 'peer' })).toMatchObject({ ip: A });
  });

  test('does not keep the others from another leader', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    leader.store.hangs = true;
    void lab.network.receive(leader.ip, beat(B === leader.ip ? C : B, 4));
    await lab.until(() => lab.leaders.length === 1 && lab.leaders[0] !== leader.ip);
    expect(lab.tooEarly).toEqual([]);
  });

  test('and ends after the stop tells nothing more', async () => {
    const { lab, own } = await voter();
    own.store.hangs = true;
    const reply = lab.network.receive(A, beat(B, 4));
    await settle();
    await own.node.stop();
    own.store.release();
    expect(await reply).toMatchObject({ code: 'NOT_RUNNING' });
    expect([own.node.leader, own.events, own.errors]).toEqual([null, [], []]);
  });

  test('and ends after the stop wins no election', async () => {
    const lab = new Lab([A]);
    const { node, store, events } = lab.peer(A);
    store.hangs = true;
    await node.start();
    await lab.until(() => store.asked.length > 0);
    await node.stop();
    store.release();
    await settle();
    expect([node.isLeader(), node.leader, events]).toEqual([false, null, []]);
  });

  test('and fails after the stop is no failure of the node', async () => {
    const { lab, own } = await voter();
    own.store.hangs = true;
    const reply = lab.network.receive(A, beat(B, 4));
    await settle();
    await own.node.stop();
    own.store.fail(new Error('closed'));
    await settle();
    expect([own.node.leader, own.events, own.errors]).toEqual([null, [], []]);
    expect(await reply).toHaveProperty('code');
  });

  test.each([
    ['ends', (own: Peer) => own.store.release()],
    ['fails', (own: Peer) => own.store.fail(new Error('closed'))],
  ])('and %s after a restart does nothing to the new run', async (_, end) => {
    const { lab, own } = await voter();
    own.store.hangs = true;
    void lab.network.receive(A, beat(B, 4));
    await settle();
    await own.node.stop();
    await own.node.start();
    end(own);
    await settle();
    expect([own.node.leader, own.events, own.errors]).toEqual([null, [], []]);
    expect([own.transport.isServing, own.store.isOpen]).toEqual([true, true]);
    expect(await lab.network.receive(A, { type: 'peer' })).toMatchObject({ ip: A });
  });
});

describe('an empty store', () => {
  test('of the whole cluster does not keep it from a leader', async () => {
    const lab = new Lab([A, B, C], { stored: null });
    await lab.elect();
    expect(lab.leaders).toHaveLength(1);
  });

  test('of one member keeps it out until it has heard of the others; then it follows', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    const [{ ip, node, store }] = followers;
    await node.stop();
    store.state = null;
    lab.network.isolate(ip);
    await node.start();
    await lab.advance(5 * L);
    expect(await lab.network.receive(ip, beat(leader.ip, 1))).toMatchObject({ code: 'REJOINING' });
    expect(await lab.network.receive(ip, vote(leader.ip, 9))).toMatchObject({ code: 'REJOINING' });
    expect(await lab.network.receive(ip, { type: 'state' })).toMatchObject({ rejoining: true, term: 0 });
    expect(store.state).toBe(null);
    lab.network.treat(() => ({ does: 'carry' }));
    await lab.until(() => node.leader !== null);
    expect(node.leader?.ip).toBe(leader.ip);
    expect(lab.leaders).toEqual([leader.ip]);
  });

  test('is a cluster of one that begins anew', async () => {
    const lab = new Lab([A], { stored: null, durable: true });
    await lab.elect();
    expect(lab.node(A).fencingToken).toBe(1);
    expect(lab.peer(A).events[0]).toBe('warning EMPTY_STORE');
  });
});

test('what the store held is where a node begins', async () => {
  const lab = new Lab([A, B, C], { stored: { term: 41, voteFor: B, promisedMs: 3 * L } });
  await lab.start();
  expect(await lab.network.receive(A, { type: 'peer' })).toMatchObject({
    term: 41,
    voteFor: B,
    empty: false,
  });
  await lab.advance(3 * L - LATENCY);
  expect(lab.network.sent).toEqual([]);
  await lab.until(() => lab.leaders.length === 1);
  expect(lab.node(lab.leaders[0]!).fencingToken).toBe(42);
});
