import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { arbitraryRequest } from '../node/messages.js';
import { anyJson } from './hostile.js';
import { post } from './raw.js';

export const TYPE = 'application/vnd.raftbeat+json';
export const BODY_LIMIT = 8_192;

/** One connection of a client that means no good: what it sends, in which pieces, and whether it ends. */
export interface Attack {
  readonly name: string;
  readonly bytes: Buffer;
  /** Where it is cut into pieces. */
  readonly cuts: readonly number[];
  readonly ends: boolean;
}

const type = fc.constantFrom(
  'vote',
  'beat',
  'transfer',
  'writes',
  'beats',
  'groups',
  'peer',
  'leader',
  'state',
  'resign',
  'metrics',
  'ui',
  'events',
  '',
  'x',
  '__proto__',
  'constructor',
);
const bytes = fc.uint8Array({ maxLength: 600 }).map((array) => Buffer.from(array));
const bodies = fc.oneof(
  anyJson.map((value) => Buffer.from(JSON.stringify(value) ?? '')),
  bytes,
  fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
  // Invalid UTF-8 within what would be a valid request.
  fc.tuple(arbitraryRequest, bytes).map(([request, broken]) => {
    const text = JSON.stringify(request);
    return Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from(',"x":"'), broken, Buffer.from('"}')]);
  }),
  arbitraryRequest.map((request) => Buffer.from(JSON.stringify({ ...request, peer: undefined }))),
);

const typed = { 'content-type': TYPE };

/** A well-formed request with a hostile body. */
const whole = fc.tuple(type, bodies).map(([name, body]) => {
  return post(`/raft/${name}`, { ...typed, 'content-length': String(body.length) }, body);
});

const wrongLength = fc
  .tuple(
    type,
    bodies,
    fc.oneof(
      fc.integer({ min: -5, max: 2_000 }).map(String),
      fc.constantFrom('x', '1e3', '0x10', '99999999999999999999', ' ', '1, 1'),
    ),
  )
  .map(([name, body, length]) => post(`/raft/${name}`, { ...typed, 'content-length': length }, body));

const gzipped = fc
  .tuple(type, bodies, fc.constantFrom('gzip', 'deflate', 'br', 'gzip, gzip', 'x'))
  .map(([name, body, encoding]) => {
    const packed = encoding === 'gzip' ? gzipSync(Buffer.concat([body, Buffer.alloc(100_000)])) : body;
    const headers = { ...typed, 'content-encoding': encoding, 'content-length': String(packed.length) };
    return post(`/raft/${name}`, headers, packed);
  });

const chunkSize = fc.oneof(
  fc.nat(3_000).map((size) => size.toString(16)),
  fc.constantFrom('-1', 'ffffffffffffffffff', 'x', '', '0;a=b', '5;'.padEnd(20_000, 'x')),
);
const chunked = fc
  .tuple(type, fc.array(fc.tuple(chunkSize, bytes), { maxLength: 8 }))
  .map(([name, chunks]) => {
    const body = chunks.map(([size, data]) =>
      Buffer.concat([Buffer.from(`${size}\r\n`), data, Buffer.from('\r\n')]),
    );
    return post(`/raft/${name}`, { ...typed, 'transfer-encoding': 'chunked' }, Buffer.concat(body));
  });

/** Chunks that are as they should be, and too much in all. */
const endless = fc.integer({ min: 1, max: 12 }).map((count) => {
  const chunk = `800\r\n${'x'.repeat(2_048)}\r\n`;
  return post('/raft/beat', { ...typed, 'transfer-encoding': 'chunked' }, `${chunk.repeat(count)}0\r\n\r\n`);
});

const oversized = fc.integer({ min: BODY_LIMIT + 1, max: 20 * BODY_LIMIT }).map((size) => {
  return post('/raft/vote', { ...typed, 'content-length': String(size) }, 'x'.repeat(size));
});

const bigHeaders = fc
  .tuple(fc.integer({ min: 1, max: 3_000 }), fc.integer({ min: 0, max: 30_000 }))
  .map(([count, size]) => {
    const many = Object.fromEntries(Array.from({ length: count }, (_, at) => [`x-${at}`, 'y']));
    return post('/raft/peer', { ...many, 'x-big': 'z'.repeat(size), 'content-length': '0' }, '');
  });

const duplicated = fc
  .tuple(
    fc.constantFrom(
      'content-length',
      'content-type',
      'host',
      'transfer-encoding',
      'x-raftbeat-auth',
      'connection',
    ),
    fc.array(fc.constantFrom('2', '3', 'chunked', TYPE, 'a', 't=1,n=2,s=3', 'close'), {
      minLength: 2,
      maxLength: 4,
    }),
  )
  .map(([name, values]) => {
    const lines = values.map((value) => `${name}: ${value}\r\n`).join('');
    return Buffer.from(`POST /raft/peer HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n${lines}\r\n{}`);
  });

const oddLines = fc
  .tuple(
    fc.constantFrom('GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'CONNECT', 'TRACE', 'get', 'X', 'PRI', ''),
    fc.oneof(
      fc.constantFrom(
        '/raft',
        '/raft/',
        '/raft/peer/',
        '/raft/../raft/peer',
        '/raft/%70eer',
        '/raft//peer',
        '*',
        'http://x/raft/peer',
        '/raft/peer?x=1',
        '//raft/peer',
        '/raft/peer#x',
        '/',
      ),
      fc.string({ unit: 'binary', maxLength: 50 }).map((path) => `/raft/${path}`),
    ),
    fc.constantFrom(' HTTP/1.1', ' HTTP/1.0', '', ' HTTP/0.9', ' HTTP/2.0', ' HTTP/9', ' ICE/1.0'),
    fc.constantFrom(
      '\r\n',
      '\n',
      '\r',
      '\r\nhost: x\r\nexpect: 100-continue\r\n',
      '\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n',
      '\r\nhost x\r\n',
      '\r\n a: b\r\n',
    ),
  )
  .map(([method, path, version, end]) => Buffer.from(`${method} ${path}${version}${end}\r\n`));

/** Several requests at once. */
const pipelined = fc
  .integer({ min: 2, max: 12 })
  .map((count) => Buffer.from('GET /raft/peer HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(count)));

const kinds: Readonly<Record<string, fc.Arbitrary<Buffer>>> = {
  'random bytes': bytes,
  'hostile body': whole,
  'wrong content-length': wrongLength,
  'packed body': gzipped,
  'chunked garbage': chunked,
  'endless chunks': endless,
  'oversized body': oversized,
  'oversized headers': bigHeaders,
  'duplicate headers': duplicated,
  'odd request lines': oddLines,
  pipelining: pipelined,
};

/** Any attack, also cut short, and in pieces. */
export const attack: fc.Arbitrary<Attack> = fc
  .tuple(
    fc
      .constantFrom(...Object.keys(kinds))
      .chain((name) => (kinds[name] ?? bytes).map((all) => ({ name, all }))),
    fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 3 }),
    fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
    fc.boolean(),
  )
  .map(([{ name, all }, keeps, places, ends]) => {
    const bytes = keeps === null ? all : all.subarray(0, Math.floor(all.length * keeps));
    const cuts = places.map((place) => Math.floor(place * bytes.length)).sort((a, b) => a - b);
    return { name: keeps === null ? name : `${name}, cut short`, bytes, cuts, ends };
  });

/** The pieces of an attack, as they are sent. */
export function pieces({ bytes, cuts }: Attack): readonly Buffer[] {
  const ends = [...cuts, bytes.length];
  return ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end)).filter((piece) => piece.length > 0);
}
