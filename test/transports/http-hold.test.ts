import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RaftRequest } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import { freeAddresses } from '../../src/cli/demo/addresses.js';
import type { Receive } from '../../src/transports/transport.js';
import type { MemberCalls } from '../bench/failover/member.js';
import { nowMs } from '../bench/failover/watch.js';
import { Worker } from '../bench/worker.js';
import { ask, cleanups, client, dial, post, rejection, SNAPSHOT, serve } from './http-kit.js';

const HOLD: RaftRequest = { type: 'hold', ip: 'client', wait: true };

/** A receiver that never answers, and the signal that it was given with each request. */
function silent() {
  const signals: (AbortSignal | undefined)[] = [];
  const called: (() => void)[] = [];
  const receive: Receive = (_request, _from, gone) => {
    signals.push(gone);
    for (const tell of called.splice(0)) tell();
    return new Promise(() => {});
  };
  const next = async (): Promise<AbortSignal> => {
    if (signals.length === 0) await new Promise<void>((resolve) => called.push(resolve));
    return signals.shift() as AbortSignal;
  };
  return { receive, next, signals };
}

describe('The signal of a request to be held', () => {
  test('is aborted when the asker stops', async () => {
    const { receive, next } = silent();
    const { ip } = await serve({}, receive);
    const asker = await client();
    const asked = rejection(ask(asker, ip, HOLD));
    const gone = await next();
    expect(gone.aborted).toBe(false);
    await asker.stop();
    if (!gone.aborted) await once(gone, 'abort');
    expect((await asked).code).toBe('ABORTED');
  });

  test('is aborted when its connection is cut', async () => {
    const { receive, next } = silent();
    const { ip } = await serve({}, receive);
    const body = JSON.stringify(HOLD);
    const socket = await dial(ip);
    socket.write(
      `POST /raft/hold HTTP/1.1\r\nhost: x\r\ncontent-type: application/vnd.raftbeat+json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    const gone = await next();
    socket.destroy();
    if (!gone.aborted) await once(gone, 'abort');
  });

  test('is not aborted by the answer', async () => {
    let gone: AbortSignal | undefined;
    const { ip } = await serve({}, async (_request, _from, signal) => {
      gone = signal;
      return SNAPSHOT;
    });
    await post(ip, 'hold', HOLD);
    await new Promise((resolve) => setImmediate(resolve));
    expect(gone?.aborted).toBe(false);
  });

  test('is not made for others', async () => {
    const { receive, next } = silent();
    const { ip } = await serve({}, receive);
    void rejection(ask(await client(), ip));
    expect(await next()).toBeUndefined();
  });
});

test('a leader that is killed is replaced long before its timeout, when followers hold connections to it', async () => {
  const file = fileURLToPath(new URL('../bench/failover/raftbeat-member.ts', import.meta.url));
  const directory = mkdtempSync(join(tmpdir(), 'raftbeat-test-'));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  const ips = await freeAddresses(3);
  const leaderTimeoutMs = 3_000;
  const options = JSON.stringify({ leaderTimeoutMs, heartbeatMs: 100, releaseOnDisconnect: true });
  const peers = ips.map(
    (ip) => new Worker<MemberCalls>(file, [ip, ips.join(), directory, options], ['--import', 'tsx']),
  );
  cleanups.push(() => Promise.all(peers.map((peer) => peer.killed())));
  await Promise.all(peers.map((peer) => peer.ask('start')));
  const leads = await Promise.all(peers.map((peer) => peer.ask('leads')));
  const survivors = peers.filter((_, at) => !leads[at]);
  expect(survivors).toHaveLength(2);
  await Promise.all(survivors.map((peer) => peer.ask('isReady')));
  const killedAt = nowMs();
  peers[leads.indexOf(true)]?.kill();
  const heard = await Promise.all(survivors.map((peer) => peer.ask('knowsAfter', killedAt)));
  for (const each of heard) expect((each?.at ?? 0) - killedAt).toBeLessThan(leaderTimeoutMs / 2);
}, 30_000);
