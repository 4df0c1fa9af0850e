import { spawnSync } from 'node:child_process';

/** One end of a TCP connection. */
export interface Socket {
  readonly pid: number;
  readonly local: string;
  readonly remote: string;
  /** So far, without the headers of TCP and IP. */
  readonly bytesSent: number;
}

/** The open connections of the processes `pids`: each that is between two of them appears twice. */
export function socketsOf(pids: readonly number[]): readonly Socket[] {
  const { stdout } = spawnSync('ss', ['--tcp', '--info', '--processes', '-HnO'], { encoding: 'utf8' });
  const own = new Set(pids);
  return stdout
    .split('\n')
    .map(read)
    .filter(({ pid }) => own.has(pid));
}

function read(line: string): Socket {
  const [, , , local = '', remote = ''] = line.replaceAll(/\[::ffff:([\d.]+)\]/g, '$1').split(/\s+/);
  return { pid: count(line, 'pid='), local, remote, bytesSent: count(line, 'bytes_sent:') };
}

function count(line: string, name: string): number {
  const at = line.indexOf(name);
  return at < 0 ? 0 : Number.parseInt(line.slice(at + name.length), 10);
}

/** How many bytes were sent between two looks; what a connection sent that ended meanwhile is not known. */
export function bytesBetween(before: readonly Socket[], after: readonly Socket[]): number {
  const sent = new Map(before.map((socket) => [nameOf(socket), socket.bytesSent]));
  return after.reduce((sum, socket) => sum + socket.bytesSent - (sent.get(nameOf(socket)) ?? 0), 0);
}

function nameOf({ pid, local, remote }: Socket): string {
  return `${pid} ${local} ${remote}`;
}

/** Of the connections from one of the processes to another: how many there are, and how many at most a pair and way. */
export function connections(sockets: readonly Socket[]): { readonly all: number; readonly most: number } {
  const owners = new Map(sockets.map(({ local, pid }) => [local, pid]));
  const ways = new Map<string, number>();
  for (const { pid, local, remote } of sockets) {
    const other = owners.get(remote) ?? pid;
    // Of the two ends that of the caller: ports that are listened at are below those that callers get.
    if (other === pid || portOf(local) < portOf(remote)) continue;
    ways.set(`${pid} ${other}`, (ways.get(`${pid} ${other}`) ?? 0) + 1);
  }
  const counts = [...ways.values()];
  return { all: counts.reduce((sum, each) => sum + each, 0), most: Math.max(0, ...counts) };
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}
