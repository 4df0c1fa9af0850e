import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFunction } from 'node:vm';
import { build, type Plugin } from 'esbuild';

/** A change of one place of the source. */
export interface Patch {
  /** The file, as seen from `src`. */
  readonly file: string;
  /** What stands there exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** What is bundled, and how. */
export interface BundleOptions {
  /** The source of the entry, and where its imports begin. */
  readonly entry: string;
  readonly directory: URL;
  readonly patches: readonly Patch[];
  /** Changes the text of each file of `src`, patched as it is. */
  readonly transform?: (text: string) => string;
}

const SOURCE = fileURLToPath(new URL('../../src/', import.meta.url));

/**
 * Builds and loads a module on top of a patched copy of the source; what it imports from `raftbeat` is patched, too.
 *
 * @throws Error when a patch does not fit exactly one place of a file that is part of it
 */
export async function bundle<T>({ entry, directory, patches, transform }: BundleOptions): Promise<T> {
  const applied = new Set<Patch>();
  const { outputFiles } = await build({
    stdin: { contents: entry, resolveDir: fileURLToPath(directory), loader: 'ts' },
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    logLevel: 'silent',
    alias: { raftbeat: join(SOURCE, 'index.ts') },
    plugins: [patching(patches, applied, transform ?? ((text) => text))],
  });
  const missed = patches.find((patch) => !applied.has(patch));
  if (missed !== undefined) throw new Error(`the bundle has no file ${missed.file}`);
  const module = { exports: {} };
  const load = compileFunction(outputFiles[0]?.text ?? '', ['module', 'exports', 'require']);
  load(module, module.exports, createRequire(import.meta.url));
  return module.exports as T;
}

/** The source of `file` with its patches. */
export function patched(file: string, source: string, patches: readonly Patch[]): string {
  let text = source;
  for (const { find, replace } of patches.filter((patch) => patch.file === file)) {
    const parts = text.split(find);
    if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} places, not one, for: ${find}`);
    text = parts.join(replace);
  }
  return text;
}

function patching(
  patches: readonly Patch[],
  applied: Set<Patch>,
  transform: (text: string) => string,
): Plugin {
  return {
    name: 'patches',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const text = await readFile(path, 'utf8');
        if (!path.startsWith(SOURCE)) return { contents: text, loader: 'ts' };
        const file = path.slice(SOURCE.length).replaceAll('\\', '/');
        for (const patch of patches) if (patch.file === file) applied.add(patch);
        return { contents: transform(patched(file, text, patches)), loader: 'ts', resolveDir: dirname(path) };
      });
    },
  };
}
