import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import type { SimNodeClass } from 'raftbeat/testing';
import type { Patch } from './defects.js';

const SOURCE = fileURLToPath(new URL('../../src/', import.meta.url));

/**
 * Builds `RaftNode` from a patched copy of the source.
 *
 * @throws Error when a patch does not fit exactly one place
 */
export async function buildPatched(patches: readonly Patch[]): Promise<SimNodeClass> {
  const directory = await mkdtemp(join(tmpdir(), 'raftbeat-defect-'));
  const outfile = join(directory, 'node.cjs');
  try {
    await build({
      entryPoints: [join(SOURCE, 'node/node.ts')],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      logLevel: 'silent',
      plugins: [patching(patches)],
    });
    const { RaftNode } = createRequire(import.meta.url)(outfile) as { RaftNode: SimNodeClass };
    return RaftNode;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
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

function patching(patches: readonly Patch[]): Plugin {
  return {
    name: 'patches',
    setup(builder) {
      builder.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const file = path.slice(SOURCE.length).replaceAll('\\', '/');
        return { contents: patched(file, await readFile(path, 'utf8'), patches), loader: 'ts' };
      });
    },
  };
}
