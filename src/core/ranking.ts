/** A voter that may come up for election. */
export interface Ranked {
  readonly ip: string;
  readonly priority: number;
}

/**
 * The place, from 0, at which `ip` comes up for election: all peers that know the same term and the same last leader
 * compute the same order (section 3, ranked timeouts). Higher priority first, then a hash of term and ip; the last
 * leader last; who has priority 0 has no place.
 *
 * @returns a place below the number of voters; 0 for an `ip` that is not among them
 */
export function rankOf(
  ip: string,
  voters: readonly Ranked[],
  lastLeader: string | null,
  term: number,
): number {
  const own = voters.find((voter) => voter.ip === ip);
  if (own === undefined) return 0;
  return voters.filter((other) => other.priority > 0 && comesBefore(other, own, lastLeader, term)).length;
}

function comesBefore(a: Ranked, b: Ranked, lastLeader: string | null, term: number): boolean {
  if (a.ip === b.ip || a.ip === lastLeader) return false;
  if (b.ip === lastLeader) return true;
  if (a.priority !== b.priority) return a.priority > b.priority;
  const byHash = hash(`${term}:${a.ip}`) - hash(`${term}:${b.ip}`);
  return byHash === 0 ? a.ip < b.ip : byHash < 0;
}

/** FNV-1a, and a last mix: ips that differ in one digit must not stand in the same order in each term. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
