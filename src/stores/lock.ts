import { randomUUID } from 'node:crypto';
import {
  linkSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { RaftError } from '../core/errors.js';

/** Who holds a lock. What this platform does not tell is null. */
interface Owner {
  readonly pid: number;
  /** The start of the process in clock ticks since boot: tells a process from a later one with the same pid. */
  readonly start: string | null;
  readonly boot: string | null;
  readonly namespace: string | null;
  readonly token: string;
}

const GUARD_ABANDONED_MS = 10_000;
const PATIENCE_MS = 2 * GUARD_ABANDONED_MS;
const RETRY_MS = 20;

/**
 * Tokens that this process gave up, in case their file could not be removed. Any other token that bears our pid is held:
 * perhaps by a worker thread, or by a second copy of this module, neither of which could be seen from here.
 */
const releasedTokens = new Set<string>();

/**
 * A lock file that at most one store holds, and that ends with the process of its holder, however that one ended.
 * Holders are told apart within one boot of one host and one pid namespace. A lock from elsewhere is taken over,
 * since nobody here can tell whether its holder lives.
 *
 * The file comes into being with its content, by `link`, so that nobody ever reads a half-written one; one that makes
 * no sense is what a power failure left, and is taken over as well.
 */
export class FileLock {
  readonly #path: string;
  readonly #token: string;

  private constructor(path: string, token: string) {
    this.#path = path;
    this.#token = token;
  }

  /**
   * Locks `path`. Waits only while another process is taking over the lock of a dead one, at most 20 s.
   *
   * @throws RaftError `STORE_IN_USE` naming the pid of the holder, `STORE_FAILED`; or what the file system threw
   */
  static async acquire(path: string): Promise<FileLock> {
    const self = describeSelf();
    const draft = `${path}.${self.token}`;
    const deadline = performance.now() + PATIENCE_MS;
    try {
      writeFileSync(draft, `${JSON.stringify(self)}\n`, { flag: 'wx' });
      while (!linked(draft, path) && !tookOver(draft, path, self)) {
        if (performance.now() > deadline) {
          throw new RaftError('STORE_FAILED', `${path} could not be taken over within ${PATIENCE_MS} ms`);
        }
        await delay(RETRY_MS);
      }
      return new FileLock(path, self.token);
    } finally {
      rmSync(draft, { force: true });
    }
  }

  /**
   * Whether the file is still this lock. False when it was removed, or taken over from another pid namespace. Asked before
   * each save, so synchronous: by way of the thread pool, these few calls would take longer than a small save itself.
   */
  isHeld(): boolean {
    return parseOwner(readIfThere(this.#path))?.token === this.#token;
  }

  /** Removes the file if it is still this lock. When that fails, stores of this process may take the lock all the same. */
  async release(): Promise<void> {
    releasedTokens.add(this.#token);
    if (this.isHeld()) await rm(this.#path, { force: true });
    releasedTokens.delete(this.#token);
  }
}

/**
 * Replaces the lock of a dead process by `draft`; false when it is to be tried again. Synchronous, so that as little as
 * possible comes between judging a lock and removing it.
 */
function tookOver(draft: string, path: string, self: Owner): boolean {
  refuseIfLive(path, self);
  const guard = `${path}.takeover`;
  if (!enteredGuard(guard)) return false;
  try {
    // Another may have taken it over between the first look and the guard.
    refuseIfLive(path, self);
    rmSync(path, { force: true });
    return linked(draft, path);
  } finally {
    unless('ENOENT', () => rmdirSync(guard));
  }
}

function enteredGuard(guard: string): boolean {
  if (unless('EEXIST', () => mkdirSync(guard))) return true;
  unless('ENOENT', () => removeAbandoned(guard));
  return false;
}

/** Removes a guard whose process died inside it. */
function removeAbandoned(guard: string): void {
  if (!isAbandoned(guard)) return;
  const aside = `${guard}.${randomUUID()}`;
  renameSync(guard, aside);
  // Between look and rename another may have removed the old guard and entered a new one: give that one back.
  if (isAbandoned(aside)) rmdirSync(aside);
  else renameSync(aside, guard);
}

function isAbandoned(guard: string): boolean {
  // A guard from the future is what a clock that was set back has left.
  return Math.abs(Date.now() - statSync(guard).mtimeMs) > GUARD_ABANDONED_MS;
}

function linked(draft: string, path: string): boolean {
  return unless('EEXIST', () => linkSync(draft, path));
}

function refuseIfLive(path: string, self: Owner): void {
  const owner = parseOwner(readIfThere(path));
  if (owner === null || !isLive(owner, self)) return;
  throw new RaftError(
    'STORE_IN_USE',
    `${path} is held by process ${owner.pid}: stop that process, or give each peer a store of its own`,
  );
}

function readIfThere(path: string): string {
  let text = '';
  unless('ENOENT', () => {
    text = readFileSync(path, 'utf8');
  });
  return text;
}

function isLive(owner: Owner, self: Owner): boolean {
  if (owner.namespace !== self.namespace || owner.boot !== self.boot) return false;
  if (releasedTokens.has(owner.token)) return false;
  // EPERM: it lives, under another user.
  if (!unless('ESRCH', () => unless('EPERM', () => process.kill(owner.pid, 0)))) return false;
  const stat = processStat(owner.pid);
  if (stat === null) return true;
  const ended = stat.state === 'Z' || stat.state === 'X';
  return !ended && (owner.start === null || owner.start === stat.start);
}

function parseOwner(text: string): Owner | null {
  try {
    const { pid, start, boot, namespace, token } = JSON.parse(text) as Record<keyof Owner, unknown>;
    // 0 and negative pids would mean process groups.
    if (!Number.isInteger(pid) || (pid as number) <= 0 || (pid as number) > 0x7fffffff) return null;
    if (typeof token !== 'string' || ![start, boot, namespace].every(isStringOrNull)) return null;
    return { pid, start, boot, namespace, token } as Owner;
  } catch {
    return null;
  }
}

function isStringOrNull(value: unknown): boolean {
  return value === null || typeof value === 'string';
}

function describeSelf(): Owner {
  return {
    pid: process.pid,
    start: processStat(process.pid)?.start ?? null,
    boot: orNull(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    namespace: orNull(() => readlinkSync('/proc/self/ns/pid')),
    token: randomUUID(),
  };
}

/** Fields 3 and 22 of `/proc/<pid>/stat`; null where there is none, or where it is hidden. */
function processStat(pid: number): { readonly state: string; readonly start: string } | null {
  const text = orNull(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  if (text === null) return null;
  // Field 2, the name, stands in parentheses and may itself hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, start] = [fields[0], fields[19]];
  return state === undefined || start === undefined ? null : { state, start };
}

function orNull(read: () => string): string | null {
  try {
    return read();
  } catch {
    return null;
  }
}

/** Whether `action` was done; false when it failed with this error code, any other failure is thrown. */
function unless(code: string, action: () => unknown): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (codeOf(error) === code) return false;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
