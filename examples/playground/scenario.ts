import { L, LEASE } from '../../test/core/cluster.js';
import { Scenario } from '../../test/scenarios/commands.js';
import type { Process } from '../../test/scenarios/process.js';
import type { Mail, World } from '../../test/scenarios/world.js';
import { modeOf } from './cluster.js';
import type { LinkFault, MessageKind, MessageView, PeerView, Picture } from './picture.js';
import { readScript, type ScriptLine } from './script.js';
import type { Show } from './show.js';

/** A line that is played takes so long, in ms. */
const LINE_MS = 1_000;

/** What a line that was done came to. */
export interface Outcome {
  readonly happened: readonly string[];
  /** Whether all since the last such answer is as it is written; null: a later line tells. */
  readonly isAsWritten: boolean | null;
  readonly error: string | null;
}

/** A scenario that is stepped through, line by line. */
export class ScenarioShow implements Show {
  readonly lines: readonly ScriptLine[];
  #scenario = new Scenario();
  #outcomes: Outcome[] = [];
  #happened: string[] = [];
  #waitedMs = 0;

  constructor(text: string) {
    this.lines = readScript(text);
    this.#skipNotes();
  }

  /** One for each line that is done. */
  get outcomes(): readonly Outcome[] {
    return this.#outcomes;
  }

  get isAtEnd(): boolean {
    return this.#outcomes.length >= this.lines.length || this.#outcomes.at(-1)?.error != null;
  }

  get picture(): Picture {
    const { world } = this.#scenario;
    return {
      now: world?.now ?? 0,
      leaderTimeoutMs: L,
      leaseMs: LEASE,
      peers: world === null ? [] : world.ips.map((ip) => viewOf(ip, world.processes.get(ip))),
      messages: world === null ? [] : world.mail.map((mail, at) => messageOf(mail, at, world)),
      faults: new Set(),
      hasFault: (fault: LinkFault, from, to) =>
        fault === 'cut' && world !== null && world.cuts.has(`${from}->${to}`),
    };
  }

  async advance(realMs: number): Promise<boolean> {
    this.#waitedMs += realMs;
    if (this.#waitedMs < LINE_MS) return true;
    this.#waitedMs = 0;
    await this.step();
    return !this.isAtEnd;
  }

  async step(): Promise<void> {
    const line = this.lines[this.#outcomes.length];
    if (line === undefined || this.isAtEnd) return;
    this.#outcomes.push(this.#do(line));
    this.#skipNotes();
  }

  async back(): Promise<void> {
    const commands = this.#outcomes.filter((_, at) => this.lines[at]?.isNote === false).length;
    await this.goTo(commands - 1);
  }

  restart(): Promise<void> {
    return this.goTo(0);
  }

  /** After that many commands. */
  async goTo(commands: number): Promise<void> {
    this.#scenario = new Scenario();
    this.#outcomes = [];
    this.#happened = [];
    this.#skipNotes();
    for (let done = 0; done < commands; done++) await this.step();
  }

  #skipNotes(): void {
    while (this.lines[this.#outcomes.length]?.isNote === true)
      this.#outcomes.push({ happened: [], isAsWritten: null, error: null });
  }

  #do({ text, expected }: ScriptLine): Outcome {
    try {
      const happened = this.#scenario.run(text);
      this.#happened.push(...happened);
      if (expected === null) return { happened, isAsWritten: null, error: null };
      const all = this.#happened.length === 0 ? ['ok'] : this.#happened;
      this.#happened = [];
      return { happened, isAsWritten: all.join('\n') === expected.join('\n'), error: null };
    } catch (error) {
      return {
        happened: [],
        isAsWritten: null,
        error: error instanceof Error ? error.message : String(error),
      };
    }
  }
}

function viewOf(ip: string, process: Process | undefined): PeerView {
  const self = process?.core.peers.self;
  return {
    ip,
    mode: self === undefined ? 'down' : process?.leads === true ? 'leads' : modeOf(self),
    isStopped: process?.isStalled ?? false,
    term: self?.term ?? 0,
    voteFor: self?.voteFor ?? null,
    leader: process?.core.peers.leader?.ip ?? null,
    isLeader: process?.leads ?? false,
    leaseLeftMs: process?.core.leaseLeftMs(process.now) ?? 0,
    boundTo: null,
    boundMs: 0,
  };
}

/** One that is held stays half way. */
function messageOf(
  { at, from, to, kind, isAnswer, text }: Mail,
  number: number,
  { now }: World,
): MessageView {
  const arrivesAt = Number.isFinite(at) ? at : now + 1;
  return {
    ...{ number, from, to, text, arrivesAt },
    kind: kindOf(kind, isAnswer, text),
    sentAt: Number.isFinite(at) ? Math.min(at - 1, now) : now - 1,
    lostAt: Number.POSITIVE_INFINITY,
  };
}

function kindOf(kind: Mail['kind'], isAnswer: boolean, text: string): MessageKind {
  if (isAnswer) return /: (granted|acknowledged)/.test(text) ? 'yes' : 'no';
  return kind === 'beat' || kind === 'pre-vote' || kind === 'vote' || kind === 'order' ? kind : 'other';
}
