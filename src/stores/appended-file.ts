import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/**
 * How many zeros are written behind a line when there are none left: the lines that take their place do not change the
 * size of the file, and need no second write to say so.
 */
const ROOM_BYTES = 256 * 1024;

/** A file that lines are appended to, each durable when that is over. */
export class AppendedFile {
  readonly #file: FileHandle;
  /** Where the next line goes, and up to where zeros follow. */
  #end: number;
  #roomUntil: number;

  private constructor(file: FileHandle, end: number) {
    this.#file = file;
    this.#end = end;
    this.#roomUntil = end;
  }

  /** @param end the length of the file, which is there */
  static async open(path: string, end: number): Promise<AppendedFile> {
    const flags = constants.O_WRONLY | (writesAreDurable() ? constants.O_DSYNC : 0);
    return new AppendedFile(await open(path, flags), end);
  }

  /** Where what was appended ends; zeros may follow. */
  get end(): number {
    return this.#end;
  }

  /** Resolved when `lines` are durable. When it rejects, nobody knows where the file ends. */
  async append(lines: Buffer): Promise<void> {
    const end = this.#end + lines.length;
    const hasRoom = end <= this.#roomUntil;
    await this.#write(hasRoom ? lines : Buffer.concat([lines], lines.length + ROOM_BYTES));
    if (!writesAreDurable()) await this.#file.datasync();
    if (!hasRoom) this.#roomUntil = end + ROOM_BYTES;
    this.#end = end;
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #write(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, this.#end + done);
      done += bytesWritten;
    }
  }
}

/**
 * Whether a file can be opened so that each write is durable when it returns, which takes one call instead of two.
 * Elsewhere that flag is missing, or promises less than a sync.
 */
function writesAreDurable(): boolean {
  return process.platform === 'linux';
}
