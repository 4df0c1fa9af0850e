import { readFile, writeFile } from 'node:fs/promises';
import { type GroupStore, MemoryGroupStore, RaftError, type StoredState } from 'raftbeat';
import { FileGroupStore } from 'raftbeat/file';
import { groupStoreContract, type StoreHarness } from 'raftbeat/testing';
import { describe, expect, it, vi } from 'vitest';
import { makeDirectory } from './places.js';
import { rejectedBy } from './rejected.js';

const memory: StoreHarness<GroupStore> = {
  create: async () => ({ open: () => new MemoryGroupStore(), dispose: async () => {} }),
};

/** One that writes its log anew all the time, or never. */
const file = (compactAfterBytes: number): StoreHarness<GroupStore> => ({
  create: async () => {
    const [directory, dispose] = await makeDirectory();
    const { path } = new FileGroupStore(directory);
    return {
      open: () => new FileGroupStore(directory, { compactAfterBytes }),
      damage: async () => writeFile(path, (await readFile(path, 'utf8')).replace('"one",7', '"one",3')),
      dispose,
    };
  },
});

describe('the memory store of groups keeps the contract', () => {
  for (const { name, run } of groupStoreContract(memory)) it(name, run);
});

describe('the file store of groups keeps the contract', () => {
  for (const { name, run } of groupStoreContract(file(Number.POSITIVE_INFINITY))) it(name, run);
});

describe('the file store of groups that is written anew all the time keeps the contract', () => {
  for (const { name, run } of groupStoreContract(file(0))) it(name, run);
});

const STATE_READ = 'states changed after they were read leave the store unaffected';
const STATE_SAVED = 'states changed after they were saved leave the store unaffected';
const ANOTHER_IP = 'another ip is refused with STORE_MISMATCH, and the owner can open again';
const SECOND_STORE = 'a second store on a place in use is refused with STORE_IN_USE';
const DAMAGE = 'damage is refused with STORE_CORRUPT, at every open';
const EACH = 'what was saved of each group is read back';
const LAST = 'the last save of each group wins';
const FIELDS = 'a save replaces every field';
const NAMES = 'names in any letters, of up to 256 characters, are kept apart';
const NUMBERS = 'the highest term, and a fraction of a ms, are kept';
const THOUSAND = 'a thousand saves in sequence leave the last of each group';
const MANY = 'ten thousand groups are kept';
const OVERLAP = 'saves that overlap are done in their order';

/** What a store may do wrong, and the cases that must reject it. */
const faults = {
  'forgets voteFor': [EACH, LAST, 'a vote in any letters is kept'],
  'forgets learner': [EACH],
  'keeps the learner that is gone': [FIELDS],
  'rounds promisedMs': [NUMBERS],
  'cuts terms to 32 bits': [NUMBERS],
  'speaks only ASCII': ['a vote in any letters is kept', NAMES],
  'takes zeros for emptiness': ['a state of zeros is not the lack of a group', FIELDS],
  'has a group when empty': [
    'an empty place gives no groups',
    'a place that was opened and never saved to stays empty',
  ],
  'keeps only one group of a save': [EACH, MANY],
  'forgets the groups that a save does not name': [
    'a save leaves the groups that it does not name',
    'a save of no groups changes nothing',
  ],
  'takes a save of no groups for a reset': ['a save of no groups changes nothing'],
  'keeps the first save of a group': [LAST, FIELDS, THOUSAND],
  'loses every hundredth save': [THOUSAND],
  'cuts names to 255 characters': [NAMES],
  'takes letters for their lower case': [NAMES],
  'keeps names in an object': [NAMES],
  'has room for 9,999 groups': [MANY],
  'does saves that overlap in any order': [OVERLAP],
  'drops a save that overlaps another': [OVERLAP],
  'keeps the mutable object': [STATE_SAVED, STATE_READ],
  'reads what it saves only later': [STATE_SAVED],
  'lends the object that it keeps': [STATE_READ],
  'returns nothing when corrupt': [DAMAGE],
  'heals a corrupt place by refusing it once': [DAMAGE],
  'allows two openers': [SECOND_STORE, 'a store that was refused, and closed, leaves the holder in place'],
  'never frees the place': ['a place is free again when its store is closed'],
  'frees the place when a refused store closes': [
    'a store that was refused, and closed, leaves the holder in place',
  ],
  'ignores the ip': [ANOTHER_IP],
  'stays locked after a refused ip': [ANOTHER_IP],
  'fails to close twice': ['close is allowed before open, and more than once'],
  'cannot be reopened': ['a reopened store still has its state, and saves again'],
  'has one place for all': ['two places know nothing of each other'],
} as const;
type Fault = keyof typeof faults;

/** What a place holds. */
interface Disk {
  states: Map<string, StoredState>;
  saves: number;
  isDamaged: boolean;
  ip: string | null;
  holder: object | null;
}

function emptyDisk(): Disk {
  return { states: new Map(), saves: 0, isDamaged: false, ip: null, holder: null };
}

/** A store that is correct but for its fault. */
class FaultyStore implements GroupStore {
  readonly durable: boolean = true;
  readonly #disk: Disk;
  readonly #fault: Fault | null;
  #saving: Promise<void> = Promise.resolve();
  #underWay = 0;
  #closed = false;

  constructor(disk: Disk, fault: Fault | null) {
    this.#disk = disk;
    this.#fault = fault;
  }

  async open(ip: string): Promise<ReadonlyMap<string, StoredState>> {
    const [disk, fault] = [this.#disk, this.#fault];
    if (disk.holder !== null && fault !== 'allows two openers') throw new RaftError('STORE_IN_USE', 'in use');
    if (fault === 'cannot be reopened' && this.#closed)
      throw new RaftError('STORE_FAILED', 'closed for good');
    disk.holder = this;
    try {
      return this.#read(ip);
    } catch (error) {
      if (fault !== 'stays locked after a refused ip') disk.holder = null;
      throw error;
    }
  }

  #read(ip: string): ReadonlyMap<string, StoredState> {
    const [disk, fault] = [this.#disk, this.#fault];
    if (disk.isDamaged) {
      if (fault === 'returns nothing when corrupt') return new Map();
      if (fault === 'heals a corrupt place by refusing it once') disk.isDamaged = false;
      throw new RaftError('STORE_CORRUPT', 'damaged');
    }
    if (fault !== 'ignores the ip' && disk.ip !== null && disk.ip !== ip)
      throw new RaftError('STORE_MISMATCH', 'of another');
    disk.ip = ip;
    if (fault === 'keeps the mutable object' || fault === 'lends the object that it keeps')
      return disk.states;
    const read = structuredClone(disk.states);
    if (fault === 'has a group when empty' && read.size === 0)
      read.set('', { term: 0, voteFor: null, promisedMs: 0 });
    if (fault !== 'takes zeros for emptiness') return read;
    return new Map([...read].filter(([, { term }]) => term > 0));
  }

  save(states: ReadonlyMap<string, StoredState>): Promise<void> {
    const fault = this.#fault;
    const isByReference = fault === 'keeps the mutable object' || fault === 'reads what it saves only later';
    const own = isByReference ? states : structuredClone(states);
    if (fault === 'drops a save that overlaps another' && this.#underWay > 0) return Promise.resolve();
    this.#underWay += 1;
    const former = fault === 'does saves that overlap in any order' ? this.#later(states) : this.#saving;
    this.#saving = former.then(() => {
      this.#underWay -= 1;
      this.#put(own);
    });
    return this.#saving;
  }

  /** The more groups, the later. */
  async #later({ size }: ReadonlyMap<string, StoredState>): Promise<void> {
    if (this.#underWay > 1 || size === 20) for (let turns = 0; turns < size; turns += 1) await null;
  }

  #put(states: ReadonlyMap<string, StoredState>): void {
    const [disk, fault] = [this.#disk, this.#fault];
    disk.saves += 1;
    if (fault === 'loses every hundredth save' && disk.saves % 100 === 0) return;
    const isReset =
      fault === 'forgets the groups that a save does not name' ||
      (fault === 'takes a save of no groups for a reset' && states.size === 0);
    if (isReset) disk.states = new Map();
    for (const [name, state] of states) {
      const kept = this.#nameOf(name);
      if (fault === 'keeps the first save of a group' && disk.states.has(kept)) continue;
      if (fault === 'has room for 9,999 groups' && disk.states.size === 9_999) continue;
      if (fault === 'keeps names in an object' && kept in {}) continue;
      disk.states.set(kept, this.#bend(state, disk.states.get(kept)));
      if (fault === 'keeps only one group of a save') break;
    }
  }

  #nameOf(name: string): string {
    switch (this.#fault) {
      case 'cuts names to 255 characters':
        return name.slice(0, 255);
      case 'takes letters for their lower case':
        return name.toLowerCase();
      case 'speaks only ASCII':
        return name.replace(/[^\x20-\x7e]/g, '?');
      default:
        return name;
    }
  }

  #bend(state: StoredState, former: StoredState | undefined): StoredState {
    const { learner: _, ...others } = state;
    switch (this.#fault) {
      case 'forgets voteFor':
        return { ...state, voteFor: null };
      case 'forgets learner':
        return others;
      case 'keeps the learner that is gone':
        return { ...former, ...state };
      case 'rounds promisedMs':
        return { ...state, promisedMs: Math.round(state.promisedMs) };
      case 'cuts terms to 32 bits':
        return { ...state, term: state.term >>> 0 };
      case 'speaks only ASCII':
        return { ...state, voteFor: state.voteFor?.replace(/[^\x20-\x7e]/g, '?') ?? null };
      default:
        return state;
    }
  }

  async close(): Promise<void> {
    const [disk, fault] = [this.#disk, this.#fault];
    if (fault === 'fails to close twice' && this.#closed)
      throw new RaftError('STORE_FAILED', 'closed already');
    this.#closed = true;
    const frees = disk.holder === this || fault === 'frees the place when a refused store closes';
    if (frees && fault !== 'never frees the place') disk.holder = null;
  }
}

function harnessOf(fault: Fault | null): StoreHarness<GroupStore> {
  const shared = emptyDisk();
  return {
    create: async () => {
      const disk = fault === 'has one place for all' ? shared : emptyDisk();
      return {
        open: () => new FaultyStore(disk, fault),
        damage: async () => {
          disk.isDamaged = true;
        },
        dispose: async () => {},
      };
    },
  };
}

describe('the contract of stores of groups', () => {
  it('accepts a correct store, so that what is rejected below is rejected for its fault', async () => {
    expect(await rejectedBy(groupStoreContract(harnessOf(null)))).toEqual([]);
  });

  for (const [fault, cases] of Object.entries(faults)) {
    it(`rejects a store that ${fault}`, async () => {
      expect(await rejectedBy(groupStoreContract(harnessOf(fault as Fault)))).toEqual(
        expect.arrayContaining([...cases]),
      );
    });
  }

  it('has no case that rejects none of these stores, and skips none', async () => {
    const skip = vi.fn();
    const cases = groupStoreContract(harnessOf(null));
    for (const { run } of cases) await run({ skip });
    expect(skip).not.toHaveBeenCalled();
    const rejecting = new Set<string>();
    for (const fault of Object.keys(faults)) {
      for (const name of await rejectedBy(groupStoreContract(harnessOf(fault as Fault)))) rejecting.add(name);
    }
    expect(rejecting).toEqual(new Set(cases.map(({ name }) => name)));
  });

  it('tells what was expected and what came', async () => {
    const failed = groupStoreContract(harnessOf('forgets voteFor')).find(({ name }) => name === EACH);
    await expect(failed?.run()).rejects.toThrow(
      'expected {"term":7,"voteFor":"b:1","promisedMs":500} after 1 saves and a close, of the group "one", read {"term":7,"voteFor":null,"promisedMs":500}',
    );
  });
});
