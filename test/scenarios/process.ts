import {
  type Member,
  type Output,
  RaftCore,
  type RaftError,
  RaftPeerSet,
  type RulesName,
  type StoredState,
} from 'raftbeat';
import type { DatumChange } from '../../src/core/datums.js';
import { MEMBERS_KEY } from '../../src/core/members.js';
import type { AnswerOutput, SaveOutput } from '../../src/core/outputs.js';
import type { RegistryLimits } from '../../src/core/registry.js';
import { copyChanges, KeptData } from '../../src/stores/kept-data.js';
import type { Stored } from '../../src/stores/store.js';
import { TIMING } from '../core/cluster.js';
import { changesText, savedText } from './data-text.js';
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
  /** The bounds of the registry; undefined: there is none. */
  readonly registry: RegistryLimits | undefined;
  /** Who is to join: it knows no members. */
  readonly joiners: ReadonlySet<string>;
}

/** What is to be done in its turn. */
interface Step {
  readonly isSave: boolean;
  readonly run: () => void;
}

/**
 * One run of one peer: the real core, carried as the node's driver carries it. One input at a time; outputs in order,
 * then the answer, then the events; a save that hangs holds up all that is behind it, and the mail.
 */
export class Process {
  readonly ip: string;
  /** Tells this run apart from all others. */
  readonly number: number;
  readonly core: RaftCore;
  isDiskStalled = false;
  /** Whether mail is taken all the same while the disk stalls: the core allows any input at any time. */
  takesMail = false;
  /** Stopped by its host: nothing runs, mail waits. */
  isStalled = false;
  /** By how many ms its monotonic clock is behind the time of the case. */
  lagMs = 0;
  /** How often it asked for pre-votes or votes. */
  campaigns = 0;
  /** What `isLeader` answered last. */
  leads = false;
  readonly #world: World;
  /** What its disk holds, and of the registry. */
  #state: StoredState | null;
  #kept: KeptData;
  readonly #calls = new Map<number, (result: AnswerOutput['result']) => void>();
  #lastCall = 0;
  #lastForward = 0;
  readonly #mailbox: (() => void)[] = [];
  #steps: Step[] = [];
  #events: string[] = [];
  #shown: string;

  constructor(world: World, setup: Setup, ip: string, disk: Stored | null, number: number) {
    const { rules, bootstrap, strict, leaderTimeouts, registry } = setup;
    const members = setup.joiners.has(ip) ? [] : setup.members;
    const peers = new RaftPeerSet({ local: ip, members, rules });
    const leaderTimeoutMs = leaderTimeouts.get(ip) ?? TIMING.leaderTimeoutMs;
    this.#world = world;
    this.number = number;
    this.ip = ip;
    this.#state = disk;
    this.#kept = kept(disk);
    this.core = new RaftCore({
      peers,
      random: rules === 'nacos' ? () => number / 10 : numbersThenZero(number, disk === null ? 2 : 1),
      timing: { ...TIMING, leaderTimeoutMs },
      stored: disk,
      bootstrap,
      rejoin: strict ? 'strict' : 'majority',
      registry,
      data: disk?.data,
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

  /** What it finds when it is started again. */
  get disk(): Stored | null {
    if (this.#state === null || this.core.datums === null) return this.#state;
    return { ...this.#state, data: this.#kept.copy() };
  }

  /** When its alarm rings, in the time of the case; never while it is held up. */
  get due(): number {
    if (this.#isHeldUp) return Number.POSITIVE_INFINITY;
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
    if (this.#isHeldUp) {
      this.#mailbox.push(() => this.give(head, input, answer));
      return;
    }
    if (head !== null) this.#world.say(`${this.ip} ${head}`);
    const result = input(this.core, this.now);
    this.#showState();
    this.#steps.push(
      ...this.#takeOutputs(),
      { isSave: false, run: () => answer(result) },
      { isSave: false, run: () => this.#tell() },
    );
    this.pump();
  }

  /** The number of the next write that it forwards. */
  nextNumber(): number {
    this.#lastForward++;
    return this.#lastForward;
  }

  /** Takes the outcome of the call that is handed in with the id that this gives. */
  call(then: (result: AnswerOutput['result']) => void): number {
    this.#lastCall++;
    this.#calls.set(this.#lastCall, then);
    return this.#lastCall;
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

  get #isHeldUp(): boolean {
    return this.isStalled || (this.#steps.length > 0 && !this.takesMail);
  }

  #takeOutputs(): readonly Step[] {
    const steps = this.core.takeOutputs().map((output) => ({
      isSave: output.type === 'save',
      run: () => this.#carryOut(output),
    }));
    if (this.isDiskStalled && steps.some(({ isSave }) => isSave))
      this.#world.say(`${this.ip} waits for its disk`);
    return steps;
  }

  #carryOut(output: Output): void {
    if (output.type === 'save') this.#save(output);
    else if (output.type === 'fetchPeer') {
      const { id } = output;
      this.#world.send(this, [output.from], id === undefined ? { type: 'peer' } : { type: 'peer', id });
    } else if (output.type === 'send') {
      if (output.request.type === 'vote') this.campaigns++;
      this.#world.send(this, output.to, output.request);
    } else if (output.type === 'fold') this.#fold(output.seq);
    else if (output.type === 'changes') this.#show(output.changes);
    else if (output.type === 'answer') this.#answered(output);
  }

  #answered({ id, result }: AnswerOutput): void {
    this.#calls.get(id)?.(result);
    this.#calls.delete(id);
  }

  #fold(seq: number): void {
    this.#world.say(`${this.ip} folds up to ${seq}`);
    this.#kept.fold(seq);
  }

  #show(changes: readonly DatumChange[]): void {
    const shown = changes.filter(({ key }) => key !== MEMBERS_KEY);
    if (shown.length > 0) this.#world.say(`${this.ip} shows ${changesText(shown)}`);
  }

  #save({ state, data }: SaveOutput): void {
    const longer =
      state.promisedMs > (this.#state?.promisedMs ?? 0) ? `, promised ${state.promisedMs} ms` : '';
    const batches = data === undefined ? '' : `, ${savedText(data)}`;
    this.#world.say(`${this.ip} saves t${state.term} vote ${state.voteFor ?? '-'}${longer}${batches}`);
    this.#state = state;
    if (data !== undefined) this.#kept = this.#kept.change(copyChanges(data));
    this.core.saved(state, this.now, data);
    this.#showState();
    this.#steps = [...this.#takeOutputs(), ...this.#steps];
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

function kept(disk: Stored | null): KeptData {
  if (disk?.data === undefined) return new KeptData();
  const { base, tail } = disk.data;
  return new KeptData({ ...base, datums: new Map(base.datums) }).change({ append: [...tail] });
}

/** The first draws make numbers that tell processes apart; all others are 0, so that times are whole. */
function numbersThenZero(number: number, draws: number): () => number {
  let left = draws;
  return () => (left-- > 0 ? (number * ROUNDS) / 2 ** 31 : 0);
}
