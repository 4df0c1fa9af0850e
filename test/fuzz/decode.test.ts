import fc from 'fast-check';
import { RaftError, type RaftErrorCode } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import {
  decodeBeat,
  decodeBeatReply,
  decodePeerReply,
  decodeRequest,
  decodeVote,
  decodeVoteReply,
} from '../../src/node/decode.js';
import { decodeBeatsReply } from '../../src/node/decode-groups.js';
import { arbitraryRequest } from '../node/messages.js';
import { anyJson, FUZZ, prototypes } from './hostile.js';

type Decode = (raw: unknown) => unknown;

const REQUESTS: readonly Decode[] = [decodeRequest, decodeVote, decodeBeat];
const REPLIES: readonly Decode[] = [decodeVoteReply, decodeBeatReply, decodePeerReply, decodeBeatsReply];

/** All keys that a decoded message may bear, at any depth. */
const KNOWN: ReadonlySet<string> = new Set(
  `type peer preVote round transfer revision datums leaderTimeoutMs sentAt id key timestamp term seq ip voteFor
  leaderDueMs heartbeatDueMs state granted promiseMs requestTerm empty rejoinId promisedMs
  process writes number value ifTimestamp since version led unled group requests request refused code`.split(
    /\s+/,
  ),
);

function outcome(decode: Decode, raw: unknown): { readonly decoded: unknown } | RaftError {
  try {
    return { decoded: decode(raw) };
  } catch (error) {
    expect(error).toBeInstanceOf(RaftError);
    return error as RaftError;
  }
}

function keysWithin(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  const keys = Array.isArray(value) ? [] : Reflect.ownKeys(value).map(String);
  return [...keys, ...Object.values(value).flatMap(keysWithin)];
}

function expectPlain(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  const prototype = Object.getPrototypeOf(value);
  expect(prototype).toBe(Array.isArray(value) ? Array.prototype : Object.prototype);
  for (const part of Object.values(value)) expectPlain(part);
}

describe(`decoders, seed ${FUZZ.seed}`, () => {
  test('take a request whole and plain, or refuse it by a short BAD_REQUEST', () => {
    fc.assert(
      fc.property(anyJson, fc.constantFrom(...REQUESTS), (raw, decode) => {
        expectTakenOrRefused(decode, raw, new Set(['BAD_REQUEST']));
      }),
      FUZZ,
    );
  });

  test('take a reply whole and plain, or throw the refusal that it is, or a short BAD_REPLY', () => {
    fc.assert(
      fc.property(anyJson, fc.constantFrom(...REPLIES), (raw, decode) => {
        expectTakenOrRefused(decode, raw, null);
      }),
      FUZZ,
    );
  });

  test('change neither what they are given nor any prototype', () => {
    const before = prototypes();
    fc.assert(
      fc.property(anyJson, fc.constantFrom(...REQUESTS, ...REPLIES), (raw, decode) => {
        const text = JSON.stringify(raw);
        outcome(decode, raw);
        expect(JSON.stringify(raw)).toBe(text);
      }),
      FUZZ,
    );
    expect(prototypes()).toBe(before);
  });

  test('ignore what they do not know, whatever it is called', () => {
    fc.assert(
      fc.property(arbitraryRequest, fc.string(), fc.jsonValue(), (request, name, value) => {
        const key = KNOWN.has(name) ? `${name}!` : name;
        const text = JSON.stringify(request);
        const more = `${text.slice(0, -1)},${JSON.stringify(key)}:${JSON.stringify(value)}}`;
        expect(decodeRequest(JSON.parse(more))).toEqual(decodeRequest(JSON.parse(text)));
      }),
      FUZZ,
    );
  });
});

function expectTakenOrRefused(decode: Decode, raw: unknown, codes: ReadonlySet<RaftErrorCode> | null): void {
  const result = outcome(decode, raw);
  if (result instanceof RaftError) {
    if (codes !== null) expect(codes).toContain(result.code);
    expect(result.code).not.toBe('INTERNAL');
    expect(result.message.length).toBeLessThanOrEqual(1_200);
    return;
  }
  const { decoded } = result;
  expect(keysWithin(decoded).filter((key) => !KNOWN.has(key))).toEqual([]);
  expectPlain(decoded);
  expect(decode(JSON.parse(JSON.stringify(decoded)))).toEqual(JSON.parse(JSON.stringify(decoded)));
}
