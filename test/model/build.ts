import type { CatchUp } from '../../src/core/catch-up.js';
import type { RaftCore } from '../../src/core/core.js';
import type { Datums } from '../../src/core/datums.js';
import type { RaftError } from '../../src/core/errors.js';
import type { Lease } from '../../src/core/lease.js';
import type { RaftPeer } from '../../src/core/peer.js';
import type { RaftPeerSet } from '../../src/core/peer-set.js';
import type { ElectionTimeouts } from '../../src/core/ranking.js';
import type { Rejoin } from '../../src/core/rejoin.js';
import type { Snapshot } from '../../src/core/snapshot.js';
import type { leaseMs } from '../../src/core/timing.js';
import { bundle, type Patch } from '../defects/patches.js';

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
  readonly Datums: typeof Datums;
  readonly CatchUp: typeof CatchUp;
  readonly Snapshot: typeof Snapshot;
}

const CORE = new URL('../../src/core/', import.meta.url);
const MODULES = [
  ...['core', 'errors', 'lease', 'peer', 'peer-set', 'ranking', 'rejoin', 'timing'],
  ...['datums', 'catch-up', 'snapshot'],
];

/**
 * Bundles `src/core`, with its private fields within reach, and loads it.
 *
 * @throws Error when a patch does not fit
 */
export function buildKernel(patches: readonly Patch[] = []): Promise<Kernel> {
  return bundle({
    entry: MODULES.map((name) => `export * from './${name}.ts';`).join('\n'),
    directory: CORE,
    patches,
    transform: (text) => text.replaceAll(/#([A-Za-z]\w*)/g, '$$$1'),
  });
}
