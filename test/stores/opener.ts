import { FileStore } from '../../src/stores/file.js';

/** A process that opens, saves and closes file stores as its parent bids. Each order gets one answer. */
export type Order =
  | { readonly type: 'open'; readonly path: string; readonly ip: string }
  | { readonly type: 'saveForEver'; readonly voteFor: string }
  | { readonly type: 'close' };

export type Answer =
  | { readonly ok: true; readonly state: unknown }
  | { readonly ok: false; readonly error: string };

let store: FileStore | null = null;
let found = 0;

async function obey(order: Order): Promise<unknown> {
  if (order.type === 'open') {
    const opening = new FileStore(order.path);
    const state = await opening.open(order.ip);
    store = opening;
    found = state?.term ?? 0;
    return state;
  }
  if (order.type === 'saveForEver') {
    void saveForEver(order.voteFor);
    return null;
  }
  await store?.close();
  store = null;
  return null;
}

async function saveForEver(voteFor: string): Promise<void> {
  for (let term = found + 1; ; term += 1) {
    await store?.save({ term, voteFor, promisedMs: term / 8 });
    process.send?.(term);
  }
}

process.on('message', async (order: Order) => {
  const answer: Answer = await obey(order).then(
    (state) => ({ ok: true, state }),
    (error: unknown) => ({
      ok: false,
      error: `${(error as { code?: string }).code}: ${(error as Error).message}`,
    }),
  );
  process.send?.(answer);
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
