import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { gzipSync } from 'node:zlib';
import { type Clock, RaftNode, type RaftNodeOptions } from 'raftbeat';
import { NacosTransport, type NacosTransportOptions } from 'raftbeat/nacos';
import { afterEach, describe, expect, test } from 'vitest';
import { HttpExchange } from '../../src/transports/http-exchange.js';
import { BASE, type Recording, SAMPLE } from './nacos-kit.js';
import { freeAddress } from './ports.js';

const META = 'com.alibaba.nacos.naming.domains.meta.public##DEFAULT_GROUP@@a';
const LIST = 'com.alibaba.nacos.naming.iplist.public##DEFAULT_GROUP@@a';

/** How far time goes on at once, and how long a test waits for that. */
const STEP_MS = 10;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

const NAMES = ['ip', 'voteFor', 'term', 'leaderDueMs', 'heartbeatDueMs', 'state'];

/** Sends a request by hand. */
async function send(
  ip: string,
  method: string,
  path: string,
  { body = Buffer.alloc(0), headers = {} }: { body?: Buffer; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const [host, port] = ip.split(':');
  const length = body.length === 0 ? {} : { 'content-length': String(body.length) };
  const outgoing = httpRequest({
    host,
    port,
    method,
    path,
    agent: false,
    headers: { ...headers, ...length },
  });
  outgoing.end(body);
  const [response] = await once(outgoing, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const type = String(response.headers['content-type'] ?? '');
  return { status: response.statusCode, type, text: Buffer.concat(chunks).toString() };
}

/** Sends a recorded request as it was recorded. */
function sendAgain(ip: string, { method, path, query, bodyBase64, headers }: Recording): Promise<Answer> {
  const { host: _, connection: __, 'content-length': ___, ...own } = headers;
  const body = Buffer.from(bodyBase64, 'base64');
  return send(ip, method, query === null ? path : `${path}?${query}`, { body, headers: own });
}

const recorded = (name: string): Recording => {
  const found = SAMPLE.find((recording) => recording.name === name);
  if (found === undefined) throw new Error(`${name} is not in the sample`);
  return found;
};

async function start(options: RaftNodeOptions): Promise<RaftNode> {
  const node = new RaftNode(options);
  cleanups.push(() => node.stop());
  await node.start();
  return node;
}

/**
 * The time of nodes that all live in this process. It stands still but while a test waits, and goes on then in small steps,
 * between which sockets are read: no request is late because the machine is slow.
 */
class PatientClock implements Clock {
  readonly #timers = new Set<{ readonly due: number; readonly run: () => void }>();
  #now = 0;

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#now;
  }

  setTimer(run: () => void, ms: number): () => void {
    const timer = { due: this.#now + ms, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  afterMail(run: () => void): void {
    setImmediate(run);
  }

  /** Asks again, and lets time pass, until `holds`; the test's own time is the limit. */
  async until(holds: () => Promise<boolean> | boolean): Promise<void> {
    while (!(await holds())) {
      await new Promise((resolve) => setTimeout(resolve, STEP_MS));
      this.#now += STEP_MS;
      for (const timer of this.#timers) if (timer.due <= this.#now && this.#timers.delete(timer)) timer.run();
    }
  }
}

describe('a cluster over the wire of Nacos', () => {
  const clock = new PatientClock();
  const TIMES = { leaderTimeoutMs: 600, heartbeatMs: 60, randomMs: 600, requestTimeoutMs: 60 };
  const datum = (ip: string, keys: string) =>
    send(ip, 'GET', `${BASE}/datum?keys=${encodeURIComponent(keys)}`);
  const publish = (ip: string, key: string, value: unknown) =>
    send(ip, 'POST', `${BASE}/datum`, { body: Buffer.from(JSON.stringify({ key, value })) });

  async function cluster(): Promise<{
    readonly members: readonly string[];
    readonly start: typeof startOne;
  }> {
    const members = [await freeAddress(), await freeAddress(), await freeAddress()];
    const startOne = (ip: string) =>
      start({ ...TIMES, clock, ip, members, rules: 'nacos', transport: new NacosTransport() });
    return { members, start: startOne };
  }

  test('elects a leader that all follow, and publishes, replaces and removes at any peer', async () => {
    const { members, start } = await cluster();
    const nodes = await Promise.all(members.map(start));
    await clock.until(() =>
      nodes.every(({ leader }) => leader !== null && leader.ip === nodes[0]?.leader?.ip),
    );
    const leads = nodes[0]?.leader?.ip as string;
    const follower = members.find((ip) => ip !== leads) as string;

    const value = { name: 'a', text: '100% sure, a+b', weight: 1.5 };
    expect(await publish(follower, META, value)).toMatchObject({ status: 200, text: 'ok' });
    expect(await publish(leads, META, { ...value, name: 'b' })).toMatchObject({ status: 200, text: 'ok' });
    for (const ip of members) {
      const held = { key: META, value: { ...value, name: 'b' }, timestamp: 2 };
      await clock.until(async () => (await datum(ip, META)).text.includes('"b"'));
      expect(JSON.parse((await datum(ip, `${META},x`)).text)).toEqual([held, null]);
    }
    expect(nodes.every(({ term }) => term > 200)).toBe(true);

    const removal = `${BASE}/datum?key=${encodeURIComponent(encodeURIComponent(META))}&encoding=UTF-8&nofix=1&`;
    expect(await send(follower, 'DELETE', removal)).toMatchObject({ status: 200, text: 'ok' });
    for (const ip of members) await clock.until(async () => (await datum(ip, META)).text === '[null]');
  });

  test('brings a peer that comes later what it lacks, by the beats', async () => {
    const { members, start } = await cluster();
    const [late = '', ...early] = members;
    const nodes = await Promise.all(early.map(start));
    await clock.until(() => nodes.every(({ leader }) => leader !== null));
    const keys = Array.from({ length: 60 }, (_, at) => `${LIST}${at}`);
    for (const key of keys)
      expect((await publish(early[0] as string, key, { instanceList: [] })).text).toBe('ok');
    await start(late);
    await clock.until(async () => !(await datum(late, keys.join(','))).text.includes('null'));
  });

  test('tells who leads and how it stands, as the original does', async () => {
    const ip = await freeAddress();
    const node = await start({ ...TIMES, clock, ip, rules: 'nacos', transport: new NacosTransport() });
    expect(await send(ip, 'GET', `${BASE}/leader`)).toMatchObject({ status: 200, text: '{"leader":"null"}' });
    expect(await publish(ip, META, {})).toMatchObject({ status: 500, text: 'caused: no leader is known;' });
    await clock.until(() => node.isLeader());
    const { leader } = JSON.parse((await send(ip, 'GET', `${BASE}/leader`)).text) as { leader: string };
    expect(JSON.parse(leader)).toMatchObject({ ip, state: 'LEADER', voteFor: ip });
    const { peers } = JSON.parse((await send(ip, 'GET', `${BASE}/state`)).text) as { peers: object[] };
    expect(peers).toMatchObject([{ ip, state: 'LEADER' }]);
    expect(await publish(ip, META, {})).toMatchObject({ status: 200, text: 'ok' });
  });
});

describe('what original peers were recorded to ask', () => {
  /** A live peer in the place of the one that was recorded, so slow that nothing happens by itself. */
  async function place(): Promise<{ readonly ip: string; readonly node: RaftNode }> {
    const ip = await freeAddress();
    const port = Number(ip.split(':')[1]);
    const members = ['127.0.0.1:18821', '127.0.0.1:18822', '127.0.0.1:18823'];
    const transport = new NacosTransport({ bind: { port }, address: () => ip });
    const node = await start({
      ip: '127.0.0.1:18821',
      members,
      preset: 'nacos',
      random: () => 0.99,
      transport,
    });
    return { ip, node };
  }

  test('of an election is answered with the names of the original in their order, and an older beat is refused', async () => {
    const { ip, node } = await place();
    const vote = await sendAgain(ip, recorded('post-vote-ok-1'));
    const beat = await sendAgain(ip, recorded('post-beat-ok-0'));
    expect([vote.status, beat.status]).toEqual([200, 400]);
    expect(JSON.parse(vote.text)).toMatchObject({
      ip: node.ip,
      voteFor: '127.0.0.1:18822',
      term: 502,
      state: 'FOLLOWER',
    });
    expect(Object.keys(JSON.parse(vote.text))).toEqual(NAMES);
    expect(beat.text).toBe('out of date beat, beat-from-term: 1, beat-to-term: 502');
  });

  test('in the order of its terms leaves the peer as the original was left', async () => {
    const { ip, node } = await place();
    const told: string[] = [];
    node.on('makeLeader', ({ leader }) => told.push(leader.ip));
    const beat = recorded('post-beat-ok-0');
    expect((await sendAgain(ip, beat)).status).toBe(200);
    expect(told).toEqual(['127.0.0.1:18822']);
    const commit = recorded('post-datum-commit-ok-1');
    const { datum, source } = commit.bodyDecoded as { datum: { key: string }; source: { term: number } };
    expect(await sendAgain(ip, commit)).toMatchObject({ status: 200, text: 'ok' });
    expect(node.term).toBe(source.term <= 100 ? source.term : 100);
    const held = await send(ip, 'GET', `${BASE}/datum?keys=${encodeURIComponent(datum.key)}`);
    expect(JSON.parse(held.text)).toEqual([datum]);
    expect(await sendAgain(ip, recorded('delete-datum-commit-ok-0'))).toMatchObject({
      status: 200,
      text: 'ok',
    });
  });

  test.each([
    ['post-vote-err400-0', 400, `Param 'vote' is required.`],
    ['post-vote-err500-0', 500, 'caused: can not find peer: 10.9.9.9:1;'],
    ['post-beat-err400-1', 400, 'invalid state from master, state: FOLLOWER'],
    ['get-datum-err400-0', 400, `Param 'keys' is required.`],
    ['post-datum-err400-0', 400, 'unknown type publish key: bogus'],
    ['post-datum-commit-err500-0', 500, `caused: peer(10.9.9.9:1) tried to publish data but wasn't leader;`],
    [
      'delete-datum-commit-err500-0',
      500,
      `caused: peer(10.9.9.9:1) tried to publish data but wasn't leader;`,
    ],
    ['get-nothing-err404-0', 404, 'there is no GET nothing'],
  ])('is refused where the original refuses it: %s', async (name, status, text) => {
    const { ip, node } = await place();
    const before = JSON.stringify(node.peers);
    expect(await sendAgain(ip, recorded(name))).toMatchObject({ status, text });
    expect(JSON.parse(before)).toMatchObject(node.peers.map(({ ip, term, state }) => ({ ip, term, state })));
  });

  test('is asked of the wrong method: 405', async () => {
    const { ip } = await place();
    expect((await send(ip, 'GET', `${BASE}/vote`)).status).toBe(405);
  });

  test('too large is 413, packed or not', async () => {
    const ip = await freeAddress();
    const options: NacosTransportOptions = { bodyLimitBytes: 10_000 };
    await start({ ip, rules: 'nacos', transport: new NacosTransport(options) });
    const large = Buffer.alloc(10_001);
    expect((await send(ip, 'POST', `${BASE}/beat`, { body: gzipSync(large) })).status).toBe(413);
    expect((await send(ip, 'POST', `${BASE}/datum`, { body: large })).status).toBe(413);
  });
});

describe('a forwarded request', () => {
  test('is not passed on again: two peers that take each other for the leader stop there', async () => {
    const ip = await freeAddress();
    const members = [ip, 'b:1'];
    await start({ ip, members, preset: 'nacos', random: () => 0.99, transport: new NacosTransport() });
    const beat = {
      peer: { ip: 'b:1', voteFor: 'b:1', term: 1, leaderDueMs: 1, heartbeatDueMs: 1, state: 'LEADER' },
      datums: [],
    };
    const body = gzipSync(JSON.stringify({ beat: JSON.stringify(beat) }));
    expect((await send(ip, 'POST', `${BASE}/beat`, { body })).status).toBe(200);
    const headers = { 'raftbeat-forwarded': '1' };
    const publish = { body: Buffer.from(JSON.stringify({ key: META, value: {} })), headers };
    const stopped = 'caused: b:1 leads, as far as is known here;';
    expect(await send(ip, 'POST', `${BASE}/datum`, publish)).toMatchObject({ status: 500, text: stopped });
    const removal = `${BASE}/datum?key=${encodeURIComponent(META)}`;
    expect(await send(ip, 'DELETE', removal, { headers })).toMatchObject({ status: 500, text: stopped });
  });
});

describe('the transport', () => {
  test('refuses a secret, which original peers do not know', () => {
    const options = { secret: 'a secret of some length' } as NacosTransportOptions;
    expect(() => new NacosTransport(options)).toThrow('secret: original peers know none');
  });

  test('opens no connection any more once what sends is closed: a beat may still be being packed then', async () => {
    const exchange = new HttpExchange({ address: (ip) => ip, bodyLimitBytes: 1, tls: null });
    exchange.close();
    const request = { method: 'GET', path: '/', headers: {}, body: Buffer.alloc(0) };
    const sent = exchange.send('127.0.0.1:1', request, AbortSignal.timeout(5_000));
    await expect(sent).rejects.toMatchObject({ code: 'ABORTED' });
  });

  test('does not ask before its start, nor after its stop', async () => {
    const transport = new NacosTransport({ listen: false });
    const ask = () =>
      transport.request('127.0.0.1:1', { type: 'peer' }, { signal: AbortSignal.timeout(5_000) });
    await expect(ask()).rejects.toMatchObject({ code: 'NOT_RUNNING' });
    await transport.start('a', async () => ({ leader: null }));
    const asked = ask();
    await transport.stop();
    await expect(asked).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(ask()).rejects.toMatchObject({ code: 'NOT_RUNNING' });
  });
});
