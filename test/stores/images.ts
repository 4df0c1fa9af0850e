import { createHash } from 'node:crypto';

/** What a program did to the files of one directory, in order; `file` numbers what was opened. */
export type DiskStep =
  | { readonly type: 'open'; readonly file: number; readonly name: string; readonly truncates: boolean }
  | { readonly type: 'write'; readonly file: number; readonly bytes: Buffer }
  | { readonly type: 'truncate'; readonly file: number; readonly length: number }
  | { readonly type: 'sync'; readonly file: number }
  | { readonly type: 'rename'; readonly from: string; readonly to: string }
  | { readonly type: 'remove'; readonly name: string }
  | { readonly type: 'syncDirectory' };

/** What may be found in the directory after a crash. */
export type Image = ReadonlyMap<string, Buffer>;

interface Inode {
  content: Buffer;
  synced: Buffer;
}

/** The files as the program sees them, and what a loss of power may leave of them. */
export class DiskModel {
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  readonly #open = new Map<number, Inode>();

  constructor(image: Image = new Map()) {
    for (const [name, content] of image) this.#names.set(name, { content, synced: content });
    this.#durableNames = new Map(this.#names);
  }

  take(step: DiskStep): void {
    switch (step.type) {
      case 'open':
        this.#opened(step.file, step.name, step.truncates);
        return;
      case 'write':
        this.#change(step.file, (content) => Buffer.concat([content, step.bytes]));
        return;
      case 'truncate':
        this.#change(step.file, (content) => content.subarray(0, step.length));
        return;
      case 'sync': {
        const inode = this.#inodeOf(step.file);
        inode.synced = inode.content;
        return;
      }
      case 'rename':
        this.#names.set(step.to, this.#names.get(step.from) as Inode);
        this.#names.delete(step.from);
        return;
      case 'remove':
        this.#names.delete(step.name);
        return;
      case 'syncDirectory':
        this.#durableNames = new Map(this.#names);
    }
  }

  /**
   * What a kill at this moment leaves, and what a loss of power may: of what was not synced, all of the names or none,
   * and all of the contents or none.
   */
  images(): readonly Image[] {
    return [this.#names, this.#durableNames].flatMap((names) => [
      new Map([...names].map(([name, { content }]) => [name, content])),
      new Map([...names].map(([name, { synced }]) => [name, synced])),
    ]);
  }

  /** What is left when only the first `length` bytes of a write were done; `zeros` stand where the rest should be. */
  torn(file: number, bytes: Buffer, length: number, zeros = 0): Image {
    const inode = this.#inodeOf(file);
    const part = Buffer.concat([inode.content, bytes.subarray(0, length), Buffer.alloc(zeros)]);
    return new Map([...this.#names].map(([name, each]) => [name, each === inode ? part : each.content]));
  }

  #opened(file: number, name: string, truncates: boolean): void {
    const nothing = Buffer.alloc(0);
    const inode = this.#names.get(name) ?? { content: nothing, synced: nothing };
    if (truncates) inode.content = nothing;
    this.#names.set(name, inode);
    this.#open.set(file, inode);
  }

  #change(file: number, change: (content: Buffer) => Buffer): void {
    const inode = this.#inodeOf(file);
    inode.content = change(inode.content);
  }

  #inodeOf(file: number): Inode {
    return this.#open.get(file) as Inode;
  }
}

export function hashOf(image: Image): string {
  const hash = createHash('sha256');
  for (const [name, content] of [...image].sort()) hash.update(`${name} ${content.length} `).update(content);
  return hash.digest('hex');
}
