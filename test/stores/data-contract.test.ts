import { describe, expect, it } from 'vitest';
import type { Batch, DataChanges, Op, StoredDatum } from '../../src/core/datum.js';
import type { Revision } from '../../src/core/messages.js';
import type { StoredState } from '../../src/core/outputs.js';
import type { RaftStore, Stored } from '../../src/stores/store.js';
import type { ContractCase } from '../../src/testing/contract.js';
import type { StoreHarness } from '../../src/testing/store-bench.js';
import { storeContract } from '../../src/testing/store-contract.js';
import { rejectedBy } from './rejected.js';

const ORDER = 'batches are read back in their order';
const SEVERAL = 'one save appends several batches';
const CUT = 'a cut removes the batches from there on';
const REPLACED = 'a base replaces the former base and the whole tail';
const NEW_BASE = 'a base takes its place before what the same save appends';
const FOLDED = 'what is folded is in the base, with the batch that set it';
const REMOVAL = 'a removal that is folded removes the key, and keeps its timestamp from coming back';
const REOPENED = 'the tail goes on from the base without a gap, whenever the store is reopened';
const KEYS = 'keys in any letters are kept';
const VALUES = 'values are kept to the letter';
const MANY = 'a thousand datums and a hundred batches are kept';

/** What a store may do wrong with data, and the cases that must reject it. */
const faults = {
  'gives data where none was saved': ['a store that was given no data has none'],
  'keeps no data': [ORDER, FOLDED, MANY],
  'appends before the tail': [ORDER],
  'appends only the first batch of a save': [SEVERAL, MANY],
  'loses the last save': [ORDER, SEVERAL, REOPENED],
  'drops batches without ops': ['a batch without ops is kept'],
  'ignores cuts': [CUT, 'what is appended takes the place of what the same save cuts'],
  'cuts one batch too many': [CUT, REOPENED],
  'cuts all when the cut is beyond the end': ['a cut beyond the end removes nothing'],
  'cuts after it appends': ['what is appended takes the place of what the same save cuts'],
  'counts a cut from the first batch': ['a cut leaves what is folded', REOPENED],
  'keeps the tail when the base is replaced': [REPLACED, NEW_BASE],
  'keeps former datums when the base is replaced': [REPLACED],
  'replaces the base after it appends': [NEW_BASE],
  'loses what it folds': [FOLDED, REOPENED],
  'keeps in the tail what it folds': [FOLDED, REOPENED],
  'folds one batch too many': [FOLDED, 'a fold that comes again, or too late, changes nothing'],
  'folds a count of batches': ['a fold that comes again, or too late, changes nothing'],
  'gives folded datums the revision of the base': [REPLACED, FOLDED],
  'keeps removed keys': [REMOVAL],
  'forgets the timestamps of removals': [REMOVAL],
  'forgets the stamp floor of a base': [REPLACED],
  'trims keys': [KEYS],
  'keeps keys in UTF-8': [KEYS],
  'keeps datums in a plain object': [KEYS],
  'parses values': [VALUES],
  'keeps values in ASCII': [VALUES],
  'cuts values at 64 KiB': [VALUES],
  'cuts numbers to 32 bits': ['the highest numbers are kept'],
  'has room for a hundred datums': [MANY],
  'forgets the data when the state is saved alone': ['a save of the state alone leaves the data'],
  'forgets the state that comes with data': ['a save of data keeps the state that came with it'],
  'saves what it was given when it comes to it': [
    'a map and a list that were changed after the save leave the store unaffected',
  ],
  'lends its map': ['a map and a list that were changed after they were read leave the store unaffected'],
} as const;
type Fault = keyof typeof faults;

interface Data {
  revision: Revision;
  stampFloor: number;
  datums: readonly StoredDatum[];
  tail: readonly Batch[];
}

/** What a place holds, as text. */
interface Disk {
  state: StoredState | null;
  data: string | null;
  former: string | null;
  lent: Stored | null;
}

const NOTHING: Data = { revision: { term: 0, seq: 0 }, stampFloor: 0, datums: [], tail: [] };

/** A store that is correct but for its fault, and that locks nothing. */
class FaultyStore implements RaftStore {
  readonly durable = true;
  readonly #disk: Disk;
  readonly #fault: Fault | null;

  constructor(disk: Disk, fault: Fault | null) {
    this.#disk = disk;
    this.#fault = fault;
  }

  async open(): Promise<Stored | null> {
    const [disk, fault] = [this.#disk, this.#fault];
    if (disk.state === null) return null;
    if (fault === 'gives data where none was saved') disk.data ??= JSON.stringify(NOTHING);
    const text = fault === 'loses the last save' ? disk.former : disk.data;
    if (text === null || fault === 'keeps no data') return { ...disk.state };
    if (fault === 'lends its map' && disk.lent !== null) return disk.lent;
    const { revision, stampFloor, datums, tail } = JSON.parse(text) as Data;
    const entries = datums.map((datum) => [datum.key, this.#shown(datum, revision)] as const);
    const map = fault === 'keeps datums in a plain object' ? objectOf(entries) : entries;
    disk.lent = { ...disk.state, data: { base: { revision, stampFloor, datums: new Map(map) }, tail } };
    return disk.lent;
  }

  async save(state: StoredState, changes?: DataChanges): Promise<void> {
    const [disk, fault] = [this.#disk, this.#fault];
    if (fault === 'saves what it was given when it comes to it') await Promise.resolve();
    if (fault !== 'forgets the state that comes with data' || changes === undefined)
      disk.state = { ...state };
    disk.former = disk.data;
    if (changes !== undefined) disk.data = JSON.stringify(this.#changed(changes));
    else if (fault === 'forgets the data when the state is saved alone') disk.data = null;
    disk.state ??= { ...state };
  }

  fold(seq: number): void {
    const [disk, fault] = [this.#disk, this.#fault];
    if (disk.data === null) return;
    const data = JSON.parse(disk.data) as Data;
    const first = data.revision.seq + 1;
    const count = fault === 'folds a count of batches' ? seq : seq - first + 1;
    const reach = Math.max(0, fault === 'folds one batch too many' ? count + 1 : count);
    const folded = data.tail.slice(0, reach).reduce((former, batch) => this.#folded(former, batch), data);
    const tail = fault === 'keeps in the tail what it folds' ? data.tail : data.tail.slice(reach);
    disk.data = JSON.stringify({ ...folded, tail });
  }

  async close(): Promise<void> {}

  #shown(datum: StoredDatum, revision: Revision): StoredDatum {
    return this.#fault === 'gives folded datums the revision of the base' ? { ...datum, revision } : datum;
  }

  #changed(changes: DataChanges): Data {
    const fault = this.#fault;
    const { base, cutFrom, append = [] } = changes;
    const former = JSON.parse(this.#disk.data ?? JSON.stringify(NOTHING)) as Data;
    const steps = [
      (data: Data): Data => (base === undefined ? data : this.#replaced(data, base)),
      (data: Data): Data => (cutFrom === undefined ? data : this.#cut(data, cutFrom)),
      (data: Data): Data => this.#appended(data, append),
    ] as const;
    const [replace, cut, add] = steps;
    if (fault === 'cuts after it appends') return cut(add(replace(former)));
    if (fault === 'replaces the base after it appends') return replace(add(cut(former)));
    return add(cut(replace(former)));
  }

  #replaced(former: Data, { revision, stampFloor, datums }: NonNullable<DataChanges['base']>): Data {
    const fault = this.#fault;
    const kept = fault === 'keeps former datums when the base is replaced' ? former.datums : [];
    const all = new Map([...kept.map((datum) => [datum.key, datum] as const), ...datums]);
    const bent = [...all.values()].map((datum) => ({ ...datum, ...this.#bent(datum) }) as StoredDatum);
    return {
      revision,
      stampFloor: fault === 'forgets the stamp floor of a base' ? 0 : stampFloor,
      datums: fault === 'has room for a hundred datums' ? bent.slice(0, 100) : bent,
      tail: fault === 'keeps the tail when the base is replaced' ? former.tail : [],
    };
  }

  #cut(data: Data, cutFrom: number): Data {
    const fault = this.#fault;
    if (fault === 'ignores cuts') return data;
    const first = fault === 'counts a cut from the first batch' ? 1 : data.revision.seq + 1;
    const keep = cutFrom - first - (fault === 'cuts one batch too many' ? 1 : 0);
    const beyond = fault === 'cuts all when the cut is beyond the end' && keep > data.tail.length;
    return { ...data, tail: beyond ? [] : data.tail.slice(0, Math.max(0, keep)) };
  }

  #appended(data: Data, append: readonly Batch[]): Data {
    const fault = this.#fault;
    const some = fault === 'appends only the first batch of a save' ? append.slice(0, 1) : append;
    const added = some
      .filter(({ ops }) => fault !== 'drops batches without ops' || ops.length > 0)
      .map(({ revision, ops }) => ({ revision, ops: ops.map((op) => this.#bent(op)) }));
    const tail = fault === 'appends before the tail' ? [...added, ...data.tail] : [...data.tail, ...added];
    return { ...data, tail };
  }

  #folded(data: Data, { revision, ops }: Batch): Data {
    const fault = this.#fault;
    const datums = new Map(data.datums.map((datum) => [datum.key, datum]));
    let { stampFloor } = data;
    for (const { key, value, timestamp } of fault === 'loses what it folds' ? [] : ops) {
      if (value !== null) datums.set(key, { key, value, timestamp, revision });
      else if (fault !== 'keeps removed keys') datums.delete(key);
      if (value === null && fault !== 'forgets the timestamps of removals') {
        stampFloor = Math.max(stampFloor, timestamp);
      }
    }
    return { ...data, revision, stampFloor, datums: [...datums.values()] };
  }

  #bent(op: Op): Op {
    const { key, value, timestamp } = op;
    switch (this.#fault) {
      case 'trims keys':
        return { ...op, key: key.trim() };
      case 'keeps keys in UTF-8':
        return { ...op, key: Buffer.from(key).toString() };
      case 'parses values':
        return { ...op, value: value === null ? null : JSON.stringify(JSON.parse(value)) };
      case 'keeps values in ASCII':
        return { ...op, value: value?.replace(/[^\x20-\x7e]/g, '?') ?? null };
      case 'cuts values at 64 KiB':
        return { ...op, value: value?.slice(0, 65_536) ?? null };
      case 'cuts numbers to 32 bits':
        return { ...op, timestamp: timestamp >>> 0 };
      default:
        return op;
    }
  }
}

/** The entries as they come out of an object that they were put into one by one. */
function objectOf(entries: readonly (readonly [string, StoredDatum])[]): [string, StoredDatum][] {
  const object: Record<string, StoredDatum> = {};
  for (const [key, datum] of entries) object[key] = datum;
  return Object.entries(object);
}

function harnessOf(fault: Fault | null): StoreHarness {
  return {
    create: async () => {
      const disk: Disk = { state: null, data: null, former: null, lent: null };
      return { open: () => new FaultyStore(disk, fault), dispose: async () => {} };
    },
  };
}

/** A store as it was before there was data. */
const withoutData: StoreHarness = {
  create: async () => ({
    open: () => ({
      durable: false,
      open: async () => null,
      save: async () => {},
      close: async () => {},
    }),
    dispose: async () => {},
  }),
};

/** The cases that say why they do not hold for `harness`. */
async function skippedBy(harness: StoreHarness): Promise<ReadonlyMap<string, string>> {
  const reasons = new Map<string, string>();
  for (const { name, run } of storeContract(harness)) {
    await run({ skip: (reason) => reasons.set(name, reason) }).catch(() => {});
  }
  return reasons;
}

describe('the contract about data', async () => {
  const reasons = await skippedBy(withoutData);
  const names = new Set(reasons.keys());
  const aboutData = (fault: Fault | null): readonly ContractCase[] =>
    storeContract(harnessOf(fault)).filter(({ name }) => names.has(name));

  it('is skipped for a store without `fold`, and says so', () => {
    expect(new Set(reasons.values())).toEqual(new Set(['this store keeps no data: it has no `fold`']));
    expect(names.size).toBeGreaterThan(20);
  });

  it('accepts a correct store, so that what is rejected below is rejected for its fault', async () => {
    expect(await rejectedBy(aboutData(null))).toEqual([]);
  });

  for (const [fault, cases] of Object.entries(faults)) {
    it(`rejects a store that ${fault}`, async () => {
      expect(await rejectedBy(aboutData(fault as Fault))).toEqual(expect.arrayContaining([...cases]));
    });
  }

  it('has no case that rejects none of these stores', async () => {
    const rejecting = await Promise.all(
      Object.keys(faults).map((fault) => rejectedBy(aboutData(fault as Fault))),
    );
    expect(new Set(rejecting.flat())).toEqual(names);
  });
});
