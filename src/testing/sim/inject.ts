import type { RaftRequest } from '../../core/messages.js';
import type { PeerSnapshot } from '../../core/peer.js';
import { describeFault, type Fault, type FaultTrigger } from './faults.js';
import type { SimClock } from './host.js';
import type { LinkWeather } from './network.js';
import type { Place, World } from './world.js';

/** How a fault is ended. */
type Undo = () => Promise<void> | undefined | void;

const NOTHING: Undo = () => {};

type Forged = Extract<RaftRequest, { readonly type: 'beat' | 'vote' }>;

interface Trap {
  readonly fault: Fault;
  readonly until: number;
}

/** Lets the faults of a schedule strike, and ends each in time. */
export class Injector {
  readonly #world: World;
  readonly #clockDrift: number;
  readonly #traps = new Set<Trap>();

  /** @param clockDrift by how much clocks are wrong at most, whatever the peers count on */
  constructor(world: World, clockDrift: number) {
    this.#world = world;
    this.#clockDrift = clockDrift;
    world.onTrigger = (place, trigger, group) => this.#spring(place, trigger, group);
  }

  /** Has `fault` begin at its time. */
  schedule(fault: Fault): void {
    const { scheduler } = this.#world;
    scheduler.at(fault.at, () => {
      if (fault.when === undefined) return this.#strike(fault, this.#target(fault), fault.at + fault.ms);
      const trap: Trap = { fault, until: fault.at + fault.ms };
      this.#traps.add(trap);
      scheduler.at(trap.until, () => void this.#traps.delete(trap));
      return undefined;
    });
  }

  #spring(place: Place, trigger: FaultTrigger, group: string): void {
    for (const trap of this.#traps) {
      const { fault, until } = trap;
      const isMeant = fault.peer === 'leader' || this.#world.places[fault.peer] === place;
      if (fault.when !== trigger || !isMeant) continue;
      // Who wins, resigns, for as long as it lasts: leadership goes from hand to hand.
      if (fault.kind !== 'transfer') this.#traps.delete(trap);
      const delayMs =
        fault.kind === 'transfer' ? fault.choice ** 2 * 60 : Math.max(0, fault.choice - 0.5) * 4;
      this.#world.scheduler.after(delayMs, () => this.#strike(fault, place, until, group));
    }
  }

  #target({ peer, other, choice }: Fault): Place {
    const { places } = this.#world;
    const place = peer === 'leader' ? (this.#world.leaderOf(choice) ?? places[other]) : places[peer];
    if (place === undefined) throw new Error(`there is no peer ${peer}`);
    return place;
  }

  /** @param group in which the place did what the fault waited for */
  async #strike(fault: Fault, place: Place, until: number, group?: string): Promise<void> {
    this.#world.timeline.add(place.ip, describeFault(fault));
    const undo = await this.#begin(fault, place, group);
    if (undo !== NOTHING) this.#world.scheduler.at(until, undo);
  }

  async #begin(fault: Fault, place: Place, group?: string): Promise<Undo> {
    const { choice } = fault;
    switch (fault.kind) {
      case 'weather':
        return this.#weather(fault.weather ?? {}, choice < 0.7 ? null : place);
      case 'isolate':
        return this.#block((from, to) => from === place || to === place);
      case 'mute':
        return this.#block((from) => from === place);
      case 'deafen':
        return this.#block((_from, to) => to === place);
      case 'cut':
        return this.#cut(place, this.#world.places[fault.other], choice < 0.5);
      case 'split':
        return this.#split(choice);
      case 'crash':
        return this.#crash([place], choice < 0.7);
      case 'crashAll':
        return this.#crash(this.#world.places, choice < 0.7);
      case 'restart':
        return this.#restart(place);
      case 'priority':
        place.member = {
          ...place.member,
          priority: place.member.priority === 0 ? 0 : 1 + Math.floor(choice * 3),
        };
        return this.#restart(place);
      case 'wipe':
        return this.#wipe(place);
      case 'diskError':
        place.disk.nextFails = choice < 0.5 ? 'keepsFormer' : 'keepsNew';
        return () => {
          place.disk.nextFails = null;
        };
      case 'diskStall':
        place.disk.stall();
        return () => place.disk.resume();
      case 'stall':
        return this.#stall(place);
      case 'suspend':
        return this.#suspend(place, choice < 0.5);
      case 'wallStep':
        if (place.process?.host.hasSeenClocks === true)
          place.process.host.stepWall((choice < 0.5 ? -1 : 1) * fault.ms * (1 + choice * 10));
        return NOTHING;
      case 'drift':
        return this.#drift(place, choice);
      case 'clone':
        return this.#clone(place, fault);
      case 'forge':
        return this.#forge(place, choice);
      case 'transfer':
        return this.#transfer(
          place,
          choice < 0.5 ? this.#world.places[fault.other] : undefined,
          group ?? this.#world.watchOf((choice * 4) % 1).group,
        );
      case 'leave':
        return this.#leave(place, group ?? this.#world.watchOf(choice).group);
    }
  }

  #weather(weather: LinkWeather, about: Place | null): Undo {
    const { network } = this.#world;
    const links = this.#pairs().filter(([from, to]) => about === null || from === about || to === about);
    for (const [from, to] of links) network.addWeather(from.ip, to.ip, weather);
    return () => {
      for (const [from, to] of links) network.removeWeather(from.ip, to.ip, weather);
    };
  }

  #block(isBlocked: (from: Place, to: Place) => boolean): Undo {
    const { network } = this.#world;
    const links = this.#pairs().filter(([from, to]) => isBlocked(from, to));
    for (const [from, to] of links) network.block(from.ip, to.ip);
    return () => {
      for (const [from, to] of links) network.unblock(from.ip, to.ip);
    };
  }

  #cut(one: Place, other: Place | undefined, isBothWays: boolean): Undo {
    return this.#block(
      (from, to) => (from === one && to === other) || (isBothWays && from === other && to === one),
    );
  }

  #split(choice: number): Undo {
    const groups = Math.floor(choice * 2 ** this.#world.places.length);
    const side = (place: Place): number => (groups >> this.#world.places.indexOf(place)) & 1;
    return this.#block((from, to) => side(from) !== side(to));
  }

  #pairs(): readonly (readonly [Place, Place])[] {
    const { places } = this.#world;
    return places.flatMap((from) => places.filter((to) => to !== from).map((to) => [from, to] as const));
  }

  #crash(places: readonly Place[], losesUnsaved: boolean): Undo {
    const undos = places.map((place) => {
      this.#world.crash(place, losesUnsaved);
      return this.#startAgain(place);
    });
    return async () => {
      for (const undo of undos) await undo();
    };
  }

  async #restart(place: Place): Promise<Undo> {
    await this.#world.stop(place);
    return async () => {
      this.#world.crash(place, false);
      await this.#world.start(place);
    };
  }

  #wipe(place: Place): Undo {
    if (!this.#world.mayLose(place)) return NOTHING;
    this.#world.crash(place, true);
    this.#world.wipe(place);
    return this.#startAgain(place);
  }

  /** Unless somebody else has done so. */
  #startAgain(place: Place): Undo {
    return () => this.#world.start(place);
  }

  #stall({ process }: Place): Undo {
    if (process === null) return NOTHING;
    process.host.stall();
    return () => process.host.resume();
  }

  #suspend({ process }: Place, isMonotonic: boolean): Undo {
    if (process?.host.hasSeenClocks !== true) return NOTHING;
    const { host } = process;
    return host.suspend(isMonotonic ? host.monotonic : host.wall);
  }

  #drift(place: Place, choice: number): Undo {
    const rate = (share: number): number => 1 + this.#clockDrift * (Math.round((share % 1) * 4) / 2 - 1);
    place.rates = { monotonic: rate(choice), wall: rate(choice * 10) };
    const set = (clock: SimClock | undefined, to: number): void => clock?.setRate(to);
    set(place.process?.host.monotonic, place.rates.monotonic);
    set(place.process?.host.wall, place.rates.wall);
    return NOTHING;
  }

  /** It lives for less than a start wait: a second process that takes part is beyond what the protocol covers. */
  async #clone(place: Place, fault: Fault): Promise<Undo> {
    if (!this.#world.mayBeEmpty(place)) return NOTHING;
    const end = await this.#world.clone(place);
    const lifeMs = Math.min(fault.ms, place.leaderTimeoutMs * (1 - this.#clockDrift) * 0.99);
    this.#world.scheduler.after(lifeMs, end);
    return NOTHING;
  }

  /** A message in the peer's own name, or in that of a stranger, must be refused. */
  #forge(place: Place, choice: number): Undo {
    const type = choice < 0.5 ? 'beat' : 'vote';
    const ip = choice % 0.5 < 0.25 ? place.ip : 'stranger:1';
    const { group } = this.#world.watchOf((choice * 4) % 1);
    const term = (place.process?.parts.get(group)?.peer.term ?? 0) + 1;
    const state = type === 'beat' ? 'LEADER' : 'CANDIDATE';
    const peer: PeerSnapshot = { ip, voteFor: ip, term, leaderDueMs: 0, heartbeatDueMs: 0, state };
    const request = type === 'beat' ? ({ type, peer, datums: [] } as const) : ({ type, peer } as const);
    this.#world.network.inject(place.ip, group === '' ? request : inGroup(group, request), (reply) => {
      const [answer = reply] = 'replies' in reply ? reply.replies : [];
      if (!('code' in answer)) this.#world.report('ERROR', place.ip, `takes a message in the name of ${ip}`);
    });
    return NOTHING;
  }

  #transfer({ process }: Place, to: Place | undefined, group: string): Undo {
    process?.parts
      .get(group)
      ?.peer.resign(to?.ip)
      .catch(() => {});
    return NOTHING;
  }

  async #leave(place: Place, group: string): Promise<Undo> {
    if (!this.#world.mayLeave(place, group)) return NOTHING;
    await this.#world.leave(place, group);
    return () => this.#world.join(place, group);
  }
}

/** What a host would send instead of a message of one peer. */
function inGroup(group: string, request: Forged): RaftRequest {
  if (request.type === 'vote') return { type: 'groups', requests: [{ group, request }] };
  const { ip, term } = request.peer;
  const led = [{ group, term }];
  const list = { since: 0, version: 1, led, unled: [] };
  return { type: 'beats', ip, process: 0, leaderTimeoutMs: 500, sentAt: 0, ...list };
}
