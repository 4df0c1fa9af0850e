import { RaftError, textOf } from './errors.js';

/** One member of the cluster. */
export interface Member {
  /** The identity: any non-empty text that the transport knows, by custom `host:port`. */
  readonly ip: string;
  /** Who comes up first for election: higher comes first, 0 never does. An integer from 0 to 1000. @default 1 */
  readonly priority?: number;
  /** An observer receives beats and events, and never votes. @default false */
  readonly observer?: boolean;
}

/** The members as one peer sees them. */
export interface Standpoint {
  /** How the peer itself is a member, or null. */
  readonly self: Required<Member> | null;
  /** The ips of all members but it. */
  readonly others: readonly string[];
  /** The ips of all voters but it. */
  readonly otherVoters: readonly string[];
}

/**
 * Who the members are. What follows from that is worked out once; as it never changes, any number of peer sets may share
 * it (`RaftPeerSetOptions.members`).
 */
export class Membership {
  /** All members, and how they are so. */
  readonly members: readonly Required<Member>[];
  /** The ips of all members. */
  readonly ips: readonly string[];
  /** All members that vote. */
  readonly voters: readonly Required<Member>[];
  readonly #places: ReadonlyMap<string, number>;
  readonly #standpoints = new Map<string, Standpoint>();

  /** @internal Use `of`: this checks nothing. */
  constructor(members: readonly Required<Member>[]) {
    this.members = members;
    this.ips = members.map(({ ip }) => ip);
    this.voters = members.filter(({ observer }) => !observer);
    this.#places = new Map(this.ips.map((ip, place) => [ip, place]));
  }

  /** @throws RaftError `BAD_OPTION` for members that cannot be */
  static of(members: readonly (string | Member)[]): Membership {
    return new Membership(checkMembers(members));
  }

  /** Where `ip` stands among the members. */
  placeOf(ip: string): number | undefined {
    return this.#places.get(ip);
  }

  /** How `ip` is a member, or null. */
  member(ip: string): Required<Member> | null {
    const place = this.#places.get(ip);
    return place === undefined ? null : (this.members[place] as Required<Member>);
  }

  /** How `ip`, member or not, sees them. */
  seenBy(ip: string): Standpoint {
    let standpoint = this.#standpoints.get(ip);
    if (standpoint === undefined) {
      standpoint = {
        self: this.member(ip),
        others: this.ips.filter((other) => other !== ip),
        otherVoters: this.voters.filter((other) => other.ip !== ip).map((other) => other.ip),
      };
      this.#standpoints.set(ip, standpoint);
    }
    return standpoint;
  }
}

/** The highest priority of a member. */
export const MAX_PRIORITY = 1_000;

function checkMembers(given: readonly (string | Member)[]): readonly Required<Member>[] {
  if (!Array.isArray(given)) throw new RaftError('BAD_OPTION', 'members must be an array of ips');
  const members = given.map(checkMember);
  const ips = new Set(members.map((member) => member.ip));
  if (ips.size < members.length)
    throw new RaftError('BAD_OPTION', `members must differ: ${members.map((m) => m.ip)}`);
  return members;
}

function checkMember(given: string | Member, at: number): Required<Member> {
  const {
    ip,
    priority = 1,
    observer = false,
  }: Member = typeof given === 'object' && given !== null ? given : { ip: given };
  const name = `members[${at}]`;
  if (!Number.isInteger(priority) || priority < 0 || priority > MAX_PRIORITY) {
    throw new RaftError(
      'BAD_OPTION',
      `${name}.priority must be an integer from 0 to 1000, not ${textOf(priority)}`,
    );
  }
  if (typeof observer !== 'boolean') {
    throw new RaftError('BAD_OPTION', `${name}.observer must be true or false, not ${textOf(observer)}`);
  }
  return { ip: checkIp(`${name}.ip`, ip), priority, observer };
}

/** The longest ip, in characters: what a host name, a port and some more need. */
export const MAX_IP_LENGTH = 300;

/** @throws RaftError `BAD_OPTION` naming `name` */
export function checkIp(name: string, ip: unknown): string {
  if (typeof ip === 'string' && ip.length > 0 && ip.length <= MAX_IP_LENGTH && !/[\s\p{Cc}]/u.test(ip))
    return ip;
  throw new RaftError(
    'BAD_OPTION',
    `${name} must be a text such as 'host:port' of 1 to ${MAX_IP_LENGTH} characters without blanks, not ${typeof ip === 'string' ? JSON.stringify(ip.slice(0, 50)) : typeof ip}`,
  );
}
