import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Free loopback addresses. */
export async function freeAddresses(count: number): Promise<string[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    // Below what systems give to outgoing connections: a killed peer must find its port free when it comes back.
    const port = randomInt(10_000, 30_000);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports].map((port) => `127.0.0.1:${port}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
