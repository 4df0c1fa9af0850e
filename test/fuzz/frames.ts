import fc from 'fast-check';
import { FRAME_BYTES } from '../../src/transports/websocket-link.js';
import { hostile, mutated } from './hostile.js';

export const BODY_LIMIT = 8_192;

/** What is sent over a connection, and what it comes to. */
export interface Piece {
  readonly bytes: Buffer;
  /** The message, if it ends one. */
  readonly text: string | null;
  /** Whether it ends the connection. */
  readonly isLast: boolean;
}

const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10] as const;
const FINAL = 0x80;
const MASKED = 0x80;
const MASK = Buffer.from([1, 2, 3, 4]);

/** A frame of a client, by RFC 6455, section 5.2. */
function frame(first: number, payload: Buffer, declared = payload.length): Buffer {
  const length =
    declared < 126
      ? Buffer.from([MASKED | declared])
      : Buffer.concat([Buffer.from([MASKED | 127]), bigEndian(BigInt(declared))]);
  const masked = payload.map((byte, at) => byte ^ (MASK[at % 4] ?? 0));
  return Buffer.concat([Buffer.from([first]), length, MASK, masked]);
}

function bigEndian(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

/** The frame of a whole message. */
export function message(text: string): Buffer {
  return frame(FINAL | TEXT, Buffer.from(text));
}

/** What a text comes to that is a message of its own. */
function said(text: string, bytes = message(text)): Piece {
  return { bytes, text, isLast: Buffer.byteLength(text) > BODY_LIMIT + FRAME_BYTES || !isObject(text) };
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}

/** The request that a message asks, as JSON; null when it asks nothing. */
export function asked({ text, isLast }: Piece): { readonly id: number; readonly request: string } | null {
  if (text === null || isLast) return null;
  const { q, m } = JSON.parse(text) as { readonly q?: unknown; readonly m?: unknown };
  return Number.isSafeInteger(q) ? { id: q as number, request: JSON.stringify(m) ?? '' } : null;
}

const ids = fc.oneof(
  fc.maxSafeInteger(),
  fc.nat(20),
  fc.constantFrom<unknown>(0.5, 2 ** 53, -(2 ** 60), 1e300, '1', null, true, [1], { valueOf: 1 }),
);
const frames = fc.oneof(
  { weight: 6, arbitrary: fc.record({ q: ids, m: fc.oneof(mutated, hostile) }, { requiredKeys: ['q'] }) },
  fc.record({ a: ids, m: hostile }),
  fc.record({ x: ids }),
  fc.record({ q: ids, a: ids, x: ids, m: hostile }, { requiredKeys: [] }),
  fc.array(fc.record({ q: ids, m: hostile }), { maxLength: 3 }),
);
const texts = fc.oneof(
  { weight: 8, arbitrary: frames.map((value) => JSON.stringify(value)) },
  fc.tuple(ids, ids).map(([one, two]) => `{"q":${JSON.stringify(one)},"m":1,"q":${JSON.stringify(two)}}`),
  fc
    .tuple(ids, fc.nat(4_000))
    .map(([id, depth]) => `{"q":${JSON.stringify(id)},"m":${'['.repeat(depth)}${']'.repeat(depth)}}`),
  fc.constantFrom(
    '{"__proto__":{"q":1,"m":2}}',
    '{"q":1e0,"m":-0}',
    ' {"q":-0} ',
    '{"q":1,"m":"\\ud800"}',
    '{}',
  ),
  fc.constantFrom('', '{', 'null', '7', '"q"', 'true', '{"q":1}x', '\ufeff{"q":1}', "{'q':1}", '{"q":01}'),
  hostile.map((value) => JSON.stringify(value)),
);

const little = fc.uint8Array({ maxLength: 125 }).map((bytes) => Buffer.from(bytes));
const unheard = (bytes: Buffer): Piece => ({ bytes, text: null, isLast: false });
const last = (bytes: Buffer): Piece => ({ bytes, text: null, isLast: true });

/** In fragments, with a ping between them. */
const fragments = fc
  .tuple(texts, fc.array(fc.nat(50), { minLength: 1, maxLength: 5 }))
  .map(([text, sizes]) => {
    const rest = sizes.reduce<{ readonly sent: readonly Buffer[]; readonly left: Buffer }>(
      ({ sent, left }, size) => ({
        sent: [
          ...sent,
          frame(sent.length === 0 ? TEXT : CONTINUATION, left.subarray(0, size)),
          frame(FINAL | PING, Buffer.from('x')),
        ],
        left: left.subarray(size),
      }),
      { sent: [], left: Buffer.from(text) },
    );
    return said(text, Buffer.concat([...rest.sent, frame(FINAL | CONTINUATION, rest.left)]));
  });

/** What RFC 6455 forbids, or ends a connection with, or what is no text. */
const ends = fc.oneof(
  texts.map((text) => last(frame(FINAL | BINARY, Buffer.from(text)))),
  fc
    .constantFrom('fe', 'c080', 'eda080', 'f8')
    .map((hex) => last(frame(FINAL | TEXT, Buffer.from(`7b${hex}7d`, 'hex')))),
  fc
    .tuple(fc.constantFrom(0x10, 0x20, 0x40), little)
    .map(([bit, bytes]) => last(frame(FINAL | bit | TEXT, bytes))),
  fc.tuple(fc.constantFrom(3, 4, 7, 11, 15), little).map(([code, bytes]) => last(frame(FINAL | code, bytes))),
  fc.constantFrom(PING, PONG, CLOSE).map((code) => last(frame(code, Buffer.alloc(0)))),
  fc.constantFrom(PING, PONG, CLOSE).map((code) => last(frame(FINAL | code, Buffer.alloc(126)))),
  little.map((bytes) => last(frame(FINAL | CONTINUATION, bytes))),
  texts.map((text) => last(Buffer.concat([frame(TEXT, Buffer.from('{')), message(text)]))),
  fc
    .constantFrom(BODY_LIMIT + FRAME_BYTES + 1, 2 ** 31, 2 ** 45)
    .map((size) => last(frame(FINAL | TEXT, Buffer.alloc(0), size))),
  texts.map((text) =>
    last(Buffer.concat([Buffer.from([FINAL | TEXT, Math.min(125, text.length)]), Buffer.from(text)])),
  ),
  fc
    .constantFrom('', '03e8', '03e97b', '0000', '03e8fe')
    .map((hex) => last(frame(FINAL | CLOSE, Buffer.from(hex, 'hex')))),
);

/** Whatever may come over a connection. */
export const piece: fc.Arbitrary<Piece> = fc.oneof(
  { weight: 10, arbitrary: texts.map((text) => said(text)) },
  { weight: 2, arbitrary: fragments },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(PING, PONG), little)
      .map(([code, bytes]) => unheard(frame(FINAL | code, bytes))),
  },
  { weight: 1, arbitrary: ends },
);
