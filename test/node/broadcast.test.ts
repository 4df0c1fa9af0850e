import type { BroadcastOptions, RaftRequest } from 'raftbeat';
import { describe, expect, test } from 'vitest';
import {
  A,
  B,
  C,
  DEADLINE,
  forbidUnhandledRejections,
  H,
  L,
  Lab,
  type LabOptions,
  type Peer,
} from './virtual.js';

forbidUnhandledRejections();

/** What a peer published, and what it sent to one other alone. */
interface Sendings {
  readonly published: { readonly to: readonly string[]; readonly request: RaftRequest }[];
  readonly direct: RaftRequest[];
}

type Broadcast = (to: readonly string[], request: RaftRequest, options: BroadcastOptions) => void;

/** Gives the transport a broadcast, which carries faithfully. */
function publishing({ transport }: Peer): Sendings {
  const sendings: Sendings = { published: [], direct: [] };
  const request = transport.request.bind(transport);
  const carry: Broadcast = (to, asked, { signal, answered }) => {
    for (const ip of to)
      request(ip, asked, { signal }).then(
        (reply) => answered(ip, reply),
        () => {},
      );
  };
  Object.assign(transport, {
    request: (...args: Parameters<typeof request>) => {
      sendings.direct.push(args[1]);
      return request(...args);
    },
    broadcast: (...args: Parameters<Broadcast>) => {
      sendings.published.push({ to: args[0], request: args[1] });
      carry(...args);
    },
  });
  return sendings;
}

function labThatPublishes(options: LabOptions = {}, members?: readonly string[]) {
  const lab = new Lab(members, options);
  return { lab, sendings: new Map(lab.peers.map((peer) => [peer.ip, publishing(peer)])) };
}

function beatsOf({ direct }: Sendings): readonly RaftRequest[] {
  return direct.filter(({ type }) => type === 'beat');
}

describe('where the transport has a broadcast', () => {
  test('each beat goes to all others by one, and the answers keep the lease', async () => {
    const { lab, sendings } = labThatPublishes();
    const { leader, followers } = await lab.elect();
    const own = sendings.get(leader.ip) as Sendings;
    const before = own.published.length;
    await lab.advance(10 * H);
    expect(own.published.length - before).toBe(10);
    expect(new Set(own.published.flatMap(({ to }) => to))).toEqual(new Set(followers.map(({ ip }) => ip)));
    expect(beatsOf(own)).toEqual([]);
    expect(leader.node.isLeader()).toBe(true);
  });

  test('votes do not go by it', async () => {
    const { lab, sendings } = labThatPublishes();
    await lab.elect();
    const types = [...sendings.values()].flatMap(({ published }) =>
      published.map(({ request }) => request.type),
    );
    expect(new Set(types)).toEqual(new Set(['beat']));
  });

  test('a beat with data goes to those that lack it, and steady beats by it again', async () => {
    const { lab, sendings } = labThatPublishes({ registry: true });
    const { leader } = await lab.elect();
    await lab.advance(3 * H);
    const own = sendings.get(leader.ip) as Sendings;
    const direct = beatsOf(own).length;
    const written = leader.node.publish('key', 1);
    await lab.advance(3 * H);
    await written;
    expect(beatsOf(own).length).toBe(direct + 2);
    const published = own.published.length;
    await lab.advance(5 * H);
    expect(own.published.length).toBe(published + 5);
    for (const { request } of own.published) expect(request).not.toHaveProperty('data.batches.0');
  });

  test('a beat for one does not go by it, though there are no others', async () => {
    const { lab, sendings } = labThatPublishes({}, [A, B]);
    const { leader } = await lab.elect();
    await lab.advance(10 * H);
    const own = sendings.get(leader.ip) as Sendings;
    expect([own.published.length, beatsOf(own).length > 10]).toEqual([0, true]);
  });

  test('a beat that is not for all does not go by it', async () => {
    const { lab, sendings } = labThatPublishes({ registry: true }, [A, B, C, 'd:1']);
    const { leader, followers } = await lab.elect();
    await lab.advance(3 * H);
    lab.network.isolate(followers[0].ip);
    const written = leader.node.publish('key', 1);
    await lab.advance(H);
    await written;
    const own = sendings.get(leader.ip) as Sendings;
    const published = own.published.length;
    await lab.advance(3 * H);
    expect(own.published.length).toBe(published);
    expect(leader.node.isLeader()).toBe(true);
  });

  test.each<[string, Broadcast]>([
    ['reaches nobody', () => {}],
    [
      'throws',
      () => {
        throw new Error('not connected');
      },
    ],
    ['is answered by strangers', (_to, _request, { answered }) => answered('x:1', {})],
    ['is answered by what is none', (to, _request, { answered }) => to.map((ip) => answered(ip, undefined))],
  ])('one that %s ends a leadership as if the others were gone', async (_, broadcast) => {
    let breaks = false;
    const { lab } = labThatPublishes();
    const { leader } = await lab.elect();
    const { broadcast: works } = leader.transport as unknown as { broadcast: Broadcast };
    Object.assign(leader.transport, {
      broadcast: (...args: Parameters<Broadcast>) => (breaks ? broadcast : works)(...args),
    });
    await lab.advance(2 * H);
    breaks = true;
    await lab.until(() => !leader.node.isLeader(), L);
    breaks = false;
    await lab.until(() => lab.leaders.length === 1, 5 * L);
    expect(lab.peers.flatMap(({ errors }) => errors)).toEqual([]);
  });

  test('nothing is left of it when its time is over, or its node stops', async () => {
    const { lab } = labThatPublishes();
    const { leader, followers } = await lab.elect();
    const signals: AbortSignal[] = [];
    Object.assign(leader.transport, {
      broadcast: ((_to, _request, { signal }) => void signals.push(signal)) satisfies Broadcast,
    });
    await lab.advance(H + DEADLINE);
    expect(signals[0]?.aborted).toBe(true);
    expect(signals.at(-1)?.aborted).toBe(false);
    for (const { node } of [leader, ...followers]) void node.stop();
    await lab.advance(2 * L);
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
    expect(leader.host.timers).toBe(0);
  });
});
