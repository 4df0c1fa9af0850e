import { type PeerReply, type PeerSnapshot, RaftError, type RaftReply, type RaftRequest } from 'raftbeat';
import { askedText, beatAnswerText, beatText, givenText } from './data-text.js';

/** What messages are called in a case. */
export const KINDS = ['pre-vote', 'vote', 'beat', 'order', 'peer', 'write', 'keys', 'datums'] as const;

export type Kind = (typeof KINDS)[number];

export function kindOf(request: RaftRequest): Kind {
  switch (request.type) {
    case 'vote':
      return request.preVote === true ? 'pre-vote' : 'vote';
    case 'beat':
      return 'beat';
    case 'transfer':
      return 'order';
    case 'writes':
      return 'write';
    case 'keys':
    case 'datums':
      return request.type;
    default:
      return 'peer';
  }
}

/** Rounds begin at a number of each process's own, a multiple of this; a case shows what comes after it. */
export const ROUNDS = 2 ** 10;

/** `vote t1 by order`: the fields that matter. */
export function requestText(request: RaftRequest): string {
  const kind = kindOf(request);
  if (!('peer' in request)) return askedText(request) ?? kind;
  const term = ` t${request.peer.term}`;
  if (request.type === 'beat' && request.data !== undefined) return kind + term + beatText(request.data);
  if (request.type !== 'vote') return kind + term;
  const round = request.round === undefined ? '' : ` round ${request.round % ROUNDS}`;
  return kind + term + round + (request.transfer === true ? ' by order' : '');
}

/** `vote t1: refused for 300 ms (t1 vote b)`. */
export function answerText(request: RaftRequest, answer: RaftReply | RaftError): string {
  return `${requestText(request)}: ${outcome(answer)}`;
}

function outcome(answer: RaftReply | RaftError): string {
  if (answer instanceof RaftError) {
    return answer.code + (answer.term === undefined ? '' : ` (t${answer.term})`);
  }
  if ('requestTerm' in answer)
    return `acknowledged${answer.data === undefined ? '' : beatAnswerText(answer.data)}`;
  if ('granted' in answer) return `${granted(answer)} (t${answer.term} vote ${answer.voteFor ?? '-'})`;
  return 'ip' in answer ? peerText(answer as PeerReply) : (givenText(answer) ?? answer.constructor.name);
}

function granted(answer: { readonly granted: boolean; readonly promiseMs?: number }): string {
  if (answer.granted) return 'granted';
  return answer.promiseMs === undefined ? 'refused' : `refused for ${answer.promiseMs} ms`;
}

function peerText(answer: PeerReply): string {
  const learns = answer.learner === undefined ? '' : ', learns only';
  return stateText(answer) + (answer.empty === true ? ', empty' : '') + learns;
}

/** `FOLLOWER t1 vote a`. */
export function stateText({ state, term, voteFor }: PeerSnapshot): string {
  return `${state} t${term} vote ${voteFor ?? '-'}`;
}

/** A time in ms, to a tenth. */
export function msText(ms: number): string {
  return String(Math.round(ms * 10) / 10);
}
