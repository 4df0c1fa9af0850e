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

/** How many groups a host leads, and how many it should. */
interface Account {
  readonly ip: string;
  readonly count: number;
  readonly share: number;
}

/**
 * Which leaderships this host hands over, and to whom, so that all hosts of the highest priority that are there come to lead
 * equally many groups. All hosts that know the same compute the same moves of all of them, and each makes its own: several
 * that do so at once do not give too much.
 */
export function movesOf(known: Leaderships): readonly Move[] {
  const { ip, steady, led } = known;
  const receivers = receiversOf(ip, accountsOf(known));
  const apart = new Map(steady.map((host) => [host.ip, host.apart]));
  const moves: Move[] = [];
  for (const seat of led) {
    const to = receivers[moves.length];
    if (to === undefined || moves.length === MAX_AT_ONCE) break;
    if (!seat.isSaving && apart.get(to)?.has(seat) !== true) moves.push({ seat, to });
  }
  return moves;
}

/** The hosts that are there; who leads the most now is first to be left one more than others, if it does not come out even. */
function accountsOf({ ip, able, steady, counts }: Leaderships): readonly Account[] {
  const isThere = new Set([ip, ...steady.map((host) => host.ip)]);
  const there = able
    .filter((member) => isThere.has(member.ip))
    .map((member) => ({ ...member, count: counts.get(member.ip) ?? 0 }))
    .sort((a, b) => b.priority - a.priority || b.count - a.count || (a.ip < b.ip ? -1 : 1));
  const equals = there.filter(({ priority }) => priority === there[0]?.priority).length;
  const total = there.reduce((sum, { count }) => sum + count, 0);
  const shareOf = (at: number): number => Math.floor(total / equals) + (at < total % equals ? 1 : 0);
  return there.map((host, at) => ({ ip: host.ip, count: host.count, share: at < equals ? shareOf(at) : 0 }));
}

/** To whom `ip` gives what it has above its share: those below theirs are filled up by one giver after the other. */
function receiversOf(ip: string, accounts: readonly Account[]): readonly string[] {
  const lacking = accounts.flatMap((host) =>
    Array<string>(Math.max(0, host.share - host.count)).fill(host.ip),
  );
  let from = 0;
  for (const giver of accounts) {
    const above = Math.max(0, giver.count - giver.share);
    if (giver.ip === ip) return lacking.slice(from, from + above);
    from += above;
  }
  return [];
}
