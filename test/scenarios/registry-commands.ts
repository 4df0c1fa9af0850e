import { RaftError } from 'raftbeat';
import type { MemberChange } from '../../src/core/members.js';
import type { ForwardedWrite } from '../../src/core/messages.js';
import type { AnswerOutput } from '../../src/core/outputs.js';
import { heldText, resultText, writeText } from './data-text.js';
import type { Process } from './process.js';
import type { Command, World } from './world.js';

/** What is done with a registry (protocol, section 4). */
export const REGISTRY_COMMANDS: Readonly<Record<string, Command>> = {
  /** `publish a k v [if 3]`: somebody publishes at a, which forwards it if another leads. */
  publish: (world, [ip = '', key = '', value, ...words]) => {
    write(world, ip, { key, value: JSON.stringify(value), ...condition(words) });
  },
  /** `remove a k [if 3]`: somebody removes at a. */
  remove: (world, [ip = '', key = '', ...words]) =>
    write(world, ip, { key, value: null, ...condition(words) }),
  /** `read a k`: somebody reads at a, linearizably; only a leader answers. */
  read: (world, [ip = '', key = '']) => {
    const process = world.process(ip);
    const id = process.call(tell(world, process, `read ${key}`));
    give(world, process, `read ${key}`, (core, now) => core.read(id, key, now));
  },
  /** `member a add d`, `member a promote d`, `member a remove d`: somebody changes the members at a, which leads. */
  member: (world, [ip = '', action, other = '']) => {
    const process = world.process(ip);
    const what = `${action} ${other}`;
    const id = process.call(tell(world, process, what));
    const { term } = process.core.peers.self;
    const change = action === 'add' ? addition(world, other) : ({ action, ip: other } as MemberChange);
    give(world, process, what, (core, now) => core.changeMembers({ id, change, term }, now));
  },
  /** `data [a]`: what each holds. */
  data: (world, words) => {
    for (const { ip, core } of world.processes.values()) {
      if (words.length > 0 && !words.includes(ip)) continue;
      world.say(`${ip}: ${core.datums === null ? 'no registry' : heldText(core.datums)}`);
    }
  },
};

type WriteWords = Omit<ForwardedWrite, 'number'>;

function write(world: World, ip: string, asked: WriteWords): void {
  const process = world.process(ip);
  const { self, leader } = process.core.peers;
  const what = writeText(asked);
  if (self.state !== 'LEADER' && leader !== null && leader.ip !== ip) {
    const writes = [{ number: process.nextNumber(), ...asked }];
    world.send(process, [leader.ip], { type: 'writes', process: process.number, term: leader.term, writes });
    return;
  }
  const id = process.call(tell(world, process, what));
  give(world, process, what, (core, now) => core.write([{ ...asked, id }], now));
}

function tell(world: World, { ip }: Process, what: string): (result: AnswerOutput['result']) => void {
  return (result) => world.say(`${ip} tells of ${what}: ${resultText(result)}`);
}

/** A call; what refuses it is told. */
function give(world: World, process: Process, what: string, input: Parameters<Process['give']>[1]): void {
  process.give(
    `is asked: ${what}`,
    (core, now) => {
      try {
        input(core, now);
        return null;
      } catch (error) {
        if (error instanceof RaftError && error.code !== 'INTERNAL') return error;
        throw error;
      }
    },
    (error) => {
      if (error !== null) tell(world, process, what)(error);
    },
  );
}

/** Who is added says whether it found its store empty. */
function addition(world: World, ip: string): MemberChange {
  const { learner, rejoinId } = world.process(ip).core.getPeer(world.now);
  const id = learner ?? rejoinId;
  return id === undefined ? { action: 'add', ip } : { action: 'add', ip, learner: id };
}

function condition([word, timestamp]: readonly string[]): { readonly ifTimestamp?: number } {
  return word === 'if' ? { ifTimestamp: Number(timestamp) } : {};
}
