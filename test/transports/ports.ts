import { createServer } from 'node:net';

/**
 * Ports that nobody uses, below those that the system gives out by itself: a port that was just found free must not
 * become the local end of somebody's connection before it is used. Each process walks through a part of its own.
 */
const FIRST = 10_000;
const SIZE = 200;
const PARTS = 100;
let next = 0;

/** `127.0.0.1:port` with a port that nobody uses. */
export async function freeAddress(): Promise<string> {
  for (let attempt = 0; attempt < SIZE; attempt++) {
    const port = FIRST + (process.pid % PARTS) * SIZE + (next++ % SIZE);
    if (await isFree(port)) return `127.0.0.1:${port}`;
  }
  throw new Error('no free port');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
