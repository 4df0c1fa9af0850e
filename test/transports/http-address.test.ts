import { HttpTransport } from 'raftbeat/http';
import { expect, test } from 'vitest';
import { answerPeer, ask, cleanups, PEER, post, rejection, SECRET, SNAPSHOT, serve } from './http-kit.js';
import { freeAddress } from './ports.js';

/** A transport that finds each peer at `at`. */
async function asker(at: (ip: string) => string, options = {}): Promise<HttpTransport> {
  const transport = new HttpTransport({ listen: false, address: at, ...options });
  cleanups.push(() => transport.stop());
  await transport.start('client', answerPeer);
  return transport;
}

test.each([
  ['', {}, 'BAD_REPLY'],
  [' with a secret', { secret: SECRET }, 'UNAUTHORIZED'],
])(
  'A peer at the address of another one%s does not answer for it: its vote would count twice',
  async (_, options, code) => {
    const asked: unknown[] = [];
    const { ip } = await serve(options, async (request) => {
      asked.push(request);
      return SNAPSHOT;
    });
    const transport = await asker(() => ip, options);
    expect((await rejection(ask(transport, 'another'))).code).toBe(code);
    expect(asked).toEqual([]);
    expect(await ask(transport, ip)).toEqual(SNAPSHOT);
  },
);

test('A name of any letters is an identity, wherever it is', async () => {
  const name = 'Zürich-节点-\ud800';
  const port = Number((await freeAddress()).split(':')[1]);
  const transport = new HttpTransport({
    bind: { host: '127.0.0.1', port },
    address: () => `127.0.0.1:${port}`,
  });
  cleanups.push(() => transport.stop());
  await transport.start(name, answerPeer);
  expect(await ask(transport, name)).toEqual(SNAPSHOT);
});

test('A request that names nobody is answered: it is by hand', async () => {
  const { ip } = await serve();
  expect((await post(ip, 'peer', PEER)).status).toBe(200);
});
