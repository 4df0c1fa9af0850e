// What thousands of groups cost in three processes: at rest, and when one of these is killed and comes back.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { freeAddresses } from '../../src/cli/demo/addresses.js';
import { directoryOfRun, limitRun } from './bounds.js';
import { nowMs } from './failover/watch.js';
import type { HostCalls } from './groups/member.js';
import { Machine } from './report.js';
import { cpuMs, residentBytes } from './rest/usage.js';
import { Worker } from './worker.js';

const { values } = parseArgs({
  options: {
    groups: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '20' },
    kills: { type: 'string', default: '3' },
    json: { type: 'string', default: join(tmpdir(), 'raftbeat-bench-groups.json') },
  },
});
const groups = Number(values.groups);
const seconds = Number(values.seconds);
const kills = Number(values.kills);
/** L of the preset `lan`. */
const TIMEOUT_MS = 500;
const PROGRAM = new URL('groups/member.mjs', import.meta.url).pathname;
/** Past it the run has failed. */
const LIMIT_MS = 1_000 * (60 + seconds + 30 * kills);

const directory = directoryOfRun();
limitRun(LIMIT_MS);

interface Failover {
  readonly ledMs: number;
  readonly timeouts: number;
  readonly evenMs: number;
}

const machine = new Machine();
const empty = await heapOfNone();
const ips = await freeAddresses(3);
const hosts = new Map(ips.map((ip) => [ip, newHost(ip, ips, groups)]));
const startedAt = nowMs();
await Promise.all([...hosts.values()].map((host) => host.ask('start')));
const electedMs = (await allLed([...ips], startedAt)) - startedAt;
const evenMs = (await even(startedAt)) - startedAt;
const rest = await atRest();
const failovers: Failover[] = [];
for (let at = 0; at < kills; at++) failovers.push(await failover(ips[at % ips.length] as string));
await Promise.all([...hosts.values()].map((host) => host.killed()));
report();
process.exit();

function newHost(ip: string, all: readonly string[], count: number): Worker<HostCalls> {
  return new Worker<HostCalls>(PROGRAM, [ip, all.join(), directory, String(count)], ['--expose-gc']);
}

/** Bytes of the heap of a host without groups. */
async function heapOfNone(): Promise<number> {
  const all = await freeAddresses(3);
  const host = newHost(all[0] as string, all, 0);
  await host.ask('start');
  const { heapBytes } = await host.ask('atRest');
  await host.killed();
  return heapBytes;
}

/** When the last of `asked` knew a leader of each group, and none of them was `gone`. */
async function allLed(asked: readonly string[], since: number, gone?: string): Promise<number> {
  for (;;) {
    const looks = await Promise.all(asked.map((ip) => hostOf(ip).ask('look')));
    const isGone = looks.every(({ led }) => gone === undefined || (led[gone] ?? 0) === 0);
    const ledAt = looks.map((look) => look.allLedAt);
    if (isGone && ledAt.every((at) => at !== null && at > since)) return Math.max(...(ledAt as number[]));
    await delay(25);
  }
}

/** When all lead equally many. */
async function even(since: number): Promise<number> {
  for (;;) {
    const leads = await Promise.all(ips.map((ip) => hostOf(ip).ask('leads')));
    if (leads.reduce((sum, one) => sum + one) === groups && Math.max(...leads) - Math.min(...leads) <= 1)
      return nowMs();
    if (nowMs() - since > 60_000) throw new Error(`not even after a minute: ${leads}`);
    await delay(50);
  }
}

async function atRest() {
  const all = [...hosts.values()];
  await delay(2_000);
  const before = await Promise.all(all.map((host) => host.ask('atRest')));
  const cpuBefore = all.map(({ pid }) => cpuMs(pid));
  const from = nowMs();
  await delay(1_000 * seconds);
  const ms = nowMs() - from;
  const cpuShares = all.map(({ pid }, at) => (cpuMs(pid) - (cpuBefore[at] ?? 0)) / ms);
  const resident = all.map(({ pid }) => residentBytes(pid));
  const after = await Promise.all(all.map((host) => host.ask('atRest')));
  return {
    cpuShares,
    residentBytes: resident,
    heapBytesAGroup: after.map(({ heapBytes }) => (heapBytes - empty) / Math.max(1, groups)),
    messagesASecond: after.map(({ messages }, at) => (1_000 * (messages - (before[at]?.messages ?? 0))) / ms),
  };
}

/** Kills a host; how long until all groups have a leader again, and, once it is back, until all lead equally many. */
async function failover(ip: string): Promise<Failover> {
  const others = ips.filter((one) => one !== ip);
  await delay(1_000 + 500 * Math.random());
  const at = nowMs();
  hostOf(ip).kill();
  const ledMs = (await allLed(others, at, ip)) - at;
  await hostOf(ip).killed();
  const host = newHost(ip, ips, groups);
  hosts.set(ip, host);
  const backAt = nowMs();
  await host.ask('start');
  return { ledMs, timeouts: ledMs / TIMEOUT_MS, evenMs: (await even(backAt)) - backAt };
}

function hostOf(ip: string): Worker<HostCalls> {
  const host = hosts.get(ip);
  if (host === undefined) throw new Error(`no host ${ip}`);
  return host;
}

function report(): void {
  const most = (numbers: readonly number[]): number => Math.max(...numbers);
  console.table({
    'groups on 3 processes': groups,
    'all elected after the start, ms': Math.round(electedMs),
    'evenly spread after the start, ms': Math.round(evenMs),
    'processor a process at rest, % of a core': (100 * most(rest.cpuShares)).toFixed(1),
    'resident a process, MiB': Math.round(most(rest.residentBytes) / 2 ** 20),
    'heap a group, bytes': Math.round(most(rest.heapBytesAGroup)),
    'messages a process a second': most(rest.messagesASecond).toFixed(1),
    'all led again after SIGKILL, in timeouts': failovers
      .map(({ timeouts }) => timeouts.toFixed(2))
      .join(', '),
    'even again after its return, ms': failovers.map((each) => Math.round(each.evenMs)).join(', '),
  });
  machine.report(values.json, { groups, seconds, electedMs, evenMs, rest, failovers });
}
