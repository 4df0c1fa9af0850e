import { constants } from 'node:fs';
import { basename } from 'node:path';
import type { DiskStep } from './images.js';

type FileSystem = typeof import('node:fs/promises');

interface Disk {
  /** Told of each step, mostly when it is done; what it throws, the store gets. */
  note: ((step: DiskStep) => void) | null;
  /** How much of what is appended one write takes at most. */
  bytesAtOnce: number;
  files: number;
}

/** How the files of a store are watched. */
export const disk: Disk = { note: null, bytesAtOnce: Number.POSITIVE_INFINITY, files: 0 };

/**
 * `real`, of which every step is noted. Syncs are not done: what they are for is told by the model of the disk.
 *
 * @param isOfStore whether a file, of this name, is one of the store's; anything else that is synced is its directory
 */
export function recorded(real: FileSystem, isOfStore: (name: string) => boolean): FileSystem {
  const note = (step: DiskStep): void => disk.note?.(step);
  const open = async (path: string, flags: string | number): Promise<object> => {
    const file = ++disk.files;
    const isDurable = typeof flags === 'number' && (flags & constants.O_DSYNC) !== 0;
    const writes = typeof flags === 'string' || (flags & constants.O_WRONLY) !== 0;
    if (writes) note({ type: 'open', file, name: basename(path), truncates: flags === 'w', isDurable });
    const handle = await real.open(path, flags);
    return {
      readFile: () => handle.readFile(),
      read: (...args: Parameters<typeof handle.read>) => handle.read(...args),
      writeFile: async (bytes: string | Buffer) => {
        await handle.writeFile(bytes);
        note({ type: 'write', file, bytes: Buffer.from(bytes) });
      },
      write: async (bytes: Buffer, offset: number, length: number, position: number) => {
        const written = await handle.write(bytes, offset, Math.min(length, disk.bytesAtOnce), position);
        const taken = bytes.subarray(offset, offset + written.bytesWritten);
        note({ type: 'write', file, position, bytes: Buffer.from(taken) });
        return written;
      },
      sync: async () => {
        if (isOfStore(basename(path))) note({ type: 'sync', file });
        else note({ type: 'syncDirectory' });
      },
      datasync: async () => note({ type: 'sync', file }),
      close: () => handle.close(),
    };
  };
  const rename: FileSystem['rename'] = async (from, to) => {
    await real.rename(from, to);
    note({ type: 'rename', from: basename(String(from)), to: basename(String(to)) });
  };
  const rm: FileSystem['rm'] = async (path, options) => {
    await real.rm(path, options);
    if (!String(path).endsWith('.lock')) note({ type: 'remove', name: basename(String(path)) });
  };
  return { ...real, open: open as unknown as FileSystem['open'], rename, rm };
}
