import { createRequire } from 'node:module';
import { membersOf, TERM } from './cores.js';
import type { Case } from './rounds.js';

/** liferaft has no types; this is the part that is used. */
interface LifeRaft {
  emit(event: 'data', packet: object, write: () => void): boolean;
  end(): boolean;
}
const LifeRaft = createRequire(import.meta.url)('@markwylde/liferaft') as new (
  address: string,
  options: object,
) => LifeRaft;

const [self, other] = membersOf(2).ips;
const LAST = { index: 0, term: 0 };
const BEAT = { type: 'append', term: TERM, state: 1, address: other, leader: other, last: LAST };
const VOTE = { type: 'vote', term: TERM, state: 2, address: other, leader: '', last: LAST };
const TIMES = { 'election min': '1 hour', 'election max': '2 hours', heartbeat: '1 hour' };

/** What liferaft does with a heartbeat packet and with a vote packet. */
export function liferaft(): { readonly cases: readonly [beat: Case, vote: Case]; readonly end: () => void } {
  const follower = new LifeRaft(self as string, TIMES);
  const voter = new LifeRaft(self as string, TIMES);
  return {
    cases: [
      { name: 'liferaft heartbeat packet', run: handling(follower, BEAT) },
      { name: 'liferaft vote packet', run: handling(voter, VOTE) },
    ],
    end: () => {
      follower.end();
      voter.end();
    },
  };
}

function handling(raft: LifeRaft, packet: object): (times: number) => void {
  const ignore = (): void => {};
  return (times) => {
    for (let i = 0; i < times; i++) raft.emit('data', packet, ignore);
  };
}
