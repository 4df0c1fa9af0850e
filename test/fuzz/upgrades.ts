import fc from 'fast-check';
import { AUTH_HEADER, HttpAuth } from '../../src/transports/http-auth.js';

export const SECRET = 'a secret of some length';

/** A part of a request to leave HTTP, and whether a peer would send it so. Without a value it is left out. */
interface Part {
  readonly value: string | null;
  readonly isProper: boolean;
}

function part(proper: readonly (string | null)[], improper: readonly (string | null)[]): fc.Arbitrary<Part> {
  return fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...proper).map((value) => ({ value, isProper: true })) },
    { weight: 1, arbitrary: fc.constantFrom(...improper).map((value) => ({ value, isProper: false })) },
  );
}

/** What is wrong with a signature: nothing, or what it is over is not what is sent. */
const signature = part(
  ['whole'],
  [
    null,
    'garbage',
    'of another secret',
    'to another',
    'on another path',
    'of another ip',
    'of another process',
  ],
);

const parts = fc.record({
  method: part(['GET'], ['POST', 'PUT', 'HEAD', 'OPTIONS']),
  path: part(
    ['/raft/link', '/raft/link?x=1'],
    [
      '/raft/link/',
      '/raft//link',
      '/raft/../raft/link',
      '/raft/%6cink',
      '/raft/peer',
      '/',
      'http://x/raft/link',
    ],
  ),
  upgrade: part(
    ['websocket', 'WebSocket'],
    [null, 'h2c', 'websocket, h2c', 'websocket\r\nupgrade: websocket'],
  ),
  connection: part(['Upgrade', 'keep-alive, upgrade'], [null, 'close', 'upgraded']),
  key: part(['dGhlIHNhbXBsZSBub25jZQ=='], [null, 'x', 'dGhlIHNhbXBsZSBub25jZQ', '='.repeat(24)]),
  version: part(['13', '8'], [null, '7', 'x', '-13', '13, 13']),
  protocol: part([null, 'a, b'], ['a,a', '"', 'a b', ',']),
  // They are passed over.
  extensions: fc
    .constantFrom(null, 'permessage-deflate', 'x; y="', 'permessage-deflate; server_max_window_bits=1')
    .map((value) => ({ value, isProper: true })),
  ip: part(['stranger', 'm%3A1', '%C3%BC', '__proto__', 'x'.repeat(9_000)], [null, '', '%', '%FF']),
  process: part(['1', 'constructor', '%0D%0A'], [null, '', '%zz']),
  to: part(['itself'], [null, '', '%', 'm%3A1', 'stranger']),
  signature,
});

/** A request to leave HTTP, what follows at once, and where it is cut into pieces. */
export const upgrade = fc.record({
  parts,
  tail: fc.uint8Array({ maxLength: 40 }),
  places: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
  /** How much of it is sent. */
  share: fc.oneof({ weight: 8, arbitrary: fc.constant(1) }, fc.double({ min: 0, max: 0.99, noNaN: true })),
});

type Parts = typeof parts extends fc.Arbitrary<infer T> ? T : never;

/** Whether it is as a peer would call, when there is a secret or not. */
export function isProper({ signature: signed, ...others }: Parts, hasSecret: boolean): boolean {
  return Object.values(others).every((one) => one.isProper) && (signed.isProper || !hasSecret);
}

/** The request as it is sent to the peer `to`. */
export function written({ extensions, process, ip, ...given }: Parts, to: string): string {
  const headers = {
    upgrade: given.upgrade.value,
    connection: given.connection.value,
    'sec-websocket-key': given.key.value,
    'sec-websocket-version': given.version.value,
    'sec-websocket-protocol': given.protocol.value,
    'sec-websocket-extensions': extensions.value,
    'x-raftbeat-ip': ip.value,
    'x-raftbeat-process': process.value,
    'x-raftbeat-to': given.to.value === 'itself' ? encodeURIComponent(to) : given.to.value,
    [AUTH_HEADER]: signed(given.signature.value, to, [textOf(ip.value), textOf(process.value)]),
  };
  const lines = Object.entries(headers).map(([name, value]) =>
    value === null ? '' : `${name}: ${value}\r\n`,
  );
  return `${given.method.value} ${given.path.value} HTTP/1.1\r\nhost: x\r\n${lines.join('')}\r\n`;
}

/** What a header means, when it means anything. */
function textOf(value: string | null): string {
  try {
    return decodeURIComponent(value ?? '');
  } catch {
    return '';
  }
}

function signed(how: string | null, to: string, [ip, process]: readonly [string, string]): string | null {
  if (how === null) return null;
  const body = JSON.stringify([
    how === 'of another ip' ? `${ip}x` : ip,
    how === 'of another process' ? `${process}x` : process,
  ]);
  const auth = new HttpAuth(how === 'of another secret' ? `${SECRET}x` : SECRET, 30_000);
  const { header } = auth.sign({
    method: 'GET',
    path: how === 'on another path' ? '/other/link' : '/raft/link',
    to: how === 'to another' ? 'm:1' : to,
    body: Buffer.from(body),
  });
  return how === 'garbage' ? header.slice(0, -1) : header;
}
