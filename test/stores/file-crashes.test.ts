import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Base, Batch, DataChanges, StoredDatum } from '../../src/core/datum.js';
import type { StoredState } from '../../src/core/outputs.js';
import { FileStore } from '../../src/stores/file.js';
import type { Stored } from '../../src/stores/store.js';
import { appends, crashes, isIn, type NotedStep } from './crashes.js';
import { DiskModel, type DiskWrite, type Image } from './images.js';
import { makeDirectory } from './places.js';
import { disk } from './recorded-disk.js';

const SECTOR = 512;

vi.mock('node:fs/promises', async (original) => {
  const { recorded } = await import('./recorded-disk.js');
  return recorded(await original(), (name) => name.startsWith('state'));
});

const IP = 'a:1';

/** What there is after a save, or may be if the save is not over. */
interface Point {
  readonly state: StoredState | null;
  readonly data: string;
}

interface Noted extends NotedStep {
  readonly committedSeq: number;
}

let directory: string;
let path: string;
let removeDirectory: () => Promise<void>;
let places = 0;

beforeEach(async () => {
  [directory, removeDirectory] = await makeDirectory();
  path = join(directory, 'state');
});
afterEach(async () => {
  disk.note = null;
  await removeDirectory();
});

const state = (term: number): StoredState => ({ term, voteFor: null, promisedMs: 0 });

function batch(seq: number, term = 1, more = ''): Batch {
  const key = `k${seq % 3}`;
  return {
    revision: { term, seq },
    ops: [{ key, value: seq % 5 === 0 ? null : `"${term}.${seq}${more}"`, timestamp: seq }],
  };
}

function anew(seq: number): Base {
  const datum: StoredDatum = {
    key: 'k0',
    value: `"base ${seq}"`,
    timestamp: seq,
    revision: { term: 1, seq },
  };
  return { revision: datum.revision, stampFloor: seq, datums: new Map([['k0', datum]]) };
}

/** All that a read says, with everything folded, since nothing here depends on how far a store has come with that. */
function pointOf(read: Stored | null): Point {
  if (read === null) return { state: null, data: '' };
  const { term, voteFor, promisedMs } = read;
  const datums = new Map(read.data?.base.datums ?? []);
  let revision = read.data?.base.revision ?? { term: 0, seq: 0 };
  for (const batch of read.data?.tail ?? []) {
    expect(batch.revision.seq).toBe(revision.seq + 1);
    revision = batch.revision;
    for (const { key, value, timestamp } of batch.ops) {
      if (value === null) datums.delete(key);
      else datums.set(key, { key, value, timestamp, revision });
    }
  }
  const data = revision.seq === 0 ? '' : JSON.stringify([revision, [...datums].sort()]);
  return { state: { term, voteFor, promisedMs }, data };
}

/** A store whose every step on the disk is noted, with what had been promised at that moment. */
class Recorder {
  readonly steps: Noted[] = [];
  readonly points: Point[] = [{ state: null, data: '' }];
  readonly store = new FileStore(path, { compactAfterBytes: 0 });
  #acknowledged = 0;
  #committedSeq = 0;

  constructor() {
    disk.note = (step) => {
      const [acknowledged, begun] = [this.#acknowledged, this.points.length - 1];
      this.steps.push({ step, acknowledged, begun, committedSeq: this.#committedSeq });
    };
  }

  /** Saves; `data` is all that is there afterwards. */
  async save(term: number, changes: DataChanges | undefined, data: DataChanges): Promise<void> {
    const tail = data.append ?? [];
    const base = data.base ?? { revision: { term: 0, seq: 0 }, stampFloor: 0, datums: new Map() };
    this.points.push(pointOf({ ...state(term), data: { base, tail } }));
    await this.store.save(state(term), changes);
    this.#acknowledged = this.points.length - 1;
  }

  fold(seq: number): void {
    this.#committedSeq = seq;
    this.store.fold(seq);
  }

  /** Until the compaction that runs has removed what it replaced. */
  async compacted(): Promise<void> {
    const begin = this.steps.length;
    const isOver = (): boolean =>
      this.steps.slice(begin).some(({ step }) => step.type === 'remove' && step.name.includes('.tail.'));
    while (!isOver()) await turn();
  }
}

/** Every kind of save, with compactions between them, and under them; values end with `more`. */
async function record(more = ''): Promise<Recorder> {
  const recorder = new Recorder();
  const { store } = recorder;
  const [one, two, three, other, four, five] = [
    batch(1, 1, more),
    batch(2, 1, more),
    batch(3, 1, more),
    batch(3, 2, more),
    batch(4, 2, more),
    batch(5, 2, more),
  ];
  await store.open(IP);
  await recorder.save(1, undefined, {});
  await recorder.save(1, { append: [one, two] }, { append: [one, two] });
  await recorder.save(2, { append: [three] }, { append: [one, two, three] });
  recorder.fold(2);
  const compacted = recorder.compacted();
  const changed = [one, two, other, four];
  await recorder.save(2, { cutFrom: 3, append: [other, four] }, { append: changed });
  await compacted;
  await recorder.save(2, { append: [five] }, { append: [...changed, five] });
  const next = anew(10);
  await recorder.save(3, { base: next, append: [batch(11)] }, { base: next, append: [batch(11)] });
  await recorder.save(3, { append: [batch(12)] }, { base: next, append: [batch(11), batch(12)] });
  recorder.fold(11);
  const last = anew(20);
  await recorder.save(4, { base: last }, { base: last });
  await recorder.save(4, { append: [batch(21)] }, { base: last, append: [batch(21)] });
  await store.close();
  disk.note = null;
  return recorder;
}

/** Opens a store on `image`, and hands it on. */
async function withStore<T>(
  image: Image,
  work: (store: FileStore, read: Stored | null) => Promise<T>,
): Promise<T> {
  const place = join(directory, `place-${++places}`, 'state');
  mkdirSync(dirname(place));
  for (const [name, content] of image) writeFileSync(join(dirname(place), name), content);
  const store = new FileStore(place, { compactAfterBytes: 0 });
  try {
    return await work(store, await store.open(IP));
  } finally {
    await store.close();
    rmSync(dirname(place), { recursive: true });
  }
}

/** The state and the data are each of a save that was acknowledged or begun, and the data is not newer than the state. */
function expectPoint(read: Stored | null, { points }: Recorder, noted: Noted, what: string): void {
  const possible = points.slice(noted.acknowledged, noted.begun + 1);
  const { state, data } = pointOf(read);
  const states = possible.map((point) => JSON.stringify(point.state));
  const datas = possible.map((point) => point.data);
  expect(states, what).toContain(JSON.stringify(state));
  expect(datas, what).toContain(data);
  expect(datas.indexOf(data), what).toBeLessThanOrEqual(states.lastIndexOf(JSON.stringify(state)));
  const isSwap = possible.length > 1 && datas.at(-1)?.includes('base') === true;
  if (!isSwap && read?.data?.tail.length) {
    const { seq } = read.data.base.revision;
    const isOfBase = [10, 20].includes(seq);
    expect(isOfBase || seq <= noted.committedSeq, `${what}: what is not committed is not folded`).toBe(true);
  }
}

describe('a file store that holds data, after a crash', () => {
  it('at any moment shows the former or the new state and data, and goes on', async () => {
    const recorder = await record();
    let count = 0;
    for (const [image, noted, what] of crashes(recorder.steps)) {
      count += 1;
      await withStore(image, async (store, read) => {
        expectPoint(read, recorder, noted, what);
        const tail = read?.data?.tail ?? [];
        const seq = (tail.at(-1) ?? read?.data?.base)?.revision.seq ?? 0;
        await store.save(state(9), { append: [batch(seq + 1, 9)] });
        await store.close();
        const again = await store.open(IP);
        expect(again?.term, what).toBe(9);
        expect(again?.data?.tail.at(-1), what).toEqual(batch(seq + 1, 9));
      });
    }
    expect(count).toBeGreaterThan(50);
  });

  it('in the midst of any append, after any byte, shows all that was acknowledged, or the whole of the new', async () => {
    const recorder = await record();
    let count = 0;
    for (const { model, noted, write } of appends(recorder.steps)) {
      const { bytes, position } = write;
      const line = bytes.indexOf('\n') + 1;
      for (const length of [...Array(line).keys(), line, line + SECTOR]) {
        count += 1;
        const image = model.torn(write, (place) => place < position + length);
        await withStore(image, async (_, read) => expectPoint(read, recorder, noted, `torn at ${length}`));
      }
    }
    expect(count).toBeGreaterThan(300);
  });

  it('in the midst of any append, with any of its sectors written, shows the same', async () => {
    const recorder = await record('v'.repeat(2 * SECTOR));
    let count = 0;
    for (const { model, noted, write } of appends(recorder.steps)) {
      const first = Math.floor(write.position / SECTOR);
      const line = write.bytes.indexOf('\n') + 1;
      const sectors = Math.floor((write.position + line - 1) / SECTOR) - first + 1;
      for (let mask = 0; mask < 2 ** sectors; mask += 1) {
        count += 1;
        const image = model.torn(write, (place) => isIn(mask, Math.floor(place / SECTOR) - first));
        await withStore(image, async (_, read) => expectPoint(read, recorder, noted, `sectors ${mask}`));
      }
    }
    expect(count).toBeGreaterThan(50);
  });

  it('in the midst of mending what a crash had left shows the same again', async () => {
    const recorder = await record();
    const model = new DiskModel();
    const append = recorder.steps.findLast(({ step }) => step.type === 'write') as Noted & {
      step: DiskWrite;
    };
    for (const { step } of recorder.steps.slice(0, recorder.steps.indexOf(append))) model.take(step);
    const { position = 0 } = append.step;
    const torn = new Map(model.torn(append.step, (place) => place < position + 30));
    torn
      .set('state.base.9.tmp', Buffer.from('half a ba'))
      .set('state.tail.1', Buffer.from('of a former generation'));
    const mending: Noted[] = [];
    const before = await withStore(torn, async (_, read) => pointOf(read));
    disk.note = (step) => mending.push({ ...append, step });
    await withStore(torn, async () => {
      disk.note = null;
    });
    const mended = new DiskModel(torn);
    for (const { step } of mending) {
      mended.take(step);
      for (const image of mended.images()) {
        await withStore(image, async (_, read) => expect(pointOf(read)).toEqual(before));
      }
    }
    expect(mending.filter(({ step }) => step.type === 'rename')).toHaveLength(1);
    expect(mending.filter(({ step }) => step.type === 'remove').length).toBeGreaterThanOrEqual(2);
  });
});
