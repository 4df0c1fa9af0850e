import { describe, expect, test } from 'vitest';
import { A, B, C, forbidUnhandledRejections, H, Lab, outcome } from './virtual.js';

forbidUnhandledRejections();

const hold = (ip: string, wait = true) => ({ type: 'hold', ip, wait });

/** A cluster with a leader, and what each of its peers answers to a request to be held. */
async function cluster(options: { releaseOnDisconnect?: boolean } = { releaseOnDisconnect: true }) {
  const lab = new Lab([A, B, C], options);
  const { leader } = await lab.elect();
  const [follower, other] = lab.peers.filter((peer) => peer !== leader);
  if (follower === undefined || other === undefined) throw new Error('there are three');
  const gone = new AbortController();
  const ask = (to: string, request: object) => lab.network.receive(to, request, gone.signal);
  return { lab, leader, follower, other, gone, ask };
}

describe('a request to be held (D17)', () => {
  test('is kept open by a leader, which tells at once that it would', async () => {
    const { leader, follower, ask } = await cluster();
    expect(await ask(leader.ip, hold(follower.ip, false))).toEqual({ held: true });
    expect(await outcome(ask(leader.ip, hold(follower.ip)))).toBe('pending');
  });

  test.each([
    [
      'of who is no member',
      'UNKNOWN_PEER',
      (it: Awaited<ReturnType<typeof cluster>>) => it.ask(it.leader.ip, hold('x:1')),
    ],
    ['at one that does not lead', 'NOT_LEADER', (it) => it.ask(it.follower.ip, hold(it.other.ip))],
    [
      'over a transport that does not tell of ends',
      'UNSUPPORTED',
      (it) => it.lab.network.receive(it.leader.ip, hold(it.follower.ip)),
    ],
  ])('%s is refused', async (_what, code, asked) => {
    expect(await asked(await cluster())).toMatchObject({ code });
  });

  test('is refused by a peer that does not release on disconnect', async () => {
    const { leader, follower, ask } = await cluster({});
    expect(await ask(leader.ip, hold(follower.ip))).toMatchObject({ code: 'UNSUPPORTED' });
  });

  test('is ended by a leader that stops', async () => {
    const { lab, leader, follower, ask } = await cluster();
    const held = ask(leader.ip, hold(follower.ip));
    const stopped = leader.node.stop();
    await lab.until(() => leader.node.leader === null);
    await lab.advance(H);
    expect(await held).toMatchObject({ code: 'NOT_RUNNING' });
    await stopped;
  });

  test('whose askers are gone, all of them, costs a leader its lease at once', async () => {
    const { leader, follower, other, gone, ask } = await cluster();
    for (const { ip } of [follower, other]) void ask(leader.ip, hold(ip));
    await outcome(Promise.resolve());
    expect(leader.node.isLeader()).toBe(true);
    gone.abort();
    await outcome(Promise.resolve());
    expect(leader.node.isLeader()).toBe(false);
  });
});

test('peers do not ask to be held without the option', async () => {
  const { lab } = await cluster({});
  await lab.advance(10 * H);
  expect(lab.network.sent.filter(({ request }) => request.type === 'hold')).toEqual([]);
});
