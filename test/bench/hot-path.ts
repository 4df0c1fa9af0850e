// What each input of a steady core costs, beside liferaft on the same messages in the same run: calls a second, what they
// allocate, with few members and with many, and the heap of a core that is idle.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { inputs, others } from './hot-path/cases.js';
import { membersOf } from './hot-path/cores.js';
import { bytesPerPair } from './hot-path/heap.js';
import { liferaft } from './hot-path/liferaft.js';
import { bytesPerCall, type Case, median, rounds } from './hot-path/rounds.js';
import { Machine } from './report.js';

const FEW = 3;
const MANY = 51;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '500' },
    json: { type: 'string', default: join(tmpdir(), 'raftbeat-bench-hot-path.json') },
  },
});

const rival = liferaft();
const few = inputs(FEW);
const cases: readonly Case[] = [...few, ...others(), ...rival.cases];
/** Which case of the rival's stands beside a case of ours. */
const rivals = new Map<Case, Case>([
  [few[0], rival.cases[0]],
  [few[1], rival.cases[1]],
]);
const many = inputs(MANY);

const machine = new Machine();
const rates = await rounds(cases, Number(values.rounds));
const rows = [];
for (const [at, one] of cases.entries()) {
  const manyMembers = many[few.indexOf(one)];
  rows.push({
    name: one.name,
    callsPerSecond: Math.round(median(rates[at] ?? [])),
    timesLiferaft: timesRival(at),
    bytesPerCall: await bytesPerCall(one),
    bytesPerCallOfMany: manyMembers === undefined ? null : await bytesPerCall(manyMembers),
  });
}
rival.end();
const heap = bytesPerPair(membersOf(FEW));

console.table(
  rows.map((row) => ({
    input: row.name,
    'calls/s': row.callsPerSecond.toLocaleString('en'),
    'times liferaft': row.timesLiferaft?.toFixed(1) ?? '',
    'bytes/call': row.bytesPerCall,
    [`bytes/call, ${MANY} members`]: row.bytesPerCallOfMany ?? '',
  })),
);
console.log(
  `heap of an idle peer set and its core: ${heap.follower} bytes following, ${heap.leader} leading`,
);
machine.report(values.json, { rows, heap });

/** The median of the ratios of each round. */
function timesRival(at: number): number | null {
  const other = rivals.get(cases[at] as Case);
  if (other === undefined) return null;
  const theirs = rates[cases.indexOf(other)] ?? [];
  return median((rates[at] ?? []).map((rate, round) => rate / (theirs[round] as number)));
}
