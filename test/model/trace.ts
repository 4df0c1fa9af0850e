import { LEADER, type Local, NONE } from './local.js';
import type { States } from './states.js';
import { INPUTS, textOfInput } from './step.js';

/** The moves as a person reads them, with the names that the peers had at the start. */
export function readable(states: States, moves: readonly number[]): readonly string[] {
  let names = states.cores.names;
  let time = 0;
  const lines: string[] = [];
  const words = states.initial();
  states.next.set(words);
  for (const [at, move] of moves.entries()) {
    if (at > 0 || move !== -1) names = settle(states, words, names);
    const clocks = states.clocksOf(move);
    states.repeat(words, move);
    if (clocks === null) {
      const peer = Math.floor(move / INPUTS);
      const text = textOfInput(move % INPUTS, peer, names);
      lines.push(`${at + 1}. t=${time}: ${text}: ${describe(states.local(states.next, peer), names)}`);
    } else {
      time++;
      const stand = names.filter((_, peer) => (clocks & (1 << peer)) === 0);
      const slow = stand.length === 0 ? '' : `; the clock of ${stand.toSorted().join(' and ')} stands`;
      lines.push(`${at + 1}. a unit of time goes by${slow}`);
    }
  }
  return lines;
}

/** Goes on from `next`, whose peers get new numbers. */
function settle(states: States, words: Int32Array, names: readonly string[]): readonly string[] {
  const to = states.renamings[states.canonical()] as readonly number[];
  words.set(states.next);
  const renamed = [...names];
  for (const [old, now] of to.entries()) renamed[now] = names[old] as string;
  return renamed;
}

function describe(local: Local, names: readonly string[]): string {
  const state = ['follower', 'candidate', 'leader'][local.state];
  const vote = local.voteFor === NONE ? 'no vote' : `vote for ${names[local.voteFor]}`;
  const promise =
    local.promise === 0 ? '' : `, promise to ${names[local.holder] ?? 'nobody'} for ${local.promise}`;
  const leads = local.state === LEADER ? `, ${local.leads === 1 ? 'leads' : 'does not lead'}` : '';
  const saves = local.pendingTerm === NONE ? '' : ', saves';
  const rejoins = local.rejoin === NONE ? '' : ', recovers';
  return `${state} of term ${local.term}, ${vote}${promise}${leads}${saves}${rejoins}`;
}
