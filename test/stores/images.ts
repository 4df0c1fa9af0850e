import { createHash } from 'node:crypto';

/** What a program did to the files of one directory, in order; `file` numbers what was opened. */
export type DiskStep =
  | {
      readonly type: 'open';
      readonly file: number;
      readonly name: string;
      readonly truncates: boolean;
      /** Whether each write is durable when it is over (`O_DSYNC`). */
      readonly isDurable: boolean;
    }
  | {
      readonly type: 'write';
      readonly file: number;
      readonly bytes: Buffer;
      /** Where in the file; at its end when absent. */
      readonly position?: number;
    }
  | { readonly type: 'sync'; readonly file: number }
  | { readonly type: 'rename'; readonly from: string; readonly to: string }
  | { readonly type: 'remove'; readonly name: string }
  | { readonly type: 'syncDirectory' };

/** What may be found in the directory after a crash. */
export type Image = ReadonlyMap<string, Buffer>;

export type DiskWrite = Extract<DiskStep, { type: 'write' }>;

interface Inode {
  content: Buffer;
  synced: Buffer;
}

/** The files as the program sees them, and what a loss of power may leave of them. */
export class DiskModel {
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  readonly #open = new Map<number, { readonly inode: Inode; readonly isDurable: boolean }>();

  constructor(image: Image = new Map()) {
    for (const [name, content] of image) this.#names.set(name, { content, synced: content });
    this.#durableNames = new Map(this.#names);
  }

  take(step: DiskStep): void {
    switch (step.type) {
      case 'open':
        this.#opened(step);
        return;
      case 'write':
        this.#write(step);
        return;
      case 'sync':
        this.#sync(step.file);
        return;
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

  /** What is left when of `write` only the bytes at places that have `reached` the disk were written. */
  torn({ file, bytes, position }: DiskWrite, reached: (place: number) => boolean): Image {
    const inode = this.#inodeOf(file);
    const begin = position ?? inode.content.length;
    const whole = written(inode.content, bytes, begin);
    let length = inode.content.length;
    for (let place = begin; place < begin + bytes.length; place += 1) {
      if (reached(place)) length = Math.max(length, place + 1);
      else whole[place] = inode.content[place] ?? 0;
    }
    const left = whole.subarray(0, length);
    return new Map([...this.#names].map(([name, each]) => [name, each === inode ? left : each.content]));
  }

  #opened({ file, name, truncates, isDurable }: Extract<DiskStep, { type: 'open' }>): void {
    const nothing = Buffer.alloc(0);
    const inode = this.#names.get(name) ?? { content: nothing, synced: nothing };
    if (truncates) inode.content = nothing;
    this.#names.set(name, inode);
    this.#open.set(file, { inode, isDurable });
  }

  #write({ file, bytes, position }: DiskWrite): void {
    const inode = this.#inodeOf(file);
    inode.content = written(inode.content, bytes, position);
    if (this.#open.get(file)?.isDurable) this.#sync(file);
  }

  #sync(file: number): void {
    const inode = this.#inodeOf(file);
    inode.synced = inode.content;
  }

  #inodeOf(file: number): Inode {
    return this.#open.get(file)?.inode as Inode;
  }
}

function written(content: Buffer, bytes: Buffer, position = content.length): Buffer {
  return Buffer.concat([content.subarray(0, position), bytes, content.subarray(position + bytes.length)]);
}

export function hashOf(image: Image): string {
  const hash = createHash('sha256');
  for (const [name, content] of [...image].sort()) hash.update(`${name} ${content.length} `).update(content);
  return hash.digest('hex');
}
