/** One process of the demo: a peer that works while it leads, and keeps a diary of what `isLeader()` answered. */
import { setTimeout as delay } from 'node:timers/promises';
import { RaftNode } from '../../node/node.js';
import { FileStore } from '../../stores/file.js';
import { HttpTransport } from '../../transports/http.js';
import { Diary } from './intervals.js';
import { type Awakening, type Message, now, type Order } from './messages.js';

const SAMPLE_MS = 1;
const REPORT_MS = 50;
const JOB_MS = 20;

const [ip = '', members = '', file = ''] = process.argv.slice(2);
const raft = new RaftNode({
  ip,
  members: members.split(','),
  transport: new HttpTransport(),
  store: new FileStore(file),
});
const diary = new Diary(ip);
let leads = false;
let jobs = 0;
let lastToken: number | null = null;
let asleep: Omit<Awakening, 'atFirstSample'> | null = null;

/** Asks, and writes the answer down: also the ones that the work below acts upon. */
function isLeader(): boolean {
  const askedAt = now();
  leads = raft.isLeader();
  diary.note(leads, raft.term, askedAt, now());
  return leads;
}

function sample(): void {
  const before = leads;
  isLeader();
  if (leads !== before) report();
  if (asleep !== null) tell({ ...asleep, atFirstSample: leads });
  asleep = null;
}

function report(): void {
  const { state, term, leader } = raft;
  const { beliefs } = diary;
  const at = now();
  const fencingToken = lastToken;
  tell({ type: 'report', at, state, term, leader: leader?.ip ?? null, leads, jobs, fencingToken, beliefs });
}

function tell(message: Message): void {
  // The parent may be gone at any time; then this process ends as well.
  process.send?.(message, undefined, undefined, () => {});
}

function stopYourself(): void {
  const before = isLeader();
  const stoppedAt = now();
  process.kill(process.pid, 'SIGSTOP');
  // The process stops inside that call, and wakes up inside it. No timer and no socket has had its turn when the next
  // statement runs, and nobody has told this process that another leads: it can know from the clock alone.
  const atFirstStatement = raft.isLeader();
  const wokeAt = now();
  diary.note(atFirstStatement, raft.term, wokeAt, wokeAt);
  asleep = { type: 'awakening', stoppedAt, wokeAt, before, atFirstStatement };
}

process.on('disconnect', () => process.exit());
process.on('SIGINT', () => {}); // Ctrl-C reaches all processes of a terminal; the parent decides what it means.
process.on('message', (order: Order) => {
  if (order === 'stop yourself') stopYourself();
});

for (const event of ['stateChange', 'leaderLost', 'leaderElectFinished', 'makeLeader'] as const) {
  raft.on(event, () => {
    sample();
    report();
  });
}
raft.on('error', (error) => {
  console.error(`${ip}: ${error.message}`);
  process.exit(1);
});
await raft.start();
setInterval(sample, SAMPLE_MS);
setInterval(report, REPORT_MS);

await raft.whileLeader(async ({ signal, fencingToken }) => {
  while (isLeader()) {
    jobs += 1;
    lastToken = fencingToken;
    await delay(JOB_MS, undefined, { signal });
  }
});
