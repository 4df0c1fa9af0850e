import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { StoredState } from 'raftbeat';
import { FileGroupStore, type FileGroupStoreOptions } from 'raftbeat/file';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeDirectory } from './places.js';

const IP = 'a:1';
const STATE: StoredState = { term: 7, voteFor: 'b:1', promisedMs: 0.5 };

let directory: string;
let removeDirectory: () => Promise<void>;

beforeEach(async () => {
  [directory, removeDirectory] = await makeDirectory();
});
afterEach(() => removeDirectory());

/** How much of the log was written, without the room for more. */
const lengthOf = ({ path }: FileGroupStore): number => readFileSync(path).lastIndexOf('\n') + 1;

describe('a file store of groups', () => {
  it.each([
    ['directory', ''],
    ['directory', undefined],
    ['compactAfterBytes', 'x', { compactAfterBytes: -1 }],
    ['compactAfterBytes', 'x', { compactAfterBytes: Number.NaN }],
  ])('names the option that is out of range: %s', (option, place, options?: FileGroupStoreOptions) => {
    const make = () => new FileGroupStore(place as string, options);
    expect(make).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }));
    expect(make).toThrow(option);
  });

  it('makes its directory, and keeps its files apart from others there', async () => {
    const store = new FileGroupStore(join(directory, 'a', 'b'));
    expect(store.path).toBe(join(directory, 'a', 'b', 'groups'));
    await store.open(IP);
    expect(existsSync(`${store.path}.lock`)).toBe(true);
    await store.close();
    expect(existsSync(`${store.path}.lock`)).toBe(false);
  });

  it.each([
    ['a name that is empty', '', STATE],
    ['a name of 257 characters', 'n'.repeat(257), STATE],
    ['a name with a control character', 'a\nb', STATE],
    ['a name with the control character of another set', 'a\u0085b', STATE],
    ['a term below 0', 'a', { ...STATE, term: -1 }],
    ['a promise without end', 'a', { ...STATE, promisedMs: Number.POSITIVE_INFINITY }],
  ])('refuses %s, and saves nothing of that call', async (_, name, state) => {
    const store = new FileGroupStore(directory);
    await store.open(IP);
    const states = new Map([
      ['good', STATE],
      [name, state],
    ]);
    await expect(store.save(states)).rejects.toMatchObject({ code: 'INTERNAL' });
    await store.save(new Map([['other', STATE]]));
    await store.close();
    expect([...(await store.open(IP)).keys()]).toEqual(['other']);
    await store.close();
  });

  it('saves only while it is open', async () => {
    const store = new FileGroupStore(directory);
    const save = () => store.save(new Map([['a', STATE]]));
    await expect(save()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await store.open(IP);
    await store.close();
    await expect(save()).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });

  it.each([
    ['beyond the option', 1, 20_000],
    ['beyond what is live', 200, 100],
  ])('writes its log anew when saves have grown %s, and not before', async (_, groups, compactAfterBytes) => {
    const store = new FileGroupStore(directory, { compactAfterBytes });
    await store.open(IP);
    await store.save(new Map(Array.from({ length: groups }, (_, at) => [`g${at}`, STATE])));
    await store.close();
    await store.open(IP);
    const live = lengthOf(store);
    const { ino } = statSync(store.path);
    let longest = 0;
    while (statSync(store.path).ino === ino) {
      longest = lengthOf(store);
      await store.save(new Map([['g0', STATE]]));
    }
    expect(longest).toBeGreaterThan(live + Math.max(compactAfterBytes, live) - 100);
    await store.close();
    expect((await store.open(IP)).size).toBe(groups);
    expect(lengthOf(store)).toBeLessThan(live + 100);
    await store.close();
  });
});
