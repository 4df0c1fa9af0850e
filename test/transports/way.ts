import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { listening } from './http-kit.js';

/** How many bytes the pieces have that a slow way makes of each chunk, and how much later each comes, in ms. */
const PIECES = [1, 7, 64, Number.POSITIVE_INFINITY];
const PIECE_MS = 1;

/** A way to `target` on which everything can be held up, changed or cut; a slow one passes on in pieces. */
export async function wayTo(target: string, { isSlow = false } = {}) {
  const [host = '', port] = target.split(':');
  const ends = new Set<Socket>();
  const targets = new Set<Socket>();
  const way = {
    ip: '',
    /** How many connections were made. */
    connections: 0,
    isHeld: false,
    /** Told of all that goes to the target. */
    passed: (_: Buffer): void => {},
    cut: () => {
      for (const end of ends) end.destroy();
    },
    /** Puts something in, on the way to the target. */
    inject: (data: Buffer) => {
      for (const end of targets) end.write(data);
    },
    /** Resolved when no connection is left. */
    ended: () => Promise.all([...targets].map((end) => end.closed || once(end, 'close'))),
  };
  const server = createServer((near) => {
    way.connections++;
    const far = connect(Number(port), host);
    targets.add(far);
    const pass = (from: Socket, to: Socket): void => {
      ends.add(from);
      const write = isSlow ? slowly(to) : (data: Buffer) => to.write(data);
      from.on('data', (data) => way.isHeld || write(data));
      from.on('error', () => {}).on('close', () => to.destroy());
    };
    near.on('data', (data) => way.passed(data));
    pass(near, far);
    pass(far, near);
  });
  way.ip = await listening(server);
  return way;
}

function slowly(to: Socket): (data: Buffer) => void {
  let last = Promise.resolve();
  return (data) => {
    let at = 0;
    for (const size of PIECES) {
      const piece = data.subarray(at, at + size);
      at += size;
      last = last.then(() => delay(PIECE_MS)).then(() => void (piece.length > 0 && to.write(piece)));
    }
  };
}
