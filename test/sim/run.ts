import { fork } from 'node:child_process';
import { parseArgs } from 'node:util';
import { type DataReport, formatReport, shrink, simulate } from 'raftbeat/testing';

/** What one worker is to run, and what it found. */
interface Share {
  readonly seeds: readonly number[];
  readonly peers: readonly number[];
  readonly hours: number;
  /** Each how manieth seed is one with a registry; 0: none is. */
  readonly registryEvery: number;
  /** How many groups the processes have: 0: they are nodes; null: some seeds have from 1 to 6. */
  readonly groups: number | null;
  /** Whether peers release on disconnect. */
  readonly release: boolean;
  /** Whether steady beats go by a broadcast. */
  readonly broadcasts: boolean;
}

interface Result {
  events: number;
  virtualMs: number;
  elections: number;
  violations: number;
  batches: number;
  catchUps: number;
  /** How many keys there were whose histories the search gave up. */
  unknown: number;
  outcomes: Record<string, number>;
  healedAfterMs: number[];
  /** Ms of processor time. */
  cpuMs: number;
}

const NOTHING: Result = {
  events: 0,
  virtualMs: 0,
  elections: 0,
  violations: 0,
  batches: 0,
  catchUps: 0,
  unknown: 0,
  outcomes: {},
  healedAfterMs: [],
  cpuMs: 0,
};
const MAX_WORKERS = 2;
/** Without `--registry` and `--elections` so many seeds have one with a registry among them: the others are faster. */
const REGISTRY_EVERY = 8;

/** Without `--groups`, `--registry` and `--elections` so many seeds have one with groups among them. */
const GROUPS_EVERY = 4;

/** How many groups the processes of a seed have; none where it has a registry. */
function groupsOf(seed: number, { groups, registryEvery }: Share): number {
  if (groups !== null) return groups;
  const isOther = registryEvery > 0 && seed % registryEvery === 0;
  return seed % GROUPS_EVERY === 0 && !isOther ? 1 + (Math.floor(seed / (2 * GROUPS_EVERY)) % 6) : 0;
}

/** Runs each seed, the sizes in turn; prints what was seen broken, and the smallest schedule that breaks it. */
async function runShare(share: Share): Promise<Result> {
  const { seeds, peers, hours, registryEvery, release, broadcasts } = share;
  const result: Result = { ...NOTHING, outcomes: {}, healedAfterMs: [] };
  const began = process.cpuUsage();
  for (const seed of seeds) {
    const options = {
      seed,
      hours,
      peers: peers[seed % peers.length] ?? 3,
      registry: registryEvery > 0 && seed % registryEvery === 0,
      groups: groupsOf(seed, share),
      releaseOnDisconnect: release,
      broadcasts,
    };
    const report = await simulate(options);
    result.events += report.events;
    result.virtualMs += report.virtualMs;
    result.elections += report.elections;
    result.healedAfterMs.push(...report.healedAfterMs);
    if (report.data !== null) addData(result, report.data);
    if (report.violations.length === 0) continue;
    result.violations++;
    const shrunk = await shrink(options, report);
    console.log(formatReport(report, 20));
    console.log(`shrunk in ${shrunk.runs} runs to ${shrunk.report.schedule.length} faults:`);
    console.log(JSON.stringify(shrunk.report.schedule));
    console.log(formatReport(shrunk.report, 120));
  }
  const { user, system } = process.cpuUsage(began);
  result.cpuMs = (user + system) / 1_000;
  return result;
}

function addData(result: Result, { batches, catchUps, unknown, outcomes }: DataReport): void {
  result.batches += batches;
  result.catchUps += catchUps;
  result.unknown += unknown.length;
  result.outcomes = addOutcomes(result.outcomes, outcomes);
}

function addOutcomes(a: DataReport['outcomes'], b: DataReport['outcomes']): Record<string, number> {
  const sum = { ...a };
  for (const [name, count] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

async function inWorkers(shares: readonly Share[]): Promise<readonly Result[]> {
  const own = new URL(import.meta.url).pathname;
  return Promise.all(
    shares.map(
      (share) =>
        new Promise<Result>((resolve, reject) => {
          const worker = fork(own, ['--worker']);
          worker.once('message', (result) => resolve(result as Result));
          worker.once('exit', (code) => reject(new Error(`a worker ended with ${code}`)));
          worker.send(share);
        }),
    ),
  );
}

function add(a: Result, b: Result): Result {
  return {
    events: a.events + b.events,
    virtualMs: a.virtualMs + b.virtualMs,
    elections: a.elections + b.elections,
    violations: a.violations + b.violations,
    batches: a.batches + b.batches,
    catchUps: a.catchUps + b.catchUps,
    unknown: a.unknown + b.unknown,
    outcomes: addOutcomes(a.outcomes, b.outcomes),
    healedAfterMs: [...a.healedAfterMs, ...b.healedAfterMs],
    cpuMs: a.cpuMs + b.cpuMs,
  };
}

function number(name: string, given: string | undefined, fallback: number): number {
  const value = given === undefined ? fallback : Number(given);
  if (Number.isFinite(value) && value > 0) return value;
  throw new TypeError(`--${name} must be a number above 0, not ${given}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      seed: { type: 'string' },
      peers: { type: 'string' },
      hours: { type: 'string' },
      workers: { type: 'string' },
      registry: { type: 'boolean' },
      elections: { type: 'boolean' },
      groups: { type: 'string' },
      release: { type: 'boolean' },
      broadcasts: { type: 'boolean' },
    },
  });
  if (values.registry === true && values.elections === true)
    throw new TypeError('--registry and --elections cannot be given together');
  if (values.groups !== undefined && (values.registry === true || values.elections === true))
    throw new TypeError('--groups cannot be given together with --registry or --elections');
  const count = number('seeds', values.seeds, values.seed === undefined ? 1_000 : 1);
  const first = number('seed', values.seed, 1);
  const peers = values.peers === undefined ? [3, 5, 7] : [number('peers', values.peers, 3)];
  const hours = number('hours', values.hours, 0.01);
  const workers = Math.min(MAX_WORKERS, count, number('workers', values.workers, MAX_WORKERS));
  const isPlain = values.elections === true || values.groups !== undefined;
  const registryEvery = values.registry === true ? 1 : isPlain ? 0 : REGISTRY_EVERY;
  const groups = values.groups === undefined ? null : number('groups', values.groups, 1);
  const shares = Array.from({ length: workers }, (_, worker) => ({
    seeds: Array.from({ length: count }, (__, at) => first + at).filter(
      (_seed, at) => at % workers === worker,
    ),
    peers,
    hours,
    registryEvery,
    groups: isPlain || values.registry === true ? (groups ?? 0) : null,
    release: values.release === true,
    broadcasts: values.broadcasts === true,
  }));
  const began = performance.now();
  const results = workers === 1 ? [await runShare(shares[0] as Share)] : await inWorkers(shares);
  const { events, virtualMs, elections, violations, healedAfterMs, cpuMs, ...data } = results.reduce(
    add,
    NOTHING,
  );
  const healed = healedAfterMs.toSorted((a, b) => a - b);
  const at = (share: number): string =>
    Math.round(healed[Math.floor(share * (healed.length - 1))] ?? 0).toString();
  console.log(
    `${elections} elections; one leader after the faults: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, at most ${at(1)} ms`,
  );
  if (data.batches > 0) {
    console.log(
      `${data.batches} batches, ${data.catchUps} bases taken over, ${data.unknown} keys not decided; calls: ${JSON.stringify(data.outcomes)}`,
    );
  }
  const wallMs = performance.now() - began;
  console.log(
    `${count} seeds, ${(virtualMs / 3_600_000).toFixed(2)} hours, ${events} events, ${violations} violations`,
  );
  console.log(
    `${Math.round(virtualMs / wallMs)} times real time with ${workers} of at most ${MAX_WORKERS} workers; ${Math.round(virtualMs / cpuMs)} times by processor time`,
  );
  if (violations > 0) process.exitCode = 1;
}

if (process.argv.includes('--worker')) {
  process.once('message', (share) => {
    void runShare(share as Share).then((result) => process.send?.(result, () => process.disconnect()));
  });
} else await main();
