import type { RaftEvents } from '../core/events.js';
import { RaftPeerSet } from '../core/peer-set.js';
import type { Seat } from './seat.js';

/** The peers of a group in a host: its events go to its seat, without a listener for each of thousands. */
export class GroupPeers extends RaftPeerSet {
  seat: Seat | null = null;

  override emit(name: keyof RaftEvents, ...[event]: readonly unknown[]): boolean {
    this.seat?.note(name, event);
    return true;
  }
}
