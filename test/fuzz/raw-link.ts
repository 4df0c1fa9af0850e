import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';

/** A frame as a server sends it: whole, and not masked. */
interface ServerFrame {
  readonly opcode: number;
  readonly text: string;
}

/** A connection by hand. */
export interface RawConnection {
  /** Writes one piece after the other. */
  send(pieces: readonly Buffer[]): Promise<void>;
  /** What `find` finds in all that came back, in latin1, as soon as it does; null when it is over and nothing was found. */
  until<T>(find: (read: string) => T | null): Promise<T | null>;
  end(): void;
  destroy(): void;
}

export function rawConnection(ip: string): RawConnection {
  const [host, port] = ip.split(':');
  const socket = connect(Number(port), host);
  let read = '';
  let isOver = false;
  let look = (): void => {};
  socket
    .setEncoding('latin1')
    .on('data', (text: string) => {
      read += text;
      look();
    })
    .on('error', () => {})
    .on('close', () => {
      isOver = true;
      look();
    });
  return {
    send: async (pieces) => {
      for (const piece of pieces) {
        if (!socket.destroyed) socket.write(piece);
        await turn();
      }
    },
    until: (find) =>
      new Promise((resolve) => {
        look = () => {
          const found = find(read);
          if (found !== null || isOver) resolve(found);
        };
        look();
      }),
    end: () => socket.end(),
    destroy: () => socket.destroy(),
  };
}

/** All of it, in pieces that end at these places, from 0 to 1. */
export function cutAt(bytes: Buffer, places: readonly number[]): readonly Buffer[] {
  const cuts = [...places.map((place) => Math.floor(place * bytes.length)), bytes.length].sort(
    (a, b) => a - b,
  );
  return cuts.map((end, at) => bytes.subarray(cuts[at - 1] ?? 0, end)).filter(({ length }) => length > 0);
}

/** The status of the first response, when its head is there. */
export function statusIn(read: string): number | null {
  const status = /^HTTP\/1\.1 (\d{3}) [\s\S]*?\r\n\r\n/.exec(read)?.[1];
  return status === undefined ? null : Number(status);
}

/** The headers of the first response. */
export function headersIn(read: string): Record<string, string> {
  const [, ...lines] = read.slice(0, read.indexOf('\r\n\r\n')).split('\r\n');
  return Object.fromEntries(
    lines.map((line) => [line.split(':', 1)[0]?.toLowerCase(), line.replace(/^[^:]*: /, '')]),
  );
}

/** The whole frames that came after the first response. */
export function framesIn(read: string): readonly ServerFrame[] {
  const bytes = Buffer.from(read.slice(read.indexOf('\r\n\r\n') + 4), 'latin1');
  const frames: ServerFrame[] = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const short = (bytes[at + 1] ?? 0) & 0x7f;
    const from = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
    if (from > bytes.length) break;
    const length =
      short < 126 ? short : bytes.readUIntBE(from - (short === 126 ? 2 : 6), short === 126 ? 2 : 6);
    if (from + length > bytes.length) break;
    frames.push({ opcode: (bytes[at] ?? 0) & 0x0f, text: bytes.toString('utf8', from, from + length) });
    at = from + length;
  }
  return frames;
}

const CLOSE = 8;

/** That the server says farewell. */
export function farewellIn(read: string): true | null {
  return framesIn(read).some(({ opcode }) => opcode === CLOSE) || null;
}

/** The texts that the server sent. */
export function textsIn(read: string): readonly string[] {
  return framesIn(read).flatMap(({ opcode, text }) => (opcode === 1 ? [text] : []));
}
