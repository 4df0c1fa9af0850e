import type { DatumKey, NacosValue, PeerSnapshot } from 'raftbeat';
import { fullKey, isInstanceListKey, isPersistentKey, isServiceMetaKey } from '../../src/core/nacos-keys.js';
import type { DatumOperation, ProxyReply, Step } from './format.js';
import { byKey, type Marked, marked, markOf, named } from './marks.js';
import { ANY_TEXT, clean, type Sent } from './outcome.js';
import type { Rule } from './rules.js';
import type { World, WorldPeer } from './world.js';

const TERM_STEP = 100;
const BATCH_KEYS = 50;

/** An exception of the original. */
export class Thrown extends Error {}

/** What the datums of the original need of the rest of it. */
export interface OriginalHost {
  readonly world: World;
  readonly step: Step;
  rule(rule: Rule): boolean;
  /** The local peer; throws when it is no member. */
  local(): WorldPeer;
  majority(): number;
  resetLeaderDue(local: WorldPeer): void;
  send(to: string, what: Sent['what'], peer: PeerSnapshot | null, about: unknown): void;
}

/** An entry of an answer, as it was parsed. */
interface Fetched {
  readonly key?: string;
  readonly timestamp?: number;
  readonly value?: NacosValue | null;
}

/** The datums of the original, 1.2.1 and 1.3.2, line by line; see `Original`. */
export class OriginalDatums {
  readonly stored: string[] = [];
  readonly notified: string[] = [];
  readonly #host: OriginalHost;

  constructor(host: OriginalHost) {
    this.#host = host;
  }

  apply(step: DatumOperation): boolean | null | readonly (Marked | null)[] {
    switch (step.op) {
      case 'onPublish': {
        const { key, timestamp, value } = step.in.datum;
        this.#onPublish(key, timestamp, markOf(key, value), step.in.source);
        return null;
      }
      case 'onDelete':
        this.#onDelete(step.in.key, step.in.source);
        return null;
      case 'signalPublish':
        return this.#signalPublish(step.in.key, markOf(step.in.key, step.in.value), step.in.proxyReply);
      case 'signalDelete':
        return this.#signalDelete(step.in.key, step.in.proxyReply);
      case 'serviceRemove':
        return this.#serviceRemove(step.in.key, step.in.proxyReply);
      case 'datumGet':
        return this.#get(step.in.keys);
      case 'setSendBeatOnly':
        this.#world.sendBeatOnly = step.in.value;
        return null;
    }
  }

  /** What a beat of this peer names. */
  beatKeys(): readonly DatumKey[] {
    if (this.#world.sendBeatOnly) return [];
    return byKey([...this.#world.datums].map(([key, { timestamp }]) => named({ key, timestamp })));
  }

  /** What a beat names is fetched where it is missing or older here; what it does not name is deleted. */
  receivedBeat(remote: string, beat: readonly DatumKey[]): void {
    const { datums, sendBeatOnly } = this.#world;
    if (sendBeatOnly) return;
    const unnamed = new Set(datums.keys());
    let batch: string[] = [];
    for (const [at, { key: brief, timestamp }] of beat.entries()) {
      const key = fullKey(brief);
      if (key === null) continue;
      unnamed.delete(key);
      const isLast = at === beat.length - 1;
      const known = datums.get(key);
      const isKnown = known !== undefined && known.timestamp >= timestamp;
      if (isKnown && !isLast) continue;
      if (!isKnown) batch.push(key);
      if (batch.length === 0 || (batch.length < BATCH_KEYS && !isLast)) continue;
      this.#host.send(remote, 'datums', null, [...batch]);
      // The original clears the batch behind the sending, which does not get so far.
      const isKept = this.#host.step.transport?.[remote] === 'throw' && !this.#host.rule('throw');
      if (!isKept) batch = [];
    }
    for (const key of unnamed) this.#tryDelete(key);
  }

  /** An answer to what the beat of `remote` made `local` ask for. */
  fetched(body: unknown, remote: WorldPeer, local: WorldPeer): void {
    if (!Array.isArray(body)) throw new Thrown(ANY_TEXT);
    for (const entry of body as (Fetched | null)[]) {
      if (entry?.key === undefined) continue;
      const { key, timestamp = 0, value = null } = entry;
      const known = this.#world.datums.get(key);
      if (known !== undefined && timestamp <= known.timestamp) continue;
      if (value === null || !(isServiceMetaKey(key) || isInstanceListKey(key))) continue;
      this.#put(key, timestamp, markOf(key, value), true);
      this.#host.resetLeaderDue(local);
      this.#followTerm(local, remote.term, false);
    }
  }

  // ---- RaftCore

  #signalPublish(key: string, value: string | null, proxyReply: ProxyReply | undefined): null {
    if (this.#isElsewhere()) return this.#forward('publish', { key, value }, proxyReply);
    const local = this.#host.local();
    const timestamp = (this.#world.datums.get(key)?.timestamp ?? 0) + 1;
    const before = clean(local);
    this.#onPublish(key, timestamp, value, local);
    const source = this.#sourceOf(local, before);
    const acks = this.#tellOthers('commit', source, marked({ key, timestamp, value }));
    if (acks + 1 < this.#host.majority()) {
      throw new Thrown(`data publish failed, caused failed to notify majority, key=${key}`);
    }
    return null;
  }

  #signalDelete(key: string, proxyReply: ProxyReply | undefined): null {
    if (this.#isElsewhere()) return this.#forward('remove', key, proxyReply);
    const local = this.#host.local();
    const before = clean(local);
    this.#onDelete(key, local);
    this.#tellOthers('delete', this.#sourceOf(local, before), marked({ key, timestamp: 0 }));
    return null;
  }

  /** The service of the original deletes lists of instances by itself. */
  #serviceRemove(key: string, proxyReply: ProxyReply | undefined): null {
    const { leader } = this.#world;
    if (!isInstanceListKey(key) || leader?.ip === this.#world.local)
      return this.#signalDelete(key, proxyReply);
    if (leader === null) throw new Thrown(ANY_TEXT);
    this.#onDelete(key, leader);
    return null;
  }

  #onPublish(key: string, timestamp: number, value: string | null, source: PeerSnapshot): void {
    const local = this.#host.local();
    if (value === null) throw new Thrown('received empty datum');
    this.#checkSource(source, local);
    this.#host.resetLeaderDue(local);
    this.#put(key, timestamp, value, isPersistentKey(key));
    if (this.#world.leader?.ip === this.#world.local) local.term += TERM_STEP;
    else this.#followTerm(local, source.term, true);
  }

  #onDelete(key: string, source: PeerSnapshot): void {
    const local = this.#host.local();
    this.#checkSource(source, local);
    this.#host.resetLeaderDue(local);
    this.#delete(key);
    if (isServiceMetaKey(key)) this.#followTerm(local, source.term, true);
  }

  #checkSource(source: PeerSnapshot, local: WorldPeer): void {
    if (this.#world.leader?.ip !== source.ip) {
      throw new Thrown(`peer(${source.ip}) tried to publish data but wasn't leader`);
    }
    if (source.term < local.term) {
      throw new Thrown(`out of date publish, pub-term:${source.term}, cur-term: ${local.term}`);
    }
  }

  /** The answer to a question may come when there is no leader any more: the original then fails, unseen. */
  #followTerm(local: WorldPeer, term: number, hasLeader: boolean): void {
    const { leader } = this.#world;
    if (local.term + TERM_STEP <= term) local.term += TERM_STEP;
    else if (leader !== null) this.#takeTerm(local, leader, term);
    else if (hasLeader) throw new Thrown(ANY_TEXT);
  }

  /** D4: a term that was saved is not taken back. */
  #takeTerm(local: WorldPeer, leader: WorldPeer, term: number): void {
    const isKept = term < local.term && this.#host.rule('D4');
    if (leader !== local || !isKept) leader.term = term;
    if (!isKept) local.term = term;
  }

  #put(key: string, timestamp: number, value: string | null, isStored: boolean): void {
    this.#world.datums.set(key, { timestamp, value });
    if (isStored) this.stored.push(`write ${key} ${timestamp}`);
    this.notified.push(`CHANGE ${key}`);
  }

  #delete(given: string): void {
    let key: string;
    try {
      key = decodeURIComponent(given.replaceAll('+', ' '));
    } catch {
      throw new Thrown(ANY_TEXT);
    }
    if (this.#world.datums.delete(key)) this.stored.push(`delete ${key}`);
    this.notified.push(`DELETE ${key}`);
  }

  #tryDelete(key: string): void {
    try {
      this.#delete(key);
    } catch (thrown) {
      if (!(thrown instanceof Thrown)) throw thrown;
    }
  }

  #get(keys: string): readonly (Marked | null)[] {
    if (keys === '') throw new Thrown(`Param 'keys' is required.`);
    return keys.split(',').map((key) => {
      const datum = this.#world.datums.get(key);
      return datum === undefined ? null : marked({ key, ...datum });
    });
  }

  // ---- Requests

  /** Whether another peer leads; the original fails where nobody does. */
  #isElsewhere(): boolean {
    const { leader, local } = this.#world;
    if (leader === null) throw new Thrown(ANY_TEXT);
    return leader.ip !== local;
  }

  #forward(what: 'publish' | 'remove', about: unknown, reply: ProxyReply | undefined): null {
    this.#host.send(this.#world.leader?.ip ?? '', what, null, about);
    if (reply === undefined || reply.error === true || reply.contentType === null) throw new Thrown(ANY_TEXT);
    if (reply.status !== 200) throw new Thrown(`leader failed, caused by: ${reply.body}`);
    return null;
  }

  /** 1.3.2 writes the source of a change before it applies it. */
  #sourceOf(local: WorldPeer, before: PeerSnapshot): PeerSnapshot {
    const isBefore = this.#world.version === '1.3.2' && !this.#host.rule('version');
    return isBefore ? before : clean(local);
  }

  /** Tells all others, in the recorded order, and counts who took it. One that cannot be told ends the round there. */
  #tellOthers(what: 'commit' | 'delete', source: PeerSnapshot, about: Marked): number {
    const { world, step } = this.#host;
    let acks = 0;
    const order = (step.outgoing ?? []).map(({ target }) => target);
    const others = [...world.peers.keys()].filter((ip) => ip !== world.local);
    const at = (ip: string): number => (order.includes(ip) ? order.indexOf(ip) : order.length);
    for (const ip of others.toSorted((a, b) => at(a) - at(b))) {
      this.#host.send(ip, what, source, about);
      const answer = step.transport?.[ip];
      if (answer === '200') acks++;
      if (answer === 'throw' && !this.#host.rule('throw')) throw new Thrown(ANY_TEXT);
    }
    return acks;
  }

  get #world(): World {
    return this.#host.world;
  }
}
