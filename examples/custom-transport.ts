/**
 * A transport of one's own: three child processes elect a leader over nothing but their parent's IPC channels.
 *
 *     node --import tsx examples/custom-transport.ts
 */
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { RaftNode, type RaftRequest, type Receive, type RequestOptions, type Transport } from 'raftbeat';

class IpcTransport implements Transport {
  readonly #replies = new Map<string, (reply: unknown) => void>();
  #local = '';
  #onMail = async (_mail: Mail): Promise<void> => {};

  async start(local: string, receive: Receive): Promise<void> {
    this.#local = local;
    this.#onMail = async ({ from, id, request, reply }) => {
      if (request === undefined) this.#replies.get(id)?.(reply);
      else post({ from: local, to: from, id, reply: await receive(request, from) });
    };
    process.on('message', this.#onMail);
  }

  request(to: string, request: RaftRequest, { signal }: RequestOptions): Promise<unknown> {
    const id = randomUUID();
    const reply = new Promise<unknown>((resolve, reject) => {
      this.#replies.set(id, resolve);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    post({ from: this.#local, to, id, request });
    return reply.finally(() => this.#replies.delete(id));
  }

  async stop(): Promise<void> {
    process.off('message', this.#onMail);
  }
}

/** What travels: a request, or the reply that bears the same id. */
interface Mail {
  readonly from: string;
  readonly to: string;
  readonly id: string;
  readonly request?: unknown;
  readonly reply?: unknown;
}

/** The parent passes it on. When the parent is gone, there is nobody to tell. */
function post(mail: Mail): void {
  process.send?.(mail, undefined, undefined, () => {});
}

const MEMBERS = ['ann', 'bob', 'eve'];
const PARENT = 'parent';

/** One of the three: an ordinary peer, which ends with its parent. */
async function child(ip: string): Promise<void> {
  process.on('disconnect', () => process.exit());
  const raft = new RaftNode({ ip, members: MEMBERS, transport: new IpcTransport() });
  raft.on('makeLeader', ({ leader, term }) => {
    console.log(`${ip}: ${leader.ip === ip ? 'I lead' : `${leader.ip} leads`} term ${term}`);
    post({ from: ip, to: PARENT, id: leader.ip });
  });
  await raft.start();
}

/** The post office. Once all know a leader it kills that one, and ends when another leads. */
async function parent(): Promise<void> {
  const children = new Map(MEMBERS.map((ip) => [ip, fork(fileURLToPath(import.meta.url), [ip])]));
  const follows = new Map<string, string>();
  let killed: string | null = null;
  const successor = new Promise<string>((resolve) => {
    const deliver = (mail: Mail): void => {
      // The callback: that there is no mail for the dead is no error.
      if (mail.to !== PARENT) return void children.get(mail.to)?.send(mail, () => {});
      const leader = mail.id;
      follows.set(mail.from, leader);
      if (killed !== null && leader === mail.from && leader !== killed) resolve(leader);
      if (killed !== null || MEMBERS.some((ip) => follows.get(ip) !== leader)) return;
      killed = leader;
      children.get(leader)?.kill('SIGKILL');
    };
    for (const child of children.values()) child.on('message', deliver);
  });
  console.log(`parent: ${await successor} took over, I killed ${killed}`);
  for (const child of children.values()) if (child.connected) child.disconnect();
}

const ip = process.argv[2];
await (ip === undefined ? parent() : child(ip));
