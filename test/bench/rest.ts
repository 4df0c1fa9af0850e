// What a cluster costs that nobody asks for anything: raftbeat beside liferaft and etcd, all with beats each 100 ms.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { install } from '../debian.js';
import { directoryOfRun, limitRun } from './bounds.js';
import { version } from './etcd.js';
import { median } from './registry/load.js';
import { Machine } from './report.js';
import { measure, type Rest } from './rest/measure.js';
import { sides } from './rest/sides.js';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    'warm-up': { type: 'string', default: '35' },
    sizes: { type: 'string', default: '3,5' },
    json: { type: 'string', default: join(tmpdir(), 'raftbeat-bench-rest.json') },
  },
});
const seconds = Number(values.seconds);
const sizes = values.sizes.split(',').map(Number);
const ROUNDS = 4;
/** Half a minute and more: by then the connections are closed that only an election needed. */
const warmUpMs = 1_000 * Number(values['warm-up']);
/** Past it the run has failed. */
const LIMIT_MS = sizes.length * (warmUpMs + 1_500 * seconds + 30_000);

const directory = directoryOfRun();
limitRun(LIMIT_MS);

await install('ss', 'iproute2');
const machine = new Machine();
const rests: Rest[] = [];
for (const size of sizes) rests.push(...(await measured(size)));
console.table(rests.map(asTableRow));
machine.report(values.json, { etcd: version(), seconds, rests });
process.exit();

async function measured(size: number): Promise<readonly Rest[]> {
  const all = sides(directory, size);
  await Promise.all(all.map((side) => side.start()));
  await delay(warmUpMs);
  const rest = await measure(all, ROUNDS, (1_000 * seconds) / ROUNDS);
  await Promise.all(all.map((side) => side.end()));
  return rest;
}

function asTableRow(rest: Rest): object {
  const { name, processes, rounds, residentBytes, heapBytes, connections, connectionsAWay, exchange } = rest;
  const each = rounds.flatMap(({ cpu }) => mean(cpu));
  return {
    name,
    processes,
    'CPU % a process': median(each).toFixed(2),
    'of the busiest': median(rounds.map(({ cpu }) => Math.max(...cpu))).toFixed(2),
    'worst round': Math.max(...each).toFixed(2),
    'resident MB': (mean(residentBytes) / 1e6).toFixed(0),
    'heap MB': (mean(heapBytes) / 1e6).toFixed(1),
    'bytes/s': Math.round(median(rounds.map(({ bytesPerSecond }) => bytesPerSecond))),
    connections,
    'a pair and way': connectionsAWay,
    'beat + answer: bodies': exchange?.bodyBytes ?? '',
    'with headers': exchange === null ? '' : Math.round(exchange.bytes),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
