import { RaftError, textOf } from '../core/errors.js';
import { type MemberChange, RESERVED_PREFIX } from '../core/members.js';
import { checkIp } from '../core/membership.js';
import type { ReadReply, Revision, WriteReply } from '../core/messages.js';
import type { RaftPeerSet } from '../core/peer-set.js';
import type { RegistryLimits } from '../core/registry.js';
import { noLeader } from '../core/writes.js';
import { decodePeerReply } from './decode.js';
import { decodeReadReply } from './decode-data.js';
import type { Driver } from './driver.js';
import { Forwarder, type Leader } from './forwarder.js';
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

/** Writes and linearizable reads of one run of a node: at this peer if it leads, else forwarded to the leader. */
export class RegistryClient {
  readonly #driver: Driver;
  readonly #peers: RaftPeerSet;
  readonly #limits: RegistryLimits;
  readonly #deadlineMs: number;
  readonly #forwarder: Forwarder;

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
    const process = Math.floor(random() * 2 ** 48);
    this.#forwarder = new Forwarder({ driver, leader: () => this.#leader(), deadlineMs, process });
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
    if (leader === null) await this.#driver.changeMembers({ change, term: this.#peers.self.term });
    else await this.#forwarder.changeMembers(change, leader);
  }

  async #write(key: string, value: string | null, { ifTimestamp }: WriteOptions): Promise<WriteReply> {
    checkTimestamp(ifTimestamp);
    const write = ifTimestamp === undefined ? { key, value } : { key, value, ifTimestamp };
    if (this.#leader() !== null) return this.#forwarder.write(write);
    const [reply] = await Promise.all(this.#driver.write([write]));
    return reply as WriteReply;
  }

  async #read(key: string): Promise<ReadReply> {
    const leader = this.#leader();
    if (leader === null) return this.#driver.read(key);
    return decodeReadReply(await this.#driver.ask(leader.ip, { type: 'read', key }, this.#deadlineMs));
  }

  /** Whom to forward to; null: this peer leads. @throws RaftError `NO_LEADER` */
  #leader(): Leader | null {
    const { self, leader } = this.#peers;
    if (self.state === 'LEADER') return null;
    if (leader === null) throw noLeader();
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
