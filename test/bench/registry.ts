// What a write to the registry costs: three processes of raftbeat beside three of etcd, in one run on one disk.
// With --datums N: how a leader of N datums treats followers that lack some, or all.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { version } from './etcd.js';
import { large } from './registry/large.js';
import { rounds, summary } from './registry/rounds.js';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '90' },
    json: { type: 'string', default: join(tmpdir(), 'raftbeat-bench-registry.json') },
    datums: { type: 'string' },
    'cpu-prof': { type: 'string' },
  },
});
const seconds = Number(values.seconds);
/** Past it the run has failed. */
const LIMIT_MS = 1_000 * (1.3 * seconds + 20);

const directory = mkdtempSync(join(tmpdir(), 'raftbeat-bench-'));
process.once('exit', () => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
setTimeout(() => {
  console.error(`not done after ${LIMIT_MS / 1_000} s`);
  process.exit(1);
}, LIMIT_MS).unref();

const profile = values['cpu-prof'];
const execArgv = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
const loadBefore = loadavg();
const result =
  values.datums === undefined ? await compared() : await large(directory, Number(values.datums), execArgv);
const machine = { node: process.version, cpus: cpus().length, loadBefore, loadAfter: loadavg() };
console.log(
  `${machine.cpus} processors, load ${loadBefore[0]?.toFixed(1)} before, ${machine.loadAfter[0]?.toFixed(1)} after`,
);
writeFileSync(values.json, `${JSON.stringify({ machine, ...result }, null, 2)}\n`);
console.log(values.json);

async function compared(): Promise<object> {
  const samples = await rounds(directory, seconds, execArgv);
  const table = summary(samples);
  console.table(table);
  return { etcd: version(), seconds, table, samples };
}
