import { readdirSync, readFileSync } from 'node:fs';

/** Ms of processor time that the threads of a process have used so far. */
export function cpuMs(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).reduce((sum, task) => sum + ranMs(`${tasks}/${task}`), 0);
}

/** Bytes of memory that a process has resident now. */
export function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return 1_024 * Number(kilobytes);
}

/** By the scheduler's own account: that of `/proc/PID/stat` is in steps of 10 ms. */
function ranMs(task: string): number {
  const [nanoseconds] = readFileSync(`${task}/schedstat`, 'utf8').split(' ');
  return Number(nanoseconds) / 1e6;
}
