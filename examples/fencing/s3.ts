/**
 * Fencing in an object store that has conditional writes, as S3 does: the token stands in the object, and a write names the
 * version that it looked at (`If-Match`), or that there was none (`If-None-Match`). Whoever is refused looks again.
 * With the SDK of AWS these are the fields `IfMatch` and `IfNoneMatch` of a `PutObjectCommand`; here plain requests stand
 * for it, which a real store wants signed.
 */
import type { Guarded } from './guarded.js';

/** 409: two conditional writes met; 412: the condition did not hold. */
const REFUSED: readonly number[] = [409, 412];

interface Version {
  readonly etag: string;
  readonly token: number;
  readonly value: string;
}

export async function inS3(url: string): Promise<Guarded> {
  async function look(): Promise<Version | null> {
    const response = await fetch(url);
    if (response.status === 404) return null;
    if (!response.ok) throw new Error(`GET ${url}: ${response.status}`);
    return { etag: response.headers.get('etag') ?? '', ...JSON.parse(await response.text()) };
  }

  async function write(token: number, value: string): Promise<boolean> {
    for (;;) {
      const last = await look();
      if (last !== null && last.token > token) return false;
      const condition: Record<string, string> =
        last === null ? { 'if-none-match': '*' } : { 'if-match': last.etag };
      const body = JSON.stringify({ token, value });
      const { ok, status } = await fetch(url, { method: 'PUT', headers: condition, body });
      if (ok) return true;
      if (!REFUSED.includes(status)) throw new Error(`PUT ${url}: ${status}`);
    }
  }

  return {
    write,
    read: async () => {
      const last = await look();
      return last === null ? null : { token: last.token, value: last.value };
    },
    close: async () => {},
  };
}
