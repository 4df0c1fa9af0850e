import fc from 'fast-check';
import { type PeerSnapshot, RaftError, type RaftRequest } from 'raftbeat';
import { expect } from 'vitest';
import type { GroupRequest } from '../../src/core/messages.js';

const MAX_MS = 2 ** 31 - 1;

/** One seed for all: what a property finds, it finds each time. */
export const SEED = 7_001;

const ms = (min: number): fc.Arbitrary<number> =>
  fc.double({ min, max: MAX_MS, noNaN: true }).filter((value) => !Object.is(value, -0));

/** Any peer that a message may bear; some of them are members of a cluster of `a:1`, `b:1` and `c:1`. */
export const arbitraryPeer: fc.Arbitrary<PeerSnapshot> = fc.record({
  ip: fc.oneof(
    fc.constantFrom('a:1', 'b:1', 'c:1', 'd:1', '__proto__'),
    fc.stringMatching(/^[\w.:-]{1,300}$/),
  ),
  state: fc.constantFrom('FOLLOWER', 'CANDIDATE', 'LEADER'),
  term: fc.oneof(fc.nat(5), fc.maxSafeNat()),
  voteFor: fc.constantFrom(null, 'a:1', 'b:1', 'x:9'),
  leaderDueMs: ms(-MAX_MS),
  heartbeatDueMs: ms(-MAX_MS),
});

const arbitraryWrite = fc.record(
  {
    number: fc.maxSafeNat(),
    key: fc.oneof(fc.constantFrom('k', '__proto__'), fc.string({ minLength: 1 })),
    value: fc.option(fc.json()),
    ifTimestamp: fc.oneof(fc.nat(2), fc.maxSafeNat()),
  },
  { requiredKeys: ['number', 'key', 'value'] },
);

const arbitraryGroup = fc.oneof(fc.constantFrom('g0', '__proto__'), fc.stringMatching(/^[\w /-]{1,256}$/));

/** What the peers of one group ask of each other. */
const arbitraryLetter: fc.Arbitrary<GroupRequest> = fc.oneof(
  fc.record({ type: fc.constant('vote' as const), peer: arbitraryPeer }),
  fc.record({ type: fc.constant('transfer' as const), peer: arbitraryPeer }),
  fc.record({ type: fc.constant('peer' as const), id: fc.maxSafeNat() }, { requiredKeys: ['type'] }),
);

/** Any valid request of a peer. */
export const arbitraryRequest: fc.Arbitrary<RaftRequest> = fc.oneof(
  fc.record(
    {
      type: fc.constant('vote' as const),
      peer: arbitraryPeer,
      preVote: fc.boolean(),
      round: fc.maxSafeNat(),
      transfer: fc.boolean(),
      revision: fc.record({ term: fc.maxSafeNat(), seq: fc.maxSafeNat() }),
    },
    { requiredKeys: ['type', 'peer'] },
  ),
  fc.record(
    {
      type: fc.constant('beat' as const),
      peer: arbitraryPeer,
      datums: fc.array(fc.record({ key: fc.string(), timestamp: fc.maxSafeNat() }), { maxLength: 3 }),
      leaderTimeoutMs: ms(1),
      sentAt: ms(-MAX_MS),
    },
    { requiredKeys: ['type', 'peer', 'datums'] },
  ),
  fc.record({ type: fc.constant('transfer' as const), peer: arbitraryPeer }),
  fc.record({ type: fc.constant('peer' as const), id: fc.maxSafeNat() }, { requiredKeys: ['type'] }),
  fc.record({
    type: fc.constant('writes' as const),
    process: fc.maxSafeNat(),
    term: fc.oneof(fc.nat(5), fc.maxSafeNat()),
    writes: fc.array(arbitraryWrite, { maxLength: 3 }),
  }),
  fc.record({
    type: fc.constant('beats' as const),
    ip: fc.constantFrom('a:1', 'b:1', 'x:9'),
    process: fc.maxSafeNat(),
    leaderTimeoutMs: ms(1),
    sentAt: ms(-MAX_MS),
    since: fc.oneof(fc.nat(3), fc.maxSafeNat()),
    version: fc.oneof(fc.nat(3), fc.maxSafeNat()),
    led: fc.array(fc.record({ group: arbitraryGroup, term: fc.maxSafeNat() }), { maxLength: 3 }),
    unled: fc.array(arbitraryGroup, { maxLength: 3 }),
  }),
  fc.record({
    type: fc.constant('groups' as const),
    requests: fc.array(fc.record({ group: arbitraryGroup, request: arbitraryLetter }), { maxLength: 3 }),
  }),
  fc.record({ type: fc.constantFrom('leader' as const, 'state' as const, 'metrics' as const) }),
);

/** What reads what came from outside. */
export type Decode = (raw: unknown) => unknown;

/** What `decode` says of `raw`: its code, and the field that it names; null when it takes it. */
export function objection(decode: Decode, raw: unknown): string | null {
  try {
    decode(raw);
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(RaftError);
    const { code, message } = error as RaftError;
    return `${code} ${message.split(' ')[0]}`;
  }
}
