import { mkdirSync, readdirSync, readFileSync, rmdirSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Batch } from '../../src/core/datum.js';
import type { StoredState } from '../../src/core/outputs.js';
import { FileStore } from '../../src/stores/file.js';
import { makeDirectory } from './places.js';

interface Asked {
  failAt: number | null;
  noHardLinks: boolean;
  /** How much a write takes at most. */
  bytesAtOnce: number;
  /** What another process does in the moment before a lock's guard is renamed; done once. */
  beforeRename: (() => void) | null;
}

/** The file system as the store sees it: notes every step, and fails the one that is asked for. */
const disk = vi.hoisted(() => {
  const steps: string[] = [];
  const asked: Asked = { failAt: null, noHardLinks: false, bytesAtOnce: 1_000_000, beforeRename: null };
  const begin = (what: string): boolean => steps.push(what) - 1 !== asked.failAt;
  const failure = (what: string): Error => Object.assign(new Error(`EIO: ${what}`), { code: 'EIO' });
  const stepNow = (what: string): void => {
    if (!begin(what)) throw failure(what);
  };
  const step = async <T>(
    what: string,
    action: () => Promise<T>,
    half?: () => Promise<unknown>,
  ): Promise<T> => {
    if (begin(what)) return action();
    await half?.();
    throw failure(what);
  };
  return { steps, asked, step, stepNow };
});

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  const linkSync: typeof real.linkSync = (from, to) => {
    if (disk.asked.noHardLinks) throw Object.assign(new Error('EPERM: link'), { code: 'EPERM' });
    real.linkSync(from, to);
  };
  const renameSync: typeof real.renameSync = (from, to) => {
    disk.asked.beforeRename?.();
    disk.asked.beforeRename = null;
    real.renameSync(from, to);
  };
  const readFileSync = (file: string, how: 'utf8'): string => {
    if (file.endsWith('state.lock')) disk.stepNow('read state.lock');
    return real.readFileSync(file, how);
  };
  return { ...real, linkSync, renameSync, readFileSync };
});

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const name = (path: unknown): string => basename(String(path)).replace(/^raftbeat-store-.*/, 'directory');
  const open = async (path: string, flags: string | number): Promise<object> => {
    const handle = await disk.step(`open ${name(path)}`, () => real.open(path, flags));
    return {
      readFile: () => disk.step(`read ${name(path)}`, () => handle.readFile()),
      writeFile: (text: string | Buffer) =>
        disk.step(
          `write ${name(path)}`,
          () => handle.writeFile(text),
          () => handle.writeFile(text.slice(0, text.length / 2)),
        ),
      write: (bytes: Buffer, offset: number, length: number, position: number) =>
        disk.step(
          `write ${name(path)}`,
          () => handle.write(bytes, offset, Math.min(length, disk.asked.bytesAtOnce), position),
          () => handle.write(bytes, offset, length >> 1, position),
        ),
      datasync: () => disk.step(`sync data of ${name(path)}`, () => handle.datasync()),
      sync: () => disk.step(`sync ${name(path)}`, () => handle.sync()),
      close: () =>
        disk.step(
          `close ${name(path)}`,
          () => handle.close(),
          () => handle.close(),
        ),
    };
  };
  return {
    ...real,
    open,
    mkdir: (path: string, options: object) =>
      disk.step(`mkdir ${name(path)}`, () => real.mkdir(path, options)),
    rename: (from: string, to: string) =>
      disk.step(`rename ${name(from)} to ${name(to)}`, () => real.rename(from, to)),
    rm: (path: string, options: object) => disk.step(`remove ${name(path)}`, () => real.rm(path, options)),
  };
});

const IP = 'a:1';
const OLD: StoredState = { term: 7, voteFor: 'b:1', promisedMs: 500 };
const NEW: StoredState = { term: 8, voteFor: null, promisedMs: 750 };
const SAVE = [
  'read state.lock',
  'open state.tmp',
  'write state.tmp',
  'sync state.tmp',
  'close state.tmp',
  'rename state.tmp to state',
  'open directory',
  'sync directory',
  'close directory',
];
const OPEN = [
  'mkdir directory',
  'remove state.tmp',
  'open state',
  'read state',
  'close state',
  'open directory',
  'sync directory',
  'close directory',
];

let directory: string;
let path: string;
let removeDirectory: () => Promise<void>;

beforeEach(async () => {
  [directory, removeDirectory] = await makeDirectory();
  path = join(directory, 'state');
});
afterEach(async () => {
  Object.assign(disk.asked, { failAt: null, noHardLinks: false, bytesAtOnce: 1_000_000, beforeRename: null });
  await removeDirectory();
});

async function openedWithOld(): Promise<FileStore> {
  const store = new FileStore(path);
  await store.open(IP);
  await store.save(OLD);
  failAt(null);
  return store;
}

function failAt(step: number | null): void {
  disk.steps.length = 0;
  disk.asked.failAt = step;
}

function termOnDisk(): unknown {
  return JSON.parse(readFileSync(path, 'utf8')).content.term;
}

describe('a save', () => {
  it('writes, syncs, renames, and syncs the directory, in this order', async () => {
    const store = await openedWithOld();
    await store.save(NEW);
    expect(disk.steps).toEqual(SAVE);
    await store.close();
  });

  it.each(SAVE.map((step, index) => ({ step, index })))(
    'that fails at $step rejects, and keeps one state, whole',
    async ({ step, index }) => {
      const store = await openedWithOld();
      failAt(index);
      await expect(store.save(NEW)).rejects.toMatchObject({ code: 'STORE_FAILED', cause: { code: 'EIO' } });
      expect(disk.steps.at(index)).toBe(step);
      failAt(null);
      expect(termOnDisk()).toBe(index <= SAVE.indexOf('rename state.tmp to state') ? OLD.term : NEW.term);
      await store.close();

      const next = new FileStore(path);
      expect([OLD, NEW]).toContainEqual(await next.open(IP));
      await next.close();
      expect(readdirSync(directory)).toEqual(['state']);
    },
  );

  it.each(SAVE.map((step, index) => ({ step, index })))(
    'after one that failed at $step is done as any other',
    async ({ index }) => {
      const store = await openedWithOld();
      failAt(index);
      await expect(store.save(NEW)).rejects.toMatchObject({ code: 'STORE_FAILED' });
      failAt(null);
      await store.save({ ...NEW, term: 9 });
      await store.close();
      expect(await store.open(IP)).toEqual({ ...NEW, term: 9 });
      await store.close();
    },
  );
});

const APPEND = ['write state.tail.1'];
const SWAP = [
  'open state.tail.2.tmp',
  'write state.tail.2.tmp',
  'sync state.tail.2.tmp',
  'close state.tail.2.tmp',
  'rename state.tail.2.tmp to state.tail.2',
  ...SAVE.slice(-3),
  'open state.tail.2',
  'close state.tail.1',
  'open state.base.2.tmp',
  'write state.base.2.tmp',
  'sync state.base.2.tmp',
  'close state.base.2.tmp',
  'rename state.base.2.tmp to state.base.2',
  ...SAVE.slice(-3),
  'remove state.base.1',
  'remove state.tail.1',
  ...SAVE.slice(-3),
];

function batch(seq: number): Batch {
  return { revision: { term: 1, seq }, ops: [] };
}

describe('a save of data', () => {
  const base = { revision: { term: 1, seq: 9 }, stampFloor: 0, datums: new Map() };
  const former = [batch(1)];

  async function openedWithData(): Promise<FileStore> {
    const store = await openedWithOld();
    await store.save(OLD, { append: former });
    failAt(null);
    return store;
  }

  it.each([
    [
      'appends with one write that is durable at once',
      OLD,
      { append: [batch(2)] },
      [...SAVE.slice(0, 1), ...APPEND],
    ],
    ['saves a new state first', NEW, { append: [batch(2)] }, [...SAVE, ...APPEND]],
    [
      'begins a generation for a new base, its tail file first',
      OLD,
      { base },
      [...SAVE.slice(0, 1), ...SWAP],
    ],
  ])('%s', async (_, state, changes, steps) => {
    const store = await openedWithData();
    await store.save(state, changes);
    expect(disk.steps).toEqual(steps);
    await store.close();
  });

  it.each([
    ...APPEND.map((step, index) => ({
      step,
      index,
      changes: { append: [batch(2)] },
      next: { tail: [batch(1), batch(2)] },
    })),
    ...SWAP.map((step, index) => ({ step, index, changes: { base }, next: { base } })),
  ])('that fails at $step rejects, and so do later ones, until the store is opened again', async (each) => {
    const store = await openedWithData();
    failAt(each.index + 1);
    await expect(store.save(OLD, each.changes)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      cause: { code: 'EIO' },
    });
    expect(disk.steps.at(each.index + 1)).toBe(each.step);
    failAt(null);
    for (const changes of [undefined, { append: [batch(2)] }]) {
      await expect(store.save(NEW, changes)).rejects.toMatchObject({
        code: 'STORE_FAILED',
        cause: { code: 'EIO' },
      });
    }
    await store.close();
    const read = await store.open(IP);
    expect(read).toMatchObject(OLD);
    expect([{ tail: former }, each.next]).toContainEqual(
      'base' in each.next && read?.data?.base.revision.seq === 9
        ? { base: read.data.base }
        : { tail: read?.data?.tail },
    );
    await store.save(NEW, {});
    await store.close();
    expect(await store.open(IP)).toMatchObject(NEW);
    await store.close();
  });

  it('is synced where a file cannot be opened so that its writes are durable', async () => {
    const platform = vi.spyOn(process, 'platform', 'get').mockReturnValue('darwin');
    const store = await openedWithData();
    await store.save(OLD, { append: [batch(2)] });
    expect(disk.steps).toEqual([...SAVE.slice(0, 1), ...APPEND, 'sync data of state.tail.1']);
    await store.close();
    platform.mockRestore();
  });

  it('goes on when a write takes less than it was given', async () => {
    const store = await openedWithData();
    disk.asked.bytesAtOnce = 50;
    await store.save(OLD, { append: [batch(2)] });
    expect(disk.steps).toEqual([...SAVE.slice(0, 1), ...APPEND, ...APPEND]);
    await store.close();
    expect((await store.open(IP))?.data?.tail).toEqual([...former, batch(2)]);
    await store.close();
  });

  it('as the first one, when its file cannot be made, leaves the state, and can be repeated', async () => {
    const steps = [
      ...SAVE.slice(0, 1),
      'open state.tail.1.tmp',
      'write state.tail.1.tmp',
      'sync state.tail.1.tmp',
    ];
    for (const index of steps.keys()) {
      const store = await openedWithOld();
      failAt(index);
      await expect(store.save(NEW, { append: former })).rejects.toMatchObject({ code: 'STORE_FAILED' });
      expect(disk.steps).toEqual([
        ...steps.slice(0, index + 1),
        ...(index > 1 ? ['close state.tail.1.tmp'] : []),
      ]);
      failAt(null);
      expect(termOnDisk()).toBe(OLD.term);
      await store.close();
      expect(await store.open(IP)).toEqual(OLD);
      await store.close();
      expect(readdirSync(directory)).toEqual(['state']);
    }
  });

  it('is told of a compaction that failed', async () => {
    const store = new FileStore(path, { compactAfterBytes: 0 });
    await store.open(IP);
    await store.save(OLD, { append: former });
    failAt(2);
    store.fold(1);
    while (disk.steps.length < 4) await turn();
    failAt(null);
    let last = 1;
    const saveOn = async (): Promise<never> => {
      for (;;) {
        await store.save(OLD, { append: [batch(last + 1)] });
        last += 1;
      }
    };
    await expect(saveOn()).rejects.toMatchObject({ cause: { code: 'EIO' } });
    await store.close();
    expect((await store.open(IP))?.data?.tail.at(-1)).toEqual(batch(last));
    await store.close();
  });
});

describe('an open', () => {
  it('syncs the directory before it returns what a killed process may not have synced', async () => {
    const store = await openedWithOld();
    await store.close();
    failAt(null);
    await store.open(IP);
    expect(disk.steps).toEqual(OPEN);
    await store.close();
  });

  it('syncs each directory that it makes into its parent', async () => {
    const store = new FileStore(join(directory, 'one', 'two', 'state'));
    failAt(null);
    await store.open(IP);
    expect(disk.steps.filter((step) => step.startsWith('sync'))).toEqual([
      'sync one',
      'sync directory',
      'sync two',
    ]);
    await store.close();
  });

  it.each(OPEN.map((step, index) => ({ step, index })))(
    'that fails at $step rejects, leaves no lock, and can be repeated',
    async ({ step, index }) => {
      const store = await openedWithOld();
      await store.close();
      failAt(index);
      await expect(store.open(IP)).rejects.toMatchObject({ code: 'STORE_FAILED', cause: { code: 'EIO' } });
      expect(disk.steps.at(index)).toBe(step);
      failAt(null);
      expect(readdirSync(directory)).toEqual(['state']);
      expect(await store.open(IP)).toEqual(OLD);
      await store.close();
    },
  );

  it('on a file system without hard links is STORE_FAILED, and leaves nothing behind', async () => {
    disk.asked.noHardLinks = true;
    await expect(new FileStore(path).open(IP)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      cause: { code: 'EPERM' },
    });
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('a takeover of the lock', () => {
  it('gives back the guard that another entered just when an abandoned one was to be removed', async () => {
    const guard = `${path}.lock.takeover`;
    writeFileSync(`${path}.lock`, '');
    mkdirSync(guard);
    utimesSync(guard, 0, 0);
    const replaced = new Promise<void>((resolve) => {
      disk.asked.beforeRename = () => {
        rmdirSync(guard);
        mkdirSync(guard);
        resolve();
      };
    });
    const store = new FileStore(path);
    const opening = store.open(IP);
    await replaced;
    expect(readdirSync(directory).filter((name) => name.includes('takeover'))).toEqual([
      'state.lock.takeover',
    ]);
    rmdirSync(guard);
    await opening;
    await store.close();
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('a close', () => {
  it('that cannot remove the lock rejects, and the store can be opened again', async () => {
    const store = await openedWithOld();
    failAt(1);
    await expect(store.close()).rejects.toMatchObject({ code: 'STORE_FAILED', cause: { code: 'EIO' } });
    expect(disk.steps).toEqual(['read state.lock', 'remove state.lock']);
    failAt(null);
    await store.close();
    expect(await store.open(IP)).toEqual(OLD);
    await store.close();
    expect(readdirSync(directory)).toEqual(['state']);
  });
});
