import type { Peer } from './raftbeat.js';
import { RaftbeatCluster, until } from './raftbeat.js';

/** How many writes the restarted follower missed. */
const MISSED = 10;
/** As long as five beats and more, for the figures of a cluster at rest. */
const REST_MS = 2_000;

/** What one step took, and for how long the leader's event loop was held up by it. */
interface Step {
  readonly ms: number;
  readonly leaderBlockedMs: number;
}

/** Fills a cluster with `count` datums, and looks at its beats and at followers that catch up. */
export async function large(directory: string, count: number, execArgv: readonly string[]): Promise<object> {
  const cluster = new RaftbeatCluster(directory, execArgv);
  process.once('exit', () => cluster.kill());
  await cluster.start();
  const first = await cluster.find({ leads: true });
  const filled = await timed(first, () => first.worker.ask('fill', count));
  const leader = await cluster.find({ leads: true });
  const follower = await cluster.find({ leads: false });
  const last = `service/${count - 1}`;
  const step = (action: () => Promise<unknown>): Promise<Step> => timed(leader, action);
  await until(() => follower.worker.ask('has', last));
  await follower.worker.ask('traffic');
  const rest = await step(() => new Promise((resolve) => setTimeout(resolve, REST_MS)));
  const { beatBytes } = await follower.worker.ask('traffic');
  const restarted = await step(() => missedSome(cluster, leader, follower));
  const { dataBeats } = await follower.worker.ask('traffic');
  const joiner = await cluster.joiner();
  const joined = await step(async () => {
    await leader.worker.ask('addPeer', joiner.ip);
    await until(() => joiner.worker.ask('has', last));
  });
  await cluster.end();
  console.table({ filled, rest, restarted, joined });
  console.log(
    `a steady beat: ${beatBytes} bytes; messages with data to the one that missed ${MISSED} writes: ${dataBeats}`,
  );
  return { count, beatBytes, dataBeats, filled, rest, restarted, joined };
}

/** Kills a follower, writes, and starts it again; resolves when it holds what it missed. */
async function missedSome(cluster: RaftbeatCluster, leader: Peer, follower: Peer): Promise<void> {
  await follower.worker.killed();
  for (let i = 0; i < MISSED; i++) await leader.worker.ask('publish', `missed/${i}`);
  await cluster.restart(follower);
  await until(() => follower.worker.ask('has', `missed/${MISSED - 1}`));
}

async function timed(leader: Peer, action: () => Promise<unknown>): Promise<Step> {
  await leader.worker.ask('loopBlocked');
  const startedAt = performance.now();
  await action();
  const ms = Math.round(performance.now() - startedAt);
  return { ms, leaderBlockedMs: Math.round(10 * (await leader.worker.ask('loopBlocked'))) / 10 };
}
