import { crc32 } from 'node:zlib';
import { corrupt } from './files.js';

/** About how many characters go into one line: so few that the process is not kept from its other work. */
const LINE_CHARACTERS = 32_768;
const NEWLINE = 10;
const CHECKSUM_LENGTH = 9;
const SECTOR = 512;
const HEAD = /^[0-9a-f]{8} (\d+) (\d+) (\d+) /;
const HEAD_BEGUN = /^[0-9a-f]{0,8}( \d*){0,3}$/;
const HEAD_LENGTH_MAX = CHECKSUM_LENGTH + 3 * 17;

/** Where a line stands: the generation of its file, and its number there. */
export interface LinePlace {
  readonly generation: number;
  readonly sequence: number;
}

/**
 * A line that can be told from any other: `<CRC-32> <generation> <sequence> <length of the JSON> <JSON>`. Neither a line
 * break nor a zero byte can be in one, so that a line ends where it seems to end, and zeros were never written.
 */
export function encodeLine({ generation, sequence }: LinePlace, content: unknown): Buffer {
  const json = JSON.stringify(content);
  const sealed = `${generation} ${sequence} ${Buffer.byteLength(json)} ${json}`;
  return Buffer.from(`${crc32(sealed).toString(16).padStart(8, '0')} ${sealed}\n`);
}

/** `items`, as many at a time as go into one line. */
export function* portions<T>(items: Iterable<T>, sizeOf: (item: T) => number): Generator<readonly T[]> {
  let portion: T[] = [];
  let size = 0;
  for (const item of items) {
    portion.push(item);
    size += sizeOf(item);
    if (size < LINE_CHARACTERS) continue;
    yield portion;
    portion = [];
    size = 0;
  }
  if (portion.length > 0) yield portion;
}

/** What was written, without the room for more: no line ends with a zero. */
export function withoutZeros(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return bytes.subarray(0, end);
}

/** Reads the lines of one file, one by one. */
export class LineReader {
  /** Up to where whole lines were read. */
  position = 0;
  readonly path: string;
  readonly #bytes: Buffer;

  constructor(path: string, bytes: Buffer) {
    this.path = path;
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.position === this.#bytes.length;
  }

  /**
   * The content of the next line.
   *
   * @throws RaftError `STORE_CORRUPT` unless it is whole and stands at `place`
   */
  next(place: LinePlace): unknown {
    const end = this.#bytes.indexOf(NEWLINE, this.position);
    const line = this.#bytes.subarray(this.position, Math.max(end, this.position));
    const json = jsonOf(line, place);
    if (json === null) throw this.corrupt(`line ${place.sequence} is damaged or missing`);
    this.position = end + 1;
    return JSON.parse(json.toString());
  }

  /**
   * Whether what follows is the beginning of a line that was being appended when the power failed, or parts of it, and
   * not a whole line that was damaged later: it is cut short, or at least one sector of it was never written.
   */
  isTorn(): boolean {
    const rest = this.#bytes.subarray(this.position);
    const end = rest.indexOf(NEWLINE);
    if (end !== -1 && end !== rest.length - 1) return false;
    return (end === -1 && isShort(rest)) || this.#lacksSector();
  }

  corrupt(reason: string, cause?: unknown): Error {
    return corrupt(this.path, reason, cause);
  }

  #lacksSector(): boolean {
    for (let from = this.position; from < this.#bytes.length; ) {
      const to = Math.min(from - (from % SECTOR) + SECTOR, this.#bytes.length);
      if (this.#bytes.subarray(from, to).every((byte) => byte === 0)) return true;
      from = to;
    }
    return false;
  }
}

function jsonOf(line: Buffer, { generation, sequence }: LinePlace): Buffer | null {
  const head = HEAD.exec(line.toString('latin1', 0, HEAD_LENGTH_MAX));
  if (head === null || Number(head[1]) !== generation || Number(head[2]) !== sequence) return null;
  const json = line.subarray(head[0].length);
  if (json.length !== Number(head[3])) return null;
  const checksum = Number.parseInt(head[0].slice(0, CHECKSUM_LENGTH), 16);
  return crc32(line.subarray(CHECKSUM_LENGTH)) === checksum ? json : null;
}

function isShort(rest: Buffer): boolean {
  const begin = rest.toString('latin1', 0, HEAD_LENGTH_MAX);
  const head = HEAD.exec(begin);
  return head === null ? HEAD_BEGUN.test(begin) : rest.length <= head[0].length + Number(head[3]);
}
