/** One process of the example: it registers itself, and then publishes order after order, until it is told to stop. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Member, RaftNode } from 'raftbeat';
import { FileStore } from 'raftbeat/file';
import { HttpTransport } from 'raftbeat/http';

/** What a service tells whoever started it. */
export type Message =
  | { readonly type: 'acknowledged'; readonly key: string }
  | { readonly type: 'stopped' }
  | { readonly type: 'keys'; readonly keys: readonly string[] };

/** What a service is ordered to do. */
export type Order = 'stop writing' | 'tell your keys';

const PAUSE_MS = 25;

const [ip = '', members = '[]', file = ''] = process.argv.slice(2);
const raft = new RaftNode({
  ip,
  members: JSON.parse(members) as Member[],
  transport: new HttpTransport(),
  store: new FileStore(file),
  registry: true,
});
let writes = true;

function tell(message: Message): void {
  // The parent may be gone at any time; then this process ends as well.
  process.send?.(message, undefined, undefined, () => {});
}

/** Whether it is certain that this was written; if not, it may be written all the same. */
async function publish(key: string, value: unknown): Promise<boolean> {
  return raft.publish(key, value).then(
    () => true,
    () => false,
  );
}

process.on('disconnect', () => process.exit());
process.on('SIGINT', () => {}); // Ctrl-C reaches all processes of a terminal; the parent decides what it means.
process.on('message', (order: Order) => {
  if (order === 'stop writing') writes = false;
  else tell({ type: 'keys', keys: raft.keys('order/') });
});
raft.on('error', (error) => {
  console.error(`${ip}: ${error.message}`);
  process.exit(1);
});

await raft.start();
// The same value again does no harm, so this may be repeated until it is certain.
while (!(await publish(`service/${ip}`, { pid: process.pid }))) await delay(PAUSE_MS);
for (let number = 1; writes; number++) {
  const key = `order/${process.pid}-${number}`;
  if (await publish(key, { by: ip })) tell({ type: 'acknowledged', key });
  await delay(PAUSE_MS);
}
tell({ type: 'stopped' });
