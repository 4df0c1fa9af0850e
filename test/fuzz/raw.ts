import { connect, type Socket } from 'node:net';

/** What came back over one connection. */
export interface Exchange {
  readonly text: string;
  /** Whether the server closed it, within the time that it was given. */
  readonly isClosed: boolean;
}

/** How long a client that stays waits for an answer that may not come, in ms. */
const PATIENCE_MS = 150;
/** How long one that ended its side waits for the other: the server answers and closes, however busy the machine is. */
const END_PATIENCE_MS = 10_000;

/**
 * Sends `chunks` over a connection of their own, one after the other, ends it, and reads until the server closes it
 * or says nothing any more.
 */
export function exchange(
  ip: string,
  chunks: readonly (string | Buffer)[],
  { ends = true, gapMs = 0 }: { readonly ends?: boolean; readonly gapMs?: number } = {},
): Promise<Exchange> {
  const [host, port] = ip.split(':');
  const socket = connect({ host: host ?? '', port: Number(port), allowHalfOpen: true });
  const read: Buffer[] = [];
  return new Promise((resolve) => {
    const patienceMs = ends ? END_PATIENCE_MS : PATIENCE_MS;
    let timer = setTimeout(() => finish(false), 10 * patienceMs);
    const finish = (isClosed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text: Buffer.concat(read).toString('latin1'), isClosed });
    };
    const wait = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => finish(false), patienceMs);
    };
    socket.on('data', (chunk) => {
      read.push(chunk);
      wait();
    });
    socket.on('error', () => {});
    socket.on('end', () => finish(true)).on('close', () => finish(true));
    void write(socket, chunks, gapMs).then(() => {
      if (ends) socket.end();
      wait();
    });
  });
}

async function write(socket: Socket, chunks: readonly (string | Buffer)[], gapMs: number): Promise<void> {
  for (const chunk of chunks) {
    if (socket.destroyed) return;
    socket.write(chunk);
    if (gapMs > 0) await new Promise((resolve) => setTimeout(resolve, gapMs));
  }
}

/** A response as it stood on the wire. */
export interface RawResponse {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Takes what came back apart; throws when it is no series of whole HTTP responses. One to HEAD has no body. */
export function responses(text: string, isHead = false): readonly RawResponse[] {
  const found: RawResponse[] = [];
  for (let rest = text; rest !== ''; ) {
    const [whole, status] = /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(rest) ?? [];
    if (whole === undefined) throw new Error(`no response: ${JSON.stringify(rest.slice(0, 200))}`);
    const length = isHead ? 0 : Number(/\r\ncontent-length: (\d+)\r\n/i.exec(whole)?.[1] ?? 0);
    if (rest.length < whole.length + length) throw new Error(`a response was cut: ${JSON.stringify(rest)}`);
    found.push({
      status: Number(status),
      head: whole,
      body: rest.slice(whole.length, whole.length + length),
    });
    rest = rest.slice(whole.length + length);
  }
  return found;
}

/** `POST /raft/vote`, with these headers and that body, byte for byte. */
export function post(path: string, headers: Readonly<Record<string, string>>, body: string | Buffer): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([
    Buffer.from(`POST ${path} HTTP/1.1\r\nhost: x\r\n${lines.join('')}\r\n`, 'latin1'),
    Buffer.from(body),
  ]);
}
