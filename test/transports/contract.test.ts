import { describe, expect, test } from 'vitest';
import type { RaftRequest } from '../../src/core/messages.js';
import { type TransportHarness, transportContract } from '../../src/testing/transport-contract.js';
import { BroadcastTransport } from '../../src/transports/broadcast.js';
import { ClusterHub, ClusterTransport } from '../../src/transports/cluster.js';
import { HttpTransport } from '../../src/transports/http.js';
import { MemoryNetwork, type MemoryTransport } from '../../src/transports/memory.js';
import type { BroadcastOptions, Receive, RequestOptions, Transport } from '../../src/transports/transport.js';
import { WebSocketTransport } from '../../src/transports/websocket.js';
import { freeAddress } from './ports.js';

type Make = (network: MemoryNetwork, made: readonly Transport[]) => Transport;

function overMemory(make: Make): TransportHarness {
  return {
    async create(count) {
      const network = new MemoryNetwork();
      const transports: Transport[] = [];
      const ips = ['a', 'b', 'c'].slice(0, count);
      for (const _ of ips) transports.push(make(network, transports));
      return { transports, ips, dispose: async () => {} };
    },
  };
}

/** At addresses of their own. */
function overTcp(make: () => Transport): TransportHarness {
  return {
    async create(count) {
      const ips: string[] = [];
      while (ips.length < count) ips.push(await freeAddress());
      return { transports: ips.map(make), ips, dispose: async () => {} };
    },
  };
}

/** On a medium of their own, that `make` makes. */
function overMedium(make: () => { newTransport: () => Transport; dispose: () => unknown }): TransportHarness {
  return {
    async create(count) {
      const { newTransport, dispose } = make();
      const ips = ['one', 'two', 'three'].slice(0, count);
      return { transports: ips.map(newTransport), ips, dispose: async () => void (await dispose()) };
    },
  };
}

/** Each transport on a channel of its own, of one name. */
function channels() {
  const name = `raftbeat-${channelsMade++}`;
  const opened: InstanceType<typeof BroadcastChannel>[] = [];
  const newTransport = () => {
    const channel = new BroadcastChannel(name);
    opened.push(channel);
    return new BroadcastTransport({ channel });
  };
  return { newTransport, dispose: () => opened.map((channel) => channel.close()) };
}
let channelsMade = 0;

/** On one hub. */
function hub() {
  const hub = new ClusterHub();
  return { newTransport: () => new ClusterTransport({ port: hub.ownPort() }), dispose: () => {} };
}

const secret = 'sixteen characters at least';

describe.each([
  ['MemoryTransport', overMemory((network) => network.transport())],
  ['HttpTransport', overTcp(() => new HttpTransport())],
  ['HttpTransport with a secret', overTcp(() => new HttpTransport({ secret }))],
  ['BroadcastTransport', overMedium(channels)],
  ['ClusterTransport', overMedium(hub)],
  ['WebSocketTransport', overTcp(() => new WebSocketTransport())],
  ['WebSocketTransport with a secret', overTcp(() => new WebSocketTransport({ secret }))],
] as const)('%s keeps the contract', (_, harness) => {
  for (const { name, run } of transportContract(harness)) test(name, run);
});

/** A transport that works, for others to break. */
class Wrapped implements Transport {
  readonly inner: MemoryTransport;

  constructor(network: MemoryNetwork) {
    this.inner = network.transport();
  }

  start(local: string, receive: Receive): Promise<void> {
    return this.inner.start(local, receive);
  }

  request(to: string, request: RaftRequest, options: RequestOptions): Promise<unknown> {
    return this.inner.request(to, request, options);
  }

  stop(): Promise<void> {
    return this.inner.stop();
  }
}

const NEVER: Promise<never> = new Promise(() => {});

/** Matches answers to requests by their order, as on a connection without ids. */
class InOrder extends Wrapped {
  readonly #waiting: { resolve(reply: unknown): void; reject(error: unknown): void }[] = [];

  override request(to: string, request: RaftRequest, options: RequestOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      super.request(to, request, options).then(
        (reply) => this.#waiting.shift()?.resolve(reply),
        (error) => this.#waiting.shift()?.reject(error),
      );
    });
  }
}

class DeafToAbort extends Wrapped {
  override async request(to: string, request: RaftRequest, { signal }: RequestOptions): Promise<unknown> {
    signal.throwIfAborted();
    return super.request(to, request, { signal: new AbortController().signal });
  }
}

/** Gives each request a signal, which is `never` aborted or `always`, whoever is gone. */
class SignalsNothing extends Wrapped {
  readonly #when: 'never' | 'always';

  constructor(network: MemoryNetwork, when: 'never' | 'always') {
    super(network);
    this.#when = when;
  }

  override start(local: string, receive: Receive): Promise<void> {
    const gone = this.#when === 'always' ? AbortSignal.abort() : new AbortController().signal;
    return super.start(local, (request, from) => receive(request, from, gone));
  }
}

class SendsAborted extends Wrapped {
  override async request(to: string, request: RaftRequest, { signal }: RequestOptions): Promise<unknown> {
    if (!signal.aborted) return super.request(to, request, { signal });
    await super.request(to, request, { signal: new AbortController().signal });
    throw new Error('aborted');
  }
}

/** Everybody hears everything, and whoever was addressed answers. */
class Broadcasts extends Wrapped {
  override async request(to: string, request: RaftRequest, options: RequestOptions): Promise<unknown> {
    const others = ['a', 'b', 'c'].filter((ip) => ip !== to).map((ip) => super.request(ip, request, options));
    await Promise.allSettled(others);
    return super.request(to, request, options);
  }
}

class Misdelivers extends Wrapped {
  override request(_to: string, request: RaftRequest, options: RequestOptions): Promise<unknown> {
    return super.request('b', request, options);
  }
}

/** Loses what JSON holds and it does not: `change` is applied to each value on its way. */
function lossy(change: (key: string, value: unknown) => unknown, side: 'request' | 'reply'): Make {
  const pass = <T>(value: T): T => JSON.parse(JSON.stringify(value, change));
  return (network) =>
    new (class extends Wrapped {
      override async request(to: string, request: RaftRequest, options: RequestOptions): Promise<unknown> {
        const reply = await super.request(to, side === 'request' ? pass(request) : request, options);
        return side === 'reply' ? pass(reply) : reply;
      }
    })(network);
}

const dropsNulls = (_: string, value: unknown): unknown => (value === null ? undefined : value);
const dropsTerm = (key: string, value: unknown): unknown => (key === 'term' ? undefined : value);
const roundsFractions = (_: string, value: unknown): unknown =>
  typeof value === 'number' ? Math.round(value) : value;
const singlePrecision = (_: string, value: unknown): unknown =>
  Number.isInteger(value) ? Math.fround(value as number) : value;
const isAscii = (_: string, value: unknown): unknown =>
  typeof value === 'string' ? Buffer.from(value, 'latin1').toString('latin1') : value;

/** Hands over the very objects: of the request, of the reply. */
class Shares extends Wrapped {
  static readonly receivers = new WeakMap<MemoryNetwork, Map<string, Receive>>();
  readonly #network: MemoryNetwork;
  readonly #side: 'request' | 'reply';

  constructor(network: MemoryNetwork, side: 'request' | 'reply') {
    super(network);
    this.#network = network;
    this.#side = side;
  }

  override async start(local: string, receive: Receive): Promise<void> {
    await super.start(local, receive);
    const receivers = Shares.receivers.get(this.#network) ?? new Map<string, Receive>();
    Shares.receivers.set(this.#network, receivers.set(local, receive));
  }

  override async request(to: string, request: RaftRequest, options: RequestOptions): Promise<unknown> {
    const receive = Shares.receivers.get(this.#network)?.get(to);
    if (receive === undefined || request.type !== 'beat') return super.request(to, request, options);
    const reply = await receive(this.#side === 'request' ? request : structuredClone(request), 'somebody');
    return this.#side === 'reply' ? reply : structuredClone(reply);
  }
}

/** Waits for an answer of a peer that is gone. */
class WaitsForTheGone extends Wrapped {
  override request(to: string, request: RaftRequest, options: RequestOptions): Promise<unknown> {
    return super
      .request(to, request, options)
      .catch((error) => (error.code === 'UNREACHABLE' ? NEVER : Promise.reject(error)));
  }
}

class NeverStops extends Wrapped {
  override async stop(): Promise<void> {
    await super.stop();
    await NEVER;
  }
}

/** A stop that waits for all answers, as `server.close()` does. */
class DrainsForever extends Wrapped {
  readonly #answers: Promise<unknown>[] = [];

  override start(local: string, receive: Receive): Promise<void> {
    return super.start(local, (request, from) => {
      const answer = receive(request, from);
      this.#answers.push(answer);
      return answer;
    });
  }

  override async stop(): Promise<void> {
    await Promise.allSettled(this.#answers);
    await super.stop();
  }
}

class StopsOnce extends Wrapped {
  #isStopped = false;

  override async stop(): Promise<void> {
    if (this.#isStopped) throw new Error('stopped before');
    this.#isStopped = true;
    await super.stop();
  }
}

class StartsOnce extends StopsOnce {
  #isStarted = false;

  override async start(local: string, receive: Receive): Promise<void> {
    if (this.#isStarted) throw new Error('started before');
    this.#isStarted = true;
    await super.start(local, receive);
  }

  override async stop(): Promise<void> {
    await super.stop().catch(() => {});
  }
}

/** The stop only stops what it received, or what it sends. */
class StopsHalf extends Wrapped {
  readonly #half: 'receiving' | 'sending';
  #isStopped = false;
  #isStarted = false;

  constructor(network: MemoryNetwork, half: 'receiving' | 'sending') {
    super(network);
    this.#half = half;
  }

  override async start(local: string, receive: Receive): Promise<void> {
    if (this.#isStarted) await super.stop();
    await super.start(local, receive);
    this.#isStarted = true;
    this.#isStopped = false;
  }

  override async request(to: string, request: RaftRequest, options: RequestOptions): Promise<unknown> {
    if (this.#isStopped && this.#half === 'sending') throw new Error('stopped');
    return super.request(to, request, options);
  }

  override async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#half === 'receiving') await super.stop();
  }
}

/** Sends while it does not run, in the name of nobody. */
class SendsAnyTime extends Wrapped {
  readonly #spare: MemoryTransport;
  static made = 0;

  constructor(network: MemoryNetwork) {
    super(network);
    this.#spare = network.transport();
    void this.#spare.start(`spare ${SendsAnyTime.made++}`, () => NEVER);
  }

  override request(to: string, request: RaftRequest, options: RequestOptions): Promise<unknown> {
    return this.#spare.request(to, request, options);
  }
}

/** A second start takes the place of the first. */
class Restarts extends Wrapped {
  override async start(local: string, receive: Receive): Promise<void> {
    await super.stop();
    await super.start(local, receive);
  }
}

/** A second start adds an address, which the stop forgets. */
class StartsTwice extends Wrapped {
  readonly #network: MemoryNetwork;
  #isStarted = false;

  constructor(network: MemoryNetwork) {
    super(network);
    this.#network = network;
  }

  override async start(local: string, receive: Receive): Promise<void> {
    await (this.#isStarted ? this.#network.transport() : this.inner).start(local, receive);
    this.#isStarted = true;
  }

  override async stop(): Promise<void> {
    this.#isStarted = false;
    await super.stop();
  }
}

class ThrowsRefusals extends Wrapped {
  override async request(to: string, request: RaftRequest, options: RequestOptions): Promise<unknown> {
    const reply = await super.request(to, request, options);
    if (typeof reply === 'object' && reply !== null && 'code' in reply) throw new Error('refused');
    return reply;
  }
}

/** Says nothing when the receiver rejects. */
class SwallowsRejections extends Wrapped {
  override start(local: string, receive: Receive): Promise<void> {
    return super.start(local, (request, from) => receive(request, from).catch(() => NEVER));
  }
}

class DiesOfRejections extends Wrapped {
  override start(local: string, receive: Receive): Promise<void> {
    return super.start(local, (request, from) =>
      receive(request, from).catch(async (error) => {
        await this.stop();
        throw error;
      }),
    );
  }
}

class RejectsWithText extends Wrapped {
  override request(to: string, request: RaftRequest, options: RequestOptions): Promise<unknown> {
    return super.request(to, request, options).catch((error) => Promise.reject(error.message));
  }
}

/** Has a broadcast that `goes` wrong. */
function broadcasting(goes: (to: readonly string[], send: (ip: string, as: string) => void) => void): Make {
  return (network) =>
    new (class extends Wrapped {
      broadcast(to: readonly string[], request: RaftRequest, { signal, answered }: BroadcastOptions): void {
        goes(to, (ip, as) => void this.request(ip, request, { signal }).then((reply) => answered(as, reply)));
      }
    })(network);
}

const REACHES = 'A request reaches the addressed peer only, and its reply comes back';
const UNCHANGED = 'A request and its reply arrive unchanged';
const REFUSAL = 'A refusal comes back as a reply';
const GONE = 'A request to a peer that does not run rejects';
const ABORT = 'Aborting rejects at once, though the peer never answers';
const ABORTED = 'A request that is aborted already rejects, and is not sent';
const REJECTION = 'A receiver that rejects neither leaves the asker waiting nor ends the service';
const OWN_REPLY = 'Of requests at the same time each gets its own reply, in whatever order they are answered';
const COPY = 'The receiver gets a copy of the request, and the asker a copy of the reply';
const NOT_RUNNING = 'A request rejects before the start and after the stop';
const IDEMPOTENT = 'Stopping is safe at any time and any number of times';
const NOTHING = 'After the stop nothing is received';
const AGAIN = 'A transport can be started again after the stop';
const SECOND = 'A start while it runs is refused, and the first one stays in force until the stop';
const STOP_REJECTS = 'Stopping rejects the requests under way';
const GONE_TOLD =
  'A signal that comes with a request to be held is aborted when the asker is gone, and not before';
const ALL =
  'A broadcast, where there is one, reaches each of those that it is for once, and each answer comes back with the ip of who gave it';
const NO_WAIT = 'Stopping does not wait for an answer that never comes';

/** What is broken, and the rules that it breaks: these, and maybe others. */
const BROKEN: readonly (readonly [what: string, make: Make, rules: readonly string[]])[] = [
  ['answers in the order of the requests', (network) => new InOrder(network), [OWN_REPLY]],
  ['is deaf to the signal', (network) => new DeafToAbort(network), [ABORT, NO_WAIT]],
  ['sends what is aborted', (network) => new SendsAborted(network), [ABORTED]],
  ['delivers to everybody', (network) => new Broadcasts(network), [REACHES]],
  ['delivers to the wrong peer', (network) => new Misdelivers(network), [REACHES]],
  ['loses nulls of the request', lossy(dropsNulls, 'request'), [UNCHANGED]],
  ['loses nulls of the reply', lossy(dropsNulls, 'reply'), [REACHES, UNCHANGED]],
  ['loses the term of a refusal', lossy(dropsTerm, 'reply'), [UNCHANGED, REFUSAL]],
  ['rounds fractions of the request', lossy(roundsFractions, 'request'), [UNCHANGED]],
  ['rounds fractions of the reply', lossy(roundsFractions, 'reply'), [UNCHANGED]],
  ['loses precision of the request', lossy(singlePrecision, 'request'), [UNCHANGED]],
  ['loses precision of the reply', lossy(singlePrecision, 'reply'), [UNCHANGED]],
  ['knows no unicode in the request', lossy(isAscii, 'request'), [UNCHANGED]],
  ['knows no unicode in the reply', lossy(isAscii, 'reply'), [UNCHANGED]],
  ['shares the request', (network) => new Shares(network, 'request'), [COPY]],
  ['shares the reply', (network) => new Shares(network, 'reply'), [COPY]],
  ['waits for a peer that is gone', (network) => new WaitsForTheGone(network), [GONE, NOTHING, SECOND]],
  ['never ends its stop', (network) => new NeverStops(network), [IDEMPOTENT, GONE, AGAIN, NO_WAIT]],
  ['waits for all answers when it stops', (network) => new DrainsForever(network), [NO_WAIT]],
  ['cannot be stopped twice', (network) => new StopsOnce(network), [IDEMPOTENT]],
  ['cannot be started again', (network) => new StartsOnce(network), [AGAIN]],
  ['goes on receiving after the stop', (network) => new StopsHalf(network, 'sending'), [GONE, NOTHING]],
  ['leaves requests under way when it stops', (network) => new StopsHalf(network, 'sending'), [STOP_REJECTS]],
  ['sends while it does not run', (network) => new SendsAnyTime(network), [NOT_RUNNING]],
  ['takes a second start for a change', (network) => new Restarts(network), [SECOND]],
  ['runs twice after a second start', (network) => new StartsTwice(network), [SECOND]],
  ['rejects when it is refused', (network) => new ThrowsRefusals(network), [REFUSAL]],
  ['says nothing when the receiver rejects', (network) => new SwallowsRejections(network), [REJECTION]],
  ['ends when the receiver rejects', (network) => new DiesOfRejections(network), [REJECTION]],
  ['never tells that an asker is gone', (network) => new SignalsNothing(network, 'never'), [GONE_TOLD]],
  ['tells that an asker is gone who is not', (network) => new SignalsNothing(network, 'always'), [GONE_TOLD]],
  ['broadcasts to the first alone', broadcasting(([ip = ''], send) => send(ip, ip)), [ALL]],
  ['says of all that the last answered', broadcasting((to, send) => to.map((ip) => send(ip, 'c'))), [ALL]],
  [
    'mixes up who answered',
    broadcasting((to, send) => to.map((ip, at) => send(ip, to.at(-1 - at) ?? ''))),
    [ALL],
  ],
  ['broadcasts twice', broadcasting((to, send) => [...to, ...to].map((ip) => send(ip, ip))), [ALL]],
  ['rejects with a text', (network) => new RejectsWithText(network), [GONE]],
];

describe('The contract refuses a transport that', () => {
  test.concurrent.each(BROKEN)('%s', async (_, make, rules) => {
    expect(await brokenRules(make)).toEqual(expect.arrayContaining([...rules]));
  });
});

describe('The contract', () => {
  test('has no rule that every transport keeps', () => {
    const refuted = new Set(BROKEN.flatMap(([, , rules]) => rules));
    const rules = transportContract(overMemory((network) => network.transport())).map(({ name }) => name);
    expect([...refuted].sort()).toEqual([...rules].sort());
  });

  test('finds nothing in the transport that the broken ones are made from', async () => {
    expect(await brokenRules((network) => new Wrapped(network))).toEqual([]);
  });
});

async function brokenRules(make: Make): Promise<string[]> {
  const cases = transportContract(overMemory(make));
  const outcomes = await Promise.allSettled(cases.map(({ run }) => run()));
  return cases.filter((_, at) => outcomes[at]?.status === 'rejected').map(({ name }) => name);
}
