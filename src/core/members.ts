import { RaftError } from './errors.js';
import type { Member } from './membership.js';

/** Keys that begin with it are the library's own. */
export const RESERVED_PREFIX: string = 'raftbeat:';

/** The datum that holds the members (section 4, members). */
export const MEMBERS_KEY: string = `${RESERVED_PREFIX}members`;

/** A member as it stands in that datum. */
export interface StoredMember extends Required<Member> {
  /** What the peer drew when it found its store empty: the one process of this ip that was added (section 4). */
  readonly learner?: number;
}

/** One change of the members. */
export type MemberChange =
  | { readonly action: 'add'; readonly ip: string; readonly priority?: number; readonly learner?: number }
  | { readonly action: 'promote'; readonly ip: string }
  | { readonly action: 'remove'; readonly ip: string };

/** The members as a value of that datum. */
export function encodeMembers(members: readonly StoredMember[]): string {
  return JSON.stringify(
    members.map(({ ip, priority, observer, learner }) => ({ ip, priority, voter: !observer, learner })),
  );
}

/** What `encodeMembers` made. */
export function decodeMembers(value: string): readonly StoredMember[] {
  const members = JSON.parse(value) as readonly ({ readonly voter: boolean } & StoredMember)[];
  return members.map(({ ip, priority, voter, learner }) => ({
    ip,
    priority,
    observer: !voter,
    ...(learner === undefined ? {} : { learner }),
  }));
}

/**
 * The members after one change: a peer joins as an observer, and one voter at a time comes or goes, so that any majority
 * before and any majority after have a peer in common.
 *
 * @throws RaftError `BAD_TARGET`
 */
export function changeMembers(
  members: readonly StoredMember[],
  change: MemberChange,
): readonly StoredMember[] {
  const { action, ip } = change;
  const present = members.find((member) => member.ip === ip);
  if (action === 'add') {
    if (present !== undefined) throw badTarget(`${ip} is a member already`);
    const { priority = 1, learner } = change;
    return [...members, { ip, priority, observer: true, ...(learner === undefined ? {} : { learner }) }];
  }
  if (present === undefined) throw badTarget(`${ip} is no member`);
  const others = members.filter((member) => member !== present);
  if (action === 'remove') {
    if (others.every(({ observer }) => observer)) throw badTarget(`${ip} is the last that votes`);
    return others;
  }
  if (!present.observer) throw badTarget(`${ip} votes already`);
  return members.map((member) => (member === present ? { ...present, observer: false } : member));
}

function badTarget(message: string): RaftError {
  return new RaftError('BAD_TARGET', message);
}
