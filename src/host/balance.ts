import type { Member } from '../core/membership.js';
import type { FollowerHost } from './follower-host.js';
import type { Seat } from './seat.js';

/** The most leaderships that are handed over at a time. */
const MAX_AT_ONCE = 100;

/** A group, and the host that is to lead it. */
export interface Move {
  readonly seat: Seat;
  readonly to: string;
}

/** What a host knows of who leads how much. */
export interface Leaderships {
  readonly ip: string;
  /** Who may lead: the hosts that vote and have a priority above 0, itself among them if it is one. */
  readonly able: readonly Required<Member>[];
  /** The other hosts that have answered for long enough to be given something. */
  readonly steady: readonly FollowerHost[];
  /** How many groups each host leads, as far as is known here. */
  readonly counts: ReadonlyMap<string, number>;
  /** The groups that are led here. */
  readonly led: Iterable<Seat>;
}

/**
 * Which leaderships this host hands over, and to whom, so that all hosts of the highest priority that are there come to lead
 * equally many groups. It gives away at most what it has above its share, so that several hosts that do the same at once
 * do not give too much.
 */
export function movesOf({ ip, able, steady, counts, led }: Leaderships): readonly Move[] {
  const isThere = new Set([ip, ...steady.map((host) => host.ip)]);
  const there = able.filter((member) => isThere.has(member.ip));
  const highest = Math.max(...there.map(({ priority }) => priority));
  const equals = there.filter(({ priority }) => priority === highest).map((member) => member.ip);
  const known = new Map(equals.map((one) => [one, counts.get(one) ?? 0]));
  const own = counts.get(ip) ?? 0;
  const total = [...known.values()].reduce((sum, count) => sum + count, known.has(ip) ? 0 : own);
  const others = equals.filter((one) => one !== ip);
  const moves: Move[] = [];
  let left = own;
  for (const seat of led) {
    const to = others.reduce<string | null>((least, one) => lesser(known, least, one), null);
    if (to === null || moves.length === MAX_AT_ONCE) break;
    if (!isAbove(left, known.get(to) ?? 0, total / equals.length, known.has(ip))) break;
    if (seat.isSaving || steady.some((host) => host.ip === to && host.apart.has(seat))) continue;
    moves.push({ seat, to });
    known.set(to, (known.get(to) ?? 0) + 1);
    left--;
  }
  return moves;
}

function lesser(counts: ReadonlyMap<string, number>, a: string | null, b: string): string {
  return a !== null && (counts.get(a) ?? 0) <= (counts.get(b) ?? 0) ? a : b;
}

/** Whether a host with `own` groups hands one to a host with `other`, if `share` is what each should have. */
function isAbove(own: number, other: number, share: number, isEqual: boolean): boolean {
  if (!isEqual) return own > 0;
  if (own - other < 2) return false;
  return own > Math.ceil(share) || (own > Math.floor(share) && other < Math.floor(share));
}
