import { describe, expect, test } from 'vitest';
import {
  A,
  B,
  beat,
  C,
  forbidUnhandledRejections,
  H,
  HOLD,
  L,
  Lab,
  LOSE,
  outcome,
  type Sent,
  type Treatment,
} from './virtual.js';

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

  test.each<[string, object, (it: Awaited<ReturnType<typeof cluster>>) => Promise<unknown>]>([
    [
      'of who is no member',
      { code: 'UNKNOWN_PEER', message: 'can not find peer: x:1' },
      (it) => it.ask(it.leader.ip, hold('x:1')),
    ],
    ['at one that does not lead', { code: 'NOT_LEADER' }, (it) => it.ask(it.follower.ip, hold(it.other.ip))],
    [
      'over a transport that does not tell of ends',
      { code: 'UNSUPPORTED' },
      (it) => it.lab.network.receive(it.leader.ip, hold(it.follower.ip)),
    ],
  ])('%s is refused', async (_what, refusal, asked) => {
    expect(await asked(await cluster())).toMatchObject(refusal);
  });

  test('is refused by a peer that does not release on disconnect', async () => {
    const { leader, follower, ask } = await cluster({});
    expect(await ask(leader.ip, hold(follower.ip))).toMatchObject({ code: 'UNSUPPORTED' });
  });

  test('is refused by a leader that can not go on, though it gave up nothing', async () => {
    const { lab, leader, follower, gone, ask } = await cluster();
    leader.store.saveFault = { how: 'reject', cause: new Error('full') };
    await ask(leader.ip, beat(follower.ip, 4));
    const held = leader.transport.receive?.(hold(follower.ip), follower.ip, gone.signal);
    expect(await held).toMatchObject({ code: 'NOT_RUNNING' });
    expect(lab.leaders).toEqual([]);
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

describe('followers with the option (D17)', () => {
  const isHold = ({ request }: Sent): boolean => request.type === 'hold';
  const held: Treatment = { does: 'answer', reply: { held: true } };

  test('ask their leader to be held, and nobody while none leads', async () => {
    const lab = new Lab([A, B, C], { releaseOnDisconnect: true });
    let isCut = false;
    lab.network.treat((_from, _to, { type }) => {
      if (type === 'hold') return held;
      return isCut ? LOSE : null;
    });
    const { leader, followers } = await lab.elect();
    await lab.advance(5 * H);
    const asked = (): readonly string[] =>
      lab.network.sent.filter(isHold).map(({ from, to }) => `${from} ${to}`);
    expect(new Set(asked())).toEqual(new Set(followers.map(({ ip }) => `${ip} ${leader.ip}`)));
    isCut = true;
    await lab.until(() => lab.peers.every(({ node }) => node.leader === null));
    const { length } = asked();
    await lab.advance(5 * H);
    expect(asked().slice(length)).toEqual([]);
  });

  test('elect another leader as soon as the process of theirs is gone', async () => {
    const lab = new Lab([A, B, C], { releaseOnDisconnect: true });
    lab.network.treat((_from, _to, { type, ...request }) => {
      if (type !== 'hold') return null;
      return 'wait' in request && request.wait ? HOLD : held;
    });
    const { leader } = await lab.elect();
    await lab.advance(2 * H);
    leader.host.stall();
    lab.network.detach(leader.ip);
    lab.network.release();
    expect(await lab.until(() => lab.leaders.some((ip) => ip !== leader.ip))).toBeLessThan(L / 2);
  });
});

test('peers do not ask to be held without the option', async () => {
  const { lab } = await cluster({});
  await lab.advance(10 * H);
  expect(lab.network.sent.filter(({ request }) => request.type === 'hold')).toEqual([]);
});
