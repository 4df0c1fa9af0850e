import { RaftError, type RaftErrorCode, textOf } from '../core/errors.js';
import { type MemberChange, RESERVED_PREFIX } from '../core/members.js';
import type { RaftRequest, ReadReply, Revision, WriteReply } from '../core/messages.js';
import { checkIp, type RaftPeerSet } from '../core/peer-set.js';
import type { RegistryLimits } from '../core/registry.js';
import { noLeader } from '../core/writes.js';
import { decodePeerReply } from './decode.js';
import { decodeReadReply, decodeWriteReply } from './decode-data.js';
import type { Driver } from './driver.js';
import { type Datum, toDatum } from './listeners.js';

/** Options of a write. */
export interface WriteOptions {
  /** Write only if the key's timestamp is this one; 0: only if there is no such key. */
  readonly ifTimestamp?: number;
}

/** Options of a peer that is added. */
export interface AddPeerOptions {
  /** See `Member`. @default 1 */
  readonly priority?: number;
}

/** A write that is committed. */
export interface Published {
  readonly key: string;
  /** The number of this change of the key. */
  readonly timestamp: number;
  /** The batch that it is in. */
  readonly revision: Revision;
}

/** What a refusal of a leader says for certain: nothing was written. A forward that this peer's own stop ends may have left. */
const DEFINITE: ReadonlySet<RaftErrorCode> = new Set<RaftErrorCode>([
  'BAD_REQUEST',
  'BAD_TARGET',
  'BUSY',
  'CONFLICT',
  'NOT_LEADER',
  'NO_LEADER',
  'TOO_LARGE',
  'UNAUTHORIZED',
  'UNSUPPORTED',
]);

/** Writes and linearizable reads of one run of a node: at this peer if it leads, else forwarded to the leader. */
export class RegistryClient {
  readonly #driver: Driver;
  readonly #peers: RaftPeerSet;
  readonly #limits: RegistryLimits;
  readonly #deadlineMs: number;
  /** Tells this process apart from all others that forward. */
  readonly #process: number;
  #number = 0;

  constructor(
    driver: Driver,
    peers: RaftPeerSet,
    limits: RegistryLimits,
    { random, deadlineMs }: { readonly random: () => number; readonly deadlineMs: number },
  ) {
    this.#driver = driver;
    this.#peers = peers;
    this.#limits = limits;
    this.#deadlineMs = deadlineMs;
    this.#process = Math.floor(random() * 2 ** 48);
  }

  async publish(key: string, value: unknown, options: WriteOptions): Promise<Published> {
    this.#checkKey(key);
    const { timestamp, revision } = await this.#write(key, this.#toJson(value), options);
    return { key, timestamp: timestamp ?? 0, revision };
  }

  async remove(key: string, options: WriteOptions): Promise<boolean> {
    this.#checkKey(key);
    const { timestamp } = await this.#write(key, null, options);
    return timestamp !== null;
  }

  async read(key: string): Promise<Datum | null> {
    const { datum } = await this.#read(key);
    return datum === null ? null : toDatum(datum);
  }

  /** A peer that joins says by what it found that it is the one process to be added. */
  async addPeer(ip: string, { priority = 1 }: AddPeerOptions): Promise<void> {
    checkIp('ip', ip);
    const reply = decodePeerReply(await this.#driver.ask(ip, { type: 'peer' }, this.#deadlineMs));
    const learner = reply.learner ?? reply.rejoinId;
    await this.#change({ action: 'add', ip, priority, ...(learner === undefined ? {} : { learner }) });
  }

  async promote(ip: string): Promise<void> {
    checkIp('ip', ip);
    await this.#change({ action: 'promote', ip });
  }

  async removePeer(ip: string): Promise<void> {
    checkIp('ip', ip);
    await this.#change({ action: 'remove', ip });
  }

  async #change(change: MemberChange): Promise<void> {
    const leader = this.#leader();
    if (leader === null) await this.#driver.changeMembers(change, this.#peers.self.term);
    else await this.#forwardWrite(leader.ip, { type: 'member', change, term: leader.term });
  }

  #write(key: string, value: string | null, { ifTimestamp }: WriteOptions): Promise<WriteReply> {
    checkTimestamp(ifTimestamp);
    const condition = ifTimestamp === undefined ? {} : { ifTimestamp };
    const leader = this.#leader();
    if (leader === null) return this.#driver.write({ key, value, ...condition });
    const { ip, term } = leader;
    this.#number++;
    return this.#forwardWrite(ip, {
      type: 'write',
      process: this.#process,
      number: this.#number,
      term,
      key,
      value,
      ...condition,
    });
  }

  /** Sent once: one that may have arrived is never sent again. */
  async #forwardWrite(to: string, request: RaftRequest): Promise<WriteReply> {
    const reply = await this.#driver.ask(to, request, this.#deadlineMs).catch((cause: RaftError) => {
      // What the leader refuses comes as a reply; of the failures on the way, this one alone says that nothing left.
      throw cause.code === 'TOO_LARGE' ? cause : openOutcome(to, cause);
    });
    try {
      return decodeWriteReply(reply);
    } catch (cause) {
      throw cause instanceof RaftError && DEFINITE.has(cause.code) ? cause : openOutcome(to, cause);
    }
  }

  async #read(key: string): Promise<ReadReply> {
    const leader = this.#leader();
    if (leader === null) return this.#driver.read(key);
    return decodeReadReply(await this.#driver.ask(leader.ip, { type: 'read', key }, this.#deadlineMs));
  }

  /** Whom to forward to; null: this peer leads. @throws RaftError `NO_LEADER` */
  #leader(): { readonly ip: string; readonly term: number } | null {
    const { self, leader } = this.#peers;
    if (self.state === 'LEADER') return null;
    if (leader === null || leader.ip === self.ip) throw noLeader();
    return leader;
  }

  #checkKey(key: string): void {
    if (typeof key !== 'string' || key === '' || key.startsWith(RESERVED_PREFIX)) {
      const message = `a key must be a text that is not empty and does not begin with ${RESERVED_PREFIX}`;
      throw new RaftError('BAD_REQUEST', message);
    }
    if (key.length > this.#limits.maxKeyLength) {
      throw new RaftError(
        'TOO_LARGE',
        `a key has at most ${this.#limits.maxKeyLength} characters, not ${key.length}`,
      );
    }
  }

  #toJson(value: unknown): string {
    const text = stringify(value);
    if (text.length <= this.#limits.maxValueLength) return text;
    const message = `a value as JSON has at most ${this.#limits.maxValueLength} characters, not ${text.length}`;
    throw new RaftError('TOO_LARGE', message);
  }
}

function openOutcome(to: string, cause: unknown): RaftError {
  const message = `${to} did not tell what became of the write, which may be committed: ${textOf(cause)}`;
  return new RaftError('OUTCOME_UNKNOWN', message, { ip: to, cause });
}

function stringify(value: unknown): string {
  let text: string | undefined;
  let cause: unknown = 'it has no JSON';
  try {
    text = JSON.stringify(value);
  } catch (thrown) {
    cause = thrown;
  }
  if (text !== undefined) return text;
  throw new RaftError('BAD_REQUEST', `a value must be JSON: ${textOf(cause)}`, { cause });
}

function checkTimestamp(ifTimestamp: number | undefined): void {
  if (ifTimestamp === undefined || (Number.isSafeInteger(ifTimestamp) && ifTimestamp >= 0)) return;
  throw new RaftError('BAD_REQUEST', `ifTimestamp must be an integer from 0 on, not ${textOf(ifTimestamp)}`);
}
