/** What can be done to a cluster, each by its name in a link. */
export const VERBS = [
  ...(['kill', 'start', 'stop', 'go', 'resign'] as const),
  ...(['cut', 'join', 'slow', 'fast', 'lossy', 'clean'] as const),
  ...(['drop', 'delay'] as const),
] as const;

export type Verb = (typeof VERBS)[number];

/** What somebody did, and when. */
export interface Action {
  /** Ms of virtual time, to a tenth. */
  readonly at: number;
  readonly verb: Verb;
  /** A peer `a`, both ways of a link `a-b`, one way `a_b`, or the number of a message. */
  readonly target: string;
}

/** All that a run depends on: equal ones are equal runs, event for event. */
export interface Run {
  readonly seed: number;
  readonly peers: number;
  /** In the order in which they were done. */
  readonly actions: readonly Action[];
  /** How far it was looked at, in ms; null: nobody did. */
  readonly until: number | null;
}

export const SIZES: readonly number[] = [3, 5, 7];

/** The names of all peers that there may be. */
export const IPS: readonly string[] = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

export const NEW_RUN: Run = { seed: 1, peers: 3, actions: [], until: null };

/** Virtual times are whole tenths of a ms: a link can hold them exactly. */
export function toTenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}

/** The run as the fragment of a link. */
export function toHash({ seed, peers, actions, until }: Run): string {
  const parts = [`seed=${seed}`, `peers=${peers}`];
  if (actions.length > 0)
    parts.push(`actions=${actions.map(({ at, verb, target }) => `${at}:${verb}:${target}`).join(',')}`);
  if (until !== null) parts.push(`until=${until}`);
  return `#${parts.join('&')}`;
}

/** The run that a link holds; null when it holds none, or a damaged one. */
export function fromHash(hash: string): Run | null {
  const fields = new Map(
    hash
      .slice(1)
      .split('&')
      .map((part) => {
        const [key = '', value = ''] = part.split('=', 2);
        return [key, value] as const;
      }),
  );
  const seed = /^\d{1,9}$/.test(fields.get('seed') ?? '') ? Number(fields.get('seed')) : Number.NaN;
  const peers = Number(fields.get('peers') ?? NEW_RUN.peers);
  const until = fields.has('until') ? readTime(fields.get('until') ?? '') : null;
  if (Number.isNaN(seed) || !SIZES.includes(peers) || Number.isNaN(until)) return null;
  const listed = fields.get('actions') ?? '';
  const actions = listed === '' ? [] : listed.split(',').map((text) => readAction(text, peers));
  if (!actions.every((action) => action !== null)) return null;
  const isOrdered = actions.every(({ at }, place) => at >= (actions[place - 1]?.at ?? 0));
  return isOrdered ? { seed, peers, actions, until } : null;
}

function readAction(text: string, peers: number): Action | null {
  const [time = '', verb = '', target = ''] = text.split(':');
  const at = readTime(time);
  const known = VERBS.find((one) => one === verb);
  if (Number.isNaN(at) || known === undefined || !fits(known, target, peers)) return null;
  return { at, verb: known, target };
}

function readTime(text: string): number {
  return /^\d{1,9}(\.\d)?$/.test(text) ? Number(text) : Number.NaN;
}

function fits(verb: Verb, target: string, peers: number): boolean {
  if (verb === 'drop' || verb === 'delay') return /^\d{1,9}$/.test(target);
  const [one = '', other, ...rest] = target.split(/[-_]/);
  const isPeer = (ip: string): boolean => IPS.indexOf(ip) >= 0 && IPS.indexOf(ip) < peers;
  if (other === undefined) return isPeer(one);
  return VERBS.indexOf(verb) >= VERBS.indexOf('cut') && isPeer(one) && isPeer(other) && rest.length === 0;
}
