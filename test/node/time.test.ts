import { type Clock, RaftCore, type RaftError, RaftNode } from 'raftbeat';
import { describe, expect, test, vi } from 'vitest';
import {
  A,
  forbidUnhandledRejections,
  H,
  L,
  LATENCY,
  Lab,
  LEASE,
  type Peer,
  peer,
  settle,
  TestStore,
  TestTransport,
  TIMING,
} from './virtual.js';

forbidUnhandledRejections();

/** Stalls the leader until the others have another one. */
async function replace(lab: Lab, leader: Peer): Promise<Peer> {
  leader.host.stall();
  const others = lab.peers.filter((peer) => peer !== leader);
  await lab.until(() => others.some(({ node }) => node.isLeader()));
  return others.find(({ node }) => node.isLeader())!;
}

describe('a leader whose event loop was blocked beyond its lease', () => {
  test('answers false to the first question, before any timer or mail has run', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    await replace(lab, leader);
    expect(leader.node.state).toBe('LEADER');
    expect([leader.node.isLeader(), leader.node.leader, leader.node.fencingToken]).toEqual([
      false,
      null,
      null,
    ]);
  });

  test('answers false to the first question from a timer of its own process, which runs before all others', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    const answers: boolean[] = [];
    const ask = (): void => {
      answers.push(leader.node.isLeader());
      if (answers.at(-1) === true) leader.host.setTimer(ask, 10);
    };
    ask();
    await lab.advance(H);
    await replace(lab, leader);
    leader.host.resume();
    await lab.advance(0);
    expect(answers.at(-1)).toBe(false);
    expect(answers.slice(0, -1)).not.toContain(false);
  });

  test('says so until it has heard of the new leader, and follows it then', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    const other = await replace(lab, leader);
    leader.host.resume();
    await lab.advance(2 * H);
    expect(leader.node.isLeader()).toBe(false);
    expect(leader.node.leader?.ip).toBe(other.ip);
    expect(lab.leaders).toEqual([other.ip]);
    expect(leader.events.slice(-3)).toEqual(
      ['stateChange LEADER>FOLLOWER 1', `leaderLost ${leader.ip} 1`, `makeLeader ${other.ip} 2`].slice(-3),
    );
  });

  test('sends no beat any more, though the timer for one is overdue', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    await lab.advance(H);
    const last = lab.sent(leader.ip, 'beat').at(-1)!.at;
    await replace(lab, leader);
    leader.host.resume();
    await lab.advance(L);
    expect(lab.sent(leader.ip, 'beat').at(-1)!.at).toBe(last);
  });

  test('does not win its lease back by the acknowledgements that wait in its mail', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    await lab.until(() => lab.sent(leader.ip, 'beat').at(-1)!.at === lab.now);
    leader.host.stall();
    await lab.advance(Math.ceil(LEASE) + 1);
    leader.host.resume();
    const answers: boolean[] = [];
    await lab.world.until(() => {
      answers.push(leader.node.isLeader());
      return false;
    }, H);
    expect(answers).not.toContain(true);
  });

  test('ends the jobs of whileLeader with the first turn of the event loop', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    let signal: AbortSignal | null = null;
    void leader.node.whileLeader((context) => {
      signal = context.signal;
    });
    await settle();
    await replace(lab, leader);
    const aborted: (boolean | undefined)[] = [];
    leader.node.on('leaderLost', () => void aborted.push(signal?.aborted));
    leader.host.resume();
    await lab.advance(0);
    expect(aborted).toEqual([true]);
  });

  test('ends the jobs of whileLeader before any mail is read', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    let signal: AbortSignal | null = null;
    void leader.node.whileLeader((context) => {
      signal = context.signal;
    });
    await settle();
    const aborted: (boolean | undefined)[] = [];
    leader.host.stall();
    leader.host.post(lab.now, () => void aborted.push(signal?.aborted));
    await lab.advance(2 * L);
    leader.host.resume();
    await lab.advance(0);
    expect(aborted).toEqual([true]);
  });

  test('is still the leader after a stall that is shorter than its lease', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    await lab.advance(5 * H);
    leader.host.stall();
    await lab.advance(LEASE - H - 2 * LATENCY);
    expect(leader.node.isLeader()).toBe(true);
    leader.host.resume();
    await lab.advance(5 * L);
    expect(lab.leaders).toEqual([leader.ip]);
    expect(leader.node.term).toBe(1);
  });
});

describe('a follower whose event loop was blocked', () => {
  test('reads the beats in its mail before it believes its alarm: it neither loses its leader nor campaigns', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    const [follower] = followers;
    await lab.advance(H);
    follower.host.stall();
    await lab.advance(10 * L);
    follower.events.length = 0;
    const sent = lab.network.sent.length;
    follower.host.resume();
    await lab.advance(0);
    expect(follower.events).toEqual([]);
    expect(follower.node.leader?.ip).toBe(leader.ip);
    expect(lab.network.sent.slice(sent).filter(({ from }) => from === follower.ip)).toEqual([]);
    await lab.advance(5 * L);
    expect(follower.events).toEqual([]);
    expect(lab.leaders).toEqual([leader.ip]);
  });

  test('does so, too, when its alarm had rung while a save was under way', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    const [next, follower] = followers;
    follower.store.hangs = true;
    await Promise.all([leader.node.resign(next.ip), lab.advance(2 * LATENCY)]);
    const heal = lab.network.isolate(follower.ip);
    await lab.advance(3 * L);
    heal();
    follower.host.stall();
    await lab.advance(3 * H);
    follower.store.release();
    await settle();
    follower.host.resume();
    await lab.advance(0);
    expect(lab.sent(follower.ip, 'preVote')).toEqual([]);
    expect(follower.node.leader?.ip).toBe(next.ip);
  });

  test('loses its leader and asks for votes when no beat was in its mail', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    const [follower] = followers;
    lab.network.isolate(follower.ip);
    await lab.advance(LATENCY);
    follower.host.stall();
    await lab.advance(2 * L);
    expect(follower.node.leader?.ip).toBe(leader.ip);
    follower.host.resume();
    await lab.advance(0);
    expect(follower.events.at(-1)).toBe(`leaderLost ${leader.ip} 1`);
    await lab.advance(L);
    expect(lab.sent(follower.ip, 'preVote').length).toBeGreaterThan(0);
    expect(follower.node.term).toBe(1);
  });
});

describe('a leader whose host was suspended', () => {
  test('answers false to the first question, though its monotonic clock stood still', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    const before = leader.host.now();
    leader.host.suspend();
    await lab.advance(L);
    leader.host.resume();
    expect(leader.host.now()).toBe(before);
    expect(leader.node.isLeader()).toBe(false);
  });

  test('tells its jobs at once', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    let signal: AbortSignal | null = null;
    void leader.node.whileLeader((context) => {
      signal = context.signal;
    });
    await settle();
    leader.host.suspend();
    await lab.advance(L);
    leader.host.resume();
    expect(leader.node.isLeader()).toBe(false);
    expect((signal as AbortSignal | null)?.aborted).toBe(true);
  });

  test('steps down, and its events say so, with the first turn that it gets', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    await lab.advance(H / 2);
    leader.host.suspend();
    await lab.advance(L);
    leader.host.resume();
    await lab.advance(H);
    expect(leader.node.state).toBe('FOLLOWER');
    expect(leader.events).toContain(`leaderLost ${leader.ip} 1`);
  });

  test('is never a second leader while others were elected meanwhile', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    leader.host.suspend();
    await lab.advance(3 * L);
    leader.host.resume();
    const seen: number[] = [];
    await lab.world.until(() => {
      seen.push(lab.leaders.length);
      return false;
    }, 3 * L);
    expect(Math.max(...seen)).toBe(1);
    expect(lab.tooEarly).toEqual([]);
  });

  test('counts what several short suspensions took', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    lab.network.isolate(leader.ip);
    for (let round = 0; round < 5 && leader.node.isLeader(); round++) {
      leader.host.suspend();
      await lab.advance(L / 5);
      leader.host.resume();
    }
    expect(leader.node.isLeader()).toBe(false);
  });
});

test('a clock that runs backwards brings no lease back: false after true stays so for the term', async () => {
  const lab = new Lab();
  const { leader } = await lab.elect();
  await lab.advance(H + 4 * LATENCY);
  const { now } = leader.host;
  leader.host.now = () => now.call(leader.host) + 2 * L;
  expect(leader.node.isLeader()).toBe(false);
  leader.host.now = now;
  expect(leader.node.isLeader()).toBe(false);
  const terms: (number | null)[] = [];
  await lab.world.until(() => {
    terms.push(leader.node.fencingToken);
    return false;
  }, 5 * L);
  expect(terms).not.toContain(1);
});

describe('a wall clock', () => {
  test('that jumps ahead by more than the lease ends it; stepped back, it does not bring it back', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    leader.host.stepWall(2 * L);
    expect(leader.node.isLeader()).toBe(false);
    leader.host.stepWall(-2 * L);
    expect(leader.node.isLeader()).toBe(false);
    leader.host.stepWall(-100 * L);
    expect(leader.node.isLeader()).toBe(false);
    await lab.advance(H);
    expect(leader.node.isLeader()).toBe(false);
    expect(leader.node.state).toBe('FOLLOWER');
  });

  test('stepped back prolongs nothing: the lease ends when the monotonic clock says so', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    await lab.advance(H + 4 * LATENCY);
    const last = lab.sent(leader.ip, 'beat').at(-1)!.at;
    lab.network.isolate(leader.ip);
    leader.host.stepWall(-100 * L);
    leader.host.stall();
    await lab.advance(last + LEASE - lab.now - 1);
    expect(leader.node.isLeader()).toBe(true);
    await lab.advance(1);
    expect(leader.node.isLeader()).toBe(false);
  });

  test('that was stepped back and gains afterwards counts from there', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    leader.host.stepWall(-100 * L);
    expect(leader.node.isLeader()).toBe(true);
    leader.host.suspend();
    await lab.advance(L);
    leader.host.resume();
    expect(leader.node.isLeader()).toBe(false);
  });

  test('that runs 1 ms coarser or jitters by it costs no leadership', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    for (let round = 0; round < 2_000; round++) {
      leader.host.stepWall(round % 2 === 0 ? 1 : -1);
      expect(leader.node.isLeader()).toBe(true);
    }
    await lab.advance(5 * L);
    expect(lab.leaders).toEqual([leader.ip]);
    expect(leader.node.term).toBe(1);
  });

  test('that jumps ahead on followers ends no promise early: nobody votes or campaigns before L of its own time', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    await lab.advance(H + 4 * LATENCY);
    const accepted = lab.answered(followers[0].ip, 'beat').at(-1)!.at;
    lab.network.isolate(leader.ip);
    const [asked, other] = followers;
    for (const { host } of followers) host.stepWall(100 * L);
    const candidate = peer(other.ip, { state: 'CANDIDATE', term: 2, voteFor: other.ip });
    expect(await lab.network.receive(asked.ip, { type: 'vote', peer: candidate })).toMatchObject({
      granted: false,
      term: 1,
      promiseMs: accepted + L - lab.now,
    });
    expect(other.node.isLeader()).toBe(false);
    const sent = lab.network.sent.length;
    await lab.advance(accepted + L - lab.now - 1);
    expect(lab.network.sent.slice(sent).filter(({ request }) => request.type === 'vote')).toEqual([]);
    expect(followers.map(({ node }) => node.leader?.ip)).toEqual([leader.ip, leader.ip]);
    await lab.until(() => followers.some(({ node }) => node.isLeader()));
  });

  test('that jumps ahead does not shorten the wait after a start', async () => {
    const lab = new Lab();
    await lab.start();
    await lab.advance(L / 2);
    for (const { host } of lab.peers) host.stepWall(100 * L);
    await lab.advance(L / 2 - 1);
    expect(lab.network.sent).toEqual([]);
  });
});

describe('an alarm', () => {
  test('that rings early does nothing but look at the clock', async () => {
    const lab = new Lab();
    for (const { host } of lab.peers) {
      const { setTimer } = host;
      host.setTimer = (run, ms) => setTimer.call(host, run, Math.max(0, ms - 0.8));
    }
    const { leader } = await lab.elect();
    const beats = lab.sent(leader.ip, 'beat').length;
    await lab.advance(10 * L);
    const perHeartbeat = (lab.sent(leader.ip, 'beat').length - beats) / ((10 * L) / H);
    expect(perHeartbeat).toBeGreaterThan(1.9);
    expect(perHeartbeat).toBeLessThan(2.1);
    expect(lab.leaders).toEqual([leader.ip]);
  });

  test('that rings 30 ms late costs no leadership', async () => {
    const lab = new Lab();
    for (const { host } of lab.peers) {
      const { setTimer } = host;
      host.setTimer = (run, ms) => setTimer.call(host, run, ms + 30);
    }
    const { leader } = await lab.elect();
    await lab.advance(20 * L);
    expect(lab.leaders).toEqual([leader.ip]);
    expect(lab.peers.map(({ node }) => node.term)).toEqual([1, 1, 1]);
  });

  test('is one at a time: a node at rest keeps no more timers than requests and one', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    await lab.advance(10 * L);
    for (const { host, ip } of lab.peers) expect(host.timers).toBeLessThanOrEqual(ip === leader.ip ? 3 : 1);
  });
});

test('a bug of the core stops the node, and says so with the cause', async () => {
  const lab = new Lab();
  const { leader } = await lab.elect();
  const cause = new TypeError('undefined is not a function');
  const tick = vi.spyOn(RaftCore.prototype, 'tick').mockImplementation(() => {
    throw cause;
  });
  await lab.until(() => leader.errors.length > 0);
  tick.mockRestore();
  expect(leader.errors).toMatchObject([{ code: 'INTERNAL', cause }]);
  expect(leader.transport.isServing).toBe(false);
});

test('a clock that answers nonsense stops the node, and says so', async () => {
  const lab = new Lab([A]);
  const host = lab.world.host();
  let isBroken = false;
  const clock: Clock = {
    now: () => (isBroken ? Number.NaN : host.now()),
    wallNow: () => host.wallNow(),
    setTimer: (run, ms) => host.setTimer(run, ms),
    afterMail: (run) => host.afterMail(run),
  };
  const store = new TestStore();
  const transport = new TestTransport(lab.network, host);
  const node = new RaftNode({ ...TIMING, ip: A, clock, store, transport, random: () => 0 });
  const errors: RaftError[] = [];
  node.on('error', (error) => void errors.push(error));
  await node.start();
  await lab.until(() => node.isLeader());
  isBroken = true;
  await lab.advance(2 * H);
  expect(errors).toMatchObject([{ code: 'INTERNAL' }]);
  expect([node.isLeader(), transport.isServing, store.isOpen]).toEqual([false, false, false]);
});
