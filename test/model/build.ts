import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFunction } from 'node:vm';
import { build, type Plugin } from 'esbuild';
import type { RaftCore } from '../../src/core/core.js';
import type { RaftError } from '../../src/core/errors.js';
import type { Lease } from '../../src/core/lease.js';
import type { RaftPeer } from '../../src/core/peer.js';
import type { RaftPeerSet } from '../../src/core/peer-set.js';
import type { ElectionTimeouts } from '../../src/core/ranking.js';
import type { Rejoin } from '../../src/core/rejoin.js';
import type { leaseMs } from '../../src/core/timing.js';

/** A change of one file of `src/core`: `find` must stand there exactly once. */
export interface Patch {
  /** The name of the file. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** The classes of `src/core` as source has them, but for this: what is named `#name` there is named `$name` here. */
export interface Kernel {
  readonly RaftCore: typeof RaftCore;
  readonly RaftError: typeof RaftError;
  readonly RaftPeer: typeof RaftPeer;
  readonly RaftPeerSet: typeof RaftPeerSet;
  readonly Lease: typeof Lease;
  readonly ElectionTimeouts: typeof ElectionTimeouts;
  readonly Rejoin: typeof Rejoin;
  readonly leaseMs: typeof leaseMs;
}

const CORE = fileURLToPath(new URL('../../src/core/', import.meta.url));
const ENTRY = ['core', 'errors', 'lease', 'peer', 'peer-set', 'ranking', 'rejoin', 'timing'];

/**
 * Bundles `src/core`, with its private fields within reach, and loads it.
 *
 * @throws Error when a patch does not fit
 */
export async function buildKernel(patches: readonly Patch[] = []): Promise<Kernel> {
  const applied = new Set<Patch>();
  const { outputFiles } = await build({
    stdin: { contents: ENTRY.map((name) => `export * from './${name}.ts';`).join('\n'), resolveDir: CORE },
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    logLevel: 'silent',
    plugins: [openPrivates(patches, applied)],
  });
  const missed = patches.find((patch) => !applied.has(patch));
  if (missed !== undefined) throw new Error(`the bundle has no file ${missed.file}`);
  const module = { exports: {} };
  compileFunction(outputFiles[0]?.text ?? '', ['module', 'exports'])(module, module.exports);
  return module.exports as Kernel;
}

function openPrivates(patches: readonly Patch[], applied: Set<Patch>): Plugin {
  return {
    name: 'open-privates',
    setup({ onLoad }) {
      onLoad({ filter: /src[\\/]core[\\/][^\\/]+\.ts$/ }, ({ path }) => {
        let text = readFileSync(path, 'utf8');
        for (const patch of patches.filter(({ file }) => file === basename(path))) {
          text = patched(text, patch);
          applied.add(patch);
        }
        return { contents: text.replaceAll(/#([A-Za-z]\w*)/g, '$$$1'), loader: 'ts' };
      });
    },
  };
}

function patched(text: string, { file, find, replace }: Patch): string {
  const [before, after, ...more] = text.split(find);
  if (before === undefined || after === undefined || more.length > 0) {
    throw new Error(`${file} must hold exactly once: ${find}`);
  }
  return before + replace + after;
}
