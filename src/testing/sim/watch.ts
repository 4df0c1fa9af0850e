import type { Vote, VoteReply } from '../../core/messages.js';
import type { StoredState } from '../../core/outputs.js';
import type { PeerSnapshot, PeerState } from '../../core/peer.js';
import { Ballots } from './ballots.js';
import type { CheckName, Report } from './checks.js';
import type { FaultTrigger } from './faults.js';
import type { Arrival } from './network.js';
import { Promises } from './promises.js';
import { Records, type Told } from './records.js';

/** What the simulator asks of a peer of one cluster: of a node, or of one group of a host. */
export interface SimPeer {
  readonly state: PeerState;
  readonly term: number;
  readonly leader: PeerSnapshot | null;
  isLeader(): boolean;
  resign(to?: string): Promise<string>;
  // biome-ignore lint/suspicious/noExplicitAny: the events of RaftNode, whichever build it comes from
  on(name: any, listener: (event: any) => void): unknown;
}

/** A process, as a peer of one cluster. */
export interface Part {
  readonly ip: string;
  /** That of the process. */
  readonly name: string;
  readonly peer: SimPeer;
  /** What is durable of it. */
  readonly stored: () => StoredState | null;
  /** The last term in which it said that it leads, and the last one in which that was over. */
  ledTerm: number;
  overTerm: number;
  /** The last term that it won. */
  wonTerm: number;
  /** Whether the process takes part. */
  isOpen: boolean;
}

/** What a watch knows of all that surrounds the cluster. */
export interface Surroundings {
  readonly report: Report;
  readonly now: () => number;
  readonly clockDrift: number;
  /** Who votes, as far as the process `name` knows. */
  readonly votersOf: (name: string) => ReadonlySet<string>;
  /** Whether whoever seems to lead may be asked at any time: it then hears of what it could have been told before. */
  readonly mayAsk: boolean;
  readonly trigger: (ip: string, trigger: FaultTrigger, group: string) => void;
}

/** When a request came, and what the peer that answers it had told until then. */
export interface Came {
  readonly arrival: Arrival;
  readonly told: Told | null;
}

/** One cluster, as one sees it who sees everything: that of the nodes, or a group of hosts. */
export class Watch {
  /** The name of the group; empty: nodes. */
  readonly group: string;
  readonly ballots: Ballots;
  readonly #around: Surroundings;
  readonly #records: Records;
  readonly #promises: Promises;

  constructor(group: string, around: Surroundings) {
    this.group = group;
    this.#around = around;
    const report: Report = (check, ip, what) => this.#report(check, ip, what);
    this.ballots = new Ballots(report, around.votersOf);
    this.#records = new Records(report);
    this.#promises = new Promises(report, around.clockDrift);
  }

  /** To whom `voter` is bound by the beats that it acknowledged, and until when at least; it may be over. */
  bondOf(voter: string): { readonly holder: string; readonly until: number } | null {
    return this.#promises.bondOf(voter);
  }

  /** `state` became durable at `ip`. */
  saved(ip: string, state: StoredState): void {
    this.#records.saved(ip, state);
    if (state.voteFor === ip) this.ballots.existed(state.term);
  }

  /** What the process `name` held is lost. */
  forget(name: string): void {
    this.#records.forget(name);
  }

  /** `voter` saw the end of its connection to `holder`. */
  released(voter: string, holder: string, arrival: Arrival): void {
    this.#promises.released(voter, holder, arrival);
  }

  // ---- What leaves

  asks(
    from: Part,
    { peer, preVote = false, round = 0, transfer = false }: Vote,
    hasUnreadMail: boolean,
  ): void {
    const { ip, name } = from;
    const now = this.#around.now();
    const term = preVote ? peer.term - 1 : peer.term;
    this.#records.told(name, { term, voteFor: peer.voteFor }, from.stored());
    if (preVote) {
      this.ballots.asks(name, round, peer.term, now);
      if (hasUnreadMail) this.#report('L2', ip, 'asks for pre-votes before it has read the mail that waits');
      return;
    }
    this.ballots.campaigns(name, peer.term, transfer);
    if (!transfer) this.#promises.granted(ip, ip, 'campaigns for', now);
    this.#trigger(ip, 'campaigns');
  }

  beats(from: Part, { term, voteFor }: Told): void {
    this.#records.told(from.name, { term, voteFor }, from.stored());
    this.ballots.won(from.name, term);
    if (this.#around.mayAsk && from.ledTerm === term && !from.peer.isLeader())
      this.#report('S2', from.ip, `sends a beat of term ${term} after its lease`);
  }

  orders(from: Part): void {
    if (from.peer.isLeader()) this.#report('S2', from.ip, 'orders a transfer while it leads');
    this.#trigger(from.ip, 'resigns');
  }

  // ---- What arrives, and is answered

  /** A beat of `leader` comes, or was answered: until then nobody knows whether it binds who got it. */
  beatCame(at: Part, leader: string, arrival: Arrival): void {
    this.#promises.waits(at.ip, leader, arrival);
  }

  beatWasAnswered(at: Part, arrival: Arrival): void {
    this.#promises.waitsNoMore(at.ip, arrival);
  }

  /** A request comes to `at`. */
  came(at: Part, arrival: Arrival): Came {
    return { arrival, told: this.#records.toldBy(at.name) };
  }

  /** No vote request may unseat a leader: it has a majority bound to it. Returns what is to be called when all is done that follows. */
  getsVote({ ip, peer }: Part, from: string): (() => void) | null {
    if (!this.#around.mayAsk || peer.state !== 'LEADER' || !peer.isLeader()) return null;
    return () => {
      if (peer.state !== 'LEADER')
        this.#report('L2', ip, `is unseated by a vote request of ${from} while it leads`);
    };
  }

  /** Whatever `from` answers, refusals aside, is its own view. */
  tells(from: Part, reply: Told, { told }: Came): void {
    this.#records.told(from.name, reply, from.stored(), told);
    this.ballots.isIn(from.name, reply.term);
  }

  /** `from` promises `leader`, whose beat came. */
  acknowledges(from: Part, leader: string, promisedMs: number, { arrival }: Came): void {
    this.#promises.acknowledged(from.ip, leader, arrival, promisedMs);
  }

  /** `from` accepted a beat, and answers with its term. */
  follows({ ip, name }: Part, beatTerm: number, term: number, came: Came): void {
    this.ballots.closes(name, this.#closesAt(came));
    if (term !== beatTerm)
      this.#report('S3', ip, `accepts a beat of term ${beatTerm}, and stays in term ${term}`);
    this.#trigger(ip, 'acknowledges');
  }

  /** `from` accepted beats of a host, which stand for one of `leader`, and shows `term`. */
  accepts(
    from: Part,
    leader: { readonly ip: string; readonly term: number },
    term: number,
    promisedMs: number,
    came: Came,
  ): void {
    this.#records.accepted(from.name, leader.term, from.stored(), came.told);
    this.ballots.isIn(from.name, leader.term);
    this.acknowledges(from, leader.ip, promisedMs, came);
    // It may have gone on to a higher term while its answer waited for those of other groups.
    this.follows(from, leader.term, Math.min(term, leader.term), came);
  }

  /** `from` answers a vote request. */
  votes(
    { ip, name }: Part,
    { peer, preVote = false, transfer = false }: Vote,
    reply: VoteReply,
    came: Came,
  ): void {
    if (!reply.granted) return;
    const what = preVote ? 'grants its pre-vote to' : 'votes for';
    if (!transfer) this.#promises.granted(ip, peer.ip, what, this.#around.now(), came.arrival.order);
    if (preVote) return;
    this.ballots.closes(name, this.#closesAt(came));
    this.#trigger(ip, 'votes');
  }

  // ---- Who leads

  /** Whether `part` says that it leads. */
  leads(part: Part, voters: ReadonlySet<string>): boolean {
    const { peer, ip } = part;
    if (peer.state !== 'LEADER') return false;
    const { term } = peer;
    if (!peer.isLeader()) {
      if (part.ledTerm === term) part.overTerm = term;
      return false;
    }
    if (part.overTerm === term) this.#report('S2', ip, `leads again in term ${term}, in which that was over`);
    part.ledTerm = term;
    this.#promises.leads(ip, voters, this.#around.now());
    return true;
  }

  /** `part` tells that it leads. */
  isMade(part: Part, term: number): void {
    if (!part.peer.isLeader() && part.overTerm !== term)
      this.#report('S2', part.name, `is announced as the leader of term ${term} without a lease`);
    part.ledTerm = term;
  }

  /** `part` tells that it has won. */
  wins(part: Part, term: number): void {
    const { name } = part;
    this.ballots.won(name, term);
    if (part.wonTerm === term) this.#report('S1', name, `won term ${term} twice`);
    part.wonTerm = term;
  }

  /** Answers of groups travel together: what is told by one may be older than it looks. */
  #closesAt({ arrival }: Came): number {
    return this.group === '' ? this.#around.now() : arrival.at;
  }

  #trigger(ip: string, trigger: FaultTrigger): void {
    this.#around.trigger(ip, trigger, this.group);
  }

  #report(check: CheckName, ip: string, what: string): void {
    this.#around.report(check, ip, this.group === '' ? what : `in ${this.group} ${what}`);
  }
}
