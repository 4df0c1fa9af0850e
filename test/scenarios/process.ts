import {
  type Member,
  type Output,
  RaftCore,
  type RaftError,
  RaftPeerSet,
  type RulesName,
  type StoredState,
} from 'raftbeat';
import { TIMING } from '../core/cluster.js';
import { ROUNDS, stateText } from './text.js';
import type { World } from './world.js';

/** How all processes of a case are set up. */
export interface Setup {
  readonly members: readonly Member[];
  readonly rules: RulesName;
  readonly bootstrap: boolean;
  readonly strict: boolean;
  /** The L of those that differ from the rest. */
  readonly leaderTimeouts: ReadonlyMap<string, number>;
}

/**
 * One run of one peer: the real core, carried as the node's driver carries it. One input at a time; outputs in order,
 * then the answer, then the events; a save that hangs holds up all that is behind it, and the mail.
 */
export class Process {
  readonly ip: string;
  readonly core: RaftCore;
  disk: StoredState | null;
  isDiskStalled = false;
  /** Stopped by its host: nothing runs, mail waits. */
  isStalled = false;
  /** By how many ms its monotonic clock is behind the time of the case. */
  lagMs = 0;
  /** How often it asked for pre-votes or votes. */
  campaigns = 0;
  /** What `isLeader` answered last. */
  leads = false;
  readonly #world: World;
  readonly #mailbox: (() => void)[] = [];
  #steps: { readonly isSave: boolean; readonly run: () => void }[] = [];
  #events: string[] = [];
  #shown: string;

  constructor(world: World, setup: Setup, ip: string, disk: StoredState | null, number: number) {
    const { members, rules, bootstrap, strict, leaderTimeouts } = setup;
    const peers = new RaftPeerSet({ local: ip, members, rules });
    const leaderTimeoutMs = leaderTimeouts.get(ip) ?? TIMING.leaderTimeoutMs;
    this.#world = world;
    this.ip = ip;
    this.disk = disk;
    this.core = new RaftCore({
      peers,
      random: rules === 'nacos' ? () => number / 10 : numbersThenZero(number, disk === null ? 2 : 1),
      timing: { ...TIMING, leaderTimeoutMs },
      stored: disk,
      bootstrap,
      rejoin: strict ? 'strict' : 'majority',
    });
    this.#shown = stateText(peers.self);
    peers.on('leaderLost', ({ leader, term }) => this.#events.push(`leaderLost ${leader.ip} t${term}`));
    peers.on('leaderElectFinished', ({ term }) => {
      this.#events.push(`leaderElectFinished ${ip} t${term}`);
      world.won(ip, term);
    });
    peers.on('makeLeader', ({ leader, term }) => this.#events.push(`makeLeader ${leader.ip} t${term}`));
    peers.on('error', (error: RaftError) => this.#events.push(`error ${error.code}: ${error.message}`));
  }

  /** The time of its monotonic clock. */
  get now(): number {
    return this.#world.now - this.lagMs;
  }

  /** When its alarm rings, in the time of the case; never while it is held up. */
  get due(): number {
    if (this.isStalled || this.#steps.length > 0) return Number.POSITIVE_INFINITY;
    return Math.max(this.#world.now, this.core.nextDeadline() + this.lagMs);
  }

  tick(): void {
    this.give(null, (core, now) => core.tick(now));
  }

  /** An input, which waits for those before it; `answer` gets its result when all that it depends on is done. */
  give<T>(
    head: string | null,
    input: (core: RaftCore, now: number) => T,
    answer: (result: T) => void = () => {},
  ): void {
    if (this.isStalled || this.#steps.length > 0) {
      this.#mailbox.push(() => this.give(head, input, answer));
      return;
    }
    if (head !== null) this.#world.say(`${this.ip} ${head}`);
    const result = input(this.core, this.now);
    this.#showState();
    this.#takeOutputs();
    this.#steps.push(
      { isSave: false, run: () => answer(result) },
      { isSave: false, run: () => this.#tell() },
    );
    this.pump();
  }

  /** Does what waits, as far as the disk lets it, and then takes the mail that waits. */
  pump(): void {
    for (let step = this.#steps[0]; step !== undefined; step = this.#steps[0]) {
      if (step.isSave && this.isDiskStalled) return;
      this.#steps.shift();
      step.run();
    }
    if (!this.isStalled) this.#mailbox.shift()?.();
  }

  /** Goes on after a stall: with what waits in the mail, and only then with the alarm. */
  wake(): void {
    this.isStalled = false;
    for (let waiting = this.#mailbox.length; waiting > 0; waiting = this.#mailbox.length) {
      this.pump();
      if (this.#mailbox.length === waiting) return;
    }
  }

  #takeOutputs(): void {
    const steps = this.core.takeOutputs().map((output) => ({
      isSave: output.type === 'save',
      run: () => this.#carryOut(output),
    }));
    this.#steps = [...steps, ...this.#steps];
    if (this.isDiskStalled && steps.some(({ isSave }) => isSave))
      this.#world.say(`${this.ip} waits for its disk`);
  }

  #carryOut(output: Output): void {
    if (output.type === 'save') this.#save(output.state);
    else if (output.type === 'fetchPeer') {
      const { id } = output;
      this.#world.send(this, [output.from], id === undefined ? { type: 'peer' } : { type: 'peer', id });
    } else if (output.type === 'send') {
      if (output.request.type === 'vote') this.campaigns++;
      this.#world.send(this, output.to, output.request);
    }
  }

  #save(state: StoredState): void {
    const longer = state.promisedMs > (this.disk?.promisedMs ?? 0) ? `, promised ${state.promisedMs} ms` : '';
    this.#world.say(`${this.ip} saves t${state.term} vote ${state.voteFor ?? '-'}${longer}`);
    this.disk = state;
    this.core.saved(state, this.now);
    this.#showState();
    this.#takeOutputs();
  }

  #tell(): void {
    for (const event of this.#events.splice(0)) this.#world.say(`${this.ip} tells ${event}`);
  }

  #showState(): void {
    const state = stateText(this.core.peers.self);
    if (state === this.#shown) return;
    this.#shown = state;
    if (this.core.peers.self.state === 'CANDIDATE') this.campaigns++;
    this.#world.say(`${this.ip} is ${state}`);
  }
}

/** The first draws make numbers that tell processes apart; all others are 0, so that times are whole. */
function numbersThenZero(number: number, draws: number): () => number {
  let left = draws;
  return () => (left-- > 0 ? (number * ROUNDS) / 2 ** 31 : 0);
}
