import { leaderOf, type PeerView, type Picture } from './picture.js';
import type { Verb } from './run.js';

/** What is looked at: a peer `a`, a link `a-b`, or the number of a message; null: whoever leads. */
export type Selection = { readonly type: 'peer' | 'link' | 'message'; readonly id: string } | null;

/** Something that can be done to what is selected. */
export interface Choice {
  /** The key that does it; empty: there is none. */
  readonly key: string;
  readonly label: string;
  readonly verb: Verb;
  readonly target: string;
  readonly isOff: boolean;
  /** Whether it holds until it is done again; null: it is no switch. */
  readonly isOn: boolean | null;
}

export function choicesFor(selection: Selection, picture: Picture): readonly Choice[] {
  if (selection?.type === 'link') return linkChoices(selection.id, picture);
  if (selection?.type === 'message')
    return [choice('x', 'Drop', 'drop', selection.id), choice('d', 'Delay', 'delay', selection.id)];
  const peer = selectedPeer(selection, picture);
  return peer === null ? [] : peerChoices(peer, picture);
}

/** The peer that is selected, or leads. */
export function selectedPeer(selection: Selection, picture: Picture): PeerView | null {
  if (selection === null) return leaderOf(picture);
  return picture.peers.find(({ ip }) => selection.type === 'peer' && ip === selection.id) ?? null;
}

function peerChoices({ ip, mode, isStopped, isLeader }: PeerView, { faults }: Picture): readonly Choice[] {
  const isDown = mode === 'down';
  return [
    isDown ? choice('k', 'Start', 'start', ip) : choice('k', 'Kill', 'kill', ip),
    isStopped ? choice('s', 'Continue', 'go', ip) : choice('s', 'Stop', 'stop', ip, isDown),
    choice('r', 'Resign', 'resign', ip, !isLeader || isStopped),
    ...faultChoices(ip, faults),
  ];
}

function linkChoices(id: string, { faults }: Picture): readonly Choice[] {
  const [from = '', to = ''] = id.split('-');
  const oneWay = (a: string, b: string): Choice =>
    toggle('', `Cut ${a} → ${b}`, ['cut', 'join'], `${a}_${b}`, faults.has(`cut:${a}_${b}`));
  return [...faultChoices(id, faults), oneWay(from, to), oneWay(to, from)];
}

function faultChoices(id: string, faults: ReadonlySet<string>): readonly Choice[] {
  return [
    toggle('c', 'Cut', ['cut', 'join'], id, faults.has(`cut:${id}`)),
    toggle('d', 'Delay', ['slow', 'fast'], id, faults.has(`slow:${id}`)),
    toggle('x', 'Drop', ['lossy', 'clean'], id, faults.has(`lossy:${id}`)),
  ];
}

function toggle(
  key: string,
  label: string,
  [begin, end]: readonly [Verb, Verb],
  target: string,
  isOn: boolean,
): Choice {
  return { ...choice(key, label, isOn ? end : begin, target), isOn };
}

function choice(key: string, label: string, verb: Verb, target: string, isOff = false): Choice {
  return { key, label, verb, target, isOff, isOn: null };
}
