import { EtcdServers } from '../failover/etcd-servers.js';
import { Processes, program } from '../failover/processes.js';
import { goHeapBytes } from './go-heap.js';

/** What a process holds; of raftbeat's leader also what its beats are. */
export interface Held {
  readonly heapBytes: number;
  readonly beats?: number;
  readonly beatBytes?: number;
  readonly answerBytes?: number;
}

/** A cluster that is left alone. */
export interface Side {
  readonly name: string;
  readonly pids: readonly number[];
  start(): Promise<void>;
  /** Of each process, in the order of `pids`, after a garbage collection where one can be had. */
  atRest(): Promise<readonly Held[]>;
  end(): Promise<void>;
}

/** Beats each 100 ms, as of etcd by itself; the timeouts do not matter at rest. */
const RAFTBEAT = { heartbeatMs: 100, leaderTimeoutMs: 1_000 };
const LIFERAFT = { heartbeat: '100 ms', 'election min': '500 ms', 'election max': '1000 ms' };

/** All that are compared, of `count` processes each; their files are kept below `directory`. */
export function sides(directory: string, count: number): readonly Side[] {
  const common = { timeoutMs: 1_000, directory, count, execArgv: ['--expose-gc'] };
  const raftbeat = { ...common, program: program('raftbeat') };
  return [
    new Processes({ ...raftbeat, name: 'raftbeat', options: RAFTBEAT }),
    new Processes({ ...raftbeat, name: 'raftbeat, registry', options: { ...RAFTBEAT, registry: true } }),
    new Processes({
      ...raftbeat,
      name: 'raftbeat, websocket',
      options: { ...RAFTBEAT, transport: 'websocket' },
    }),
    new Processes({ ...common, name: 'liferaft', program: program('liferaft'), options: LIFERAFT }),
    new EtcdAtRest(`${directory}/servers-${count}`, count),
  ];
}

class EtcdAtRest extends EtcdServers implements Side {
  async atRest(): Promise<readonly Held[]> {
    const heaps = await Promise.all(this.clients.map(goHeapBytes));
    return heaps.map((heapBytes) => ({ heapBytes }));
  }
}
