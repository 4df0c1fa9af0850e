import { createHmac } from 'node:crypto';
import { isSame } from './http-auth.js';

/** The length of what proves that a text comes from a member, in characters. */
const PROOF_LENGTH = 43;

/** The two ends of a connection: who dialed, and who took the call. */
export type LinkEnd = 'dialer' | 'taker';

/**
 * Proves of each text on one connection that it was sent by a member, to this end, and in this order: what was changed,
 * repeated, left out or put in on the way does not open.
 */
export class Seal {
  readonly #key: Buffer;
  readonly #end: LinkEnd;
  #sent = 0;
  #opened = 0;

  constructor(key: Buffer, end: LinkEnd) {
    this.#key = key;
    this.#end = end;
  }

  /** The text as it is sent next. */
  close(text: string): string {
    return `${this.#proofOf(this.#end, this.#sent++, text)}${text}`;
  }

  /** The text of what came next; null when it is not what the other end sent next. */
  open(sealed: string): string | null {
    const text = sealed.slice(PROOF_LENGTH);
    const from = this.#end === 'dialer' ? 'taker' : 'dialer';
    const isProven = isSame(sealed.slice(0, PROOF_LENGTH), this.#proofOf(from, this.#opened++, text));
    return isProven ? text : null;
  }

  #proofOf(from: LinkEnd, number: number, text: string): string {
    return createHmac('sha256', this.#key).update(`${from} ${number}\n${text}`).digest('base64url');
  }
}
