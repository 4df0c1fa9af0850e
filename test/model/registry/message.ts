import type {
  BeatData,
  BeatDataReply,
  DatumsReply,
  KeysReply,
  ListedKey,
  Revision,
} from '../../../src/core/messages.js';

/** What a message says. Refusals are no messages here, but for `gone`: any peer may learn of any saved term anyway. */
export type Content =
  | { readonly kind: 'vote'; readonly term: number; readonly revision: Revision }
  | { readonly kind: 'grant'; readonly term: number }
  | { readonly kind: 'beat'; readonly term: number; readonly data: BeatData }
  | { readonly kind: 'ack'; readonly term: number; readonly data: BeatDataReply }
  | { readonly kind: 'keys'; readonly at: Revision | null; readonly place: number }
  | { readonly kind: 'keyList'; readonly place: number; readonly reply: KeysReply }
  | { readonly kind: 'datums'; readonly at: Revision; readonly keys: readonly ListedKey[] }
  | { readonly kind: 'values'; readonly asked: readonly ListedKey[]; readonly reply: DatumsReply }
  | { readonly kind: 'gone'; readonly asked: readonly ListedKey[] | null };

/** A message that was sent: any number of copies may arrive, each at any later time, or none. */
export interface Message {
  readonly from: number;
  readonly to: number;
  readonly content: Content;
}

/** The message as a person reads it. */
export function textOfMessage({ content }: Message): string {
  switch (content.kind) {
    case 'vote':
      return `vote(term ${content.term}, last ${textOf(content.revision)})`;
    case 'grant':
      return `grant(term ${content.term})`;
    case 'beat':
      return `beat(term ${content.term}, ${textOfBeat(content.data)})`;
    case 'ack':
      return `ack(term ${content.term}, ${textOfReply(content.data)})`;
    default:
      return JSON.stringify(content);
  }
}

export const textOf = ({ term, seq }: Revision): string => `${term}/${seq}`;

function textOfBeat({ prev, batches, committed, catchUp }: BeatData): string {
  const news = batches.map(({ revision }) => textOf(revision)).join(' ');
  const more = catchUp === undefined ? '' : `, catch up to ${textOf(catchUp)}`;
  return `prev ${textOf(prev)}, [${news}], committed ${textOf(committed)}${more}`;
}

function textOfReply({ ok, match, base, last }: BeatDataReply): string {
  return ok ? `match ${textOf(match)}` : `not found, base ${textOf(base)}, last ${textOf(last)}`;
}
