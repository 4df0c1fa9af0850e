import { setTimeout as delay } from 'node:timers/promises';
import type { Side } from './sides.js';
import { bytesBetween, connections, type Socket, socketsOf } from './sockets.js';
import { cpuMs, residentBytes } from './usage.js';

/** What one side used in one round. */
export interface Round {
  /** Per cent of a processor, of each process. */
  readonly cpu: readonly number[];
  /** What its processes sent to each other, without the headers of TCP and IP. */
  readonly bytesPerSecond: number;
}

/** What one side is at rest. */
export interface Rest {
  readonly name: string;
  readonly processes: number;
  readonly rounds: readonly Round[];
  readonly residentBytes: readonly number[];
  readonly heapBytes: readonly number[];
  readonly connections: number;
  /** From one process to another. */
  readonly connectionsAWay: number;
  /** A beat and its answer; null where the messages are not counted. */
  readonly exchange: { readonly bodyBytes: number; readonly bytes: number } | null;
}

interface Look {
  readonly at: number;
  readonly cpuMs: readonly number[];
  readonly sockets: readonly Socket[];
}

/** Looks at all sides at once, in rounds: what disturbs one disturbs the others. */
export async function measure(
  sides: readonly Side[],
  rounds: number,
  roundMs: number,
): Promise<readonly Rest[]> {
  const beatsBefore = await Promise.all(sides.map(beatsOf));
  const looks = [sides.map(look)];
  for (let round = 0; round < rounds; round++) {
    await delay(roundMs);
    looks.push(sides.map(look));
  }
  return Promise.all(
    sides.map((side, at) =>
      restOf(
        side,
        looks.map((all) => all[at] as Look),
        beatsBefore[at] ?? 0,
      ),
    ),
  );
}

function look({ pids }: Side): Look {
  return { at: performance.now(), cpuMs: pids.map(cpuMs), sockets: socketsOf(pids) };
}

async function beatsOf(side: Side): Promise<number> {
  return (await side.atRest()).reduce((sum, { beats = 0 }) => sum + beats, 0);
}

async function restOf(side: Side, looks: readonly Look[], beatsBefore: number): Promise<Rest> {
  const resident = side.pids.map(residentBytes);
  const beats = (await beatsOf(side)) - beatsBefore;
  const held = await side.atRest();
  const leader = held.find(({ beatBytes = 0 }) => beatBytes > 2);
  const first = looks[0] as Look;
  const last = looks.at(-1) as Look;
  const { all, most } = connections(last.sockets);
  return {
    name: side.name,
    processes: side.pids.length,
    rounds: looks.slice(1).map((after, at) => roundOf(looks[at] as Look, after)),
    residentBytes: resident,
    heapBytes: held.map(({ heapBytes }) => heapBytes),
    connections: all,
    connectionsAWay: most,
    exchange:
      leader === undefined
        ? null
        : {
            bodyBytes: (leader.beatBytes ?? 0) + (leader.answerBytes ?? 0),
            bytes: bytesBetween(first.sockets, last.sockets) / beats,
          },
  };
}

function roundOf(before: Look, after: Look): Round {
  const ms = after.at - before.at;
  return {
    cpu: after.cpuMs.map((used, at) => (100 * (used - (before.cpuMs[at] ?? 0))) / ms),
    bytesPerSecond: (1_000 * bytesBetween(before.sockets, after.sockets)) / ms,
  };
}
