import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { RaftError, type RaftRequest } from 'raftbeat';
import { expect, test } from 'vitest';
import { decodeBeatReply, decodePeerReply, decodeRequest, decodeVoteReply } from '../../src/node/decode.js';
import { decodeDoneReply, decodeNacosDatumsReply } from '../../src/node/decode-nacos.js';
import { urlProofJson } from '../../src/transports/nacos-json.js';
import { readReply } from '../../src/transports/nacos-replies.js';
import { type NacosIncoming, readRequest, writeRequest } from '../../src/transports/nacos-requests.js';
import { BASE, endOf, requestOf, SAMPLE, urlDecode } from '../transports/nacos-kit.js';
import { anyJson, FUZZ, hostile, prototypes } from './hostile.js';

const LIMIT = 10_000;
const ENDS = ['vote', 'beat', 'peer', 'leader', 'state', 'datum', 'datum/commit', 'nothing'];
const refusals: ReadonlySet<string> = new Set(['BAD_REQUEST', 'TOO_LARGE']);

/** Bodies as no peer sends them: cut, packed twice, not text, or JSON of anything. */
const bodies: fc.Arbitrary<Buffer> = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.oneof(hostile, anyJson).map((value) => Buffer.from(JSON.stringify(value) ?? '')),
  fc.tuple(hostile, hostile).map(([peer, datums]) => packed({ beat: JSON.stringify({ peer, datums }) })),
  fc.tuple(hostile, hostile).map(([datum, source]) => Buffer.from(JSON.stringify({ datum, source }))),
  fc.tuple(hostile, hostile).map(([key, value]) => Buffer.from(JSON.stringify({ key, value }))),
  hostile.map((value) => packed(value)),
  fc.tuple(hostile, fc.nat(100)).map(([value, cut]) => packed(value).subarray(0, cut)),
);

const incoming: fc.Arbitrary<NacosIncoming> = fc.record({
  query: fc
    .dictionary(
      fc.constantFrom('vote', 'keys', 'key', 'x'),
      fc.oneof(
        fc.string(),
        hostile.map((value) => JSON.stringify(value) ?? ''),
        fc.constant('%25%'),
      ),
    )
    .map((params) => new URLSearchParams(params)),
  body: bodies,
  isForm: fc.boolean(),
  isForwarded: fc.boolean(),
  bodyLimitBytes: fc.constant(LIMIT),
});

test('whatever comes in is read as a request with all its fields, or refused', async () => {
  const before = prototypes();
  const methods = fc.constantFrom('GET', 'POST', 'DELETE', 'PUT');
  let read = 0;
  await fc.assert(
    fc.asyncProperty(methods, fc.constantFrom(...ENDS), incoming, async (method, end, given) => {
      try {
        const request = decodeRequest(await readRequest(method, end, given));
        expect(typeof request.type).toBe('string');
        read++;
      } catch (error) {
        expect(error).toBeInstanceOf(RaftError);
        expect(refusals.has((error as RaftError).code)).toBe(true);
      }
    }),
    FUZZ,
  );
  expect(read).toBeGreaterThan(0);
  expect(prototypes()).toEqual(before);
});

const decoders: Readonly<Partial<Record<RaftRequest['type'], (raw: unknown) => unknown>>> = {
  vote: decodeVoteReply,
  beat: decodeBeatReply,
  peer: decodePeerReply,
  nacosGet: decodeNacosDatumsReply,
  nacosCommit: decodeDoneReply,
  nacosDelete: decodeDoneReply,
  nacosPublish: decodeDoneReply,
  nacosRemove: decodeDoneReply,
};

test('whatever is answered is read with all its fields, or is a RaftError', async () => {
  const before = prototypes();
  const requests = await Promise.all(
    SAMPLE.filter(({ status }) => status === 200)
      .filter(({ path }) => /(vote|beat|peer|datum|commit)$/.test(path))
      .map(requestOf),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...requests),
      fc.constantFrom(200, 400, 404, 413, 500, 503),
      fc.oneof(
        fc.string(),
        hostile.map((value) => JSON.stringify(value) ?? ''),
      ),
      fc.constantFrom('', 'text/plain;charset=UTF-8', 'application/json'),
      (request, status, body, type) => {
        try {
          const reply = readReply(request, { status, type, body });
          expect(decoders[request.type]?.(reply)).toBeInstanceOf(Object);
        } catch (error) {
          expect(error).toBeInstanceOf(RaftError);
        }
      },
    ),
    FUZZ,
  );
  expect(prototypes()).toEqual(before);
});

test('JSON that is sent is the same after an original peer has URL-decoded it twice', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const plain = JSON.stringify(value);
      const [once, twice] = [urlDecode(urlProofJson(value)), urlDecode(urlDecode(urlProofJson(value)))];
      expect([JSON.parse(once), JSON.parse(twice)]).toEqual([JSON.parse(plain), JSON.parse(plain)]);
    }),
    FUZZ,
  );
});

test('what one raftbeat peer writes another reads as it was', async () => {
  const keys = fc.stringMatching(/^com\.alibaba\.nacos\.naming\.(domains\.meta|iplist)\.[a-z#@ü]{0,20}$/);
  const values = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }));
  await fc.assert(
    fc.asyncProperty(keys, values, fc.nat(), async (key, value, timestamp) => {
      const plain = JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
      const source = {
        ip: 'a:1',
        voteFor: 'a:1',
        term: 7,
        leaderDueMs: 1,
        heartbeatDueMs: 2,
        state: 'LEADER',
      } as const;
      const given: readonly RaftRequest[] = [
        { type: 'nacosCommit', datum: { key, value: plain, timestamp }, source },
        { type: 'nacosDelete', key, source },
        { type: 'nacosPublish', key, value: plain, forwarded: true },
        { type: 'nacosRemove', key, forwarded: true },
        { type: 'nacosGet', keys: [key, key] },
        { type: 'beat', peer: source, datums: [{ key, timestamp }] },
        { type: 'vote', peer: { ...source, state: 'CANDIDATE', voteFor: null } },
      ];
      for (const request of given) {
        const { method, path, body, headers } = await writeRequest(BASE, request);
        const [pathname = '', query = ''] = path.split('?');
        const isForwarded = headers['raftbeat-forwarded'] !== undefined;
        const came = {
          query: new URLSearchParams(query),
          body,
          isForm: false,
          isForwarded,
          bodyLimitBytes: 1_000_000,
        };
        expect(decodeRequest(await readRequest(method, endOf({ path: pathname }), came))).toEqual(request);
      }
    }),
    FUZZ,
  );
});

function packed(value: unknown): Buffer {
  return gzipSync(JSON.stringify(value) ?? '');
}
