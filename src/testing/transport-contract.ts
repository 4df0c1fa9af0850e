import type { Beat, RaftReply, RaftRequest, StateReply } from '../core/messages.js';
import type { PeerSnapshot } from '../core/peer.js';
import type { Receive, Transport } from '../transports/transport.js';
import { type ContractCase, check } from './contract.js';

/** How long a case waits for what should happen at once, in ms. */
const PATIENCE_MS = 3_000;

/** Transports to be tested. */
export interface TransportNetwork {
  /** They can reach each other, and are not started. */
  readonly transports: readonly Transport[];
  /** For each, the address to start it at. */
  readonly ips: readonly string[];
  /** Lets go of what was created for them; called at the end of a case, when all of them are stopped. */
  dispose(): Promise<void>;
}

/** What a contract needs of the transport that it tests. */
export interface TransportHarness {
  /** Makes `count` transports, two or three, on a network of their own: cases may run at the same time. */
  create(count: number): Promise<TransportNetwork>;
}

/**
 * The rules that every transport keeps, on a network without faults: `for (const { name, run } of
 * transportContract(harness)) test(name, run);`
 */
export function transportContract(harness: TransportHarness): readonly ContractCase[] {
  return CASES.map(([name, run, count = 2]) => ({ name, run: () => runCase(harness, count, run) }));
}

type Case = readonly [name: string, run: (peers: Peers) => Promise<void>, count?: 2 | 3];

const CASES: readonly Case[] = [
  ['A request reaches the addressed peer only, and its reply comes back', reachesAddressed, 3],
  ['A request and its reply arrive unchanged', arriveUnchanged],
  ['A refusal comes back as a reply', refusalIsReply],
  ['A request to a peer that does not run rejects', stoppedPeerRejects, 3],
  ['Aborting rejects at once, though the peer never answers', abortRejects],
  ['A request that is aborted already rejects, and is not sent', abortedIsNotSent],
  ['A receiver that rejects neither leaves the asker waiting nor ends the service', receiverRejects],
  [
    'Of requests at the same time each gets its own reply, in whatever order they are answered',
    ownReplies,
    3,
  ],
  ['The receiver gets a copy of the request, and the asker a copy of the reply', copies],
  ['A request rejects before the start and after the stop', notRunningRejects],
  ['Stopping is safe at any time and any number of times', stopIsIdempotent],
  ['After the stop nothing is received', nothingAfterStop],
  ['A transport can be started again after the stop', startsAgain],
  ['A start while it runs is refused, and the first one stays in force until the stop', secondStart, 3],
  ['Stopping rejects the requests under way', stopRejectsOwn],
  ['Stopping does not wait for an answer that never comes', stopDoesNotWait],
  [
    'A signal that comes with a request to be held is aborted when the asker is gone, and not before',
    goneIsTold,
  ],
  [
    'A broadcast, where there is one, reaches each of those that it is for once, and each answer comes back with the ip of who gave it',
    broadcastReachesAll,
    3,
  ],
];

async function reachesAddressed([a, b, c]: Peers): Promise<void> {
  await a.start();
  await b.start();
  await c.start();
  for (const to of [b, c, b]) {
    const reply = await a.ask(to, peerRequest(7));
    checkSame(reply, { ...snapshot(to.ip), id: 7 }, `the reply of ${to.ip}`);
  }
  const counts = [a, b, c].map((peer) => peer.received.length);
  checkSame(counts, [0, 2, 1], 'the requests that a, b and c received');
  check(
    b.senders.every((sender) => typeof sender === 'string'),
    'the name of a sender is not a string',
  );
}

async function arriveUnchanged([a, b]: Peers): Promise<void> {
  await a.start();
  await b.start(async () => EVERYTHING_REPLIED);
  const request: RaftRequest = { type: 'beat', ...EVERYTHING_ASKED };
  const reply = await a.ask(b, request);
  checkSame(b.received, [request], 'the request');
  checkSame(reply, EVERYTHING_REPLIED, 'the reply');
}

async function refusalIsReply([a, b]: Peers): Promise<void> {
  const refusals: readonly RaftReply[] = [
    { code: 'OUT_OF_DATE', message: 'the term 3 is older than 4', term: 4 },
    { code: 'BAD_REQUEST', message: '' },
    { code: 'INTERNAL', message: 'assertion failed: "x"' },
  ];
  await a.start();
  await b.start(async (request) => refusals[idOf(request)] ?? snapshot(b.ip));
  for (const [id, refusal] of refusals.entries()) {
    checkSame(await a.ask(b, peerRequest(id)), refusal, 'the refusal');
  }
}

async function stoppedPeerRejects([a, b, c]: Peers): Promise<void> {
  await a.start();
  await b.start();
  await a.ask(b, peerRequest(1));
  await b.stop();
  await checkRejects(a.send(b, peerRequest(2)), 'a request to a peer that was stopped');
  await checkRejects(a.send(c, peerRequest(3)), 'a request to a peer that was never started');
}

async function abortRejects([a, b]: Peers): Promise<void> {
  const arrival = gate();
  await a.start();
  await b.start((request) => {
    if (idOf(request) !== 1) return b.answer(request);
    arrival.open();
    return new Promise(() => {});
  });
  const abort = new AbortController();
  const sent = a.send(b, peerRequest(1), abort.signal);
  await within(arrival.opened, 'the arrival of a request');
  abort.abort();
  await checkRejects(sent, 'an aborted request');
  checkSame(await a.ask(b, peerRequest(2)), { ...snapshot(b.ip), id: 2 }, 'the reply after that');
}

async function abortedIsNotSent([a, b]: Peers): Promise<void> {
  await a.start();
  await b.start();
  await checkRejects(a.send(b, peerRequest(1), AbortSignal.abort()), 'a request that is aborted already');
  await a.ask(b, peerRequest(2));
  checkSame(b.received.map(idOf), [2], 'the ids of the requests that arrived');
}

async function receiverRejects([a, b]: Peers): Promise<void> {
  await a.start();
  await b.start((request) => {
    return idOf(request) === 1 ? Promise.reject(new Error('thrown by the contract')) : b.answer(request);
  });
  // Whether it rejects or resolves with a refusal is up to the transport.
  const [outcome] = await within(
    Promise.allSettled([a.send(b, peerRequest(1))]),
    'the request that failed there',
  );
  const isReply = outcome.status === 'fulfilled' && !isRefusal(outcome.value);
  check(!isReply, 'a request at which the receiver rejected was answered as if nothing had happened');
  checkSame(await a.ask(b, peerRequest(2)), { ...snapshot(b.ip), id: 2 }, 'the reply after that');
}

async function ownReplies([a, b, c]: Peers): Promise<void> {
  const total = 8;
  const waiting: (() => void)[] = [];
  await a.start();
  await c.start();
  await b.start((request) => {
    return new Promise((resolve) => {
      waiting.push(() => resolve({ ...snapshot(b.ip), id: idOf(request) }));
      if (waiting.length === total) for (const answer of waiting.reverse()) answer();
    });
  });
  const ids = Array.from({ length: total }, (_, id) => id);
  const replies = await Promise.all(ids.map((id) => (id % 2 === 0 ? a : c).ask(b, peerRequest(id))));
  checkSame(replies.map(idOf), ids, 'the ids of the replies');
}

async function copies([a, b]: Peers): Promise<void> {
  const kept = structuredClone(EVERYTHING_REPLIED);
  await a.start();
  await b.start(async (request) => {
    deface(request);
    return kept;
  });
  const request: RaftRequest = { type: 'beat', ...structuredClone(EVERYTHING_ASKED) };
  for (const _ of ['first', 'second']) {
    deface(await a.ask(b, request));
    checkSame(request, { type: 'beat', ...EVERYTHING_ASKED }, 'what the asker holds');
    checkSame(kept, EVERYTHING_REPLIED, 'what the receiver holds');
  }
}

async function notRunningRejects([a, b]: Peers): Promise<void> {
  await b.start();
  await checkRejects(a.send(b, peerRequest(1)), 'a request before the start');
  await a.start();
  await a.ask(b, peerRequest(2));
  await a.stop();
  await checkRejects(a.send(b, peerRequest(3)), 'a request after the stop');
  checkSame(b.received.map(idOf), [2], 'the ids of the requests that arrived');
}

async function stopIsIdempotent([a, b]: Peers): Promise<void> {
  await a.stop();
  await b.start();
  await a.start();
  await a.ask(b, peerRequest(1));
  await Promise.all([a.stop(), a.stop()]);
  await a.stop();
}

async function nothingAfterStop([a, b]: Peers): Promise<void> {
  await a.start();
  await b.start();
  await a.ask(b, peerRequest(1));
  await b.stop();
  for (const id of [2, 3]) {
    await within(Promise.allSettled([a.send(b, peerRequest(id))]), 'a request to a stopped peer');
  }
  checkSame(b.received.map(idOf), [1], 'the ids of the requests that arrived');
}

async function startsAgain([a, b]: Peers): Promise<void> {
  await a.start();
  await b.start();
  for (const id of [1, 2]) {
    await b.stop();
    await b.start(async () => ({ ...snapshot(b.ip), id: 10 * id }));
    checkSame(idOf(await a.askAnew(b, peerRequest(id))), 10 * id, 'the id of a reply after the start');
    await a.stop();
    await a.start();
    checkSame(idOf(await a.ask(b, peerRequest(id))), 10 * id, 'the id of a reply to who was started again');
    checkSame(idOf(await b.askAnew(a, peerRequest(id))), id, 'the id of a reply of who was started again');
  }
}

async function secondStart([a, b, c]: Peers): Promise<void> {
  await a.start();
  await b.start();
  const usurper: Receive = async () => ({ ...snapshot(b.ip), id: 999 });
  for (const ip of [b.ip, c.ip]) {
    await checkRejects(b.transport.start(ip, usurper), `a second start, at ${ip},`);
    checkSame(idOf(await a.ask(b, peerRequest(1))), 1, 'the id of a reply after that');
  }
  await b.stop();
  for (const peer of [b, c]) await checkRejects(a.send(peer, peerRequest(2)), 'a request after the stop');
}

async function stopRejectsOwn([a, b]: Peers): Promise<void> {
  const arrival = gate();
  await a.start();
  await b.start(() => {
    arrival.open();
    return new Promise(() => {});
  });
  const sent = a.send(b, peerRequest(1));
  await within(arrival.opened, 'the arrival of a request');
  await a.stop();
  await checkRejects(sent, 'a request under way when its transport stopped');
}

async function stopDoesNotWait([a, b]: Peers): Promise<void> {
  const arrival = gate();
  const abort = new AbortController();
  await a.start();
  await b.start(() => {
    arrival.open();
    return new Promise(() => {});
  });
  const sent = Promise.allSettled([a.send(b, peerRequest(1), abort.signal)]);
  await within(arrival.opened, 'the arrival of a request');
  await b.stop();
  abort.abort();
  await within(sent, 'a request to a peer that stopped before it answered');
}

/** Of use with `releaseOnDisconnect` only: a transport that gives no signal keeps this rule, too. */
async function goneIsTold([a, b]: Peers): Promise<void> {
  const arrival = gate();
  let gone: AbortSignal | undefined;
  await a.start();
  await b.start((_request, _from, signal) => {
    gone = signal;
    arrival.open();
    return new Promise(() => {});
  });
  const sent = Promise.allSettled([a.send(b, { type: 'hold', ip: a.ip, wait: true })]);
  await within(arrival.opened, 'the arrival of a request');
  check(gone?.aborted !== true, 'the signal was aborted while the asker waited');
  const told = gate();
  gone?.addEventListener('abort', () => told.open());
  await a.stop();
  if (gone?.aborted === false) await within(told.opened, 'the signal that the asker is gone');
  await within(sent, 'a request under way when its asker stopped');
}

/** A transport without it keeps this rule, too. */
async function broadcastReachesAll([a, b, c]: Peers): Promise<void> {
  for (const peer of [a, b, c]) await peer.start();
  if (a.transport.broadcast === undefined) return;
  const answers = new Map<string, unknown>();
  const all = gate();
  const answered = (from: string, reply: unknown): void => {
    answers.set(from, reply);
    if (answers.size === 2) all.open();
  };
  const { signal } = new AbortController();
  a.transport.broadcast([b.ip, c.ip], peerRequest(1), { signal, answered });
  await within(all.opened, 'the answers to a broadcast');
  // What comes twice comes before the answers to what is asked later, or is late without need.
  for (const peer of [b, c]) {
    checkSame(answers.get(peer.ip), { ...snapshot(peer.ip), id: 1 }, `the answer of ${peer.ip}`);
    await a.ask(peer, peerRequest(2));
    checkSame(peer.received.map(idOf), [1, 2], `the ids of the requests that ${peer.ip} received`);
  }
}

/** A transport, and what it received. */
class Peer {
  readonly transport: Transport;
  readonly ip: string;
  readonly received: unknown[] = [];
  readonly senders: unknown[] = [];

  constructor(transport: Transport, ip: string) {
    this.transport = transport;
    this.ip = ip;
  }

  async start(receive: Receive = (request) => this.answer(request)): Promise<void> {
    const started = this.transport.start(this.ip, (request, from, gone) => {
      this.received.push(structuredClone(request));
      this.senders.push(from);
      return receive(request, from, gone);
    });
    await within(started, 'start()');
  }

  async stop(): Promise<void> {
    await within(this.transport.stop(), 'stop()');
  }

  /** Sends a request, whose outcome is awaited with {@link checkRejects} or {@link within}. */
  send(to: Peer, request: RaftRequest, signal: AbortSignal = new AbortController().signal): Promise<unknown> {
    const sent = (async () => this.transport.request(to.ip, request, { signal }))();
    // A case that has failed meanwhile does not wait for it any more.
    sent.catch(() => {});
    return sent;
  }

  /** Sends a request and waits for the reply. */
  ask(to: Peer, request: RaftRequest): Promise<unknown> {
    return within(this.send(to, request), `the reply of ${to.ip}`);
  }

  /**
   * As {@link ask}, of a peer that was started again: a request may be lost when it finds that the connection to the
   * former one is dead.
   */
  async askAnew(to: Peer, request: RaftRequest): Promise<unknown> {
    for (let attempt = 1; attempt < 3; attempt++) {
      const [outcome] = await within(Promise.allSettled([this.send(to, request)]), `the reply of ${to.ip}`);
      if (outcome.status === 'fulfilled') return outcome.value;
    }
    return this.ask(to, request);
  }

  /** The reply to {@link peerRequest}. */
  async answer(request: unknown): Promise<RaftReply> {
    return { ...snapshot(this.ip), id: idOf(request) };
  }
}

/** As many as the case asked for; the others are copies of the first, and not to be touched. */
type Peers = readonly [Peer, Peer, Peer];

async function runCase(
  harness: TransportHarness,
  count: number,
  run: (peers: Peers) => Promise<void>,
): Promise<void> {
  const { transports, ips, dispose } = await harness.create(count);
  const peers = transports.map((transport, at) => new Peer(transport, ips[at] ?? ''));
  const [a, b, c = a] = peers;
  try {
    check(peers.length === count, `create(${count}) made ${peers.length} transports`);
    check(new Set(ips).size === count, `create(${count}) gave the ips ${ips.join(', ')}`);
    if (a !== undefined && b !== undefined && c !== undefined) await run([a, b, c]);
  } finally {
    // Whether they stop is tested elsewhere; here it would hide what failed.
    await Promise.allSettled(peers.map((peer) => peer.stop()));
    await dispose();
  }
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`${what}: nothing happened within ${PATIENCE_MS} ms`);
    timer = setTimeout(() => reject(error), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function checkRejects(promise: Promise<unknown>, what: string): Promise<void> {
  const [outcome] = await within(Promise.allSettled([promise]), what);
  check(outcome.status === 'rejected', `${what} should reject, but resolved`);
  check(
    outcome.reason instanceof Error,
    `${what} should reject with an Error, but did with ${outcome.reason}`,
  );
}

function checkSame(actual: unknown, expected: unknown, what: string): void {
  const [came, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  check(isSame(actual, expected), `${what}: expected ${wanted}, got ${came}`);
}

/** Whether two values of JSON are the same, whatever the order of their keys. */
function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b);
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [new Map(Object.entries(a)), new Map(Object.entries(b))];
  if (left.size !== right.size) return false;
  return [...left].every(([key, value]) => right.has(key) && isSame(value, right.get(key)));
}

/** Changes everything within `value` that can be changed. */
function deface(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    deface(inner);
    Reflect.set(value, key, 'defaced');
  }
}

function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

function peerRequest(id: number): RaftRequest {
  return { type: 'peer', id };
}

function idOf(message: unknown): number {
  const isNumbered = typeof message === 'object' && message !== null && 'id' in message;
  return isNumbered && typeof message.id === 'number' ? message.id : Number.NaN;
}

function isRefusal(reply: unknown): boolean {
  return typeof reply === 'object' && reply !== null && 'code' in reply;
}

function snapshot(ip: string): PeerSnapshot {
  return { ip, state: 'FOLLOWER', term: 3, voteFor: null, leaderDueMs: 1500, heartbeatDueMs: 0 };
}

/** Values that a careless encoding changes. */
const HARD_PEER: PeerSnapshot = {
  ip: 'Zürich-节点-🛰️-"\\\u0000\n\u2028\ud800',
  state: 'LEADER',
  term: Number.MAX_SAFE_INTEGER,
  voteFor: null,
  leaderDueMs: 0.1 + 0.2,
  heartbeatDueMs: -1.5e-7,
};

const EVERYTHING_ASKED: Beat = {
  peer: HARD_PEER,
  datums: [
    { key: '', timestamp: 0 },
    { key: '__proto__', timestamp: Number.MAX_SAFE_INTEGER },
    { key: ' null ', timestamp: 1_700_000_000_000.125 },
  ],
  leaderTimeoutMs: 1e21,
  sentAt: Number.MAX_SAFE_INTEGER - 1,
};

const EVERYTHING_REPLIED: StateReply = {
  ip: '2001:db8::1',
  state: 'CANDIDATE',
  term: Number.MAX_SAFE_INTEGER,
  leader: null,
  isLeader: false,
  rejoining: true,
  peers: [HARD_PEER, { ...snapshot('b:1'), voteFor: 'née' }, { ...snapshot(''), term: 0 }],
};
