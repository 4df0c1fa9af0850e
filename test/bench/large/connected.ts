import { setTimeout as delay } from 'node:timers/promises';
import { freeAddresses } from '../../../src/cli/demo/addresses.js';
import { bytesBetween, socketsOf } from '../rest/sockets.js';
import { cpuMs, residentBytes } from '../rest/usage.js';
import { Worker } from '../worker.js';
import type { PeersCalls } from './peers.js';

/** What a cluster of real processes costs, whose peers are connected by http. */
export interface Connected {
  readonly voters: number;
  readonly observers: number;
  /** Of the leader, and their answers. */
  readonly beatsPerSecond: number;
  /** Of a processor. */
  readonly leaderCpuPercent: number;
  /** Of a processor, of the processes of all observers together. */
  readonly observersCpuPercent: number;
  readonly leaderResidentBytes: number;
  /** Sent by all, with the headers of http. */
  readonly bytesPerSecond: number;
}

const VOTERS = 3;
const PROGRAM = new URL('large/peers.mjs', import.meta.url);
const WARM_UP_MS = 3_000;

/** Starts each of three voters in a process, and `observers` in `processes` more; looks at them for `ms`. */
export async function connected(
  directory: string,
  observers: number,
  processes: number,
  ms: number,
): Promise<Connected> {
  const ips = await freeAddresses(VOTERS + observers);
  const members = ips.map((ip, at) => ({ ip, observer: at >= VOTERS }));
  const begin = (own: readonly string[]) =>
    new Worker<PeersCalls>(PROGRAM.pathname, [own.join(), JSON.stringify(members), directory]);
  const voters = ips.slice(0, VOTERS).map((ip) => begin([ip]));
  const others = divided(ips.slice(VOTERS), Math.min(processes, observers)).map(begin);
  const all = [...voters, ...others];
  await Promise.all(all.map((worker) => worker.ask('start')));
  await Promise.all(all.map((worker) => worker.ask('knowsLeader')));
  await delay(WARM_UP_MS);
  const leads = await Promise.all(voters.map((worker) => worker.ask('leads')));
  const leader = voters[leads.indexOf(true)];
  if (leader === undefined) throw new Error('nobody leads');
  const pids = all.map(({ pid }) => pid);
  const look = async () => ({
    at: performance.now(),
    cpuMs: pids.map(cpuMs),
    beats: await leader.ask('beats'),
    sockets: socketsOf(pids),
  });
  const before = await look();
  await delay(ms);
  const after = await look();
  const seconds = (after.at - before.at) / 1_000;
  const percents = after.cpuMs.map((used, at) => (used - (before.cpuMs[at] ?? 0)) / (10 * seconds));
  const result = {
    voters: VOTERS,
    observers,
    beatsPerSecond: (after.beats - before.beats) / seconds,
    leaderCpuPercent: percents[all.indexOf(leader)] ?? Number.NaN,
    observersCpuPercent: percents.slice(VOTERS).reduce((sum, percent) => sum + percent, 0),
    leaderResidentBytes: residentBytes(leader.pid),
    bytesPerSecond: bytesBetween(before.sockets, after.sockets) / seconds,
  };
  await Promise.all(all.map((worker) => worker.killed()));
  return result;
}

function divided<T>(items: readonly T[], parts: number): readonly (readonly T[])[] {
  return Array.from({ length: parts }, (_, part) => items.filter((__, at) => at % parts === part));
}
