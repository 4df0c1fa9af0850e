import { MemoryNetwork, RaftNode } from 'raftbeat';
import { expect, test } from 'vitest';
import { A, B, C, forbidUnhandledRejections, L, Lab } from './virtual.js';

forbidUnhandledRejections();

/** A new cluster with data, which two of its three members began. */
async function begun(): Promise<Lab> {
  let draws = 0;
  const random = () => (++draws % 1_000) / 1_000_000;
  const lab = new Lab([A, B, C], { stored: null, bootstrap: true, registry: true, random });
  await Promise.all([A, B].map((ip) => lab.node(ip).start()));
  await lab.until(() => lab.leaders.length === 1);
  await lab.node(C).start();
  await lab.advance(3 * L);
  return lab;
}

const warnings = (lab: Lab, ip: string): readonly string[] =>
  lab.peer(ip).events.filter((event) => event.startsWith('warning'));

test('A member that comes late to a new cluster with data is told once that it only learns, and again at its next start', async () => {
  const lab = await begun();
  expect([A, B, C].map((ip) => warnings(lab, ip).filter((it) => it === 'warning LEARNING').length)).toEqual([
    0, 0, 1,
  ]);
  const stopped = lab.node(C).stop();
  await lab.advance(L);
  await stopped;
  await lab.node(C).start();
  await lab.advance(3 * L);
  expect(warnings(lab, C).filter((it) => it === 'warning LEARNING')).toHaveLength(2);
});

test('One that only learns says how to have it vote again, and does so when that is done', async () => {
  const lab = await begun();
  const messages: string[] = [];
  lab.node(C).on('warning', ({ message }) => messages.push(message));
  const [leader = ''] = lab.leaders;
  const node = lab.node(leader);
  for (const change of [() => node.removePeer(C), () => node.addPeer(C), () => node.promote(C)]) {
    const done = change();
    await lab.advance(L);
    await done;
  }
  expect(lab.node(C).metrics().learning).toBe(false);
  expect(messages).toEqual([]);
  const stopped = lab.node(leader === A ? B : A).stop();
  await lab.advance(5 * L);
  await stopped;
  expect(lab.leaders).toEqual([leader]);
});

test('One that joins is not told that it learns: that is what it is there for', async () => {
  const network = new MemoryNetwork();
  const [leader, joiner] = ['a', 'd'].map(
    (ip) =>
      new RaftNode({ ip, members: ip === 'a' ? ['a'] : [], transport: network.transport(), registry: true }),
  ) as [RaftNode, RaftNode];
  const codes: string[] = [];
  joiner.on('warning', ({ code }) => codes.push(code));
  await Promise.all([leader.start(), joiner.start()]);
  await leader.waitForLeader();
  await leader.addPeer('d');
  await expect.poll(() => joiner.members.length).toBe(2);
  expect(codes).toEqual([]);
  await Promise.all([leader.stop(), joiner.stop()]);
});
