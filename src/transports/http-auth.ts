import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { RaftError } from '../core/errors.js';

/** The header that bears the signature of a request, and of its reply. */
export const AUTH_HEADER = 'x-raftbeat-auth';

/** What of a request is signed. */
export interface Signable {
  readonly method: string;
  readonly path: string;
  /** The peer that it is addressed to; else what was overheard on its way to one member could be sent to another. */
  readonly to: string;
  readonly body: Buffer;
}

/** A signature as it travels, and the part of it that the reply is bound to. */
export interface Signature {
  readonly header: string;
  readonly digest: string;
}

/**
 * Signs and verifies with a secret that all members share. Each request is accepted once: it bears the time and a
 * nonce, and signatures are remembered for as long as their time would pass.
 */
export class HttpAuth {
  readonly #secret: string;
  readonly #windowMs: number;
  #seen = new Set<string>();
  #seenBefore = new Set<string>();
  #turnedAt = 0;

  constructor(secret: string, windowMs: number) {
    this.#secret = secret;
    this.#windowMs = windowMs;
  }

  /** Signs a request that leaves now. */
  sign(request: Signable): Signature {
    const time = String(Date.now());
    const nonce = randomBytes(12).toString('hex');
    const digest = this.#digestOf(request, time, nonce);
    return { header: `t=${time},n=${nonce},s=${digest}`, digest };
  }

  /**
   * Whether the request was signed with the secret: its digest, or null.
   * Says nothing about its age; for this see {@link admit}.
   */
  verify(request: Signable, header: string): { readonly digest: string; readonly timeMs: number } | null {
    const [, time, nonce, digest] = /^t=(\d{1,16}),n=([\da-f]{24}),s=([\da-f]{64})$/.exec(header) ?? [];
    if (time === undefined || nonce === undefined || digest === undefined) return null;
    if (!isSame(digest, this.#digestOf(request, time, nonce))) return null;
    return { digest, timeMs: Number(time) };
  }

  /**
   * Lets a verified request in, once.
   *
   * @throws RaftError `UNAUTHORIZED` when it is too old, from the future, or was let in before
   */
  admit(verified: { readonly digest: string; readonly timeMs: number }): void {
    const now = Date.now();
    const awayMs = Math.abs(now - verified.timeMs);
    if (awayMs > this.#windowMs) {
      throw new RaftError(
        'UNAUTHORIZED',
        `signed ${awayMs} ms away from this clock, at most ${this.#windowMs}`,
      );
    }
    this.#turn(now);
    if (this.#seen.has(verified.digest) || this.#seenBefore.has(verified.digest)) {
      throw new RaftError('UNAUTHORIZED', 'this request was received before');
    }
    this.#seen.add(verified.digest);
  }

  /** Signs the reply to the request with the digest `requestDigest`. */
  signReply(requestDigest: string, status: number, body: Buffer): string {
    return `s=${this.#replyDigestOf(requestDigest, status, body)}`;
  }

  /** Whether this is the reply of somebody who knows the secret, to this very request. */
  verifyReply(requestDigest: string, status: number, body: Buffer, header: string): boolean {
    return isSame(header, this.signReply(requestDigest, status, body));
  }

  /** A key for what follows upon a signed request over the same connection, when `salt` was never used before. */
  keyFor(requestDigest: string, salt: string): Buffer {
    const head = JSON.stringify(['key', requestDigest, salt]);
    return createHmac('sha256', this.#secret).update(head).digest();
  }

  #digestOf({ method, path, to, body }: Signable, time: string, nonce: string): string {
    const head = JSON.stringify(['request', method, path, to, time, nonce]);
    return createHmac('sha256', this.#secret).update(`${head}\n`).update(body).digest('hex');
  }

  #replyDigestOf(requestDigest: string, status: number, body: Buffer): string {
    const head = JSON.stringify(['reply', requestDigest, status]);
    return createHmac('sha256', this.#secret).update(`${head}\n`).update(body).digest('hex');
  }

  /**
   * A request may come a window before its time and be repeated until a window after it, so each generation lives for
   * two windows, and is then kept for as long again.
   */
  #turn(now: number): void {
    const ageMs = Math.abs(now - this.#turnedAt);
    if (ageMs <= 2 * this.#windowMs) return;
    this.#seenBefore = ageMs <= 4 * this.#windowMs ? this.#seen : new Set();
    this.#seen = new Set();
    this.#turnedAt = now;
  }
}

/** Compares in a time that tells nothing of where they differ. */
export function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
