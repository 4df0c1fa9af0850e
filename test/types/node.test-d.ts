import type {
  Datum,
  LeaderContext,
  LeaderElectFinishedEvent,
  LeaderLostEvent,
  MakeLeaderEvent,
  Member,
  PeerSnapshot,
  PeerState,
  Published,
  RaftErrorCode,
  RaftNodeOptions,
  RaftWarning,
  StateChangeEvent,
} from 'raftbeat';
import { RaftError, RaftNode } from 'raftbeat';
import { describe, expectTypeOf, test } from 'vitest';

declare const raft: RaftNode;

describe('The options of a node', () => {
  test('ask for an ip, and for nothing else', () => {
    expectTypeOf<{ ip: 'a:1' }>().toExtend<RaftNodeOptions>();
    // @ts-expect-error: whose options these are must be said
    new RaftNode({ members: ['a:1'] });
  });

  test('know no option that there is not', () => {
    // @ts-expect-error: it is called leaderTimeoutMs
    new RaftNode({ ip: 'a:1', electionTimeoutMs: 500 });
    // @ts-expect-error: there is no such preset
    new RaftNode({ ip: 'a:1', preset: 'man' });
  });

  test('take members by their ips, or with a priority, also when they may not be changed', () => {
    expectTypeOf<readonly ['a:1', { readonly ip: 'b:1'; readonly observer: true }]>().toExtend<
      NonNullable<RaftNodeOptions['members']>
    >();
    expectTypeOf<{ ip: 'a:1'; priority: '1' }>().not.toExtend<Member>();
  });
});

describe('A node', () => {
  test('tells how it is', () => {
    expectTypeOf(raft.state).toEqualTypeOf<PeerState>();
    expectTypeOf(raft.state).toEqualTypeOf<'FOLLOWER' | 'CANDIDATE' | 'LEADER'>();
    expectTypeOf(raft.leader).toEqualTypeOf<PeerSnapshot | null>();
    expectTypeOf(raft.isLeader()).toEqualTypeOf<boolean>();
  });

  test('has no fencing token while it does not lead, and the types say so', () => {
    expectTypeOf(raft.fencingToken).toEqualTypeOf<number | null>();
    expectTypeOf<LeaderContext['fencingToken']>().toEqualTypeOf<number>();
  });

  test('takes jobs that wait, and jobs that do not', () => {
    expectTypeOf(raft.whileLeader).toBeCallableWith(async ({ signal }) => signal.throwIfAborted());
    expectTypeOf(raft.whileLeader).toBeCallableWith(() => 1);
    expectTypeOf(raft.whileLeader).returns.toEqualTypeOf<Promise<void>>();
    // @ts-expect-error: a job is not told who leads
    raft.whileLeader(({ leader }) => leader);
  });

  test('can be used by `await using`', () => {
    expectTypeOf(raft).toExtend<AsyncDisposable>();
  });

  test('gives each listener its event', () => {
    raft.on('makeLeader', (event) => expectTypeOf(event).toEqualTypeOf<MakeLeaderEvent>());
    raft.on('leaderLost', (event) => expectTypeOf(event).toEqualTypeOf<LeaderLostEvent>());
    raft.on('leaderElectFinished', (event) => expectTypeOf(event).toEqualTypeOf<LeaderElectFinishedEvent>());
    raft.on('stateChange', (event) => expectTypeOf(event).toEqualTypeOf<StateChangeEvent>());
    raft.on('warning', (warning) => expectTypeOf(warning).toEqualTypeOf<RaftWarning>());
    raft.on('error', (error) => expectTypeOf(error).toEqualTypeOf<RaftError>());
    // @ts-expect-error: there is no such event
    raft.on('leader', () => {});
  });
});

describe('The registry', () => {
  test('takes any value, and gives back one that must be looked at', () => {
    expectTypeOf(raft.publish).toBeCallableWith('key', { any: ['value', null] }, { ifTimestamp: 0 });
    expectTypeOf(raft.publish).returns.resolves.toEqualTypeOf<Published>();
    expectTypeOf(raft.getDatum).returns.toEqualTypeOf<Datum | null>();
    expectTypeOf(raft.readDatum).returns.resolves.toEqualTypeOf<Datum | null>();
    expectTypeOf<Datum['value']>().toBeUnknown();
  });

  test('is listened to by a key, or by a prefix', () => {
    expectTypeOf(raft.listen).toBeCallableWith('key', () => {});
    raft.listen({ prefix: 'service/' }, (datum, key) => {
      expectTypeOf(datum).toEqualTypeOf<Datum | null>();
      expectTypeOf(key).toBeString();
    });
    // @ts-expect-error: a pattern is no regular expression
    raft.listen(/service/, () => {});
  });
});

describe('An error', () => {
  test('has one of the known codes', () => {
    expectTypeOf(new RaftError('BUSY', '').code).toEqualTypeOf<RaftErrorCode>();
    expectTypeOf<'NOT_LEADER'>().toExtend<RaftErrorCode>();
    expectTypeOf<string>().not.toExtend<RaftErrorCode>();
    // @ts-expect-error: it is called BUSY
    new RaftError('busy', '');
  });
});
