import { expect, test } from 'vitest';
import { forbidUnhandledRejections, L, Lab, outcome } from './virtual.js';

forbidUnhandledRejections();

test('Exactly one of those that ask to be elected is, with its term for a token', async () => {
  const lab = new Lab();
  const asked = lab.peers.map(({ node }) => node.elect());
  await lab.advance(10 * L);
  const [leader] = lab.leaders;
  const outcomes = await Promise.all(asked.map(outcome));
  expect(outcomes).toEqual(lab.peers.map(({ ip }) => (ip === leader ? 'resolved' : 'pending')));
  const { signal, fencingToken } = await Promise.race(asked);
  expect([signal.aborted, fencingToken]).toEqual([false, lab.node(leader ?? '').fencingToken]);
});

test('Who asks while it leads is told at once, of the same leadership; it ends when the peer resigns', async () => {
  const lab = new Lab();
  const { leader } = await lab.elect();
  const [one, two] = [await leader.node.elect(), await leader.node.elect()];
  expect(one.signal).toBe(two.signal);
  const resigned = leader.node.resign();
  expect(one.signal.aborted).toBe(true);
  const again = leader.node.elect();
  await lab.advance(3 * L);
  expect(await outcome(resigned)).toBe('resolved');
  expect(await outcome(again)).toBe('pending');
});

test('Who waits to be elected is told when the signal is aborted, or the node is stopped', async () => {
  const lab = new Lab();
  const { followers } = await lab.elect();
  const [one, two] = followers.map(({ node }) => node);
  const aborter = new AbortController();
  const aborted = one?.elect({ signal: aborter.signal });
  const stopped = two?.elect();
  expect([await outcome(aborted!), await outcome(stopped!)]).toEqual(['pending', 'pending']);
  aborter.abort();
  await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
  await two?.stop();
  await expect(stopped).rejects.toMatchObject({ code: 'NOT_RUNNING' });
});

test('What keeps a node from starting keeps it from being elected', async () => {
  const lab = new Lab();
  const [peer] = lab.peers;
  peer!.store.open = () => Promise.reject(new Error('no disk'));
  await expect(peer!.node.elect()).rejects.toThrow('no disk');
});
