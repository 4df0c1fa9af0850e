import type { RaftError, StoredState } from 'raftbeat';
import { expect } from 'vitest';
import { A, B, C, Host, IN_USE, peer } from './cluster.js';

/** A peer that claims to lead. */
export const leaderOf = (ip: string, term: number) => peer(ip, { state: 'LEADER', term, voteFor: ip });
/** A peer that asks for votes. */
export const candidate = (ip: string, term: number) => peer(ip, { state: 'CANDIDATE', term, voteFor: ip });
/** The beat of `ip` in `term`. */
export const beat = (ip: string, term: number, more = {}) => ({
  peer: leaderOf(ip, term),
  datums: [],
  ...more,
});

/** One peer of three, at term 5, started at 0. */
export function one(
  options: ConstructorParameters<typeof Host>[3] = {},
  stored: StoredState | null = { ...IN_USE, term: 5 },
  members: ConstructorParameters<typeof Host>[1] = [A, B, C],
): Host {
  const host = new Host(A, members, stored, options);
  host.core.tick(0);
  return host;
}

/** What `call` throws. */
export function refusal(call: () => unknown): RaftError {
  try {
    call();
  } catch (error) {
    return error as RaftError;
  }
  throw new Error('it was not refused');
}

/** What `host` wants sent. */
export const requests = (host: Host) =>
  host.core.takeOutputs().flatMap((output) => (output.type === 'send' ? [output.request] : []));

/** Makes a peer of three the leader of term 6, elected at `at`, no beat acknowledged yet. */
export function winner(
  at: number,
  members: ConstructorParameters<typeof Host>[1] = [A, B, C],
  options: ConstructorParameters<typeof Host>[3] = {},
): Host {
  const host = one(options, { ...IN_USE, term: 5 }, members);
  host.core.receivedTransfer({ peer: leaderOf(B, 5) }, at);
  host.core.saved({ ...IN_USE, term: 6, voteFor: A }, at);
  for (const ip of [B, C])
    host.core.receivedVoteReply(ip, { ...peer(ip, { term: 6, voteFor: A }), granted: true }, at);
  expect(host.self).toMatchObject({ state: 'LEADER', term: 6 });
  return host;
}
/** What B answers to a beat of term 6. */
export const ack = (sentAt: number, term = 6) => ({ ...peer(B, { term }), requestTerm: term, sentAt });
