import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { StoredState } from 'raftbeat';
import { FileGroupStore } from 'raftbeat/file';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { appends, crashes, isIn, type NotedStep } from './crashes.js';
import type { DiskStep, Image } from './images.js';
import { makeDirectory } from './places.js';
import { disk } from './recorded-disk.js';

vi.mock('node:fs/promises', async (original) => {
  const { recorded } = await import('./recorded-disk.js');
  return recorded(await original(), (name) => name.startsWith('groups'));
});

type States = ReadonlyMap<string, StoredState>;

const IP = 'a:1';
const SECTOR = 512;

let directory: string;
let removeDirectory: () => Promise<void>;
let places = 0;

beforeEach(async () => {
  [directory, removeDirectory] = await makeDirectory();
});
afterEach(async () => {
  Object.assign(disk, { note: null, bytesAtOnce: Number.POSITIVE_INFINITY });
  vi.restoreAllMocks();
  await removeDirectory();
});

/** A few groups; which, and how they stand, tells which save it is. */
function statesOf(save: number, more = ''): States {
  const names = ['a', 'b', 'c', 'd', 'e'].filter((_, at) => (save + at) % 3 !== 0);
  const state = { term: save, voteFor: null, promisedMs: 0 };
  return new Map(names.map((name) => [name + more, save % 2 === 0 ? state : { ...state, learner: 7 }]));
}

const textOf = (states: States): string => JSON.stringify([...states].sort(([a], [b]) => (a < b ? -1 : 1)));

/** A store whose every step on the disk is noted, with what had been promised at that moment. */
class Recorder {
  readonly steps: NotedStep[] = [];
  /** What there is after each save. */
  readonly points: string[] = ['[]'];
  readonly store: FileGroupStore;
  acknowledged = 0;
  #states: States = new Map();
  readonly #more: string;

  constructor(place: string, more = '') {
    this.store = new FileGroupStore(place, { compactAfterBytes: 0 });
    this.#more = more;
    disk.note = (step) => this.note(step);
  }

  get begun(): number {
    return this.points.length - 1;
  }

  get isRewritten(): boolean {
    return this.steps.filter(({ step }) => step.type === 'rename').length > 3;
  }

  /** Whether what was saved while the log was written anew has followed into the new file. */
  get hasCaughtUp(): boolean {
    let isInPlace = true;
    return this.steps.some(({ step }) => {
      if (step.type === 'open') isInPlace = step.truncates;
      if (step.type === 'rename') isInPlace = true;
      return !isInPlace && step.type === 'write';
    });
  }

  note(step: DiskStep): void {
    this.steps.push({ step, acknowledged: this.acknowledged, begun: this.begun });
  }

  async save(): Promise<void> {
    const states = statesOf(this.points.length, this.#more);
    this.#states = new Map([...this.#states, ...states]);
    const at = this.points.push(textOf(this.#states)) - 1;
    await this.store.save(states);
    this.acknowledged = Math.max(this.acknowledged, at);
  }

  expectPoint(read: States, { acknowledged, begun }: Omit<NotedStep, 'step'>, what: string): void {
    expect(this.points.slice(acknowledged, begun + 1), what).toContain(textOf(read));
  }
}

/** Saves one after the other, and some at once, while the log is written anew again and again. */
async function record(more = ''): Promise<Recorder> {
  const recorder = new Recorder(join(directory, 'recorded'), more);
  await recorder.store.open(IP);
  await recorder.save();
  await Promise.all([recorder.save(), recorder.save(), recorder.save()]);
  while (!recorder.isRewritten || !recorder.hasCaughtUp) await recorder.save();
  await recorder.store.close();
  disk.note = null;
  return recorder;
}

/** Opens a store on `image`, and hands it on. */
async function withStore(
  image: Image,
  work: (store: FileGroupStore, read: States) => Promise<void>,
): Promise<void> {
  const place = join(directory, `place-${++places}`);
  mkdirSync(place);
  for (const [name, content] of image) writeFileSync(join(place, name), content);
  const store = new FileGroupStore(place);
  try {
    await work(store, await store.open(IP));
  } finally {
    await store.close();
    rmSync(place, { recursive: true });
  }
}

describe('a file store of groups, after a crash', () => {
  it('at any moment shows all that was acknowledged, of each save all or nothing, and goes on', async () => {
    const recorder = await record();
    let count = 0;
    for (const [image, noted, what] of crashes(recorder.steps)) {
      count += 1;
      await withStore(image, async (store, read) => {
        recorder.expectPoint(read, noted, what);
        await store.save(new Map([['new', { term: 9, voteFor: IP, promisedMs: 1 }]]));
        await store.close();
        const again = new Map(await store.open(IP));
        expect(again.get('new'), what).toEqual({ term: 9, voteFor: IP, promisedMs: 1 });
        again.delete('new');
        expect(textOf(again), what).toBe(textOf(read));
      });
    }
    expect(count).toBeGreaterThan(30);
  });

  it('in the midst of each of the last appends, after any byte, shows the same', async () => {
    const recorder = await record();
    let count = 0;
    for (const { model, noted, write } of appends(recorder.steps)) {
      if (noted.begun < recorder.begun - 4) continue;
      const { bytes, position } = write;
      const end = bytes.lastIndexOf('\n') + 1;
      for (const length of [...Array(end).keys(), end, end + SECTOR]) {
        count += 1;
        const image = model.torn(write, (place) => place < position + length);
        await withStore(image, async (_, read) => recorder.expectPoint(read, noted, `torn at ${length}`));
      }
    }
    expect(count).toBeGreaterThan(300);
  });

  it('in the midst of any append, with any of its sectors written, shows the same', async () => {
    const recorder = await record('n'.repeat(200));
    let count = 0;
    for (const { model, noted, write } of appends(recorder.steps)) {
      const first = Math.floor(write.position / SECTOR);
      const end = write.bytes.lastIndexOf('\n') + 1;
      const sectors = Math.min(Math.floor((write.position + end - 1) / SECTOR) - first + 1, 6);
      for (let mask = 0; mask < 2 ** sectors; mask += 1) {
        count += 1;
        const image = model.torn(write, (place) => isIn(mask, Math.floor(place / SECTOR) - first));
        await withStore(image, async (_, read) => recorder.expectPoint(read, noted, `sectors ${mask}`));
      }
    }
    expect(count).toBeGreaterThan(50);
  });
});

/** A log of which one part was live when it was written anew, and three saves followed. */
async function written(): Promise<{
  readonly log: Buffer;
  readonly live: number;
  readonly points: string[];
}> {
  const place = join(directory, 'written');
  const store = new FileGroupStore(place);
  await store.open(IP);
  await store.save(statesOf(1));
  await store.close();
  let states = new Map(await store.open(IP));
  const live = readFileSync(store.path).length;
  const points = [textOf(states)];
  for (const save of [2, 3, 4]) {
    await store.save(statesOf(save));
    states = new Map([...states, ...statesOf(save)]);
    points.push(textOf(states));
  }
  await store.close();
  const log = readFileSync(store.path);
  return { log: log.subarray(0, log.lastIndexOf('\n') + 1), live, points };
}

/** Expects that it is refused, and left as it is. */
async function expectRefused(log: Buffer, what: string): Promise<void> {
  const place = join(directory, `place-${++places}`);
  mkdirSync(place);
  const store = new FileGroupStore(place);
  writeFileSync(store.path, log);
  for (let time = 0; time < 2; time += 1) {
    await expect(store.open(IP), what).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
  }
  expect(readFileSync(store.path).equals(log), what).toBe(true);
  expect(readdirSync(place), what).toEqual(['groups']);
}

describe('a log of groups', () => {
  it('that is cut in the midst of a save shows the saves before; cut before those, it is refused', async () => {
    const { log, live, points } = await written();
    for (let length = 0; length <= log.length; length += 1) {
      const cut = log.subarray(0, length);
      if (length < live) {
        await expectRefused(cut, `cut at ${length}`);
        continue;
      }
      const saves = cut.subarray(live).filter((byte) => byte === 10).length;
      await withStore(new Map([['groups', cut]]), async (_, read) =>
        expect(textOf(read), `cut at ${length}`).toBe(points[saves]),
      );
    }
  });

  it('with any byte changed is refused', async () => {
    const { log } = await written();
    for (let at = 0; at < log.length; at += 1) {
      for (const mask of [1, 0x80, 0xff]) {
        const damaged = Buffer.from(log);
        damaged[at] = (log[at] as number) ^ mask;
        await expectRefused(damaged, `byte ${at} ^ ${mask}`);
      }
    }
  });

  it('with a line missing, twice there, or out of its place, is refused', async () => {
    const { log } = await written();
    const lines = log.toString().split(/(?<=\n)/);
    for (const [at, line] of lines.entries()) {
      // That its last save is missing, nobody can see.
      if (at < lines.length - 1) await expectRefused(Buffer.from(lines.toSpliced(at, 1).join('')), 'missing');
      await expectRefused(Buffer.from(lines.toSpliced(at, 0, line).join('')), 'twice');
    }
    await expectRefused(Buffer.from(lines.toReversed().join('')), 'reversed');
  });

  it('of another format is refused', async () => {
    const place = join(directory, 'state');
    mkdirSync(place);
    const { encodeLine } = await import('../../src/stores/file-lines.js');
    const header = { format: 2, kind: 'groups', ip: IP, groups: 0, nextSequence: 1 };
    for (const wrong of [{}, { format: 1, kind: 'tail' }]) {
      const line = encodeLine({ generation: 0, sequence: 0 }, { ...header, ...wrong });
      await expectRefused(line, JSON.stringify(wrong));
    }
  });
});

/** Saves until that fails, and what was acknowledged before is there when the store is opened again. */
async function failsAt(failing: number): Promise<DiskStep['type'] | null> {
  const recorder = new Recorder(join(directory, `failing-${failing}`));
  let failed: DiskStep['type'] | null = null;
  await recorder.store.open(IP);
  const before = recorder.steps.length;
  disk.note = (step) => {
    recorder.note(step);
    if (recorder.steps.length - before - 1 !== failing) return;
    failed = step.type;
    throw Object.assign(new Error('EIO: as asked'), { code: 'EIO' });
  };
  const expected = { code: 'STORE_FAILED', cause: { code: 'EIO' } };
  try {
    for (;;) await recorder.save();
  } catch (error) {
    expect(error).toMatchObject(expected);
  }
  const noted = { acknowledged: recorder.acknowledged, begun: recorder.begun };
  await expect(recorder.store.save(statesOf(99))).rejects.toMatchObject(expected);
  await expect(recorder.store.save(statesOf(99))).rejects.toMatchObject(expected);
  await recorder.store.close();
  disk.note = null;
  recorder.expectPoint(await recorder.store.open(IP), noted, `failed at ${failing}`);
  await recorder.store.save(statesOf(99));
  await recorder.store.close();
  expect(readdirSync(dirname(recorder.store.path))).toEqual(['groups']);
  return failed;
}

describe('a save', () => {
  it('after any step that failed rejects, until the store is opened again with all that was acknowledged', async () => {
    disk.bytesAtOnce = 100_000;
    const failed = new Set<unknown>();
    // Which step comes when depends on what is written anew meanwhile: so until each kind has failed.
    const kinds = ['open', 'write', 'sync', 'rename', 'syncDirectory'];
    for (let step = 0; step < 40 || !kinds.every((kind) => failed.has(kind)); step += 1) {
      failed.add(await failsAt(step));
    }
  });

  it('that was written in part rejects, and is not there', async () => {
    const store = new FileGroupStore(directory);
    await store.open(IP);
    await store.save(statesOf(1));
    disk.bytesAtOnce = 30;
    disk.note = () => {
      throw Object.assign(new Error('ENOSPC: as asked'), { code: 'ENOSPC' });
    };
    await expect(store.save(statesOf(2))).rejects.toMatchObject({ cause: { code: 'ENOSPC' } });
    disk.note = null;
    await expect(store.save(statesOf(2))).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await store.close();
    expect(textOf(await store.open(IP))).toBe(textOf(statesOf(1)));
    await store.close();
  });

  it('whose sync failed is the last one, where writes are synced by themselves', async () => {
    vi.spyOn(process, 'platform', 'get').mockReturnValue('darwin');
    const store = new FileGroupStore(directory);
    await store.open(IP);
    const steps: string[] = [];
    disk.note = ({ type }) => {
      steps.push(type);
      if (type === 'sync') throw Object.assign(new Error('EIO: as asked'), { code: 'EIO' });
    };
    for (let time = 0; time < 2; time += 1) {
      await expect(store.save(statesOf(1))).rejects.toMatchObject({ cause: { code: 'EIO' } });
    }
    expect(steps).toEqual(['write', 'sync']);
    await store.close();
  });

  it('tells that the log lost saves under the open store, and that is not written over', async () => {
    const store = new FileGroupStore(directory, { compactAfterBytes: 0 });
    await store.open(IP);
    const { length } = readFileSync(store.path);
    disk.note = ({ type }) => {
      if (type === 'write') truncateSync(store.path, length);
    };
    const saveOn = async (): Promise<void> => {
      for (let save = 1; ; save += 1) await store.save(statesOf(save));
    };
    await expect(saveOn()).rejects.toMatchObject({ code: 'STORE_FAILED', cause: { code: 'STORE_CORRUPT' } });
    await store.close();
    expect(readFileSync(store.path)).toHaveLength(length);
  });
});

describe('a log that is being written anew', () => {
  it('takes the place of no other when the lock is lost', async () => {
    const store = new FileGroupStore(directory, { compactAfterBytes: 0 });
    await store.open(IP);
    const steps: string[] = [];
    disk.note = ({ type }) => {
      steps.push(type);
      if (type === 'sync') rmSync(`${store.path}.lock`);
    };
    const saveOn = async (): Promise<void> => {
      for (let save = 1; ; save += 1) await store.save(statesOf(save));
    };
    await expect(saveOn()).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('its lock was removed or taken over'),
    });
    await store.close();
    expect(steps).toContain('sync');
    expect(steps).not.toContain('rename');
  });

  it.each(['open', 'sync', 'rename'])('at its %s is waited for, or given up, by close', async (step) => {
    const store = new FileGroupStore(directory, { compactAfterBytes: 0 });
    await store.open(IP);
    let closing: Promise<void> | null = null;
    disk.note = ({ type }) => {
      if (type === step) closing ??= store.close();
    };
    let acknowledged: States = new Map();
    for (let save = 1; closing === null; save += 1) {
      await store.save(statesOf(save));
      acknowledged = new Map([...acknowledged, ...statesOf(save)]);
    }
    await closing;
    const late: string[] = [];
    disk.note = ({ type }) => late.push(type);
    for (let turns = 0; turns < 1_000; turns += 1) await turn();
    expect(late).toEqual([]);
    expect(textOf(await store.open(IP))).toBe(textOf(acknowledged));
    await store.close();
  });
});
