import { type LeaderContext, RaftError, RaftPeerSet } from 'raftbeat';
import { describe, expect, test, vi } from 'vitest';
import { A, B, C, forbidUnhandledRejections, gate, H, HOLD, L, Lab, outcome, settle } from './virtual.js';

forbidUnhandledRejections();

/** A job that notes its runs, and works until its signal tells it to stop. */
class Job {
  readonly runs: LeaderContext[] = [];
  running = 0;
  most = 0;

  readonly run = async (context: LeaderContext): Promise<void> => {
    this.runs.push(context);
    this.most = Math.max(this.most, ++this.running);
    await new Promise<void>((resolve) => {
      context.signal.addEventListener('abort', () => resolve());
    });
    this.running--;
  };

  get tokens(): readonly number[] {
    return this.runs.map(({ fencingToken }) => fencingToken);
  }

  get last(): LeaderContext {
    const context = this.runs.at(-1);
    if (context === undefined) throw new Error('the job never ran');
    return context;
  }
}

describe('a job', () => {
  test('runs only where the leader is, and only while it leads, with the term for a token', async () => {
    const lab = new Lab();
    const jobs = lab.peers.map(({ node }) => {
      const job = new Job();
      void node.whileLeader(job.run);
      return job;
    });
    const { leader } = await lab.elect();
    await lab.advance(5 * L);
    const own = jobs[lab.peers.indexOf(leader)]!;
    expect(jobs.map(({ runs }) => runs.length).toSorted()).toEqual([0, 0, 1]);
    expect(own.tokens).toEqual([leader.node.fencingToken]);
    expect(own.last.signal.aborted).toBe(false);
  });

  test('starts at once where the node leads already', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    const job = new Job();
    void leader.node.whileLeader(job.run);
    await settle();
    expect(job.runs).toHaveLength(1);
  });

  test('does not start for a leadership that is over by the time it is told', async () => {
    const lab = new Lab();
    const job = new Job();
    for (const { node } of lab.peers) void node.whileLeader(job.run);
    const { announceLeader } = RaftPeerSet.prototype;
    const announced = vi.spyOn(RaftPeerSet.prototype, 'announceLeader');
    // The process stands still between what the core says and what is told.
    announced.mockImplementation(function (this: RaftPeerSet) {
      announceLeader.call(this);
      const { host } = lab.peer(this.self.ip);
      const now = host.now.bind(host);
      if (this.self.state === 'LEADER') host.now = () => now() + 2 * L;
    });
    await lab.start();
    await lab.until(() => lab.peers.some(({ ip, events }) => events.includes(`makeLeader ${ip} 1`)));
    announced.mockRestore();
    await settle();
    expect([lab.leaders, job.runs]).toEqual([[], []]);
  });

  test('does not start on a winner before its first lease', async () => {
    const lab = new Lab();
    const jobs = lab.peers.map(({ node }) => {
      const job = new Job();
      void node.whileLeader(job.run);
      return job;
    });
    lab.network.treat((_from, _to, { type }) => (type === 'beat' ? HOLD : null));
    await lab.start();
    await lab.until(() => lab.peers.some(({ node }) => node.state === 'LEADER'));
    await lab.advance(H / 2);
    expect(jobs.map(({ runs }) => runs.length)).toEqual([0, 0, 0]);
    lab.network.release();
    await lab.advance(H);
    expect(jobs.map(({ runs }) => runs.length).toSorted()).toEqual([0, 0, 1]);
  });

  test('is told by its signal at the very moment at which the lease ends', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    const job = new Job();
    void leader.node.whileLeader(job.run);
    await settle();
    lab.network.isolate(leader.ip);
    while (leader.node.isLeader()) {
      expect(job.last.signal.aborted).toBe(false);
      await lab.advance(1);
    }
    expect(job.last.signal.aborted).toBe(true);
    expect(job.last.signal.reason).toMatchObject({ code: 'NOT_LEADER', term: 1 });
  });

  test('is told by its signal when isLeader() has answered false', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    const job = new Job();
    void leader.node.whileLeader(job.run);
    await settle();
    leader.host.stall();
    await lab.advance(2 * L);
    expect(leader.node.isLeader()).toBe(false);
    expect(job.last.signal.aborted).toBe(true);
  });

  test('is told by its signal when the node resigns, before the order leaves', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    const job = new Job();
    void leader.node.whileLeader(job.run);
    await settle();
    let abortedFirst: boolean | null = null;
    lab.network.treat((_from, _to, { type }) => {
      if (type === 'transfer') abortedFirst = job.last.signal.aborted;
      return null;
    });
    void leader.node.resign();
    await settle();
    expect(abortedFirst).toBe(true);
    await lab.advance(H);
  });

  test.each([1, 3])(
    'is told by its signal when the node stops, and whileLeader resolves, in a cluster of %i',
    async (size) => {
      const lab = new Lab([A, B, C].slice(0, size));
      const { leader } = await lab.elect();
      const job = new Job();
      const ended = leader.node.whileLeader(job.run);
      await settle();
      const stopped = leader.node.stop();
      await settle();
      expect(job.last.signal.aborted).toBe(true);
      await lab.advance(H);
      await stopped;
      expect(await outcome(ended)).toBe('resolved');
      expect(job.runs).toHaveLength(1);
    },
  );

  test('is told by its signal at once when a higher term is learnt, while the disk hangs', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    const job = new Job();
    void leader.node.whileLeader(job.run);
    await settle();
    leader.store.hangs = true;
    lab.network.treat((from, _to, { type }) =>
      from === leader.ip && type === 'beat'
        ? { does: 'answer', reply: { code: 'OUT_OF_DATE', message: 'over', term: 7 } }
        : null,
    );
    await lab.until(() => leader.node.term === 7, 2 * H);
    expect(leader.store.asked.at(-1)?.term).toBe(7);
    expect(leader.store.state?.term).toBe(1);
    expect(leader.node.isLeader()).toBe(false);
    expect(job.last.signal.aborted).toBe(true);
    expect(leader.events).not.toContain(`leaderLost ${leader.ip} 1`);
    leader.store.release();
    await settle();
    expect(leader.events).toContain(`leaderLost ${leader.ip} 1`);
  });

  test('is told by its signal when the node fails, and whileLeader resolves', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    const job = new Job();
    const ended = leader.node.whileLeader(job.run);
    await settle();
    leader.store.saveFault = { how: 'reject', cause: new Error('full') };
    lab.network.treat((from, _to, { type }) =>
      from === leader.ip && type === 'beat'
        ? { does: 'answer', reply: { code: 'OUT_OF_DATE', message: 'over', term: 7 } }
        : null,
    );
    await lab.until(() => leader.errors.length > 0, 2 * H);
    expect(job.last.signal.aborted).toBe(true);
    expect(await outcome(ended)).toBe('resolved');
  });

  test('runs again, with a higher token, when leadership returns', async () => {
    const lab = new Lab([{ ip: A, priority: 9 }, B, C]);
    const { leader } = await lab.elect();
    const job = new Job();
    void leader.node.whileLeader(job.run);
    await settle();
    const heal = lab.network.isolate(leader.ip);
    await lab.advance(3 * L);
    expect(job.running).toBe(0);
    heal();
    await lab.advance(2 * H);
    const other = lab.peer(lab.leaders[0]!);
    void other.node.resign(leader.ip);
    await lab.until(() => leader.node.isLeader());
    expect(job.runs).toHaveLength(2);
    expect(job.tokens[1]).toBe(leader.node.fencingToken);
    expect(job.tokens[1]).toBeGreaterThan(job.tokens[0]!);
    expect([job.running, job.most]).toEqual([1, 1]);
  });

  test('never runs twice at a time, even if it ignores its signal', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    const finish = gate();
    const tokens: number[] = [];
    void leader.node.whileLeader(async ({ fencingToken }) => {
      tokens.push(fencingToken);
      await finish.shut;
    });
    await settle();
    for (const [from, to] of [
      [leader, followers[0]],
      [followers[0], leader],
    ] as const) {
      void from.node.resign(to.ip);
      await lab.until(() => to.node.isLeader());
      await lab.advance(H);
    }
    expect(leader.node.fencingToken).toBe(3);
    expect(tokens).toEqual([1]);
    finish.open();
    await settle();
    expect(tokens).toEqual([1, 3]);
  });

  test('that returns early is not run again in the same leadership, but in the next', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    const tokens: number[] = [];
    void leader.node.whileLeader(({ fencingToken }) => {
      tokens.push(fencingToken);
    });
    await lab.advance(5 * L);
    expect(tokens).toEqual([1]);
    void leader.node.resign(followers[0].ip);
    await lab.until(() => followers[0].node.isLeader());
    await lab.advance(L);
    expect(tokens).toEqual([1]);
    void followers[0].node.resign(leader.ip);
    await lab.until(() => leader.node.isLeader());
    expect(tokens).toEqual([1, 3]);
  });

  test('is one of several: each call has its own job, and each runs', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    const jobs = [new Job(), new Job(), new Job()];
    for (const job of jobs) void leader.node.whileLeader(job.run);
    await settle();
    expect(jobs.map(({ running }) => running)).toEqual([1, 1, 1]);
    void leader.node.resign();
    await lab.advance(H);
    expect(jobs.map(({ running }) => running)).toEqual([0, 0, 0]);
  });
});

describe('whileLeader', () => {
  test('may be called before the start, and again after a restart', async () => {
    const lab = new Lab([A]);
    const { node } = lab.peer(A);
    const first = new Job();
    const ended = node.whileLeader(first.run);
    expect(await outcome(ended)).toBe('pending');
    await lab.elect();
    expect(first.runs).toHaveLength(1);
    await node.stop();
    await node.start();
    const second = new Job();
    void node.whileLeader(second.run);
    await lab.until(() => node.isLeader());
    expect([first.tokens, second.tokens]).toEqual([[1], [2]]);
  });

  test('resolves when the node is stopped that never led', async () => {
    const lab = new Lab();
    const { followers } = await lab.elect();
    const job = new Job();
    const ended = followers[0].node.whileLeader(job.run);
    expect(await outcome(ended)).toBe('pending');
    await followers[0].node.stop();
    expect(await outcome(ended)).toBe('resolved');
    expect(job.runs).toEqual([]);
  });

  test('resolves after a stop as soon as a job that ignored its signal ends', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    const finish = gate();
    const ended = leader.node.whileLeader(() => finish.shut);
    await settle();
    const stopped = leader.node.stop();
    await lab.advance(H);
    await stopped;
    expect(await outcome(ended)).toBe('pending');
    finish.open();
    expect(await outcome(ended)).toBe('resolved');
  });

  test('that was called before a stop does not run after a restart', async () => {
    const lab = new Lab([A]);
    const { leader } = await lab.elect();
    const job = new Job();
    void leader.node.whileLeader(job.run);
    await settle();
    await leader.node.stop();
    await leader.node.start();
    await lab.until(() => leader.node.isLeader());
    await lab.advance(L);
    expect(job.tokens).toEqual([1]);
  });

  test('ends by its signal: before, while it waits, and while the job runs', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    const before = new Job();
    await leader.node.whileLeader(before.run, { signal: AbortSignal.abort() });
    expect(before.runs).toEqual([]);

    const waiting = new Job();
    const aborter = new AbortController();
    const waited = followers[0].node.whileLeader(waiting.run, { signal: aborter.signal });
    expect(await outcome(waited)).toBe('pending');
    aborter.abort();
    expect(await outcome(waited)).toBe('resolved');

    const running = new Job();
    const stopper = new AbortController();
    const ran = leader.node.whileLeader(running.run, { signal: stopper.signal });
    await settle();
    expect(running.running).toBe(1);
    const reason = new Error('enough');
    stopper.abort(reason);
    expect(running.last.signal.reason).toBe(reason);
    expect(await outcome(ran)).toBe('resolved');
    expect(leader.node.isLeader()).toBe(true);
  });

  test('rejects with what the job throws while it leads, and does not run it again', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    const failure = new Error('the job is broken');
    let runs = 0;
    const fail = (): never => {
      runs++;
      throw failure;
    };
    await expect(leader.node.whileLeader(fail)).rejects.toBe(failure);
    await expect(leader.node.whileLeader(async () => fail())).rejects.toBe(failure);
    await lab.advance(2 * L);
    expect(runs).toBe(2);
    expect(leader.node.isLeader()).toBe(true);
    expect(leader.errors).toEqual([]);
  });

  test('reports what the job throws after its leadership, and goes on', async () => {
    const lab = new Lab();
    const { leader, followers } = await lab.elect();
    const failure = new Error('broken pipe');
    const tokens: number[] = [];
    void leader.node.whileLeader(async ({ signal, fencingToken }) => {
      tokens.push(fencingToken);
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw failure;
    });
    await settle();
    void leader.node.resign(followers[0].ip);
    await lab.until(() => followers[0].node.isLeader());
    expect(leader.errors).toMatchObject([{ code: 'LISTENER_FAILED', cause: failure }]);
    void followers[0].node.resign(leader.ip);
    await lab.until(() => leader.node.isLeader());
    expect(tokens).toEqual([1, 3]);
  });

  test.each([
    ['the reason of its signal', (signal: AbortSignal) => signal.reason],
    ['an AbortError', () => new DOMException('aborted', 'AbortError')],
  ])('does not report %s', async (_, cause) => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    void leader.node.whileLeader(async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw cause(signal);
    });
    await settle();
    void leader.node.resign();
    await lab.advance(H);
    expect(leader.node.isLeader()).toBe(false);
    expect(leader.errors).toEqual([]);
  });

  test('survives a job that throws what cannot be shown', async () => {
    const lab = new Lab();
    const { leader } = await lab.elect();
    const ended = leader.node.whileLeader(async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw Object.create(null);
    });
    await settle();
    void leader.node.resign();
    await lab.advance(H);
    expect(await outcome(ended)).toBe('pending');
    expect(leader.errors).toMatchObject([{ code: 'LISTENER_FAILED' }]);
    expect(leader.errors[0]).toBeInstanceOf(RaftError);
  });
});

test('a job that stops its own node ends like any other', async () => {
  const lab = new Lab([A]);
  const { node, store } = lab.peer(A);
  await node.start();
  const ended = node.whileLeader(async () => {
    await node.stop();
  });
  await lab.until(() => store.closes > 0);
  expect(await outcome(ended)).toBe('resolved');
  expect(node.isLeader()).toBe(false);
});

test('jobs of all peers never overlap, whoever is cut off', async () => {
  const lab = new Lab();
  let running = 0;
  let most = 0;
  for (const { node } of lab.peers) {
    void node.whileLeader(async ({ signal }) => {
      most = Math.max(most, ++running);
      signal.addEventListener('abort', () => running--);
    });
  }
  await lab.start();
  for (let round = 0; round < 10; round++) {
    await lab.until(() => lab.leaders.length === 1, 20 * L);
    const heal = lab.network.isolate(lab.leaders[0]!);
    await lab.advance(2.5 * L);
    heal();
  }
  expect(most).toBe(1);
  expect(lab.tooEarly).toEqual([]);
});
