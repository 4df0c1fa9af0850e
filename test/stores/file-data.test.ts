import { existsSync } from 'node:fs';
import { copyFile, open, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Batch, DataChanges, StoredDatum } from '../../src/core/datum.js';
import { RaftError } from '../../src/core/errors.js';
import type { StoredState } from '../../src/core/outputs.js';
import { FileStore } from '../../src/stores/file.js';
import type { Stored } from '../../src/stores/store.js';
import { makeDirectory } from './places.js';

const IP = 'a:1';
const STATE: StoredState = { term: 7, voteFor: 'b:1', promisedMs: 0.5 };

let directory: string;
let path: string;
let removeDirectory: () => Promise<void>;

beforeEach(async () => {
  [directory, removeDirectory] = await makeDirectory();
  path = join(directory, 'state');
});
afterEach(() => removeDirectory());

function batch(seq: number, key = 'k', value = `"${seq}"`): Batch {
  return { revision: { term: 1, seq }, ops: [{ key, value, timestamp: seq }] };
}

function base(seq: number, count: number, valueLength = 0): NonNullable<DataChanges['base']> {
  const datums = new Map<string, StoredDatum>();
  for (let at = 0; at < count; at += 1) {
    const key = `key ${at}`;
    datums.set(key, { key, value: `"${'v'.repeat(valueLength)}"`, timestamp: 1, revision: { term: 1, seq } });
  }
  return { revision: { term: 1, seq }, stampFloor: 0, datums };
}

/** A store that has made these saves, closed; of its files only the lines are left. */
async function saved(...saves: readonly DataChanges[]): Promise<FileStore> {
  const store = new FileStore(path, { compactAfterBytes: 0 });
  await store.open(IP);
  for (const changes of saves) await store.save(STATE, changes);
  await store.close();
  for (const name of await files()) {
    const bytes = await readFile(join(directory, name));
    if (bytes.includes(0)) await truncate(join(directory, name), bytes.indexOf(0));
  }
  return store;
}

async function read(): Promise<Stored | null> {
  const store = new FileStore(path);
  try {
    return await store.open(IP);
  } finally {
    await store.close();
  }
}

async function codeOf(action: Promise<unknown>): Promise<unknown> {
  return action.then(
    (value) => `gave ${JSON.stringify(value)}`,
    (error: unknown) => (error instanceof RaftError ? error.code : error),
  );
}

async function tailOf(): Promise<readonly number[] | undefined> {
  return (await read())?.data?.tail.map(({ revision }) => revision.seq);
}

async function files(): Promise<readonly string[]> {
  return (await readdir(directory)).sort();
}

/** A line with a right checksum, whatever it says. */
function sealed(generation: number, sequence: number, json: string): string {
  const text = `${generation} ${sequence} ${Buffer.byteLength(json)} ${json}`;
  return `${crc32(text).toString(16).padStart(8, '0')} ${text}\n`;
}

describe('the data files', () => {
  it('are not made until data is saved', async () => {
    const store = new FileStore(path);
    await store.open(IP);
    await store.save(STATE);
    store.fold(1);
    await store.save({ ...STATE, term: 8 });
    await store.close();
    expect(await files()).toEqual(['state']);
    expect(JSON.parse(await readFile(path, 'utf8')).content.format).toBe(1);
  });

  it('are a tail of lines with a checksum, and a state file that tells of it', async () => {
    await saved({ append: [batch(1)] }, { cutFrom: 1, append: [batch(1), batch(2)] });
    expect(await files()).toEqual(['state', 'state.tail.1']);
    expect(JSON.parse(await readFile(path, 'utf8')).content.format).toBe(2);
    expect(await readFile(`${path}.tail.1`, 'utf8')).toBe(
      sealed(1, 0, JSON.stringify({ format: 1, kind: 'tail', ip: IP })) +
        sealed(1, 1, JSON.stringify({ committedSeq: 0, append: [batch(1)] })) +
        sealed(1, 2, JSON.stringify({ committedSeq: 0, cutFrom: 1, append: [batch(1), batch(2)] })),
    );
  });

  it('leave the state file alone when only data changes', async () => {
    const store = await saved({ append: [batch(1)] });
    await store.open(IP);
    await rm(path);
    await store.save(STATE, { append: [batch(2)] });
    expect(existsSync(path)).toBe(false);
    await store.save({ ...STATE, term: 8 }, { append: [batch(3)] });
    await store.close();
    expect((await read())?.term).toBe(8);
    expect(await tailOf()).toEqual([1, 2, 3]);
  });

  it('have room behind the lines while the store is open, so that a save leaves their size as it is', async () => {
    const store = await saved({ append: [batch(1)] });
    const { size } = await stat(`${path}.tail.1`);
    await store.open(IP);
    const sizes = new Set<number>();
    for (let seq = 2; seq < 100; seq += 1) {
      await store.save(STATE, { append: [batch(seq)] });
      sizes.add((await stat(`${path}.tail.1`)).size);
    }
    expect([...sizes]).toEqual([expect.any(Number)]);
    const room = await readFile(`${path}.tail.1`);
    expect(room.indexOf(0)).toBeGreaterThan(size);
    expect(room.subarray(room.indexOf(0)).every((byte) => byte === 0)).toBe(true);
    await store.close();
    await store.open(IP);
    expect((await readFile(`${path}.tail.1`)).indexOf(0)).toBe(-1);
    await store.close();
  });

  it('are others after each open: a process that has lost the lock writes to the former ones', async () => {
    const store = await saved({ append: [batch(1)] });
    const former = await open(`${path}.tail.1`, 'r+');
    await store.open(IP);
    await store.save(STATE, { append: [batch(2)] });
    await former.write('x'.repeat(1_000), 50);
    await former.close();
    await store.close();
    expect(await tailOf()).toEqual([1, 2]);
  });

  it('get more room when it is used up', async () => {
    const store = await saved();
    await store.open(IP);
    const long = `"${'v'.repeat(100_000)}"`;
    for (let seq = 1; seq < 10; seq += 1) await store.save(STATE, { append: [batch(seq, 'k', long)] });
    const copies = ['', '.tail.1'].map((name) => copyFile(path + name, `${path}2${name}`));
    await Promise.all(copies);
    await store.close();
    for (const killed of [path, `${path}2`]) {
      const again = new FileStore(killed);
      expect((await again.open(IP))?.data?.tail.map(({ revision }) => revision.seq)).toEqual([
        1, 2, 3, 4, 5, 6, 7, 8, 9,
      ]);
      await again.close();
    }
  });

  it('of a new base make the former void', async () => {
    await saved({ append: [batch(1)] }, { base: base(9, 3), append: [batch(10)] });
    expect(await files()).toEqual(['state', 'state.base.2', 'state.tail.2']);
    expect((await read())?.data).toEqual({ base: base(9, 3), tail: [batch(10)] });
  });

  it('of another ip are STORE_MISMATCH', async () => {
    await saved({ append: [batch(1)] });
    await rename(path, `${path}2`);
    await rename(`${path}.tail.1`, `${path}2.tail.1`);
    const other = new FileStore(path);
    await other.open('b:1');
    await other.save(STATE, { append: [batch(1)] });
    await other.close();
    await copyFile(`${path}2.tail.1`, `${path}.tail.1`);
    expect(await codeOf(new FileStore(path).open('b:1'))).toBe('STORE_MISMATCH');
  });
});

describe('a save of data', () => {
  it.each([
    ['leaves a gap', { append: [batch(4)] }],
    ['has a gap', { append: [batch(3), batch(5)] }],
    ['cuts what is committed', { cutFrom: 1, append: [batch(1)] }],
    ['does not go on from its base', { base: base(9, 1), append: [batch(3)] }],
  ])('that %s is INTERNAL, and changes neither data nor state', async (_, changes) => {
    const store = await saved({ append: [batch(1), batch(2)] });
    await store.open(IP);
    store.fold(1);
    expect(await codeOf(store.save({ ...STATE, term: 8 }, changes))).toBe('INTERNAL');
    await store.save(STATE, { append: [batch(3)] });
    await store.close();
    expect((await read())?.term).toBe(7);
    expect(await tailOf()).toEqual([2, 3]);
  });

  it('as the first one, when it has a gap, makes no file', async () => {
    const store = new FileStore(path);
    await store.open(IP);
    expect(await codeOf(store.save(STATE, { append: [batch(2)] }))).toBe('INTERNAL');
    await store.close();
    expect(await files()).toEqual([]);
  });
});

describe('a compaction', () => {
  const isCompacted = (generation: number): boolean => !existsSync(`${path}.tail.${generation - 1}`);

  async function compacted(generation: number): Promise<void> {
    while (!isCompacted(generation)) await turn();
  }

  it('replaces tail files that have grown beyond the limit by a base, and keeps what is not committed', async () => {
    const store = new FileStore(path, { compactAfterBytes: 300 });
    await store.open(IP);
    await store.save(STATE, { append: [batch(1)] });
    store.fold(1);
    await turn();
    expect(await files()).toEqual(['state', 'state.lock', 'state.tail.1']);
    await store.save(STATE, { append: [batch(2), batch(3), batch(4)] });
    store.fold(2);
    await compacted(2);
    await store.save(STATE, { append: [batch(5)] });
    await store.close();
    expect(await files()).toEqual(['state', 'state.base.2', 'state.tail.2']);
    const datum = { key: 'k', value: '"2"', timestamp: 2, revision: { term: 1, seq: 2 } };
    expect((await read())?.data).toEqual({
      base: { revision: { term: 1, seq: 2 }, stampFloor: 0, datums: new Map([['k', datum]]) },
      tail: [batch(3), batch(4), batch(5)],
    });
  });

  it('waits until the tail has grown as far as the base', async () => {
    await saved({ base: base(9, 100, 100) });
    const store = new FileStore(path, { compactAfterBytes: 0 });
    await store.open(IP);
    await store.save(STATE, { append: [batch(10)] });
    store.fold(10);
    await store.save(STATE, { append: [batch(11, 'k', `"${'v'.repeat(20_000)}"`)] });
    expect(await files()).not.toContain('state.tail.3');
    store.fold(11);
    await compacted(3);
    await store.close();
    expect(await files()).toEqual(['state', 'state.base.3', 'state.tail.3']);
  });

  it('takes in no fold that comes while it writes, and stops no save', async () => {
    const big = base(9, 2_000, 100);
    const store = await saved({ base: big }, { append: [batch(10, 'k', `"${'v'.repeat(500_000)}"`)] });
    await store.open(IP);
    store.fold(10);
    while (!existsSync(`${path}.base.3.tmp`)) await turn();
    let during = 0;
    for (let seq = 11; !isCompacted(3); seq += 1) {
      await store.save(STATE, { append: [batch(seq, `new ${seq}`)] });
      store.fold(seq);
      if (!existsSync(`${path}.base.3`)) during += 1;
    }
    expect(during).toBeGreaterThan(0);
    await store.close();
    const data = (await read())?.data;
    expect(data?.base.datums.size).toBe(2_001 + (data?.base.revision.seq ?? 0) - 10);
    expect(data?.base.revision.seq).toBeGreaterThan(10);
  });

  it.each(['a close', 'a new base'])('is given up for %s', async (what) => {
    const store = await saved(
      { base: base(9, 2_000, 100) },
      { append: [batch(10, 'k', `"${'v'.repeat(500_000)}"`)] },
    );
    await store.open(IP);
    store.fold(10);
    while (!existsSync(`${path}.base.3.tmp`)) await turn();
    if (what === 'a new base') await store.save(STATE, { base: base(20, 1), append: [batch(21)] });
    await store.close();
    expect(existsSync(`${path}.base.3`)).toBe(false);
    expect((await read())?.data?.base.revision.seq).toBe(what === 'a close' ? 9 : 20);
    expect((await files()).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('is refused to a store that has lost its lock, and the next save tells', async () => {
    const store = new FileStore(path, { compactAfterBytes: 0 });
    await store.open(IP);
    await store.save(STATE, { append: [batch(1)] });
    await rename(`${path}.lock`, `${path}.aside`);
    store.fold(1);
    for (let turns = 0; turns < 100; turns += 1) await turn();
    await rename(`${path}.aside`, `${path}.lock`);
    expect(await codeOf(store.save(STATE))).toBe('STORE_FAILED');
    expect(await files()).toEqual(['state', 'state.lock', 'state.tail.1']);
    await store.close();
  });

  it('must have a limit of 0 or more', () => {
    for (const compactAfterBytes of [-1, Number.NaN]) {
      expect(() => new FileStore(path, { compactAfterBytes })).toThrow(
        expect.objectContaining({ code: 'BAD_OPTION' }),
      );
    }
  });
});

describe('a torn end', () => {
  async function tornAt(length: number, zeros = 0): Promise<void> {
    const bytes = await readFile(`${path}.tail.1`);
    await writeFile(`${path}.tail.1`, Buffer.concat([bytes.subarray(0, length), Buffer.alloc(zeros)]));
  }

  it('is cut, and the store goes on from there', async () => {
    const store = await saved({ append: [batch(1)] }, { append: [batch(2)] });
    const { length } = await readFile(`${path}.tail.1`);
    await tornAt(length - 5);
    expect((await store.open(IP))?.data?.tail).toEqual([batch(1)]);
    await store.save(STATE, { append: [batch(2, 'other')] });
    await store.close();
    expect((await read())?.data?.tail).toEqual([batch(1), batch(2, 'other')]);
  });

  it('may be zeros, or a line with a sector of zeros, which was never written', async () => {
    await saved({ append: [batch(1)] });
    const { length } = await readFile(`${path}.tail.1`);
    await tornAt(length, 3_000);
    expect(await tailOf()).toEqual([1]);
    await rm(`${path}.tail.1`);
    await rm(path);
    await saved({ append: [batch(1)] }, { append: [batch(2, 'k', `"${'v'.repeat(4_000)}"`)] });
    const bytes = await readFile(`${path}.tail.1`);
    await writeFile(`${path}.tail.1`, bytes.fill(0, 1_024, 1_536));
    expect(await tailOf()).toEqual([1]);
  });
});

describe('a data file that cannot be trusted is STORE_CORRUPT', () => {
  const saves = [{ base: base(1, 1), append: [batch(2)] }, { append: [batch(3)] }, { append: [batch(4)] }];

  async function eachByte(name: string, spoil: (byte: number) => number, room = 0): Promise<void> {
    await saved(...saves);
    const intact = await readFile(join(directory, name));
    for (const [at, byte] of intact.entries()) {
      if (spoil(byte) === byte) continue;
      const spoilt = Buffer.from(intact).fill(spoil(byte), at, at + 1);
      await writeFile(join(directory, name), Buffer.concat([spoilt, Buffer.alloc(room)]));
      expect(await codeOf(read()), `byte ${at} of ${name}`).toMatch(/STORE_CORRUPT/);
    }
    await writeFile(join(directory, name), intact);
    expect(await codeOf(read())).toMatch(/^gave/);
  }

  it.each(['state.base.2', 'state.tail.2'])('when a bit of any byte of %s is flipped', async (name) => {
    await eachByte(name, (byte) => byte ^ (1 << (byte % 8)));
  });

  it('when a bit of any byte of a tail is flipped, and room follows its lines', async () => {
    await eachByte('state.tail.2', (byte) => byte ^ (1 << (byte % 8)), 3_000);
  });

  it('when any byte of a tail becomes a line break', async () => {
    await eachByte('state.tail.2', () => 10);
  });

  it('when a base is cut at any length', async () => {
    await saved(...saves);
    const intact = await readFile(`${path}.base.2`);
    for (let length = 0; length < intact.length; length += 1) {
      await writeFile(`${path}.base.2`, intact.subarray(0, length));
      expect(await codeOf(read()), `cut to ${length} bytes`).toBe('STORE_CORRUPT');
    }
    await writeFile(`${path}.base.2`, Buffer.concat([intact, intact]));
    expect(await codeOf(read())).toBe('STORE_CORRUPT');
  });

  it('when a line in the midst of a tail is missing, comes again, or is empty', async () => {
    await saved(...saves);
    const [header = '', first = '', second = ''] = (await readFile(`${path}.tail.2`, 'utf8')).split(
      /(?<=\n)/,
    );
    for (const lines of [
      [header, second],
      [header, first, first],
      [header, first, '\n', second],
      [first, second],
      [],
    ]) {
      await writeFile(`${path}.tail.2`, lines.join(''));
      expect(await codeOf(read()), lines.join('')).toBe('STORE_CORRUPT');
    }
  });

  it('when sectors in the midst of a tail are zeros', async () => {
    await saved({ append: [batch(1, 'k', `"${'v'.repeat(4_000)}"`)] }, { append: [batch(2)] });
    const bytes = await readFile(`${path}.tail.1`);
    await writeFile(`${path}.tail.1`, bytes.fill(0, 1_024, 1_536));
    expect(await codeOf(read())).toBe('STORE_CORRUPT');
  });

  it('when a tail is of another generation, or takes the place of a base', async () => {
    await saved(...saves);
    const tail = await readFile(`${path}.tail.2`);
    await writeFile(`${path}.tail.3`, tail);
    expect(await codeOf(read())).toBe('STORE_CORRUPT');
    await rm(`${path}.tail.3`);
    await writeFile(`${path}.base.2`, tail);
    expect(await codeOf(read())).toBe('STORE_CORRUPT');
  });

  it.each(['state', 'state.base.2', 'state.tail.2'])('when %s is missing', async (name) => {
    await saved(...saves);
    await rm(join(directory, name));
    const left = await files();
    expect(await codeOf(read())).toBe('STORE_CORRUPT');
    expect(await files()).toEqual(left);
  });

  it('when an older state file, of a time before there was data, lies there', async () => {
    const store = await saved();
    await store.open(IP);
    await store.save(STATE);
    const former = await readFile(path);
    await store.save(STATE, { append: [batch(1)] });
    await store.close();
    await writeFile(path, former);
    expect(await codeOf(read())).toBe('STORE_CORRUPT');
  });

  it('when its tail is cut short, and changes follow in the next', async () => {
    await saved({ append: [batch(1), batch(2)] });
    const tail = await readFile(`${path}.tail.1`);
    const header = (generation: number): string =>
      sealed(generation, 0, JSON.stringify({ format: 1, kind: 'tail', ip: IP }));
    await writeFile(`${path}.tail.1`, tail.subarray(0, -5));
    await writeFile(`${path}.tail.2`, header(2));
    expect(await tailOf()).toEqual([]);
    await writeFile(`${path}.tail.1`, tail.subarray(0, -5));
    await writeFile(`${path}.tail.2`, header(2) + sealed(2, 1, '{"committedSeq":0}'));
    expect(await codeOf(read())).toBe('STORE_CORRUPT');
  });

  it.each([
    ['has a gap', 1, { committedSeq: 0, append: [batch(2)] }],
    ['is of a newer format', 2, {}],
  ])('when it %s, though its checksums are right', async (_, format, record) => {
    await saved({ append: [batch(1)] });
    const header = sealed(1, 0, JSON.stringify({ format, kind: 'tail', ip: IP }));
    await writeFile(`${path}.tail.1`, header + sealed(1, 1, JSON.stringify(record)));
    expect(await codeOf(read())).toBe('STORE_CORRUPT');
  });
});
