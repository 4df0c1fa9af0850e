// What a write to the registry costs: three processes of raftbeat beside three of etcd, in one run on one disk.
// With --datums N: how a leader of N datums treats followers that lack some, or all.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { directoryOfRun, limitRun } from './bounds.js';
import { version } from './etcd.js';
import { large } from './registry/large.js';
import { rounds, summary } from './registry/rounds.js';
import { Machine } from './report.js';

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

const directory = directoryOfRun();
limitRun(LIMIT_MS);

const profile = values['cpu-prof'];
const execArgv = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
const machine = new Machine();
const result =
  values.datums === undefined ? await compared() : await large(directory, Number(values.datums), execArgv);
machine.report(values.json, result);

async function compared(): Promise<object> {
  const samples = await rounds(directory, seconds, execArgv);
  const table = summary(samples);
  console.table(table);
  return { etcd: version(), seconds, table, samples };
}
