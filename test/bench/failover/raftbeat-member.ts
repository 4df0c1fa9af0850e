/** raftbeat, over http or websockets, with a store in files. */
import { setTimeout as delay } from 'node:timers/promises';
import { RaftNode, type Transport } from 'raftbeat';
import { FileStore } from 'raftbeat/file';
import { HttpTransport } from 'raftbeat/http';
import { WebSocketTransport } from 'raftbeat/websocket';
import { memberArguments, serveMember } from './member.js';

const POLL_MS = 5;

const { ip, ips, directory, options } = memberArguments();
const { transport: kind = 'http', ...others } = options;
const transport = watched(kind === 'websocket' ? new WebSocketTransport() : new HttpTransport());
let holds = false;
let beats = 0;
let lastBeat: { readonly beat: unknown; readonly answer: unknown } | null = null;

/** Has it noticed when a connection to the leader is held open, and beats counted. */
function watched(transport: Transport): Transport {
  return {
    start: (local, receive) => transport.start(local, receive),
    stop: () => transport.stop(),
    request: async (to, asked, signal) => {
      if (asked.type === 'hold') holds = asked.wait;
      const answer = await transport.request(to, asked, signal);
      if (asked.type === 'beat') {
        beats++;
        lastBeat = { beat: asked, answer };
      }
      return answer;
    },
  };
}

function bytesOf(message: unknown): number {
  return Buffer.byteLength(JSON.stringify(message ?? ''));
}

const raft = new RaftNode({
  ip,
  members: ips,
  transport,
  store: new FileStore(`${directory}/${ip.replace(':', '-')}`),
  ...others,
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
