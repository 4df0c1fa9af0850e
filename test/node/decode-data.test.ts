import { describe, expect, test } from 'vitest';
import {
  decodeBeat,
  decodeBeatReply,
  decodeHoldReply,
  decodePeerReply,
  decodeRequest,
  decodeVote,
  MAX_DATUMS,
} from '../../src/node/decode.js';
import {
  decodeDatumsReply,
  decodeKeysReply,
  decodeReadReply,
  decodeWriteReply,
  decodeWritesReply,
  MAX_ITEMS,
  MAX_KEY_LENGTH,
  MAX_VALUE_LENGTH,
} from '../../src/node/decode-data.js';
import { decodeNacosDatumsReply } from '../../src/node/decode-nacos.js';
import { type Decode, objection } from './messages.js';
import { peer } from './virtual.js';

type Draft = Record<string, unknown>;

const PEER = peer('b:1', { voteFor: 'b:1' });
const REVISION = { term: 1, seq: 2 };
const DATUM = { key: 'k', value: '1', timestamp: 3, revision: REVISION };
const DATA = {
  prev: { term: 1, seq: 1 },
  batches: [{ revision: REVISION, ops: [{ key: 'k', value: '1', timestamp: 1 }] }],
  committed: { term: 1, seq: 1 },
  membersRevision: { term: 0, seq: 0 },
  catchUp: { term: 1, seq: 1 },
};
const WRITE = { number: 2, key: 'k', value: '1', ifTimestamp: 4 };
const WRITES = { type: 'writes', process: 1, term: 3, writes: [WRITE] };
const ADD = {
  type: 'member',
  process: 5,
  number: 6,
  term: 3,
  change: { action: 'add', ip: 'd:1', priority: 2, learner: 9 },
};
const REPLY_DATA = { ok: true, match: REVISION, base: REVISION, last: REVISION };
const NACOS_DATUM = { key: 'k', timestamp: 1, value: { a: [1, null] } };

const SHAPES: readonly (readonly [string, Decode, object, string])[] = [
  ['writes', decodeRequest, WRITES, 'request'],
  ['a read', decodeRequest, { type: 'read', key: 'k' }, 'request'],
  ['an addition of a member', decodeRequest, ADD, 'request'],
  [
    'a promotion of a member',
    decodeRequest,
    { type: 'member', process: 5, number: 6, term: 3, change: { action: 'promote', ip: 'd:1' } },
    'request',
  ],
  [
    'a removal of a member',
    decodeRequest,
    { type: 'member', process: 5, number: 6, term: 3, change: { action: 'remove', ip: 'd:1' } },
    'request',
  ],
  ['a request to be held', decodeRequest, { type: 'hold', ip: 'd:1', wait: true }, 'request'],
  ['an order to resign', decodeRequest, { type: 'resign', to: 'd:1' }, 'request'],
  ['its answer', decodeHoldReply, { held: true }, 'reply'],
  ['a question for keys', decodeRequest, { type: 'keys', at: REVISION, from: 5 }, 'request'],
  [
    'a question for values',
    decodeRequest,
    { type: 'datums', at: REVISION, keys: [{ key: 'k', revision: REVISION }] },
    'request',
  ],
  ['a vote', decodeVote, { peer: PEER, membersRevision: REVISION }, 'vote'],
  ['a beat', decodeBeat, { peer: PEER, datums: [], data: DATA }, 'beat'],
  [
    'an answer to a beat',
    decodeBeatReply,
    { ...PEER, requestTerm: 1, data: REPLY_DATA, learner: 7 },
    'reply',
  ],
  ['a view of a peer', decodePeerReply, { ...PEER, rejoinId: 1, founder: true, learner: 2 }, 'reply'],
  ['an answer to a write', decodeWriteReply, { timestamp: 1, revision: REVISION }, 'reply'],
  [
    'an answer to writes',
    (raw) => ({ outcomes: decodeWritesReply(raw, 1) }),
    { outcomes: [{ timestamp: 1, revision: REVISION }] },
    'reply',
  ],
  ['an answer to a read', decodeReadReply, { datum: DATUM }, 'reply'],
  [
    'a page of keys',
    decodeKeysReply,
    { at: REVISION, stampFloor: 1, keys: [{ key: 'k', revision: REVISION }], total: 1 },
    'reply',
  ],
  ['values', decodeDatumsReply, { at: REVISION, datums: [DATUM] }, 'reply'],
  ['a question for datums of the original', decodeRequest, { type: 'nacosGet', keys: ['k'] }, 'request'],
  [
    'a commit of the original',
    decodeRequest,
    { type: 'nacosCommit', datum: NACOS_DATUM, source: PEER },
    'request',
  ],
  ['a deletion of the original', decodeRequest, { type: 'nacosDelete', key: 'k', source: PEER }, 'request'],
  [
    'a publication of the original',
    decodeRequest,
    { type: 'nacosPublish', key: 'k', forwarded: true, value: {} },
    'request',
  ],
  [
    'a removal of the original',
    decodeRequest,
    { type: 'nacosRemove', key: 'k', forwarded: false },
    'request',
  ],
];

/** Fields that may be absent: null counts as absent. */
const OPTIONAL = new Set([
  'request.writes[0].value',
  'request.writes[0].ifTimestamp',
  'request.change.priority',
  'request.change.learner',
  'request.at of keys',
  'request.to',
  'request.forwarded',
  'vote.membersRevision',
  'beat.data',
  'beat.data.catchUp',
  'beat.data.batches[0].ops[0].value',
  'reply.data',
  'reply.learner',
  'reply.rejoinId',
  'reply.founder',
  'reply.timestamp',
  'reply.outcomes[0].timestamp',
  'reply.datum',
  'reply.voteFor',
  'beat.peer.voteFor',
  'vote.peer.voteFor',
  'request.source.voteFor',
]);

/** The paths of all fields in `value`, those of the values of the original left out: they may be any JSON. */
function pathsIn(value: object): readonly string[] {
  return Object.entries(value).flatMap(([name, inner]) => {
    const own = Array.isArray(value) ? `[${name}]` : `.${name}`;
    const isOpen = typeof inner !== 'object' || inner === null || name === 'value';
    const deeper = isOpen ? [] : pathsIn(inner).map((path) => own + path);
    return Array.isArray(value) && !isOpen ? deeper : [own, ...deeper];
  });
}

function changed(whole: object, path: string, put: (holder: Draft, key: string) => void): object {
  // By JSON: a structured clone keeps what stands in two places one object.
  const copy = JSON.parse(JSON.stringify(whole)) as object;
  const keys = path.split(/[.[\]]+/).filter((key) => key !== '');
  let holder = copy as Draft;
  for (const key of keys.slice(0, -1)) holder = holder[key] as Draft;
  put(holder, keys.at(-1) as string);
  return copy;
}

const set = (value: unknown) => (holder: Draft, key: string) => {
  holder[key] = value;
};

describe.each(SHAPES)('%s', (_name, decode, whole, root) => {
  const code = root === 'reply' ? 'BAD_REPLY' : 'BAD_REQUEST';
  const { type } = whole as { type?: string };
  const isOptional = (path: string): boolean =>
    OPTIONAL.has(path)
      ? type !== 'nacosPublish' || path !== 'request.value'
      : OPTIONAL.has(`${path} of ${type}`);
  const named = (path: string): string => `${code} ${root}${path.replace(/(keys)\[\d+\]$/, '$1')}`;

  test('is taken over as it is, without what else it bears', () => {
    expect(decode(whole)).toStrictEqual(whole);
    expect(decode({ ...whole, noise: 1 })).toStrictEqual(whole);
  });

  test.each(pathsIn(whole))('%s must be of its type, or is named', (path) => {
    for (const value of [Symbol('a'), () => 1])
      expect(objection(decode, changed({ ...whole }, path, set(value)))).toBe(named(path));
  });

  test.each(pathsIn(whole))('%s must be there, or may be left out', (path) => {
    const without = changed(whole, path, (holder, key) => {
      delete holder[key];
    });
    const isNull = changed(whole, path, set(null));
    if (!isOptional(root + path)) {
      for (const raw of [without, isNull]) expect(objection(decode, raw)).toBe(named(path));
      return;
    }
    expect(decode(without)).toEqual(decode(isNull));
    const absent = ['value', 'voteFor', 'timestamp', 'datum'].includes(path.split('.').at(-1) ?? '');
    expect(decode(isNull)).toStrictEqual(absent ? isNull : without);
  });
});

const writesWith = (fields: object): object => ({ ...WRITES, writes: [{ ...WRITE, ...fields }] });

describe('bounds', () => {
  const beatWith = (batches: unknown) => ({ peer: PEER, datums: [], data: { ...DATA, batches } });
  const op = (key: string, value: string | null) =>
    beatWith([{ revision: REVISION, ops: [{ key, value, timestamp: 1 }] }]);

  test('a key and a value may be as long as their bounds, and not longer', () => {
    const key = 'k'.repeat(MAX_KEY_LENGTH);
    const value = JSON.stringify('x'.repeat(MAX_VALUE_LENGTH - 2));
    expect(objection(decodeRequest, writesWith({ key, value }))).toBeNull();
    expect(objection(decodeBeat, op(key, value))).toBeNull();
    expect(objection(decodeReadReply, { datum: { ...DATUM, key, value } })).toBeNull();
    expect(objection(decodeRequest, writesWith({ key: `${key}k` }))).toBe(
      'BAD_REQUEST request.writes[0].key',
    );
    expect(objection(decodeRequest, writesWith({ value: `${value} ` }))).toBe(
      'BAD_REQUEST request.writes[0].value',
    );
    expect(objection(decodeBeat, op(key, `${value} `))).toBe('BAD_REQUEST beat.data.batches[0].ops[0].value');
    expect(objection(decodeRequest, { type: 'read', key: `${key}k` })).toBe('BAD_REQUEST request.key');
  });

  test('lists may be as long as their bounds, and not longer', () => {
    const keys = (count: number) => Array(count).fill({ key: 'k', revision: REVISION });
    const page = { at: REVISION, stampFloor: 1, total: 1 };
    expect(objection(decodeKeysReply, { ...page, keys: keys(MAX_ITEMS) })).toBeNull();
    expect(objection(decodeKeysReply, { ...page, keys: keys(MAX_ITEMS + 1) })).toBe('BAD_REPLY reply.keys');
    const texts = (count: number, length = 1) => ({
      type: 'nacosGet',
      keys: Array(count).fill('k'.repeat(length)),
    });
    expect(objection(decodeRequest, texts(MAX_DATUMS))).toBeNull();
    expect(objection(decodeRequest, texts(1, MAX_KEY_LENGTH))).toBeNull();
    expect(objection(decodeRequest, texts(MAX_DATUMS + 1))).toBe('BAD_REQUEST request.keys');
    expect(objection(decodeRequest, texts(1, MAX_KEY_LENGTH + 1))).toBe('BAD_REQUEST request.keys');
  });

  test('a list of texts holds nothing else, and no holes', () => {
    for (const keys of [['k', 1], [null], Array(1), 'k', { length: 1, 0: 'k' }])
      expect(objection(decodeRequest, { type: 'nacosGet', keys })).toBe('BAD_REQUEST request.keys');
  });

  test('a priority is at most 1000', () => {
    const add = (priority: number) => ({ ...ADD, change: { ...ADD.change, priority } });
    expect(objection(decodeRequest, add(1_000))).toBeNull();
    expect(objection(decodeRequest, add(1_001))).toBe('BAD_REQUEST request.change.priority');
  });

  test.each(['', 'ADD', 'demote'])('there is no other change of the members: %j', (action) => {
    const raw = { ...ADD, change: { ...ADD.change, action } };
    expect(objection(decodeRequest, raw)).toBe('BAD_REQUEST request.change.action');
  });

  test.each([
    { revisions: [], fits: true },
    { revisions: ['1/2', '1/3'], fits: true },
    { revisions: ['1/2', '4/3'], fits: true },
    { revisions: ['1/1'], fits: false },
    { revisions: ['1/3'], fits: false },
    { revisions: ['1/2', '1/4'], fits: false },
    { revisions: ['1/2', '1/2'], fits: false },
    { revisions: ['0/2'], fits: false },
    { revisions: ['2/2', '1/3'], fits: false },
  ])('batches go on from 1/1 without a gap, and terms never decrease: $revisions', ({ revisions, fits }) => {
    const batches = revisions.map((text) => {
      const [term, seq] = text.split('/').map(Number);
      return { revision: { term, seq }, ops: [] };
    });
    expect(objection(decodeBeat, beatWith(batches))).toBe(fits ? null : 'BAD_REQUEST beat.data.batches');
  });

  test.each(['', 'raftbeat:', 'raftbeat:members'])('the key %j is not for callers to write', (key) => {
    expect(objection(decodeRequest, writesWith({ key }))).toBe('BAD_REQUEST request.writes[0].key');
  });

  test.each(['raftbeat', 'my-raftbeat:', ' '])('the key %j is', (key) => {
    expect(objection(decodeRequest, writesWith({ key }))).toBeNull();
  });

  test.each(['', 'x', '{', "'a'"])('a value is JSON, which %j is not', (value) => {
    expect(objection(decodeRequest, writesWith({ value }))).toBe('BAD_REQUEST request.writes[0].value');
  });
});

describe('a value of the original', () => {
  const publish = (value: unknown) => ({ type: 'nacosPublish', key: 'k', value });
  const nested = (depth: number): object => (depth === 0 ? {} : { a: nested(depth - 1) });

  test.each([{}, { a: null }, { a: [1, 'b', true, { c: [] }] }, Object.create(null)])(
    'may be %j',
    (value) => {
      expect(objection(decodeRequest, publish(value))).toBeNull();
    },
  );

  test.each([
    [[[]]],
    ['text'],
    [5],
    [new Date(0)],
    [{ a: Number.NaN }],
    [{ a: Number.POSITIVE_INFINITY }],
    [{ a: undefined }],
    [{ a: [new Map()] }],
    [{ a: 1n }],
  ])('must be a JSON object, not %s', (value) => {
    expect(objection(decodeRequest, publish(value))).toBe('BAD_REQUEST request.value');
  });

  test('may not be deeper than anybody needs', () => {
    let depth = 0;
    while (objection(decodeRequest, publish(nested(depth))) === null && depth < 1_000) depth++;
    expect([depth > 10, depth < 1_000]).toEqual([true, true]);
  });

  test('that can not be read is passed over, and its key asked for again', () => {
    const datums = [NACOS_DATUM, { ...NACOS_DATUM, value: 5 }, null, { ...NACOS_DATUM, timestamp: -1 }];
    expect(decodeNacosDatumsReply({ datums })).toEqual({ datums: [NACOS_DATUM, null, null, null] });
    for (const wrong of [5, {}, Array(MAX_DATUMS + 1).fill(NACOS_DATUM)])
      expect(objection(decodeNacosDatumsReply, { datums: wrong })).toBe('BAD_REPLY reply.datums');
    expect(objection(decodeNacosDatumsReply, { datums: Array(MAX_DATUMS).fill(NACOS_DATUM) })).toBeNull();
  });
});

describe('an answer to several writes', () => {
  const done = { timestamp: 1, revision: REVISION };

  test('has one outcome each, in their order', () => {
    const outcomes = [{ code: 'CONFLICT', message: 'no', term: 4 }, done];
    expect(decodeWritesReply({ outcomes }, 2)).toEqual([
      expect.objectContaining({ code: 'CONFLICT', message: 'no', term: 4 }),
      done,
    ]);
  });

  test('must have as many as there were writes, and known refusals', () => {
    const objected = (outcomes: unknown) => objection((raw) => decodeWritesReply(raw, 2), { outcomes });
    for (const outcomes of [[], [done], [done, done, done]])
      expect(objected(outcomes)).toBe('BAD_REPLY reply.outcomes');
    expect(objected([done, { code: 'ODD', message: '' }])).toMatch(/^BAD_REPLY/);
  });

  test('may be one refusal of all', () => {
    const refusal = { code: 'UNSUPPORTED', message: 'no' };
    expect(() => decodeWritesReply(refusal, 2)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }));
  });
});
