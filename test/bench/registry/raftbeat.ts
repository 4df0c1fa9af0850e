import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freeAddresses } from '../../../src/cli/demo/addresses.js';
import { Worker } from '../worker.js';
import type { Load, Order } from './load.js';
import type { PeerCalls } from './raftbeat-peer.js';

const PEER = fileURLToPath(new URL('raftbeat-peer.ts', import.meta.url));
const POLL_MS = 5;

export interface Peer {
  readonly ip: string;
  worker: Worker<PeerCalls>;
}

/** Three peers of raftbeat, each a process. */
export class RaftbeatCluster {
  readonly #directory: string;
  readonly #execArgv: readonly string[];
  readonly #peers: Peer[] = [];
  #members = '';

  /** @param execArgv for the processes of the peers */
  constructor(directory: string, execArgv: readonly string[] = []) {
    this.#directory = directory;
    this.#execArgv = execArgv;
  }

  /** Starts three empty peers; resolves when each knows the leader. */
  async start(): Promise<void> {
    const ips = await freeAddresses(3);
    this.#members = ips.join(',');
    await Promise.all(ips.map((ip) => this.#add(ip, this.#members)));
    await until(async () => {
      const known = await Promise.all(this.#peers.map(({ worker }) => worker.ask('knowsLeader')));
      return known.every(Boolean);
    });
  }

  /** One that leads, or one that does not. */
  async find({ leads }: { readonly leads: boolean }): Promise<Peer> {
    let found: Peer | undefined;
    await until(async () => {
      const answers = await Promise.all(this.#peers.map(({ worker }) => worker.ask('leads')));
      const anyLeads = answers.some(Boolean);
      found = this.#peers.find((_, at) => answers[at] === leads);
      return anyLeads && found !== undefined;
    });
    return found as Peer;
  }

  /** Writes from within the process of the leader, or of a follower. */
  async load(at: 'leader' | 'follower', order: Order): Promise<Load> {
    const { worker } = await this.find({ leads: at === 'leader' });
    return worker.ask('load', order);
  }

  /** Starts an empty peer that is a member of nothing yet. */
  async joiner(): Promise<Peer> {
    const [ip = ''] = await freeAddresses(1);
    return this.#add(ip, '');
  }

  /** Starts a process for a peer whose process was killed. */
  async restart(peer: Peer): Promise<void> {
    peer.worker = this.#newWorker(peer.ip, this.#members);
    await peer.worker.ask('start');
  }

  async end(): Promise<void> {
    await Promise.all(this.#peers.map(({ worker }) => worker.end()));
  }

  kill(): void {
    for (const { worker } of this.#peers) worker.kill();
  }

  async #add(ip: string, members: string): Promise<Peer> {
    const peer = { ip, worker: this.#newWorker(ip, members) };
    this.#peers.push(peer);
    await peer.worker.ask('start');
    return peer;
  }

  #newWorker(ip: string, members: string): Worker<PeerCalls> {
    return new Worker<PeerCalls>(PEER, [ip, members, this.#directory], this.#execArgv);
  }
}

/** Asks until the answer is yes. */
export async function until(look: () => Promise<boolean>): Promise<void> {
  while (!(await look())) await delay(POLL_MS);
}
