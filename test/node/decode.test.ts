import fc from 'fast-check';
import { RaftError, type RaftErrorCode } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { MAX_IP_LENGTH } from '../../src/core/membership.js';
import {
  decodeBeat,
  decodeBeatReply,
  decodePeerReply,
  decodeRequest,
  decodeVote,
  decodeVoteReply,
  MAX_DATUMS,
} from '../../src/node/decode.js';
import { MAX_KEY_LENGTH } from '../../src/node/decode-data.js';
import { arbitraryPeer, arbitraryRequest, SEED } from './messages.js';

type Decode = (raw: unknown) => unknown;

/** What `decode` says of `raw`. */
function refusal(decode: Decode, raw: unknown): RaftError {
  try {
    decode(raw);
  } catch (error) {
    expect(error).toBeInstanceOf(RaftError);
    return error as RaftError;
  }
  throw new Error('it was taken');
}

const PEER = {
  ip: 'b:1',
  state: 'LEADER',
  term: 3,
  voteFor: 'b:1',
  leaderDueMs: 10.5,
  heartbeatDueMs: 1,
} as const;

const VOTE = { peer: PEER, preVote: true, round: 4, transfer: false, revision: { term: 1, seq: 2 } };
const BEAT = { peer: PEER, datums: [{ key: 'k', timestamp: 1 }], leaderTimeoutMs: 500, sentAt: 12.5 };
const VOTE_REPLY = { ...PEER, granted: true, round: 4, promiseMs: 20 };
const BEAT_REPLY = { ...PEER, requestTerm: 3, sentAt: 12.5 };
const PEER_REPLY = { ...PEER, id: 7, empty: false, promisedMs: 500 };
const REFUSAL = { code: 'OUT_OF_DATE', message: 'over', term: 8 };

interface Shape {
  readonly name: string;
  readonly decode: Decode;
  readonly whole: object;
  readonly code: RaftErrorCode;
  /** What the paths of its fields begin with. */
  readonly root: string;
}

const SHAPES: readonly Shape[] = [
  {
    name: 'a vote request',
    decode: decodeRequest,
    whole: { type: 'vote', ...VOTE },
    code: 'BAD_REQUEST',
    root: 'request',
  },
  {
    name: 'a beat request',
    decode: decodeRequest,
    whole: { type: 'beat', ...BEAT },
    code: 'BAD_REQUEST',
    root: 'request',
  },
  {
    name: 'a transfer',
    decode: decodeRequest,
    whole: { type: 'transfer', peer: PEER },
    code: 'BAD_REQUEST',
    root: 'request',
  },
  {
    name: 'a peer fetch',
    decode: decodeRequest,
    whole: { type: 'peer', id: 7 },
    code: 'BAD_REQUEST',
    root: 'request',
  },
  {
    name: 'a leader query',
    decode: decodeRequest,
    whole: { type: 'leader' },
    code: 'BAD_REQUEST',
    root: 'request',
  },
  {
    name: 'a metrics query',
    decode: decodeRequest,
    whole: { type: 'metrics' },
    code: 'BAD_REQUEST',
    root: 'request',
  },
  {
    name: 'a state query',
    decode: decodeRequest,
    whole: { type: 'state' },
    code: 'BAD_REQUEST',
    root: 'request',
  },
  { name: 'a vote', decode: decodeVote, whole: VOTE, code: 'BAD_REQUEST', root: 'vote' },
  { name: 'a beat', decode: decodeBeat, whole: BEAT, code: 'BAD_REQUEST', root: 'beat' },
  { name: 'a vote reply', decode: decodeVoteReply, whole: VOTE_REPLY, code: 'BAD_REPLY', root: 'reply' },
  { name: 'a beat reply', decode: decodeBeatReply, whole: BEAT_REPLY, code: 'BAD_REPLY', root: 'reply' },
  { name: 'a peer reply', decode: decodePeerReply, whole: PEER_REPLY, code: 'BAD_REPLY', root: 'reply' },
];

type Field =
  | { readonly kind: 'integer' | 'boolean' | 'state' | 'ip' | 'object' | 'list' }
  | { readonly kind: 'number'; readonly min: number; readonly max: number }
  | { readonly kind: 'text'; readonly max: number };

const MAX_MS = 2 ** 31 - 1;
const MS: Field = { kind: 'number', min: -MAX_MS, max: MAX_MS };

/** Each field, by the last part of its path, and what it must be. */
const FIELDS: Readonly<Record<string, Field>> = {
  type: { kind: 'text', max: 20 },
  peer: { kind: 'object' },
  revision: { kind: 'object' },
  datums: { kind: 'list' },
  ip: { kind: 'ip' },
  voteFor: { kind: 'ip' },
  state: { kind: 'state' },
  term: { kind: 'integer' },
  seq: { kind: 'integer' },
  round: { kind: 'integer' },
  id: { kind: 'integer' },
  requestTerm: { kind: 'integer' },
  timestamp: { kind: 'integer' },
  preVote: { kind: 'boolean' },
  transfer: { kind: 'boolean' },
  granted: { kind: 'boolean' },
  empty: { kind: 'boolean' },
  leaderDueMs: MS,
  heartbeatDueMs: MS,
  leaderTimeoutMs: { kind: 'number', min: 1, max: MAX_MS },
  promiseMs: { kind: 'number', min: 1, max: MAX_MS },
  promisedMs: { kind: 'number', min: 0, max: MAX_MS },
  sentAt: { kind: 'number', min: -Number.MAX_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER },
  key: { kind: 'text', max: MAX_KEY_LENGTH },
};

/** Fields that may be absent: null counts as absent. */
const OPTIONAL = new Set([
  'preVote',
  'round',
  'transfer',
  'revision',
  'leaderTimeoutMs',
  'sentAt',
  'id',
  'empty',
  'promiseMs',
  'promisedMs',
  'voteFor',
]);

/** Values of every type, which a field of another type must refuse. */
const OF_TYPE = {
  text: 'text',
  empty: '',
  number: 1,
  boolean: true,
  object: {},
  list: [],
  bigint: 1n,
  function: () => 1,
  symbol: Symbol('a'),
  date: new Date(0),
};

function wrong(field: Field): readonly unknown[] {
  const { text, empty, number, boolean, object, list, bigint, symbol, date, function: run } = OF_TYPE;
  const rest = [bigint, run, symbol];
  switch (field.kind) {
    case 'integer':
      return [
        text,
        empty,
        '1',
        boolean,
        object,
        list,
        [1],
        date,
        -1,
        1.5,
        2 ** 53,
        -(2 ** 53),
        Number.NaN,
        Number.POSITIVE_INFINITY,
        ...rest,
      ];
    case 'number':
      return [
        text,
        empty,
        '1',
        boolean,
        object,
        list,
        [1],
        date,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        Number.NEGATIVE_INFINITY,
        justAbove(field.max),
        -justAbove(-field.min),
        ...rest,
      ];
    case 'boolean':
      return [text, empty, 'true', 0, number, object, list, date, ...rest];
    case 'state':
      return [text, empty, 'leader', 'LEADER ', number, boolean, object, list, ['LEADER'], date, ...rest];
    case 'ip':
      return [
        empty,
        ' ',
        'a b',
        'a\n',
        '\u0007',
        'x'.repeat(MAX_IP_LENGTH + 1),
        number,
        boolean,
        object,
        list,
        ['a:1'],
        date,
        ...rest,
      ];
    case 'text':
      return ['x'.repeat(field.max + 1), number, boolean, object, list, ['a'], date, ...rest];
    case 'object':
      return [text, empty, number, boolean, list, [{}], ...rest];
    case 'list':
      return [
        text,
        empty,
        number,
        boolean,
        object,
        { length: 0 },
        date,
        Array(MAX_DATUMS + 1).fill({ key: 'k', timestamp: 1 }),
        ...rest,
      ];
  }
}

function right(field: Field): readonly unknown[] {
  switch (field.kind) {
    case 'integer':
      return [0, 1, 2 ** 53 - 1];
    case 'number':
      return [field.min, field.max, field.min + 0.5, 1.25];
    case 'boolean':
      return [true, false];
    case 'state':
      return ['FOLLOWER', 'CANDIDATE', 'LEADER'];
    case 'ip':
      return ['a', '[::1]:80', 'x'.repeat(MAX_IP_LENGTH), '__proto__', 'constructor'];
    case 'text':
      return ['', ' ', '__proto__', 'x'.repeat(field.max)];
    case 'list':
      return [[], Array(MAX_DATUMS).fill({ key: 'k', timestamp: 1 })];
    case 'object':
      return [];
  }
}

function justAbove(value: number): number {
  return value + Math.max(1, Math.abs(value) * Number.EPSILON);
}

/** The paths of all fields in `value`: `peer.term`, `datums[0].key`. */
function pathsIn(value: object, prefix = ''): readonly string[] {
  return Object.entries(value).flatMap(([name, inner]) => {
    const path = Array.isArray(value) ? `${prefix}[${name}]` : prefix === '' ? name : `${prefix}.${name}`;
    const deeper = typeof inner === 'object' && inner !== null ? pathsIn(inner, path) : [];
    return Array.isArray(value) ? deeper : [path, ...deeper];
  });
}

function keysOf(path: string): readonly string[] {
  return path.split(/[.[\]]+/).filter((part) => part !== '');
}

/** A copy of `whole` with `put` done to the object that holds the last key of `path`. */
function changed(
  whole: object,
  path: string,
  put: (holder: Record<string, unknown>, key: string) => void,
): object {
  const copy = structuredClone(whole);
  const keys = keysOf(path);
  let holder = copy as Record<string, unknown>;
  for (const key of keys.slice(0, -1)) holder = holder[key] as Record<string, unknown>;
  put(holder, keys.at(-1) as string);
  return copy;
}

/** A copy of `value` with unknown fields in each object. */
function withNoise(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withNoise);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([name, inner]) => [name, withNoise(inner)]);
  return { noise: { term: 99 }, toString: 1, ...Object.fromEntries(fields), more: [1] };
}

const CASES = SHAPES.flatMap((shape) => pathsIn(shape.whole).map((path) => ({ ...shape, path })));

describe.each(CASES)('$path of $name', ({ decode, whole, code, root, path }) => {
  const name = keysOf(path).at(-1) as string;
  const field = FIELDS[name];
  if (field === undefined) throw new Error(`no rule for ${path}`);

  test('must be of its type and within its bounds, or is named', () => {
    for (const value of wrong(field)) {
      const raw = changed(whole, path, (holder, key) => {
        holder[key] = value;
      });
      const error = refusal(decode, raw);
      expect([error.code, error.message.split(' ')[0]]).toEqual([code, `${root}.${path}`]);
      expect(error.message.length).toBeLessThan(500);
    }
  });

  test('may be all that is within its bounds', () => {
    if (name === 'type') return;
    for (const value of right(field)) {
      const raw = changed(whole, path, (holder, key) => {
        holder[key] = value;
      });
      expect(decode(raw)).toEqual(raw);
    }
  });

  test(OPTIONAL.has(name) ? 'may be absent, or null' : 'must be there, and null is not', () => {
    for (const put of [
      (holder: Record<string, unknown>, key: string) => {
        delete holder[key];
      },
      (holder: Record<string, unknown>, key: string) => {
        holder[key] = null;
      },
      (holder: Record<string, unknown>, key: string) => {
        holder[key] = undefined;
      },
    ]) {
      const raw = changed(whole, path, put);
      if (OPTIONAL.has(name)) {
        const absent = changed(whole, path, (holder, key) => {
          if (name === 'voteFor') holder[key] = null;
          else delete holder[key];
        });
        expect(decode(raw)).toStrictEqual(absent);
      } else {
        const error = refusal(decode, raw);
        expect([error.code, error.message.split(' ')[0]]).toEqual([code, `${root}.${path}`]);
      }
    }
  });

  test('must be its own: an inherited one is none', () => {
    const raw = changed(whole, path, (holder, key) => {
      const value = holder[key];
      delete holder[key];
      Object.setPrototypeOf(holder, { [key]: value });
    });
    if (OPTIONAL.has(name)) {
      const decoded = decode(raw);
      let at = decoded as Record<string, unknown>;
      for (const key of keysOf(path).slice(0, -1)) at = at[key] as Record<string, unknown>;
      expect(at[name] ?? null).toBe(null);
    } else {
      const error = refusal(decode, raw);
      expect([error.code, error.message.split(' ')[0]]).toEqual([code, `${root}.${path}`]);
    }
  });
});

describe.each(SHAPES)('$name', ({ decode, whole, code, root }) => {
  test('must be an object', () => {
    for (const value of [
      undefined,
      null,
      0,
      1,
      '',
      'text',
      true,
      [],
      [whole],
      1n,
      Symbol('a'),
      () => whole,
    ]) {
      const error = refusal(decode, value);
      expect([error.code, error.message.split(' ')[0]]).toEqual([code, root]);
    }
  });

  test('is taken over field by field: a copy, in which unknown fields are left out wherever they stand', () => {
    const noisy = withNoise(whole);
    const decoded = decode(noisy);
    expect(decoded).toStrictEqual(whole);
    expect(decode(Object.freeze(structuredClone(whole)))).toStrictEqual(whole);
    expect(decode(whole)).not.toBe(whole);
  });

  test('may carry prototype keys, which do nothing', () => {
    const text = JSON.stringify(whole).replaceAll(
      '{',
      '{"__proto__":{"term":99,"granted":true,"polluted":1},"constructor":{"prototype":{"polluted":1}},',
    );
    const raw = JSON.parse(text.replaceAll(',}', '}')) as object;
    expect(decode(raw)).toStrictEqual(whole);
    expect(({} as { polluted?: number }).polluted).toBe(undefined);
  });

  test('may come without a prototype', () => {
    expect(decode(Object.assign(Object.create(null), whole))).toStrictEqual(whole);
  });
});

describe('a request', () => {
  test.each(['votes', '', 'VOTE', 'toString', '__proto__', 'constructor', 'peers'])(
    'is of a known type, not %s',
    (type) => {
      const error = refusal(decodeRequest, { ...VOTE, ...BEAT, type });
      expect([error.code, error.message.split(' ')[0]]).toEqual(['BAD_REQUEST', 'request.type']);
    },
  );
});

describe.each([
  ['vote', decodeVoteReply],
  ['beat', decodeBeatReply],
  ['peer', decodePeerReply],
] as const)('the refusal of a %s', (_, decode) => {
  test('is thrown as the error that it is, with its term', () => {
    const error = refusal(decode, REFUSAL);
    expect([error.code, error.message, error.term]).toEqual(['OUT_OF_DATE', 'over', 8]);
    expect(refusal(decode, { code: 'BUSY', message: '' }).term).toBe(undefined);
    expect(refusal(decode, { code: 'BUSY', message: '', term: null }).term).toBe(undefined);
  });

  test('is one also when it looks like a reply besides', () => {
    expect(refusal(decode, { ...VOTE_REPLY, ...BEAT_REPLY, ...PEER_REPLY, ...REFUSAL }).code).toBe(
      'OUT_OF_DATE',
    );
  });

  test('may be each refusal that a peer can give', () => {
    for (const code of [
      'BAD_REQUEST',
      'BUSY',
      'CONFLICTING_LEADER',
      'DUPLICATE_PEER',
      'INTERNAL',
      'INVALID_STATE',
      'NOT_A_VOTER',
      'NOT_RUNNING',
      'OUT_OF_DATE',
      'REFUSED_TRANSFER',
      'REJOINING',
      'STORE_FAILED',
      'TOO_LARGE',
      'UNAUTHORIZED',
      'UNKNOWN_PEER',
    ])
      expect(refusal(decode, { code, message: 'no' }).code).toBe(code);
  });

  test.each([
    ['code', { ...REFUSAL, code: 5 }],
    ['code', { ...REFUSAL, code: true }],
    ['code', { ...REFUSAL, code: {} }],
    ['code', { ...REFUSAL, code: 'X'.repeat(51) }],
    ['message', { code: 'BUSY' }],
    ['message', { ...REFUSAL, message: null }],
    ['message', { ...REFUSAL, message: 5 }],
    ['message', { ...REFUSAL, message: 'x'.repeat(1_001) }],
    ['term', { ...REFUSAL, term: -1 }],
    ['term', { ...REFUSAL, term: 2 ** 53 }],
    ['term', { ...REFUSAL, term: '8' }],
    ['term', { ...REFUSAL, term: 1.5 }],
  ])('must have its %s right', (field, raw) => {
    const error = refusal(decode, raw);
    expect([error.code, error.message.split(' ')[0], error.term]).toEqual([
      'BAD_REPLY',
      `reply.${field}`,
      undefined,
    ]);
  });

  test.each(['TEAPOT', '', 'toString', '__proto__', 'TIMEOUT', 'UNREACHABLE', 'BAD_REPLY', 'ABORTED'])(
    "with the code %j that no peer gives is a BAD_REPLY, and its term is nobody's",
    (code) => {
      const error = refusal(decode, { ...REFUSAL, code });
      expect([error.code, error.term]).toEqual(['BAD_REPLY', undefined]);
    },
  );
});

test('a list with holes is refused: they are no objects', () => {
  expect(refusal(decodeBeat, { ...BEAT, datums: Array(1) })).toMatchObject({
    code: 'BAD_REQUEST',
    message: expect.stringContaining('beat.datums[0]'),
  });
});

describe('any message', () => {
  test('that is valid comes through JSON and decoding as it was', () => {
    fc.assert(
      fc.property(arbitraryRequest, (request) => {
        expect(decodeRequest(JSON.parse(JSON.stringify(request)))).toEqual(request);
      }),
      { seed: SEED },
    );
    fc.assert(
      fc.property(arbitraryPeer, fc.boolean(), fc.maxSafeNat(), (peer, flag, number) => {
        const roundTrip = (decode: Decode, reply: object): void => {
          expect(decode(JSON.parse(JSON.stringify(reply)))).toEqual(reply);
        };
        roundTrip(decodeVoteReply, { ...peer, granted: flag, round: number });
        roundTrip(decodeBeatReply, { ...peer, requestTerm: number, sentAt: number / 2 });
        roundTrip(decodePeerReply, { ...peer, id: number, empty: flag });
      }),
      { seed: SEED },
    );
  });

  test('that is not is refused with the code of its direction, whatever it is', () => {
    const decoders: readonly (readonly [Decode, RaftErrorCode])[] = [
      [decodeRequest, 'BAD_REQUEST'],
      [decodeVote, 'BAD_REQUEST'],
      [decodeBeat, 'BAD_REQUEST'],
      [decodeVoteReply, 'BAD_REPLY'],
      [decodeBeatReply, 'BAD_REPLY'],
      [decodePeerReply, 'BAD_REPLY'],
    ];
    const raw = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withSparseArray: true,
    });
    fc.assert(
      fc.property(raw, fc.constantFrom(...decoders), (value, [decode, code]) => {
        const error = refusal(decode, value);
        expect(error.code).toBe(code);
      }),
      { seed: SEED, numRuns: 2_000 },
    );
  });
});
