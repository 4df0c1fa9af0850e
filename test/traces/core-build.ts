import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { PeerSnapshot, RaftCore, RaftPeer, RaftPeerSet, StoredState } from 'raftbeat';

/** The private state of a peer set, as the mechanical build names it. */
interface PeerSetState {
  own_leader: PeerSnapshot | null;
  own_isLeaderFresh: boolean;
  own_announced: PeerSnapshot | null;
  own_votes: Set<string> | null;
  own_markedLeaders: number;
  own_fetching: Map<string, boolean> | null;
}

/** The private state of a core, as the mechanical build names it. */
interface CoreState {
  own_now: number;
  own_saving: StoredState;
  own_durable: StoredState;
  own_electionDue: number;
  own_heartbeatDue: number;
  own_start(now: number): void;
}

export type OpenPeerSet = RaftPeerSet & PeerSetState;
export type OpenCore = RaftCore & CoreState;

/** The core with its private state in the open; all else is as it is in the library. */
export interface CoreBuild {
  readonly RaftCore: typeof RaftCore;
  readonly RaftPeerSet: typeof RaftPeerSet;
  readonly RaftPeer: typeof RaftPeer;
}

const CORE = fileURLToPath(new URL('../../src/core/', import.meta.url));

/**
 * Bundles `src/core` with each `#name` written `own_name`, so that any recorded state can be loaded into it.
 *
 * @param edit changes the source, for the test that a core that errs is found
 */
export async function buildCore(edit: (source: string) => string = (source) => source): Promise<CoreBuild> {
  const { outputFiles } = await build({
    stdin: {
      contents: `export * from './core.js'; export * from './peer-set.js'; export * from './peer.js';`,
      resolveDir: CORE,
      loader: 'ts',
    },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'silent',
    plugins: [
      {
        name: 'open',
        setup: (bundle) => {
          bundle.onLoad({ filter: /[\\/]src[\\/]core[\\/].*\.ts$/ }, async ({ path }) => ({
            contents: edit(await readFile(path, 'utf8')).replaceAll(/#(?=[a-zA-Z])/g, 'own_'),
            loader: 'ts',
          }));
        },
      },
    ],
  });
  const code = Buffer.from(outputFiles[0]?.contents ?? []).toString('base64');
  return (await import(`data:text/javascript;base64,${code}`)) as CoreBuild;
}

/** Checks that the private state is where it is looked for: a renamed field must not go unnoticed. */
export function opened(core: RaftCore): { readonly core: OpenCore; readonly peers: OpenPeerSet } {
  const { peers } = core;
  for (const name of ['now', 'saving', 'durable', 'electionDue', 'heartbeatDue', 'start']) {
    if (!(`own_${name}` in core)) throw new Error(`RaftCore has no #${name} any more`);
  }
  for (const name of ['leader', 'isLeaderFresh', 'announced', 'votes', 'markedLeaders', 'fetching']) {
    if (!(`own_${name}` in peers)) throw new Error(`RaftPeerSet has no #${name} any more`);
  }
  return { core: core as OpenCore, peers: peers as OpenPeerSet };
}
