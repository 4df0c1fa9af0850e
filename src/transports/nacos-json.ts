import type { PeerSnapshot } from '../core/peer.js';

/**
 * `value` as JSON that a URL decoder leaves as it is: original peers decode most bodies once or twice before they
 * parse them. In texts, `%` and `+` become escapes; in numbers `+` may go.
 */
export function urlProofJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(/"(?:[^"\\]|\\.)*"|\+/g, (part) =>
    part === '+' ? '' : part.replaceAll('%', '\\u0025').replaceAll('+', '\\u002b'),
  );
}

/** A peer as 1.3.2 writes it: in this order, its dues whole, and nothing where it did not vote. */
export function wirePeer(peer: PeerSnapshot): object {
  const { ip, voteFor, term, leaderDueMs, heartbeatDueMs, state } = peer;
  return {
    ip,
    ...(voteFor === null ? {} : { voteFor }),
    term,
    leaderDueMs: Math.round(leaderDueMs),
    heartbeatDueMs: Math.round(heartbeatDueMs),
    state,
  };
}

/** What of `raw` is a peer's; every field is checked later. */
export function peerFields(raw: unknown): Readonly<Record<string, unknown>> {
  const {
    ip,
    voteFor = null,
    term,
    leaderDueMs,
    heartbeatDueMs,
    state,
  } = (raw ?? {}) as Readonly<Record<string, unknown>>;
  return { ip, voteFor, term, leaderDueMs, heartbeatDueMs, state };
}
