import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { RaftError } from '../../src/core/errors.js';
import type { StoredState } from '../../src/core/outputs.js';
import { FileStore } from '../../src/stores/file.js';
import { LmdbStore } from '../../src/stores/lmdb.js';
import { MemoryStore } from '../../src/stores/memory.js';
import type { RaftStore } from '../../src/stores/store.js';
import { check } from '../../src/testing/contract.js';
import type { StoreHarness, StorePlace } from '../../src/testing/store-bench.js';
import { storeContract } from '../../src/testing/store-contract.js';
import { makeDirectory } from './places.js';
import { rejectedBy } from './rejected.js';

const memory: StoreHarness = {
  create: async () => ({ open: () => new MemoryStore(), dispose: async () => {} }),
};

const file: StoreHarness = {
  create: async () => {
    const [directory, dispose] = await makeDirectory();
    const path = join(directory, 'state');
    return {
      open: () => new FileStore(path),
      damage: async () => writeFile(path, (await readFile(path, 'utf8')).replace('"term":7', '"term":3')),
      dispose,
    };
  },
};

const lmdb: StoreHarness = {
  create: async () => {
    const [directory, dispose] = await makeDirectory();
    const path = join(directory, 'state.mdb');
    return {
      open: () => new LmdbStore(path),
      damage: () => writeFile(path, 'damaged'.repeat(2_000)),
      dispose,
    };
  },
};

describe('the memory store keeps the contract', () => {
  for (const { name, run } of storeContract(memory)) it(name, run);
});

describe('the file store keeps the contract', () => {
  for (const { name, run } of storeContract(file)) it(name, run);
});

describe('the LMDB store keeps the contract', () => {
  for (const { name, run } of storeContract(lmdb)) it(name, run);
});

const STATE_READ = 'a state changed after it was read leaves the store unaffected';
const STATE_SAVED = 'a state changed after it was saved leaves the store unaffected';
const ANOTHER_IP = 'another ip is refused with STORE_MISMATCH, and the owner can open again';
const SECOND_STORE = 'a second store on a place in use is refused with STORE_IN_USE';
const DAMAGE = 'damage is refused with STORE_CORRUPT, at every open';
const HUNDRED = 'a hundred saves in sequence leave the last one';
const REOPENED = 'a reopened store still has its state, and saves again';

/** What a store may do wrong, and the cases that must reject it. */
const faults = {
  'forgets voteFor': ['what was saved is read back', 'a vote in any letters is kept'],
  'votes for "null" instead of nobody': ['a vote for nobody is kept', 'a save replaces every field'],
  'rounds promisedMs': ['a fraction of a ms is kept', HUNDRED],
  'cuts terms to 32 bits': ['the highest term is kept'],
  'speaks only ASCII': ['a vote in any letters is kept'],
  'takes zeros for emptiness': ['a state of zeros is not an empty place'],
  'gives zeros when empty': [
    'an empty place gives null',
    'a place that was opened and never saved to stays empty',
  ],
  'returns null when corrupt': [DAMAGE],
  'heals a corrupt place by refusing it once': [DAMAGE],
  'loses the last save': ['the last save wins', 'what was saved is read back', REOPENED],
  'keeps the first save': ['the last save wins', HUNDRED, REOPENED],
  'allows two openers': [SECOND_STORE, 'a store that was refused, and closed, leaves the holder in place'],
  'never frees the place': ['a place is free again when its store is closed'],
  'frees the place when a refused store closes': [
    'a store that was refused, and closed, leaves the holder in place',
  ],
  'ignores the ip': [ANOTHER_IP],
  'stays locked after a refused ip': [ANOTHER_IP],
  'keeps the mutable object': [STATE_SAVED, STATE_READ],
  'lends the object that it keeps': [STATE_READ],
  'fails to close twice': ['close is allowed before open, and more than once'],
  'cannot be reopened': [REOPENED, 'a place is free again when its store is closed'],
  'has one place for all': ['two places know nothing of each other'],
} as const;
type Fault = keyof typeof faults;

/** What a place holds; `text` stands for the bytes on a disk. */
interface Disk {
  text: string | null;
  former: string | null;
  kept: StoredState | null;
  ip: string | null;
  holder: object | null;
}

function emptyDisk(): Disk {
  return { text: null, former: null, kept: null, ip: null, holder: null };
}

/** A store that is correct but for its fault. */
class FaultyStore implements RaftStore {
  readonly durable: boolean = true;
  readonly #disk: Disk;
  readonly #fault: Fault | null;
  #ip: string | null = null;
  #closed = false;

  constructor(disk: Disk, fault: Fault | null) {
    this.#disk = disk;
    this.#fault = fault;
  }

  async open(ip: string): Promise<StoredState | null> {
    const [disk, fault] = [this.#disk, this.#fault];
    if (disk.holder !== null && fault !== 'allows two openers') throw new RaftError('STORE_IN_USE', 'in use');
    if (fault === 'cannot be reopened' && this.#closed)
      throw new RaftError('STORE_FAILED', 'closed for good');
    disk.holder = this;
    this.#ip = ip;
    try {
      return this.#read(ip);
    } catch (error) {
      if (fault !== 'stays locked after a refused ip') disk.holder = null;
      throw error;
    }
  }

  #read(ip: string): StoredState | null {
    const [disk, fault] = [this.#disk, this.#fault];
    const zeros = { term: 0, voteFor: null, promisedMs: 0 };
    const text = fault === 'loses the last save' ? disk.former : disk.text;
    if (text === null) return fault === 'gives zeros when empty' ? zeros : null;
    if (text === 'damaged') {
      if (fault === 'returns null when corrupt') return null;
      if (fault === 'heals a corrupt place by refusing it once') disk.text = null;
      throw new RaftError('STORE_CORRUPT', 'damaged');
    }
    if (disk.ip !== ip && fault !== 'ignores the ip') throw new RaftError('STORE_MISMATCH', 'of another');
    if (fault === 'keeps the mutable object' || fault === 'lends the object that it keeps') return disk.kept;
    const state = JSON.parse(text) as StoredState;
    return fault === 'takes zeros for emptiness' && state.term === 0 ? null : state;
  }

  async save(state: StoredState): Promise<void> {
    const disk = this.#disk;
    if (this.#fault === 'keeps the first save' && disk.text !== null) return;
    disk.former = disk.text;
    disk.ip = this.#ip;
    disk.kept = this.#fault === 'keeps the mutable object' ? state : { ...state };
    disk.text = JSON.stringify(this.#bend({ ...state }));
  }

  #bend(state: StoredState): StoredState {
    switch (this.#fault) {
      case 'forgets voteFor':
        return { ...state, voteFor: null };
      case 'votes for "null" instead of nobody':
        return { ...state, voteFor: state.voteFor ?? 'null' };
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

function harnessOf(fault: Fault | null): StoreHarness {
  const shared = emptyDisk();
  return {
    create: async (): Promise<StorePlace> => {
      const disk = fault === 'has one place for all' ? shared : emptyDisk();
      return {
        open: () => new FaultyStore(disk, fault),
        damage: async () => {
          disk.text = 'damaged';
        },
        dispose: async () => {},
      };
    },
  };
}

describe('the contract', () => {
  it('accepts a correct store, so that what is rejected below is rejected for its fault', async () => {
    expect(await rejectedBy(storeContract(harnessOf(null)))).toEqual([]);
  });

  for (const [fault, cases] of Object.entries(faults)) {
    it(`rejects a store that ${fault}`, async () => {
      expect(await rejectedBy(storeContract(harnessOf(fault as Fault)))).toEqual(
        expect.arrayContaining([...cases]),
      );
    });
  }

  it('has no case that rejects none of these stores', async () => {
    const names: string[] = [];
    for (const { name, run } of storeContract(harnessOf(null))) {
      const skip = vi.fn();
      await run({ skip });
      if (skip.mock.calls.length === 0) names.push(name);
    }
    const rejecting = await Promise.all(
      Object.keys(faults).map((fault) => rejectedBy(storeContract(harnessOf(fault as Fault)))),
    );
    expect(new Set(rejecting.flat())).toEqual(new Set(names));
  });

  it('asks no durability of a store that does not claim it', async () => {
    class Forgetful extends FaultyStore {
      override readonly durable = false;
    }
    const harness: StoreHarness = {
      create: async () => ({
        open: () => new Forgetful(emptyDisk(), 'ignores the ip'),
        dispose: async () => {},
      }),
    };
    expect(await rejectedBy(storeContract(harness))).toEqual([]);
  });

  it('closes every store and disposes of every place, also when a case fails', async () => {
    const [places, stores] = [{ made: 0, gone: 0 }, new Set<RaftStore>()];
    class Counted extends FaultyStore {
      override async open(ip: string): Promise<StoredState | null> {
        stores.add(this);
        return super.open(ip);
      }
      override async close(): Promise<void> {
        stores.delete(this);
        await super.close();
      }
    }
    const create = async (): Promise<StorePlace> => {
      const disk = emptyDisk();
      places.made += 1;
      const dispose = async (): Promise<void> => {
        places.gone += 1;
      };
      return { open: () => new Counted(disk, 'loses the last save'), dispose };
    };
    expect(await rejectedBy(storeContract({ create }))).not.toEqual([]);
    expect(stores).toEqual(new Set());
    expect(places.gone).toBe(places.made);
  });

  it('tells what was expected and what came', async () => {
    const failed = storeContract(harnessOf('forgets voteFor')).find(
      ({ name }) => name === 'the last save wins',
    );
    await expect(failed?.run()).rejects.toThrow(
      'expected {"term":9,"voteFor":"c:1","promisedMs":750} after 2 saves and a close, read {"term":9,"voteFor":null,"promisedMs":750}',
    );
    const locked = storeContract(harnessOf('allows two openers')).find(({ name }) => name === SECOND_STORE);
    await expect(locked?.run()).rejects.toThrow(
      'expected STORE_IN_USE from the open of an empty place in use, but it gave null',
    );
  });

  it('checks by throwing the message', () => {
    expect(() => check(true, 'unseen')).not.toThrow();
    expect(() => check(false, 'seen')).toThrow(new Error('seen'));
  });
});
