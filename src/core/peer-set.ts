import { Emitter } from './emitter.js';
import { RaftError } from './errors.js';
import {
  LeaderElectFinishedEvent,
  LeaderLostEvent,
  MakeLeaderEvent,
  type RaftEvents,
  StateChangeEvent,
} from './events.js';
import { checkIp, type Member, Membership, type Standpoint } from './membership.js';
import type { Output } from './outputs.js';
import { type PeerSnapshot, type PeerState, RaftPeer } from './peer.js';
import { RULES, type Rules, type RulesName } from './rules.js';

/** What a `RaftPeerSet` is made of. */
export interface RaftPeerSetOptions {
  /** The ip of this peer. */
  readonly local: string;
  /** All members, this peer among them; a `Membership` is shared by the sets that are made of it. */
  readonly members: Membership | readonly (string | Member)[];
  /** Whose rules hold. @default 'raftbeat' */
  readonly rules?: RulesName;
  /** The dues that another member shows until it is heard of; the original draws them. @default none are left */
  readonly freshDues?: () => Dues;
}

/** What is left of a peer's two times, in ms. */
export type Dues = Pick<PeerSnapshot, 'leaderDueMs' | 'heartbeatDueMs'>;

/**
 * The members of the cluster as one of them knows them: who they are, who leads, and who voted for this peer
 * (section 1). Usable on its own; `RaftCore` drives it by the protocol.
 *
 * Emits the events of `RaftEvents`. A listener that throws is reported by an `error` event and harms nothing; one that
 * calls back sees the state whole, and the events that it causes come after those under way.
 */
export class RaftPeerSet extends Emitter<RaftEvents> {
  /** The rules in force. */
  readonly rules: Rules;
  readonly #self: RaftPeer;
  readonly #freshDues: (() => Dues) | undefined;
  #membership: Membership = NO_MEMBERS;
  #standpoint: Standpoint;
  /** What was heard of the members, each in its place; null for one that was not heard of. */
  #peers: (RaftPeer | null)[] = [];
  /** What was heard of peers that are no members as far as this one knows, and are listened to all the same. */
  #strangers: Map<string, RaftPeer> | null = null;
  #leader: PeerSnapshot | null = null;
  /** Whether nothing was heard of the leader since it became so; in the original both are one object until then. */
  #isLeaderFresh = false;
  #announced: PeerSnapshot | null = null;
  #lastLeader: PeerSnapshot | null = null;
  /** Who granted this candidate's own term; a set, so that a repeated reply counts once (D2). */
  #votes: Set<string> | null = null;
  /** How many others are marked LEADER, so that a steady beat need not look at all members. */
  #markedLeaders = 0;
  /** Former leaders that were asked, and whether nothing newer was heard of them since (D14). */
  #fetching: Map<string, boolean> | null = null;
  /** Whether this peer is a member, as far as it knows, or somebody who knows more may take it for one. */
  #isMember = false;
  #isFixed = false;
  #outputs: Output[] | null = null;
  #events: (() => void)[] | null = null;
  #holds = 0;

  /** @throws RaftError `BAD_OPTION` for members that cannot be */
  constructor({ local, members, rules = 'raftbeat', freshDues }: RaftPeerSetOptions) {
    super();
    if (!Object.hasOwn(RULES, rules)) {
      throw new RaftError('BAD_OPTION', `rules must be 'raftbeat' or 'nacos', not ${JSON.stringify(rules)}`);
    }
    this.rules = RULES[rules];
    this.#self = new RaftPeer(checkIp('local', local));
    this.#freshDues = freshDues;
    this.#standpoint = NO_MEMBERS.seenBy(local);
    this.#setMembers(members instanceof Membership ? members : Membership.of(members));
  }

  /**
   * This peer.
   *
   * @throws RaftError `UNKNOWN_PEER` when it is not among the members
   */
  local(): RaftPeer {
    if (!this.#isMember) throw this.#strangeToItself();
    return this.#self;
  }

  #strangeToItself(): RaftError {
    const message = `unable to find local peer: ${this.#self.ip}, all peers: [${this.ips}]`;
    return new RaftError('UNKNOWN_PEER', message);
  }

  /** This peer, member or not. */
  get self(): RaftPeer {
    return this.#self;
  }

  /** The leader as it was when it became so, or null. A winner is its own leader from the win on. */
  get leader(): PeerSnapshot | null {
    return this.#leader;
  }

  /** Another leader of which nothing was heard since it became so, or null; its term is what `noteLeaderTerm` writes. */
  get freshLeader(): PeerSnapshot | null {
    return this.#isLeaderFresh && this.#leader !== this.#self ? this.#leader : null;
  }

  /** The newest leader that this peer ever knew, lost or not. */
  get lastLeader(): PeerSnapshot | null {
    return this.#lastLeader;
  }

  /** Whether this peer is the only voter: it has nobody to wait for (D15, D18). */
  get isAlone(): boolean {
    return this.#standpoint.otherVoters.length === 0 && this.isVoter(this.#self.ip);
  }

  /** The member `ip`, or null. */
  get(ip: string): RaftPeer | null {
    return this.#find(ip) ?? null;
  }

  /** Whether `ip` is a member. */
  contains(ip: string): boolean {
    return this.isListed(ip) || this.#strangers?.has(ip) === true;
  }

  /** Whether `ip` is among the members in force. */
  isListed(ip: string): boolean {
    return this.#membership.placeOf(ip) !== undefined;
  }

  /** Whether this peer is. */
  get isSelfListed(): boolean {
    return this.#standpoint.self !== null;
  }

  /** Whether `ip` is the leader. */
  isLeader(ip: string): boolean {
    return this.#leader?.ip === ip;
  }

  /** All members. */
  allPeers(): readonly RaftPeer[] {
    return this.ips.map((ip) => this.#known(ip));
  }

  /** All members, and how they are so. */
  get members(): readonly Required<Member>[] {
    return this.#membership.members;
  }

  /** The ips of all members. */
  get ips(): readonly string[] {
    return this.#membership.ips;
  }

  /** The ips of all members but this peer: beats go to them. */
  get others(): readonly string[] {
    return this.#standpoint.others;
  }

  /** The ips of all voters but this peer: vote requests go to them. */
  get otherVoters(): readonly string[] {
    return this.#standpoint.otherVoters;
  }

  /** All members that vote. */
  get voters(): readonly Required<Member>[] {
    return this.#membership.voters;
  }

  /** Whether `ip` is a member that votes. */
  isVoter(ip: string): boolean {
    return this.member(ip)?.observer === false;
  }

  /** How `ip` is a member, or null. */
  member(ip: string): Required<Member> | null {
    return ip === this.#self.ip ? this.#standpoint.self : this.#membership.member(ip);
  }

  /** How many voters are a majority: `floor(n / 2) + 1`. */
  majorityCount(): number {
    return Math.floor(this.voters.length / 2) + 1;
  }

  /**
   * Makes `ips` the members: keeps the known ones, adds fresh ones, drops the rest. For use before the core has started
   * (section 3, members): two peers that disagree on the members can each elect a leader.
   *
   * @throws RaftError `BAD_OPTION`, `UNSUPPORTED` (after the start); the members stay as they were
   */
  changePeers(ips: readonly (string | Member)[]): void {
    if (this.#isFixed) throw new RaftError('UNSUPPORTED', 'members are fixed once the core has started');
    this.#setMembers(Membership.of(ips));
    if (this.#leader !== null && !this.contains(this.#leader.ip)) this.loseLeader();
  }

  /**
   * Makes those the members that a registry holds (section 4, members). A leader that is no member any more still leads,
   * until its own removal is committed.
   *
   * @internal
   */
  replaceMembers(members: readonly Required<Member>[]): void {
    this.#setMembers(new Membership(members));
    if (this.#leader !== null) this.#know(this.#leader.ip);
  }

  /**
   * Listens to `ip`, who knows a newer list of members: as far as this peer knows, `ip` is no member, or this peer itself is
   * none, that may have been added again.
   *
   * @internal
   */
  admit(ip: string): void {
    this.#know(ip);
    this.#isMember = true;
  }

  #know(ip: string): void {
    if (this.contains(ip)) return;
    this.#strangers ??= new Map();
    this.#strangers.set(ip, new RaftPeer(ip));
  }

  #setMembers(membership: Membership): void {
    const self = this.#self;
    this.#peers = membership.ips.map((ip) => (ip === self.ip ? self : this.#heard(ip)));
    this.#strangers = null;
    this.#membership = membership;
    this.#standpoint = membership.seenBy(self.ip);
    this.#isMember = this.#standpoint.self !== null;
    this.#markedLeaders = this.#heardOf().filter((peer) => this.#isMarked(peer)).length;
    for (const ip of this.#votes ?? []) if (!this.contains(ip)) this.#votes?.delete(ip);
    for (const ip of this.#fetching?.keys() ?? []) if (!this.contains(ip)) this.#fetching?.delete(ip);
  }

  #heardOf(): readonly RaftPeer[] {
    return [...this.#peers.filter((peer) => peer !== null), ...(this.#strangers?.values() ?? [])];
  }

  #isMarked(peer: RaftPeer): boolean {
    return peer.state === 'LEADER' && peer !== this.#self;
  }

  /** What was heard of `ip`; dues that are drawn are so at once, and in order. */
  #heard(ip: string): RaftPeer | null {
    const place = this.#membership.placeOf(ip);
    const heard = place === undefined ? this.#strangers?.get(ip) : this.#peers[place];
    return heard ?? (this.#freshDues === undefined ? null : this.#fresh(ip));
  }

  /** Allows no further change of the members. */
  fixMembers(): void {
    this.#isFixed = true;
  }

  /**
   * Stores what was heard of a member. Of this peer itself nothing is heard, and of an older term nothing new (D14).
   *
   * @throws RaftError `UNKNOWN_PEER`: nobody joins by being heard of (D6)
   */
  update(peer: PeerSnapshot): RaftPeer {
    return this.#store(this.#known(peer.ip), peer);
  }

  /**
   * Makes `candidate` the leader: emits `makeLeader` if that is a change (D8), asks each other peer that is still
   * marked LEADER for its own view, and stores the candidate.
   *
   * @throws RaftError `UNKNOWN_PEER`; nothing changes (D6)
   */
  makeLeader(candidate: PeerSnapshot): RaftPeer {
    const known = this.#known(candidate.ip);
    const isChange = this.#isChange(candidate);
    this.local(); // One that is no member itself follows nobody.
    this.hold();
    if (isChange) this.#changeLeader(candidate);
    this.#hear(known, candidate);
    if (isChange) this.#isLeaderFresh = true;
    this.release();
    return known;
  }

  /**
   * What `makeLeader` does with one who is the leader already.
   *
   * @internal
   */
  heardOfLeader(peer: PeerSnapshot): void {
    this.#hear(this.#known(peer.ip), peer);
  }

  #hear(known: RaftPeer, leader: PeerSnapshot): void {
    this.#store(known, leader);
    const marked = this.#isMarked(known) ? 1 : 0;
    if (this.#markedLeaders > marked) this.#askFormerLeaders(leader.ip);
  }

  /**
   * Whether this peer is a member, and `peer` the leader already.
   *
   * @internal
   */
  follows(peer: PeerSnapshot): boolean {
    return this.#isMember && !this.#isChange(peer);
  }

  #changeLeader(candidate: PeerSnapshot): void {
    this.loseLeader();
    this.#lead(candidate.ip === this.#self.ip ? this.#self : RaftPeer.from(candidate).snapshot());
    this.announceLeader();
  }

  /**
   * Takes a reply to this peer's vote request and, if that is a majority, makes this peer the leader and emits
   * `leaderElectFinished`. Only a CANDIDATE counts, only replies of its own term that name itself, one a voter; its own
   * vote is such a reply, too (D2).
   *
   * @returns the leader, or null
   * @throws RaftError `UNKNOWN_PEER`
   */
  decideLeader(reply: PeerSnapshot): PeerSnapshot | null {
    const self = this.#self;
    if (reply.ip !== self.ip) this.update(reply);
    if (self.state !== 'CANDIDATE' || reply.term !== self.term || reply.voteFor !== self.ip)
      return this.#leader;
    this.#votes ??= new Set();
    if (this.isVoter(reply.ip)) this.#votes.add(reply.ip);
    const hasOwn = this.#votes.has(self.ip) || !this.isVoter(self.ip);
    if (hasOwn && this.#votes.size >= this.majorityCount()) this.#win();
    return this.#leader;
  }

  /** Forgets the leader and who voted for whom (section 1, vote). */
  reset(): void {
    this.hold();
    this.loseLeader();
    this.#votes = null;
    for (const peer of this.#heardOf()) peer.voteFor = null;
    this.release();
  }

  /** Starts this peer's own election: resets, goes one term further, votes for itself (section 1, vote). */
  campaign(): void {
    this.hold();
    this.#self.term++;
    this.become('CANDIDATE');
    this.reset();
    this.#self.voteFor = this.#self.ip;
    this.release();
  }

  /** Takes over a higher term: a FOLLOWER that has not voted in it and knows no leader (D1). */
  adopt(term: number): void {
    this.hold();
    this.#votes = null;
    this.#self.term = term;
    this.#self.voteFor = null;
    this.become('FOLLOWER');
    this.loseLeader();
    this.release();
  }

  /** Changes this peer's state, and emits `stateChange` if it is one. */
  become(state: PeerState): void {
    if (this.#self.state !== state || state === 'CANDIDATE') this.#changeState(state);
  }

  #changeState(state: PeerState): void {
    const from = this.#self.state;
    this.#self.state = state;
    const event = new StateChangeEvent(from, state, this.#self.term);
    this.#queue(() => this.emit('stateChange', event));
  }

  /** Emits `makeLeader` for the leader; for a winner this is due with its first lease (D8). */
  announceLeader(): void {
    if (this.#leader === null) return;
    const leader = this.#fixed(this.#leader);
    this.#announced = this.#lastLeader = leader;
    this.#queue(() => this.emit('makeLeader', new MakeLeaderEvent(leader, this.#self.snapshot())));
  }

  /** Forgets the leader; emits `leaderLost` if it had been announced (D9). */
  loseLeader(): void {
    this.#leader = null;
    const leader = this.#announced;
    if (leader === null) return;
    this.#announced = null;
    this.#queue(() => this.emit('leaderLost', new LeaderLostEvent(leader, this.#self.snapshot())));
  }

  /** Writes `term` into the leader as it is known here (`onPublish`). Whether there is one. */
  noteLeaderTerm(term: number): boolean {
    const leader = this.#leader;
    if (leader === null) return false;
    if (leader === this.#self) return true;
    this.#leader = { ...leader, term };
    if (this.#isLeaderFresh) this.#known(leader.ip).term = term;
    return true;
  }

  /** Takes the answer of a former leader, unless something newer was heard of it since it was asked (D14). */
  receivedPeer(from: string, peer: PeerSnapshot): void {
    const isNewest = this.#fetching?.get(from) === true;
    this.#fetching?.delete(from);
    if (isNewest) this.update({ ...peer, ip: from });
  }

  /** A former leader could not be asked: it is taken for a FOLLOWER (D14). */
  fetchFailed(from: string): void {
    const peer = this.#find(from);
    if (peer !== undefined && this.#fetching?.get(from) === true) {
      this.#mark(peer, 'FOLLOWER');
      peer.state = 'FOLLOWER';
    }
    this.#fetching?.delete(from);
  }

  /** Queues an output, behind those that wait. */
  output(output: Output): void {
    this.#outputs ??= [];
    this.#outputs.push(output);
  }

  /** Hands over what is to be done, in order; see `Output` for what that order means. */
  takeOutputs(): readonly Output[] {
    const outputs = this.#outputs ?? NO_OUTPUTS;
    this.#outputs = null;
    return outputs;
  }

  /** Emits an `error` event, for somebody to look at. */
  report(error: RaftError): void {
    this.#queue(() => this.emit('error', error));
  }

  /** Holds events back until the matching `release`: they are emitted when the state is whole. */
  hold(): void {
    this.#holds++;
  }

  /** Ends a `hold`, and emits what waited if it was the outermost. */
  release(): void {
    if (this.#holds === 1 && this.#events !== null) this.#emitWaiting(this.#events);
    this.#holds--;
  }

  #queue(emit: () => void): void {
    this.#events ??= [];
    this.#events.push(emit);
    this.hold();
    this.release();
  }

  /** While it runs a hold stands, so what a listener causes is queued behind what waits. */
  #emitWaiting(events: (() => void)[]): void {
    for (let emit = events.shift(); emit !== undefined; emit = events.shift()) emit();
    this.#events = null;
  }

  #fresh(ip: string): RaftPeer {
    return Object.assign(new RaftPeer(ip), this.#freshDues?.());
  }

  #isChange(candidate: PeerSnapshot): boolean {
    const leader = this.#leader;
    if (leader === null || leader.ip !== candidate.ip) return true;
    return this.rules.termsTellLeadersApart && leader.term !== candidate.term;
  }

  #lead(leader: PeerSnapshot): void {
    this.#leader = leader;
    this.#lastLeader = this.#fixed(leader);
  }

  /** Of the peers that lead only this one itself goes on changing. */
  #fixed(leader: PeerSnapshot): PeerSnapshot {
    return leader === this.#self ? this.#self.snapshot() : leader;
  }

  #win(): void {
    this.hold();
    this.#votes = null;
    this.loseLeader();
    this.become('LEADER');
    this.#lead(this.#self);
    const winner = this.#self.snapshot();
    this.#queue(() => this.emit('leaderElectFinished', new LeaderElectFinishedEvent(winner, winner)));
    this.release();
  }

  #askFormerLeaders(candidate: string): void {
    this.#fetching ??= new Map();
    for (const peer of this.#heardOf()) {
      const { ip } = peer;
      if (!this.#isMarked(peer) || ip === candidate || this.#fetching.has(ip)) continue;
      this.#fetching.set(ip, true);
      this.output({ type: 'fetchPeer', from: ip });
    }
  }

  #find(ip: string): RaftPeer | undefined {
    const place = this.#membership.placeOf(ip);
    if (place === undefined) return this.#strangers?.get(ip);
    return this.#peers[place] ?? this.#firstHeard(ip, place);
  }

  #firstHeard(ip: string, place: number): RaftPeer {
    const peer = this.#fresh(ip);
    this.#peers[place] = peer;
    return peer;
  }

  #known(ip: string): RaftPeer {
    const known = this.#find(ip);
    if (known === undefined) throw new RaftError('UNKNOWN_PEER', `can not find peer: ${ip}`, { ip });
    return known;
  }

  #store(known: RaftPeer, peer: PeerSnapshot): RaftPeer {
    if (known === this.#self || (this.rules.adoptsHigherTerms && peer.term < known.term)) return known;
    if (this.#fetching !== null) this.#noteNews(this.#fetching, peer.ip);
    if (known.state !== peer.state) this.#mark(known, peer.state);
    if (this.#isLeaderFresh && this.isLeader(known.ip)) this.#isLeaderFresh = false;
    return known.assign(peer);
  }

  #noteNews(fetching: Map<string, boolean>, ip: string): void {
    if (fetching.has(ip)) fetching.set(ip, false);
  }

  /** `peer`, another one, goes into `state`. */
  #mark(peer: RaftPeer, state: PeerState): void {
    if (this.#isMarked(peer)) this.#markedLeaders--;
    if (state === 'LEADER') this.#markedLeaders++;
  }
}

const NO_OUTPUTS: readonly Output[] = [];

const NO_MEMBERS = new Membership([]);
