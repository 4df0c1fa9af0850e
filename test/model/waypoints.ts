import type { Bounds, Waypoint } from './bounds.js';
import { LEADER, type Local } from './local.js';

type Rest = (other: Local, leader: Local, third: Local) => boolean;

/** Whether a peer leads `term`, by its lease or by its election alone, and `rest` holds of the two others. */
function led(term: number, byLease: boolean, rest: Rest): Waypoint {
  return (peers) =>
    peers.some((leader) => {
      if (leader.state !== LEADER || leader.term !== term || (byLease && leader.leads !== 1)) return false;
      const others = peers.filter((peer) => peer !== leader);
      return others.some((other) => others.some((third) => third !== other && rest(other, leader, third)));
    });
}

/**
 * Four terms within one unit of time, in two hand-overs: x leads term 1; y, that never heard it beat, wins term 2, and x
 * term 3. Then y may win term 4, with the promise of a third peer, while x counts on what that peer said in term 1.
 */
export const FOUR_TERMS: Partial<Bounds> = {
  timeout: 1,
  terms: 4,
  transfers: 2,
  keepDead: true,
  waypoints: [
    led(1, true, (other) => other.promise === 0),
    led(2, false, (other, leader) => leader.promise === 0 && other.sent.includes(0)),
    led(
      3,
      false,
      (other, leader, third) => other.promise === 0 && leader.promise === 0 && third.holder === other.owner,
    ),
  ],
  states: 20_000_000,
};
