import { RaftError } from './errors.js';
import type { Beat, DatumKey } from './messages.js';
import {
  briefKey,
  fullKey,
  isKnownKey,
  isPersistentKey,
  isServiceMetaKey,
  keyToRemove,
} from './nacos-keys.js';
import type {
  NacosCommit,
  NacosDatum,
  NacosDatumsReply,
  NacosDelete,
  NacosGet,
  NacosValue,
} from './nacos-messages.js';
import type { PeerSnapshot } from './peer.js';
import type { RaftPeerSet } from './peer-set.js';

/** What each publish adds to the term. */
const TERM_STEP = 100;
/** How many keys one question asks for. */
const BATCH_KEYS = 50;
/** How long a publish waits for a majority, in ms. */
const PUBLISH_TIMEOUT_MS = 5_000;

/** What the registry needs of its core. */
export interface NacosHost {
  readonly peers: RaftPeerSet;
  /** Runs `act` as one input, at a time that does not go backwards. */
  input<T>(now: number, act: (at: number) => T): T;
  /** Puts the next election off, as a beat does. */
  renewElectionDue(now: number): void;
  /** Queues a save of the term. */
  save(): void;
  /** The local peer as it travels. */
  snapshot(now: number): PeerSnapshot;
}

/** Who does what was asked for: this peer, and `write` names it in the output that ends it; or the leader elsewhere. */
export type NacosWrite = { readonly write: number } | { readonly forwardTo: string };

/** A publish that waits for a majority. */
interface OpenWrite {
  readonly key: string;
  readonly due: number;
  readonly acks: Set<string>;
}

/**
 * The datums as the original keeps them (section 1, datums; section 5): applied before a majority has them, named in
 * full by each beat, fetched and deleted by what a beat names. `RaftCore` hands inputs to it under `rules: 'nacos'`.
 */
export class NacosDatums {
  /** The original's switch: beats name no keys, and the keys that they name are not looked at. */
  sendBeatOnly = false;
  readonly #host: NacosHost;
  readonly #datums: Map<string, NacosDatum>;
  /** By the term after the addition, which no two writes share. */
  readonly #writes = new Map<number, OpenWrite>();

  constructor(host: NacosHost, stored: readonly NacosDatum[]) {
    this.#host = host;
    this.#datums = new Map(stored.map((datum) => [datum.key, datum]));
  }

  /** What is kept under `key`, or null. */
  get(key: string): NacosDatum | null {
    return this.#datums.get(key) ?? null;
  }

  /** All keys. */
  keys(): readonly string[] {
    return [...this.#datums.keys()];
  }

  /** The answer to `nacosGet`. */
  received({ keys }: NacosGet): NacosDatumsReply {
    return { datums: keys.map((key) => this.get(key)) };
  }

  /**
   * Publishes `value` under `key`, if this peer leads: it applies it, adds to its term, tells all others, and queues a
   * `written` output once a majority has confirmed, or has not within 5 s. Nothing is undone then.
   *
   * @throws RaftError `BAD_REQUEST`, `NO_LEADER`, `UNKNOWN_PEER` (this peer is no member), `BUSY` (no term is left)
   */
  publish(key: string, value: NacosValue, now: number): NacosWrite {
    checkPublish(key, value);
    return this.#host.input(now, (at) => {
      const { self } = this.#host.peers;
      const leader = this.#leader();
      if (leader !== self.ip) return { forwardTo: leader };
      this.#host.peers.local();
      if (self.term > Number.MAX_SAFE_INTEGER - TERM_STEP) {
        throw new RaftError('BUSY', `no term is left after ${self.term}`, { term: self.term });
      }
      const datum = { key, value, timestamp: (this.get(key)?.timestamp ?? 0) + 1 };
      this.#commit(datum, self.term, at);
      this.#send({ type: 'nacosCommit', datum, source: this.#saved(at) });
      this.#writes.set(self.term, { key, due: at + PUBLISH_TIMEOUT_MS, acks: new Set([self.ip]) });
      this.#settle(self.term);
      return { write: self.term };
    });
  }

  /**
   * Removes `key`, if this peer leads, and tells all others, without waiting for them.
   *
   * @returns the ip of the leader elsewhere, or null when it is done
   * @throws RaftError `BAD_REQUEST`, `NO_LEADER`, `UNKNOWN_PEER` (this peer is no member)
   */
  remove(key: string, now: number): string | null {
    return this.#host.input(now, (at) => {
      const { self } = this.#host.peers;
      const leader = this.#leader();
      if (leader !== self.ip) return leader;
      this.#host.peers.local();
      this.#delete(key, self.term, at);
      this.#send({ type: 'nacosDelete', key, source: this.#saved(at) });
      return null;
    });
  }

  /**
   * The leader tells what it published (`onPublish`).
   *
   * @throws RaftError `BAD_REQUEST`, `NOT_LEADER` (the source does not lead), `OUT_OF_DATE`, `UNKNOWN_PEER`
   */
  receivedCommit({ datum, source }: NacosCommit, now: number): void {
    this.#host.input(now, (at) => {
      this.#host.peers.local();
      checkValue(datum.value);
      this.#checkSource(source);
      this.#commit(datum, source.term, at);
    });
  }

  /**
   * The leader tells what it removed (`onDelete`).
   *
   * @throws RaftError `BAD_REQUEST`, `NOT_LEADER` (the source does not lead), `OUT_OF_DATE`, `UNKNOWN_PEER`
   */
  receivedDelete({ key, source }: NacosDelete, now: number): void {
    this.#host.input(now, (at) => {
      this.#checkSource(source);
      this.#delete(key, source.term, at);
    });
  }

  /** A leader of `leaderTerm` answered what its beat made this peer ask for; what is as new here already is left. */
  receivedDatums(leaderTerm: number, { datums }: NacosDatumsReply, now: number): void {
    this.#host.input(now, (at) => {
      for (const datum of datums) {
        if (datum === null || !isKnownKey(datum.key)) continue;
        const known = this.get(datum.key);
        if (known !== null && datum.timestamp <= known.timestamp) continue;
        this.#put(datum, true);
        this.#host.renewElectionDue(at);
        this.#followTerm(leaderTerm);
      }
    });
  }

  /** The member `from` has what this peer published in the `term` of the source. */
  receivedAck(from: string, { source }: NacosCommit, now: number): void {
    this.#host.input(now, () => {
      this.#writes.get(source.term)?.acks.add(from);
      this.#settle(source.term);
    });
  }

  /** A member removed what this peer removed: as in the original, that puts the next election off. */
  receivedDeleteAck(now: number): void {
    this.#host.input(now, (at) => {
      if (this.#host.peers.contains(this.#host.peers.self.ip)) this.#host.renewElectionDue(at);
    });
  }

  // ---- For the core, within its inputs

  /** What a beat names: all keys, unless the switch is on. */
  beatKeys(): readonly DatumKey[] {
    if (this.sendBeatOnly) return [];
    return [...this.#datums.values()].map(({ key, timestamp }) => ({ key: briefKey(key), timestamp }));
  }

  /** Asks the leader for what is missing or newer there, and deletes what its beat does not name (step 6). */
  reconcile({ peer, datums }: Beat): void {
    if (this.sendBeatOnly) return;
    const leader = this.#host.peers.freshLeader ?? peer;
    const unnamed = new Set(this.#datums.keys());
    let batch: string[] = [];
    for (const [at, entry] of datums.entries()) {
      const key = fullKey(entry.key);
      // As in the original, an unknown key at the very end leaves the batch before it to the next beat.
      if (key === null) continue;
      unnamed.delete(key);
      if (entry.timestamp > (this.get(key)?.timestamp ?? Number.NEGATIVE_INFINITY)) batch.push(key);
      if (batch.length === 0 || (batch.length < BATCH_KEYS && at < datums.length - 1)) continue;
      const request = { type: 'nacosGet', keys: batch, leader } as const;
      this.#host.peers.output({ type: 'send', to: [peer.ip], request });
      batch = [];
    }
    // As in the original, a key that cannot be decoded stays.
    for (const key of [...unnamed].map(keyToRemove)) if (key !== null) this.#drop(key);
  }

  /** When a publish ends for want of a majority; infinity when none waits. */
  get due(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...[...this.#writes.values()].map(({ due }) => due));
  }

  /** Ends what waited too long. */
  expire(now: number): void {
    for (const [term, { due, key }] of this.#writes) {
      if (now < due) continue;
      const message = `data publish failed, caused failed to notify majority, key=${key}`;
      this.#end(term, new RaftError('TIMEOUT', message));
    }
  }

  // ---- Changes

  #commit(datum: NacosDatum, sourceTerm: number, now: number): void {
    const { peers } = this.#host;
    this.#host.renewElectionDue(now);
    this.#put(datum, isPersistentKey(datum.key));
    if (peers.isLeader(peers.self.ip)) this.#raiseTerm(peers.self.term + TERM_STEP);
    else this.#followTerm(sourceTerm);
  }

  #delete(key: string, sourceTerm: number, now: number): void {
    this.#host.renewElectionDue(now);
    const removed = keyToRemove(key);
    if (removed === null)
      throw new RaftError('BAD_REQUEST', `key: not encoded as a part of a URL: ${key.slice(0, 100)}`);
    this.#drop(removed);
    if (isServiceMetaKey(key)) this.#followTerm(sourceTerm);
  }

  #put(datum: NacosDatum, isStored: boolean): void {
    this.#datums.set(datum.key, datum);
    this.#host.peers.output({ type: 'nacosDatum', key: datum.key, datum, isStored });
  }

  #drop(key: string): void {
    const isStored = this.#datums.delete(key);
    this.#host.peers.output({ type: 'nacosDatum', key, datum: null, isStored });
  }

  // ---- The term, which stands for the freshness of data here (D11)

  /** A peer takes the leader's term if that is less than one publish ahead, else it goes one step after it. */
  #followTerm(leaderTerm: number): void {
    const { peers } = this.#host;
    const nextTerm = peers.self.term + TERM_STEP;
    if (nextTerm <= leaderTerm) this.#raiseTerm(nextTerm);
    else if (peers.noteLeaderTerm(leaderTerm)) this.#raiseTerm(leaderTerm);
  }

  /** A term that was saved is never taken back (D4), as the original does when a late answer comes. */
  #raiseTerm(term: number): void {
    const { self } = this.#host.peers;
    self.term = Math.max(self.term, term);
  }

  // ---- Helpers

  #leader(): string {
    const { leader } = this.#host.peers;
    if (leader === null) throw new RaftError('NO_LEADER', 'no leader is known');
    return leader.ip;
  }

  #checkSource(source: PeerSnapshot): void {
    const { peers } = this.#host;
    const { term } = peers.local();
    if (!peers.isLeader(source.ip)) {
      const message = `peer(${source.ip}) tried to publish data but wasn't leader`;
      throw new RaftError('NOT_LEADER', message, { term });
    }
    if (source.term < term) {
      const message = `out of date publish, pub-term:${source.term}, cur-term: ${term}`;
      throw new RaftError('OUT_OF_DATE', message, { term });
    }
  }

  /** The local peer, its term queued to be saved before anything that bears it leaves (D4). */
  #saved(now: number): PeerSnapshot {
    this.#host.save();
    return this.#host.snapshot(now);
  }

  #send(request: NacosSend): void {
    const { peers } = this.#host;
    if (peers.others.length > 0) peers.output({ type: 'send', to: peers.others, request });
  }

  #settle(term: number): void {
    const { peers } = this.#host;
    const voters = peers.voters.filter(({ ip }) => this.#writes.get(term)?.acks.has(ip));
    if (voters.length >= peers.majorityCount()) this.#end(term, null);
  }

  #end(term: number, error: RaftError | null): void {
    this.#writes.delete(term);
    this.#host.peers.output({ type: 'nacosWritten', write: term, error });
  }
}

type NacosSend = ({ type: 'nacosCommit' } & NacosCommit) | ({ type: 'nacosDelete' } & NacosDelete);

/** Original peers lose a key that bears one of these: they split at it, or decode it. */
const LOST_IN_KEYS = /[,%+]/;

function checkPublish(key: string, value: NacosValue): void {
  if (!isKnownKey(key)) throw new RaftError('BAD_REQUEST', `unknown type publish key: ${key.slice(0, 100)}`);
  if (LOST_IN_KEYS.test(key)) {
    throw new RaftError(
      'BAD_REQUEST',
      `key: original peers do not keep ',', '%' or '+': ${key.slice(0, 100)}`,
    );
  }
  checkValue(value);
}

function checkValue(value: NacosValue): void {
  if (typeof value !== 'object' || value === null) throw new RaftError('BAD_REQUEST', 'received empty datum');
}
