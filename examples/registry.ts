/**
 * A registry of three services, over HTTP, each with a store in files. Each of them registers itself and publishes orders
 * all the time, while one process after the other is killed and comes back. A fourth peer, which only observes, tells of
 * each change. At the end, no order that was acknowledged may be missing anywhere.
 *
 *     node --import tsx examples/registry.ts
 */
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { type Datum, RaftNode } from 'raftbeat';
import { HttpTransport } from 'raftbeat/http';
import { freeAddresses } from '../src/cli/demo/addresses.js';
import { Services } from './registry/services.js';

const TIME_LIMIT_MS = 40_000;
/** Between two chapters: orders are written meanwhile. */
const PAUSE_MS = 300;
const POLL_MS = 20;
/** How many orders are read at the same time. */
const READERS = 50;

const [observer = '', ...ips] = await freeAddresses(4);
const members = [...ips.map((ip) => ({ ip })), { ip: observer, observer: true }];
const services = new Services(ips, members);
const watcher = new RaftNode({ ip: observer, members, transport: new HttpTransport(), registry: true });
let waitsFor = '';

watcher.listen({ prefix: 'service/' }, (datum, key) => {
  say(datum === null ? `  ${key} is removed` : `  ${key} is ${JSON.stringify(datum.value)}`);
});

async function story(): Promise<readonly string[]> {
  say('three services start');
  const pids = new Map(services.all.map((service) => [service, service.start()]));
  await watcher.start();
  for (const { ip } of services.all) await until(`${ip} to register`, () => isRegistered(ip));

  for (const service of services.all) {
    await delay(PAUSE_MS);
    const { ip } = service;
    say(`${ip} is killed, pid ${pids.get(service)}${watcher.leader?.ip === ip ? ': it leads' : ''}`);
    await service.kill();
    await until(`${ip} to be removed`, () => succeeds(watcher.remove(`service/${ip}`)));
    await delay(PAUSE_MS);
    pids.set(service, service.start());
    say(`${ip} starts again, pid ${pids.get(service)}`);
    await until(`${ip} to register again`, () => isRegistered(ip));
  }

  await delay(PAUSE_MS);
  await Promise.all(services.all.map((service) => service.stopWriting()));
  return lost();
}

/** The acknowledged orders that are missing: to a linearizable read, or to one of the services for good. */
async function lost(): Promise<readonly string[]> {
  const acknowledged = [...services.acknowledged];
  const missing: string[] = [];
  const reader = async (): Promise<void> => {
    for (let key = acknowledged.pop(); key !== undefined; key = acknowledged.pop()) {
      if ((await read(key)) === null) missing.push(key);
    }
  };
  await Promise.all(Array.from({ length: READERS }, reader));
  if (missing.length > 0) return missing;
  for (const service of services.all) {
    await until(`all orders at ${service.ip}`, async () => {
      const keys = new Set(await service.keys());
      return [...services.acknowledged].every((key) => keys.has(key));
    });
  }
  return [];
}

/** A read that fails says nothing: the leader may be changing. */
async function read(key: string): Promise<Datum | null> {
  for (;;) {
    try {
      return await watcher.readDatum(key);
    } catch {
      await delay(POLL_MS);
    }
  }
}

/** Tells the story and what came of it; returns the exit code. */
async function main(): Promise<number> {
  const interruption = interrupted();
  try {
    const missing = await Promise.race([story(), services.failure, timeLimit(), interruption]);
    if (typeof missing === 'string') return 128 + constants.signals[missing];
    console.log(
      `\n${services.acknowledged.size} orders were acknowledged, ${missing.length} of them are lost`,
    );
    console.log(missing.length === 0 ? 'ok' : `NOT OK: ${missing.join(' ')}`);
    return missing.length === 0 && services.acknowledged.size > 0 ? 0 : 1;
  } catch (error) {
    console.error(`NOT OK: ${error instanceof Error ? error.message : error}`);
    return 1;
  } finally {
    await services.end();
    await watcher.stop();
  }
}

function say(line: string): void {
  console.log(`${(performance.now() / 1_000).toFixed(2).padStart(6)} s  ${line}`);
}

async function isRegistered(ip: string): Promise<boolean> {
  return watcher.getDatum(`service/${ip}`) !== null;
}

function succeeds(attempt: Promise<unknown>): Promise<boolean> {
  return attempt.then(
    () => true,
    () => false,
  );
}

async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  waitsFor = what;
  while (!(await look())) await delay(POLL_MS);
}

async function timeLimit(): Promise<never> {
  await delay(TIME_LIMIT_MS);
  throw new Error(`waited for ${waitsFor} until the time was up`);
}

/** Resolves with the signal that ends the example early. */
function interrupted(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, resolve);
  });
}

process.exit(await main());
