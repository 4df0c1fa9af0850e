import type { LinkWeather, SimNetwork } from '../../src/testing/sim/network.js';
import type { LinkFault } from './picture.js';

/** Which verb begins which fault, and which one ends it. */
const BEGINS: Readonly<Record<string, LinkFault>> = { cut: 'cut', slow: 'slow', lossy: 'lossy' };
const ENDS: Readonly<Record<string, LinkFault>> = { join: 'cut', fast: 'slow', clean: 'lossy' };

const WEATHERS: Readonly<Record<'slow' | 'lossy', LinkWeather>> = {
  slow: { jitterMs: 150 },
  lossy: { loss: 0.4 },
};

/** What is wrong with the links of a cluster. */
export class LinkFaults {
  readonly #network: SimNetwork;
  readonly #ips: readonly string[];
  readonly #active = new Map<string, LinkWeather>();

  constructor(network: SimNetwork, ips: readonly string[]) {
    this.#network = network;
    this.#ips = ips;
  }

  /** As `cut:a-b`. */
  get active(): ReadonlySet<string> {
    return new Set(this.#active.keys());
  }

  has(fault: LinkFault, from: string, to: string): boolean {
    return [from, to, `${from}-${to}`, `${to}-${from}`, `${from}_${to}`].some((target) =>
      this.#active.has(`${fault}:${target}`),
    );
  }

  /** Does what `verb` says; whether that changed anything. */
  change(verb: string, target: string): boolean {
    const begun = BEGINS[verb];
    const ended = ENDS[verb];
    if (begun !== undefined) return this.#begin(begun, target);
    return ended !== undefined && this.#end(ended, target);
  }

  #begin(fault: LinkFault, target: string): boolean {
    const key = `${fault}:${target}`;
    if (this.#active.has(key)) return false;
    // An object of its own, for faults that overlap end one by one.
    const weather = fault === 'cut' ? {} : { ...WEATHERS[fault] };
    this.#active.set(key, weather);
    for (const [from, to] of this.#ways(target)) {
      if (fault === 'cut') this.#network.block(from, to);
      else this.#network.addWeather(from, to, weather);
    }
    return true;
  }

  #end(fault: LinkFault, target: string): boolean {
    const key = `${fault}:${target}`;
    const weather = this.#active.get(key);
    if (weather === undefined) return false;
    this.#active.delete(key);
    for (const [from, to] of this.#ways(target)) {
      if (fault === 'cut') this.#network.unblock(from, to);
      else this.#network.removeWeather(from, to, weather);
    }
    return true;
  }

  #ways(target: string): readonly (readonly [string, string])[] {
    const [one = '', other] = target.split(/[-_]/);
    if (other === undefined)
      return this.#ips.filter((ip) => ip !== one).flatMap((ip) => [[one, ip] as const, [ip, one] as const]);
    return target.includes('_')
      ? [[one, other]]
      : [
          [one, other],
          [other, one],
        ];
  }
}
