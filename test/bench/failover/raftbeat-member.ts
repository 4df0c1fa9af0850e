/** raftbeat, over http, with a store in files. */
import { setTimeout as delay } from 'node:timers/promises';
import { RaftNode } from 'raftbeat';
import { FileStore } from 'raftbeat/file';
import { HttpTransport } from 'raftbeat/http';
import { memberArguments, serveMember } from './member.js';

const POLL_MS = 5;

const { ip, ips, directory, options } = memberArguments();
let holds = false;
let beats = 0;
let lastBeat: { readonly beat: unknown; readonly answer: unknown } | null = null;

/** Notices when a connection to the leader is held open, and counts beats. */
class WatchedTransport extends HttpTransport {
  override async request(...args: Parameters<HttpTransport['request']>): Promise<unknown> {
    const [, asked] = args;
    if (asked.type === 'hold') holds = asked.wait;
    const answer = await super.request(...args);
    if (asked.type === 'beat') {
      beats++;
      lastBeat = { beat: asked, answer };
    }
    return answer;
  }
}

function bytesOf(message: unknown): number {
  return Buffer.byteLength(JSON.stringify(message ?? ''));
}

const raft = new RaftNode({
  ip,
  members: ips,
  transport: new WatchedTransport(),
  store: new FileStore(`${directory}/${ip.replace(':', '-')}`),
  ...options,
});
raft.on('leaderLost', () => {
  holds = false;
});
raft.on('error', (error) => {
  console.error(`${ip}: ${error.message}`);
  process.exit(1);
});

serveMember(
  {
    start: async () => {
      await raft.start();
      await raft.waitForLeader();
    },
    leads: () => raft.isLeader(),
    isReady: async () => {
      while (options.releaseOnDisconnect === true && !holds && !raft.isLeader()) await delay(POLL_MS);
    },
    resign: () => raft.resign(),
    onLeader: (heard) => raft.on('makeLeader', ({ term }) => heard(term)),
    told: () => ({ beats, beatBytes: bytesOf(lastBeat?.beat), answerBytes: bytesOf(lastBeat?.answer) }),
  },
  directory,
);
