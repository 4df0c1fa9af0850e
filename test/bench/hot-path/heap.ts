import type { Membership, RaftCore } from 'raftbeat';
import { follower, leader } from './cores.js';

const PAIRS = 10_000;

/** Bytes of the heap that one idle peer set holds together with its core, by what the peer is. */
export function bytesPerPair(members: Membership): Readonly<Record<'follower' | 'leader', number>> {
  return { follower: bytesOf(() => follower(members)), leader: bytesOf(() => leader(members)) };
}

function bytesOf(make: () => RaftCore): number {
  const kept: RaftCore[] = Array.from({ length: PAIRS }, make);
  const held = heapUsed();
  kept.length = 0;
  return Math.round((held - heapUsed()) / PAIRS);
}

function heapUsed(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
