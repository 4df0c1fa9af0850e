import type { RaftReply, RaftRequest } from '../../core/messages.js';
import type { Receive } from '../../transports/transport.js';
import type { SimHost } from './host.js';
import { SimRandom } from './random.js';
import type { Scheduler, Work } from './scheduler.js';

/** How bad a link is. Rates are probabilities. */
export interface LinkWeather {
  readonly loss?: number;
  readonly duplicate?: number;
  /** The share of messages that are late by a heavy-tailed time. */
  readonly late?: number;
  /** Up to how many ms of delay are added at random: messages overtake each other. */
  readonly jitterMs?: number;
}

/** A process on the network. */
export interface Station {
  readonly ip: string;
  /** The ip, unless it is a second process of that ip. */
  readonly name: string;
  readonly host: SimHost;
}

/** When something came; and whether before or after what came at the same time: a process that stalled reads all at once. */
export interface Arrival {
  readonly at: number;
  readonly order: number;
}

/** A message on its way. */
export interface Flight {
  readonly number: number;
  readonly from: string;
  readonly to: string;
  /** Null: the host answers that nobody listens there. */
  readonly message: RaftRequest | RaftReply | null;
  readonly sentAt: number;
  /** May be put off as long as it is on its way; infinity: it is lost. */
  arrivesAt: number;
}

/** Looks at messages as they leave and arrive. */
export interface Wiretap {
  /** Something is on its way, or lost from the first. */
  flies(flight: Flight): void;
  leaves(from: Station, to: string, request: RaftRequest): void;
  answers(from: Station, request: RaftRequest, reply: RaftReply, arrival: Arrival): void;
  /** The answer reaches who asked. */
  answered(by: string, to: Station, request: RaftRequest, reply: RaftReply): void;
  /** Returns what is to be called when all that follows at once is done. */
  arrives(at: Station, request: RaftRequest, arrival: Arrival): (() => void) | null;
  /** `at` sees the connection to `other` end, as the process there has. */
  disconnected(at: Station, other: string, arrival: Arrival): void;
}

interface Served {
  readonly station: Station;
  readonly receive: Receive;
}

/** A request that is kept open, whose end tells that one of the two processes is gone. */
interface Held {
  readonly from: Station;
  readonly at: Station;
  readonly gone: AbortController;
  readonly reject: (cause: unknown) => void;
}

interface Link {
  readonly random: SimRandom;
  blocks: number;
  readonly weathers: Set<LinkWeather>;
}

/**
 * Carries requests between hosts, each direction of each pair with faults of its own. Messages are objects that nobody
 * changes: what arrives is decoded into new ones by the receiver.
 */
export class SimNetwork {
  /** The longest time in ms for which a message lives. */
  readonly maxAgeMs: number;
  /** A message takes from this to four times this, in ms, in fair weather. */
  readonly latencyMs: number;
  readonly #scheduler: Scheduler;
  readonly #seed: number;
  readonly #tap: Wiretap;
  readonly #links = new Map<string, Map<string, Link>>();
  readonly #served = new Map<string, Served[]>();
  readonly #held = new Set<Held>();
  #arrivals = 0;
  #flights = 0;

  constructor(scheduler: Scheduler, seed: number, latencyMs: number, maxAgeMs: number, tap: Wiretap) {
    this.latencyMs = latencyMs;
    this.#scheduler = scheduler;
    this.#seed = seed;
    this.maxAgeMs = maxAgeMs;
    this.#tap = tap;
  }

  /** The process of `station` serves its ip. */
  serve(station: Station, receive: Receive): void {
    const all = this.#served.get(station.ip) ?? [];
    this.#served.set(station.ip, [...all, { station, receive }]);
  }

  /** Carries a request of `from`, and the answer to it. */
  request(from: Station, to: string, request: RaftRequest): Promise<unknown> {
    if (!from.host.isAlive) return Promise.reject(new Error('the process has ended'));
    this.#tap.leaves(from, to, request);
    return new Promise((resolve, reject) => {
      const bornAt = this.#scheduler.now;
      this.#send(from.ip, to, request, () => this.#arrive(from, to, request, bornAt, resolve, reject));
    });
  }

  /** Carries a publication of `from` to all of `to`, and the answers to it: each on its own way. */
  broadcast(
    from: Station,
    to: readonly string[],
    request: RaftRequest,
    answered: (by: string, reply: unknown) => void,
  ): void {
    for (const ip of to)
      this.request(from, ip, request).then(
        (reply) => answered(ip, reply),
        () => {},
      );
  }

  /** The process of `host` serves no longer: its connections end. */
  leave(host: SimHost): void {
    for (const held of this.#held)
      if (held.from.host === host || held.at.host === host) this.#sever(held, host);
    for (const [ip, served] of this.#served)
      this.#served.set(
        ip,
        served.filter((one) => one.station.host !== host),
      );
  }

  /** Blocks the way from one ip to another; calls add up. */
  block(from: string, to: string): void {
    this.#link(from, to).blocks++;
  }

  /** Takes one `block` back. */
  unblock(from: string, to: string): void {
    this.#link(from, to).blocks--;
  }

  addWeather(from: string, to: string, weather: LinkWeather): void {
    this.#link(from, to).weathers.add(weather);
  }

  removeWeather(from: string, to: string, weather: LinkWeather): void {
    this.#link(from, to).weathers.delete(weather);
  }

  /** Hands `request` to all who serve `ip`; `answered` gets what they say. */
  inject(ip: string, request: RaftRequest, answered: (reply: RaftReply) => void): void {
    for (const { station, receive } of this.#served.get(ip) ?? [])
      this.#scheduler.after(0, () => station.host.post(() => void receive(request, 'forged').then(answered)));
  }

  #arrive(
    from: Station,
    to: string,
    request: RaftRequest,
    bornAt: number,
    resolve: (reply: unknown) => void,
    reject: (cause: unknown) => void,
  ): Promise<void> | undefined {
    const served = this.#at(from.ip, to);
    if (served === null) {
      const refuse = (): void => {
        if (request.type === 'hold' && request.wait) this.#tap.disconnected(from, to, this.#arrival());
        reject(new Error(`nobody listens at ${to}`));
      };
      this.#send(to, from.ip, null, () => from.host.post(refuse));
      return undefined;
    }
    const { station, receive } = served;
    return station.host.post(() => {
      if (this.#isTooOld(bornAt)) return undefined;
      const arrival = this.#arrival();
      const after = this.#tap.arrives(station, request, arrival);
      const held =
        request.type === 'hold' ? { from, at: station, gone: new AbortController(), reject } : undefined;
      if (held !== undefined) this.#held.add(held);
      void receive(request, from.ip, held?.gone.signal).then((reply) => {
        if (held !== undefined) this.#held.delete(held);
        if (!station.host.isAlive) return;
        this.#tap.answers(station, request, reply, arrival);
        this.#reply(station, from, request, reply, resolve);
      });
      return after;
    });
  }

  /** Each end of a connection is told by the host of the process that is gone, unless nothing comes from there. */
  #sever(held: Held, gone: SimHost): void {
    this.#held.delete(held);
    const { from, at } = held;
    const [dead, alive] = at.host === gone ? [at, from] : [from, at];
    const link = this.#link(dead.ip, alive.ip);
    if (link.blocks > 0) return;
    const tell = (): void => {
      this.#tap.disconnected(alive, dead.ip, this.#arrival());
      if (alive === at) held.gone.abort();
      else held.reject(new Error('the connection was closed'));
    };
    this.#scheduler.after(this.latencyMs * (1 + 3 * link.random.next()), () => alive.host.post(tell));
  }

  #reply(
    from: Station,
    to: Station,
    request: RaftRequest,
    reply: RaftReply,
    resolve: (reply: unknown) => void,
  ): void {
    const bornAt = this.#scheduler.now;
    this.#send(from.ip, to.ip, reply, () =>
      to.host.post(() => {
        if (this.#isTooOld(bornAt)) return;
        this.#tap.answered(from.ip, to, request, reply);
        const isStopping = 'code' in reply && reply.code === 'NOT_RUNNING';
        if (request.type === 'hold' && isStopping) this.#tap.disconnected(to, from.ip, this.#arrival());
        resolve(reply);
      }),
    );
  }

  /** Whoever serves `to`; where two processes use one ip, one of them at random. */
  #at(from: string, to: string): Served | null {
    const all = this.#served.get(to) ?? [];
    if (all.length < 2) return all[0] ?? null;
    return all[this.#link(from, to).random.below(all.length)] ?? null;
  }

  #arrival(): Arrival {
    this.#arrivals++;
    return { at: this.#scheduler.now, order: this.#arrivals };
  }

  #isTooOld(bornAt: number): boolean {
    return this.#scheduler.now - bornAt > this.maxAgeMs;
  }

  #send(from: string, to: string, message: Flight['message'], arrive: Work): void {
    const fly = (ms: number): void => this.#fly(from, to, message, ms, arrive);
    const link = this.#link(from, to);
    const { random } = link;
    if (link.blocks > 0) {
      fly(Number.POSITIVE_INFINITY);
      return;
    }
    const delayMs = this.latencyMs * (1 + 3 * random.next());
    if (link.weathers.size === 0) {
      fly(delayMs);
      return;
    }
    let copies = 1;
    let moreMs = 0;
    for (const { loss = 0, duplicate = 0, late = 0, jitterMs = 0 } of link.weathers) {
      if (random.chance(loss)) copies = 0;
      if (random.chance(duplicate)) copies *= 2;
      moreMs += random.next() * jitterMs;
      if (random.chance(late)) moreMs += Math.min(5 / random.next(), this.maxAgeMs);
    }
    if (copies === 0) fly(Number.POSITIVE_INFINITY);
    for (let copy = 0; copy < copies; copy++) {
      fly(delayMs + moreMs);
      moreMs += random.skewed(0.1, 300);
    }
  }

  #fly(from: string, to: string, message: Flight['message'], ms: number, arrive: Work): void {
    const { now } = this.#scheduler;
    this.#flights++;
    const flight = { number: this.#flights, from, to, message, sentAt: now, arrivesAt: now + ms };
    this.#tap.flies(flight);
    this.#await(flight, arrive);
  }

  #await(flight: Flight, arrive: Work): void {
    const { arrivesAt } = flight;
    if (arrivesAt === Number.POSITIVE_INFINITY) return;
    this.#scheduler.at(arrivesAt, () =>
      flight.arrivesAt === arrivesAt ? arrive() : this.#await(flight, arrive),
    );
  }

  #link(from: string, to: string): Link {
    const known = this.#links.get(from)?.get(to);
    if (known !== undefined) return known;
    const link = {
      random: new SimRandom(this.#seed, `${from}>${to}`),
      blocks: 0,
      weathers: new Set<LinkWeather>(),
    };
    const links = this.#links.get(from) ?? new Map<string, Link>();
    this.#links.set(from, links.set(to, link));
    return link;
  }
}
