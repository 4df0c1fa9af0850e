import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type DiagnosticsMessage, publishDiagnostics } from 'raftbeat/diagnostics';
import { afterEach, expect, test, vi } from 'vitest';
import { A, B, beat, C, L, Lab } from '../node/virtual.js';

const subscriptions: (() => void)[] = [];

afterEach(() => {
  for (const end of subscriptions.splice(0)) end();
});

/** Everything that is published on the channel of `name` from now on. */
function heard(name: string): DiagnosticsMessage[] {
  const messages: DiagnosticsMessage[] = [];
  const listener = (message: unknown): void => void messages.push(message as DiagnosticsMessage);
  subscribe(`raftbeat:${name}`, listener);
  subscriptions.push(() => unsubscribe(`raftbeat:${name}`, listener));
  return messages;
}

test('each event is published on the channel of its name, with its node', async () => {
  const lab = new Lab([A, B, C], { stored: null, durable: true, bootstrap: true });
  const names = [
    'stateChange',
    'leaderLost',
    'leaderElectFinished',
    'makeLeader',
    'warning',
    'error',
  ] as const;
  const messages = new Map(names.map((name) => [name, heard(name)]));
  const told = new Map<string, DiagnosticsMessage[]>(names.map((name) => [name, []]));
  for (const { node } of lab.peers) {
    publishDiagnostics(node);
    for (const name of names) node.on(name, (event: unknown) => void told.get(name)?.push({ node, event }));
  }
  const { leader, followers } = await lab.elect();
  lab.network.isolate(leader.ip);
  await lab.advance(3 * L);
  await lab.network.receive(followers[0].ip, beat(followers[0].ip, 9));
  for (const name of names) {
    expect(told.get(name)?.length, name).toBeGreaterThan(0);
    expect(messages.get(name), name).toEqual(told.get(name));
  }
});

test('datums of original peers are published, too', async () => {
  const lab = new Lab([A], { rules: 'nacos' });
  const messages = heard('nacosDatum');
  publishDiagnostics(lab.node(A));
  await lab.elect();
  await lab.node(A).nacos.publish('com.alibaba.nacos.naming.domains.meta.public##a', { name: 'a' });
  expect(messages).toMatchObject([{ event: { datum: { value: { name: 'a' } } } }]);
});

test('a channel that nobody listens to is not published on', async () => {
  const lab = new Lab([A]);
  const publish = vi.spyOn(channel('raftbeat:makeLeader'), 'publish');
  publishDiagnostics(lab.node(A));
  await lab.elect();
  expect(publish).not.toHaveBeenCalled();
});

test('nothing is published any more once it is ended', async () => {
  const lab = new Lab([A]);
  const messages = heard('makeLeader');
  publishDiagnostics(lab.node(A))();
  await lab.elect();
  expect(messages).toEqual([]);
});
