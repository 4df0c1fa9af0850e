import { describe, expect, test, vi } from 'vitest';
import type { RaftRequest } from '../../src/core/messages.js';
import { HttpTransport, type HttpTransportOptions } from '../../src/transports/http.js';
import { WebSocketTransport } from '../../src/transports/websocket.js';
import { ask, cleanups, client, post, rejection, SECRET, send } from './http-kit.js';
import { freeAddress } from './ports.js';
import { peer } from './websocket-kit.js';

const RESIGN: RaftRequest = { type: 'resign' };
const HANDED_OVER = { successor: 'c:1' };

describe.each([
  ['http', HttpTransport],
  ['websocket', WebSocketTransport],
] as const)('An order to resign, to a peer over %s', (_, Transport) => {
  /** A peer, and what is handed to its node. */
  async function serving(options: HttpTransportOptions = {}) {
    const ip = await freeAddress();
    const transport = new Transport(options);
    cleanups.push(() => transport.stop());
    const receive = vi.fn(async () => HANDED_OVER);
    await transport.start(ip, receive);
    return { ip, receive };
  }

  test.each([
    ['without a secret', {}],
    ['when remoteResign is off, also by one who knows the secret', { secret: SECRET, remoteResign: false }],
  ])('is refused %s', async (_, options) => {
    const { ip, receive } = await serving(options);
    expect(await ask(await client(options), ip, RESIGN)).toMatchObject({ code: 'UNAUTHORIZED' });
    expect(receive).not.toHaveBeenCalled();
  });

  test('is taken without a secret only when remoteResign says so', async () => {
    const { ip } = await serving({ remoteResign: true });
    expect(await post(ip, 'resign', RESIGN)).toMatchObject({ status: 200, body: HANDED_OVER });
  });

  test('is taken from one who knows the secret', async () => {
    const { ip, receive } = await serving({ secret: SECRET });
    expect(await ask(await client({ secret: SECRET }), ip, { ...RESIGN, to: 'c:1' })).toEqual(HANDED_OVER);
    expect(receive).toHaveBeenCalledWith({ ...RESIGN, to: 'c:1' }, expect.any(String), undefined);
  });

  test.each([
    ['does not sign', undefined],
    ['signs with another secret', 'another secret of some length'],
  ])('is refused to one who %s, also when remoteResign is on', async (_, secret) => {
    const { ip, receive } = await serving({ secret: SECRET, remoteResign: true });
    if (secret === undefined) expect(await post(ip, 'resign', RESIGN)).toMatchObject({ status: 401 });
    else
      expect(await rejection(ask(await client({ secret }), ip, RESIGN))).toMatchObject({
        code: 'UNAUTHORIZED',
      });
    expect(receive).not.toHaveBeenCalled();
  });

  test('is not a GET, which a page could make', async () => {
    const { ip, receive } = await serving({ remoteResign: true });
    expect(await send(ip, '/raft/resign')).toMatchObject({ status: 405 });
    expect(receive).not.toHaveBeenCalled();
  });
});

test('An order to resign that comes over a websocket is refused without a secret, too', async () => {
  const receive = vi.fn(async () => HANDED_OVER);
  const [a, b] = [await peer({}, receive), await peer()];
  expect(await b.ask(a.ip, RESIGN)).toMatchObject({ code: 'UNAUTHORIZED' });
  expect(receive).not.toHaveBeenCalled();
});
