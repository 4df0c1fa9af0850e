import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeRequest } from '../../src/node/decode.js';
import {
  decodeBeatsReply,
  decodeGroupReplies,
  MAX_GROUP_REQUESTS,
  MAX_GROUPS,
} from '../../src/node/decode-groups.js';
import { arbitraryRequest, objection, SEED } from './messages.js';
import { peer } from './virtual.js';

const LED = { group: 'g', term: 3 };
const BEATS = {
  type: 'beats',
  ip: 'b:1',
  process: 7,
  leaderTimeoutMs: 500,
  sentAt: -1.5,
  since: 2,
  version: 4,
  led: [LED],
  unled: ['h'],
};
const REPLY = {
  process: 8,
  sentAt: -1.5,
  version: 4,
  refused: [{ group: 'g', code: 'OUT_OF_DATE', term: 9 }],
};
const VOTE = { type: 'vote', peer: peer('b:1') };
const LETTERS = { type: 'groups', requests: [{ group: 'g', request: VOTE }] };

/** What no integer from 0 is. */
const NO_INTEGERS = [undefined, null, '1', -1, 1.5, 2 ** 53, Number.NaN, {}, [1]];
/** What no name of a group is. */
const NO_NAMES = [undefined, null, '', 1, 'a\n', '\u0007', 'x'.repeat(257), {}, ['a']];

describe('the beats of a host', () => {
  test('are read as they are, without what is not theirs', () => {
    expect(decodeRequest({ ...BEATS, more: 1, led: [{ ...LED, more: 1 }] })).toEqual(BEATS);
  });

  test.each<readonly [string, readonly unknown[]]>([
    ['ip', [undefined, null, '', 1, 'a b', 'x'.repeat(2_000)]],
    ['process', NO_INTEGERS],
    ['leaderTimeoutMs', [undefined, null, '1', 0, -1, 2 ** 31, Number.NaN]],
    ['sentAt', [undefined, null, '1', Number.NaN, Number.POSITIVE_INFINITY]],
    ['since', NO_INTEGERS],
    ['version', NO_INTEGERS],
    ['led', [undefined, null, 'g', {}, Array(MAX_GROUPS + 1).fill(LED)]],
    ['unled', [undefined, null, 'g', {}, Array(MAX_GROUPS + 1).fill('h')]],
  ])('name %s when it is missing, of another type or out of bounds', (field, values) => {
    for (const value of values)
      expect(objection(decodeRequest, { ...BEATS, [field]: value })).toBe(`BAD_REQUEST request.${field}`);
  });

  test('name what is wrong with a group', () => {
    const led = (fields: object) => ({ ...BEATS, led: [LED, { ...LED, ...fields }] });
    for (const group of NO_NAMES)
      expect(objection(decodeRequest, led({ group }))).toBe('BAD_REQUEST request.led[1].group');
    for (const term of NO_INTEGERS)
      expect(objection(decodeRequest, led({ term }))).toBe('BAD_REQUEST request.led[1].term');
    for (const item of [null, 'g', 1, []])
      expect(objection(decodeRequest, { ...BEATS, led: [item] })).toMatch(/^BAD_REQUEST request.led\[0\]/);
    for (const item of [null, 1, {}, 'x'.repeat(257)])
      expect(objection(decodeRequest, { ...BEATS, unled: ['h', item] })).toMatch(
        /^BAD_REQUEST request.unled/,
      );
  });
});

describe('the answer to beats', () => {
  test('is read as it is, without what is not its own', () => {
    expect(decodeBeatsReply({ ...REPLY, more: 1 })).toEqual(REPLY);
    const refused = [{ group: 'g', code: 'UNKNOWN_GROUP' }];
    expect(decodeBeatsReply({ ...REPLY, refused })).toEqual({ ...REPLY, refused });
  });

  test.each<readonly [string, readonly unknown[]]>([
    ['process', NO_INTEGERS],
    ['sentAt', [undefined, null, '1', Number.NaN]],
    ['version', NO_INTEGERS],
    ['refused', [undefined, null, 'g', {}, Array(MAX_GROUPS + 1).fill(REPLY.refused[0])]],
  ])('names %s when it is missing, of another type or out of bounds', (field, values) => {
    for (const value of values)
      expect(objection(decodeBeatsReply, { ...REPLY, [field]: value })).toBe(`BAD_REPLY reply.${field}`);
  });

  test('names what is wrong with a group that is refused', () => {
    const refused = (fields: object) => ({ ...REPLY, refused: [{ ...REPLY.refused[0], ...fields }] });
    for (const group of NO_NAMES)
      expect(objection(decodeBeatsReply, refused({ group }))).toBe('BAD_REPLY reply.refused[0].group');
    for (const term of ['1', -1, 1.5])
      expect(objection(decodeBeatsReply, refused({ term }))).toBe('BAD_REPLY reply.refused[0].term');
    for (const code of [undefined, null, 1, 'x', 'INTERNAL_', '__proto__'])
      expect(objection(decodeBeatsReply, refused({ code }))).toMatch(/^BAD_REPLY /);
  });

  test('is thrown if it is a refusal', () => {
    expect(objection(decodeBeatsReply, { code: 'UNSUPPORTED', message: 'no hosts here' })).toBe(
      'UNSUPPORTED no',
    );
  });
});

describe('requests of groups', () => {
  test('are votes, transfers and questions for a peer, read as those of nodes', () => {
    const requests = [
      { group: 'a', request: { ...VOTE, preVote: true, round: 3 } },
      { group: 'b', request: { type: 'transfer', peer: peer('b:1') } },
      { group: 'c', request: { type: 'peer', id: 9 } },
      { group: 'c', request: { type: 'peer' } },
    ];
    expect(decodeRequest({ type: 'groups', requests })).toEqual({ type: 'groups', requests });
  });

  test('are nothing else', () => {
    for (const type of ['beat', 'beats', 'groups', 'state', 'writes', 'x', '', '__proto__'])
      expect(
        objection(decodeRequest, { type: 'groups', requests: [{ group: 'g', request: { ...VOTE, type } }] }),
      ).toBe('BAD_REQUEST request.requests[0].request.type');
  });

  test('name what is wrong with one of them', () => {
    const [letter] = LETTERS.requests;
    for (const group of NO_NAMES)
      expect(objection(decodeRequest, { type: 'groups', requests: [letter, { ...letter, group }] })).toBe(
        'BAD_REQUEST request.requests[1].group',
      );
    for (const request of [undefined, null, 1, 'vote'])
      expect(objection(decodeRequest, { type: 'groups', requests: [{ group: 'g', request }] })).toBe(
        'BAD_REQUEST request.requests[0].request',
      );
    for (const requests of [undefined, null, {}, Array(MAX_GROUP_REQUESTS + 1).fill(letter)])
      expect(objection(decodeRequest, { type: 'groups', requests })).toBe('BAD_REQUEST request.requests');
  });
});

test('answers to requests of groups are as many as were asked, and each is checked by itself', () => {
  const decode = (raw: unknown): unknown => decodeGroupReplies(raw, 2);
  expect(decode({ replies: [1, { code: 'x' }] })).toEqual([1, { code: 'x' }]);
  for (const replies of [[], [1], [1, 2, 3], undefined, null, {}, 'ab'])
    expect(objection(decode, { replies })).toBe('BAD_REPLY reply.replies');
  expect(objection(decode, { code: 'NOT_RUNNING', message: 'gone' })).toBe('NOT_RUNNING gone');
});

test('any valid request is read as it is', () => {
  fc.assert(
    fc.property(arbitraryRequest, (request) => {
      if (request.type === 'beats' || request.type === 'groups')
        expect(decodeRequest(request)).toEqual(request);
    }),
    { seed: SEED, numRuns: 300 },
  );
});
