import { channel } from 'node:diagnostics_channel';
import type { RaftNode, RaftNodeEvents } from '../node/node.js';

/** What is published on a channel. */
export interface DiagnosticsMessage {
  readonly node: RaftNode;
  /** What listeners of the event get. */
  readonly event: unknown;
}

const NAMES: Readonly<Record<keyof RaftNodeEvents, true>> = {
  stateChange: true,
  leaderLost: true,
  leaderElectFinished: true,
  makeLeader: true,
  nacosDatum: true,
  warning: true,
  error: true,
};

/**
 * Publishes each event of `node` on the channel `raftbeat:<event>` of `node:diagnostics_channel`, for tools that watch a
 * process without being handed its nodes. A channel without subscribers costs a look at it.
 *
 * @returns how to end it
 */
export function publishDiagnostics(node: RaftNode): () => void {
  const ends = Object.keys(NAMES).map((name) => publish(node, name as keyof RaftNodeEvents));
  return () => {
    for (const end of ends) end();
  };
}

function publish(node: RaftNode, name: keyof RaftNodeEvents): () => void {
  const events = channel(`raftbeat:${name}`);
  const listener = (event: unknown): void => {
    if (events.hasSubscribers) events.publish({ node, event } satisfies DiagnosticsMessage);
  };
  node.on(name, listener);
  return () => node.off(name, listener);
}
