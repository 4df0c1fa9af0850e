import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { open as openDatabase, type RootDatabase } from 'lmdb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Batch, DataChanges } from '../../src/core/datum.js';
import type { StoredState } from '../../src/core/outputs.js';
import { LmdbStore } from '../../src/stores/lmdb.js';
import { makeDirectory } from './places.js';

const IP = 'a:1';
const STATE: StoredState = { term: 7, voteFor: 'b:1', promisedMs: 0.5 };
const LATER: StoredState = { term: 8, voteFor: null, promisedMs: 1 };

/** The database that the store opened last. */
const opened = vi.hoisted(() => ({ root: null as RootDatabase | null }));
vi.mock('lmdb', async (original) => {
  const real = await original<typeof import('lmdb')>();
  const open = (path: string, options: object): RootDatabase => {
    opened.root = real.open(path, options);
    return opened.root;
  };
  return { ...real, open };
});

let path: string;
let removeDirectory: () => Promise<void>;

beforeEach(async () => {
  const [directory, remove] = await makeDirectory();
  path = join(directory, 'state.mdb');
  removeDirectory = remove;
});
afterEach(() => removeDirectory());

function batch(seq: number): Batch {
  return { revision: { term: 1, seq }, ops: [{ key: 'k', value: `${seq}`, timestamp: seq }] };
}

async function saved(...saves: readonly DataChanges[]): Promise<LmdbStore> {
  const store = new LmdbStore(path);
  await store.open(IP);
  for (const changes of saves) await store.save(STATE, changes);
  return store;
}

/** Changes the database behind the back of the store. */
async function tamper(change: (root: RootDatabase<string, string>) => unknown): Promise<void> {
  const root = openDatabase<string, string>(path, { noSubdir: true, encoding: 'string' });
  await change(root);
  await root.close();
}

describe('a save in LMDB', () => {
  const three = { append: [batch(1), batch(2), batch(3)] };
  const anew = { base: { revision: { term: 1, seq: 9 }, stampFloor: 5, datums: new Map() } };

  it.each([
    ['appends', { append: [batch(4)] }],
    ['cuts and appends', { cutFrom: 3, append: [batch(3), batch(4)] }],
    ['replaces the base', anew],
  ])(
    'that fails when it %s leaves state and data as they were, and later ones are refused',
    async (_, changes) => {
      const store = await saved(three);
      store.fold(1);
      const put = vi.spyOn(opened.root as RootDatabase, 'putSync').mockImplementation(() => {
        throw new Error('no room');
      });
      await expect(store.save(LATER, changes)).rejects.toMatchObject({
        code: 'STORE_FAILED',
        cause: { message: 'no room' },
      });
      put.mockRestore();
      await expect(store.save(LATER)).rejects.toMatchObject({ code: 'STORE_FAILED' });
      await store.close();
      expect(await store.open(IP)).toMatchObject({ ...STATE, data: { tail: three.append } });
      await store.save(LATER, { append: [batch(4)] });
      await store.close();
    },
  );

  it.each([
    ['leaves a gap', { append: [batch(5)] }],
    ['cuts what is committed', { cutFrom: 2 }],
  ])('that %s is INTERNAL, and changes nothing', async (_, changes) => {
    const store = await saved(three);
    store.fold(2);
    await expect(store.save(LATER, changes)).rejects.toMatchObject({ code: 'INTERNAL' });
    await store.close();
    expect(await store.open(IP)).toMatchObject({ ...STATE, data: { tail: three.append } });
    await store.close();
  });

  it('moves what was folded before it into the base', async () => {
    const store = await saved(three);
    store.fold(2);
    await store.save(STATE);
    await store.close();
    const datum = { key: 'k', value: '2', timestamp: 2, revision: { term: 1, seq: 2 } };
    expect((await store.open(IP))?.data).toEqual({
      base: { revision: { term: 1, seq: 2 }, stampFloor: 0, datums: new Map([['k', datum]]) },
      tail: [batch(3)],
    });
    await store.close();
  });

  it('is refused when the store is not open, or has lost its lock', async () => {
    const store = new LmdbStore(path);
    await expect(store.save(STATE)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await store.open(IP);
    await writeFile(`${path}.lock`, 'of another');
    await expect(store.save(STATE)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await store.close();
  });
});

describe('an LMDB database that cannot be trusted is STORE_CORRUPT', () => {
  it.each(['', 'something else', 'x'.repeat(10_000)])('when it is no database', async (text) => {
    await writeFile(path, text);
    await expect(new LmdbStore(path).open(IP)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
  });

  it('when a batch is missing', async () => {
    await (await saved({ append: [batch(1), batch(2)] })).close();
    await tamper((root) => root.openDB<string, number>('tail', { encoding: 'string' }).remove(1));
    await expect(new LmdbStore(path).open(IP)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
  });

  it.each([{ format: 2 }, { ip: 7 }, { term: -1 }])('when its head says %j', async (wrong) => {
    await (await saved({})).close();
    const head = (text = '{}'): string => JSON.stringify({ ...JSON.parse(text), ...wrong });
    await tamper((root) => root.put('store', head(root.get('store'))));
    await expect(new LmdbStore(path).open(IP)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
  });
});
