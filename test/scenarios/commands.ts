import type { Member, RaftRequest, RulesName } from 'raftbeat';
import { REGISTRY_LIMITS } from '../../src/core/registry.js';
import type { Stored } from '../../src/stores/store.js';
import { IN_USE, L, peer } from '../core/cluster.js';
import type { Setup } from './process.js';
import { REGISTRY_COMMANDS } from './registry-commands.js';
import { answerText, KINDS, stateText } from './text.js';
import { type Command, type Filter, fits, type Mail, World } from './world.js';

/** A case: at first nothing, after `peers` a world. */
export class Scenario {
  #world: World | null = null;

  /** Null before there are peers. */
  get world(): World | null {
    return this.#world;
  }

  /** Carries out one line; returns what happened. */
  run(line: string): readonly string[] {
    const [first = '', ...rest] = line.split(/\s+/);
    if (first === 'quietly') {
      this.run(rest.join(' '));
      return this.run('show');
    }
    if (first === 'peers') return this.#peers(rest);
    const command = COMMANDS[first];
    if (command === undefined) throw new Error(`no such command: ${line}`);
    const world = this.#world;
    if (world === null) throw new Error(`there are no peers yet: ${line}`);
    world.log.countsBeats = COUNTING.has(first);
    world.step(() => {});
    command(world, rest);
    world.step(() => {});
    return world.log.take();
  }

  #peers(words: readonly string[]): readonly string[] {
    const { setup, empty, down, disk } = readPeers(words);
    const world = new World(setup);
    this.#world = world;
    for (const ip of world.ips) {
      if (!down.has(ip)) world.start(ip, empty.has(ip) || setup.joiners.has(ip) ? null : disk);
    }
    return world.log.take();
  }
}

/** In these, beats after which nothing is different are only counted. */
const COUNTING: ReadonlySet<string> = new Set(['run', 'elect', 'stall', 'suspend']);

const COMMANDS: Readonly<Record<string, Command>> = {
  ...REGISTRY_COMMANDS,
  /** `run 100`: time passes; mail arrives 1 ms after it was sent, alarms ring. */
  run: (world, [ms]) => world.run(Number(ms)),
  /** `elect [a]`: time passes until somebody, or `a`, leads. */
  elect: (world, [ip]) => {
    const isDone = (): boolean => (ip === undefined ? world.leaders.length > 0 : world.leaders.includes(ip));
    world.run(10 * L, isDone);
    if (!isDone()) world.say('nobody is elected');
  },
  /** `timeout a`: time passes for a alone until it asks for votes; other alarms are late, mail waits. */
  timeout: (world, [ip = '']) => {
    const process = world.process(ip);
    const { campaigns } = process;
    const waits = (): boolean => process.campaigns === campaigns && Number.isFinite(process.due);
    for (let rings = 0; rings < 100 && waits(); rings++) ring(world, ip);
    if (process.campaigns === campaigns) world.say(`${ip} never comes up for election`);
  },
  /** `beat a`: time passes for a alone until its alarm rings. */
  beat: (world, [ip = '']) => ring(world, ip),
  /** `deliver [a->b] [vote] [answer] [newest]`: what is under way now, or the newest of it, arrives now. */
  deliver: (world, words) => {
    for (const mail of underWay(world, words)) world.arrive(mail);
  },
  /** `settle`: everything under way arrives, and what comes of it, without any time passing. */
  settle: (world) => {
    for (let next = arriving(world); next !== undefined; next = arriving(world)) world.arrive(next);
  },
  /** `drop [a->b] [vote] [answer]`: what is under way now is lost. */
  drop: (world, words) => {
    for (const mail of underWay(world, words)) {
      world.say(`lost: ${mailText(mail)}`);
      world.mail = world.mail.filter((other) => other !== mail);
    }
  },
  /** `again [a->b] [vote] [answer]`: the newest of these that arrived arrives once more. */
  again: (world, words) => {
    const mail = world.arrived.findLast((arrived) => fits(readFilter(words), arrived));
    if (mail === undefined) throw new Error(`nothing arrived: ${words.join(' ')}`);
    world.step(mail.deliver);
  },
  /** `hold a->b [vote] [answer]`: from now on these are late, until they are delivered or dropped. */
  hold: (world, words) => {
    world.holds.push(readFilter(words));
  },
  /** `release`: nothing more is held; what was held stays late until it is delivered or dropped. */
  release: (world) => {
    world.holds.length = 0;
  },
  /** `cut a->b`: what a sends to b from now on is lost. */
  cut: (world, words) => {
    for (const line of words) world.cuts.add(line);
  },
  /** `isolate a`: all lines of a are cut, both ways. */
  isolate: (world, words) => {
    for (const ip of words) {
      for (const other of world.ips) {
        world.cuts.add(`${ip}->${other}`).add(`${other}->${ip}`);
      }
    }
  },
  /** `heal [a->b]`: that line, or all lines, carry again. */
  heal: (world, words) => {
    if (words.length === 0) world.cuts.clear();
    for (const line of words) world.cuts.delete(line);
  },
  /** `stall a 600`: the process stands still, and so does nothing else; then it reads its mail, then its alarm. */
  stall: (world, [ip = '', ms]) => stopped(world, ip, Number(ms), 0),
  /** `suspend a 600`: as `stall`, and its monotonic clock stands still, too; the wall clock tells. */
  suspend: (world, [ip = '', ms]) => stopped(world, ip, Number(ms), Number(ms)),
  /** `wallclock a 600`: the wall clock of a jumps forward. */
  wallclock: (world, [ip = '', ms]) => world.process(ip).core.wallClockGained(Number(ms)),
  /** `kill a`: the process is gone; its disk stays. */
  kill: (world, words) => {
    for (const ip of words) world.processes.delete(ip);
  },
  /** `start a`: one that was down begins, with an empty store. */
  start: (world, words) => {
    for (const ip of words) {
      world.say(`${ip} starts with an empty store`);
      world.start(ip, null);
    }
  },
  /** `restart a [wiped] [term 3] [vote b]`: the process ends and begins anew, with its disk as said. */
  restart: (world, [ip = '', ...words]) => {
    const { disk } = world.process(ip);
    world.processes.delete(ip);
    const altered = alter(disk, words);
    const what =
      altered === null ? 'with an empty store' : `at t${altered.term} vote ${altered.voteFor ?? '-'}`;
    world.say(`${ip} starts ${what}`);
    world.start(ip, altered);
  },
  /** `transfer a [b]`: somebody asks a to hand over. */
  transfer: (world, [ip = '', to]) => {
    const process = world.process(ip);
    process.give(
      `is asked to hand over${to === undefined ? '' : ` to ${to}`}`,
      (core, now) => attempt(() => core.resign(now, to)),
      (outcome) => world.say(`${ip} ${outcome}`),
    );
  },
  /** `disk a stall|lag|go`: saves of a do not end; when they lag, mail is taken meanwhile. */
  disk: (world, [ip = '', what]) => {
    const process = world.process(ip);
    process.isDiskStalled = what !== 'go';
    process.takesMail = what === 'lag';
    if (!process.isDiskStalled) world.step(() => process.pump());
  },
  /** `forge x->a beat t3 [L 2000] [by-order]`: a message as if x had sent it, at once. */
  forge: (world, [line = '', ...words]) => {
    const [from = '', to = ''] = line.split('->');
    const request = forged(from, words);
    const answered = (answer: Parameters<typeof answerText>[1]): void => {
      if (!world.processes.has(from)) world.say(`nobody hears ${answerText(request, answer)}`);
    };
    world.step(() => world.deliverTo(world.process(to), from, request, answered));
  },
  /** `show [a]`: what each is, whom it follows, and when it comes up for election. */
  show: (world, words) => {
    for (const process of world.processes.values()) {
      if (words.length > 0 && !words.includes(process.ip)) continue;
      const { core, now } = process;
      const leader = core.peers.leader === null ? 'no leader' : `leader ${core.peers.leader.ip}`;
      const rest = core.rejoining ? ', rejoining' : core.isLeader(now) ? ', leads' : '';
      world.say(`${process.ip}: ${stateText(core.peers.self)}, ${leader}${rest}`);
    }
  },
  /** `view a`: what a knows of the others. */
  view: (world, [ip = '']) => {
    for (const other of world.process(ip).core.peers.allPeers()) {
      if (other.ip !== ip) world.say(`${ip} knows ${other.ip}: ${stateText(other)}`);
    }
  },
  /** `mail`: what is under way. */
  mail: (world) => {
    for (const mail of world.mail) world.say(`under way: ${mailText(mail)}`);
  },
};

function ring(world: World, ip: string): void {
  const process = world.process(ip);
  world.now = process.due;
  world.step(() => process.tick());
}

function underWay(world: World, words: readonly string[]): readonly Mail[] {
  const filter = readFilter(words);
  const found = world.mail.filter((mail) => fits(filter, mail));
  if (found.length === 0) world.say(`nothing is under way: ${words.join(' ')}`);
  return words.includes('newest') ? found.slice(-1) : found;
}

/** What arrives next of all that is not held. */
function arriving(world: World): Mail | undefined {
  return world.mail.find((mail) => Number.isFinite(mail.at));
}

function mailText({ from, to, text, isAnswer }: Mail): string {
  return `${from} -> ${to} ${text}${isAnswer ? '' : ' (asks)'}`;
}

function stopped(world: World, ip: string, ms: number, lagMs: number): void {
  const process = world.process(ip);
  process.isStalled = true;
  world.run(ms);
  process.lagMs += lagMs;
  world.step(() => {
    if (lagMs > 0) process.core.wallClockGained(lagMs);
    world.say(
      `${ip} goes on; asked at once, it says ${process.core.isLeader(process.now) ? '' : 'not '}to lead`,
    );
    process.wake();
    if (process.due <= world.now) process.tick();
  });
}

function attempt(act: () => string): string {
  try {
    return `ordered ${act()}`;
  } catch (error) {
    return `refuses: ${(error as { readonly code: string }).code}`;
  }
}

function alter(disk: Stored | null, words: readonly string[]): Stored | null {
  if (words.includes('wiped') || disk === null) return null;
  const term = after(words, 'term');
  const vote = after(words, 'vote');
  return {
    ...disk,
    ...(term === undefined ? {} : { term: Number(term) }),
    ...(vote === undefined ? {} : { voteFor: vote === '-' ? null : vote }),
  };
}

function after(words: readonly string[], name: string): string | undefined {
  return words.includes(name) ? words[words.indexOf(name) + 1] : undefined;
}

function forged(from: string, [kind, ...words]: readonly string[]): RaftRequest {
  const term = Number(words.find((word) => /^t\d+$/.test(word))?.slice(1));
  const byOrder = words.includes('by-order') ? { transfer: true } : {};
  const promised = after(words, 'L');
  switch (kind) {
    case 'beat': {
      const beat = {
        type: kind,
        peer: peer(from, { state: 'LEADER', term, voteFor: from }),
        datums: [],
      } as const;
      return promised === undefined ? beat : { ...beat, leaderTimeoutMs: Number(promised) };
    }
    case 'vote':
      return { type: 'vote', peer: peer(from, { state: 'CANDIDATE', term, voteFor: from }), ...byOrder };
    case 'pre-vote':
      return { type: 'vote', peer: peer(from, { term }), preVote: true, round: 1 };
    case 'order':
      return { type: 'transfer', peer: peer(from, { term }) };
    default:
      return { type: 'peer' };
  }
}

function readFilter(words: readonly string[]): Filter {
  const line = words.find((word) => word.includes('->'));
  const [from = '', to = ''] = line?.split('->') ?? [];
  const kind = words.find((word) => (KINDS as readonly string[]).includes(word));
  return {
    ...(from === '' ? {} : { from }),
    ...(to === '' ? {} : { to }),
    ...(kind === undefined ? {} : { kind }),
    ...(words.includes('answer') ? { isAnswer: true } : {}),
    ...(words.includes('request') ? { isAnswer: false } : {}),
  };
}

interface PeersCommand {
  readonly setup: Setup;
  readonly empty: ReadonlySet<string>;
  readonly down: ReadonlySet<string>;
  readonly disk: Stored;
}

/**
 * `peers a b c [observer d] [priority a=2] [L a=3000] [term 3] [empty a b] [down c] [rules nacos] [bootstrap] [strict]
 * [registry maxHistorySize=400] [joiner e]`: one that is to join knows no members.
 */
function readPeers(words: readonly string[]): PeersCommand {
  const lists = new Map<string, string[]>();
  let list: string[] = [];
  lists.set('voter', list);
  for (const word of words) {
    if (KEYWORDS.has(word)) {
      list = [];
      lists.set(word, list);
    } else list.push(word);
  }
  const listed = (name: string): readonly string[] => lists.get(name) ?? [];
  const priorities = readPairs(listed('priority'));
  const observers = new Set(listed('observer'));
  const members: Member[] = [...listed('voter'), ...observers].map((ip) => ({
    ip,
    priority: priorities.get(ip) ?? 1,
    observer: observers.has(ip),
  }));
  return {
    setup: {
      members,
      rules: (listed('rules')[0] ?? 'raftbeat') as RulesName,
      bootstrap: lists.has('bootstrap'),
      strict: lists.has('strict'),
      leaderTimeouts: readPairs(listed('L')),
      registry: lists.has('registry')
        ? { ...REGISTRY_LIMITS, ...Object.fromEntries(readPairs(listed('registry'))) }
        : undefined,
      joiners: new Set(listed('joiner')),
    },
    empty: new Set(listed('empty')),
    down: new Set(listed('down')),
    disk: { ...IN_USE, term: Number(listed('term')[0] ?? 0) },
  };
}

const KEYWORDS: ReadonlySet<string> = new Set([
  ...['observer', 'priority', 'L', 'term', 'empty', 'down', 'rules', 'bootstrap', 'strict'],
  ...['registry', 'joiner'],
]);

function readPairs(words: readonly string[]): ReadonlyMap<string, number> {
  return new Map(
    words.map((word) => {
      const [ip = '', value] = word.split('=');
      return [ip, Number(value)];
    }),
  );
}
