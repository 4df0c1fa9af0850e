import type { Ledger } from './ledger.js';
import { SimRandom } from './random.js';
import type { NodeProcess, Place, World } from './world.js';

/** The longest time in ms between two changes, and after which an open one is given up. */
const PAUSE_MS = 3_000;
const PATIENCE_MS = 5_000;

/**
 * Who changes the members: has the joiner join and vote, removes any of them, the leader too, and removes and adds again
 * those that lost their disks. It leaves a majority of voters that remember.
 */
export class Operator {
  readonly #world: World;
  readonly #ledger: Ledger;
  readonly #random: SimRandom;
  readonly #fewest: number;
  #isOpen = false;

  constructor(world: World, ledger: Ledger, seed: number) {
    this.#world = world;
    this.#ledger = ledger;
    this.#random = new SimRandom(seed, 'operator');
    this.#fewest = this.#random.pick([2, 3, 3]);
  }

  open(): void {
    this.#isOpen = true;
    this.#later();
  }

  close(): void {
    this.#isOpen = false;
  }

  #later(): void {
    this.#world.scheduler.after(this.#random.skewed(PAUSE_MS / 50, PAUSE_MS), () => {
      if (!this.#isOpen) return undefined;
      const wanted = this.#wanted();
      const any = wanted[this.#random.below(wanted.length)];
      const { process } = this.#world.places[this.#random.below(this.#world.places.length)] as Place;
      const caller = this.#random.chance(0.7) ? (this.#world.leaderPlace?.process ?? process) : process;
      if (any !== undefined && caller !== null && caller.node !== null)
        return this.#change(caller, any.action, any.ip);
      this.#later();
      return undefined;
    });
  }

  /** While one is open no disk is lost: nobody knows which list will be in force. */
  #change(
    caller: NodeProcess,
    action: 'addPeer' | 'promote' | 'removePeer',
    ip: string,
  ): Promise<void> | undefined {
    const world = this.#world;
    world.isChangingMembers = true;
    let isOver = false;
    const end = (how: string): void => {
      if (isOver) return;
      isOver = true;
      world.isChangingMembers = false;
      world.timeline.add(caller.name, `${action} of ${ip} ${how}`);
      this.#later();
    };
    world.scheduler.after(PATIENCE_MS, () => end('is given up'));
    world.timeline.add(caller.name, `${action} of ${ip} begins`);
    return caller.host.post(() => {
      void caller.node[action](ip).then(
        () => end('is done'),
        (error: { readonly code?: string }) => end(`fails: ${error.code}`),
      );
    });
  }

  /** What may be done; those that lost their disks come first. */
  #wanted(): readonly { readonly action: 'addPeer' | 'promote' | 'removePeer'; readonly ip: string }[] {
    const { members, voters } = this.#ledger;
    if (members === null) return [];
    const lost = this.#world.places.filter((place) => !this.#world.remembers(place));
    const urgent = lost.length > 0 && this.#random.chance(0.7);
    return (urgent ? lost : this.#world.places).flatMap((place) => {
      const { ip } = place;
      const without = new Set([...voters].filter((voter) => voter !== ip));
      if (!members.has(ip)) return { action: 'addPeer', ip };
      const isLost = !this.#world.remembers(place);
      if (!voters.has(ip) && !isLost)
        return this.#world.isSound(new Set([...voters, ip])) ? { action: 'promote', ip } : [];
      const isEnough = without.size >= Math.min(this.#fewest, voters.size - (isLost ? 1 : 0));
      return isEnough && this.#world.isSound(without) ? { action: 'removePeer', ip } : [];
    });
  }
}
