import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { freeAddresses } from './addresses.js';
import { now } from './messages.js';
import { Cluster } from './processes.js';
import { openScreen, type Screen } from './screen.js';
import { type Findings, judge } from './verdict.js';

/** For the whole demo. */
const TIME_LIMIT_MS = 28_000;
/** Between two chapters, for whoever looks on. */
const PAUSE_MS = 1_000;
/** Three times as long as a lease, more or less. */
const STOPPED_MS = 1_500;

/** Tells the story and what came of it; returns the exit code. */
export async function tell(): Promise<number> {
  const screen = openScreen();
  const cluster = new Cluster(await freeAddresses(3));
  cluster.watch(() => screen.show(cluster.members));
  try {
    const findings = await Promise.race([
      story(cluster, screen),
      cluster.failure,
      timeLimit(cluster),
      interrupted(),
    ]);
    if (typeof findings === 'string') return 128 + constants.signals[findings];
    const { summary, faults } = judge(findings);
    for (const line of ['', ...summary, ...faults.map((fault) => `NOT OK: ${fault}`)]) console.log(line);
    if (faults.length === 0) console.log('ok');
    return faults.length === 0 ? 0 : 1;
  } catch (error) {
    console.error(`NOT OK: ${error instanceof Error ? error.message : error}`);
    return 1;
  } finally {
    await cluster.end();
  }
}

async function story(cluster: Cluster, screen: Screen): Promise<Findings> {
  screen.say('three processes start');
  for (const member of cluster.members) member.start();
  const first = await cluster.leader();
  screen.say(`${first.member.ip} is elected`);
  // Their stores were empty: only when all three know a leader have all of them begun, and one of them may go.
  await cluster.until('all to know the leader', () => cluster.members.every((member) => member.knowsLeader));
  await pause(PAUSE_MS);

  const { member: killed } = await cluster.leader();
  screen.say(`${killed.ip} is killed: SIGKILL`);
  const killedAt = await killed.kill();
  const second = await cluster.leader({ since: killedAt });
  screen.say(`${second.member.ip} is elected`);
  await pause(PAUSE_MS);

  screen.say(`${killed.ip} starts again`);
  killed.start();
  await cluster.until('the killed peer to follow', () => killed.follows);
  screen.say(`${killed.ip} is back, as a follower`);
  await pause(PAUSE_MS);

  const { member: stopped } = await cluster.leader();
  screen.say(`${stopped.ip} is stopped: SIGSTOP`);
  const orderedAt = now();
  stopped.stop();
  const third = await cluster.leader({ since: orderedAt });
  screen.say(`${third.member.ip} is elected`);
  await pause(Math.max(0, orderedAt + STOPPED_MS - now()));

  screen.say(`${stopped.ip} goes on: SIGCONT`);
  stopped.wake();
  const awakening = await cluster.until('the stopped peer to wake up', () => stopped.awakening);
  await cluster.until('the stopped peer to follow', () => stopped.follows);
  screen.say(`${stopped.ip} is awake, and follows`);
  await pause(PAUSE_MS);

  return {
    kill: { at: killedAt, nextLeaderAt: second.since },
    stop: { ...awakening, nextLeaderAt: third.since },
    beliefs: await cluster.beliefs(),
  };
}

async function timeLimit(cluster: Cluster): Promise<never> {
  await pause(TIME_LIMIT_MS);
  throw new Error(`waited for ${cluster.waitsFor} until the time was up`);
}

/** Does not keep the demo alive when it is over: its processes do, as long as they run. */
function pause(ms: number): Promise<void> {
  return delay(ms, undefined, { ref: false });
}

/** Resolves with the signal that ends the demo early. */
function interrupted(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, resolve);
  });
}
