/** What a peer is; `elected`: it has won, and waits for its first lease, or its lease is over. */
export type Mode = 'down' | 'follower' | 'candidate' | 'elected' | 'leads';

/** A peer as one sees it who sees everything. */
export interface PeerView {
  readonly ip: string;
  readonly mode: Mode;
  /** Whether its process stands still. */
  readonly isStopped: boolean;
  readonly term: number;
  readonly voteFor: string | null;
  /** Whom it follows. */
  readonly leader: string | null;
  /** What `isLeader()` answers. */
  readonly isLeader: boolean;
  readonly leaseLeftMs: number;
  /** To whom it is bound: it elects nobody else, for `boundMs` more. */
  readonly boundTo: string | null;
  readonly boundMs: number;
}

export type MessageKind = 'beat' | 'pre-vote' | 'vote' | 'order' | 'yes' | 'no' | 'other';

export interface MessageView {
  readonly number: number;
  readonly from: string;
  readonly to: string;
  readonly kind: MessageKind;
  readonly text: string;
  readonly sentAt: number;
  /** When it arrives, or would. */
  readonly arrivesAt: number;
  /** When it was lost; infinity: it was not. */
  readonly lostAt: number;
}

export type LinkFault = 'cut' | 'slow' | 'lossy';

/** A moment of a cluster: all that is drawn. */
export interface Picture {
  readonly now: number;
  /** L, and how long a lease is that was renewed just now. */
  readonly leaderTimeoutMs: number;
  readonly leaseMs: number;
  readonly peers: readonly PeerView[];
  /** What is under way, and what was lately. */
  readonly messages: readonly MessageView[];
  /** What is wrong with links by somebody's doing: `cut:a`, `slow:a-b`. */
  readonly faults: ReadonlySet<string>;
  /** Whether the way from one peer to another is so. */
  hasFault(fault: LinkFault, from: string, to: string): boolean;
}

/** Whether the message is on its way at that moment. */
export function isUnderWay({ sentAt, arrivesAt, lostAt }: MessageView, now: number): boolean {
  return sentAt <= now && now < Math.min(arrivesAt, lostAt);
}

/** How much of its way a message has behind it, from 0 to 1. */
export function progressOf({ sentAt, arrivesAt }: MessageView, now: number): number {
  return Math.min(1, Math.max(0, (now - sentAt) / (arrivesAt - sentAt)));
}

/** Who is told that it leads; null: nobody. */
export function leaderOf({ peers }: Picture): PeerView | null {
  return peers.find(({ isLeader }) => isLeader) ?? null;
}
