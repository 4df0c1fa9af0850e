import { encodeLine, type LineReader } from './file-lines.js';
import { checkOwner } from './stored-state.js';

const FORMAT = 1;

/** What a file is for: the committed data up to a moment, or the changes since; or the states of many groups. */
export type FileKind = 'base' | 'tail' | 'groups';

/** The first line of a file. */
export function encodeHeader(kind: FileKind, generation: number, ip: string, more: object = {}): Buffer {
  return encodeLine({ generation, sequence: 0 }, { format: FORMAT, kind, ip, ...more });
}

/** @throws RaftError `STORE_CORRUPT`, `STORE_MISMATCH` */
export function readHeader(reader: LineReader, kind: FileKind, generation: number, ip: string): unknown {
  const header = reader.next({ generation, sequence: 0 }) as {
    format?: unknown;
    kind?: unknown;
    ip?: unknown;
  };
  if (header.format !== FORMAT) {
    throw reader.corrupt(
      `its format is not ${FORMAT}; if a newer version of raftbeat wrote it, use that version`,
    );
  }
  if (header.kind !== kind) throw reader.corrupt(`it is no ${kind} file`);
  checkOwner(reader.path, String(header.ip), ip);
  return header;
}
