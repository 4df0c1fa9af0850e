import { gunzipSync, gzipSync } from 'node:zlib';
import type { RaftError, RaftReply, RaftRequest } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { decodeBeatReply, decodePeerReply, decodeVoteReply } from '../../src/node/decode.js';
import { decodeDoneReply, decodeNacosDatumsReply } from '../../src/node/decode-nacos.js';
import type { HttpOutgoing } from '../../src/transports/http-exchange.js';
import { readReply, writeRefusal, writeReply } from '../../src/transports/nacos-replies.js';
import { methodsOf, readRequest, writeRequest } from '../../src/transports/nacos-requests.js';
import { isAtHand, needsRecordings, recordingsOf } from '../fixtures/recordings.js';
import {
  BASE,
  endOf,
  incomingOf,
  type Recording,
  recordingsIn,
  requestOf,
  SAMPLE,
  urlDecode,
} from './nacos-kit.js';

/** Requests that say too little, or what is not gzip. */
const UNREADABLE = ['get-datum-err400-0', 'post-vote-err400-0', 'post-beat-err500-0'];
/** What raftbeat does not serve. */
const UNKNOWN = ['get-nothing-err404-0', 'get-listeners-ok-0'];

const recordings = isAtHand ? recordingsIn(recordingsOf('wire')) : SAMPLE;
const readable = recordings.filter(({ name }) => ![...UNREADABLE, ...UNKNOWN].includes(name));

test('all recordings are read, where they are at hand', (context) => {
  needsRecordings(context);
  expect(recordings.length).toBe(39);
});

/** What a recorded request says, in the words of raftbeat, as far as its own decoded form tells. */
function saidIn({ method, path, queryDecoded, bodyDecoded, beatDecoded }: Recording): unknown {
  switch (`${method} ${path.slice(BASE.length + 1)}`) {
    case 'POST vote':
      return { type: 'vote', peer: JSON.parse(queryDecoded?.['vote'] ?? '') };
    case 'POST beat':
      return { type: 'beat', ...(beatDecoded as object) };
    case 'GET datum':
      return { type: 'nacosGet', keys: urlDecode(queryDecoded?.['keys'] ?? '').split(',') };
    case 'POST datum':
      return { type: 'nacosPublish', forwarded: false, ...bodyDecoded };
    case 'DELETE datum':
      return { type: 'nacosRemove', forwarded: false, key: urlDecode(queryDecoded?.['key'] ?? '') };
    case 'POST datum/commit':
      return { type: 'nacosCommit', ...bodyDecoded };
    case 'DELETE datum/commit': {
      const { datum, source } = bodyDecoded as { datum: { key: string }; source: unknown };
      return { type: 'nacosDelete', key: datum.key, source };
    }
    default:
      return { type: path.slice(BASE.length + 1) };
  }
}

describe('a recorded request', () => {
  test.each(readable.map((recording) => [recording.name, recording] as const))(
    '%s is read field by field',
    async (_, recording) => {
      expect(await requestOf(recording)).toEqual(saidIn(recording));
    },
  );

  test.each(
    recordings
      .filter(({ name }) => UNREADABLE.includes(name))
      .map((recording) => [recording.name, recording] as const),
  )('%s is refused as BAD_REQUEST', async (_, recording) => {
    await expect(requestOf(recording)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  test.each(
    recordings
      .filter(({ name }) => UNKNOWN.includes(name))
      .map((recording) => [recording.name, recording] as const),
  )('%s asks for what is not served', (_, recording) => {
    expect(methodsOf(endOf(recording))).toEqual([]);
  });
});

/** The answer as the driver reads it. */
function decodeReply(type: RaftRequest['type'], raw: unknown): unknown {
  switch (type) {
    case 'vote':
      return decodeVoteReply(raw);
    case 'beat':
      return decodeBeatReply(raw);
    case 'peer':
      return decodePeerReply(raw);
    case 'nacosGet':
      return decodeNacosDatumsReply(raw);
    case 'leader':
    case 'state':
      return raw;
    default:
      return decodeDoneReply(raw);
  }
}

/** What a recorded answer means, in the words of raftbeat. */
function meantBy(request: RaftRequest, recording: Recording): unknown {
  const decoded = recording.responseDecoded;
  switch (request.type) {
    case 'vote': {
      const peer = decoded as { voteFor: string; term: number };
      const granted = peer.voteFor === request.peer.ip && peer.term === request.peer.term;
      return { ...peer, granted };
    }
    case 'beat':
      return { ...(decoded as object), requestTerm: request.peer.term };
    case 'peer':
    case 'state':
      return decoded;
    case 'leader':
      return { leader: JSON.parse((decoded as { leader: string }).leader) };
    case 'nacosGet':
      return { datums: decoded };
    default:
      return { done: true };
  }
}

const answerOf = ({ status, responseHeaders, responseBody }: Recording) => ({
  status,
  type: responseHeaders['Content-Type'] ?? '',
  body: responseBody,
});

describe('a recorded answer', () => {
  test.each(
    readable.filter(({ status }) => status === 200).map((recording) => [recording.name, recording] as const),
  )('%s is read field by field', async (_, recording) => {
    const request = await requestOf(recording);
    const reply = decodeReply(request.type, readReply(request, answerOf(recording)));
    expect(reply).toEqual(meantBy(request, recording));
  });

  test.each([
    ['post-vote-err500-0', 'UNKNOWN_PEER', 'can not find peer: 10.9.9.9:1'],
    ['post-beat-err400-0', 'OUT_OF_DATE', 'out of date beat, beat-from-term: 0, beat-to-term: 603'],
    ['post-beat-err400-1', 'INVALID_STATE', 'invalid state from master, state: FOLLOWER'],
    ['post-datum-err400-0', 'BAD_REQUEST', 'unknown type publish key: bogus'],
    ['post-datum-commit-err500-0', 'INTERNAL', 'Raft onPut failed'],
    ['delete-datum-commit-err500-0', 'INTERNAL', 'errCode: 101'],
  ])('%s is the refusal %s', async (name, code, message) => {
    const recording = recordings.find((known) => known.name === name) as Recording;
    const request = await requestOf(recording);
    const reply = readReply(request, answerOf(recording));
    const thrown = attempt(() => decodeReply(request.type, reply));
    expect(thrown).toMatchObject({ name: 'RaftError', code });
    expect(thrown?.message.startsWith(message)).toBe(true);
  });

  test('of 1.2.1 names the class of what it threw, which is left out', () => {
    const body = 'java.lang.IllegalStateException: can not find peer: b:1';
    const answer = { status: 500, type: 'text/plain', body };
    expect(readReply({ type: 'peer' }, answer)).toEqual({
      code: 'UNKNOWN_PEER',
      message: 'can not find peer: b:1',
    });
  });

  test.each([
    ['a publish that came back without a charset', { type: 'nacosRemove', key: 'k' }, 'text/plain', 'ok'],
    ['what is not JSON', { type: 'peer' }, 'text/html', '<html>'],
    ['a leader that is no text', { type: 'leader' }, 'application/json', '{"leader":{}}'],
    ['a leader that is not even an object', { type: 'leader' }, 'application/json', '7'],
  ] as const)('that is none is BAD_REPLY: %s', (_, request, type, body) => {
    const thrown = attempt(() => readReply(request, { status: 200, type, body }));
    expect(thrown).toMatchObject({ code: 'BAD_REPLY' });
  });

  test('that bears the vote of another term grants nothing', () => {
    const peer = {
      ip: 'a:1',
      voteFor: 'a:1',
      term: 7,
      leaderDueMs: 1,
      heartbeatDueMs: 1,
      state: 'CANDIDATE',
    } as const;
    const answer = (term: number) => ({
      status: 200,
      type: '',
      body: JSON.stringify({ ...peer, ip: 'b:1', term }),
    });
    expect(readReply({ type: 'vote', peer }, answer(7))).toMatchObject({ granted: true });
    expect(readReply({ type: 'vote', peer }, answer(8))).toMatchObject({ granted: false });
  });

  test('that there is no leader is null', () => {
    expect(readReply({ type: 'leader' }, { status: 200, type: '', body: '{"leader":"null"}' })).toEqual({
      leader: null,
    });
  });
});

/** What an original peer makes of a request, by the rules that the recordings show. */
function asOriginal({ method, path, body }: HttpOutgoing): unknown {
  const [end = '', query = ''] = path.slice(BASE.length + 1).split('?');
  const params = new URLSearchParams(query);
  switch (`${method} ${end}`) {
    case 'POST vote':
      expect(query).toMatch(/^encoding=UTF-8&vote=[\w%.-]+&nofix=1&$/);
      expect(body.length).toBe(0);
      return { type: 'vote', peer: JSON.parse(params.get('vote') ?? '') };
    case 'POST beat': {
      const text = urlDecode(urlDecode(gunzipSync(body).toString()));
      return { type: 'beat', ...JSON.parse((JSON.parse(text) as { beat: string }).beat) };
    }
    case 'POST datum/commit':
      return { type: 'nacosCommit', ...JSON.parse(urlDecode(body.toString())) };
    case 'DELETE datum/commit': {
      const { datum, source } = JSON.parse(urlDecode(urlDecode(body.toString())));
      expect(datum).toEqual({ key: datum.key, timestamp: 0 });
      return { type: 'nacosDelete', key: datum.key, source };
    }
    case 'GET datum':
      return { type: 'nacosGet', keys: params.get('keys')?.split(',') };
    case 'POST datum':
      return { type: 'nacosPublish', forwarded: false, ...JSON.parse(body.toString()) };
    case 'DELETE datum':
      expect(query).toMatch(/^encoding=UTF-8&key=[\w%.-]+&nofix=1&$/);
      return { type: 'nacosRemove', forwarded: false, key: urlDecode(params.get('key') ?? '') };
    default:
      expect(query).toBe('');
      return { type: end };
  }
}

describe('what raftbeat asks', () => {
  test.each(readable.map((recording) => [recording.name, recording] as const))(
    'as in %s means to an original peer what the recorded request meant',
    async (_, recording) => {
      const outgoing = await writeRequest(BASE, await requestOf(recording));
      expect(asOriginal(outgoing)).toEqual(saidIn(recording));
      expect(outgoing.method).toBe(recording.method);
      expect(outgoing.headers['user-agent']).toMatch(/^Nacos-Server:/);
    },
  );

  test.each(['post-beat-ok-datums-1', 'post-datum-commit-ok-1', 'delete-datum-commit-ok-0'])(
    'as in %s has the same header fields of its own and the same order of names',
    async (name) => {
      const recording = recordings.find((known) => known.name === name) as Recording;
      const { headers, body } = await writeRequest(BASE, await requestOf(recording));
      expect(headers['content-type']).toBe(recording.headers['content-type']);
      expect(headers['key']).toBe(recording.headers['key']);
      const isPacked = name.startsWith('post-beat');
      expect(headers['content-encoding']).toBe(isPacked ? 'gzip' : undefined);
      const names = (text: string) =>
        text.match(/"(?:ip|voteFor|term|leaderDueMs|heartbeatDueMs|state)\\?"/g);
      const recorded = Buffer.from(recording.bodyBase64, 'base64');
      const text = (bytes: Buffer) => (isPacked ? gunzipSync(bytes) : bytes).toString();
      expect(names(text(body))).toEqual(names(text(recorded)));
    },
  );

  test.each(['post-vote-ok-1', 'get-datum-ok-2', 'delete-datum-ok-1'])(
    'as in %s has the recorded path, to the letter',
    async (name) => {
      const recording = recordings.find((known) => known.name === name) as Recording;
      const { path } = await writeRequest(BASE, await requestOf(recording));
      expect(path).toBe(`${recording.path}?${recording.query}`);
    },
  );

  test('survives that original peers URL-decode what nobody encoded', async () => {
    const key = 'com.alibaba.nacos.naming.domains.meta.public##G@@100%+a';
    const value = { text: '100% sure, a+b, %41 "quoted\\" + \\\\', huge: 1e21, tiny: 1e-7, '%+': ['+'] };
    const source = {
      ip: 'a:1',
      voteFor: null,
      term: 1,
      leaderDueMs: 1.4,
      heartbeatDueMs: 2.5,
      state: 'LEADER',
    } as const;
    const datum = { key, value, timestamp: 1 };
    const whole = { ip: 'a:1', term: 1, leaderDueMs: 1, heartbeatDueMs: 3, state: 'LEADER' };
    const ask = async (request: RaftRequest) => asOriginal(await writeRequest(BASE, request));
    expect(await ask({ type: 'nacosCommit', datum, source })).toEqual({
      type: 'nacosCommit',
      datum,
      source: whole,
    });
    expect(await ask({ type: 'nacosDelete', key, source })).toEqual({
      type: 'nacosDelete',
      key,
      source: whole,
    });
    const datums = [{ key, timestamp: 1 }];
    expect(await ask({ type: 'beat', peer: source, datums })).toEqual({ type: 'beat', peer: whole, datums });
  });

  test('about a key that no URL can bear is asked all the same, as Java does', async () => {
    const { path } = await writeRequest(BASE, { type: 'nacosGet', keys: ['a\ud800', 'b'] });
    expect(path).toBe(`${BASE}/datum?keys=a%3F%2Cb`);
  });

  test('may be forwarded, which a raftbeat peer is told in a header', async () => {
    const publish = await writeRequest(BASE, { type: 'nacosPublish', key: 'k', value: {}, forwarded: true });
    const remove = await writeRequest(BASE, { type: 'nacosRemove', key: 'k', forwarded: true });
    for (const { headers } of [publish, remove]) expect(headers['raftbeat-forwarded']).toBe('1');
  });

  test('that original peers do not know is UNSUPPORTED', async () => {
    const peer = {
      ip: 'a:1',
      voteFor: null,
      term: 1,
      leaderDueMs: 1,
      heartbeatDueMs: 1,
      state: 'LEADER',
    } as const;
    await expect(writeRequest(BASE, { type: 'transfer', peer })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    });
  });
});

describe('what raftbeat answers', () => {
  test.each(
    readable
      .filter(({ path, status }) => status === 200 && /\/(vote|beat|peer|leader|state)$/.test(path))
      .map((recording) => [recording.name, recording] as const),
  )('as in %s is, to the letter, what the original answered', async (_, recording) => {
    const request = await requestOf(recording);
    const reply = decodeReply(request.type, readReply(request, answerOf(recording))) as RaftReply;
    const { status, type, body } = writeReply(request.type, withVotes(reply));
    expect(body.toString()).toBe(recording.responseBody);
    expect(status).toBe(200);
    expect(type.replace(/\s/g, '')).toBe(recording.responseHeaders['Content-Type']?.replace(/\s/g, ''));
  });

  test('about datums is a list, or ok', () => {
    const datums = [{ key: 'k', value: { a: 1 }, timestamp: 2 }, null];
    expect(JSON.parse(writeReply('nacosGet', { datums }).body.toString())).toEqual(datums);
    const { body, type } = writeReply('nacosPublish', { done: true });
    expect([body.toString(), type]).toEqual(['ok', 'application/json;charset=UTF-8']);
  });

  test('that no leader is known is "null"', () => {
    expect(writeReply('leader', { leader: null }).body.toString()).toBe('{"leader":"null"}');
  });

  test.each([
    ['OUT_OF_DATE', 'out of date beat', 400, 'out of date beat'],
    ['INVALID_STATE', 'invalid state from master', 400, 'invalid state from master'],
    ['BAD_REQUEST', `Param 'vote' is required.`, 400, `Param 'vote' is required.`],
    ['UNKNOWN_PEER', 'can not find peer: b:1', 500, 'caused: can not find peer: b:1;'],
    ['NOT_RUNNING', 'this peer stops', 503, 'this peer stops'],
    ['TOO_LARGE', 'the body', 413, 'the body'],
  ] as const)(
    'when it refuses with %s has the status and the text of the original',
    (code, message, status, text) => {
      const reply = writeRefusal({ code, message });
      expect([reply.status, reply.body.toString()]).toEqual([status, text]);
    },
  );
});

describe('a request that comes in', () => {
  const gzipBomb = incomingOf({ ...(SAMPLE[0] as Recording), bodyBase64: bomb() });

  test('packed is as large as what it unpacks to', async () => {
    await expect(readRequest('POST', 'beat', gzipBomb)).rejects.toMatchObject({ code: 'TOO_LARGE' });
  });

  test.each([
    ['POST', 'beat', Buffer.from([0x1f, 0x8b, 1, 2])],
    ['POST', 'datum', Buffer.from('{')],
    ['POST', 'datum', Buffer.from('7')],
    ['DELETE', 'datum/commit', Buffer.from('{"source":{}}')],
    ['POST', 'vote?', Buffer.alloc(0)],
    ['__proto__', 'constructor', Buffer.alloc(0)],
  ])('%s %s with a broken body is BAD_REQUEST', async (method, path, body) => {
    const incoming = { ...gzipBomb, body };
    await expect(readRequest(method, path, incoming)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  test('may bring a key encoded once, twice or three times', async () => {
    for (const key of ['a#b', 'a%23b', 'a%2523b', 'a%252523b']) {
      const incoming = { ...gzipBomb, query: new URLSearchParams({ keys: key }) };
      expect(await readRequest('GET', 'datum', incoming)).toEqual({ type: 'nacosGet', keys: ['a#b'] });
    }
  });

  test('may bring the vote in a form', async () => {
    const vote = { ip: 'b:1', term: 1 };
    const body = Buffer.from(`vote=${encodeURIComponent(JSON.stringify(vote))}`);
    const incoming = { ...gzipBomb, query: new URLSearchParams(), isForm: true, body };
    expect(await readRequest('POST', 'vote', incoming)).toMatchObject({ type: 'vote', peer: vote });
  });
});

/** A few kB that unpack to more than the limit. */
function bomb(): string {
  return gzipSync(Buffer.alloc(1_000_001)).toString('base64');
}

function attempt(act: () => unknown): RaftError | null {
  try {
    act();
    return null;
  } catch (error) {
    return error as RaftError;
  }
}

/** Peers that did not vote, as raftbeat holds them. */
function withVotes(reply: RaftReply): RaftReply {
  if (!('peers' in reply) || 'sent' in reply) return reply;
  return { ...reply, peers: reply.peers.map((peer) => ({ ...peer, voteFor: peer.voteFor ?? null })) };
}
