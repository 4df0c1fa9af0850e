import type { RaftCore } from '../core/core.js';
import { RaftError, textOf } from '../core/errors.js';
import type {
  BeatReply,
  ErrorReply,
  HoldReply,
  HoldRequest,
  LeaderReply,
  PeerReply,
  RaftReply,
  RaftRequest,
  ReadReply,
  ResignReply,
  ResignRequest,
  StateReply,
  VoteReply,
  WriteReply,
  WritesReply,
  WritesRequest,
} from '../core/messages.js';
import type { RaftMetrics } from '../core/metrics.js';
import type { NacosDoneReply } from '../core/nacos-messages.js';
import { type PeerSnapshot, RaftPeer } from '../core/peer.js';
import type { MembersWrite, Write } from '../core/writes.js';
import { decodeBeat, decodeRequest, decodeVote } from './decode.js';
import { type NacosRegistry, nacosDatums } from './nacos-registry.js';

/** Hands an input to the core in its turn; resolves when all that the answer depends on is done. */
export type Submit = <T>(input: (core: RaftCore, now: number) => T) => Promise<T>;

/** The calls whose answer comes later than their turn: when a write is committed, a read certain, a peer gone, an order taken. */
export interface LateCalls {
  readonly write: (writes: readonly Omit<Write, 'id'>[]) => readonly Promise<WriteReply>[];
  readonly read: (key: string) => Promise<ReadReply>;
  readonly changeMembers: (asked: Omit<MembersWrite, 'id'>) => Promise<WriteReply>;
  readonly hold: (request: HoldRequest, gone: AbortSignal | undefined) => Promise<HoldReply>;
  readonly resign: (to?: string) => Promise<string>;
}

/** Who counts what is asked of a peer, and tells what was counted. */
export interface Watch {
  readonly received: (type: RaftRequest['type'] | 'unknown', isRefused: boolean) => void;
  readonly metrics: () => RaftMetrics;
}

/** What an inbound request may do. Everything that it is given is checked first; nothing is trusted. */
export class RaftController {
  readonly #submit: Submit;
  readonly #late: LateCalls;
  readonly #nacos: NacosRegistry | null;
  readonly #watch: Watch | null;

  /**
   * @param late takes writes, reads, orders to resign, and what is to be held; without it they are refused as `UNSUPPORTED`
   * @param nacos who publishes and removes under the rules of Nacos; without it such requests are refused
   * @param watch who counts requests; without it nobody does, and there are no metrics to ask for
   */
  constructor(
    submit: Submit,
    late: LateCalls = NONE,
    nacos: NacosRegistry | null = null,
    watch: Watch | null = null,
  ) {
    this.#submit = submit;
    this.#late = late;
    this.#nacos = nacos;
    this.#watch = watch;
  }

  /**
   * Answers any request. Never rejects: a refusal is an `ErrorReply`.
   *
   * @param gone aborted when the asker is gone before its answer
   */
  async receive(raw: unknown, gone?: AbortSignal): Promise<RaftReply> {
    let type: RaftRequest['type'] | 'unknown' = 'unknown';
    try {
      const request = decodeRequest(raw);
      type = request.type;
      const reply = await this.#answer(request, gone);
      this.#watch?.received(type, false);
      return reply;
    } catch (error) {
      this.#watch?.received(type, true);
      return errorReply(error);
    }
  }

  /**
   * Answers a vote or pre-vote request.
   *
   * @throws RaftError `BAD_REQUEST`, or what `RaftCore.receivedVote` throws
   */
  async vote(raw: unknown): Promise<VoteReply> {
    const vote = decodeVote(raw);
    return this.#submit((core, now) => core.receivedVote(vote, now));
  }

  /**
   * Answers a beat.
   *
   * @throws RaftError `BAD_REQUEST`, or what `RaftCore.receivedBeat` throws
   */
  async beat(raw: unknown): Promise<BeatReply> {
    const beat = decodeBeat(raw);
    return this.#submit((core, now) => core.receivedBeat(beat, now));
  }

  /** Tells this peer's own view of itself; `id` is returned as it is. */
  async getPeer(id?: number): Promise<PeerReply> {
    return this.#submit((core, now) => core.getPeer(now, id));
  }

  /** Tells whom this peer takes for the leader. */
  async getLeader(): Promise<LeaderReply> {
    return this.#submit((core, now) => ({ leader: knownLeader(core, now) }));
  }

  /** Tells how this peer sees itself and the cluster. */
  async getState(): Promise<StateReply> {
    return this.#submit((core, now) => ({
      ip: core.peers.self.ip,
      state: core.peers.self.state,
      term: core.peers.self.term,
      leader: knownLeader(core, now)?.ip ?? null,
      isLeader: core.isLeader(now),
      ...lease(core, now),
      ...(core.datums === null ? {} : { revision: core.datums.last }),
      rejoining: core.rejoining,
      peers: core.peers.allPeers().map((peer) => peer.snapshot()),
    }));
  }

  #answer(request: RaftRequest, gone: AbortSignal | undefined): Promise<RaftReply> {
    switch (request.type) {
      case 'vote':
        return this.#submit((core, now) => core.receivedVote(request, now));
      case 'beat':
        return this.#submit((core, now) => core.receivedBeat(request, now));
      case 'transfer':
        return this.#submit((core, now) => core.receivedTransfer(request, now));
      case 'peer':
        return this.getPeer(request.id);
      case 'writes':
        return this.#write(request);
      case 'read':
        return this.#late.read(request.key);
      case 'member':
        return this.#late.changeMembers({ ...request, forward: request });
      case 'hold':
        return this.#late.hold(request, gone);
      case 'beats':
      case 'groups':
        throw new RaftError('UNSUPPORTED', 'this peer is a node: it has no groups');
      case 'keys':
        return this.#submit((core, now) => core.listKeys(request.at, request.from, now));
      case 'datums':
        return this.#submit((core, now) => core.listDatums(request.at, request.keys, now));
      case 'leader':
        return this.getLeader();
      case 'state':
        return this.getState();
      case 'resign':
        return this.#resign(request);
      case 'metrics':
        return this.#metrics();
      case 'nacosGet':
        return this.#submit((core) => nacosDatums(core).received(request));
      case 'nacosCommit':
        return this.#done((core, now) => nacosDatums(core).receivedCommit(request, now));
      case 'nacosDelete':
        return this.#done((core, now) => nacosDatums(core).receivedDelete(request, now));
      case 'nacosPublish':
        return this.#asOriginal((nacos) => nacos.publish(request));
      case 'nacosRemove':
        return this.#asOriginal((nacos) => nacos.remove(request));
    }
  }

  /** At once, whatever waits for its turn: who asks wants to know that, too. */
  async #metrics(): Promise<RaftMetrics> {
    if (this.#watch === null) throw new RaftError('UNSUPPORTED', 'nobody counts here');
    return this.#watch.metrics();
  }

  async #write({ process, term, writes }: WritesRequest): Promise<WritesReply> {
    const outcomes = this.#late.write(
      writes.map(({ number, ...write }) => ({ ...write, forward: { process, number, term } })),
    );
    return { outcomes: await Promise.all(outcomes.map((outcome) => outcome.catch(errorReply))) };
  }

  async #resign({ to }: ResignRequest): Promise<ResignReply> {
    return { successor: await this.#late.resign(to) };
  }

  async #done(input: (core: RaftCore, now: number) => void): Promise<NacosDoneReply> {
    await this.#submit(input);
    return DONE;
  }

  async #asOriginal(write: (nacos: NacosRegistry) => Promise<void>): Promise<NacosDoneReply> {
    if (this.#nacos === null) throw new RaftError('UNSUPPORTED', 'nobody publishes here');
    await write(this.#nacos);
    return DONE;
  }
}

const DONE: NacosDoneReply = { done: true };

/** The leader that this peer knows of at `now`; itself only while it leads. */
function knownLeader(core: RaftCore, now: number): PeerSnapshot | null {
  const { leader, self } = core.peers;
  if (leader === null || (leader.ip === self.ip && !core.isLeader(now))) return null;
  return RaftPeer.from(leader).snapshot();
}

function lease(core: RaftCore, now: number): Pick<StateReply, 'leaseMs'> {
  const leaseMs = core.leaseLeftMs(now);
  return leaseMs > 0 && Number.isFinite(leaseMs) ? { leaseMs } : {};
}

/** An error as it is answered. */
export function errorReply(error: unknown): ErrorReply {
  if (!(error instanceof RaftError)) return { code: 'INTERNAL', message: textOf(error) };
  const { code, message, term } = error;
  return term === undefined ? { code, message } : { code, message, term };
}

const unsupported = (): never => {
  throw new RaftError('UNSUPPORTED', 'this peer keeps no data, holds nothing, and takes no orders');
};

const NONE: LateCalls = {
  write: unsupported,
  read: unsupported,
  changeMembers: unsupported,
  hold: unsupported,
  resign: unsupported,
};
