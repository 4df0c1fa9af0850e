import type { BeatReply, Output, RaftStore, Receive, Transport } from 'raftbeat';
import { MemoryNetwork, type MemoryStore, RaftCore, RaftPeerSet } from 'raftbeat';
import type { FileGroupStore, FileStore } from 'raftbeat/file';
import type { RaftGroup } from 'raftbeat/host';
import { RaftHost } from 'raftbeat/host';
import type { HttpTransport } from 'raftbeat/http';
import type { LmdbStore } from 'raftbeat/lmdb';
import type { NacosTransport } from 'raftbeat/nacos';
import { storeContract, transportContract } from 'raftbeat/testing';
import type { WebSocketTransport } from 'raftbeat/websocket';
import { describe, expectTypeOf, test } from 'vitest';

describe('A transport', () => {
  test('is each of those that there are', () => {
    expectTypeOf<HttpTransport | NacosTransport | WebSocketTransport>().toExtend<Transport>();
    expectTypeOf(new MemoryNetwork().transport()).toExtend<Transport>();
  });

  test('of three methods suffices, and they need not look into what they carry', () => {
    class OfOnesOwn {
      async start(_local: string, _receive: Receive) {}
      async request(_to: string, _request: object, _options: { signal: AbortSignal }) {}
      async stop() {}
    }
    expectTypeOf<OfOnesOwn>().toExtend<Transport>();
  });

  test('that cannot be stopped is none', () => {
    expectTypeOf<Omit<Transport, 'stop'>>().not.toExtend<Transport>();
  });
});

describe('A store', () => {
  test('is each of those that there are', () => {
    expectTypeOf<FileStore | LmdbStore | MemoryStore>().toExtend<RaftStore>();
    expectTypeOf<FileGroupStore>().not.toExtend<RaftStore>();
  });

  test('without `fold` is one, which keeps no data', () => {
    expectTypeOf<Omit<RaftStore, 'fold'>>().toExtend<RaftStore>();
  });
});

describe('The core', () => {
  const peers = new RaftPeerSet({ local: 'a', members: ['a', 'b', 'c'] });
  const core = new RaftCore({ peers, random: () => 0 });
  const peer = {
    ip: 'b',
    state: 'LEADER',
    term: 1,
    voteFor: 'b',
    leaderDueMs: 1,
    heartbeatDueMs: 1,
  } as const;

  test('answers a beat at once', () => {
    expectTypeOf(core.receivedBeat({ peer, datums: [] }, 0)).toEqualTypeOf<BeatReply>();
    // @ts-expect-error: time is given by the caller
    core.receivedBeat({ peer, datums: [] });
  });

  test('tells its outputs apart by their type', () => {
    expectTypeOf(core.takeOutputs()).toEqualTypeOf<readonly Output[]>();
    expectTypeOf<Extract<Output, { type: 'save' }>['state']['term']>().toBeNumber();
    expectTypeOf<Extract<Output, { type: 'send' }>['to']>().toEqualTypeOf<readonly string[]>();
    expectTypeOf<Extract<Output, { type: 'write' }>>().toBeNever();
  });
});

describe('A host', () => {
  test('has groups that lead like nodes, and keep no registry', () => {
    const group = new RaftHost({ ip: 'a:1' }).group('billing');
    expectTypeOf(group).toEqualTypeOf<RaftGroup>();
    expectTypeOf(group.fencingToken).toEqualTypeOf<number | null>();
    expectTypeOf(group).not.toHaveProperty('publish');
    // @ts-expect-error: hosts keep no data
    new RaftHost({ ip: 'a:1', registry: true });
  });
});

describe('The contracts', () => {
  test('are cases for any test runner', () => {
    for (const contract of [storeContract, transportContract]) {
      expectTypeOf(contract).returns.toExtend<readonly { name: string; run: () => Promise<void> }[]>();
    }
  });
});
