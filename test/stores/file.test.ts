import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, rmdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RaftError, type RaftErrorCode } from '../../src/core/errors.js';
import type { StoredState } from '../../src/core/outputs.js';
import { FileStore } from '../../src/stores/file.js';
import { makeDirectory } from './places.js';
import { type Opener, withOpeners } from './processes.js';

const IP = 'a:1';
const STATE: StoredState = { term: 7, voteFor: 'b:1', promisedMs: 0.5 };
const linuxOnly = it.runIf(process.platform === 'linux');

let directory: string;
let path: string;
let removeDirectory: () => Promise<void>;

beforeEach(async () => {
  [directory, removeDirectory] = await makeDirectory();
  path = join(directory, 'state');
});
afterEach(() => removeDirectory());

const tick = (): Promise<void> => delay(1);

async function saved(state: StoredState = STATE): Promise<void> {
  const store = new FileStore(path);
  await store.open(IP);
  await store.save(state);
  await store.close();
}

async function read(ip: string = IP): Promise<StoredState | null> {
  const store = new FileStore(path);
  const state = await store.open(ip);
  await store.close();
  return state;
}

async function failure(action: Promise<unknown>): Promise<RaftError> {
  const error = await action.then(
    (value) => new Error(`resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  if (!(error instanceof RaftError)) throw error;
  return error;
}

async function codeOf(action: Promise<unknown>): Promise<RaftErrorCode> {
  return (await failure(action)).code;
}

/** A file with a right checksum, whatever its content. */
function sealed(content: string): string {
  return `{"checksum":"${createHash('sha256').update(content).digest('hex')}","content":${content}}\n`;
}

function content(changes: object): string {
  return sealed(JSON.stringify({ format: 1, ip: IP, ...STATE, ...changes }));
}

describe('the file', () => {
  it('is JSON with the format, the ip, the state and a checksum', async () => {
    await saved();
    const text = await readFile(path, 'utf8');
    expect(text).toBe(content({}));
    expect(JSON.parse(text).content).toEqual({ format: 1, ip: IP, term: 7, voteFor: 'b:1', promisedMs: 0.5 });
  });

  it('is made at the first save, in a directory that is made at open', async () => {
    path = join(directory, 'deep', 'er', 'state');
    const store = new FileStore(path);
    expect(await store.open(IP)).toBe(null);
    expect(existsSync(path)).toBe(false);
    await store.save(STATE);
    expect(existsSync(path)).toBe(true);
    await store.close();
    expect(await readdir(join(directory, 'deep', 'er'))).toEqual(['state']);
  });

  it('stays where the path pointed when the store was made, also when the process changes its directory', () => {
    expect(new FileStore('state').path).toBe(join(process.cwd(), 'state'));
  });

  it('must have a path', () => {
    for (const wrong of ['', undefined, 7]) {
      expect(() => new FileStore(wrong as string)).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }));
    }
  });

  it('keeps its state when fields are added that this version does not know', async () => {
    await writeFile(path, content({ members: ['a:1'], later: { deep: null } }));
    expect(await read()).toEqual(STATE);
  });

  it('of another ip is STORE_MISMATCH, naming both', async () => {
    await saved();
    const error = await failure(read('b:1'));
    expect(error).toMatchObject({ code: 'STORE_MISMATCH', ip: IP });
    expect(error.message).toBe(`${path} belongs to a:1, not to b:1`);
  });
});

describe('a file that cannot be trusted is STORE_CORRUPT, never an empty store', () => {
  it('when any bit of any byte is flipped', async () => {
    await saved();
    const intact = await readFile(path);
    for (let bit = 0; bit < intact.length * 8; bit += 1) {
      const tampered = Buffer.from(intact);
      tampered[bit >> 3] = (tampered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await writeFile(path, tampered);
      expect(await codeOf(read()), `bit ${bit & 7} of byte ${bit >> 3}`).toBe('STORE_CORRUPT');
    }
  });

  it('when any byte is zeroed, or made a digit', async () => {
    await saved();
    const intact = await readFile(path);
    for (const byte of [0, '0'.charCodeAt(0), '9'.charCodeAt(0)]) {
      for (let position = 0; position < intact.length; position += 1) {
        if (intact[position] === byte) continue;
        await writeFile(path, Buffer.from(intact).fill(byte, position, position + 1));
        expect(await codeOf(read()), `byte ${position} = ${byte}`).toBe('STORE_CORRUPT');
      }
    }
  });

  it('when it is cut at any length, empty included', async () => {
    await saved();
    const intact = await readFile(path);
    for (let length = 0; length < intact.length; length += 1) {
      await writeFile(path, intact.subarray(0, length));
      expect(await codeOf(read()), `cut to ${length} bytes`).toBe('STORE_CORRUPT');
    }
  });

  it('when its tail is zeros, or something follows it', async () => {
    await saved();
    const intact = await readFile(path);
    for (let length = 0; length < intact.length; length += 1) {
      await writeFile(path, Buffer.from(intact).fill(0, length));
      expect(await codeOf(read()), `zeros from ${length}`).toBe('STORE_CORRUPT');
    }
    await writeFile(path, Buffer.concat([intact, intact]));
    expect(await codeOf(read())).toBe('STORE_CORRUPT');
  });

  it.each([
    ['a negative term', { term: -1 }],
    ['a term above 2^53-1', { term: 2 ** 53 }],
    ['a broken term', { term: 1.5 }],
    ['a term in letters', { term: '7' }],
    ['no term', { term: undefined }],
    ['a vote that is no string', { voteFor: 7 }],
    ['no vote', { voteFor: undefined }],
    ['a negative promise', { promisedMs: -1 }],
    ['an endless promise', { promisedMs: Number.POSITIVE_INFINITY }],
    ['a promise in letters', { promisedMs: '5' }],
    ['no promise', { promisedMs: undefined }],
    ['no ip', { ip: undefined }],
    ['an ip that is no string', { ip: 7 }],
  ])('when it has %s, though its checksum is right', async (_, changes) => {
    await writeFile(path, content(changes));
    expect(await failure(read())).toMatchObject({
      code: 'STORE_CORRUPT',
      message: expect.stringContaining('a field is out of bounds'),
    });
  });

  it.each([3, 0, '1', null, undefined])('when its format is %s', async (format) => {
    await writeFile(path, content({ format }));
    expect(await failure(read())).toMatchObject({
      code: 'STORE_CORRUPT',
      message: expect.stringContaining('if a newer version of raftbeat wrote it'),
    });
  });

  it.each(['{}', '{{}', '{"format":1}'])(
    'when its content is %s, though its checksum is right',
    async (text) => {
      await writeFile(path, sealed(text));
      expect(await codeOf(read())).toBe('STORE_CORRUPT');
    },
  );

  it('and the message names the file, says why, and what to do', async () => {
    await writeFile(path, '');
    expect((await failure(read())).message).toBe(
      `${path} cannot be trusted: it is empty. Do not put an older copy in its place, which would forget votes. ` +
        'Move all files of this store away, and the peer joins again like a new one, once enough of the others have answered it',
    );
    await writeFile(path, 'something else');
    expect((await failure(read())).message).toContain('it is torn or no state file');
    await writeFile(path, content({}).replace('"term":7', '"term":3'));
    expect((await failure(read())).message).toContain('its checksum is wrong');
  });

  it('and is left as it is, so that somebody can look at it', async () => {
    await writeFile(path, 'torn');
    await codeOf(read());
    expect(await readFile(path, 'utf8')).toBe('torn');
  });
});

describe('what the file system refuses is STORE_FAILED with its cause', () => {
  it('when the path is a directory', async () => {
    await mkdir(path);
    expect(await failure(read())).toMatchObject({ code: 'STORE_FAILED', cause: { code: 'EISDIR' } });
  });

  it('when the parent is a file', async () => {
    await writeFile(path, '');
    path = join(path, 'state');
    expect(await failure(read())).toMatchObject({ code: 'STORE_FAILED', cause: expect.any(Error) });
  });

  linuxOnly('when the path is a symbolic link, also one that leads nowhere', async () => {
    await symlink(join(directory, 'nowhere'), path);
    expect(await failure(read())).toMatchObject({ code: 'STORE_FAILED', cause: { code: 'ELOOP' } });
  });

  it('when the lock is a directory', async () => {
    await mkdir(`${path}.lock`);
    expect(await failure(read())).toMatchObject({ code: 'STORE_FAILED', cause: expect.any(Error) });
  });

  it('when a save cannot write, after which the former state is read', async () => {
    await saved();
    const store = new FileStore(path);
    await store.open(IP);
    await mkdir(`${path}.tmp`);
    expect(await failure(store.save({ ...STATE, term: 8 }))).toMatchObject({
      code: 'STORE_FAILED',
      cause: { code: 'EISDIR' },
    });
    await rmdir(`${path}.tmp`);
    await store.close();
    expect(await read()).toEqual(STATE);
  });

  it('and a failed open leaves neither a lock nor another file behind', async () => {
    await saved();
    await codeOf(read('b:1'));
    expect(await readdir(directory)).toEqual(['state']);
    await writeFile(path, '');
    await codeOf(read());
    expect(await readdir(directory)).toEqual(['state']);
    await rm(path);
    await mkdir(path);
    await codeOf(read());
    expect(await readdir(directory)).toEqual(['state']);
  });
});

describe('open, save and close', () => {
  it('a leftover of a save that crashed is ignored and removed', async () => {
    await saved();
    await writeFile(`${path}.tmp`, content({ term: 99 }));
    expect(await read()).toEqual(STATE);
    expect(await readdir(directory)).toEqual(['state']);
  });

  it('a leftover without a file is not a state', async () => {
    await writeFile(`${path}.tmp`, content({ term: 99 }));
    expect(await read()).toBe(null);
  });

  it('saves that overlap are refused, and the first is done', async () => {
    const store = new FileStore(path);
    await store.open(IP);
    const first = store.save(STATE);
    expect(await codeOf(store.save({ ...STATE, term: 8 }))).toBe('INTERNAL');
    await first;
    await store.save({ ...STATE, term: 9 });
    await store.close();
    expect(await read()).toEqual({ ...STATE, term: 9 });
  });

  it('a state out of bounds is refused before anything is written', async () => {
    await saved();
    const store = new FileStore(path);
    await store.open(IP);
    for (const wrong of [
      { term: -1 },
      { term: 0.5 },
      { term: 2 ** 53 },
      { promisedMs: Number.NaN },
      { voteFor: 3 },
    ]) {
      expect(await codeOf(store.save({ ...STATE, ...wrong } as StoredState))).toBe('INTERNAL');
    }
    await store.close();
    expect(await read()).toEqual(STATE);
  });

  it('a store that is not open does not save', async () => {
    const store = new FileStore(path);
    expect(await codeOf(store.save(STATE))).toBe('STORE_FAILED');
    await store.open(IP);
    await store.close();
    expect(await codeOf(store.save(STATE))).toBe('STORE_FAILED');
    expect(existsSync(path)).toBe(false);
  });

  it('close waits for the save before it, and for the open before it', async () => {
    const store = new FileStore(path);
    const opening = store.open(IP);
    const saving = store.save(STATE);
    await store.close();
    expect(await readdir(directory)).toEqual(['state']);
    expect(await Promise.all([opening, saving])).toEqual([null, undefined]);
    expect(await read()).toEqual(STATE);
  });

  it('an open store is not opened again, and stays open', async () => {
    const store = new FileStore(path);
    await store.open(IP);
    expect(await codeOf(store.open(IP))).toBe('STORE_IN_USE');
    await store.save(STATE);
    await store.close();
    expect(await read()).toEqual(STATE);
  });

  it('of two stores that open at once, one is refused', async () => {
    const stores = [new FileStore(path), new FileStore(path)];
    const outcomes = await Promise.allSettled(stores.map((store) => store.open(IP)));
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    for (const store of stores) await store.close();
    expect(await readdir(directory)).toEqual([]);
  });
});

/** The content of the lock that a store of this process makes. */
async function ownLock(): Promise<Record<string, unknown>> {
  const store = new FileStore(path);
  await store.open(IP);
  const lock = JSON.parse(await readFile(`${path}.lock`, 'utf8'));
  await store.close();
  return lock;
}

async function leaveLock(lock: unknown): Promise<void> {
  await writeFile(`${path}.lock`, JSON.stringify(lock));
}

describe('the lock', () => {
  it('names the process, and is gone after close', async () => {
    expect(await ownLock()).toMatchObject({ pid: process.pid, token: expect.any(String) });
    expect(await readdir(directory)).toEqual([]);
  });

  linuxOnly('tells the start of the process, the boot and the pid namespace', async () => {
    expect(await ownLock()).toMatchObject({
      start: expect.stringMatching(/^\d+$/),
      boot: expect.stringMatching(/./),
      namespace: expect.stringMatching(/^pid:\[\d+\]$/),
    });
  });

  it('keeps a second store of this process out, naming the pid', async () => {
    const store = new FileStore(path);
    await store.open(IP);
    const error = await failure(read());
    expect(error.code).toBe('STORE_IN_USE');
    expect(error.message).toContain(`held by process ${process.pid}:`);
    await store.close();
  });

  it('of this process with a token that nobody here gave up is held: a worker thread may have it', async () => {
    await leaveLock({ ...(await ownLock()), token: 'of another thread' });
    expect(await codeOf(read())).toBe('STORE_IN_USE');
  });

  linuxOnly('of an earlier process with our pid is taken over', async () => {
    await leaveLock({ ...(await ownLock()), start: '1' });
    expect(await read()).toBe(null);
  });

  linuxOnly('of a former boot is taken over', async () => {
    await leaveLock({ ...(await ownLock()), token: 'former', boot: 'former' });
    expect(await read()).toBe(null);
  });

  it('of another pid namespace is taken over, since its pid says nothing here', async () => {
    await leaveLock({ ...(await ownLock()), token: 'elsewhere', namespace: 'pid:[1]' });
    expect(await read()).toBe(null);
  });

  it('of a living process whose start is not known is held', async () => {
    await leaveLock({ ...(await ownLock()), pid: process.ppid, start: null });
    const error = await failure(read());
    expect(error.code).toBe('STORE_IN_USE');
    expect(error.message).toContain(`held by process ${process.ppid}:`);
  });

  it.each([0, -1, 1.5, 2 ** 40, '1', null])(
    'with %j for a pid makes no sense, and is taken over',
    async (pid) => {
      await leaveLock({ ...(await ownLock()), pid });
      expect(await read()).toBe(null);
    },
  );

  it.each(['', '{', 'null', '[]', '{"pid":1}'])(
    'that makes no sense (%j) is what a power failure left, and is taken over',
    async (text) => {
      await writeFile(`${path}.lock`, text);
      expect(await read()).toBe(null);
      expect(await readdir(directory)).toEqual([]);
    },
  );

  it('that a closed store could not remove is taken over', async () => {
    const store = new FileStore(path);
    await store.open(IP);
    const lock = await readFile(`${path}.lock`);
    await rm(`${path}.lock`);
    await mkdir(`${path}.lock`);
    expect(await codeOf(store.close())).toBe('STORE_FAILED');
    await rmdir(`${path}.lock`);
    await writeFile(`${path}.lock`, lock);
    expect(await read()).toBe(null);
  });

  it('that was lost to another is left alone by close, and the store saves no more', async () => {
    await saved();
    const robbed = new FileStore(path);
    await robbed.open(IP);
    const other = JSON.stringify({ ...JSON.parse(await readFile(`${path}.lock`, 'utf8')), token: 'other' });
    await writeFile(`${path}.lock`, other);
    expect(await failure(robbed.save({ ...STATE, term: 8 }))).toMatchObject({
      code: 'STORE_FAILED',
      message: `${path} was not saved: its lock was removed or taken over`,
    });
    await robbed.close();
    expect(await readFile(`${path}.lock`, 'utf8')).toBe(other);
    await rm(`${path}.lock`);
    expect(await read()).toEqual(STATE);
  });

  it('that was removed stops the saves as well', async () => {
    const store = new FileStore(path);
    await store.open(IP);
    await rm(`${path}.lock`);
    expect(await codeOf(store.save(STATE))).toBe('STORE_FAILED');
    await store.close();
  });

  it('of a dead process waits for another that is taking it over', async () => {
    await writeFile(`${path}.lock`, '');
    await mkdir(`${path}.lock.takeover`);
    const store = new FileStore(path);
    let opened = false;
    const opening = store.open(IP).then(() => {
      opened = true;
    });
    // The draft of its lock shows that it has tried.
    while ((await readdir(directory)).length < 3) await tick();
    expect(opened).toBe(false);
    await rmdir(`${path}.lock.takeover`);
    await opening;
    await store.close();
    expect(await readdir(directory)).toEqual([]);
  });

  it.each([-11, 3600])(
    'is taken over past a takeover that was abandoned (mtime %i s from now)',
    async (seconds) => {
      await writeFile(`${path}.lock`, '');
      await mkdir(`${path}.lock.takeover`);
      const at = Date.now() / 1000 + seconds;
      await utimes(`${path}.lock.takeover`, at, at);
      expect(await read()).toBe(null);
      expect(await readdir(directory)).toEqual([]);
    },
  );
});

/** A process that has ended and that its parent never asks about; `parent` must be killed afterwards. */
async function zombie(): Promise<{ pid: number; parent: ChildProcess }> {
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 61'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [line] = await once(parent.stdout, 'data');
  const pid = Number(String(line));
  // A shell would still ask about its child; what it becomes does not.
  while (readFileSync(`/proc/${parent.pid}/comm`, 'utf8') !== 'sleep\n') await tick();
  process.kill(pid, 'SIGKILL');
  while (statOf(pid)[0] !== 'Z') await tick();
  return { pid, parent };
}

function statOf(pid: number): readonly string[] {
  return readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
}

describe('between processes', () => {
  it('the second is refused, naming the pid of the first, until the first closes', async () => {
    await withOpeners(2, async ([first, second]) => {
      const order = { type: 'open', path, ip: IP } as const;
      expect(await first!.bid(order)).toEqual({ ok: true, state: null });
      const refused = await second!.bid(order);
      expect(refused).toMatchObject({ ok: false, error: expect.stringContaining('STORE_IN_USE') });
      expect(refused).toMatchObject({ error: expect.stringContaining(`held by process ${first!.pid}:`) });
      await first!.bid({ type: 'close' });
      expect(await second!.bid(order)).toEqual({ ok: true, state: null });
    });
  });

  it('a holder that is killed in the midst of saving leaves a whole state and no lock', async () => {
    await withOpeners(5, async (openers) => {
      let least = 0;
      for (const opener of openers) {
        const answer = await opener.bid({ type: 'open', path, ip: IP });
        const found = (answer as unknown as { state: StoredState | null }).state;
        expect(answer.ok).toBe(true);
        if (least > 0) {
          // Nothing that was reported as saved is lost, and no save is there in part.
          expect(found?.term).toBeGreaterThanOrEqual(least);
          expect(found).toEqual({ term: found?.term, voteFor: 'b:1', promisedMs: (found?.term ?? 0) / 8 });
        }
        least = await killedWhileSaving(opener, found?.term ?? 0);
      }
      expect((await read())?.term).toBeGreaterThanOrEqual(least);
      expect(await readdir(directory)).toEqual(['state']);
    });
  });

  it('of six that start at once over the lock of a dead process, and over a takeover that died too, exactly one wins', async () => {
    await withOpeners(7, async ([dying, ...racers]) => {
      await dying!.bid({ type: 'open', path, ip: IP });
      await dying!.kill();
      const stale = await readFile(`${path}.lock`);
      for (let round = 0; round < 60; round += 1) {
        const place = join(directory, `round-${round}`);
        await writeFile(`${place}.lock`, stale);
        if (round % 2 === 1) {
          await mkdir(`${place}.lock.takeover`);
          await utimes(`${place}.lock.takeover`, 0, 0);
        }
        const answers = await Promise.all(
          racers.map((racer) => racer.bid({ type: 'open', path: place, ip: IP })),
        );
        const winners = racers.filter((_, i) => answers[i]?.ok);
        expect(winners, JSON.stringify(answers)).toHaveLength(1);
        for (const answer of answers) {
          if (!answer.ok) expect(answer.error).toContain(`held by process ${winners[0]?.pid}:`);
        }
        await winners[0]?.bid({ type: 'close' });
      }
      expect((await readdir(directory)).filter((name) => name.startsWith('round'))).toEqual([]);
    });
  });

  linuxOnly('the lock of a process that has ended, but is not reaped, is taken over', async () => {
    const { pid, parent } = await zombie();
    try {
      await leaveLock({ ...(await ownLock()), pid, start: statOf(pid)[19] });
      expect(await read()).toBe(null);
    } finally {
      parent.kill('SIGKILL');
    }
  });
});

/** Kills the opener while it saves; the answer is the last term that it reported as saved. */
async function killedWhileSaving(opener: Opener, found: number): Promise<number> {
  let last = 0;
  opener.child.on('message', (message) => {
    if (typeof message === 'number') last = message;
  });
  opener.child.send({ type: 'saveForEver', voteFor: 'b:1' });
  while (last < found + 20) await once(opener.child, 'message');
  await opener.kill();
  return last;
}
