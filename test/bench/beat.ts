// What a steady beat costs: raftbeat's `receivedBeat` beside liferaft's handling of a heartbeat packet, in one run.
import { createRequire } from 'node:module';
import { type Beat, RaftCore, RaftPeerSet } from 'raftbeat';
import { Bench } from 'tinybench';
import { decodeBeat } from '../../src/node/decode.js';

const CALLS = 1_000;

/** liferaft has no types; this is the part that is used. */
interface LifeRaft {
  emit(event: 'data', packet: object, write: () => void): boolean;
  end(): boolean;
}
const LifeRaft = createRequire(import.meta.url)('@markwylde/liferaft') as new (
  address: string,
  options: object,
) => LifeRaft;

const members = ['10.0.0.1:7001', '10.0.0.2:7001', '10.0.0.3:7001'] as const;
const leader = {
  ip: members[1],
  state: 'LEADER',
  term: 7,
  voteFor: members[1],
  leaderDueMs: 500,
  heartbeatDueMs: 100,
} as const;
const beat: Beat = { peer: leader, datums: [], leaderTimeoutMs: 500, sentAt: 1 };
const json = JSON.stringify(beat);

const peers = new RaftPeerSet({ local: members[0], members });
const core = new RaftCore({ peers, random: Math.random });
const liferaft = new LifeRaft(members[0], {
  'election min': '1 hour',
  'election max': '2 hours',
  heartbeat: '1 hour',
});
const packet = {
  type: 'append',
  term: 7,
  state: 1,
  address: members[1],
  leader: members[1],
  last: { index: 0, term: 0 },
};
const ignore = (): void => {};

let now = 0;
const cases: readonly (readonly [string, () => void])[] = [
  ['raftbeat receivedBeat', () => void core.receivedBeat(beat, now++)],
  ['raftbeat decode + receivedBeat', () => void core.receivedBeat(decodeBeat(JSON.parse(json)), now++)],
  ['raftbeat isLeader', () => void core.isLeader(now)],
  ['liferaft heartbeat', () => void liferaft.emit('data', packet, ignore)],
];

const bench = new Bench({ time: 1_000, warmupTime: 300 });
for (const [name, call] of cases) {
  bench.add(name, () => {
    for (let i = 0; i < CALLS; i++) call();
  });
}
await bench.run();
core.takeOutputs();

const rows = bench.tasks.map((task, at) => ({
  name: task.name,
  opsPerSecond: CALLS * ('throughput' in task.result ? task.result.throughput.p50 : Number.NaN),
  bytesPerOp: bytesPerOp(cases[at]?.[1] ?? ignore),
}));
const rival = rows.at(-1)?.opsPerSecond ?? Number.NaN;
console.table(
  rows.map(({ name, opsPerSecond, bytesPerOp }) => ({
    name,
    'ops/s': Math.round(opsPerSecond).toLocaleString('en'),
    'bytes/op': bytesPerOp,
    'times liferaft': (opsPerSecond / rival).toFixed(1),
  })),
);
console.log(JSON.stringify({ node: process.version, rows }));
liferaft.end();

/** Bytes that one call allocates: between two collections, as long as none runs in between. */
function bytesPerOp(call: () => void): number {
  const calls = 5_000;
  const samples = Array.from({ length: 9 }, () => {
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < calls; i++) call();
    return (process.memoryUsage().heapUsed - before) / calls;
  });
  return Math.round(samples.sort((a, b) => a - b)[4] ?? Number.NaN);
}
