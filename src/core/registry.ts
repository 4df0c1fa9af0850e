import { accept } from './acceptance.js';
import { CatchUp } from './catch-up.js';
import { type Base, type DataChanges, NO_DATA, type StoredData, type StoredDatum } from './datum.js';
import { Datums, sizeOfOp } from './datums.js';
import { RaftError } from './errors.js';
import { Forwards } from './forwards.js';
import {
  changeMembers,
  decodeMembers,
  encodeMembers,
  MEMBERS_KEY,
  type MemberChange,
  RESERVED_PREFIX,
  type StoredMember,
} from './members.js';
import type {
  BeatData,
  BeatDataReply,
  DatumsReply,
  KeysReply,
  ListedKey,
  RaftRequest,
  Revision,
} from './messages.js';
import type { Output } from './outputs.js';
import { PinnedBase } from './pinned-base.js';
import { type Addressed, Replication } from './replication.js';
import { type MembersWrite, noLeader, type Write, Writes } from './writes.js';

/** Bounds of the registry; sizes are in characters. */
export interface RegistryLimits {
  /** The longest key. @default 1024 */
  readonly maxKeyLength: number;
  /** The longest value, as JSON text. @default 65536 */
  readonly maxValueLength: number;
  /** How much may wait to be committed; more is refused as `BUSY`. @default 16 Mi */
  readonly maxTailSize: number;
  /** How much of what was committed is kept for followers that are behind. @default 16 Mi */
  readonly maxHistorySize: number;
  /** How much goes into one message; a single longer value goes all the same. @default 256 Ki */
  readonly maxMessageSize: number;
}

/** The bounds that hold unless others are given. */
export const REGISTRY_LIMITS: RegistryLimits = {
  maxKeyLength: 1_024,
  maxValueLength: 65_536,
  maxTailSize: 16 * 2 ** 20,
  maxHistorySize: 16 * 2 ** 20,
  maxMessageSize: 256 * 2 ** 10,
};

/** How many batches a peer may lack that is to be promoted. */
const NEAR = 100;

/** A linearizable read that waits for its turn. */
interface Read {
  readonly id: number;
  readonly key: string;
  /** A majority must acknowledge a beat that was sent later than this. */
  readonly after: number;
}

/** What the registry is told of the peer that it belongs to. */
export interface RegistryOptions {
  readonly stored: StoredData | undefined;
  readonly limits: RegistryLimits;
  readonly roundTripMs: number;
  readonly leaderTimeoutMs: number;
  readonly output: (output: Output) => void;
}

/** The replicated registry of one peer (section 4): what a leader and a follower do with data. Terms are the core's. */
export class Registry {
  readonly datums: Datums;
  /**
   * Whether the leader's beats bring no data along, as in the original: followers then get each write as it is made, and
   * that it is committed, but one that missed something is not told until the next write.
   */
  sendBeatOnly = false;
  readonly #limits: RegistryLimits;
  readonly #output: (output: Output) => void;
  readonly #writes: Writes;
  readonly #forwards: Forwards;
  readonly #replication: Replication;
  readonly #pinned: PinnedBase;
  #reads: Read[] = [];
  /** The seq of the empty batch with which this peer began to lead; infinity when it does not lead. */
  #ownSince = Number.POSITIVE_INFINITY;
  /** Up to which seq this peer has saved what it appended. */
  #savedSeq: number;
  /** Up to where followers were told that it is committed. */
  #toldSeq = 0;
  /** What must come behind the save of this input. */
  #afterSave: Output[] = [];
  #catchUp: CatchUp | null = null;
  /** What earlier catch-ups fetched. */
  #reusable: ReadonlyMap<string, StoredDatum> = new Map();

  constructor({ stored = NO_DATA, limits, roundTripMs, leaderTimeoutMs, output }: RegistryOptions) {
    this.datums = new Datums(stored, limits.maxHistorySize);
    this.#limits = limits;
    this.#output = output;
    this.#savedSeq = this.datums.last.seq;
    this.#forwards = new Forwards((answer) => this.#afterSave.push(answer));
    this.#writes = new Writes(this.datums, limits.maxMessageSize, (answer) =>
      this.#forwards.answered(answer),
    );
    this.#replication = new Replication(this.datums, limits.maxMessageSize, roundTripMs);
    this.#pinned = new PinnedBase(this.datums, limits.maxMessageSize, 2 * leaderTimeoutMs);
  }

  /** What must be saved, if anything. */
  takeChanges(): DataChanges | null {
    return this.datums.takeChanges();
  }

  /** What comes behind that save. */
  takeAfterSave(): readonly Output[] {
    if (this.#afterSave.length === 0) return this.#afterSave;
    return this.#afterSave.splice(0);
  }

  /** `changes` are durable. */
  saved({ append = [] }: DataChanges): void {
    const newest = append.at(-1);
    if (newest !== undefined && this.datums.holds(newest.revision)) this.#savedSeq = newest.revision.seq;
  }

  // ---- The leader

  /**
   * This peer leads `term` now: begins with an empty batch, for older terms are never committed by count. In a new cluster
   * that batch holds the members, as the options gave them.
   */
  lead(term: number, members: readonly StoredMember[]): void {
    this.#catchUp = null;
    this.#replication.begin();
    this.#forwards.begin(term);
    // One who is elected has saved all that it holds; what it saved before a cut, or before a base came, is no more.
    this.#savedSeq = this.datums.last.seq;
    this.#ownSince = this.#savedSeq + 1;
    const seed = { key: MEMBERS_KEY, value: encodeMembers(members), timestamp: this.datums.stampFloor + 1 };
    const ops = this.datums.members === null ? [seed] : [];
    this.datums.append({ revision: { term, seq: this.#ownSince }, ops });
  }

  /**
   * Takes one change of the members in at the leader of `term`; it is in effect at once, and answered when committed.
   *
   * @throws RaftError `BUSY` while another is under way or this leadership is not current, or while the peer to be promoted
   * is far behind; `BAD_TARGET`; nothing was changed
   */
  changeMembers({ id, change, forward }: MembersWrite, term: number): void {
    if (forward !== undefined) this.#forwards.note(id, forward);
    try {
      this.#changeMembers(id, change, term);
    } catch (error) {
      if (forward === undefined || !(error instanceof RaftError)) throw error;
      // A copy of it must be told the same.
      this.#forwards.answered({ type: 'answer', id, result: error });
    }
  }

  #changeMembers(id: number, change: MemberChange, term: number): void {
    const { members, isChangingMembers } = this.datums;
    if (!this.isCurrent || isChangingMembers || members === null)
      throw new RaftError('BUSY', 'another change of the members is under way');
    const value = encodeMembers(changeMembers(decodeMembers(members.value), change));
    if (change.action === 'promote') this.#checkPromotion(change.ip);
    this.#writes.take([{ id, key: MEMBERS_KEY, value }], term);
  }

  /** This peer leads no longer; safe to call when it did not. */
  follow(): void {
    if (this.#ownSince === Number.POSITIVE_INFINITY) return;
    this.#ownSince = Number.POSITIVE_INFINITY;
    this.#pinned.drop();
    this.#writes.lost();
    for (const { id } of this.#reads.splice(0))
      this.#afterSave.push({ type: 'answer', id, result: noLeader() });
  }

  /** What to send to whom at `now`; see `Replication.messages`. */
  messages(followers: readonly string[], isBeat: boolean, now: number): readonly Addressed[] {
    if (isBeat) {
      this.#pinned.release(now);
      this.#toldSeq = this.datums.base.seq;
    }
    return this.#replication.messages(followers, isBeat, now);
  }

  /** Whether followers were not told of all that is written, and that it is committed. */
  get hasNews(): boolean {
    return this.datums.last.seq > this.#toldSeq;
  }

  /** Takes the answer of `ip` to a message of this term. */
  answered(ip: string, reply: BeatDataReply, isLearner: boolean): void {
    this.#replication.answered(ip, reply, isLearner);
  }

  /** `ip` did not answer `request`, or refused it. */
  failed(ip: string, request: RaftRequest, error: RaftError): void {
    if (request.type === 'beat') this.#replication.failed(ip);
    else if (ip === this.#catchUp?.leader) this.#catchUpFailed(request, error);
  }

  /** How far `ip` is known to be. */
  match(ip: string): number {
    return this.#replication.match(ip);
  }

  /** Whether `ip` only learns, as far as it has told. */
  isLearner(ip: string): boolean {
    return this.#replication.isLearner(ip);
  }

  /** Commits what a majority of `voters` holds, if the newest of it is of this leadership; whether there was anything. */
  commit(voters: readonly string[], self: string): boolean {
    const seq = this.#replication.majorityMatch(voters, self, this.#savedSeq);
    if (seq < this.#ownSince || seq <= this.datums.base.seq) return false;
    this.#fold(seq);
    this.#writes.committed(seq);
    return true;
  }

  /** Whether a batch of this leadership is committed: only then does this peer know all that is. */
  get isCurrent(): boolean {
    return this.datums.base.seq >= this.#ownSince;
  }

  /** Takes writes in at the leader of `term`; the answers come as outputs, of those that are refused, too. */
  write(writes: readonly Write[], term: number): void {
    let size = this.datums.tailSize;
    const admitted = writes.filter((write) => {
      const isAdmitted = this.#admit(write, size);
      if (isAdmitted) size += sizeOfOp(write);
      return isAdmitted;
    });
    this.#writes.take(admitted, term);
    if (this.isCurrent) this.#writes.committed(this.datums.base.seq);
  }

  /** Whether it was forwarded and came before, or may have; then it is answered like the first. */
  isRepeated({ id, forward }: Pick<Write, 'id' | 'forward'>): boolean {
    return forward !== undefined && this.#forwards.isRepeated(id, forward);
  }

  /** Refuses writes: this peer does not lead. */
  refuse(writes: readonly Write[]): void {
    for (const write of writes) {
      if (this.isRepeated(write)) continue;
      const { id } = write;
      this.#afterSave.push({ type: 'answer', id, result: noLeader() });
    }
  }

  /**
   * A linearizable read: answered by `answerReads` once this leadership is current.
   *
   * @param after a majority must have acknowledged a beat that was sent later than this; no less than that of reads before
   */
  read(id: number, key: string, after: number): void {
    this.#reads.push({ id, key, after });
  }

  /** Whether reads wait. */
  get hasReads(): boolean {
    return this.#reads.length > 0;
  }

  /** Answers the reads that may be; only a leader with a lease may call it. */
  answerReads(majoritySentAt: number): void {
    if (!this.hasReads || !this.isCurrent) return;
    const waiting = this.#reads.findIndex(({ after }) => after >= majoritySentAt);
    for (const { id, key } of this.#reads.splice(0, waiting < 0 ? this.#reads.length : waiting)) {
      this.#afterSave.push({ type: 'answer', id, result: { datum: this.datums.get(key) } });
    }
  }

  /** A page of the key list for one that catches up. @throws RaftError `GONE` */
  keys(at: Revision | undefined, from: number, now: number): KeysReply {
    return this.#pinned.keys(at, from, now);
  }

  /** Values for one that catches up. @throws RaftError `GONE` */
  values(at: Revision, keys: readonly ListedKey[], now: number): DatumsReply {
    return this.#pinned.datums(at, keys, now);
  }

  // ---- The follower

  /** Takes the data of an accepted beat (section 4, acceptance, 2 to 6). */
  accept(data: BeatData, leader: string, term: number): BeatDataReply {
    const match = accept(this.datums, data);
    if (match !== null) this.#fold(Math.min(data.committed.seq, match.seq));
    this.#maybeCatchUp(data.catchUp, leader, term);
    const { base, last } = this.datums;
    return { ok: match !== null, match: match ?? base, base, last };
  }

  /** Takes a page of the key list, from the place `place` on. */
  receivedKeys(from: string, place: number, reply: KeysReply, term: number): void {
    if (from !== this.#catchUp?.leader || this.#catchUp.term !== term) return;
    this.#catchUp.receivedKeys(place, reply);
    this.#goOnCatchingUp();
  }

  /** Takes values of the list. */
  receivedDatums(from: string, asked: readonly ListedKey[], reply: DatumsReply, term: number): void {
    if (from !== this.#catchUp?.leader || this.#catchUp.term !== term) return;
    this.#catchUp.receivedDatums(asked, reply);
    this.#goOnCatchingUp();
  }

  // ---- Helpers

  /** One that votes must not hold up what a majority needs. */
  #checkPromotion(ip: string): void {
    if (this.isLearner(ip))
      throw new RaftError(
        'BAD_TARGET',
        `${ip} lost its store since it was added: remove it, and add it again`,
      );
    const match = this.match(ip);
    if (match === 0 || this.datums.last.seq - match > NEAR)
      throw new RaftError('BUSY', `${ip} still catches up`);
  }

  #admit(write: Write, tailSize: number): boolean {
    const { id, forward } = write;
    if (this.isRepeated(write)) return false;
    if (forward !== undefined) this.#forwards.note(id, forward);
    const error = this.#objection(write, tailSize);
    if (error !== null) this.#forwards.answered({ type: 'answer', id, result: error });
    return error === null;
  }

  #objection({ key, value }: Write, tailSize: number): RaftError | null {
    const { maxKeyLength, maxValueLength, maxTailSize } = this.#limits;
    if (key.startsWith(RESERVED_PREFIX))
      return new RaftError('BAD_REQUEST', `keys that begin with ${RESERVED_PREFIX} are reserved`);
    if (key.length > maxKeyLength || (value?.length ?? 0) > maxValueLength) {
      const message = `a key has at most ${maxKeyLength} characters, a value as JSON ${maxValueLength}`;
      return new RaftError('TOO_LARGE', message);
    }
    if (tailSize <= maxTailSize) return null;
    return new RaftError('BUSY', 'too many writes wait to be committed');
  }

  #fold(seq: number): void {
    if (seq <= this.datums.base.seq) return;
    const changes = this.datums.fold(seq);
    this.datums.trim(this.#pinned.keepSince);
    this.#afterSave.push({ type: 'fold', seq });
    if (changes.length > 0) this.#afterSave.push({ type: 'changes', changes });
  }

  #maybeCatchUp(catchUp: Revision | undefined, leader: string, term: number): void {
    if (this.#catchUp !== null && this.#catchUp.term !== term) this.#dropCatchUp();
    if (catchUp === undefined || catchUp.seq <= this.datums.base.seq) return;
    this.#catchUp ??= new CatchUp(term, leader, this.datums, this.#reusable);
    this.#askOn(this.#catchUp);
  }

  #goOnCatchingUp(): void {
    const catchUp = this.#catchUp;
    if (catchUp === null) return;
    const base = catchUp.whole();
    if (base === null) this.#askOn(catchUp);
    else this.#swap(base);
  }

  #askOn(catchUp: CatchUp): void {
    for (const request of catchUp.questions()) this.#output({ type: 'send', to: [catchUp.leader], request });
  }

  /** A question of the catch-up was not answered: it is asked again at the next beat, or all of it starts over. */
  #catchUpFailed(request: RaftRequest, error: RaftError): void {
    this.#catchUp?.failed(request);
    if (error.code === 'GONE') this.#dropCatchUp();
  }

  #dropCatchUp(): void {
    this.#reusable = this.#catchUp?.reusable() ?? this.#reusable;
    this.#catchUp = null;
  }

  /** Section 4, catching up, 4. */
  #swap(base: Base): void {
    this.#catchUp = null;
    this.#reusable = new Map();
    const { seq } = base.revision;
    if (seq <= this.datums.base.seq || this.datums.holds(base.revision)) {
      this.#fold(seq);
      return;
    }
    const changes = this.datums.replace(base);
    if (changes.length > 0) this.#afterSave.push({ type: 'changes', changes });
  }
}
